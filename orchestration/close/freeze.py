"""What a close froze: this practice's rows, configuration and rules, in one file that is enough to make the packet again.

`inputs.zip` (stored, fixed dates, names in order, so that the same content is the same bytes) holds
  practice.json                       the practice's configuration, canonical JSON
  claimed_elsewhere.json              patient_id -> the earlier claim of the same beneficiary's month under this tax id
  lake/<table>.parquet                the rows in force that the month's decisions rest on, in the lake's form
  configuration/<table>.parquet       charges, rule version
  history.parquet                     this practice's earlier claims of the month, as int_claims__history had them
  rules/<seed>.parquet                every rule row that was loaded
  coverage_answers.parquet            what the payers' 271s say of its patients and still stands, where there is such
  accepted.json                       what somebody accepted that this close rests on, where there is such
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.close.held_months import holds_month
from orchestration.contracts import extract_contracts
from orchestration.practices import Practice, next_month

SNAPSHOTS = ("coverages", "conditions", "consents", "care_plans", "assessments", "stays")
# Time within so many days of the month can share a midnight or a visit's day with it.
MARGIN_DAYS = 2

# When a file was dropped is no part of what was in it.
_FILES = """
    select * exclude (is_usable, is_newest_version, is_in_force) replace (0 as mtime_ns, 0 as ctime_ns)
    from staging.stg_files where practice_id = ? order by extract_date, table_name, version
"""

# Of files that a mapping read. Where there is none, a packet is as it was before there were mappings.
_MAPPED = ["mapping", "mapping_sha256", "lines_read", "rows_filtered"]

# Of the snapshots: each patient's last row, and one presence in the month.
_PATIENTS = """
    select patients.*
    from staging.stg_patients as patients
    where practice_id = ?
    qualify
        row_number() over (partition by patient_id order by extract_date desc) = 1
        or (
            date_trunc('month', extract_date) = ?
            and row_number() over (partition by patient_id, date_trunc('month', extract_date) order by extract_date desc) = 1
        )
    order by patient_id, extract_date
"""
_QUARANTINED_PRESENCES = """
    select file_id, practice_id, extract_date, table_name, line_number, column_name, reason, patient_id
    from staging.stg_quarantine
    where practice_id = $practice and table_name = 'patients' and patient_id is not null and is_in_force
    qualify
        row_number() over (partition by patient_id order by extract_date desc, line_number) = 1
        or (
            date_trunc('month', extract_date) = $month
            and row_number() over (partition by patient_id, date_trunc('month', extract_date) order by extract_date desc, line_number) = 1
        )
    order by patient_id, extract_date, line_number
"""
# And what may hide a reason not to bill: the rows for which the close holds a claim. One of patients may be among the presences already.
_QUARANTINED_FACTS = f"""
    select file_id, practice_id, extract_date, table_name, line_number, column_name, 'in quarantine' as reason, patient_id
    from intermediate.int_quarantined_facts
    where
        practice_id = $practice
        and {holds_month()}
        and (file_id, line_number) not in (select (file_id, line_number) from ({_QUARANTINED_PRESENCES}))
    order by patient_id, table_name, extract_date, line_number
"""
_SNAPSHOT = """
    select facts.*
    from staging.stg_{table} as facts
    inner join intermediate.int_patients__current as patients
        on facts.practice_id = patients.practice_id and facts.patient_id = patients.patient_id
    inner join intermediate.int_panel__as_of as as_of
        on patients.practice_id = as_of.practice_id and as_of.table_name = '{table}' and patients.facts_night = as_of.facts_night
            and facts.extract_date = as_of.extract_date
    where facts.practice_id = ?
    order by facts.patient_id, facts.extract_date, facts.line_number
"""
# The last row of each member, and a row of each snapshot with which somebody was gone: it says when.
_CARE_TEAM = """
    select * from staging.stg_care_team where practice_id = $practice
    qualify
        row_number() over (partition by member_id order by extract_date desc) = 1
        or (
            row_number() over (partition by extract_date order by member_id) = 1
            and extract_date in (select gone_on from intermediate.int_members__current where practice_id = $practice)
        )
    order by member_id, extract_date
