"""`make fuzz`: many generated populations against the second opinion. Prints one line a seed; exits 1 at the first disagreement's end."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.properties.test_marts_agree_with_the_second_opinion import disagreements


def main(first: int, last: int) -> int:
    wrong = 0
    for seed in range(first, last + 1):
        with tempfile.TemporaryDirectory() as folder:
            found = disagreements(Path(folder) / "home", seed, practices=40)
        wrong += len(found)
        print(f"seed {seed}: 40 practices, {len(found)} disagreements", *found[:20], sep="\n  ", flush=True)
    print(f"{last - first + 1} populations, {wrong} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])))
