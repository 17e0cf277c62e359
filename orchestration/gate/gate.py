"""The gate between the checked marts and the claim file: per practice, may this month close, and if not, why not.

It only reads. "Today" is the practice's newest night (interface.md section 6), never the machine's clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from orchestration.close.transitions import unlike_the_record
from orchestration.close.versions import why_lost
from orchestration.contracts import optional_tables
from orchestration.engine import open_warehouse
from orchestration.gate import verdicts
from orchestration.house import House
from orchestration.practices import Practice, load_practices, next_month
from orchestration.transform.closes import packets_lost


@dataclass(frozen=True)
class Ruling:
    """One practice's month: open to close when there is no refusal."""

    practice_id: str
    month: date
    refusals: tuple[str, ...]

    @property
    def may_close(self) -> bool:
        return not self.refusals


def rule_on(house: House, practice: Practice, month: date, build_inputs: str) -> Ruling:
    """Every reason against closing `month` (its first day) for this practice.

    `build_inputs` is the fingerprint of the present inputs; a warehouse or verdict of other inputs is no ground to close on.
    """
    return rule_on_all(house, [practice], month, build_inputs)[0]


def rule_on_all(house: House, practices: Sequence[Practice], month: date, build_inputs: str) -> list[Ruling]:
    """`rule_on` for each of these practices, in their order. Verdicts and warehouse are opened once and asked about all of them together."""
    judged, lost = _judged(house, build_inputs), _Lost(house)
    seen = None
    if house.warehouse.exists():
        with open_warehouse(house) as warehouse:
            seen = _seen(warehouse, [practice.practice_id for practice in practices], month)
    rulings = []
    for practice in practices:
        refusals = [
            *refused_by_configuration(practice),
            *_by_packets(house, lost, practice, month),
            *_by_verdicts(judged, practice),
        ]
        if seen is None:
            # A restored home has the verdicts on its data but no warehouse: nothing tells what they were passed on.
            refusals.append(f"{house.warehouse.name} is not there; run `ccm nightly`, then close again")
        else:
            refusals += [*_by_completeness(seen, practice, month), *_by_holds(seen.holds, practice)]
        rulings.append(Ruling(practice.practice_id, month, tuple(refusals)))
    return rulings


_OF_THESE = "practice_id in (select unnest($names::varchar[]))"


@dataclass(frozen=True)
class _Seen:
    """What the warehouse has of the practices that are asked about, by practice."""

    newest_nights: dict[str, date]
    with_month: frozenset[str]  # the month is one of their extracts'
    newest_files: dict[str, list[tuple[Any, ...]]]  # table, newest night of a file in force
    holds: dict[str, list[tuple[Any, ...]]]


def _seen(warehouse: duckdb.DuckDBPyConnection, names: Sequence[str], month: date) -> _Seen:
    def rows(sql: str, **more: Any) -> list[tuple[Any, ...]]:
        return warehouse.execute(sql, {"names": names, **more}).fetchall()

    # In force, not only accepted: a patients file without a good row leaves the panel of before standing.
    files = rows(
        f"""
        select practice_id, table_name, max(case when is_in_force then extract_date end)
        from staging.stg_files where {_OF_THESE}
        group by practice_id, table_name order by practice_id, table_name
        """
    )
    nights = rows(f"select practice_id, newest_night from staging.stg_practices where {_OF_THESE}")
    months = rows(f"select practice_id from intermediate.int_months where {_OF_THESE} and month = $month", month=month)
    return _Seen(dict(nights), frozenset(name for (name,) in months), _by_practice(files), _holds(warehouse, names, month))


def _holds(warehouse: duckdb.DuckDBPyConnection, names: Sequence[str], month: date) -> dict[str, list[tuple[Any, ...]]]:
    if not warehouse.execute("select 1 from duckdb_tables() where schema_name = 'marts' and table_name = 'close_holds'").fetchall():
        return {}  # built by an earlier version: its verdict is not of the present project, which refuses by itself
    return _by_practice(
        warehouse.execute(
            f"""
            select practice_id, kind, table_name, extract_date, measure, explanation, is_acceptable from marts.close_holds
            where {_OF_THESE} and holds_what = 'practice' and not is_accepted and (last_month_held is null or last_month_held >= $month)
            order by practice_id, kind desc, extract_date, table_name, measure, column_name
            """,
            {"names": names, "month": month},
        ).fetchall()
    )