"""
# And those of the care team, of the snapshots of which a row is frozen: such a one may not say that somebody left.
_QUARANTINED_TEAM = f"""
    select file_id, practice_id, extract_date, 'care_team' as table_name, line_number, column_name, 'in quarantine' as reason, null as patient_id
    from intermediate.int_members__unread
    where practice_id = $practice and extract_date in (select extract_date from ({_CARE_TEAM}))
    order by extract_date, line_number
"""
# The keys of those of the time log, by which the entries are found that they may take back, and of the care team.
_LOG_KEYS = f"""
    select keys.file_id, keys.practice_id, keys.line_number, keys.row_key
    from intermediate.int_quarantined_rows__entries as keys
    inner join intermediate.int_quarantined_facts as facts on keys.file_id = facts.file_id and keys.line_number = facts.line_number
    where keys.practice_id = $practice and {holds_month()}
    order by facts.extract_date, keys.line_number
"""
_TEAM_KEYS = f"""
    select file_id, practice_id, line_number, member_id as row_key
    from intermediate.int_members__unread
    where member_id is not null and (file_id, line_number) in (select (file_id, line_number) from ({_QUARANTINED_TEAM}))
    order by extract_date, line_number
"""
_SERVICES = (
    "select * exclude (is_current, is_only) from staging.stg_services where practice_id = ? and is_current order by service_id"
)
# Contacts of the days around the month, and those of any day that nobody logged and that last into the month.
_APPOINTMENTS = """
    select * exclude (is_current, is_only) from staging.stg_appointments
    where
        practice_id = $practice and is_current
        and (
            cast(scheduled_start as date) between $first and $last
            or appointment_id in (
                select appointment_id from intermediate.int_visits_without_time where practice_id = $practice and month = $month
            )
        )
    order by appointment_id
"""
_CALLS = """
    select * exclude (is_current) from staging.stg_calls
    where
        practice_id = $practice and is_current
        and (
            cast(started_at as date) between $first and $last
            or call_id in (select call_id from intermediate.int_visits_without_time where practice_id = $practice and month = $month)
        )
    order by call_id
"""
# Every version of what touches the month, and the earliest entry, with which the practice's months begin.
# What staging finds of an entry is found again.
_TIME_ENTRIES = """
    select entries.* exclude (
        is_current, is_only, elapsed_seconds, start_at, end_at, is_documented, has_clock_times, local_day, last_local_day, is_cut,
        note_number, entry_number
    )
    from staging.stg_time_entries as entries
    where entries.practice_id = $practice and entries.entry_id in (
        select entry_id from staging.stg_time_entries
        where practice_id = $practice and is_current and local_day <= $last and greatest(local_day, last_local_day) >= $first
        union
        select min_by(entry_id, (local_day, entry_id)) from staging.stg_time_entries where practice_id = $practice and is_current
    )
    order by entries.entry_id, entries.extract_date, entries.line_number, entries.file_id
