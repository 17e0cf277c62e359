"""What `ccm why` says of a claim's answers once another claim stands in its place."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.answer.why import ClaimLine
from orchestration.command.why import _answers
from orchestration.payers.inbox import original_path
from tests.answers.letters import Sent, acknowledgment, claim_statuses, denied, file, paid_in_full, remittance, taken_back
from tests.answers.office import Office

OLD, NEW = "CCM2609A", "CCM2609B"


def test_the_lines_of_a_claim_that_went_out_anew_still_say_what_the_payer_said_of_them(tmp_path):
    office = Office(tmp_path / "home", [Sent(OLD, patient_id="P1"), Sent(NEW, patient_id="P1", version=2, control_number=8)])
    office.deliver(file("277", claim_statuses("0000000070001", [(OLD, "A7:164:QC", "U")])))
    published(office, "claims", "claim_history", "claim_line_payments")
    claim, *lines = _answers(office.house, lines_of(OLD, 1))
    assert (claim["status"], claim["rejection_codes"], claim["answered_on"]) == ("rejected", ["A7:164"], date(2026, 10, 5))
    assert {line["status"] for line in lines} == {"rejected"}
    claim, *lines = _answers(office.house, lines_of(NEW, 2))
    assert (claim["status"], claim["rejection_codes"], {line["status"] for line in lines}) == ("submitted", [], {"open"})


def test_marts_of_a_release_that_had_no_history_of_claims_are_asked_for_the_claims_that_stand(tmp_path):
    office = Office(tmp_path / "home", [Sent(OLD)])
    published(office, "claims", "claim_line_payments")
    assert _answers(office.house, lines_of(OLD, 1))[0]["status"] == "submitted"


def test_every_answer_to_a_claim_names_its_file_and_where_in_it_the_claim_stands(tmp_path):
    office = Office(tmp_path / "home", [Sent(OLD), Sent(NEW)])
    paid = paid_in_full(OLD)
    files = {
        "a": file("999", acknowledgment(7, {1: "A"}, "A")),
        "b": file("277", claim_statuses("0000000070001", [(OLD, "A2:20", "WQ"), (NEW, "A2:20", "WQ")])),
        "c": file("835", remittance(denied(NEW), paid)),
        "d": file("835", remittance(taken_back(paid), denied(OLD), check="EFT2")),
        "e": file("835", remittance(denied(NEW), paid), number=901),
    }
    for name, text in files.items():
        office.deliver(**{name: text})
    published(office, "claim_history", "claim_answers")
    claim, *answers = _answers(office.house, lines_of(OLD, 1))
    # What "e" says was said before, word for word.
    names = {hashlib.sha256(text.encode()).hexdigest(): name for name, text in files.items()}
    said = [
        (names[one["sha256"]], one["kind"], one["said"], one["posting"], one["paid_amount"], one["claim_position"])
        for one in answers
    ]
    assert sorted(said) == [
        ("a", "999", "accepted", "posted", None, 0),
        ("b", "277CA", "accepted", "posted", None, 0),
        ("c", "835", "decision", "posted", Decimal("91.39"), 2),
        ("d", "835", "decision", "posted", Decimal("0.00"), 2),
        ("d", "835", "reversal", "posted", Decimal("-91.39"), 1),
    ]
    assert claim["paid_amount"] == sum(amount or 0 for *_, posting, amount, _ in said if posting == "posted")
    for one in answers:
        assert hashlib.sha256(original_path(office.house, one["sha256"]).read_bytes()).hexdigest() == one["sha256"]


def test_an_answer_that_turned_a_claim_back_says_by_which_codes(tmp_path):
    office = Office(tmp_path / "home", [Sent(OLD), Sent(NEW, control_number=8)])
    office.deliver(
        file("277", claim_statuses("0000000070001", [(OLD, "A7:164:QC", "U")])), file("999", acknowledgment(8, {1: "R*5"}, "R"))
    )
    published(office, "claims", "claim_answers")
    told = {
        one["claim_id"]: one["codes"]
        for claim in (OLD, NEW)
        for one in _answers(office.house, lines_of(claim, 1))
        if "codes" in one
    }
    assert told == {OLD: ["A7:164"], NEW: ["999:5"]}


def published(office: Office, *tables: str) -> None:
    with duckdb.connect(str(office.house.marts)) as marts:
        for table in tables:
            office.see("select 1 as one")
            assert office._con is not None
            marts.register("rows_of_it", office._con.execute(f"select * from {table}").to_arrow_table())
            marts.execute(f"create table {table} as from rows_of_it")
            marts.unregister("rows_of_it")


def lines_of(claim_id: str, version: int) -> list[ClaimLine]:
    line = {"claim_id": claim_id, "patient_id": "P1"}
    return [
        ClaimLine("north", date(2026, 9, 1), version, Path("v1"), {**line, "line_id": f"{claim_id}0{place}"}) for place in (1, 2)
    ]
