"""`make fuzz`: many generated populations against the second opinion. Prints each seed as it is done; exits 1 if anything disagreed.

A population is practices of the seed and practices that hypothesis draws. Odd seeds close a month in the middle and again
at the end; even seeds are taken in twice, at once and in another order with late and corrected files, and the marts must
come out the same. What later facts make of claims is judged of practices of its own (`aftermath.py`). `--smaller N` lets
hypothesis make a failing practice that it drew smaller, with at most N tries of one build each, and leaves the smallest under
`--keep`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import date
from itertools import count
from pathlib import Path
from random import Random

from tests.properties import aftermath
from tests.properties.drawn import draw_practices, fingerprint, smallest
from tests.properties.staging import NOT_COMPARED, Judged, at_once, out_of_order, same_marts
from tests.properties.strategies import Clinic, configure, population

CLOSABLE_MONTHS = [date(2026, 10, 1), date(2026, 3, 1), date(2025, 11, 1), date(2024, 3, 1), date(2026, 1, 1)]


DRAWN = 20  # examples of hypothesis in each population


def judge_seed(root: Path, seed: int, practices: int) -> Judged:
    judged = of_open_months(root, seed, practices)
    afterwards = aftermath.compare(root / "afterwards", seed, practices)
    if seed % 2:
        afterwards.add(aftermath.of_closes(root / "closed"))
    judged.rows["post_close_changes"] += sum(afterwards.told.values())
    judged.disagreements += afterwards.differences
    return judged


def of_open_months(root: Path, seed: int, practices: int) -> Judged:
    rng = Random(seed)
    if seed % 2:
        closing = rng.choice(CLOSABLE_MONTHS)
        clinics = population(seed, practices, closing=closing) + draw_practices(DRAWN, seed)
        return out_of_order(root / "closed", clinics, rng, closing)
    clinics = population(seed, practices) + draw_practices(DRAWN, seed)
    judged = out_of_order(root / "several", clinics, rng)
    once = at_once(root / "once", clinics)
    judged.disagreements += once.disagreements + same_marts(root / "once", root / "several")
    judged.rows += once.rows
    return judged


def make_smaller(root: Path, seed: int, messages: list[str], tries: int) -> None:
    """Shows the smallest practice of hypothesis's own that still disagrees when it is alone in a home."""
    failing = {
        fingerprint(clinic)
        for place, clinic in enumerate(draw_practices(DRAWN, seed), 1)
        if any(f"practice=d{seed}-{place:02d} " in message for message in messages)
    }
    numbers = count(1)

    def alone(clinic: Clinic) -> list[str]:
        return at_once(root / f"{seed}-try{next(numbers)}", [clinic]).disagreements

    found = smallest(DRAWN, seed, failing, alone, tries) if failing else None
    if not found:
        print("   no practice that hypothesis drew disagrees when it is alone")
        return
    clinic, of_it = found
    home = root / f"{seed}-smallest"
    clinic.write(configure(home, [clinic]))
    print(f"   smallest: {home}", *of_it, sep="\n   ", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--practices", type=int, default=40)
    parser.add_argument("--shown", type=int, default=20, help="disagreements shown of each seed")
    parser.add_argument("--smaller", type=int, default=0, metavar="TRIES")
    parser.add_argument("--keep", type=Path, help="a folder to leave the homes in")
    asked = parser.parse_args()
    total = Judged()
    if NOT_COMPARED:
        print(f"without a model, so not compared: {', '.join(NOT_COMPARED)}")
    for seed in range(asked.first, asked.last + 1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            root = asked.keep / str(seed) if asked.keep else Path(folder)
            judged = judge_seed(root, seed, asked.practices)
            if judged.disagreements and asked.smaller:
                make_smaller(root, seed, judged.disagreements, asked.smaller)
        total.add(judged)
        print(f"seed {seed}: {summary(judged)}, {time.monotonic() - began:.0f} s")
        print("   rows compared:", ", ".join(f"{table} {count}" for table, count in judged.rows.items()))
        print(*(f"   {message}" for message in judged.disagreements[: asked.shown]), sep="\n", flush=True)
    print(f"{asked.last - asked.first + 1} populations: {summary(total)}")
    print("   rows compared:", ", ".join(f"{table} {count}" for table, count in total.rows.items()))
    return 1 if total.disagreements else 0


def summary(judged: Judged) -> str:
    claims = f", {judged.claims} claims closed" if judged.claims else ""
    return (
        f"{judged.practices} practices, {judged.practice_months} practice-months, {sum(judged.rows.values())} rows compared"
        f"{claims}, {len(judged.disagreements)} disagreements"
    )


if __name__ == "__main__":
    sys.exit(main())
