"""What is shown in a browser is shown on this machine, or to who knows the password."""

from __future__ import annotations

import subprocess

import pytest
from streamlit.testing.v1 import AppTest

from orchestration.access import read
from orchestration.dashboard.password import VARIABLE, is_password, is_this_machine, read_password, write_password
from orchestration.house import PROJECT_ROOT, HouseError
from tests.pipeline.homes import CCM, ccm

pytestmark = pytest.mark.xdist_group("protection")
APP = PROJECT_ROOT / "orchestration" / "dashboard" / "app.py"
GOOD = "correct horse battery"


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.20", "example.org", "127.0.0.1.example.org", ""])
def test_dagsters_interface_is_refused_on_another_address(tmp_path, address):
    ran = ccm("ui", "--address", address, home=tmp_path)
    assert ran.code == 1 and "ssh -L" in ran.err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.20"])
def test_the_dashboard_is_refused_on_another_address_without_a_password_file(tmp_path, address):
    ran = ccm("dashboard", "--address", address, home=tmp_path)
    assert ran.code == 1 and "--password-file" in ran.err and not list(tmp_path.iterdir())


def test_what_this_machine_is():
    assert all(is_this_machine(one) for one in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(is_this_machine(one) for one in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org", ""))


def test_a_password_file_holds_a_hash_for_its_owner_alone(tmp_path):
    path = tmp_path / "password"
    done = subprocess.run(
        [str(CCM), "password", str(path)], input=f"{GOOD}\n", capture_output=True, text=True, check=False, umask=0o022
    )
    assert done.returncode == 0, done.stderr
    content = read_password(path)
    assert content.startswith("scrypt$") and GOOD not in content and GOOD not in done.stdout + done.stderr
    assert is_password(content, GOOD) and not is_password(content, GOOD + " ") and not is_password(content, "")
    write_password(tmp_path / "again", GOOD)
    assert read_password(tmp_path / "again") != content  # salted


@pytest.mark.parametrize("spoil", ["readable", "plain", "link", "absent", "short"])
def test_a_password_file_that_is_none_is_refused(tmp_path, spoil):
    path = tmp_path / "password"
    if spoil == "short":
        with pytest.raises(HouseError, match="at least 12 characters"):
            write_password(path, "short")
        return
    if spoil in ("readable", "link"):
        write_password(path, GOOD)
    if spoil == "readable":
        path.chmod(0o640)
    if spoil == "plain":
        path.write_text(GOOD)
        path.chmod(0o600)
    if spoil == "link":
        path.rename(tmp_path / "real")
        path.symlink_to(tmp_path / "real")
    ran = ccm("dashboard", "--address", "0.0.0.0", "--password-file", str(path), home=tmp_path)
    assert ran.code == 1 and "ccm password" in ran.err and "Traceback" not in ran.err
    assert GOOD not in ran.err


@pytest.fixture
def asked(demo, tmp_path, monkeypatch):
    """The dashboard on the demo's marts, in a home of its own, with a password."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("marts.duckdb", "practices.yaml"):
        (home / name).symlink_to(demo[0] / name)
    write_password(tmp_path / "password", GOOD)
    monkeypatch.setenv("CCM_HOME", str(home))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "password"))
    return home


def test_no_page_is_shown_before_the_password_and_all_after_it(asked):
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    assert [one.value for one in app.title] == ["CCM billing capture"] and not app.metric and not app.selectbox
    app.text_input[0].input("not the password")
    app.button[0].click().run()
    assert [one.value for one in app.error] == ["That is not the password."] and not app.metric and not app.selectbox
    app.text_input[0].input(GOOD)
    app.button[0].click().run()
    assert not app.exception and [one.value for one in app.title] == ["Overview"] and app.metric
    pages = [(entry.command, entry.about["page"]) for entry in read(asked / "access.jsonl")[0]]
    assert pages == [("dashboard", "password refused"), ("dashboard", "overview")]
    assert GOOD not in (asked / "access.jsonl").read_text()


def test_a_page_is_recorded_once_for_each_practice_and_month_asked_for(asked, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    app.run()
    app.selectbox[0].select("hudson").run()
    recorded = [(entry.about["page"], entry.about.get("practice_id")) for entry in read(asked / "access.jsonl")[0]]
    assert recorded == [("overview", None), ("overview", "hudson")]


def test_a_dashboard_that_someone_opened_to_all_without_a_password_shows_nothing(asked, monkeypatch):
    from streamlit import config

    monkeypatch.delenv(VARIABLE)
    before = config.get_option("server.address")
    config.set_option("server.address", "0.0.0.0")
    try:
        app = AppTest.from_file(str(APP), default_timeout=60).run()
    finally:
        config.set_option("server.address", before)
    assert [one.value for one in app.title] == ["Nothing is shown"] and not app.metric and not app.selectbox
