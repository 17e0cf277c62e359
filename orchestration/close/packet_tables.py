"""The tables of a packet, each the same bytes for the same rows: claim lines, what is held, whose claim each is, the marts as evidence; and what its
manifest says of files and fee schedules."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.close.claims import Draft, Held, Line
from orchestration.close.freeze import numbered, parquet
from orchestration.close.manners import Manner
from orchestration.practices import Practice


def csv_of(kind: type[Line] | type[Held], rows: Sequence[Line] | Sequence[Held]) -> bytes:
    """A CSV file of these rows, with a header; dollars with two decimals."""
    text = io.StringIO()
    columns = list(kind.__dataclass_fields__)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(column, getattr(row, column)) for column in columns])
    return text.getvalue().encode()


def _cell(column: str, value: Any) -> str:
    if column == "month":
        return f"{value:%Y-%m-%d}"
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if isinstance(value, date) else str(value)


SUBJECTS = pa.schema(
    [
        ("claim_id", pa.string()),
        ("patient_id", pa.string()),
        ("mbi", pa.string()),
        ("rendering_npi", pa.string()),
        ("billing_npi", pa.string()),
        ("tax_id", pa.string()),
    ]
)


def subjects_file(practice: Practice, due: Draft) -> bytes:
    """Whose claim each is, for the look at same-period duplicates across the practices of one tax id."""
    patients = {line.claim_id: line.patient_id for line in due.lines}
    claim_ids = due.claims["claim_id"]
    columns = {
        "claim_id": claim_ids,
        "patient_id": [patients[claim_id] for claim_id in claim_ids.to_pylist()],
        "mbi": pc.fill_null(due.claims["member_id"], ""),
        "rendering_npi": pc.fill_null(due.claims["rendering_npi"], ""),
        "billing_npi": pa.repeat(practice.npi, len(claim_ids)),
        "tax_id": pa.repeat(practice.tax_id, len(claim_ids)),
    }
    return parquet(pa.table(columns, schema=SUBJECTS))


# What a packet keeps of each mart, in a fixed order. Of the files and prices only those that the rest names.
_EVIDENCE = {
    "decisions": "select * from marts.patient_month_decisions where practice_id = $p and month = $m order by patient_id",
    "minute_ledger": "select * from marts.minute_ledger where practice_id = $p and month = $m order by entry_id, disposition",
    "patient_month_minutes": "select * from marts.patient_month_minutes where practice_id = $p and month = $m order by patient_id",
    "eligibility": "select * from marts.eligibility where practice_id = $p and month = $m order by patient_id",
    "claimable_codes": "select * from marts.claimable_codes where practice_id = $p and month = $m order by patient_id, procedure_code",
    "patient_month_evidence": "select * from marts.patient_month_evidence where practice_id = $p and month = $m order by patient_id",
    "patient_facts": """
        select facts.* from marts.patient_facts as facts
        where practice_id = $p order by patient_id, table_name, fact_id, line_number
    """,
    "time_entry_facts": """
        select facts.* from marts.time_entry_facts as facts
        where practice_id = $p and entry_id in (select entry_id from marts.minute_ledger where practice_id = $p and month = $m)
        order by entry_id
    """,
    "undocumented_time": """
        select * exclude (found_on) from marts.undocumented_time where practice_id = $p and month = $m order by item_id
    """,
    "fee_schedule_prices": """
        select distinct prices.* from marts.fee_schedule_prices as prices
        where practice_id = $p and service_date between $m and last_day($m)
            and exists (
                select 1 from intermediate.int_candidates__priced as priced
                where priced.practice_id = $p and priced.month = $m and priced.scenario = 'actual'
                    and priced.procedure_code = prices.procedure_code and priced.service_date = prices.service_date
            )
        order by procedure_code, service_date, payment_share
    """,
    "landed_files": """
        select * from marts.landed_files
        where practice_id = $p and file_id in (
            select file_id from marts.patient_facts where practice_id = $p
            union
            select entries.file_id from marts.time_entry_facts as entries
            inner join marts.minute_ledger as ledger on entries.practice_id = ledger.practice_id and entries.entry_id = ledger.entry_id
            where entries.practice_id = $p and ledger.month = $m
        )
        order by file_id
    """,
}

_DEPARTURE = ["practitioner_seen_on", "practitioner_gone_on"]


def evidence(
    warehouse: duckdb.DuckDBPyConnection,
    practice_id: str,
    month: date,
    numbers: Mapping[int, int] | None,
    manners: Collection[Manner],
) -> dict[str, bytes]:
    """The marts of this practice-month as Parquet, in a fixed order, so that the bytes are fixed too. `numbers`: `freeze.file_numbers`."""
    files = {}
    for name, sql in _EVIDENCE.items():
        table = warehouse.execute(sql, {k: v for k, v in (("p", practice_id), ("m", month)) if f"${k}" in sql}).to_arrow_table()
        if name == "patient_month_evidence" and Manner.DEPARTURES not in manners:
            table = table.drop_columns(_DEPARTURE)
        if numbers is not None:
            table = numbered(table, numbers)
            if name == "landed_files":
                table = table.sort_by("file_id")
        files[f"{name}.parquet"] = parquet(table)
    return files


def fee_releases(warehouse: duckdb.DuckDBPyConnection, practice_id: str, month: date) -> dict[str, list[str]]:
    """The fee schedule releases that priced the month."""
    rows = warehouse.execute(
        """
        select list_sort(list(distinct rvu_release)), list_sort(list(distinct gpci_release)), list_sort(list(distinct cast(conversion_factor as varchar)))
        from marts.fee_schedule_prices where practice_id = ? and service_date between ? and last_day(?)
        """,
        [practice_id, month, month],
    ).fetchall()[0]
    return dict(zip(("rvu", "gpci", "conversion_factor"), (row or [] for row in rows), strict=True))


def landed_inputs(warehouse: duckdb.DuckDBPyConnection, practice: Practice) -> list[dict[str, Any]]:
    """Every landed file in force of this practice, by table and night, with its hash and that of the mapping which read it."""
    rows = warehouse.execute(
        """
        select table_name, extract_date, version, sha256, mapping, mapping_sha256 from staging.stg_files
        where practice_id = ? and is_in_force order by table_name, extract_date
        """,
        [practice.practice_id],
    ).fetchall()
    return [
        {
            "table": table,
            "night": night.isoformat(),
            "version": version,
            "sha256": sha256,
            **({"mapping": mapping, "mapping_sha256": mapping_sha256} if mapping else {}),
        }
        for table, night, version, sha256, mapping, mapping_sha256 in rows
    ]
