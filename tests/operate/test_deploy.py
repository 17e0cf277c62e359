"""The files of deploy/ are what systemd, Compose and logrotate accept, and they call commands that there are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from orchestration.command import main  # noqa: F401  (adds the subcommands)
from orchestration.command.common import app
from orchestration.house import PROJECT_ROOT, House, HouseError
from orchestration.operate import instance

DEPLOY = PROJECT_ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
CCM = Path(sys.executable).with_name("ccm")


def compose():
    return yaml.safe_load((DEPLOY / "docker-compose.yml").read_text(encoding="utf-8"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_has_nothing_to_say_against_the_units(tmp_path):
    for unit in UNITS:
        # It wants the program to be there.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/ccm/.venv/bin/ccm", str(CCM)))
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_is_one_by_the_compose_specification():
    command = [
        str(CCM.with_name("check-jsonschema")),
        "--builtin-schema",
        "vendor.compose-spec",
        str(DEPLOY / "docker-compose.yml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="no logrotate on this machine")
def test_logrotate_takes_its_file(tmp_path):
    text = (DEPLOY / "logrotate" / "ccm").read_text().replace("/srv/ccm", str(tmp_path))
    text = text.replace("su ccm ccm", "").replace("create 0600 ccm ccm", "create 0600")
    (tmp_path / "ccm").write_text(text)
    (tmp_path / "ccm").chmod(0o644)
    done = subprocess.run(
        ["logrotate", "--debug", "--state", str(tmp_path / "state"), str(tmp_path / "ccm")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "error:" not in done.stderr, done.stderr


def called() -> list[list[str]]:
    """The ccm command lines of the units and of the compose file."""
    lines = [
        shlex.split(line.removeprefix("ExecStart="))
        for unit in UNITS
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    lines += [service["command"] for name, service in compose()["services"].items() if name != "database"]
    return [line[1:] for line in lines if Path(line[0]).name == "ccm"]


@pytest.mark.parametrize("line", called(), ids=" ".join)
def test_every_command_of_the_services_is_one_of_ccm(line):
    command = typer.main.get_command(app).commands[line[0]]
    command.make_context(line[0], list(line[1:]), resilient_parsing=False).close()


def test_nothing_listens_beyond_this_machine():
    for name, service in compose()["services"].items():
        assert service["network_mode"] == "host" and "ports" not in service, name
    everything = "".join(path.read_text() for path in DEPLOY.rglob("*") if path.is_file())
    assert "0.0.0.0" not in everything and "listen_addresses=127.0.0.1" in str(compose()["services"]["database"]["command"])


def test_every_setting_of_the_example_is_one_that_somebody_reads():
    code = "".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "orchestration").rglob("*.py"))
    units = "".join(unit.read_text() for unit in UNITS)
    named = re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "ccm.env.example").read_text(), re.MULTILINE)
    assert len(named) > 5
    assert not [name for name in named if f'"{name}"' not in code and f"${{{name}}}" not in units and name != "PGPASSFILE"]


def test_containers_are_told_every_setting_of_the_example_but_the_units_own():
    named = set(re.findall(r"^#?(CCM_[A-Z_]+)=", (DEPLOY / "ccm.env.example").read_text(), re.MULTILINE))
    for name in ("webserver", "daemon", "dashboard"):
        assert named - {"CCM_BACKUPS"} <= set(compose()["services"][name]["environment"]), name


def stays_out(path: str) -> bool:
    """Whether .dockerignore keeps this path, or a folder above it, out of what Docker is sent."""
    lines = [line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert not [line for line in lines if line.startswith("!") or re.search(r"[?\[\\]", line)], "say it here as Docker reads it"
    parts = path.split("/")
    folders = ["/".join(parts[:number]) for number in range(1, len(parts) + 1)]
    patterns = [re.escape(line).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*") for line in lines]
    return any(re.fullmatch(pattern, folder) for pattern in patterns for folder in folders)


def test_what_git_leaves_out_and_what_is_secret_never_gets_into_the_image():
    left_out = [line for line in (PROJECT_ROOT / ".gitignore").read_text().splitlines() if line and not line.startswith(("#", "!"))]
    assert len(left_out) > 10
    for line in left_out:
        name = line.strip("/").replace("*", "some")
        # As git reads it: with a slash before its end it is of the root, else of any folder.
        for folder in ("",) if "/" in line.rstrip("/") else ("", "orchestration/take_in/"):
            assert stays_out(f"{folder}{name}"), line
    for path in (
        ".git/config",
        "data/practices.yaml",
        "data/.state/ccm-errors.log",
        "deploy/.env",
        "deploy/ccm.env",
        ".venv/bin/python",
    ):
        assert stays_out(path), path


def test_the_context_of_the_image_is_where_its_list_lies_and_has_all_that_the_image_runs():
    for service in compose()["services"].values():
        assert "build" not in service or service["build"]["context"] == ".."
    needed = ["Makefile", "README.md", "LICENSE", "pyproject.toml", "requirements.lock", "workspace.yaml"]
    for folder in ("orchestration", "dbt_project", "data_contracts", "docs/runbook"):
        needed += [
            path.relative_to(PROJECT_ROOT).as_posix()
            for path in (PROJECT_ROOT / folder).rglob("*.*")
            if path.is_file() and not {"target", "logs", "__pycache__", ".user.yml"} & set(path.parts)
        ]
    assert len(needed) > 300 and not [path for path in needed if stays_out(path)]


@pytest.fixture
def house(tmp_path, monkeypatch):
    for name in ("CCM_HOME", "DAGSTER_HOME", instance.DATABASE):
        monkeypatch.setenv(name, "")  # put back afterwards
    return House(tmp_path / "home")


def settings(house):
    return yaml.safe_load((house.state / "dagster" / "dagster.yaml").read_text())


def test_without_a_database_the_history_is_in_the_home(house):
    instance.prepare_environment(house)
    assert settings(house)["event_log_storage"]["class"] == "OpenSqliteEventLogStorage" and "run_storage" not in settings(house)


def test_with_a_database_all_three_storages_are_in_it_and_its_url_is_written_nowhere(house, monkeypatch):
    monkeypatch.setenv(instance.DATABASE, "postgresql://ccm:secret@127.0.0.1/ccm_dagster")
    monkeypatch.setattr(instance, "ensure_reachable", lambda: None)  # there is no such server
    instance.prepare_environment(house)
    for storage in ("run_storage", "event_log_storage", "schedule_storage"):
        assert settings(house)[storage]["config"] == {"postgres_url": {"env": instance.DATABASE}}
    assert "secret" not in (house.state / "dagster" / "dagster.yaml").read_text()
    # A shell without the setting does not begin a second history.
    monkeypatch.setenv(instance.DATABASE, "")
    with pytest.raises(HouseError, match="keeps Dagster's runs in PostgreSQL"):
        instance.prepare_environment(house)
    monkeypatch.setenv(instance.DATABASE, "mysql://ccm:secret@127.0.0.1/x")
    with pytest.raises(HouseError, match="is no URL like postgresql://") as refused:
        instance.prepare_environment(house)
    assert "secret" not in str(refused.value)


def test_slots_in_the_database_belong_to_living_runs_as_they_do_in_files():
    from dagster_postgres.event_log import PostgresEventLogStorage

    from orchestration.operate.living_runs import SlotsOfTheLiving
    from orchestration.operate.postgres import LivingPostgresEventLogStorage as Living

    order = Living.__mro__
    assert order.index(SlotsOfTheLiving) < order.index(PostgresEventLogStorage)
    assert Living.claim_concurrency_slot is SlotsOfTheLiving.claim_concurrency_slot
