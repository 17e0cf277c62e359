"""The seeds as they were with the release of July 2026, in a folder of their own: what a later release or a later rule adds to the project's changes nothing
of what these tests say."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache, partial
from pathlib import Path

from orchestration.rules import fee_seeds
from orchestration.rules.fee_rows import FACTORS, FILES, GPCIS, RVUS
from orchestration.rules.seeds import SEEDS, read_seed, seed_text

RELEASES = {"CY2024", "RVU24D", "RVU25D", "CY2026", "RVU26C"}
LAST_DAY = "2026-07-31"

_folder = tempfile.TemporaryDirectory(prefix="ccm-seeds-")  # goes with the process


@cache
def seeds_of_july() -> Path:
    folder = Path(shutil.copytree(SEEDS, Path(_folder.name) / "seeds"))
    for seed in (RVUS, GPCIS, FACTORS, FILES):
        path = folder / "reference" / f"{seed}.csv"
        rows = read_seed(path)
        path.write_text(seed_text(rows[0], [row for row in rows if row["release"] in RELEASES]))
    for path in (folder / "rules").glob("*.csv"):
        rows = read_seed(path)
        if rows and "effective_to" in rows[0]:
            begun = [row for row in rows if row["effective_from"] <= LAST_DAY]
            path.write_text(
                seed_text(rows[0], [{**row, "effective_to": ""} if row["effective_to"] > LAST_DAY else row for row in begun])
            )
    return folder


plan_loading = partial(fee_seeds.plan_loading, seeds=seeds_of_july())


def ccm_in_july() -> None:
    """`ccm` that plans on these seeds."""
    from orchestration.command.main import main

    fee_seeds.plan_loading = plan_loading  # type: ignore[assignment]
    main()
