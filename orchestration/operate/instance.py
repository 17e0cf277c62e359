"""Dagster's instance of a home: where it keeps its runs, and how."""

from __future__ import annotations

import json
import os

from orchestration.house import House, HouseError, write_private

DAGSTER_YAML = """\
# Written by ccm. Telemetry is off; one run at a time holds the warehouse.
event_log_storage:
  module: orchestration.operate.event_log
  class: OpenSqliteEventLogStorage
  config:
    base_dir: {base_dir}
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: op
"""


def prepare_environment(house: House) -> None:
    """Points Dagster, dbt and Great Expectations at this home and keeps them from calling out."""
    if any(letter == "?" or not letter.isprintable() for letter in str(house.root)):
        # Dagster puts it into a database's URL.
        raise HouseError(f"{str(house.root)!r}: a home's path has no question mark and no control character; name another folder")
    house.prepare()
    dagster_home = house.state / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = dagster_home / "dagster.yaml"
    wanted = DAGSTER_YAML.format(base_dir=json.dumps(str(dagster_home / "history")))
    if not settings.exists() or settings.read_text() != wanted:
        write_private(settings, wanted)
    os.environ["CCM_HOME"] = str(house.root)
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    os.environ.update(DBT_SEND_ANONYMOUS_USAGE_STATS="false", DO_NOT_TRACK="1", GX_ANALYTICS_ENABLED="false")
