"""`make fuzz`: many generated populations against the second opinion. Prints each seed as it is done; exits 1 if anything disagreed.

Odd seeds close a month in the middle and again at the end; even seeds are taken in twice, at once and in another order
with late and corrected files, and the marts must come out the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from random import Random

from tests.properties.staging import NOT_COMPARED, Judged, at_once, out_of_order, same_marts
from tests.properties.strategies import population

CLOSABLE_MONTHS = [date(2026, 10, 1), date(2026, 3, 1), date(2025, 11, 1), date(2024, 3, 1), date(2026, 1, 1)]


def judge_seed(root: Path, seed: int, practices: int) -> Judged:
    rng = Random(seed)
    if seed % 2:
        closing = rng.choice(CLOSABLE_MONTHS)
        return out_of_order(root / "closed", population(seed, practices, closing=closing), rng, closing)
    judged = out_of_order(root / "several", population(seed, practices), rng)
    once = at_once(root / "once", population(seed, practices))
    judged.disagreements += once.disagreements + same_marts(root / "once", root / "several")
    judged.rows += once.rows
    return judged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--practices", type=int, default=40)
    parser.add_argument("--shown", type=int, default=20, help="disagreements shown of each seed")
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
