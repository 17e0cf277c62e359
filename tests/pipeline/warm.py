"""What every `ccm` of the tests would import for itself, imported once: commands are forked from a process that has it. The home's definitions are not
among it, so that each command loads its own."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path

# Without a file of its own the main module looks interactive to DuckDB, which then draws a progress bar into what is printed.
sys.modules["__main__"].__file__ = str(Path(sys.executable).with_name("ccm"))
os.environ.update(COLUMNS="200", GX_ANALYTICS_ENABLED="false", DBT_SEND_ANONYMOUS_USAGE_STATS="false", DO_NOT_TRACK="1")

# Consoles decide on colours as they are made; no command of the tests has a terminal.
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    import alembic.config  # noqa: F401
    import dagster  # noqa: F401
    import dagster_dbt  # noqa: F401
    import dbt.adapters.duckdb
    import dbt.cli.main  # noqa: F401
    import great_expectations.expectations  # noqa: F401
    import holidays.countries  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import pyx12.x12n_document  # noqa: F401
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.contracts.project import PackageConfig, ProfileConfig, Project, ProjectFlags

    import orchestration.answer.assets
    import orchestration.answer.publish
    import orchestration.close.assets
    import orchestration.command.main
    import orchestration.judge.assets
    import orchestration.operate.event_log
    import orchestration.operate.sensors
    import orchestration.payers.assets
    import orchestration.schedules.jobs
    import orchestration.take_in.assets
    import orchestration.transform.assets  # noqa: F401

# dbt makes these once a process, too.
for read_by_every_command in (DuckDBCredentials, PackageConfig, ProfileConfig, Project, ProjectFlags):
    read_by_every_command.json_schema()
