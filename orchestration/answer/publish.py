"""Publishes the marts: a new file beside the old one, swapped in by one rename. Readers keep what they have open.

Most of a home is months that no night changes. Where the file that is published holds the very state that the last build began upon, the new one is its
copy, in which the rows of touched keys are replaced as the build replaced them and the tables made anew are made anew; otherwise everything is written,
and so it is where the file is small: what is written sooner than it is searched.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import duckdb

from orchestration import engine
from orchestration.gate import verdicts
from orchestration.house import House, HouseError, sync_folder, write_private
from orchestration.transform import standing
from orchestration.transform.standing import published_record

# From this size on the published file is changed and not written anew, unless told otherwise.
LARGE, LARGE_UNLESS_SAID = "CCM_PUBLISH_CHANGES_FROM", 64_000_000


def changes_from() -> int:
    """From how many bytes on the published file is changed. Raises HouseError for what is no number."""
    said = os.environ.get(LARGE) or str(LARGE_UNLESS_SAID)
    if not said.isdecimal():
        raise HouseError(f"{LARGE}={said!r}: no number of bytes; write it like {LARGE_UNLESS_SAID}")
    return int(said)


def publish(house: House) -> dict[str, int]:
    """Copies every mart and every rule table of the warehouse into marts.duckdb (schema main). Returns rows by table."""
    house.root.mkdir(parents=True, exist_ok=True)
    scratch = house.root / f".marts.duckdb.{os.getpid()}.tmp"
    # What a killed publication left. The warehouse's lock, which every run holds here, keeps two from publishing at once.
    for leftover in house.root.glob(".marts.duckdb.*.tmp*"):
        leftover.unlink(missing_ok=True)
    counts: dict[str, int] | None = None
    try:
        with engine.connect(house) as con:
            con.execute("set checkpoint_threshold = '2GB'")  # one checkpoint, as the file is detached
            con.execute(engine.UNMERGED)
            engine.attach(con, house.warehouse, "warehouse")
            changes = standing.changes(con, "warehouse")
            if changes and changes.upon and changes.upon == _published_state(house):
                shutil.copyfile(house.marts, scratch)
                scratch.chmod(0o600)
                counts = _write(con, scratch, changes)
                if counts is None:
                    scratch.unlink()
            if counts is None:
                counts = _write(con, scratch, None)
        assert counts is not None
        scratch.chmod(0o600)
        scratch.replace(house.marts)
        sync_folder(house.root)
        # Behind the rename: until it is written, it speaks of a file that is no more, and the next publication writes everything.
        built = verdicts.load(house, "dbt")
        record = {"state": changes.state if changes else None, "inputs": built.inputs if built else None, **_stamp(house.marts)}
        write_private(published_record(house), json.dumps(record))
        if changes and changes.upon:
            standing.clear(house)
    finally:
        for leftover in (scratch, scratch.with_name(scratch.name + ".wal")):
            leftover.unlink(missing_ok=True)
    return counts


def _write(con: duckdb.DuckDBPyConnection, scratch: Path, changes: standing.Changes | None) -> dict[str, int] | None:
    """Writes every table to the file, or what has changed since; rows by table. None when the outcome is not as long as the warehouse's."""
    # The oldest storage version, so that any DuckDB client of the last years can open the file; an encrypted one is of a newer.
    engine.attach(con, scratch, "published", read_only=False, options="" if engine.is_on() else "storage_version 'v1.0.0'")
    counts: dict[str, int] = {}
    try:
        # The rule rows go with the marts: who asks "why?" reads the rows that decided, not those of a later release.
        tables = con.execute(
            """
            select schema_name, table_name from duckdb_tables()
            where database_name = 'warehouse' and schema_name in ('marts', 'rules') order by table_name
            """
        ).fetchall()
        for schema, table in tables:
            replaced = changes.replaced.get((schema, table)) if changes else None
            if replaced is None:
                con.execute(f'create or replace table published.main."{table}" as from warehouse.{schema}."{table}"')
            else:
                keys = " and ".join(f"old.{key} = the_touched.{key}" for key in replaced.keys)
                if replaced.months:
                    con.execute(
                        f'delete from published.main."{table}" as old using {replaced.months} as moving '
                        "where old.practice_id = moving.practice_id and old.month = moving.month"
                    )
                    keys += " and not the_touched.moves"
                con.execute(f'delete from published.main."{table}" as old using {replaced.of} as the_touched where {keys}')
                con.execute(f'insert into published.main."{table}" by name from {replaced.made}')
                for column in replaced.follows_practice:
                    con.execute(
                        f'update published.main."{table}" as old set {column} = practices.{column} from {replaced.practices} as practices '
                        f"where old.practice_id = practices.practice_id and old.{column} is distinct from practices.{column}"
                    )
            counts[table], of = con.execute(
                f'select (select count(*) from published.main."{table}"), (select count(*) from warehouse.{schema}."{table}")'
            ).fetchall()[0]
            if counts[table] != of:
                return None
        places = con.execute("select sum(estimated_size) from duckdb_tables() where database_name = 'published'").fetchall()[0][0]
        if engine.is_worth_merging(places, sum(counts.values())):
            con.execute(engine.MERGED)
    finally:
        con.execute("detach published")
    return counts


def _stamp(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"inode": found.st_ino, "size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def _published_state(house: House) -> str | None:
    """The state of the warehouse that marts.duckdb holds; None where that is not known of this very file."""
    large = changes_from()
    try:
        known: dict[str, Any] = json.loads(published_record(house).read_text(encoding="utf-8"))
        state = known.pop("state")
        known.pop("inputs", None)
        is_large = house.marts.stat().st_size >= large
        return str(state) if is_large and state and known == _stamp(house.marts) else None
    except (OSError, ValueError, KeyError):
        return None
