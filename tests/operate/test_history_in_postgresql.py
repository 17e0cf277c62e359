"""Where Dagster's history is in PostgreSQL and the server cannot be reached: said at once, with where and what to do, and nothing of the home changes.

What needs a server is in postgres_home.py (`make postgres`).
"""

from __future__ import annotations

import socket
import time

import pytest
from sqlalchemy.exc import OperationalError

from orchestration import access
from orchestration.command import main
from orchestration.house import House, HouseError
from orchestration.operate import doctor
from orchestration.operate.instance import DATABASE, DRIVER, opened, prepare_environment
from tests.holds.clinic import Clinic, configure

SECRET = "s3cret"


@pytest.fixture
def port():
    """Of this machine, with nobody behind it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A home that keeps its runs in files."""
    for name in ("CCM_HOME", "DAGSTER_HOME", "DBT_SEND_ANONYMOUS_USAGE_STATS", "DO_NOT_TRACK", "GX_ANALYTICS_ENABLED", DATABASE):
        monkeypatch.setenv(name, "")  # put back afterwards
    house = House(tmp_path / "home").prepare()
    configure(house.root, [Clinic("alpha", 1)])
    prepare_environment(house)
    return house


@pytest.fixture
def elsewhere(house, port, monkeypatch):
    """Its shell names a database that cannot be reached."""
    monkeypatch.setenv(DATABASE, f"postgresql://ccm:{SECRET}@127.0.0.1:{port}/ccm_dagster")


def run(monkeypatch, house, *command):
    monkeypatch.setattr("sys.argv", ["ccm", *command, "--home", str(house.root)])
    code = main._run()
    access.finish(code)
    return code


def kept(house):
    return (house.state / "dagster" / "dagster.yaml").read_text()


@pytest.mark.parametrize("command", [("migrate",), ("tidy", "--runs", "400"), ("serve", "daemon")], ids=lambda one: one[0])
def test_a_database_that_does_not_answer_is_told_at_once_with_where_and_what_to_do(
    house, elsewhere, port, command, monkeypatch, capsys
):
    before = kept(house)
    began = time.monotonic()
    assert run(monkeypatch, house, *command) == 1
    assert time.monotonic() - began < 5
    said = capsys.readouterr().err
    assert f"PostgreSQL at 127.0.0.1, port {port}, does not answer" in said and "is it running?" in said
    assert SECRET not in said and "defect" not in said and "Retrying" not in said
    # The home is not made one that keeps its runs there.
    assert kept(house) == before


def test_what_needs_no_runs_needs_no_database(house, elsewhere, monkeypatch):
    assert run(monkeypatch, house, "tidy", "--landing", "400") == 0


def test_the_doctor_writes_no_setting_and_says_that_the_next_command_would(house, elsewhere, monkeypatch):
    before = kept(house)
    [found] = [one for one in doctor.examine(house) if one.question in ("runs", "daemon")]
    assert (found.question, found.state) == ("runs", "bad") and "keeps Dagster's runs in files; unset it" in found.said
    assert kept(house) == before
    monkeypatch.delenv(DATABASE)
    [found] = [one for one in doctor.examine(house) if one.question in ("runs", "daemon")]
    assert (found.question, found.state) == ("daemon", "warning")


def test_the_doctor_looks_at_the_runs_of_a_home_that_was_moved_and_leaves_its_settings_alone(house, tmp_path):
    moved = House(house.root.rename(tmp_path / "moved"))
    before = kept(moved)
    [found] = [one for one in doctor.examine(moved) if one.question in ("runs", "daemon")]
    assert found.question == "daemon" and kept(moved) == before
    assert not house.root.exists()


def test_the_doctor_of_a_home_that_keeps_its_runs_in_a_database_says_that_it_does_not_answer(house, elsewhere, port):
    settings = house.state / "dagster" / "dagster.yaml"
    settings.write_text(f"run_storage: {{config: {{postgres_url: {{env: {DATABASE}}}}}}}\n")
    [found] = [one for one in doctor.examine(house) if one.question in ("runs", "daemon")]
    assert found.state == "bad" and f"port {port}, does not answer" in found.said and SECRET not in found.said


def test_a_database_that_goes_away_while_a_command_works_is_told_the_same(house, elsewhere, port, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(house.state / "dagster"))
    with pytest.raises(HouseError, match=f"port {port}, does not answer"), opened():
        try:
            raise OperationalError("select 1", {}, Exception("server closed the connection unexpectedly"))
        except OperationalError as error:
            raise RuntimeError("too many retries for DB connection") from error
    with pytest.raises(RuntimeError, match="of another kind"), opened():
        raise RuntimeError("of another kind")
    monkeypatch.delenv(DATABASE)
    with pytest.raises(OperationalError), opened():  # a file that is locked
        raise OperationalError("select 1", {}, Exception("database is locked"))


@pytest.mark.parametrize("url", ["postgresql://ccm@127.0.0.1:port/ccm_dagster", f"{DRIVER}://"])
def test_a_url_that_is_none_is_not_shown(house, monkeypatch, url):
    monkeypatch.setenv(DATABASE, url)
    with pytest.raises(HouseError, match="is no URL like") as refused:
        prepare_environment(house)
    assert url not in str(refused.value)
