"""Encryption at rest: with a key nothing can be read without it, and whoever sets none or another is told so."""

from __future__ import annotations

import os
import secrets

import duckdb
import pytest

from orchestration import engine
from orchestration.answer.publish import publish
from orchestration.answer.worklist import people
from orchestration.house import House, HouseError
from orchestration.take_in.lake import take_in
from orchestration.take_in.ledger import ledger
from tests.one_practice import forget_practice, give_practice
from tests.pipeline.homes import ccm
from tests.protection.marked import Marked

ZONES = {"orderly": "America/Chicago"}


@pytest.fixture
def key(tmp_path, monkeypatch):
    text = secrets.token_hex(24)
    (tmp_path / "key").write_text(text + "\n")
    (tmp_path / "key").chmod(0o600)
    monkeypatch.delenv(engine.KEY, raising=False)
    monkeypatch.setenv(engine.KEY_FILE, str(tmp_path / "key"))
    return text


@pytest.fixture
def house(tmp_path, key):
    """A home with the key, its landed nights taken in, and a warehouse with a patient."""
    marked = Marked()
    office = marked.office("orderly")
    for number in range(2):
        marked.patient(office, f"P{number}")
    made = House(marked.write(tmp_path / "it's [a] home")).prepare()
    assert take_in(made, ZONES) is not None
    with engine.open_warehouse(made, read_only=False) as warehouse:
        warehouse.execute("create schema marts; create schema rules")
        warehouse.execute(
            "create table marts.eligibility as select 'Zqxvjklast' as patient_id, date '1931-02-02' as month from range(5000)"
        )
    publish(made)
    return made


def raw(house):
    return {
        path.relative_to(house.root).as_posix(): path.read_bytes()
        for path in house.root.rglob("*")
        if path.is_file() and "landing" not in path.parts and path.name != "practices.yaml"
    }


def test_neither_the_lake_nor_the_databases_can_be_read_without_the_key(house, key):
    for name, content in raw(house).items():
        # Whole words: three letters of a marker stand in ciphertext by chance.
        assert not [word for word in (b"zqxvjklast", b"zqxvjkfirst", b"zqxvjkstreet") if word in content.lower()], name
        if name.endswith(".parquet"):
            assert content.startswith(b"PAR1" if name.endswith("files.parquet") else b"PARE"), name
        if name.endswith(".duckdb"):
            with pytest.raises(duckdb.Error, match="without a key"):
                duckdb.connect(str(house.root / name), read_only=True)
            assert b"patient_id" not in content and b"eligibility" not in content


def test_with_the_key_it_is_all_there(house):
    assert len(ledger(house)) == 9
    assert {one.name for one in people(house, "orderly", ["P0", "P1"]).values()} == {
        "Zqxvjklast1, Zqxvjkfirst1 Zqxvjkmiddle1",
        "Zqxvjklast2, Zqxvjkfirst2 Zqxvjkmiddle2",
    }
    with engine.open_marts(house) as marts:
        assert marts.execute("select count(*), any_value(patient_id) from eligibility").fetchall() == [(5000, "Zqxvjklast")]
        assert marts.execute("select count(*) from marts.eligibility").fetchall() == [(5000,)]


def test_a_practice_that_asks_for_its_rows_gets_them_readable_and_one_that_is_forgotten_leaves_an_encrypted_lake(house, tmp_path):
    given = give_practice(house, "orderly", tmp_path / "given")
    with duckdb.connect() as con:
        found = con.execute(f"select count(*) from '{tmp_path / 'given' / 'patients.parquet'}'").fetchall()
    assert found == [(given["patients"],)] and given["patients"] > 0
    assert forget_practice(house, "orderly")["patients"] == given["patients"]
    assert people(house, "orderly", ["P0"]) == {}
    assert not [path for path in house.lake.rglob("*.parquet") if b"zqxvjklast" in path.read_bytes().lower()]


def test_the_key_is_in_no_file_error_or_argument(house, key, monkeypatch, capfd):
    secret = [key, engine._derived(key, "duckdb").hex(), engine._derived(key, "parquet").hex()]
    assert not [name for name, content in raw(house).items() for one in secret if one.encode() in content]
    with engine.open_marts(house) as marts:
        told = str(marts.execute("select * from duckdb_databases()").fetchall()) + str(
            marts.execute("select * from duckdb_settings()").fetchall()
        )
    assert not [one for one in secret if one in told]
    monkeypatch.setenv(engine.KEY_FILE, "")
    monkeypatch.setenv(engine.KEY, "f" * 40)
    for attempt in (lambda: engine.open_marts(house), lambda: engine.open_warehouse(house), lambda: engine.ensure_key_fits(house)):
        with pytest.raises(HouseError) as refused:
            attempt()
        wrong = ["f" * 40, engine._derived("f" * 40, "duckdb").hex(), key]
        assert not [
            one
            for one in wrong
            if one in str(refused.value) + repr(refused.value.__context__ and refused.value.__suppress_context__)
        ]
        assert "does not open with the key that is set" in str(refused.value) and engine.KEY_FILE in str(refused.value)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("nightly",), marks=pytest.mark.long),
        ("status",),
        pytest.param(("worklist",), marks=pytest.mark.long),
        pytest.param(("close", "--month", "2026-09", "--approved-by", "x"), marks=pytest.mark.long),
    ],
)
def test_without_a_key_and_with_another_every_command_says_which_variable_to_set(house, monkeypatch, command):
    monkeypatch.setenv(engine.KEY_FILE, "")
    ran = ccm(*command, home=house.root)
    assert ran.code == 1 and f"is encrypted; set {engine.KEY_FILE}" in ran.err
    monkeypatch.setenv(engine.KEY, "another key of forty characters, surely")
    ran = ccm(*command, home=house.root)
    assert ran.code == 1 and "does not open with the key that is set" in ran.err and "surely" not in ran.err


def test_a_home_that_was_begun_without_a_key_stays_so(tmp_path, key, monkeypatch):
    monkeypatch.setenv(engine.KEY_FILE, "")
    marked = Marked()
    marked.patient(marked.office("orderly"), "P0")
    plain = House(marked.write(tmp_path / "plain")).prepare()
    take_in(plain, ZONES)
    monkeypatch.setenv(engine.KEY_FILE, str(tmp_path / "key"))
    ran = ccm("nightly", home=plain.root)
    assert ran.code == 1 and "begun without encryption" in ran.err and "make a new home" in ran.err
    with pytest.raises(HouseError, match="begun without encryption"):
        take_in(plain, ZONES)


@pytest.mark.parametrize(
    "spoil, says",
    [
        (lambda path: path.write_text("short"), "at least 32 characters"),
        (lambda path: path.chmod(0o644), "can be read by others"),
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: os.environ.__setitem__(engine.KEY, "x" * 40), "are both set"),
    ],
)
def test_a_key_that_is_none_is_refused_by_its_variables_name(key, tmp_path, monkeypatch, spoil, says):
    monkeypatch.setenv(engine.KEY, "")
    spoil(tmp_path / "key")
    with pytest.raises(HouseError, match=says) as refused:
        engine.key()
    assert key not in str(refused.value) and engine.KEY in str(refused.value)
