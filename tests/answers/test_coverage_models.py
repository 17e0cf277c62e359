"""Panel and payer side by side: neither may be billed against, and what differs is told with both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.practices import Practice
from orchestration.transform import compiled
from tests.answers.coverage import Answer, Member
from tests.answers.letters import NORTH, SOUTH, practice
from tests.answers.office import Office, load_rules

MONTHS = (date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1))
GIVEN = ("int_patient_months", "int_coverages__current", "int_stays__current", "int_patients__current")
WANTED = ("int_coverage_conflicts", "int_coverage_answers__matched")
PART_A, PART_B = "EB*1**30*MA|DTP*291*D8*20130301", "EB*1**30*MB|DTP*291*D8*20130301"
OCTOBER = (1 << 31) - 1


def decided(
    root: Path,
    *answers: Answer,
    coverages: list[tuple] | None = None,
    stays: list[tuple] = (),
    deceased: str | None = None,
    then: Sequence[Sequence[Practice]] = (),
) -> duckdb.DuckDBPyConnection:
    """The models over one patient `p` of the practice `north`. `coverages`: (type, member id, first day, last day, priority if
    not 1); `stays`: (type, first, last); `then`: what practices.yaml has after the answers came, time by time."""
    office = Office(root, [])
    for number, answer in enumerate(answers, 50):
        office.deliver(answer.text(number))
    for practices in then:
        office.configure(*practices)
    con = duckdb.connect()
    compiled.prepare(con)
    models = compiled.in_order(WANTED, given=GIVEN)
    load_rules(con, " ".join(model.sql for model in models))
    con.execute(
        "create table intermediate.int_patient_months (practice_id varchar, patient_id varchar, month date, month_end date, deceased_date date)"
    )
    for month in MONTHS:
        con.execute(
            "insert into intermediate.int_patient_months values ('north', 'p', $m, last_day($m), $d)", {"m": month, "d": deceased}
        )
    con.execute(
        "create table intermediate.int_coverages__current (practice_id varchar, patient_id varchar, coverage_type varchar, member_id varchar, "
        "priority bigint, effective_date date, termination_date date)"
    )
    for kind, member, first, last, *priority in (
        [("medicare_part_b", "1EG4-TE5-MK73", "2013-03-01", None)] if coverages is None else coverages
    ):
        con.execute(
            "insert into intermediate.int_coverages__current values ('north', 'p', $1, $2, $5, $3, $4)",
            [kind, member, first, last, *(priority or [1])],
        )
    con.execute(
        "create table intermediate.int_stays__current (practice_id varchar, patient_id varchar, stay_id varchar, stay_type varchar, "
        "admitted_on date, discharged_on date)"
    )
    for kind, first, last in stays:
        con.execute("insert into intermediate.int_stays__current values ('north', 'p', 's', ?, ?, ?)", [kind, first, last])
    con.execute(
        "create table intermediate.int_patients__current as select 'north' as practice_id, 'p' as patient_id, $d::date as deceased_date",
        {"d": deceased},
    )
    compiled.run(con, office.house.root, models)
    return con


def days(con: duckdb.DuckDBPyConnection, month: date = MONTHS[1]) -> dict[str, Any]:
    cursor = con.execute("select * from intermediate.int_patient_months__days where month = ?", [month])
    return dict(zip([column[0] for column in cursor.description], cursor.fetchall()[0], strict=True))


def facts(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, str]]:
    return con.execute(
        "select subject, month(month), fact from intermediate.int_coverage_conflicts order by subject, month"
    ).fetchall()


def test_without_an_answer_the_panel_decides(tmp_path):
    con = decided(tmp_path)
    assert (days(con)["part_b_days"], days(con)["fee_for_service_days"], days(con)["alive_days"]) == (OCTOBER, OCTOBER, OCTOBER)
    assert facts(con) == []


def test_an_answer_that_agrees_changes_nothing(tmp_path):
    con = decided(tmp_path, Answer())
    assert days(con)["fee_for_service_days"] == OCTOBER
    assert facts(con) == []


def test_the_stricter_of_the_two_decides_a_medicare_advantage_month(tmp_path):
    con = decided(tmp_path, Answer((Member(benefits=(PART_A, PART_B, "EB*R**30*HN|DTP*290*D8*20261001")),)))
    assert days(con)["fee_for_service_days"] == 0 and days(con, MONTHS[0])["fee_for_service_days"] == (1 << 30) - 1
    said = "medicare advantage: the panel says nothing, the payer 2026-10-01 on (271 of 2026-11-02)"
    assert facts(con) == [("medicare_advantage", 10, said), ("medicare_advantage", 11, said)]


def test_a_plan_that_only_the_panel_knows_still_bars_and_is_told_for_the_month_of_the_answer(tmp_path):
    con = decided(
        tmp_path,
        Answer(),
        coverages=[("medicare_part_b", "1EG4TE5MK73", "2013-03-01", None), ("medicare_advantage", "X1", "2026-01-01", None)],
    )
    assert days(con)["fee_for_service_days"] == 0
    assert [(subject, month) for subject, month, _ in facts(con)] == [("medicare_advantage", 11)]


def test_part_b_is_there_only_where_both_have_it(tmp_path):
    ended = Member(benefits=(PART_A, "EB*1**30*MB|DTP*291*RD8*20130301-20261015"))
    con = decided(tmp_path, Answer((ended,)))
    assert days(con)["part_b_days"] == (1 << 15) - 1
    of_one_type = Member(benefits=(*ended.benefits, "EB*1**98*MB", "EB*6**35*MB"))
    assert days(decided(tmp_path / "1", Answer((of_one_type,))))["part_b_days"] == (1 << 15) - 1
    assert days(decided(tmp_path / "0", Answer((Member(benefits=(PART_A, "EB*1**30*MB")),))))["part_b_days"] == OCTOBER
    assert facts(con)[0][2] == "part b: the panel says 2013-03-01 on, the payer 2013-03-01 to 2026-10-15 (271 of 2026-11-02)"
    con = decided(tmp_path / "2", Answer((Member(benefits=(PART_A, "EB*6**30*MB|DTP*291*D8*20261001")),)))
    assert days(con)["part_b_days"] == 0 and days(con, MONTHS[0])["part_b_days"] == (1 << 30) - 1
    con = decided(tmp_path / "3", Answer(), coverages=[("medicare_part_a", "1EG4TE5MK73", "2013-03-01", None)])
    assert days(con)["part_b_days"] == 0  # the payer has it, the panel does not: not billed, but told
    assert [(subject, month) for subject, month, _ in facts(con)] == [("part_b", 9), ("part_b", 10), ("part_b", 11)]


def test_hospice_death_qmb_and_another_payer_first_count_from_either_side(tmp_path):
    member = Member(
        benefits=(PART_A, PART_B, "EB*X**45**26|DTP*292*D8*20261021", "EB*1**30*QM|DTP*291*D8*20260101", "EB*R**30*12|DTP*290*D8*20260101",
                  "EB*X**42**26|DTP*193*D8*20261001"),
        dates=("DTP*442*D8*20261030",),
    )  # fmt: skip
    con = decided(tmp_path, Answer((member,)), stays=[("hospice", "2026-10-25", None)])
    month = days(con)
    assert month["alive_days"] == (1 << 30) - 1
    assert month["hospice_days"] == OCTOBER & ~((1 << 20) - 1) == month["facility_days"]
    assert (month["qmb_days"], month["other_primary_days"], month["inpatient_days"]) == (OCTOBER, OCTOBER, 0)
    # the dead are compared until their death, and the death itself from its day on
    assert {(subject, month) for subject, month, _ in facts(con)} == {
        ("hospice", 10), ("qmb", 9), ("qmb", 10), ("other_primary", 9), ("other_primary", 10), ("deceased", 10), ("deceased", 11),
    }  # fmt: skip


def test_the_newest_answer_about_medicare_replaces_the_older_ones_whatever_came_first(tmp_path):
    old = Answer((Member(benefits=(PART_A, PART_B, "EB*R**30*HN|DTP*290*D8*20260101")),), on="20261001")
    new = Answer((Member(benefits=(PART_A, PART_B, "EB*R**30*HN|DTP*290*RD8*20260101-20260930")),), on="20261105")
    only_hospice = Answer((Member(benefits=("EB*X**45**26|DTP*292*D8*20261030",)),), on="20261106")
    for place, order in enumerate(([old, new, only_hospice], [new, only_hospice, old])):
        con = decided(tmp_path / str(place), *order)
        assert days(con)["fee_for_service_days"] == OCTOBER
        assert days(con)["hospice_days"] == 0b11 << 29


def test_part_b_that_a_whole_answer_leaves_out_is_denied_for_the_month_of_the_answer_and_told(tmp_path):
    con = decided(tmp_path / "1", Answer((Member(benefits=(PART_A,)),)))
    assert days(con, MONTHS[2])["part_b_days"] == 0
    assert days(con)["part_b_days"] == OCTOBER  # an answer of November says nothing of October
    said = "part b: the panel says 2013-03-01 on, the payer {} (271 of 2026-11-02)"
    assert facts(con) == [("part_b", 11, said.format("none"))]
    con = decided(tmp_path / "2", Answer((Member(benefits=(PART_A,)), Member())))
    assert days(con, MONTHS[2])["part_b_days"] == 0
    assert facts(con) == [("part_b", 11, said.format("2013-03-01 on, none in another answer"))]


@pytest.mark.long
def test_a_coverage_that_is_inactive_without_an_insurance_type_is_no_part_b_from_its_day_on(tmp_path):
    for place, benefit in enumerate(("EB*6**30", "EB*7**30", "EB*8**30", "EB*6", "EB*7", "EB*8")):
        con = decided(tmp_path / str(place), Answer((Member(benefits=(f"{benefit}|DTP*291*D8*20261011",)),)))
        assert [days(con, month)["part_b_days"] for month in MONTHS] == [(1 << 30) - 1, (1 << 10) - 1, 0]
        said = "part b: the panel says 2013-03-01 on, the payer none 2026-10-11 on (271 of 2026-11-02)"
        assert facts(con) == [("part_b", 10, said), ("part_b", 11, said)]
    # of a plan, or of one kind of service, it says nothing of Part B
    con = decided(tmp_path / "plan", Answer((Member(benefits=(PART_A, PART_B, "EB*6**30*HN", "EB*6**35")),)))
    assert days(con, MONTHS[2])["part_b_days"] == (1 << 30) - 1 and facts(con) == []


@pytest.mark.parametrize("benefit", ["EB*2**30*MA", "EB*3**30*MA", "EB*4**30*MA", "EB*5**30*MA", "EB*7**30*MA", "EB*8**30*MA"])
def test_every_word_on_part_a_makes_an_answer_whole(tmp_path, benefit):
    con = decided(tmp_path, Answer((Member(benefits=(benefit,)),)))
    assert days(con, MONTHS[2])["part_b_days"] == 0


@pytest.mark.long
def test_answers_of_one_day_all_stand_and_the_stricter_decides_whatever_came_first(tmp_path):
    in_a_plan = Member(benefits=(PART_A, "EB*1**30*MB|DTP*291*RD8*20130301-20261010", "EB*R**30*HN|DTP*290*D8*20261008"))
    in_none = Member(benefits=(PART_A, "EB*1**30*MB|DTP*291*D8*20261005"))
    for place, members in enumerate(((in_a_plan, in_none), (in_none, in_a_plan))):
        for how, answers in (("files", [Answer((one,)) for one in members]), ("loops", [Answer(members)])):
            con = decided(tmp_path / f"{place}{how}", *answers)
            assert (days(con)["part_b_days"], days(con)["fee_for_service_days"]) == (0b1111110000, 0b0001110000), (members, how)


def test_a_strangers_answer_is_kept_and_is_nobodys(tmp_path):
    con = decided(tmp_path, Answer((Member("9EG4TE5MK73"),)), Answer(npi="1993999998", submitter="ELSEWHERE"))
    assert con.execute(
        "select practice_id, patient_id, count(*) from intermediate.int_coverage_answers__matched group by all"
    ).fetchall() == [("north", None, 2)]
    assert facts(con) == []


def test_no_period_of_a_plan_or_a_hospice_is_lost_to_a_later_one(tmp_path):
    plan = "EB*R**30*HN|DTP*290*RD8*20260901-20261010|DTP*290*RD8*20270101-20271231"
    hospice = "EB*X**45**26|DTP*292*RD8*20261021-20261025|DTP*292*RD8*20261103-20261130"
    con = decided(tmp_path, Answer((Member(benefits=(PART_A, PART_B, plan, hospice)),)))
    assert days(con)["fee_for_service_days"] == OCTOBER & ~((1 << 10) - 1)
    assert days(con)["hospice_days"] == 0b11111 << 20


def test_of_two_receivers_in_one_transaction_each_hears_of_its_own(tmp_path):
    plan = Member(benefits=(PART_A, PART_B, "EB*R**30*HN|DTP*290*D8*20261001"))
    for place, answer in enumerate((
        Answer((plan,), submitter="HOUSE", others=((f"XX*{SOUTH.npi}", (Member("9EG4TE5MK73"),)),)),
        Answer((Member("9EG4TE5MK73"),), npi=SOUTH.npi, submitter="HOUSE", others=((f"XX*{NORTH.npi}", (plan,)),)),
    )):  # fmt: skip
        con = decided(tmp_path / str(place), answer)
        assert days(con)["fee_for_service_days"] == 0
        assert con.execute(
            "select practice_id, patient_id, count(*) from intermediate.int_coverage_answers__matched group by all order by all"
        ).fetchall() == [("north", "p", 3), ("south", None, 2)]


def test_what_a_clearinghouse_answers_to_two_practices_in_the_same_words_is_told_to_both(tmp_path):
    con = decided(tmp_path, Answer(submitter="HOUSE", npi=SOUTH.npi), Answer(submitter="HOUSE", npi=NORTH.npi))
    assert con.execute(
        "select practice_id, patient_id, count(*) from intermediate.int_coverage_answers__matched group by all order by all"
    ).fetchall() == [("north", "p", 2), ("south", None, 2)]


RETIREE = ("commercial", "W1", "2026-01-01", None)


def test_another_payer_first_that_the_panel_does_not_know_is_told(tmp_path):
    con = decided(tmp_path, Answer((Member(benefits=(PART_A, PART_B, "EB*R**30*12|DTP*290*D8*20261001")),)))
    assert days(con)["other_primary_days"] == OCTOBER
    said = "another payer first: the panel says nothing, the payer 2026-10-01 on (271 of 2026-11-02)"
    assert facts(con) == [("other_primary", 10, said), ("other_primary", 11, said)]


def test_another_payer_first_that_only_the_panel_knows_is_told_for_the_month_of_the_answer(tmp_path):
    part_b = ("medicare_part_b", "1EG4TE5MK73", "2013-03-01", None)
    # What pays second, and what is Medicare's own or never pays first, is no other payer first.
    second = [
        ("commercial", "W2", "2020-01-01", None, 2),
        ("medicaid", "W3", "2020-01-01", None),
        ("qmb", "W4", "2013-03-01", None, 2),
    ]
    qmb = "EB*1**30*QM|DTP*291*D8*20130301"
    con = decided(tmp_path / "1", Answer((Member(benefits=(PART_A, PART_B, qmb)),)), coverages=[part_b, *second, RETIREE])
    assert days(con)["other_primary_days"] == OCTOBER
    assert facts(con) == [
        ("other_primary", 11, "another payer first: the panel says 2026-01-01 on, the payer none (271 of 2026-11-02)")
    ]
    # An answer that tells of less than everything denies nothing by silence.
    con = decided(tmp_path / "2", Answer((Member(benefits=(qmb,)),)), coverages=[part_b, *second, RETIREE])
    assert days(con)["other_primary_days"] == OCTOBER and facts(con) == []


def test_where_panel_and_payer_agree_on_another_payer_first_nothing_is_told(tmp_path):
    of_both = Member(benefits=(PART_A, PART_B, "EB*R**30*12|DTP*290*D8*20260101"))
    part_b = ("medicare_part_b", "1EG4TE5MK73", "2013-03-01", None)
    con = decided(tmp_path, Answer((of_both,)), coverages=[part_b, RETIREE])
    assert days(con)["other_primary_days"] == OCTOBER and facts(con) == []


PLAN = Member(benefits=(PART_A, PART_B, "EB*R**30*HN|DTP*290*D8*20261001"))
OTHER_NPI = practice("north", "1003000126", "NORTH01")
OTHER_SUBMITTER = practice("north", "1234567893", "NORTH02")


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (Answer((PLAN,), submitter="HOUSE"), [(OTHER_NPI, SOUTH)]),
        (Answer((PLAN,), npi="1993999998"), [(OTHER_SUBMITTER, SOUTH)]),
        (Answer((PLAN,)), [(OTHER_NPI, SOUTH), (practice("north", "1003000134", "NORTH03"), SOUTH)]),
        (Answer((PLAN,)), [(SOUTH,), (practice("north", "1003000134", "NORTH03"), SOUTH)]),  # left, and came back
    ],
)
def test_what_a_payer_said_stands_when_the_practice_gets_another_npi_or_submitter_id(tmp_path, answer, then):
    con = decided(tmp_path, answer, then=then)
    assert days(con)["fee_for_service_days"] == 0
    assert [(subject, month) for subject, month, _ in facts(con)] == [("medicare_advantage", 10), ("medicare_advantage", 11)]


def test_a_newer_answer_to_the_new_npi_replaces_that_to_the_former_one(tmp_path):
    new = Answer((Member(),), on="20261105", npi=OTHER_NPI.npi, submitter="HOUSE")
    con = decided(tmp_path, Answer((PLAN,)), new, then=[(OTHER_NPI, SOUTH)])
    assert days(con)["fee_for_service_days"] == OCTOBER


def test_an_npi_typed_by_mistake_brings_no_strangers_of_the_practice_that_has_it(tmp_path):
    answer = Answer((Member("9EG4TE5MK73"), PLAN), npi=SOUTH.npi, submitter="HOUSE")
    mistaken = practice("north", SOUTH.npi, "NORTH01")
    con = decided(tmp_path, answer, then=[(mistaken, SOUTH), (NORTH, SOUTH)])
    asked = "select practice_id, patient_id, count(*) from intermediate.int_coverage_answers__matched group by all order by all"
    assert con.execute(asked).fetchall() == [("north", "p", 3), ("south", None, 5)]


def test_the_answers_of_a_practice_that_is_gone_are_nobodys(tmp_path):
    con = decided(tmp_path, Answer((PLAN,)), then=[(SOUTH,)])
    assert con.execute("from intermediate.int_coverage_answers__matched").fetchall() == []


PERIODS = st.lists(st.tuples(st.integers(-20, 45), st.integers(0, 60), st.booleans()), max_size=2)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=12, deadline=None)
@given(panel=PERIODS, payer=PERIODS, advantage=PERIODS, inactive=st.none() | st.integers(-20, 45))
def test_a_day_may_be_billed_only_where_neither_source_forbids_it(tmp_path_factory, panel, payer, advantage, inactive):
    def day(number: int) -> date:
        return date.fromordinal(date(2026, 10, 1).toordinal() + number)

    def spans(periods):
        return [(day(first), None if is_open else day(first + length)) for first, length, is_open in periods]

    def dtp(qualifier: str, first: date, last: date | None) -> str:
        return f"DTP*{qualifier}*D8*{first:%Y%m%d}" if last is None else f"DTP*{qualifier}*RD8*{first:%Y%m%d}-{last:%Y%m%d}"

    benefits = [PART_A, *(f"EB*1**30*MB|{dtp('291', *span)}" for span in spans(payer))]
    benefits += [f"EB*R**30*HN|{dtp('290', *span)}" for span in spans(advantage)]
    benefits += [] if inactive is None else [f"EB*6**30|{dtp('291', day(inactive), None)}"]
    coverages = [("medicare_part_a", "1EG4TE5MK73", "2013-03-01", None)]
    coverages += [("medicare_part_b", "1EG4TE5MK73", *span) for span in spans(panel)]
    con = decided(tmp_path_factory.mktemp("days"), Answer((Member(benefits=tuple(benefits)),)), coverages=coverages)

    def covers(periods, one: date) -> bool:
        return any(first <= one and (last is None or one <= last) for first, last in spans(periods))

    def has_part_b(one: date) -> bool:
        """What the payer says. What it leaves out it denies in November alone, when it was asked."""
        if inactive is not None and one >= day(inactive):
            return False
        return covers(payer, one) if payer else inactive is not None or one < MONTHS[2]

    for month, length in ((MONTHS[1], 31), (MONTHS[2], 30)):
        mask = days(con, month)["fee_for_service_days"]
        for number in range(length):
            one = month + timedelta(days=number)
            may = covers(panel, one) and has_part_b(one) and not covers(advantage, one)
            assert bool(mask >> number & 1) == may, one
