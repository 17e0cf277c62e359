"""Dagster's event log in PostgreSQL, for an installation with services (deploy/): slots belong to living runs, and connections are kept.

Needs the extra `postgres` of the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy import create_engine

from orchestration.operate.living_runs import SlotsOfTheLiving


class LivingPostgresEventLogStorage(SlotsOfTheLiving, PostgresEventLogStorage):
    """The library's tables. It opens a connection for every one of some thousand reads and writes of a night; here a process keeps up to two."""

    def __init__(
        self, postgres_url: str, should_autocreate_tables: bool = True, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(postgres_url, should_autocreate_tables, inst_data)
        self._engine.dispose()
        self._engine = create_engine(postgres_url, isolation_level="AUTOCOMMIT", pool_size=2, max_overflow=8, pool_pre_ping=True)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> LivingPostgresEventLogStorage:
        # The library's own makes a PostgresEventLogStorage whatever class it is called on.
        return cls(pg_url_from_config(config_value), config_value.get("should_autocreate_tables", True), inst_data)
