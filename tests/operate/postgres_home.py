"""`make postgres`: Dagster's history in a PostgreSQL server of this machine's loopback, from the first night to the services and an upgrade."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import Engine, create_engine, text

from orchestration.operate.instance import DATABASE, DRIVER
from tests.faults.harness import closable, content, differences
from tests.faults.test_killed_runs import (  # noqa: F401  (the same promises, of the other storage)
    house,
    test_a_living_run_keeps_its_slot,
    test_a_run_that_was_killed_inside_a_pool_does_not_stop_the_next_one_and_is_marked_as_failed,
)
from tests.operate.services import serving
from tests.pipeline.homes import ccm, copy
from tests.properties.strategies import write_home

BIN = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
pytestmark = pytest.mark.skipif(BIN is None, reason="no PostgreSQL server on this machine: install Debian's package `postgresql`")
PASSWORD = "only-for-this-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_server(*command: str) -> None:
    """PostgreSQL does not run as root: then as the user that Debian's package made."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*prefix, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/", check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """A server of its own on 127.0.0.1; its port. It asks for the password."""
    assert BIN is not None
    folder = Path(tempfile.mkdtemp(prefix="ccm-postgres-", dir="/tmp"))
    given = folder / "password"
    given.write_text(PASSWORD)
    if os.getuid() == 0:
        for path in (folder, given):
            shutil.chown(path, "postgres")
    port, data = free_port(), folder / "data"
    as_server(str(BIN / "initdb"), "-D", str(data), "-U", "ccm", "--auth=scram-sha-256", f"--pwfile={given}", "-E", "UTF8")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    as_server(str(BIN / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", settings, "start")
    yield port
    as_server(str(BIN / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop")
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def database(server, tmp_path, monkeypatch) -> Iterator[Engine]:
    """A new database, named by the setting as deploy/ does: the password is in libpq's file and in no URL."""
    name = f"dagster_{time.time_ns()}"
    secret = tmp_path / "pgpass"
    secret.write_text(f"127.0.0.1:{server}:*:ccm:{PASSWORD}\n")
    secret.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(secret))
    admin = create_engine(f"{DRIVER}://ccm@127.0.0.1:{server}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"create database {name}"))
    admin.dispose()
    url = f"postgresql://ccm@127.0.0.1:{server}/{name}"
    monkeypatch.setenv(DATABASE, url)
    engine = create_engine(url.replace("postgresql", DRIVER, 1))
    yield engine
    engine.dispose()


def asked(engine: Engine, sql: str):
    with engine.connect() as connection:
        return connection.execute(text(sql)).fetchall()


def test_a_month_with_its_history_in_postgresql_is_the_month_with_its_history_in_files(database, tmp_path, monkeypatch):
    files = tmp_path / "files"
    write_home(files, seed=9, practices=2, defects=False)
    served = copy(files, tmp_path / "served")
    seconds = {}
    with monkeypatch.context() as patch:
        patch.delenv(DATABASE)
        assert ccm("nightly", home=files).code == 0
        close = ("close", "--month", closable(files), "--approved-by", "Ann Lee")
        assert ccm(*close, home=files).code in (0, 3)
        began = time.monotonic()
        assert ccm("nightly", "--full", home=files).code == 0
        seconds["files"] = time.monotonic() - began
    for command in (("nightly",), close):
        ran = ccm(*command, home=served)
        assert ran.code in (0, 3), ran.err + ran.out
    began = time.monotonic()
    assert ccm("nightly", "--full", home=served).code == 0
    seconds["postgresql"] = time.monotonic() - began
    expected = content(files)
    assert any(name.endswith("claims.837") for name in expected) and differences(expected, content(served)) == []
    # All of the history is there and none of it in the home.
    assert asked(database, "select status, count(*) from runs group by 1") == [("SUCCESS", 3)]
    assert asked(database, "select count(*) from event_logs where dagster_event_type = 'ASSET_CHECK_EVALUATION'")[0][0] > 300
    assert not list((served / ".state" / "dagster").rglob("*.db"))
    assert PASSWORD not in (served / ".state" / "dagster" / "dagster.yaml").read_text()
    print(f"\na full night: {seconds['files']:.1f} s with files, {seconds['postgresql']:.1f} s with PostgreSQL")


def test_a_server_that_does_not_let_us_in_is_told_with_what_to_correct(database, server, tmp_path, monkeypatch):
    home = tmp_path / "home"
    write_home(home, seed=9, practices=1, defects=False)
    before = (tmp_path / "pgpass").read_text()
    for user, name, password in (
        ("ccm", "nowhere", PASSWORD),
        ("nobody", "postgres", PASSWORD),
        ("ccm", "postgres", "another"),
        ("ccm", "postgres", ""),
    ):
        (tmp_path / "pgpass").write_text(before.replace(PASSWORD, password) if password else "")
        monkeypatch.setenv(DATABASE, f"postgresql://{user}@127.0.0.1:{server}/{name}")
        ran = ccm("migrate", home=home)
        assert ran.code == 1 and f"port {server}, does not let {user} into {name}; " in ran.err and "PGPASSFILE" in ran.err, ran.err
        assert PASSWORD not in ran.err and "does not exist" not in ran.err


BEFORE_POOLS = "6b7fb194ff9c"


def test_tables_of_an_older_dagster_are_migrated_with_what_they_hold(database, tmp_path):
    home = tmp_path / "home"
    write_home(home, seed=8, practices=1, defects=False)
    assert ccm("nightly", home=home).code == 0
    head = asked(database, "select version_num from alembic_version")
    # As Dagster 1.9 left it: before pools had a limit by default.
    with database.begin() as connection:
        connection.execute(text("alter table concurrency_limits drop column using_default_limit"))
        connection.execute(text(f"update alembic_version set version_num = '{BEFORE_POOLS}'"))
    ran = ccm("migrate", home=home)
    assert ran.code == 0 and dg.__version__ in ran.out, ran.err
    assert asked(database, "select version_num from alembic_version") == head
    assert asked(database, "select count(*) from runs")[0][0] == 1
    assert ccm("nightly", "--full", home=home).code == 0
    assert asked(database, "select count(*) from runs where status = 'SUCCESS'")[0][0] == 2


def test_webserver_and_daemon_run_on_it_and_stop_when_told(database, tmp_path):
    home = tmp_path / "home"
    write_home(home, seed=8, practices=1, defects=False)
    # The landing sensor looks at the nights of the last days.
    newest = max(home.glob("landing/*/*"))
    night = newest.rename(newest.with_name(str(date.today())))
    (night / "_SUCCESS").touch()
    port = free_port()
    with serving(home, port) as services:
        wait_until(lambda: answers(port), services)
        wait_until(lambda: doctor(home)["daemon"]["state"] == "ok", services)
        # The landing sensor takes in what is complete, by itself.
        wait_until(lambda: asked(database, "select count(*) from runs where status = 'SUCCESS'")[0][0] >= 1, services)
        assert (home / "marts.duckdb").exists()
    ended = [one.returncode for one in services]
    assert all(code in (0, -signal.SIGTERM, 128 + signal.SIGTERM) for code in ended), ended


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=1) as reply:
            return bool(json.load(reply)["dagster_version"] == dg.__version__)
    except OSError:
        return False


def doctor(home: Path) -> dict[str, dict[str, str]]:
    return {one["question"]: one for one in json.loads(ccm("doctor", "--json", home=home).out)}


def wait_until(is_so, services) -> None:
    until = time.monotonic() + 600
    while not is_so():
        assert time.monotonic() < until and all(one.poll() is None for one in services)
        time.sleep(1)
