"""Who has had several Medicare numbers is one beneficiary under each of them, whichever of two claims comes first."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

from orchestration.close.claims import Draft
from orchestration.close.in_common import InCommon
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.close.one_beneficiary import claimed_elsewhere, claimed_twice
from orchestration.close.rebuild import rebuild
from orchestration.house import House
from orchestration.practices import load_practices

from .bench import build
from .clinic import NEWEST_NIGHT, Clinic, configure, mbi, write
from .test_drift import OCTOBER
from .test_quarantined_facts import MODELS, close, put_packet

pytestmark = pytest.mark.xdist_group("holds")

OLD = mbi(999)


def coverages(clinic, number, old=OLD):
    """The clinic's coverages: this patient has had another number until the middle of October. As people write it."""
    given = clinic.panel()["coverages"]
    of = next(row for row in given if row["patient_id"] == clinic.id(number))
    ended = {**of, "member_id": f"{old[:4]}-{old[4:7]}-{old[7:]}".lower(), "termination_date": "2026-10-15"}
    return [*(row if row is not of else {**of, "effective_date": "2026-10-16"} for row in given), ended]


def under(clinic, number, mbi=OLD):
    """The clinic's coverages: this patient is known by the old number alone."""
    return [{**row, "member_id": mbi} if row["patient_id"] == clinic.id(number) else row for row in clinic.panel()["coverages"]]


def test_who_shares_numbers_with_two_claims_is_held_for_the_one_under_the_number_on_their_own():
    said = {"A": [OLD], "B": [mbi(998)], "C": [mbi(998), OLD], "D": [OLD, mbi(998)]}
    lines = tuple(SimpleNamespace(claim_id=name, patient_id=name) for name in said)
    claims = pa.table({"claim_id": list(said), "member_id": [numbers[0] for numbers in said.values()]})
    ground = SimpleNamespace(practice=SimpleNamespace(practice_id="alpha"), manners=EVERY_MANNER)
    with duckdb.connect() as con:
        con.execute("create schema intermediate")
        con.execute(
            "create table intermediate.int_coverages__current (practice_id text, patient_id text, coverage_type text, member_id text)"
        )
        for name, numbers in said.items():
            for number in numbers:
                con.execute(
                    "insert into intermediate.int_coverages__current values ('alpha', ?, 'medicare_part_b', ?)", [name, number]
                )
        found = claimed_twice(con, ground, Draft(claims, lines, ()))
    assert {claim: why.partition(":")[0] for claim, why in found.items()} == {
        "C": "the same beneficiary's month is claimed as alpha B",
        "D": "the same beneficiary's month is claimed as alpha A",
    }


def test_what_is_no_number_of_medicare_makes_nobody_one(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    clinic.land(home)
    given = clinic.panel()["coverages"]
    unsaid = [{**row, "coverage_type": "medicare_part_a", "member_id": "UNKNOWN"} for row in given]
    write(home, "alpha", NEWEST_NIGHT, "coverages", [*given, *unsaid])
    with build(home, MODELS) as con:
        assert {row["patient_id"] for row in table(close(home, con)["claims.csv"])} == {clinic.id(1), clinic.id(2)}


def table(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


@pytest.mark.long
@pytest.mark.parametrize(("short", "long"), [(1, 2), (2, 1)])
def test_of_two_charts_that_share_a_number_of_before_one_is_claimed_and_a_packet_of_before_comes_out_with_both(
    tmp_path, short, long
):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    clinic.land(home)
    numbers = {row["patient_id"]: row for row in under(clinic, short)}
    rows = [row for row in coverages(clinic, long) if row["patient_id"] == clinic.id(long)]
    write(home, "alpha", NEWEST_NIGHT, "coverages", [numbers[clinic.id(short)], *rows])
    with build(home, MODELS) as con:
        files, before = close(home, con), close(home, con, manners=EVERY_MANNER - {Manner.BENEFICIARIES})
    (first,) = {row["claim_id"] for row in table(files["claims.csv"])}
    (held,) = table(files["held.csv"])
    assert (held["patient_id"], held["reason"]) == (clinic.id(2), "claim_error")
    assert f"is claimed as alpha {first}: " in held["detail"]
    assert {row["patient_id"] for row in table(before["claims.csv"])} == {clinic.id(1), clinic.id(2)}
    assert b"beneficiaries" in files["manifest.json"] and b"beneficiaries" not in before["manifest.json"]
    for name, packet in (("now", files), ("before", before)):
        made = rebuild(put_packet(packet, tmp_path / name))
        assert made.is_same, [file for file, (then, now) in made.files.items() if then != now]


@pytest.mark.parametrize(("first", "second"), [("old", "both"), pytest.param("both", "old", marks=pytest.mark.long)])
def test_of_two_practices_of_a_tax_id_the_later_holds_a_beneficiary_whom_the_earlier_claimed_under_another_number(
    tmp_path, first, second
):
    home = tmp_path / "home"
    clinics = {name: Clinic(name, number, 2, {"tax_id": "123456789"}) for number, name in enumerate(("old", "both"), 1)}
    configure(home, clinics.values())
    for clinic in clinics.values():
        clinic.land(home)
    write(home, "old", NEWEST_NIGHT, "coverages", under(clinics["old"], 1))
    write(home, "both", NEWEST_NIGHT, "coverages", coverages(clinics["both"], 1))
    house, practices = House(home), load_practices(home / "practices.yaml")
    with build(home, MODELS) as con:
        assert claimed_elsewhere(InCommon(house, OCTOBER), con, practices[second], OCTOBER) == {}
        packet = put_packet(close(home, con, name=first), house.closes / first / "2026-10" / "v1")
        found = claimed_elsewhere(InCommon(house, OCTOBER), con, practices[second], OCTOBER)
        assert claimed_elsewhere(InCommon(house, OCTOBER), con, practices[first], OCTOBER) == {}
    claims = {row["patient_id"]: row["claim_id"] for row in table((packet / "claims.csv").read_bytes())}
    assert found == {clinics[second].id(1): f"{first} {claims[clinics[first].id(1)]}"}
