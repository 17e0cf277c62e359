"""Dagster's instance of a home: where it keeps its runs, and how."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from orchestration.answer.publish import changes_from
from orchestration.engine import memory
from orchestration.house import House, HouseError, write_private

if TYPE_CHECKING:
    from dagster import DagsterInstance

# The URL of the database that keeps Dagster's runs, events and ticks instead of files in the home; the password is libpq's (PGPASSFILE).
DATABASE = "CCM_DAGSTER_DATABASE"
DRIVER = "postgresql+psycopg2"
CONNECT_SECONDS = 5
_NO_URL = f"{DATABASE}: is no URL like postgresql://ccm@127.0.0.1/ccm_dagster; correct it"

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
    """Points Dagster, dbt and Great Expectations at this home and keeps them from calling out. HouseError where Dagster's database cannot be reached."""
    if any(letter in "?*[" or not letter.isprintable() for letter in str(house.root)):
        # Dagster puts it into a database's URL, and looks for its settings by it as a pattern: it would not find them, or another home's.
        raise HouseError(f"{str(house.root)!r}: a home's path has no ?, * or [ and no control character; name another folder")
    # Said wrongly, they are found before anything is taken in.
    memory()
    changes_from()
    house.prepare()
    dagster_home = house.state / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = dagster_home / "dagster.yaml"
    before = settings.read_text() if settings.exists() else None
    wanted = _settings(house, before)
    ensure_reachable()  # before the home is one that keeps its runs there
    if before != wanted:
        write_private(settings, wanted)
    os.environ["CCM_HOME"] = str(house.root)
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    os.environ.update(DBT_SEND_ANONYMOUS_USAGE_STATS="false", DO_NOT_TRACK="1", GX_ANALYTICS_ENABLED="false")


@contextmanager
def opened() -> Iterator[DagsterInstance]:
    """The instance of the home that was prepared. HouseError where its database goes away meanwhile."""
    from dagster import DagsterInstance

    try:
        with DagsterInstance.get() as instance:
            yield instance
    except Exception as error:
        if (gone := _of_database(error)) is None:
            raise
        raise gone from None


@contextmanager
def looked_at(house: House) -> Iterator[DagsterInstance]:
    """The instance that the next command would work with, for who only looks: the home's dagster.yaml stays as it is. HouseError where there is none yet."""
    from dagster import DagsterInstance
    from dagster._core.instance.ref import InstanceRef

    dagster_home = house.state / "dagster"
    before = (dagster_home / "dagster.yaml").read_text()
    wanted = _settings(house, before)
    if DATABASE in wanted and DATABASE not in before:
        raise HouseError(
            f"{DATABASE} is set, and this home keeps Dagster's runs in files; unset it, or run any other command to begin a new history in PostgreSQL"
        )
    ensure_reachable()
    os.environ["CCM_HOME"] = str(house.root)
    with TemporaryDirectory() as folder:
        Path(folder, "dagster.yaml").write_text(wanted)
        ref = InstanceRef.from_dir(str(dagster_home), config_dir=folder)
    with DagsterInstance.from_ref(ref) as instance:
        yield instance


def ensure_reachable() -> None:
    """HouseError where Dagster's database is wanted and cannot be reached: the library would try for a quarter of a minute, with warnings of its own."""
    if not (url := os.environ.get(DATABASE)):
        return
    from sqlalchemy import create_engine, exc, make_url

    try:
        wait = {} if "connect_timeout" in make_url(url).query else {"connect_timeout": CONNECT_SECONDS}
        engine = create_engine(url, connect_args=wait)
    except (exc.ArgumentError, ValueError):
        raise HouseError(_NO_URL) from None
    try:
        engine.connect().close()
    except exc.DBAPIError as error:
        raise _told(error) from None
    finally:
        engine.dispose()


def _of_database(error: BaseException) -> HouseError | None:
    """What is to be said of an error that Dagster's database is behind; nothing of any other."""
    from sqlalchemy.exc import OperationalError

    if not os.environ.get(DATABASE):
        return None
    one: BaseException | None = error
    while one is not None and not isinstance(one, OperationalError):
        one = one.__cause__ or one.__context__
    return _told(one) if one else None


def _told(error: BaseException) -> HouseError:
    """Where it was looked for and what to do; never the URL, which may hold a password, nor the driver's words."""
    from sqlalchemy import make_url

    url = make_url(os.environ[DATABASE])
    server = f"PostgreSQL at {url.host or 'its local socket'}, port {url.port or 5432}"
    # What the server itself said, and what libpq says when it was asked for a password and has none.
    if any(word in str(error) for word in ("FATAL:", "password")):
        return HouseError(
            f"{server}, does not let {url.username or 'this user'} into {url.database or 'its database'}; Dagster's runs are kept there ({DATABASE}): "
            "correct its user and database, and the password in the file that PGPASSFILE names (0600)"
        )
    return HouseError(
        f"{server}, does not answer; Dagster's runs are kept there ({DATABASE}): is it running? `systemctl status postgresql`, then run the same command again"
    )


def _settings(house: House, before: str | None) -> str:
    """The dagster.yaml that the home should have. `before`: the one that it has."""
    return DAGSTER_YAML.format(storage=_storage(json.dumps(str(house.state / "dagster" / "history")), before))


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
        raise HouseError(_NO_URL)
    if util.find_spec("dagster_postgres") is None:
        raise HouseError(f"{DATABASE} is set, and the package's extra `postgres` is not installed; `make setup` has it")
    # SQLAlchemy's own choice for the plain scheme is another driver than the one that dagster-postgres brings along.
    os.environ[DATABASE] = f"{DRIVER}://{rest}"
    return POSTGRES.format(variable=DATABASE)
