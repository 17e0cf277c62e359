"""What the files of a fee release add to the dated seeds.

Dating (rules.md A7: values of the newest release for the service date's year). A release's rows hold from `effective_from`, by default 1 January, to
31 December of its year. Nothing that is there already is changed or closed: releases lie side by side, and `int_prices` takes for a service date the
newest release whose dates hold it. So a later quarter prices its whole year, an older one loaded late prices nothing, and a release that the law starts
inside the year (`effective_from`) leaves the days before as they were. Only a conversion factor that differs from its quarter's needs that day said: the
law has changed it inside a year and for a whole one, and no file tells which. A code that a newer release no longer lists keeps its older price. A file
must price what the rules claim in its quarter; what of the year stays without a price is said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from orchestration.house import HouseError
from orchestration.rules.fee_changes import changes_of
from orchestration.rules.fee_files import IndexFile, ValueFile, read_fee_file
from orchestration.rules.fee_indices import add_indices, release_of_indices
from orchestration.rules.fee_rows import (
    FACTORS,
    FILES,
    GPCIS,
    ORDER,
    RVUS,
    FeeSeeds,
    Loading,
    add_rows,
    citation_of,
    claiming_rows,
    dated,
    holds,
    touches,
)
from orchestration.rules.fee_values import add_factor, add_values, pairs_of
from orchestration.rules.seeds import SEEDS

_RELEASE = re.compile(r"RVU(\d{2})[A-D](R\d+)?")


def plan_loading(
    paths: Sequence[Path],
    *,
    seeds: Path = SEEDS,
    release: str | None = None,
    effective_from: date | None = None,
    localities: int | None = None,
) -> Loading:
    """Reads the files, checks them against each other and against the seeds, and gives what they add. Writes nothing.

    `release` names the release of a GPCI file that comes without its PPRRVU file; `effective_from` is the first service date where it is not
    1 January; `localities` is how many CMS announced, where that is not as many as before. Raises HouseError for anything that does not add up.
    """
    existing = FeeSeeds(seeds)
    loading = Loading()
    read = [read_fee_file(path) for path in paths]
    by_hash: dict[str, Path] = {}
    for file in read:
        if file.sha256 in by_hash:
            raise HouseError(
                f"{file.path}: has the same content as {by_hash[file.sha256]}; give each file once; nothing was written"
            )
        by_hash[file.sha256] = file.path
    pairs = pairs_of([file for file in read if isinstance(file, ValueFile)])
    indices = [file for file in read if isinstance(file, IndexFile)]
    if release is not None and not _RELEASE.fullmatch(release):
        raise HouseError(f"--release {release!r}: write it as RVU<yy><A-D>, such as RVU26C")

    names: dict[int, list[str]] = defaultdict(list)
    for plain, qualifying in pairs:
        first_day = _first_day(plain.path, plain.year, effective_from)
        name = add_values(existing, loading, plain, qualifying, first_day, effective_from is not None)
        add_factor(existing, loading, plain, False, name, first_day, effective_from is not None)
        add_factor(existing, loading, qualifying, True, name, first_day, effective_from is not None)
        names[plain.year].append(name)
        loading.releases.append(name)
        for kind, file in [("relative_values", plain)] + (
            [("relative_values_qualifying", qualifying)] if qualifying is not plain else []
        ):
            _add_file(existing, loading, file.path, file.sha256, kind, name, file.released_on, file.rows_read, first_day)
    for index in indices:
        first_day = _first_day(index.path, index.year, effective_from)
        name = release_of_indices(index, names[index.year], release)
        add_indices(existing, loading, index, name, first_day, localities)
        if name not in loading.releases:
            loading.releases.append(name)
        _add_file(existing, loading, index.path, index.sha256, "gpcis", name, None, len(index.localities), first_day)

    years = {file.year for file in read}
    loading.lacks = [lack for year in sorted(years) for lack in _lacks(existing, year)]
    loading.amounts, loading.localities = changes_of(existing, years)
    loading.texts = {seed: existing.text(seed) for seed in ORDER}
    return loading


def _first_day(path: Path, year: int, effective_from: date | None) -> date:
    if effective_from is None:
        return date(year, 1, 1)
    if effective_from.year != year:
        raise HouseError(
            f"--effective-from {effective_from}: {path} is of {year}, so its first service date must lie in {year}; nothing was written"
        )
    return effective_from


def _lacks(existing: FeeSeeds, year: int) -> list[str]:
    """What of a year has no price: days without relative values, factor or localities at all, and codes of the rules."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    found = []
    since: dict[str, str] = {}
    for seed, files in ((RVUS, "PPRRVU files"), (GPCIS, "GPCI file"), (FACTORS, "PPRRVU files")):
        since[seed] = min((row["effective_from"] for row in existing.rows[seed] if touches(row, first, last)), default="")
        if not since[seed]:
            found.append(f"{year}: no row of {seed} yet, so nothing of the year has a price; load the {files} of {year} too")
        elif since[seed] > first.isoformat():
            found.append(
                f"{year}: no row of {seed} before {since[seed]}, so no earlier service date has a price; load the {files} of then too"
            )
    if since[RVUS]:
        begins: dict[str, str] = {}
        for row in claiming_rows(existing.folder):
            if touches(row, first, last):
                begin = max(row["effective_from"], since[RVUS])
                begins[row["procedure_code"]] = min(begin, begins.get(row["procedure_code"], begin))
        for code, begin in sorted(begins.items()):
            if not any(holds(row, begin) for row in existing.of(RVUS, procedure_code=code)):
                found.append(
                    f"{year}: {code} has no price on {begin}, from when on the rules claim it; load the release that lists it"
                )
    return found


def _add_file(
    existing: FeeSeeds,
    loading: Loading,
    path: Path,
    sha256: str,
    kind: str,
    release: str,
    released_on: date | None,
    row_count: int,
    first_day: date,
) -> None:
    """The ledger of fee files: which bytes a release came from."""
    loading.files.append(
        {"file": path.name, "kind": kind, "release": release, "released_on": released_on, "rows_read": row_count, "sha256": sha256}
    )
    if existing.of(FILES, sha256=sha256):
        return
    row = {
        "release": release,
        "kind": kind,
        "file_name": path.stem,
        "sha256": sha256,
        "released_on": released_on.isoformat() if released_on else "",
        "row_count": str(row_count),
    }
    add_rows(existing, loading, FILES, [{**row, **dated(first_day, citation_of(path, release))}])
