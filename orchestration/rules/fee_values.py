"""What the PPRRVU files of a release add: relative values of the codes that the rules use, and conversion factors."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta

from orchestration.house import HouseError
from orchestration.rules.fee_files import ValueFile
from orchestration.rules.fee_rows import FACTORS, RVUS, FeeSeeds, Loading, add_rows, citation_of, claimable_codes, dated, holds
from orchestration.rules.seeds import Row, codes_of_rules

TWO_FACTORS_SINCE = 2026  # MACRA: from then on qualifying participants of an advanced payment model have a factor of their own


def pairs_of(files: list[ValueFile]) -> list[tuple[ValueFile, ValueFile]]:
    """Per release the file of those who are no qualifying participants and the one of those who are (before 2026 the same), oldest release first."""
    of_release: dict[tuple[int, str], list[ValueFile]] = defaultdict(list)
    for file in files:
        of_release[file.year, file.quarter].append(file)
    pairs = []
    for (year, _), group in sorted(of_release.items()):
        if year < TWO_FACTORS_SINCE:
            if len(group) != 1:
                raise HouseError(
                    f"{group[1].path}: {group[0].release} has one PPRRVU file, {group[0].path} is given too; nothing was written"
                )
            pairs.append((group[0], group[0]))
            continue
        plain = [file for file in group if file.is_qualifying is False]
        qualifying = [file for file in group if file.is_qualifying is True]
        if len(group) != 2 or len(plain) != 1 or len(qualifying) != 1:
            raise HouseError(
                f"{group[0].path}: {group[0].release} comes as two files whose names end in _nonQPP and _QPP; give both, under CMS's names; "
                "nothing was written"
            )
        _agree(plain[0], qualifying[0])
        pairs.append((plain[0], qualifying[0]))
    return pairs


def _agree(plain: ValueFile, qualifying: ValueFile) -> None:
    """The two files of a release differ in nothing but the conversion factor."""
    next_step = f"take both files anew from the zip of {plain.release}; nothing was written"
    if plain.released_on != qualifying.released_on:
        raise HouseError(
            f"{qualifying.path}: RELEASED {qualifying.released_on}, but {plain.path} was RELEASED {plain.released_on}; {next_step}"
        )
    for code, modifier in sorted(plain.figures.keys() | qualifying.figures.keys()):
        if plain.figures.get((code, modifier)) != qualifying.figures.get((code, modifier)):
            raise HouseError(
                f"{qualifying.path}: {code} {modifier}".rstrip()
                + f" is not as in {plain.path}: the two files of a release have the same status and RVUs; {next_step}"
            )
    if qualifying.conversion_factor < plain.conversion_factor:
        raise HouseError(
            f"{qualifying.path}: column CONV FACTOR: {qualifying.conversion_factor} is less than the {plain.conversion_factor} of {plain.path}; "
            f"qualifying participants have the higher factor, so the names are swapped; {next_step}"
        )


_FIGURES = ("status_code", "work_rvu", "nonfacility_pe_rvu", "facility_pe_rvu", "malpractice_rvu")


def add_values(
    existing: FeeSeeds, loading: Loading, file: ValueFile, qualifying: ValueFile, first_day: date, is_dated: bool
) -> str:
    """Adds the codes that the rules use; returns the name of the release, with R1, R2, ... for a revision of one that is loaded."""
    quarter = _quarter(file, first_day)
    missing = sorted(claimable_codes(existing.folder, *quarter) - file.values.keys())
    if missing:
        raise HouseError(
            f"{file.path}: has no row for {', '.join(missing)}, which the rules claim from {quarter[0]} to {quarter[1]}: the file may be cut off "
            f"({file.rows_read} rows read); take it anew from the zip of {file.release}, or where CMS has ended a code, end its rules first; "
            "nothing was written"
        )
    known = codes_of_rules(existing.folder)
    wanted = {
        code: {
            "procedure_code": code,
            "released_on": file.released_on.isoformat(),
            "status_code": values.status_code,
            "work_rvu": str(values.work),
            "nonfacility_pe_rvu": str(values.nonfacility_pe),
            "facility_pe_rvu": str(values.facility_pe),
            "malpractice_rvu": str(values.malpractice),
        }
        for code, values in file.values.items()
        if code in known
    }
    is_new_factor = any(_is_new_factor(existing, one, one is not file, first_day, is_dated) for one in (file, qualifying))
    name = _release_of_values(existing, loading, file, wanted, first_day, is_new_factor)
    loaded = {row["procedure_code"] for row in existing.of(RVUS, release=name)}
    added = {code: row for code, row in sorted(wanted.items()) if code not in loaded}
    if loaded:
        loading.notices.append(f"{name}: is loaded already; the file has {len(added)} further codes of the rules")
    else:
        _tell_what_ends(existing, loading, file, name)
    for code in sorted(claimable_codes(existing.folder, first_day, date(file.year, 12, 31)) & added.keys()):
        if added[code]["status_code"] != "A":
            loading.notices.append(
                f"{name}: {code} has status {added[code]['status_code']}, not A: Medicare may not pay it; see the rule of this code"
            )
    citation = citation_of(file.path, name)
    add_rows(existing, loading, RVUS, ({"release": name, **row, **dated(first_day, citation)} for row in added.values()))
    return name


def _release_of_values(
    existing: FeeSeeds, loading: Loading, file: ValueFile, wanted: dict[str, Row], first_day: date, is_new_factor: bool
) -> str:
    """The file's release; where that is loaded with other figures or another factor and the file is a later revision of it, the next revision."""
    revisions = sorted(
        {row["release"] for row in existing.rows[RVUS] if re.fullmatch(rf"{file.release}(R\d+)?", row["release"])},
        key=lambda r: (len(r), r),
    )
    if not revisions:
        return file.release
    name = revisions[-1]
    loaded = {row["procedure_code"]: row for row in existing.of(RVUS, release=name)}
    differing = [
        code for code in sorted(wanted.keys() & loaded.keys()) if any(wanted[code][f] != loaded[code][f] for f in _FIGURES)
    ]
    released_on = max(row["released_on"] for row in loaded.values())
    is_later = file.released_on.isoformat() > released_on
    if differing or (is_new_factor and is_later):
        if not is_later:
            raise HouseError(
                f"{file.path}: {differing[0]} is not what {name}, RELEASED {released_on}, is loaded with, and the file is no later revision "
                f"(RELEASED {file.released_on}); one of the two is not CMS's: compare it with the zip of {file.release}; nothing was written"
            )
        loading.notices.append(
            f"{file.release}: {file.path.name} is a revision of {name}; {len(differing)} codes differ"
            + ("; the conversion factor does" if is_new_factor else "")
        )
        return f"{file.release}R{len(revisions)}"
    begun = min(row["effective_from"] for row in loaded.values())
    if begun != first_day.isoformat():
        raise HouseError(
            f"{file.path}: {name} is loaded already, for service dates from {begun}; it cannot hold from {first_day} as well; nothing was written"
        )
    return name


