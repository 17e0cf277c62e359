"""What a GPCI file adds: the practice cost indices of its localities."""

from __future__ import annotations

from datetime import date

from orchestration.house import HouseError
from orchestration.rules.fee_files import IndexFile
from orchestration.rules.fee_rows import GPCIS, FeeSeeds, Loading, add_rows, citation_of, dated


def release_of_indices(file: IndexFile, of_year: list[str], release: str | None) -> str:
    """The release that a GPCI file, which names none, is of: that of the year's PPRRVU files given with it, else `release`."""
    if release is None and len(of_year) == 1:
        return of_year[0]
    if release is None:
        raise HouseError(
            f"{file.path}: a GPCI file does not say its release; give it together with the PPRRVU file of one {file.year} release, "
            f"or name it with --release RVU{file.year % 100:02d}<A-D>; nothing was written"
        )
    if int(release[3:5]) != file.year % 100:
        raise HouseError(f"--release {release}: {file.path} is of {file.year}; nothing was written")
    return release


def add_indices(existing: FeeSeeds, loading: Loading, file: IndexFile, release: str, first_day: date, expected: int | None) -> None:
    """Adds the localities of a release. Raises HouseError where they are not as many as before, or as `expected`."""
    keys = {(found.mac, found.state, found.locality) for found in file.localities}
    before = [row for row in existing.rows[GPCIS] if row["release"] != release and row["effective_from"] <= first_day.isoformat()]
    newest = max((row["effective_from"], row["release"]) for row in before) if before else None
    known = {(r["mac"], r["state"], r["locality"]) for r in before if (r["effective_from"], r["release"]) == newest}
    if (expected or len(known)) and len(keys) != (expected or len(known)):
        gone = ", ".join(" ".join(key) for key in sorted(known - keys)[:5])
        raise HouseError(
            f"{file.path}: {len(keys)} localities, not {expected or len(known)}{f' (missing: {gone}, ...)' if gone else ''}: the file may be cut off; "
            "take it anew from CMS's zip, or say with --localities how many CMS announced; nothing was written"
        )
    for word, some in (("new", keys - known), ("gone", known - keys)):
        if known and some:
            loading.notices.append(
                f"{release}: localities {word}: {', '.join(' '.join(key) for key in sorted(some))} (MAC, state, locality)"
            )
    citation = citation_of(file.path, release) + (", work floor 1.0" if file.has_work_floor else ", no work floor")
    wanted = [
        {
            "mac": found.mac,
            "state": found.state,
            "locality": found.locality,
            "locality_name": found.name,
            "work_gpci": str(found.work),
            "pe_gpci": str(found.practice_expense),
            "malpractice_gpci": str(found.malpractice),
            "release": release,
            **dated(first_day, citation),
        }
        for found in file.localities
    ]
    figures = ("mac", "state", "locality", "work_gpci", "pe_gpci", "malpractice_gpci", "effective_from")
    loaded = existing.of(GPCIS, release=release)
    if loaded:
        if {tuple(row[name] for name in figures) for row in loaded} != {tuple(row[name] for name in figures) for row in wanted}:
            raise HouseError(
                f"{file.path}: the localities of {release} are loaded already, with other figures or another first day; "
                "a revision comes with its revised PPRRVU file, a change inside the year under its own release; nothing was written"
            )
        loading.notices.append(f"{release}: the localities are loaded already")
        wanted = []
    add_rows(existing, loading, GPCIS, wanted)
