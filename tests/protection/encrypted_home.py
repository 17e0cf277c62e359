"""`make encrypted`: two homes of the same extracts, one with a key. Every command gives the same, every packet has the same bytes, and without the
key nothing of the one can be read."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from orchestration import engine
from orchestration.house import PROJECT_ROOT
from tests.pipeline.homes import CCM, ccm, copy
from tests.protection import hostile

MONTH = ("--month", "2026-09")
CLOCKS = {"approval.json"}


@pytest.fixture(scope="module")
def homes(tmp_path_factory) -> tuple[Path, Path, str]:
    folder = tmp_path_factory.mktemp("encrypted")
    landed, _ = hostile.home(folder / "landed")
    plain, locked = copy(landed, folder / "plain"), copy(landed, folder / "locked")
    key = secrets.token_hex(24)
    (folder / "key").write_text(key)
    (folder / "key").chmod(0o600)
    return plain, locked, key


@pytest.fixture
def with_key(homes, monkeypatch):
    monkeypatch.setenv(engine.KEY_FILE, str(homes[0].parent / "key"))


def both(homes, *command: str):
    plain, locked, _ = homes
    bare = subprocess.run(
        [str(CCM), *command], env={k: v for k, v in os.environ.items() if k != engine.KEY_FILE} | {"CCM_HOME": str(plain)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ran = ccm(*command, home=locked)
    assert (ran.code, bare.returncode) in ((0, 0), (3, 3)), ran.err + bare.stderr
    return bare.stdout, ran.out


def test_every_step_gives_the_same_with_and_without_a_key(homes, with_key):
    plain, locked, _ = homes
    both(homes, "nightly")
    both(homes, "close", *MONTH, "--approved-by", "Ann Lee")
    hostile.answers(plain)
    hostile.answers(locked)
    both(homes, "respond")
    for command in (
        ("status", "--json"),
        ("worklist", "--json"),
        ("explain", "--practice", "orderly", "--patient", "P000", *MONTH, "--live", "--json"),
        ("what-if", *MONTH, "--track-policy", "highest_allowed", "--json"),
    ):
        bare, ran = both(homes, *command)
        assert json.loads(bare.replace(str(plain), "")) == json.loads(ran.replace(str(locked), "")), command
    packets = sorted(path.relative_to(plain) for path in plain.glob("closes/*/*/v*/*") if path.name not in CLOCKS)
    assert packets and all((plain / path).read_bytes() == (locked / path).read_bytes() for path in packets)
    assert json.loads(ccm("rebuild", "--practice", "orderly", *MONTH, "--json", home=locked).out)["is_same"] is True


def test_nothing_of_it_can_be_read_without_the_key_but_what_goes_to_others(homes):
    _, locked, key = homes
    open_to_others = ("landing/", "inbox/", "lake/answers/originals/", "closes/")
    words = (b"zqxvjklast", b"zqxvjkfirst", b"zqxvjkstreet", b"zqxvjknote")
    for path in locked.rglob("*"):
        if path.is_file() and not path.relative_to(locked).as_posix().startswith(open_to_others):
            assert not [word for word in words if word in path.read_bytes().lower()], path
    secret = [key, engine._derived(key, "duckdb").hex(), engine._derived(key, "parquet").hex()]
    for path in locked.rglob("*"):
        if path.is_file():
            assert not [one for one in secret if one.encode() in path.read_bytes()], path


def test_the_dashboard_opens_it_with_the_key_and_says_what_is_missing_without(homes, with_key, monkeypatch):
    _, locked, _ = homes
    monkeypatch.setenv("CCM_HOME", str(locked))
    app = PROJECT_ROOT / "orchestration" / "dashboard" / "app.py"
    assert AppTest.from_file(str(app), default_timeout=60).run().metric
    monkeypatch.delenv(engine.KEY_FILE)
    shown = AppTest.from_file(str(app), default_timeout=60).run()
    assert not shown.metric and engine.KEY_FILE in shown.info[0].value
