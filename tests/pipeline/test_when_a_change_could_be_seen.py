"""Since when a change behind a claim could be seen, from which its days run: the model alone, over its tables as a few rows."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from orchestration.rules.seeds import SEEDS, read_seed
from orchestration.transform import compiled
from tests.holds.bench import load

TABLES = """
    create table staging.stg_practices as select 'p' as practice_id, date '2027-03-01' as newest_night;
    create table intermediate.int_claims__history (practice_id varchar, patient_id varchar, month date, claim_id varchar, status varchar, answered_on date);
    create table intermediate.int_claims__answered (claim_id varchar, held_since date);
    create table intermediate.int_coverage_answers__matched (
        practice_id varchar, patient_id varchar, transaction_id varchar, subscriber_position integer, meaning varchar, is_covered boolean, starts_on date,
        ends_on date, answered_on date
    );
    create table intermediate.int_members__unread (practice_id varchar, extract_date date, member_id varchar);
    create table intermediate.int_post_close_changes (
        practice_id varchar, patient_id varchar, month date, claim_id varchar, closed_as_of date, claimed_codes varchar[], reasons varchar[]
    );
    create table staging.stg_time_entries (
        practice_id varchar, entry_id varchar, patient_id varchar, member_id varchar, extract_date date, started_at timestamp, ended_at timestamp,
        recorded_at timestamp, start_at timestamp, end_at timestamp, local_day date, last_local_day date, voided boolean, entry_number ubigint,
        elapsed_seconds bigint, program varchar default 'ccm', activity varchar default 'care', face_to_face boolean default false,
        is_documented boolean default true, updated_at timestamp, file_id varchar, line_number integer default 2
    );
    create table staging.stg_services (
        practice_id varchar, service_id varchar, patient_id varchar, extract_date date, service_date date, member_id varchar,
        procedure_code varchar default '99214', billed_by varchar default 'own_practice', ccm_discussed boolean, updated_at timestamp,
        line_number integer default 2
    );
    create table intermediate.int_services__beside_claims (practice_id varchar, patient_id varchar, month date, finding varchar, listed_on date);
    create table staging.stg_files (practice_id varchar, table_name varchar, extract_date date, is_in_force boolean, outcome varchar);
    create table staging.stg_patients (practice_id varchar, patient_id varchar, extract_date date, billing_practitioner_id varchar, deceased_date date);
    create view intermediate.int_patients__presence as select practice_id, patient_id, extract_date from staging.stg_patients;
    create table staging.stg_care_team (
        practice_id varchar, extract_date date, member_id varchar, credential varchar, npi varchar, taxonomy_code varchar, active_from date, active_to date
    );
    create table staging.stg_coverages (
        practice_id varchar, patient_id varchar, extract_date date, coverage_type varchar, priority integer, effective_date date, termination_date date
    );
    create table staging.stg_conditions (
        practice_id varchar, patient_id varchar, extract_date date, condition_id varchar, icd10_code varchar, clinical_status varchar, onset_date date,
        recorded_date date, resolved_date date
    );
    create table staging.stg_consents (
        practice_id varchar, patient_id varchar, extract_date date, consent_id varchar, program varchar, consented_on date, documented boolean,
        billing_practitioner_id varchar, revoked_on date
    );
    create table staging.stg_care_plans (practice_id varchar, patient_id varchar, extract_date date, care_plan_id varchar, established_on date);
    create table staging.stg_assessments (
        practice_id varchar, patient_id varchar, extract_date date, assessment_id varchar, assessed_on date, mdm_level varchar, member_id varchar
    );
    create table staging.stg_stays (
        practice_id varchar, patient_id varchar, extract_date date, stay_id varchar, stay_type varchar, admitted_on date, discharged_on date
    );
