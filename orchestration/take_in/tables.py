"""The tables of a batch beside its ledger: what columns they have, and how a batch of before a table is given it."""

from __future__ import annotations

from orchestration import lake_batches
from orchestration.contracts import ExtractContract, extract_contracts, lake_columns, optional_tables
from orchestration.house import House, write_private
from orchestration.lake_batches import batch_folder, batch_numbers
from orchestration.take_in import typed
from orchestration.take_in.scratch import copy_to, scratch_engine, scratch_folder

_ROW_PREFIX = (("practice_id", "VARCHAR"), ("extract_date", "DATE"), ("file_id", "BIGINT"), ("line_number", "BIGINT"))
QUARANTINE = (
    ("file_id", "BIGINT"),
    ("practice_id", "VARCHAR"),
    ("extract_date", "DATE"),
    ("table_name", "VARCHAR"),
    ("line_number", "BIGINT"),
    ("column_name", "VARCHAR"),
    ("reason", "VARCHAR"),
    ("patient_id", "VARCHAR"),
)
KEYS = "quarantine_keys"
# Of quarantined rows of tables that bring changes: by it a later night's row is known for the same. Of the care team: whose row it is.
ROW_KEY = ("row_key", "VARCHAR")
QUARANTINE_KEYS = (("file_id", "BIGINT"), ("practice_id", "VARCHAR"), ("line_number", "BIGINT"), ROW_KEY)


def quarantine_table() -> str:
    """The statement that makes the table of all quarantined rows of a batch, of which both files are written."""
    return f"create table quarantined ({', '.join(f'{name} {kind}' for name, kind in (*QUARANTINE, ROW_KEY))})"


def nothing_of(contract: ExtractContract) -> str:
    """A query of no rows of an extract table."""
    columns = ", ".join(f"null::{kind} as {typed.name(name)}" for name, kind in (*_ROW_PREFIX, *lake_columns(contract)))
    return f"select {columns} where false"


def later_tables() -> dict[str, str]:
    """What a batch of before may lack: table -> a query of no rows of it."""
    contracts = extract_contracts()
    columns = ", ".join(f"null::{kind} as {name}" for name, kind in QUARANTINE_KEYS)
    return {**{table: nothing_of(contracts[table]) for table in optional_tables()}, KEYS: f"select {columns} where false"}


def ensure_tables(house: House) -> None:
    """Gives the batches of before an extract table there was that table, without rows: a reader finds every table in every batch. Under its own lock."""
    if not lacks_tables(house):
        return
    with house.lock("lake"):
        add_tables(house)


def lacks_tables(house: House) -> bool:
    """Whether batches lack tables. The first batch is completed last: whether it is complete says so of all."""
    return bool(batch_numbers(house)) and any(lake_batches.first_bytes(house, 0, table, 1) is None for table in later_tables())


def add_tables(house: House) -> None:
    """`ensure_tables` for who holds the lock already."""
    held = lake_batches.contents(house)
    with scratch_folder(house, 0) as scratch, scratch_engine(scratch) as engine:
        for table, nothing in sorted(later_tables().items()):
            path = scratch / f"{table}.parquet"
            copy_to(engine, nothing, path)
            for batch in reversed(batch_numbers(house)):
                if path.name in held.get(batch, ()):
                    continue
                if house.lake_url is None:
                    write_private(batch_folder(house, batch) / path.name, path.read_bytes())
                else:
                    lake_batches.replace(house, batch, path)
