"""Dagster's SQLite event log, kept open. The library opens a new connection, and an engine that has compiled nothing yet, for every one of some
thousand reads and writes a night: a third of a small practice's night."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dagster._core.events import DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import StaticPool

from orchestration.operate.living_runs import SlotsOfTheLiving

# Events that come by the hundred in one go, of every model and check. What ends a step, or a run, comes after them.
BURSTS = {
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.STEP_OUTPUT,
}
# The write lock of a file is never held longer than this many events or seconds of a burst: `ccm ui` waits for it.
BURST_EVENTS, BURST_SECONDS = 200, 1.0
OPEN_SHARDS = 8


class OpenSqliteEventLogStorage(SlotsOfTheLiving, SqliteEventLogStorage):
    """The same files and tables with one open connection per shard, and one transaction per burst of events.

    A killed process loses at most the last burst of the log, and so may a power cut (WAL mode, synchronous=NORMAL); never data of ours."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._open: OrderedDict[str, Connection] = OrderedDict()
        self._in_burst = False
        self._burst_events = 0
        self._burst_since = 0.0
        self._known: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> OpenSqliteEventLogStorage:
        # The library's own makes a SqliteEventLogStorage whatever class it is called on.
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            connection = self._connection(shard)
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            # What reads or writes amid a burst goes with its transaction.
            if not self._in_burst and (not self._burst_events or self._burst_is_old()):
                connection.commit()

    def _connection(self, shard: str) -> Connection:
        connection = self._open.pop(shard, None)
        if connection is None:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=StaticPool,
                connect_args={"timeout": 30, "check_same_thread": False},
            )
            event.listen(engine, "connect", _relax)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            connection = engine.connect()
        self._open[shard] = connection
        while len(self._open) > OPEN_SHARDS:
            _close(self._open.popitem(last=False)[1])
        return connection

    def store_event(self, event: EventLogEntry) -> None:
        self._in_burst = event.is_dagster_event and event.dagster_event_type in BURSTS
        if self._in_burst and not self._burst_events:
            self._burst_since = time.monotonic()
        try:
            super().store_event(event)
        finally:
            self._burst_events += self._in_burst
            if not self._in_burst or self._burst_events >= BURST_EVENTS or self._burst_is_old():
                self._commit()
            self._in_burst = False

    def _burst_is_old(self) -> bool:
        return time.monotonic() - self._burst_since >= BURST_SECONDS

    def _commit(self) -> None:
        with self._db_lock:
            for connection in self._open.values():
                connection.commit()
            self._burst_events = 0

    def has_table(self, table_name: str) -> bool:
        # Tables and indexes come and stay: each is asked for once.
        if table_name not in self._known and super().has_table(table_name):
            self._known.add(table_name)
        return table_name in self._known

    def has_secondary_index(self, name: str) -> bool:
        if name not in self._known and super().has_secondary_index(name):
            self._known.add(name)
        return name in self._known

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        # Columns come with the tables: the library reads the table's description anew for every event of an asset.
        name = f"asset_keys.{column_name}"
        if name not in self._known and super()._has_asset_key_col_on_connection(conn, column_name):
            self._known.add(name)
        return name in self._known

    def wipe(self) -> None:
        self._close_all()
        super().wipe()

    def dispose(self) -> None:
        self._close_all()
        super().dispose()

    def _close_all(self) -> None:
        with self._db_lock:
            while self._open:
                _close(self._open.popitem()[1])


def _close(connection: Connection) -> None:
    connection.commit()
    connection.close()
    connection.engine.dispose()


def _relax(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