"""
MODELS = [
    compiled.models()[name]
    for name in (
        "int_members__current",
        "int_post_close_changes__evidence",
        "int_post_close_changes__said",
        "int_post_close_changes__found",
    )
]
RULES = (
    "rule_decision_reasons",
    "rule_reason_snapshots",
    "rule_apcm_levels",
    "rule_initiating_visits",
    "rule_coverage_types",
    "rule_stay_types",
)
PANEL = ("patients", "coverages", "conditions", "consents", "care_plans", "assessments", "stays", "care_team")
MONTH = date(2026, 10, 1)
CLOSED, NIGHTS = date(2026, 11, 5), [date(2026, 11, 5), date(2026, 11, 10), date(2026, 12, 20), date(2027, 2, 15)]


@pytest.fixture
def con():
    """A patient whose October was claimed: a further diagnosis of 10 November, a service of December, a consent that is found undocumented in February, and an
    entry of December that corrects one of October."""
    made = duckdb.connect()
    compiled.prepare(made)
    for name in RULES:
        load(made, "rules", next(SEEDS.rglob(f"{name}.csv")))
    made.execute(TABLES)
    for night in NIGHTS:
        for table in PANEL:
            made.execute("insert into staging.stg_files values ('p', ?, ?, true, 'accepted')", [table, night])
        made.execute("insert into staging.stg_patients values ('p', 'x', ?, 'MD', null)", [night])
        made.execute(
            "insert into staging.stg_care_team values ('p', $1, 'MD', 'MD', '1', 'T', null, null), ('p', $1, 'RN', 'RN', null, null, null, null)",
            [night],
        )
        for code in ["I10", "E11"] + ["J44"] * (night >= date(2026, 11, 10)):
            made.execute(
                "insert into staging.stg_conditions values ('p', 'x', ?, ?, ?, 'active', null, null, null)", [night, code, code]
            )
        made.execute(
            "insert into staging.stg_consents values ('p', 'x', ?, 'c', 'ccm', date '2026-01-05', ?, 'MD', null)",
            [night, night < date(2027, 2, 15)],
        )
    visits(made, ("S", "x", "2026-09-01", "2026-10-02", "MD", "99024"), ("S", "x", "2026-11-10", "2026-10-02", "MD", "WITHDRAWN"))
    made.execute(
        "insert into intermediate.int_services__beside_claims values ('p', 'x', date '2026-10-01', 'already_claimed', date '2027-02-15'), "
        "('p', 'x', date '2026-10-01', 'other_practitioner_billed', date '2026-12-20')"
    )
    lands(made, "T", "x", "2026-12-20")
    return made


def visits(con, *rows: tuple[str, ...]) -> None:
    """service_id, patient_id, night, service_date, member_id, procedure_code"""
    con.executemany(
        "insert into staging.stg_services (service_id, patient_id, extract_date, service_date, member_id, procedure_code) values (?, ?, ?, ?, ?, ?)",
        rows,
    )
    con.execute("update staging.stg_services set practice_id = 'p', updated_at = extract_date")


def lands(
    con, entry_id: str, patient_id: str, night: str, at: str = "2026-10-07 10:00", member_id: str = "RN", voided: bool = False
) -> None:
    con.execute(
        "insert into staging.stg_time_entries by name select 'p' as practice_id, $1 as entry_id, $2 as patient_id, $5 as member_id, "
        "cast($3 as date) as extract_date, began as started_at, ended as ended_at, ended as recorded_at, began as start_at, ended as end_at, "
        "cast(began as date) as local_day, cast(ended as date) as last_local_day, $6 as voided, hash('p', $1) as entry_number, 1200 as elapsed_seconds, "
        "cast($3 as timestamp) as updated_at, $1 || ' ' || $3 as file_id from (select cast($4 as timestamp) as began, began + interval 20 minute as ended)",
        [entry_id, patient_id, night, at, member_id, voided],
    )


@pytest.mark.parametrize(
    ("patient_id", "at"), [("y", "2026-10-07 10:00"), ("x", "2026-08-07 10:00")], ids=["another patient's", "another month's"]
)
def test_time_that_turns_out_to_be_somebody_elses_or_of_another_month_tells_by_that_row(con, tmp_path, patient_id, at):
    con.execute("delete from staging.stg_time_entries")
    lands(con, "C", "x", "2026-11-04")
    lands(con, "C", patient_id, "2026-11-20", at)
    lands(con, "OTHER", "x", "2027-02-15")
    lands(con, "YS", "y", "2026-11-10", "2026-10-07 12:00")
    assert found(con, tmp_path, []) == date(2026, 11, 20)


def test_time_of_somebody_else_tells_of_a_patient_from_the_row_on_that_makes_it_theirs(con, tmp_path):
    con.execute("delete from staging.stg_time_entries")
    lands(con, "C", "y", "2026-11-10")
    lands(con, "C", "x", "2026-12-20")
    assert found(con, tmp_path, []) == date(2026, 12, 20)


@pytest.mark.parametrize(
    ("values", "found_on"),
    [
        ({}, date(2026, 11, 10)),
        ({"member_id": "LPN"}, date(2027, 2, 15)),
        ({"at": "2026-10-07 10:20"}, date(2027, 2, 15)),
        ({"voided": True}, date(2027, 2, 15)),
        ({"night": "2026-11-05"}, date(2027, 2, 15)),
        ({"at": "2026-10-06 23:50", "with_x": "2026-10-07 00:05"}, date(2026, 11, 10)),
        ({"at": "2026-10-07 00:05", "with_x": "2026-10-06 23:50"}, date(2026, 11, 10)),
        ({"at": "2026-10-06 10:10"}, date(2027, 2, 15)),
    ],
    ids=[
        "while", "by another member", "behind it", "and voided", "as the close knew", "from before midnight", "behind midnight", "on the day before",
    ],
)  # fmt: skip
def test_time_with_somebody_else_while_a_member_was_with_the_patient_tells_of_it(con, tmp_path, values, found_on):
    con.execute("delete from staging.stg_time_entries")
    values = {"night": "2026-11-10", "at": "2026-10-07 10:10", **values}
    lands(con, "C", "x", "2026-11-04", values.pop("with_x", "2026-10-07 10:00"))
    lands(con, "BESIDE", "y", **values)
    lands(con, "LATER", "x", "2027-02-15", "2026-10-20 10:00")
    assert found(con, tmp_path, ["below_threshold"]) == found_on


@pytest.mark.parametrize(
    "otherwise",
    [{"voided": True}, {"member_id": "LPN"}, {"at": "2026-10-08 10:10"}, {"patient_id": "x"}],
    ids=["voided", "another member's", "another day's", "the patient's own"],
)
def test_time_with_somebody_else_that_turns_out_to_be_none_tells_of_the_time_that_comes_back(con, tmp_path, otherwise):
    con.execute("delete from staging.stg_time_entries")
    lands(con, "C", "x", "2026-11-04")
    beside = {"patient_id": "y", "at": "2026-10-07 10:10"}
    lands(con, "BESIDE", night="2026-11-04", **beside)
    lands(con, "BESIDE", night="2026-12-20", **{**beside, **otherwise})
    lands(con, "LATER", "x", "2027-02-15", "2026-10-20 10:00")
    assert found(con, tmp_path, []) == date(2026, 12, 20)


def test_who_logged_time_of_one_month_tells_of_no_other(con, tmp_path):
    con.execute("delete from staging.stg_time_entries")
    lands(con, "C", "x", "2026-11-04")
    lands(con, "B", "x", "2026-11-04", "2026-08-07 10:00", member_id="MD")
    lands(con, "LATER", "x", "2027-02-15")
    con.execute(
        "insert into intermediate.int_post_close_changes values ('p', 'x', date '2026-08-01', 'B', ?, ['99490 x 1'], ['below_threshold'])",
        [CLOSED],
    )
    con.execute("update staging.stg_care_team set credential = 'LPN' where member_id = 'MD' and extract_date >= '2026-12-20'")
    assert dates(con, tmp_path, ["below_threshold"]) == {date(2026, 8, 1): date(2026, 12, 20), MONTH: date(2027, 2, 15)}


@pytest.mark.parametrize("member_id", ["MD", "DO"], ids=["the billing practitioner's", "the colleague's who saw the patient"])
def test_another_taxonomy_tells_of_a_visit_that_counts_no_more(con, tmp_path, member_id):
    con.execute("delete from staging.stg_services")
    visits(con, ("V", "x", "2026-09-01", "2026-08-02", "DO", "99214"), ("W", "x", "2027-02-15", "2026-08-05", "DO", "99214"))
    con.execute(
        "insert into staging.stg_care_team select * replace ('DO' as member_id) from staging.stg_care_team where member_id = 'MD'"
    )
    con.execute(
        "update staging.stg_care_team set npi = '2', taxonomy_code = 'O' where member_id = 'RN' and extract_date = '2026-11-10'"
    )
    con.execute("update staging.stg_care_team set npi = '2' where extract_date >= '2026-11-10'")
    con.execute(
        "update staging.stg_care_team set taxonomy_code = 'U' where member_id = ? and extract_date >= '2026-12-20'", [member_id]
    )
    assert found(con, tmp_path, ["no_initiating_visit"]) == date(2026, 12, 20)


@pytest.mark.parametrize(
    ("code", "first", "then", "found_on"),
    [
        ("G0439", "2026-03-20", "2026-10-20", date(2026, 12, 20)),
        ("99214", "2026-10-20", "2026-10-08", date(2026, 12, 20)),
        ("99024", "2026-03-20", "2026-10-20", date(2026, 12, 20)),
        ("99490", "2026-10-31", "2026-10-30", date(2027, 2, 15)),
        ("99214", "2026-11-20", "2026-12-02", date(2027, 2, 15)),
    ],
    ids=[
        "the visit was later",
        "it was earlier",
        "what shows that the patient was known",
        "the claim itself",
        "a visit of another month",
    ],
)
@pytest.mark.parametrize("reasons", [["below_threshold"], []], ids=["too little time", "other codes"])
def test_the_visit_from_which_on_time_counts_tells_of_the_time(con, tmp_path, code, first, then, found_on, reasons):
    con.execute("delete from staging.stg_services")
    con.execute("delete from staging.stg_time_entries")
    lands(con, "C", "x", "2026-11-04")
    lands(con, "LATER", "x", "2027-02-15")
    visits(con, ("V", "x", "2026-09-01", first, "MD", code), ("V", "x", "2026-12-20", then, "MD", code))
    assert found(con, tmp_path, reasons) == found_on


@pytest.mark.parametrize(
    ("reasons", "found_on"), [([], date(2026, 12, 20)), (["below_threshold"], date(2027, 2, 15))], ids=["more", "too little"]
)
def test_a_visit_that_comes_later_may_make_time_more_and_none_too_little(con, tmp_path, reasons, found_on):
    con.execute("delete from staging.stg_services")
    con.execute("delete from staging.stg_time_entries")
    lands(con, "LATER", "x", "2027-02-15")
    visits(con, ("V", "x", "2026-12-20", "2026-05-02", "MD", "99214"))
    assert found(con, tmp_path, reasons) == found_on


def test_a_visit_that_turns_out_to_be_somebody_elses_tells_by_that_row(con, tmp_path):
    con.execute("delete from staging.stg_services")
    visits(con, ("V", "x", "2026-09-01", "2026-08-02", "MD", "99214"))
    visits(con, ("V", "y", "2026-12-20", "2026-08-02", "MD", "99214"))
    assert found(con, tmp_path, ["no_initiating_visit"]) == date(2026, 12, 20)


@pytest.mark.parametrize("reason", ["no_initiating_visit", "conflict_g0181", "practitioner_not_eligible"])
def test_another_billing_practitioner_tells_of_the_reasons_that_go_by_them(con, tmp_path, reason):
    con.execute("update staging.stg_patients set billing_practitioner_id = 'DO' where extract_date >= '2026-12-20'")
    con.execute("delete from staging.stg_services")
    visits(con, ("V", "x", "2027-02-15", "2026-08-02", "MD", "99214"))
    assert found(con, tmp_path, [reason]) == date(2026, 12, 20)


@pytest.mark.parametrize("reason", ["no_initiating_visit", "fewer_than_two_conditions", "other_practitioner_billed"])
def test_a_consent_tells_of_the_reasons_that_go_by_its_day_or_program(con, tmp_path, reason):
    con.execute("delete from staging.stg_services")
    con.execute("delete from staging.stg_conditions where icd10_code = 'J44'")
    con.execute("update staging.stg_consents set program = 'pcm' where extract_date >= '2026-12-20'")
    assert found(con, tmp_path, [reason]) == date(2026, 12, 20)


@pytest.mark.parametrize("change", ["set npi = null", "set credential = 'RN'", "set member_id = 'ANOTHER'"])
def test_a_practitioner_who_may_not_bill_any_more_is_told_by_the_team_that_says_so(con, tmp_path, change):
    con.execute(f"update staging.stg_care_team {change} where member_id = 'MD' and extract_date >= '2026-12-20'")
    con.execute("update staging.stg_care_team set credential = 'LPN' where member_id = 'RN' and extract_date >= '2026-11-10'")
    con.execute("update staging.stg_patients set billing_practitioner_id = 'DO' where extract_date >= '2027-02-15'")
    assert found(con, tmp_path, ["practitioner_not_eligible"]) == date(2026, 12, 20)


OTHERWISE = {
    "patients": "update staging.stg_patients set deceased_date = '2026-10-10'",
    "practitioners": "update staging.stg_patients set billing_practitioner_id = 'DO'",
    "consents": "update staging.stg_consents set program = 'pcm'",
    "time_team": "update staging.stg_care_team set credential = 'LPN'",
    "visit_team": "update staging.stg_care_team set taxonomy_code = 'U'",
}


@pytest.mark.parametrize(
    "row", read_seed(SEEDS / "rules" / "rule_reason_snapshots.csv"), ids=lambda row: "-".join(list(row.values())[:2])
)
def test_each_snapshot_that_the_rules_name_beside_a_reasons_own_table_tells_of_the_reason(con, tmp_path, row):
    for told_already in ("stg_services", "stg_time_entries", "stg_conditions"):
        con.execute(f"delete from staging.{told_already}")
    con.execute("delete from intermediate.int_services__beside_claims")
    lands(con, "C", "x", "2026-11-04")
    visits(con, ("V", "x", "2026-09-01", "2026-08-02", "DO", "99214"))
    con.execute(f"{OTHERWISE[row['table_name']]} where extract_date >= '2026-12-20'")
    assert found(con, tmp_path, [row["reason"]]) == date(2026, 12, 20)


def test_the_snapshots_beside_a_reasons_own_table_are_another_table_and_the_reason_undoes_a_claim():
    reasons = {row["reason"]: row for row in read_seed(SEEDS / "rules" / "rule_decision_reasons.csv")}
    for row in read_seed(SEEDS / "rules" / "rule_reason_snapshots.csv"):
        own = reasons[row["reason"]]
        assert own["undoes_a_claim"] == "true" and row["table_name"] != own["evidence"], row


def test_a_nurse_who_turns_out_to_have_left_tells_of_the_time(con, tmp_path):
    con.execute("delete from staging.stg_time_entries")
    lands(con, "C", "x", "2026-11-04")
    lands(con, "LATER", "x", "2027-02-15", member_id="LPN")
    con.execute("update staging.stg_care_team set active_to = '2026-10-01' where member_id = 'RN' and extract_date >= '2026-12-20'")
    assert found(con, tmp_path, ["below_threshold"]) == date(2026, 12, 20)


def test_a_coverage_that_an_export_lists_twice_tells_like_one(con, tmp_path):
    for night in NIGHTS[1:]:
        for _ in range(2):
            con.execute(
                "insert into staging.stg_coverages values ('p', 'x', ?, 'medicare_advantage', null, date '2026-10-01', null)",
                [night],
            )
    lands(con, "LATER", "x", "2027-02-15")
    assert found(con, tmp_path, ["medicare_advantage", "below_threshold"]) == date(2026, 11, 10)


def found(con, home, reasons: list[str], codes: tuple[str, ...] = ("99490 x 1",)) -> date:
    return dates(con, home, reasons, codes)[MONTH]


def dates(con, home, reasons: list[str], codes: tuple[str, ...] = ("99490 x 1",)) -> dict[date, date]:
    con.execute(
        "insert into intermediate.int_post_close_changes values ('p', 'x', ?, 'C', ?, ?, ?)", [MONTH, CLOSED, list(codes), reasons]
    )
    compiled.run(con, home, MODELS)
    return dict(con.execute("select month, found_on from intermediate.int_post_close_changes__found").fetchall())


def test_a_month_that_was_paid_twice_tells_since_the_day_by_which_both_were_held_whatever_was_answered_since(con, tmp_path):
    con.execute("delete from staging.stg_time_entries")
    con.execute(
        "insert into intermediate.int_claims__history values "
        "('p', 'x', '2026-10-01', 'C', 'paid', '2027-02-01'), ('p', 'x', '2026-10-01', 'FIRST', 'paid', '2027-02-01');"
        "insert into intermediate.int_claims__answered values ('C', '2026-11-20'), ('FIRST', '2026-11-25')"
    )
    assert found(con, tmp_path, []) == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("codes", "reasons", "found_on"),
    [
        (["99490 x 1"], ["consent_undocumented"], date(2027, 2, 15)),
        (["99490 x 1"], ["fewer_than_two_conditions"], date(2026, 11, 10)),
        (["99490 x 1"], ["no_initiating_visit"], date(2026, 11, 10)),
        (["99490 x 1"], ["other_practitioner_billed"], date(2026, 12, 20)),
        (["99490 x 1"], ["already_claimed"], date(2027, 2, 15)),
        (["99439 x 1", "99490 x 1"], [], date(2026, 12, 20)),
        (["99490 x 1"], ["below_threshold"], date(2026, 12, 20)),
        (["99490 x 1"], ["consent_undocumented", "below_threshold"], date(2026, 12, 20)),
        (["G0557 x 1"], [], date(2026, 11, 10)),
        (["99490 x 1"], ["practitioner_not_eligible"], date(2026, 11, 10)),
    ],
    ids=[
        "by its consent", "by its conditions", "by a visit", "by another practice's service",
        "by the practice's own other bill, and not by the claim as its system lists it", "by its time", "by too little time", "by the first of two",
        "a level by its conditions", "what no row of the patient explains, by the first night after the close",
    ],
)  # fmt: skip
def test_a_change_could_be_seen_from_the_first_row_that_tells_of_it_and_not_from_any_later_one(
    con, tmp_path, codes, reasons, found_on
):
    assert found(con, tmp_path, reasons, codes) == found_on


def answers(con, night: str, *said: tuple[str, str | None, str | None]) -> None:
    """A 271 that tells of Medicare as a whole: meaning, first and last day of each statement."""
    for meaning, starts_on, ends_on in (("part_a", "2020-01-01", None), *said):
        con.execute(
            "insert into intermediate.int_coverage_answers__matched values ('p', 'x', ?, 1, ?, true, ?, ?, ?)",
            [night, meaning, starts_on, ends_on, night],
        )


def test_what_a_payer_says_of_coverage_tells_of_its_reasons_alone(con, tmp_path):
    answers(con, "2026-11-30", ("medicare_advantage", "2026-09-01", None))
    con.execute(
        "insert into intermediate.int_post_close_changes values ('p', 'x', date '2026-10-01', 'C', ?, ['99490 x 1'], ['medicare_advantage']), "
        "('p', 'x', date '2026-09-01', 'B', ?, ['99490 x 1'], ['consent_undocumented'])",
        [CLOSED, CLOSED],
    )
    compiled.run(con, tmp_path, MODELS)
    told = con.execute("select found_on from intermediate.int_post_close_changes__found order by month").fetchall()
    assert told == [(date(2027, 2, 15),), (date(2026, 11, 30),)]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("medicare_advantage", ("medicare_advantage", "2026-10-01", None)),
        ("deceased", ("deceased", "2026-09-20", None)),
        ("hospice", ("hospice", "2026-09-20", None)),
    ],
)
def test_what_a_payer_said_first_dates_what_it_says_again(con, tmp_path, reason, said):
    """Nor does an answer that says nothing against the month, or the answer of before once more."""
    con.execute("delete from staging.stg_time_entries")
    answers(con, "2026-11-01", ("part_b", "2020-01-01", None), ("medicare_advantage", "2027-01-01", None))
    answers(
        con, "2026-11-10", ("part_b", "2020-01-01", "2026-12-31"), ("qmb", "2026-01-01", None), ("deceased", "2026-11-08", None)
    )
    answers(con, "2026-12-20", ("part_b", "2020-01-01", None), said)
    answers(con, "2027-02-15", ("part_b", "2020-01-01", None), said)
    assert found(con, tmp_path, [reason]) == date(2026, 12, 20)


@pytest.mark.parametrize(("code", "found_on"), [("G0557", date(2026, 12, 20)), ("99490", date(2027, 2, 15))])
@pytest.mark.parametrize("payer", [False, True], ids=["by the panel", "by the payer"])
def test_qmb_tells_of_a_level_of_apcm_and_of_no_other_code(con, tmp_path, code, found_on, payer):
    for table in ("stg_time_entries", "stg_conditions", "stg_consents"):
        con.execute(f"delete from staging.{table}")
    lands(con, "LATER", "x", "2027-02-15")
    if payer:
        answers(con, "2026-12-20", ("qmb", "2026-01-01", None))
    else:
        con.execute(
            "insert into staging.stg_coverages select 'p', 'x', unnest($1), 'qmb', null, date '2026-01-01', null", [NIGHTS[2:]]
        )
    assert found(con, tmp_path, [], (f"{code} x 1",)) == found_on


AGAIN, NEWS = "extract_date = '2026-11-10'", "extract_date >= '2026-12-20'"
TEAM = "update staging.stg_care_team set"
# What was known at the close, what is sent on 10 November and says nothing new, and what on 20 December does.
SOURCES = {
    "time": ([], lambda con: lands(con, "C", "x", "2026-11-10"), lambda con: lands(con, "C", "x", "2026-12-20", voided=True)),
    "time that was voided": (
        [],
        lambda con: lands(con, "VOID", "x", "2026-11-10", "2026-10-07 12:00", voided=True),
        lambda con: lands(con, "C", "x", "2026-12-20", voided=True),
    ),
    "an older row of time": (
        ["below_threshold"],
        lambda con: (
            lands(con, "C", "x", "2026-11-10", "2026-10-09 10:00"),
            con.execute(f"update staging.stg_time_entries set updated_at = '2026-10-01' where {AGAIN}"),
        ),
        lambda con: lands(con, "C", "x", "2026-12-20", voided=True),
    ),
    "time of the next month": (
        [],
        lambda con: lands(con, "NEXT", "x", "2026-11-10", "2026-11-01 10:00"),
        lambda con: lands(con, "C", "x", "2026-12-20", voided=True),
    ),
    "time with somebody else": (
        ["below_threshold"],
        lambda con: lands(con, "BESIDE", "y", "2026-11-10", "2026-10-09 10:10"),
        lambda con: lands(con, "BESIDE", "y", "2026-12-20", "2026-10-09 10:15"),
    ),
    "the visit from which on time counts": (
        ["below_threshold"],
        lambda con: visits(con, ("V", "x", "2026-11-10", "2026-08-02", "DO", "99214")),
        lambda con: visits(con, ("V", "x", "2026-12-20", "2026-10-12", "DO", "99214")),
    ),
    "the visit": (
        ["no_initiating_visit"],
        lambda con: visits(con, ("V", "x", "2026-11-10", "2026-08-02", "DO", "99214")),
        lambda con: visits(con, ("V", "x", "2026-12-20", "2026-08-02", "DO", "WITHDRAWN")),
    ),
    "another visit": (
        ["no_initiating_visit"],
        lambda con: visits(con, ("W", "x", "2026-11-10", "2026-10-20", "MD", "99214")),
        lambda con: visits(con, ("V", "x", "2026-12-20", "2026-08-02", "DO", "WITHDRAWN")),
    ),
    "a colleague who leaves": (
        ["no_initiating_visit"],
        lambda con: con.execute("delete from staging.stg_care_team where member_id = 'DO' and extract_date >= '2026-11-10'"),
        lambda con: visits(con, ("V", "x", "2026-12-20", "2026-08-02", "DO", "WITHDRAWN")),
    ),
    "a colleague who saw the patient after the month": (
        ["no_initiating_visit"],
        lambda con: con.execute(f"{TEAM} taxonomy_code = 'U' where member_id = 'NP' and extract_date >= '2026-11-10'"),
        lambda con: visits(con, ("V", "x", "2026-12-20", "2026-08-02", "DO", "WITHDRAWN")),
    ),
    "a death": (
        ["no_initiating_visit"],
        lambda con: con.execute("update staging.stg_patients set deceased_date = '2026-10-20' where extract_date >= '2026-11-10'"),
        lambda con: visits(con, ("V", "x", "2026-12-20", "2026-08-02", "DO", "WITHDRAWN")),
    ),
    "another practitioner": (
        ["deceased"],
        lambda con: con.execute(
            "update staging.stg_patients set billing_practitioner_id = 'DO' where extract_date >= '2026-11-10'"
        ),
        lambda con: con.execute(f"update staging.stg_patients set deceased_date = '2026-09-20' where {NEWS}"),
    ),
    "a death after the month": (
        [],
        lambda con: con.execute("update staging.stg_patients set deceased_date = '2026-11-08' where extract_date >= '2026-11-10'"),
        lambda con: con.execute(f"update staging.stg_patients set deceased_date = '2026-10-20' where {NEWS}"),
    ),
    "a nurse who leaves": (
        ["below_threshold"],
        lambda con: con.execute("delete from staging.stg_care_team where member_id = 'RN' and extract_date >= '2026-11-10'"),
        lambda con: lands(con, "C", "x", "2026-12-20", voided=True),
    ),
    "a nurse's number": (
        [],
        lambda con: con.execute(f"{TEAM} npi = '9', taxonomy_code = 'N' where member_id = 'RN' and extract_date >= '2026-11-10'"),
        lambda con: lands(con, "C", "x", "2026-12-20", voided=True),
    ),
    "a practitioner of before": (
        ["practitioner_not_eligible"],
        lambda con: con.execute("delete from staging.stg_care_team where member_id = 'DO' and extract_date >= '2026-11-10'"),
        lambda con: con.execute(f"{TEAM} npi = null where member_id = 'MD' and {NEWS}"),
    ),
    "when a practitioner was active": (
        ["practitioner_not_eligible"],
        lambda con: con.execute(f"{TEAM} active_from = '2020-01-01', taxonomy_code = 'U' where extract_date >= '2026-11-10'"),
        lambda con: con.execute(f"delete from staging.stg_care_team where member_id = 'MD' and {NEWS}"),
    ),
    "a coverage, twice": (
        ["no_part_b"],
        lambda con: con.execute(f"insert into staging.stg_coverages select * from staging.stg_coverages where {AGAIN}"),
        lambda con: con.execute(f"update staging.stg_coverages set termination_date = '2026-09-30' where {NEWS}"),
    ),
    "another coverage": (
        ["medicare_advantage"],
        lambda con: (
            con.execute(
                "update staging.stg_coverages set termination_date = '2026-11-30', priority = 2 where extract_date >= '2026-11-10'"
            ),
            con.execute(
                f"insert into staging.stg_coverages select * replace ('medigap' as coverage_type) from staging.stg_coverages where {AGAIN}"
            ),
            con.execute(
                "insert into staging.stg_coverages select * replace ('medicare_advantage' as coverage_type, date '2026-11-01' as effective_date) "
                f"from staging.stg_coverages where coverage_type = 'medicare_part_b' and {AGAIN}"
            ),
        ),
        lambda con: con.execute(
            f"insert into staging.stg_coverages select * replace ('medicare_advantage' as coverage_type) from staging.stg_coverages where {NEWS}"
        ),
    ),
    "a condition": (
        ["fewer_than_two_conditions"],
        lambda con: (
            con.execute(
                f"update staging.stg_conditions set condition_id = 'N', icd10_code = 'e1.1 ' where icd10_code = 'E11' and {AGAIN}"
            ),
            con.execute(
                "insert into staging.stg_conditions values ('p', 'x', '2026-11-10', 'J', 'J44', 'active', null, '2026-11-02', null)"
            ),
        ),
        lambda con: con.execute(
            f"update staging.stg_conditions set clinical_status = 'resolved' where icd10_code = 'E11' and {NEWS}"
        ),
    ),
    "a consent": (
        ["consent_undocumented"],
        lambda con: con.execute(
            "update staging.stg_consents set revoked_on = '2026-11-08', billing_practitioner_id = 'DO' where extract_date >= '2026-11-10'"
        ),
        lambda con: con.execute(f"update staging.stg_consents set documented = false where {NEWS}"),
    ),
    "a care plan": (
        ["no_care_plan"],
        lambda con: (
            con.execute(
                "update staging.stg_care_plans set care_plan_id = 'Q', established_on = '2026-03-01' where extract_date >= '2026-11-10'"
            ),
            con.execute("insert into staging.stg_care_plans values ('p', 'x', '2026-11-10', 'R', '2026-11-03')"),
        ),
        lambda con: con.execute(f"delete from staging.stg_care_plans where {NEWS}"),
    ),
    "an assessment": (
        [],
        lambda con: con.execute(
            "insert into staging.stg_assessments values ('p', 'x', '2026-11-10', 'A', '2026-11-03', 'high', 'MD')"
        ),
        lambda con: con.execute(
            "insert into staging.stg_assessments values ('p', 'x', '2026-12-20', 'B', '2026-10-03', 'high', 'MD')"
        ),
    ),
    "a stay": (
        ["facility_whole_month"],
        lambda con: con.execute(
            "insert into staging.stg_stays values ('p', 'x', '2026-11-10', 'A', 'inpatient', '2026-11-01', null), "
            "('p', 'x', '2026-11-10', 'B', 'assisted_living', '2026-09-01', null)"
        ),
        lambda con: con.execute(
            "insert into staging.stg_stays values ('p', 'x', '2026-12-20', 'C', 'inpatient', '2026-09-01', null)"
        ),
    ),
    "a patient who leaves the panel": (
        ["consent_undocumented", "below_threshold"],
        lambda con: [
            con.execute(f"delete from staging.stg_{table} where extract_date >= '2026-11-10'")
            for table in PANEL
            if table != "care_team"
        ],
        lambda con: lands(con, "C", "x", "2026-12-20", voided=True),
    ),
    "a patient who is back": (
        ["consent_undocumented"],
        lambda con: [con.execute(f"delete from staging.stg_{table} where {AGAIN}") for table in PANEL if table != "care_team"],
        lambda con: con.execute(f"update staging.stg_consents set documented = false where {NEWS}"),
    ),
}


@pytest.mark.parametrize(("reasons", "again", "news"), SOURCES.values(), ids=SOURCES)
def test_a_row_that_is_sent_again_or_tells_of_something_else_says_nothing_new(con, tmp_path, reasons, again, news):
    for table in ("services", "time_entries", "conditions", "consents"):
        con.execute(f"delete from staging.stg_{table}")
    con.execute("delete from intermediate.int_services__beside_claims")
    con.execute("insert into staging.stg_patients values ('p', 'x', date '2026-09-01', 'DO', null)")
    con.execute("insert into staging.stg_patients select * replace ('y' as patient_id) from staging.stg_patients")
    con.execute("insert into staging.stg_files values ('p', 'patients', '2026-09-01', true, 'accepted')")
    con.execute(
        "insert into staging.stg_care_team select team.* replace (name as member_id) from staging.stg_care_team as team, "
        "(values ('DO'), ('NP')) as names (name) "
        "where member_id = 'MD'"
    )
    for night in NIGHTS:
        con.execute(
            "insert into staging.stg_coverages values ('p', 'x', ?, 'medicare_part_b', null, date '2020-01-01', null)", [night]
        )
        con.execute(
            "insert into staging.stg_consents values ('p', 'x', ?, 'c', 'ccm', date '2026-01-05', true, 'MD', null)", [night]
        )
        con.execute("insert into staging.stg_care_plans values ('p', 'x', ?, 'P', date '2026-01-05')", [night])
        for code in ("I10", "E11"):
            con.execute(
                "insert into staging.stg_conditions values ('p', 'x', ?, ?, ?, 'active', null, null, null)", [night, code, code]
            )
    lands(con, "C", "x", "2026-11-04")
    lands(con, "LATE", "x", "2026-11-04", "2026-10-09 10:00")
    lands(con, "BESIDE", "y", "2026-11-04", "2026-10-09 10:10")
    visits(con, ("V", "x", "2026-09-01", "2026-08-02", "DO", "99214"), ("N", "x", "2026-11-05", "2026-11-02", "NP", "99214"))
    again(con)
    news(con)
    assert found(con, tmp_path, reasons) == date(2026, 12, 20)
