"""Dagster's SQLite event log, kept open. The library opens a new connection and syncs the disk for every one of some thousand events a night."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import QueuePool

from orchestration.command.living_runs import SlotsOfTheLiving


class OpenSqliteEventLogStorage(SlotsOfTheLiving, SqliteEventLogStorage):
    """The same files and tables with one engine per shard. In WAL mode with synchronous=NORMAL a killed process loses nothing;
    a power cut may lose the last events of the log, never data of ours."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(*arguments, **settings)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> OpenSqliteEventLogStorage:
        # The library's names its own class, whatever class dagster.yaml names.
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engines.get(shard)
            if engine is None:
                engine = create_engine(
                    self.conn_string_for_shard(shard),
                    poolclass=QueuePool,
                    pool_size=1,
                    connect_args={"timeout": 30, "check_same_thread": False},
                )
                event.listen(engine, "connect", _relax)
                if shard not in self._initialized_dbs:
                    self._initdb(engine)
                    self._initialized_dbs.add(shard)
                self._engines[shard] = engine
            with engine.connect() as connection, connection.begin():
                yield connection

    def dispose(self) -> None:
        for engine in self._engines.values():
            engine.dispose()
        self._engines.clear()
        super().dispose()


def _relax(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")
