"""The seeds as they stood at the end of a year: figures worked out by hand hold whatever release is loaded since."""

import csv
from pathlib import Path

FEES = ("rule_rvus", "rule_gpcis", "rule_conversion_factors")


def seeds_up_to(year: int, seeds: Path, folder: Path) -> Path:
    """A folder with the reference seeds, without the fees of later years."""
    folder.mkdir()
    for path in seeds.rglob("*.csv"):
        if path.stem not in FEES:
            (folder / path.name).symlink_to(path)
            continue
        with path.open(encoding="utf-8", newline="") as old, (folder / path.name).open("w", encoding="utf-8", newline="") as new:
            reader = csv.DictReader(old)
            writer = csv.DictWriter(new, list(reader.fieldnames or ()))
            writer.writeheader()
            writer.writerows(row for row in reader if int(row["effective_from"][:4]) <= year)
    return folder
