"""Publishes the marts: a new file beside the old one, swapped in by one rename. Readers keep what they have open."""

from __future__ import annotations

import os

from orchestration import engine
from orchestration.house import House, sync_folder


def publish(house: House) -> dict[str, int]:
    """Copies every mart and every rule table of the warehouse into marts.duckdb (schema main). Returns rows by table."""
    house.root.mkdir(parents=True, exist_ok=True)
    scratch = house.root / f".marts.duckdb.{os.getpid()}.tmp"
    # What a killed publication left. The warehouse's lock, which every run holds here, keeps two from publishing at once.
    for leftover in house.root.glob(".marts.duckdb.*.tmp*"):
        leftover.unlink(missing_ok=True)
    counts: dict[str, int] = {}
    try:
        with engine.connect(house) as con:
            engine.attach(con, house.warehouse, "warehouse")
            # The oldest storage version, so that any DuckDB client of the last years can open the file; an encrypted one is of a newer.
            engine.attach(con, scratch, "published", read_only=False, options="" if engine.is_on() else "storage_version 'v1.0.0'")
            # The rule rows go with the marts: who asks "why?" reads the rows that decided, not those of a later release.
            tables = con.execute(
                """
                select schema_name, table_name from duckdb_tables()
                where database_name = 'warehouse' and schema_name in ('marts', 'rules') order by table_name
                """
            ).fetchall()
            for schema, table in tables:
                con.execute(f'create table published.main."{table}" as from warehouse.{schema}."{table}"')
                counts[table] = con.execute(f'select count(*) from published.main."{table}"').fetchall()[0][0]
            con.execute("detach published")
        scratch.chmod(0o600)
        scratch.replace(house.marts)
        sync_folder(house.root)
    finally:
        for leftover in (scratch, scratch.with_name(scratch.name + ".wal")):
            leftover.unlink(missing_ok=True)
    return counts
