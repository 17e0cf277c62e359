"""What a 271 says is read as it stands; what it does not say is not made up."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from orchestration.payers.eligibility import coverage_answers, member_key
from orchestration.payers.envelopes import take_apart
from orchestration.payers.errors import NotReadableError
from orchestration.payers.inbox import TABLES, batch_folder, ensure_tables, take_in_answers
from tests.answers.coverage import MBI, Answer, Member
from tests.answers.office import Office


def read(answer: Answer, *, is_judged: bool = True) -> tuple[list[dict], list[str]]:
    [transaction] = take_apart(answer.text(is_judged=is_judged).encode()).transactions
    return coverage_answers(transaction, 7)


def told(answer: Answer) -> list[tuple]:
    names = ("benefit_code", "service_type", "insurance_type", "starts_on", "ends_on")
    return [tuple(row[name] for name in names) for row in read(answer)[0]]


def test_benefits_have_their_own_period_else_the_subscribers():
    member = Member(
        benefits=("EB*1**30*MA|DTP*291*D8*20130301", "EB*1**30^98*MB", "EB*6**30*QM|DTP*348*D8*20250101|DTP*349*D8*20251231",
                  "EB*R**30*HN|DTP*290*RD8*20260101-20261231"),
        dates=("DTP*356*D8*20140101",),
    )  # fmt: skip
    assert told(Answer((member,))) == [
        ("1", "30", "MA", date(2013, 3, 1), None), ("1", "30", "MB", date(2014, 1, 1), None), ("1", "98", "MB", date(2014, 1, 1), None),
        ("6", "30", "QM", date(2025, 1, 1), date(2025, 12, 31)), ("R", "30", "HN", date(2026, 1, 1), date(2026, 12, 31)),
    ]  # fmt: skip
    rows, oddities = read(Answer((member,)))
    assert oddities == []
    assert {(row["receiver_npi"], tuple(row["submitter_ids"]), row["answered_on"]) for row in rows} == {
        ("1234567893", ("NORTH01",), date(2026, 11, 2))
    }  # fmt: skip


def test_every_period_of_a_benefit_is_a_row_of_its_own():
    member = Member(
        benefits=("EB*R**30^98*HN|DTP*290*RD8*20260901-20261031|DTP*290*RD8*20270101-20271231",
                  "EB*X**45**26|DTP*292*RD8*20260901-20261102|DTP*292*D8*20261201",
                  "EB*1**30*QM|DTP*348*D8*20250101|DTP*349*D8*20251231|DTP*348*D8*20260301|DTP*349*D8*20260930", "EB*1**30*MB"),
        dates=("DTP*356*D8*20140101", "DTP*357*D8*20191231", "DTP*356*D8*20210101"),
    )  # fmt: skip
    autumn, next_year = (date(2026, 9, 1), date(2026, 10, 31)), (date(2027, 1, 1), date(2027, 12, 31))
    assert told(Answer((member,))) == [
        *(("R", service, "HN", *period) for service in ("30", "98") for period in (autumn, next_year)),
        ("X", "45", None, date(2026, 9, 1), date(2026, 11, 2)), ("X", "45", None, date(2026, 12, 1), None),
        ("1", "30", "QM", date(2025, 1, 1), date(2025, 12, 31)), ("1", "30", "QM", date(2026, 3, 1), date(2026, 9, 30)),
        ("1", "30", "MB", date(2014, 1, 1), date(2019, 12, 31)), ("1", "30", "MB", date(2021, 1, 1), None),
    ]  # fmt: skip
    assert [row["position"] for row in read(Answer((member,)))[0]] == list(range(1, 11))


def test_dates_of_another_kind_say_more_of_the_same_period():
    member = Member(benefits=("EB*1**30*MB|DTP*291*D8*20130301|DTP*349*D8*20261015|DTP*307*RD8*20261001-20261015",))
    assert told(Answer((member,))) == [("1", "30", "MB", date(2026, 10, 1), date(2026, 10, 15))]


def test_each_subscriber_is_answered_to_the_receiver_above():
    others = (("XX*1992999999", (Member("2EG4TE5MK73"),)), ("FI*123456789", (Member("3EG4TE5MK73"),)))
    rows, _ = read(Answer((Member(), Member("4EG4TE5MK73")), others=others))
    assert {(row["subscriber_position"], row["receiver_npi"]) for row in rows} == {
        (1, "1234567893"), (2, "1234567893"), (3, "1992999999"), (4, None),
    }  # fmt: skip


def test_the_plan_of_another_payer_is_kept():
    # CMS says the contract of a Medicare Advantage plan in REF*18; x12sdk knows none beside EB*R
    rows, _ = read(Answer((Member(benefits=("EB*R**30*HN|REF*18*H1234 001|DTP*290*D8*20260101",)),)), is_judged=False)
    assert rows[0]["plan_id"] == "H1234 001"


def test_neither_name_nor_birth_date_nor_member_id_is_kept():
    rows, _ = read(Answer())
    assert {row["beneficiary_key"] for row in rows} == {member_key(MBI)} == {member_key("1eg4-te5-mk73")}
    assert not any(secret in str(rows) for secret in ("ZEBRA", MBI, "1948"))


def test_a_death_is_a_row_of_its_own():
    rows, _ = read(Answer((Member(dates=("DTP*442*D8*20261011",)),)))
    assert [row["deceased_on"] for row in rows] == [None, None, date(2026, 10, 11)]
    assert rows[0]["ends_on"] is None  # the day of death is no period of a benefit


def test_what_belongs_to_another_entity_of_the_benefit_is_not_its_own():
    member = Member(benefits=("EB*R**30*HN|DTP*290*D8*20260101|LS*2120|NM1*PRP*2*SUNSHINE*****PI*99|LE*2120",))
    assert told(Answer((member,))) == [("R", "30", "HN", date(2026, 1, 1), None)]


def test_a_question_that_was_rejected_answers_nothing():
    with pytest.raises(NotReadableError, match="did not answer \\(AAA 75\\)"):
        read(Answer((Member(benefits=(), rejects=("75",)),)))
    with pytest.raises(NotReadableError, match="AAA 42"):
        read(Answer(payer_rejects=("42",)))
    rows, oddities = read(Answer((Member(), Member("2EG4TE5MK73", (), rejects=("72", "73")))))
    assert [row["reject_code"] for row in rows] == [None, None, "72", "73"]
    assert oddities == ["subscriber 2 was not answered (AAA 72, 73)"]


@pytest.mark.parametrize(
    ("benefit", "message"),
    [("EB*1**30*MB|DTP*291*RD8*20260301-20260201", "DTP .* no dates"), ("EB*1**30*MB|DTP*291*D8*20260231", "DTP .* no dates"),
     *((f"EB*1**30*MB|{empty}", "DTP .* no dates") for empty in ("DTP*291*D8*", "DTP*291*D8", "DTP*194*D8*", "DTP*291*RD8*", "DTP*442*D8*")),
     ("EB***30*MB", "EB01 of segment")],
)  # fmt: skip
def test_what_cannot_be_read_is_never_read_as_open(benefit, message):
    with pytest.raises(NotReadableError, match=message):
        read(Answer((Member(benefits=(benefit,)),)), is_judged=False)


def test_files_are_taken_in_once_and_others_go_on(tmp_path: Path):
    office = Office(tmp_path, [])
    good = Answer((Member(), Member("2EG4TE5MK73", ("EB*X**45**26|DTP*292*D8*20261005",)))).text()
    other = Answer(on="20261103").text(42).replace("005010X279A1", "004010X092A1")
    taken = office.deliver(
        good, good.replace("*000000041*", "*000000099*"), Answer((Member(benefits=(), rejects=("75",)),)).text(43), other
    )
    assert [(one["kind"], one["outcome"]) for one in taken.transactions] == [
        ("271", "read"),
        ("271", "read"),
        ("271", "quarantined"),
        ("other", "other"),
    ]
    assert office.see("select outcome, kinds, practice_id from answer_files order by file_id") == [
        {"outcome": "posted", "kinds": ["271"], "practice_id": "north"}, {"outcome": "repeated", "kinds": ["271"], "practice_id": "north"},
        {"outcome": "quarantined", "kinds": ["271"], "practice_id": None}, {"outcome": "other", "kinds": ["other"], "practice_id": None},
    ]  # fmt: skip


def test_a_home_of_before_gets_the_table_and_keeps_its_answers(tmp_path: Path):
    office = Office(tmp_path, [])
    (batch_folder(office.house, 0) / "coverage_answers.parquet").unlink()
    ensure_tables(office.house)
    assert {path.stem for path in batch_folder(office.house, 0).iterdir()} == set(TABLES)
    assert take_in_answers(office.house) is None
