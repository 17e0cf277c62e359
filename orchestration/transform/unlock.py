"""What dbt-duckdb loads where a key is set: opens the encrypted warehouse itself, so that the key is in no configuration that dbt reads or writes."""

from __future__ import annotations

import os
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from orchestration import engine
from orchestration.house import House


class Plugin(BasePlugin):
    """The profile attaches the warehouse only if it is not attached already; here it is, with its key."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        house = House.from_environment()
        engine.unlock(conn)
        if os.environ.get("CCM_LAKE_PREFIX"):
            engine.reach(conn)
        conn.execute("set temp_directory = ?", [str(engine.spill(house.state))])
        engine.attach(conn, house.warehouse, "warehouse", read_only=False)

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        pass