def _by_practice(found: Sequence[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    kept: dict[str, list[tuple[Any, ...]]] = {}
    for name, *row in found:
        kept.setdefault(name, []).append(tuple(row))
    return kept


def refused_by_configuration(practice: Practice) -> list[str]:
    """Why no month of this practice can close as it is configured; empty where they can."""
    if practice.facility_type == "physician_office":
        return []
    return [
        f"facility_type is {practice.facility_type}: its services are billed on the institutional claim (837I), which is not written here"
    ]


class _Lost:
    """The packets of practices that are gone, damaged, or others than were closed; each practice is looked at once."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._known_as_lost = packets_lost(house)
        self._by_practice: dict[str, list[str]] = {}
        self._with_tax_id: dict[str, list[str]] = {}
        for other in load_practices(house.practices_yaml).values() if house.practices_yaml.exists() else ():
            self._with_tax_id.setdefault(other.tax_id, []).append(other.practice_id)

    def of(self, practice_id: str) -> list[str]:
        """`lakeside/2026-10/v1`, by name."""
        if practice_id not in self._by_practice:
            own = f"{practice_id}/"
            recorded = {own + name for name in unlike_the_record(self._house, practice_id)}
            self._by_practice[practice_id] = sorted(recorded.union(name for name in self._known_as_lost if name.startswith(own)))
        return self._by_practice[practice_id]

    def of_others(self, practice: Practice, month: date) -> list[str]:
        """Those of the month at the other practices of its tax id."""
        others = [name for name in self._with_tax_id.get(practice.tax_id, ()) if name != practice.practice_id]
        return [name for other in others for name in self.of(other) if name.startswith(f"{other}/{month:%Y-%m}/")]


def _by_packets(house: House, lost: _Lost, practice: Practice, month: date) -> list[str]:
    """Whom an earlier close claimed is known by its packet alone: without it the same months would go out a second time, also at another practice of the
    tax id that has the same beneficiary."""
    return [why_lost(house, name) for name in [*lost.of(practice.practice_id), *lost.of_others(practice, month)]]


def _judged(house: House, build_inputs: str) -> dict[verdicts.Source, verdicts.Verdict | None]:
    """The verdicts on the present data; null where there is none."""
    wanted: dict[verdicts.Source, str] = {"dbt": build_inputs, "great_expectations": verdicts.lake_fingerprint(house)}
    found = {source: verdicts.load(house, source) for source in wanted}
    return {
        source: verdict if verdict is not None and verdict.inputs == wanted[source] else None for source, verdict in found.items()
    }


def _by_verdicts(judged: dict[verdicts.Source, verdicts.Verdict | None], practice: Practice) -> list[str]:
    refusals = []
    for source, verdict in judged.items():
        if verdict is None:
            refusals.append(f"the checks of {source} have not judged the present data; run `ccm nightly`, then close again")
            continue
        for finding in verdict.findings:
            if finding.stops(practice.practice_id):
                refusals.append(f"check {finding.check} on {finding.asset} failed: {finding.detail or 'see Dagster'}")
    return refusals


def _by_completeness(seen: _Seen, practice: Practice, month: date) -> list[str]:
    month_end = next_month(month) - timedelta(days=1)
    newest_night = seen.newest_nights.get(practice.practice_id)
    if newest_night is None:
        return ["no night of this practice has been taken in"]
    refusals = []
    if practice.practice_id not in seen.with_month:
        refusals.append(f"{month:%Y-%m} is none of the months of its extracts")
    if newest_night < practice.first_close_day(month):
        refusals.append(
            f"the newest night is {newest_night}; {month:%Y-%m} may close from {practice.first_close_day(month)} on (close.first_day)"
        )
    for table, newest in seen.newest_files.get(practice.practice_id, ()):
        if table not in optional_tables() and (newest is None or newest <= month_end):
            refusals.append(
                f"{table}: the newest accepted file is {'missing' if newest is None else f'of {newest}'}, not after {month_end}; land it and run `ccm nightly`"
            )
    return refusals


def _by_holds(holds: dict[str, list[tuple[Any, ...]]], practice: Practice) -> list[str]:
    """Files that stand rejected, and drift that may do harm: until mended, or accepted with `ccm accept`."""
    refusals = []
    for kind, table, night, measure, explanation, is_acceptable in holds.get(practice.practice_id, ()):
        accept = f"ccm accept --practice {practice.practice_id} --night {night} --table {table}"
        if kind == "rejected_file":
            instead = f", or accept its loss: `{accept} --by NAME --reason TEXT`" if is_acceptable else ""
            refusals.append(
                f"{table} of {night} stands rejected ({explanation}); land that night's file again and run `ccm nightly`{instead}"
            )
        else:
            refusals.append(
                f"{table} of {night}: {explanation} ({measure}); land the file as it should be and run `ccm nightly`, or if it is right: "
                f"`{accept} --measure {measure} --by NAME --reason TEXT`"
            )
    return refusals
