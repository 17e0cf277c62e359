"""What dbt-duckdb loads where the lake is in object storage: the credentials go from the environment into the session's memory, and so into no
configuration that dbt reads or writes."""

from __future__ import annotations

from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from orchestration import engine


class Plugin(BasePlugin):
    """Gives dbt's connection httpfs and the secret."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        engine.reach(conn)

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        pass
