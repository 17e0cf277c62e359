"""What the files of a fee release add to the dated seeds.

Dating (rules.md A7: values of the newest release for the service date's year). A release's rows hold from `effective_from`, by default 1 January, to
31 December of its year. Nothing that is there already is changed or closed: releases lie side by side, and `int_prices` takes for a service date the
newest release whose dates hold it. So a later quarter prices its whole year, an older one loaded late prices nothing, and a release that the law starts
inside the year (`effective_from`) leaves the days before as they were. Only a conversion factor that differs from its quarter's needs that day said: the
law has changed it inside a year and for a whole one, and no file tells which. A code that a newer release no longer lists keeps its older price. A file
must price what the rules claim in its quarter; what of the year stays without a price is said.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from orchestration.house import HouseError
from orchestration.macros import project_macros
from orchestration.rules.fee_files import IndexFile, ValueFile, read_fee_file
from orchestration.rules.seeds import SEEDS, Row, codes_of_rules, read_seed, seed_text

REFERENCE = "reference"
RVUS, GPCIS, FACTORS, FILES = "rule_rvus", "rule_gpcis", "rule_conversion_factors", "rule_fee_files"
_ORDER = {
    RVUS: ("procedure_code", "release", "effective_from"),
    GPCIS: ("mac", "locality", "state", "effective_from", "release"),
    FACTORS: ("qualifying_apm_participant", "effective_from", "release"),
    FILES: ("effective_from", "release", "kind", "file_name"),
}
_RELEASE = re.compile(r"RVU(\d{2})[A-D](R\d+)?")
TWO_FACTORS_SINCE = 2026  # MACRA: from then on qualifying participants of an advanced payment model have a factor of their own


@dataclass(frozen=True)
class AmountChange:
    """A national amount of one unit of a claimable code, in dollars, on the first of the service dates that it holds for; None: no price."""

    procedure_code: str
    service_date: date
    amount: str  # 'office', 'office, qualifying participant' or 'facility'
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True)
class LocalityChange:
    """What one unit of 99490 comes to in a locality, in dollars, on the first of the service dates that it holds for."""

    mac: str
    state: str
    locality: str
    service_date: date
    before: Decimal | None
    after: Decimal | None


@dataclass
class Loading:
    """What would be written: rows to add by seed, what they change, and what a person should know. `texts` are the whole seeds with the additions."""

    releases: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    additions: dict[str, list[Row]] = field(default_factory=lambda: {seed: [] for seed in _ORDER})
    notices: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)  # what of the files' years has no price with these rows either
    amounts: list[AmountChange] = field(default_factory=list)
    localities: list[LocalityChange] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(self.additions.values())


class _Seeds:
    """The fee seeds of a folder, with the additions so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = {seed: read_seed(folder / REFERENCE / f"{seed}.csv") for seed in _ORDER}
        self.before = {seed: list(rows) for seed, rows in self.rows.items()}
        described = yaml.safe_load((folder / REFERENCE / "_reference.yml").read_text(encoding="utf-8"))
        self.types: dict[str, dict[str, str]] = {
            seed["name"]: seed["config"]["column_types"] for seed in described["seeds"] if seed["name"] in _ORDER
        }

    def of(self, seed: str, **wanted: str) -> list[Row]:
        return [row for row in self.rows[seed] if all(row[name] == value for name, value in wanted.items())]

    def text(self, seed: str) -> str:
        rows = sorted(self.rows[seed], key=lambda row: tuple(row[name] for name in _ORDER[seed]))
        return seed_text(self.types[seed], rows)


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
    existing = _Seeds(seeds)
    loading = Loading()
    read = [read_fee_file(path) for path in paths]
    by_hash: dict[str, Path] = {}
    for file in read:
        if file.sha256 in by_hash:
            raise HouseError(
                f"{file.path}: has the same content as {by_hash[file.sha256]}; give each file once; nothing was written"
            )
        by_hash[file.sha256] = file.path
    pairs = _pairs([file for file in read if isinstance(file, ValueFile)])
    indices = [file for file in read if isinstance(file, IndexFile)]
    if release is not None and not _RELEASE.fullmatch(release):
        raise HouseError(f"--release {release!r}: write it as RVU<yy><A-D>, such as RVU26C")

    names: dict[int, list[str]] = defaultdict(list)
    for plain, qualifying in pairs:
        first_day = _first_day(plain.path, plain.year, effective_from)
        name = _add_values(existing, loading, plain, qualifying, first_day, effective_from is not None)
        _add_factor(existing, loading, plain, False, name, first_day, effective_from is not None)
        _add_factor(existing, loading, qualifying, True, name, first_day, effective_from is not None)
        names[plain.year].append(name)
        loading.releases.append(name)
        for kind, file in [("relative_values", plain)] + (
            [("relative_values_qualifying", qualifying)] if qualifying is not plain else []
        ):
            _add_file(existing, loading, file.path, file.sha256, kind, name, file.released_on, file.rows_read, first_day)
    for index in indices:
        first_day = _first_day(index.path, index.year, effective_from)
        name = _release_of_indices(index, names[index.year], release)
        _add_indices(existing, loading, index, name, first_day, localities)
        if name not in loading.releases:
            loading.releases.append(name)
        _add_file(existing, loading, index.path, index.sha256, "gpcis", name, None, len(index.localities), first_day)

    years = {file.year for file in read}
    loading.lacks = [lack for year in sorted(years) for lack in _lacks(existing, year)]
    loading.amounts, loading.localities = _changes(existing, years)
    loading.texts = {seed: existing.text(seed) for seed in _ORDER}
    return loading