def _tell_what_ends(existing: FeeSeeds, loading: Loading, file: ValueFile, name: str) -> None:
    """Notices about a new release: that a newer one is loaded already, or which priced codes it no longer lists."""
    of_year = [row for row in existing.rows[RVUS] if holds(row, date(file.year, 12, 31).isoformat())]
    newest = max((row["release"] for row in of_year), default="")
    if newest > name:
        loading.notices.append(f"{name}: older than {newest}, which is loaded; its rows price nothing that {newest} prices")
        return
    gone = sorted({row["procedure_code"] for row in of_year} - file.values.keys())
    if gone:
        loading.notices.append(f"{name}: no longer lists {', '.join(gone)}; their older price stands, see whether they have ended")


def _quarter(file: ValueFile, first_day: date) -> tuple[date, date]:
    """The first and the last day of the file's quarter, or of what is left of it: CMS lists a code from the quarter on in which it begins, until it ends."""
    month = 3 * "ABCD".index(file.quarter) + 1
    last_day = date(file.year + month // 10, (month + 3) % 12, 1) - timedelta(days=1)
    since = max(first_day, date(file.year, month, 1))
    return since, max(since, last_day)


def _is_new_factor(existing: FeeSeeds, file: ValueFile, is_qualifying: bool, first_day: date, is_dated: bool) -> bool:
    """Whether the file's conversion factor is not yet that of its first day, where that day was said, else of no day of its quarter, by
    the releases up to its own or up to a newer one: an older file that is loaded late changes nothing."""
    factor = str(file.conversion_factor)
    of_year = _factors(existing, file.year, is_qualifying)
    if is_dated:
        return _factor_on(of_year, first_day.isoformat()) != factor
    since, until = (day.isoformat() for day in _quarter(file, first_day))
    days = {since, *(row["effective_from"] for row in of_year if since <= row["effective_from"] <= until)}
    seen_from = {file.release, *(row["release"] for row in of_year if row["release"] > file.release)}
    known = ([row for row in of_year if row["release"] <= newest] for newest in seen_from)
    return all(_factor_on(rows, day) != factor for rows in known for day in days)


def _factor_on(rows: Iterable[Row], day: str) -> str | None:
    """The factor of a day: that of the newest of the releases that hold it, as macros/fees.sql takes it."""
    on_day = [row for row in rows if holds(row, day)]
    return max(on_day, key=lambda row: (row["release"], row["effective_from"]))["conversion_factor"] if on_day else None


def _factors(existing: FeeSeeds, year: int, is_qualifying: bool) -> list[Row]:
    rows = existing.of(FACTORS, qualifying_apm_participant=str(is_qualifying).lower())
    return [row for row in rows if row["effective_from"][:4] == str(year)]


def add_factor(
    existing: FeeSeeds, loading: Loading, file: ValueFile, is_qualifying: bool, release: str, first_day: date, is_dated: bool
) -> None:
    """Adds a conversion factor that is not that of its quarter yet, or not that of its first day."""
    if not _is_new_factor(existing, file, is_qualifying, first_day, is_dated):
        return
    factor = str(file.conversion_factor)
    of_year = _factors(existing, file.year, is_qualifying)
    if any(row["release"] == release or (row["release"] > release and holds(row, first_day.isoformat())) for row in of_year):
        raise HouseError(
            f"{file.path}: column CONV FACTOR: {file.year} has a factor of {max(row['release'] for row in of_year)}, which is not older than {release}; "
            "only a newer release or a revision RELEASED later can change it; nothing was written"
        )
    if not is_dated and any(row["release"] < release for row in of_year):
        newest = max(of_year, key=lambda row: row["effective_from"])
        raise HouseError(
            f"{file.path}: column CONV FACTOR: {factor} is not the factor of {file.year} ({newest['conversion_factor']}, {newest['citation']}); "
            "say from which service date it holds with --effective-from YYYY-MM-DD (1 January where the change is retroactive); nothing was written"
        )
    row = {"qualifying_apm_participant": str(is_qualifying).lower(), "conversion_factor": factor, "release": release}
    add_rows(existing, loading, FACTORS, [{**row, **dated(first_day, citation_of(file.path, release))}])
