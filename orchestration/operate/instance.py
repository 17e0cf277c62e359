"""Dagster's instance of a home: where it keeps its runs, and how."""

from __future__ import annotations

import json
import os
from importlib import util

from orchestration.engine import memory
from orchestration.house import House, HouseError, write_private

# The URL of the database that keeps Dagster's runs, events and ticks instead of files in the home; the password is libpq's (PGPASSFILE).
DATABASE = "CCM_DAGSTER_DATABASE"
DRIVER = "postgresql+psycopg2"

FILES = """\
event_log_storage:
  module: orchestration.operate.event_log
  class: OpenSqliteEventLogStorage
  config:
    base_dir: {base_dir}
"""
POSTGRES = """\
run_storage:
  module: dagster_postgres.run_storage
  class: PostgresRunStorage
  config: {{postgres_url: {{env: {variable}}}}}
event_log_storage:
  module: orchestration.operate.postgres
  class: LivingPostgresEventLogStorage
  config: {{postgres_url: {{env: {variable}}}}}
schedule_storage:
  module: dagster_postgres.schedule_storage
  class: PostgresScheduleStorage
  config: {{postgres_url: {{env: {variable}}}}}
"""
DAGSTER_YAML = """\
# Written by ccm. Telemetry is off; one run at a time holds the warehouse.
{storage}telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: op
# Sensors tick every minute: what they did is kept for a season, that there was nothing to do for a week.
retention:
  schedule: {{purge_after_days: 90}}
  sensor:
    purge_after_days: {{skipped: 7, failure: 90, success: 90}}
"""


def prepare_environment(house: House) -> None:
    """Points Dagster, dbt and Great Expectations at this home and keeps them from calling out."""
    if any(letter in "?*[" or not letter.isprintable() for letter in str(house.root)):
        # Dagster puts it into a database's URL, and looks for its settings by it as a pattern: it would not find them, or another home's.
        raise HouseError(f"{str(house.root)!r}: a home's path has no ?, * or [ and no control character; name another folder")
    memory()  # said wrongly, it is found before anything is taken in
    house.prepare()
    dagster_home = house.state / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = dagster_home / "dagster.yaml"
    before = settings.read_text() if settings.exists() else None
    wanted = DAGSTER_YAML.format(storage=_storage(json.dumps(str(dagster_home / "history")), before))
    if before != wanted:
        write_private(settings, wanted)
    os.environ["CCM_HOME"] = str(house.root)
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    os.environ.update(DBT_SEND_ANONYMOUS_USAGE_STATS="false", DO_NOT_TRACK="1", GX_ANALYTICS_ENABLED="false")


def _storage(base_dir: str, before: str | None) -> str:
    """Where the runs are kept. A home that keeps them in PostgreSQL is not begun anew in files because a shell lacks the setting."""
    url = os.environ.get(DATABASE)
    if not url:
        if before and DATABASE in before:
            raise HouseError(
                f"{DATABASE} is not set, and this home keeps Dagster's runs in PostgreSQL; set it as the services do (/etc/ccm/ccm.env), or remove "
                ".state/dagster/dagster.yaml to begin a new history in files"
            )
        return FILES.format(base_dir=base_dir)
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", DRIVER) or not rest:
        # What is not understood may be a secret: it is not shown.
        raise HouseError(f"{DATABASE}: is no URL like postgresql://ccm@127.0.0.1/ccm_dagster; correct it")
    if util.find_spec("dagster_postgres") is None:
        raise HouseError(f"{DATABASE} is set, and the package's extra `postgres` is not installed; `make setup` has it")
    # SQLAlchemy's own choice for the plain scheme is another driver than the one that dagster-postgres brings along.
    os.environ[DATABASE] = f"{DRIVER}://{rest}"
    return POSTGRES.format(variable=DATABASE)