"""
_HISTORY = "select * from intermediate.int_claims__history where practice_id = ? and month = ? order by close_version, claim_id"

# Where an answer stands in the lake is no part of what it says; its file is named by its hash.
_COVERAGE_ANSWERS = (
    "select * exclude (transaction_id, position) from intermediate.int_coverage_answers where practice_id = ? order by all"
)


@dataclass(frozen=True)
class Frozen:
    """The content of an inputs.zip, by name."""

    files: Mapping[str, bytes]

    def table(self, name: str) -> pa.Table:
        return pq.read_table(io.BytesIO(self.files[name]))

    def json(self, name: str) -> Any:
        return json.loads(self.files[name])

    def names(self, folder: str) -> list[str]:
        return sorted(name for name in self.files if name.startswith(f"{folder}/"))


def freeze(
    warehouse: duckdb.DuckDBPyConnection,
    practice: Practice,
    month: date,
    claimed_elsewhere: Mapping[str, str],
    accepted: Sequence[Mapping[str, Any]] = (),
    rules: Mapping[str, bytes] | None = None,
) -> bytes:
    """The inputs.zip of one practice's month (its first day), from the warehouse that the close reads. `rules`: its `rule_files`, where they are at hand."""
    name = practice.practice_id
    first = month - timedelta(days=MARGIN_DAYS)
    last = next_month(month) + timedelta(days=MARGIN_DAYS - 1)
    contacts = {"practice": name, "month": month, "first": first, "last": last}
    queries: dict[str, tuple[str, Any]] = {
        "lake/files": (_FILES, [name]),
        "lake/quarantine": (
            " union all ".join(f"select * from ({sql})" for sql in (_QUARANTINED_PRESENCES, _QUARANTINED_FACTS, _QUARANTINED_TEAM)),
            {"practice": name, "month": month},
        ),
        "lake/patients": (_PATIENTS, [name, month]),
        "lake/care_team": (_CARE_TEAM, {"practice": name}),
        "lake/services": (_SERVICES, [name]),
        "lake/appointments": (_APPOINTMENTS, contacts),
        "lake/time_entries": (_TIME_ENTRIES, {"practice": name, "first": first, "last": last}),
        "history": (_HISTORY, [name, month]),
        **{f"lake/{table}": (_SNAPSHOT.format(table=table), [name]) for table in SNAPSHOTS},
    }
    files = {
        "practice.json": practice.canonical_json().encode(),
        "claimed_elsewhere.json": json.dumps(dict(claimed_elsewhere), sort_keys=True).encode(),
    }
    if accepted:
        files["accepted.json"] = json.dumps([dict(one) for one in accepted], sort_keys=True).encode()
    numbers = file_numbers(warehouse, name)
    for path, (sql, parameters) in queries.items():
        table = warehouse.execute(sql, parameters).to_arrow_table()
        if path == "lake/files" and table["mapping"].null_count == len(table):
            table = table.drop_columns(_MAPPED)
        files[f"{path}.parquet"] = parquet(numbered(table, numbers))
    # What only some practices have is in no packet of the others, so that theirs have the bytes they always had.
    calls = warehouse.execute(_CALLS, contacts).to_arrow_table()
    if calls.num_rows:
        files["lake/calls.parquet"] = parquet(numbered(calls, numbers))
    keys = warehouse.execute(
        f"select * from ({_LOG_KEYS}) union all select * from ({_TEAM_KEYS})", {"practice": name, "month": month}
    ).to_arrow_table()
    if keys.num_rows:
        files["lake/quarantine_keys.parquet"] = parquet(numbered(keys, numbers))
    answers = warehouse.execute(_COVERAGE_ANSWERS, [name]).to_arrow_table()
    if answers.num_rows:
        files["coverage_answers.parquet"] = parquet(answers)
    return _zip(files | dict(rule_files(warehouse) if rules is None else rules))


def rule_files(warehouse: duckdb.DuckDBPyConnection) -> dict[str, bytes]:
    """Every rule row that was loaded, by its place in an inputs.zip: the same for every practice."""
    seeds = warehouse.execute("select table_name from duckdb_tables() where schema_name = 'rules' order by table_name").fetchall()
    return {
        # Every column is in the order, so that the bytes do not depend on how the seed was loaded.
        f"rules/{seed}.parquet": parquet(warehouse.execute(f'select * from rules."{seed}" order by all').to_arrow_table())
        for (seed,) in seeds
    }


def file_numbers(warehouse: duckdb.DuckDBPyConnection, practice_id: str) -> dict[int, int]:
    """file_id -> 1, 2, ... by night, table and version: the practice's own count. The lake's ids count what every practice landed, and when it was
    taken in; a packet must depend on neither."""
    rows = warehouse.execute(
        "select file_id from staging.stg_files where practice_id = ? order by extract_date, table_name, version", [practice_id]
    ).fetchall()
    return {file_id: number for number, (file_id,) in enumerate(rows, 1)}


def numbered(table: pa.Table, numbers: Mapping[int, int]) -> pa.Table:
    """The table with the practice's own numbers in the place of the lake's file ids, where it has such a column."""
    if "file_id" not in table.column_names:
        return table
    places = pc.index_in(table["file_id"], value_set=pa.array(list(numbers), pa.int64()))
    return table.set_column(
        table.column_names.index("file_id"), table.field("file_id"), pa.array(list(numbers.values()), pa.int64()).take(places)
    )


def thaw(content: bytes) -> Frozen:
    """The files of an inputs.zip."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return Frozen({name: archive.read(name) for name in archive.namelist()})


def parquet(table: pa.Table) -> bytes:
    """One Parquet file; the same table gives the same bytes."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def empty_lake_tables(frozen: Frozen) -> list[str]:
    """Extract tables that a close does not rest on: they come back empty."""
    return [table for table in extract_contracts() if f"lake/{table}.parquet" not in frozen.files]


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o600 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
