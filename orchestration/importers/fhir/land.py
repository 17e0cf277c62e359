"""`ccm import fhir`: a folder of FHIR R4 bulk exports as one landed night of a practice.

The folder is the whole state: a full export and the `_since` exports after it lie side by side in it, and every import reads all of them. What
no certified EHR exports (time, complexity of decisions, copies of care plans) comes from elsewhere, into the same night's folder.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration.contracts import extract_contracts
from orchestration.discretion import defect, told
from orchestration.engine import connect
from orchestration.house import House, HouseError, sync_folder
from orchestration.importers.fhir.bulk import Bulk, read_bulk
from orchestration.importers.fhir.extracts import EXTRACTS, judge, lacking, unmapped, used
from orchestration.importers.fhir.report import FhirReport, Resource
from orchestration.practices import Practice, load_practices
from orchestration.sql import literal
from orchestration.take_in.landing import FIRST_NIGHT, LAST_NIGHT
from orchestration.take_in.scratch import MEMORY, MEMORY_UNLESS_SAID

_THREADS = 4  # each holds twice the longest line besides DuckDB's own memory
_SCRATCH = ".fhir.{}.tmp"

_ASSUMPTIONS = (
    "coverage that only says Medicare is Part A and Part B; eligibility answers (271) put right what is not so",
    "a physician whose degree is not said is an MD",
    "a care plan with a category or title of its own is the comprehensive care plan; US Core's assess-plan alone is not",
    "a consent is written where the resource has its source, else verbal; it is documented where it has its source or a verification",
    "a Communication about care management that has no coded outcome is a message left",
    "SNOMED CT to ICD-10-CM by rule_snomed_to_icd10cm.csv, where a condition has no ICD-10-CM code: own curation, not a coder's work",
    "a stay in a skilled nursing facility is a Medicare Part A stay",
)


def import_fhir(
    source: Path,
    house: House,
    *,
    practice_id: str | None = None,
    night: date | None = None,
    organizations: Sequence[str] = (),
    replace: bool = False,
) -> FhirReport:
    """Lands every export below `source` as the tables of one night; returns what was and what was not used.

    `practice_id`: of practices.yaml; not needed where it has one practice. `night`: unless said the day of the newest export in the practice's
    time zone. `organizations`: ids of the Organizations that are the practice, where neither NPI nor tax id tells. `replace`: write over files
    of that night that have other content. The same folder gives the same bytes. Raises HouseError for what a user can mend; then nothing is landed.
    """
    practice = _practice(house, practice_id)
    if house.landing_url is not None:
        raise HouseError("CCM_LANDING is object storage; import into a landing folder on disk and copy the night's folder there")
    house.prepare()
    with house.lock("import"):
        for left in house.landing.glob(_SCRATCH.format("*")):
            shutil.rmtree(left, ignore_errors=True)
        scratch, spill = house.landing / _SCRATCH.format(os.getpid()), house.state / f".fhir.{os.getpid()}.tmp"
        scratch.mkdir(mode=0o700)
        try:
            with _engine(house, spill) as connection:
                bulk = read_bulk(source, connection, practice.time_zone)
                night, as_of = _night(bulk, practice, night)
                unknown = sorted(set(organizations) - _organization_ids(bulk))
                if unknown:
                    raise HouseError(f"--organization {unknown[0]}: no Organization of the export has this id")
                judge(bulk, practice, night, as_of, organizations)
                report = FhirReport(str(source), practice.practice_id, night, len(bulk.exports))
                report.rows = _write(bulk, scratch)
                _count(bulk, report)
            report.was_there = _place(scratch, house.landing / practice.practice_id / night.isoformat(), replace)
        except duckdb.Error as error:  # its text may quote a patient's values
            if not isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
                raise HouseError(f"{source}: nothing was landed: {defect(house, 'import fhir', error)}") from None
            raise HouseError(
                f"{source}: the export could not be worked through: {told(error)}; check free disk and memory ({MEMORY}), run again"
            ) from None
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(spill, ignore_errors=True)
    return report


def _practice(house: House, practice_id: str | None) -> Practice:
    practices = load_practices(house.practices_yaml)
    if practice_id is None and len(practices) == 1:
        return next(iter(practices.values()))
    if practice_id not in practices:
        known = ", ".join(practices)
        raise HouseError(f"--practice {practice_id or '(not given)'}: say whose export it is, one of {known}")
    return practices[practice_id]


def _engine(house: House, spill: Path) -> duckdb.DuckDBPyConnection:
    memory = os.environ.get(MEMORY) or MEMORY_UNLESS_SAID
    try:
        return connect(
            house,
            {
                "memory_limit": memory,
                "temp_directory": str(spill),
                "threads": min(_THREADS, os.cpu_count() or 1),
                # lines have no order that counts, and keeping it costs memory
                "preserve_insertion_order": False,
            },
        )
    except duckdb.Error:
        raise HouseError(f"{MEMORY}={memory!r}: no size that DuckDB knows; write it like 1GB or 800MB") from None


def _night(bulk: Bulk, practice: Practice, asked: date | None) -> tuple[date, datetime]:
    zone = ZoneInfo(practice.time_zone)
    if bulk.as_of is None and asked is None:
        raise HouseError(
            f"{bulk.folder}: neither a manifest (transactionTime) nor a meta.lastUpdated says of when it is; say it with --date"
        )
    night = asked or bulk.as_of.astimezone(zone).date()  # type: ignore[union-attr]
    if not FIRST_NIGHT <= night <= LAST_NIGHT:
        raise HouseError(f"--date {night}: a night is from {FIRST_NIGHT} to {LAST_NIGHT}")
    return night, bulk.as_of or datetime.combine(night, time(), zone).astimezone(UTC)


def _organization_ids(bulk: Bulk) -> set[str]:
    return {row[0] for row in bulk.connection.execute("select id from Organization where not is_deleted").fetchall()}


def _write(bulk: Bulk, folder: Path) -> dict[str, int]:
    """One CSV file for each table of which the export has a resource; a type that is not exported says nothing about its table."""
    rows = {}
    for table, contract in extract_contracts().items():
        if table not in EXTRACTS:
            continue
        needed, sql = EXTRACTS[table]
        if not bulk.present.intersection(needed):
            continue
        path = folder / f"{table}.csv"
        wanted = ", ".join(f'"{column}"' for column in contract.names)
        # order by in a subquery is not kept by itself: threads write as they finish
        bulk.connection.execute("set preserve_insertion_order = true")
        written = bulk.connection.execute(
            f"copy (select {wanted} from ({sql})) to {literal(path)} (format csv, header, delimiter ',', nullstr '')"
        ).fetchall()
        bulk.connection.execute("set preserve_insertion_order = false")
        path.chmod(0o600)
        rows[table] = int(written[0][0])
    return rows


def _count(bulk: Bulk, report: FhirReport) -> None:
    for name, (deleted, kept) in used(bulk.connection).items():
        lines, older = bulk.counts[name]
        if lines:
            report.resources[name] = Resource(lines, older, deleted, kept)
    report.unmapped = [*bulk.nameless, *unmapped(bulk.connection)]
    report.lacking = [*lacking(bulk.connection), *bulk.not_read]
    report.assumptions = list(_ASSUMPTIONS)
    if not bulk.connection.execute("select has_own()").fetchall()[0][0]:
        report.assumptions.append(
            "no Organization of the export has the practice's NPI or tax id (and --organization names none): all of it is taken as the practice's own"
        )
    if "Condition" in bulk.present and not bulk.connection.execute("select getvariable('has_problem_list')").fetchall()[0][0]:
        report.assumptions.append(
            "no Condition of the export has the category problem-list-item: all of them are on the problem list, diagnoses of a visit too"
        )
    absent = sorted({name for needed, _ in EXTRACTS.values() for name in needed} - bulk.present)
    if absent:
        report.assumptions.append(f"not in the export, so that nothing is said of it: {', '.join(absent)}")


def _place(scratch: Path, night: Path, replace: bool) -> bool:
    """Moves the files to their night; True when all of them were there already. What came from elsewhere is written over only where asked."""
    if not night.exists():
        night.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.rename(night)
        sync_folder(night.parent)
        return False
    files = sorted(scratch.iterdir())
    other = [path for form in ("csv.gz", "parquet") for file in files if (path := night / f"{file.stem}.{form}").exists()]
    changed = [file for file in files if not ((night / file.name).exists() and filecmp.cmp(file, night / file.name, shallow=False))]
    taken = [*other, *(night / file.name for file in changed if (night / file.name).exists())]
    if other or (taken and not replace):
        raise HouseError(
            f"{taken[0]}: is there already with other content; import with --replace if it came from an earlier import, "
            "or choose another --date: nothing was landed"
        )
    for file in changed:
        file.replace(night / file.name)
    sync_folder(night)
    return not changed