def _first_day(path: Path, year: int, effective_from: date | None) -> date:
    if effective_from is None:
        return date(year, 1, 1)
    if effective_from.year != year:
        raise HouseError(
            f"--effective-from {effective_from}: {path} is of {year}, so its first service date must lie in {year}; nothing was written"
        )
    return effective_from


def _pairs(files: list[ValueFile]) -> list[tuple[ValueFile, ValueFile]]:
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


def _add(existing: _Seeds, loading: Loading, seed: str, rows: Iterable[Row]) -> None:
    added = list(rows)
    existing.rows[seed] += added
    loading.additions[seed] += added


def _dated(first_day: date, citation: str) -> Row:
    return {
        "effective_from": first_day.isoformat(),
        "effective_to": date(first_day.year, 12, 31).isoformat(),
        "confidence": "source",
        "citation": citation,
    }


def _citation(path: Path, release: str) -> str:
    return f"CMS {path.stem} ({release})"


_FIGURES = ("status_code", "work_rvu", "nonfacility_pe_rvu", "facility_pe_rvu", "malpractice_rvu")


def _add_values(existing: _Seeds, loading: Loading, file: ValueFile, qualifying: ValueFile, first_day: date, is_dated: bool) -> str:
    """Adds the codes that the rules use; returns the name of the release, with R1, R2, ... for a revision of one that is loaded."""
    quarter = _quarter(file, first_day)
    missing = sorted(_claimable(existing.folder, *quarter) - file.values.keys())
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
    for code in sorted(_claimable(existing.folder, first_day, date(file.year, 12, 31)) & added.keys()):
        if added[code]["status_code"] != "A":
            loading.notices.append(
                f"{name}: {code} has status {added[code]['status_code']}, not A: Medicare may not pay it; see the rule of this code"
            )
    citation = _citation(file.path, name)
    _add(existing, loading, RVUS, ({"release": name, **row, **_dated(first_day, citation)} for row in added.values()))
    return name


def _release_of_values(
    existing: _Seeds, loading: Loading, file: ValueFile, wanted: dict[str, Row], first_day: date, is_new_factor: bool
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


def _tell_what_ends(existing: _Seeds, loading: Loading, file: ValueFile, name: str) -> None:
    """Notices about a new release: that a newer one is loaded already, or which priced codes it no longer lists."""
    of_year = [row for row in existing.rows[RVUS] if _holds(row, date(file.year, 12, 31).isoformat())]
    newest = max((row["release"] for row in of_year), default="")
    if newest > name:
        loading.notices.append(f"{name}: older than {newest}, which is loaded; its rows price nothing that {newest} prices")
        return
    gone = sorted({row["procedure_code"] for row in of_year} - file.values.keys())
    if gone:
        loading.notices.append(f"{name}: no longer lists {', '.join(gone)}; their older price stands, see whether they have ended")


def _holds(row: Mapping[str, str], day: str) -> bool:
    return row["effective_from"] <= day <= (row["effective_to"] or "9999-12-31")


def _claimable(folder: Path, since: date, until: date) -> set[str]:
    """Codes that a rule can claim on some day of these."""
    return {row["procedure_code"] for row in _claiming(folder) if _touches(row, since, until)}


def _claiming(folder: Path) -> list[Row]:
    rules = folder / "rules"
    return [*read_seed(rules / "rule_bands.csv"), *read_seed(rules / "rule_apcm_levels.csv")]


def _touches(row: Mapping[str, str], since: date, until: date) -> bool:
    return row["effective_from"] <= until.isoformat() and since.isoformat() <= (row["effective_to"] or "9999-12-31")


def _quarter(file: ValueFile, first_day: date) -> tuple[date, date]:
    """The first and the last day of the file's quarter, or of what is left of it: CMS lists a code from the quarter on in which it begins, until it ends."""
    month = 3 * "ABCD".index(file.quarter) + 1
    last_day = date(file.year + month // 10, (month + 3) % 12, 1) - timedelta(days=1)
    since = max(first_day, date(file.year, month, 1))
    return since, max(since, last_day)


def _lacks(existing: _Seeds, year: int) -> list[str]:
    """What of a year has no price: days without relative values, factor or localities at all, and codes of the rules."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    found = []
    since: dict[str, str] = {}
    for seed, files in ((RVUS, "PPRRVU files"), (GPCIS, "GPCI file"), (FACTORS, "PPRRVU files")):
        since[seed] = min((row["effective_from"] for row in existing.rows[seed] if _touches(row, first, last)), default="")
        if not since[seed]:
            found.append(f"{year}: no row of {seed} yet, so nothing of the year has a price; load the {files} of {year} too")
        elif since[seed] > first.isoformat():
            found.append(
                f"{year}: no row of {seed} before {since[seed]}, so no earlier service date has a price; load the {files} of then too"
            )
    if since[RVUS]:
        begins: dict[str, str] = {}
        for row in _claiming(existing.folder):
            if _touches(row, first, last):
                begin = max(row["effective_from"], since[RVUS])
                begins[row["procedure_code"]] = min(begin, begins.get(row["procedure_code"], begin))
        for code, begin in sorted(begins.items()):
            if not any(_holds(row, begin) for row in existing.of(RVUS, procedure_code=code)):
                found.append(
                    f"{year}: {code} has no price on {begin}, from when on the rules claim it; load the release that lists it"
                )
    return found


def _is_new_factor(existing: _Seeds, file: ValueFile, is_qualifying: bool, first_day: date, is_dated: bool) -> bool:
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
    on_day = [row for row in rows if _holds(row, day)]
    return max(on_day, key=lambda row: (row["release"], row["effective_from"]))["conversion_factor"] if on_day else None


def _factors(existing: _Seeds, year: int, is_qualifying: bool) -> list[Row]:
    rows = existing.of(FACTORS, qualifying_apm_participant=str(is_qualifying).lower())
    return [row for row in rows if row["effective_from"][:4] == str(year)]


def _add_factor(
    existing: _Seeds, loading: Loading, file: ValueFile, is_qualifying: bool, release: str, first_day: date, is_dated: bool
) -> None:
    """Adds a conversion factor that is not that of its quarter yet, or not that of its first day."""
    if not _is_new_factor(existing, file, is_qualifying, first_day, is_dated):
        return
    factor = str(file.conversion_factor)
    of_year = _factors(existing, file.year, is_qualifying)
    if any(row["release"] == release or (row["release"] > release and _holds(row, first_day.isoformat())) for row in of_year):
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
    _add(existing, loading, FACTORS, [{**row, **_dated(first_day, _citation(file.path, release))}])


def _release_of_indices(file: IndexFile, of_year: list[str], release: str | None) -> str:
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


def _add_indices(existing: _Seeds, loading: Loading, file: IndexFile, release: str, first_day: date, expected: int | None) -> None:
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
    citation = _citation(file.path, release) + (", work floor 1.0" if file.has_work_floor else ", no work floor")
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
            **_dated(first_day, citation),
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
    _add(existing, loading, GPCIS, wanted)


def _add_file(
    existing: _Seeds,
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
    _add(existing, loading, FILES, [{**row, **_dated(first_day, _citation(path, release))}])


_CHANGED_AMOUNTS = """
{%- from 'fees.sql' import newest_release, unit_amount with context -%}
with codes_on as (select distinct codes.procedure_code, days.service_date from codes cross join days),
participation_on as (
    select both_kinds.qualifying_apm_participant, days.service_date
    from days cross join (values (false), (true)) as both_kinds (qualifying_apm_participant)
),
rvus as ({{ newest_release('rule_rvus', 'codes_on', ['procedure_code']) }}),
factors as ({{ newest_release('rule_conversion_factors', 'participation_on', ['qualifying_apm_participant']) }})
select rvus.procedure_code, rvus.service_date,
    case when factors.qualifying_apm_participant then 'office, qualifying participant' else 'office' end as amount,
    {{ unit_amount('rvus.nonfacility_pe_rvu') }} as dollars
from rvus inner join factors using (service_date)
union all
select rvus.procedure_code, rvus.service_date, 'facility', {{ unit_amount('rvus.facility_pe_rvu') }}
from rvus inner join factors using (service_date) where not factors.qualifying_apm_participant
"""

_CHANGED_LOCALITIES = """
{%- from 'fees.sql' import newest_release, unit_amount with context -%}
{%- from 'programs.sql' import base_codes with context -%}
with codes_on as (
    select base.procedure_code, days.service_date
    from days inner join ({{ base_codes() }}) as base on days.service_date between base.effective_from and base.effective_to
),
participation_on as (select false as qualifying_apm_participant, days.service_date from days),
localities_on as (
    select distinct known.mac, known.state, known.locality, days.service_date
    from {{ ref('rule_gpcis') }} as known cross join days
),
rvus as ({{ newest_release('rule_rvus', 'codes_on', ['procedure_code']) }}),
gpcis as ({{ newest_release('rule_gpcis', 'localities_on', ['mac', 'state', 'locality']) }}),
factors as ({{ newest_release('rule_conversion_factors', 'participation_on', ['qualifying_apm_participant']) }})
select gpcis.mac, gpcis.state, gpcis.locality, gpcis.service_date, {{ unit_amount('rvus.nonfacility_pe_rvu', '1', 'gpcis') }} as dollars
from gpcis inner join rvus using (service_date) inner join factors using (service_date)
"""


def _changes(seeds: _Seeds, years: set[int]) -> tuple[list[AmountChange], list[LocalityChange]]:
    """Amounts of the claimable codes before and after, on every day of the years on which some price may begin."""
    codes = sorted({code for year in years for code in _claimable(seeds.folder, date(year, 1, 1), date(year, 12, 31))})
    begins = {row["effective_from"] for seed in (RVUS, GPCIS, FACTORS) for row in seeds.rows[seed]}
    days = sorted({f"{year}-01-01" for year in years} | {day for day in begins if int(day[:4]) in years})
    with duckdb.connect() as con:
        con.register("given_codes", pa.table({"procedure_code": codes}))
        con.register("given_days", pa.table({"service_date": days}))
        con.execute("create table codes as from given_codes")
        con.execute("create table days as select cast(service_date as date) as service_date from given_days")
        for schema, rows_of in (("before", seeds.before), ("after", seeds.rows)):
            con.execute(f"create schema {schema}")
            for rule in ("rule_bands", "rule_programs"):
                dates = ", ".join(f"cast({name} as date) as {name}" for name in ("effective_from", "effective_to"))
                con.execute(
                    f"create table {schema}.{rule} as select * replace ({dates}) from read_csv(?, header = true, all_varchar = true)",
                    [str(seeds.folder / "rules" / f"{rule}.csv")],
                )
            for seed in (RVUS, GPCIS, FACTORS):
                con.register(
                    "given", pa.Table.from_pylist(rows_of[seed], schema=pa.schema([(c, pa.string()) for c in seeds.types[seed]]))
                )
                columns = ", ".join(f"cast(nullif({name}, '') as {kind}) as {name}" for name, kind in seeds.types[seed].items())
                con.execute(f"create table {schema}.{seed} as select {columns} from given")
                con.unregister("given")

        def compared(query: str, key: str) -> list[tuple[Any, ...]]:
            before, after = (project_macros(schema).from_string(query).render() for schema in ("before", "after"))
            return con.execute(
                f"select {key}, before.dollars, after.dollars from ({before}) as before full join ({after}) as after using ({key}) "
                f"where before.dollars is distinct from after.dollars order by {key}"
            ).fetchall()

        amounts = [AmountChange(*row) for row in compared(_CHANGED_AMOUNTS, "procedure_code, service_date, amount")]
        localities = [LocalityChange(*row) for row in compared(_CHANGED_LOCALITIES, "mac, state, locality, service_date")]
    return amounts, localities


def write_seeds(loading: Loading, folder: Path) -> list[Path]:
    """Writes the seeds that got rows into a folder: all of them are written aside first, so that a full disk leaves the old ones."""
    written: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for seed, rows in loading.additions.items():
            final = folder / f"{seed}.csv"
            if not rows and final.exists():
                continue
            scratch = folder / f".{seed}.{os.getpid()}.tmp"
            written.append((scratch, final))
            scratch.write_text(loading.texts[seed], encoding="ascii")
            scratch.chmod(final.stat().st_mode & 0o777 if final.exists() else 0o644)
        for scratch, final in written:
            scratch.replace(final)
    except OSError as error:
        raise HouseError(
            f"{folder}: the seeds cannot be written ({error.strerror}); nothing was changed unless said above"
        ) from None
    finally:
        for scratch, _ in written:
            scratch.unlink(missing_ok=True)
    return [final for _, final in written]
