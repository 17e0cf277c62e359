"""Which claims are other claims by what is known now: the model alone, over its tables as a few rows. Whole nights: test_after_the_close.py."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.transform import claim_lines, compiled
from orchestration.transform.claim_lines import CLAIM_LINES

STAFF, STAFF_LESS, COMPLEX, COMPLEX_MORE = (
    (("99490", 1), ("99439", 2)), (("99490", 1), ("99439", 1)), (("99487", 1),), (("99487", 1), ("99489", 1)),
)  # fmt: skip
WORTH = {"99490": 65, "99439": 49, "99487": 140, "99489": 76, "99424": 80, "G0556": 16, "G0557": 50}
TABLES = """
    create table staging.stg_practices as select 'p' as practice_id;
    create table staging.stg_closes as select 'p' as practice_id, date '2026-10-01' as month, 1 as close_version, date '2026-11-06' as newest_night;
    create table rules.rule_decision_reasons (reason varchar, precedence integer, undoes_a_claim boolean);
    insert into rules.rule_decision_reasons values
        ('no_consent', 1, true), ('already_claimed', 2, true), ('other_practitioner_billed', 3, true), ('conflict_pcm', 4, true);
    create table rules.rule_conflicts as
        select unnest(['already_claimed', 'other_practitioner_billed', 'conflict_pcm']) as finding, 'reason' as kind,
            unnest(['own_practice', 'other_practice', 'billing_practitioner']) as billed_by;
    create table staging.stg_patients as
        select 'p' as practice_id, 'x' as patient_id, date '2026-09-01' as extract_date, 'MD' as billing_practitioner_id;
    create table staging.stg_services (
        practice_id varchar, patient_id varchar, service_id varchar, extract_date date, procedure_code varchar, units bigint, service_date date,
        billed_by varchar, is_current boolean, member_id varchar, updated_at timestamp, line_number bigint
    );
    create table intermediate.int_claims__current as
        select 'p' as practice_id, 'x' as patient_id, date '2026-10-01' as month, 'C' as claim_id, 1 as close_version, 'submitted' as status;
    create table intermediate.int_claims__history as from intermediate.int_claims__current;
    create table intermediate.int_claims__answered (claim_id varchar, determined_on date);
    create table intermediate.int_eligibility (
        practice_id varchar, patient_id varchar, month date, reason varchar, reason_but_for_panel varchar
    );
    create table intermediate.int_decision_findings (practice_id varchar, patient_id varchar, month date, reason varchar);
    create table intermediate.int_service_findings (
        practice_id varchar, patient_id varchar, month date, service_id varchar, procedure_code varchar, units bigint, kind varchar, finding varchar
    );
    create table intermediate.int_tracks__chosen (
        scenario varchar, practice_id varchar, patient_id varchar, month date, track varchar, place integer, allowed_amount decimal(18, 2),
        codes struct(code varchar, units bigint)[], service_date date
    );
    create table intermediate.int_candidates__priced (
        scenario varchar, practice_id varchar, patient_id varchar, month date, track varchar, procedure_code varchar, units bigint,
        unit_amount decimal(12, 2)
    );
    create table intermediate.int_candidates__dated (
        scenario varchar, practice_id varchar, patient_id varchar, month date, track varchar, threshold_on date
    );
    create table intermediate.int_patient_months__basis as
        select 'p' as practice_id, 'x' as patient_id, date '2026-10-01' as month, (cast(1 as bigint) << 31) - 1 as billable_days,
            cast(1 as decimal(5, 2)) as payment_share;
    create table intermediate.int_prices__as_claimed (
        practice_id varchar, place_of_service varchar, mac varchar, state varchar, locality varchar, qualifying_apm_participant boolean,
        procedure_code varchar, service_date date, payment_share decimal(5, 2), unit_amount decimal(12, 2)
    );
"""
SERVICE_DATE, REACHED_ON, LISTED_ON = date(2026, 10, 31), date(2026, 10, 12), date(2026, 11, 10)
Codes = Sequence[tuple[str, int]]


def worth(codes: Codes) -> Decimal:
    return Decimal(sum(WORTH[code] * units for code, units in codes))


def bill(
    con: duckdb.DuckDBPyConnection,
    service_id: str,
    code: str,
    units: int | None,
    finding: str = "already_claimed",
    billed_by: str = "own_practice",
    listed_on: date = LISTED_ON,
    is_current: bool = True,
    member_id: str = "MD",
    updated_on: date | None = None,
) -> None:
    """A service of October that gives the month a reason by its program of today."""
    con.execute(
        "insert into staging.stg_services values ('p', 'x', ?, ?, ?, ?, date '2026-10-31', ?, ?, ?, ?, 2)",
        [service_id, listed_on, code, units, billed_by, is_current, member_id, updated_on or listed_on],
    )
    if is_current:
        month = "'p', 'x', date '2026-10-01'"
        con.execute(
            f"insert into intermediate.int_service_findings values ({month}, ?, ?, ?, 'reason', ?)",
            [service_id, code, units, finding],
        )
        con.execute(f"insert into intermediate.int_decision_findings values ({month}, ?)", [finding])


def texts(codes: Codes) -> list[str]:
    return sorted(f"{code} x {units}" for code, units in codes)


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    compiled.prepare(made)
    made.execute(TABLES)
    return made


def told(con: duckdb.DuckDBPyConnection, home: Path) -> list[tuple[list[str], Decimal, date, date]]:
    """Codes and amount now, the day as claimed and the day now."""
    compiled.run(con, home, [compiled.models()[name] for name in ("int_services__beside_claims", "int_post_close_changes")])
    return con.execute(
        "select codes_now, amount_now, claimed_service_date, service_date_now from intermediate.int_post_close_changes"
    ).fetchall()


def changed(
    con: duckdb.DuckDBPyConnection,
    home: Path,
    claimed: Codes,
    then: Sequence[Codes] | None,
    now: Sequence[Codes],
    claimed_on: date = SERVICE_DATE,
) -> tuple[list[str], Decimal] | None:
    """What the claim would be now, and its amount; none where it is what it was. `then`: the alternatives of its close, `now`: the candidates as the
    policy of today puts them."""
    lines = [
        {
            "practice_id": "p", "claim_id": "C", "procedure_code": code, "units": units, "allowed_amount": worth([(code, units)]),
            "service_date": claimed_on, "alternatives": None if then is None else [", ".join(texts(codes)) for codes in then],
        }
        for code, units in claimed
    ]  # fmt: skip
    folder = home / "lake" / "configuration"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(lines, schema=CLAIM_LINES), folder / "claim_lines.parquet")
    for place, codes in enumerate(now, 1):
        con.execute(
            "insert into intermediate.int_tracks__chosen values ('actual', 'p', 'x', date '2026-10-01', ?, ?, ?, ?, ?)",
            [codes[0][0], place, worth(codes), [{"code": code, "units": units} for code, units in codes], SERVICE_DATE],
        )
        con.execute(
            "insert into intermediate.int_candidates__dated values ('actual', 'p', 'x', date '2026-10-01', ?, ?)",
            [codes[0][0], REACHED_ON],
        )
        for code, units in codes:
            con.execute(
                "insert into intermediate.int_candidates__priced values ('actual', 'p', 'x', date '2026-10-01', ?, ?, ?, ?)",
                [codes[0][0], code, units, WORTH[code]],
            )
    found = told(con, home)
    return found[0][:2] if found else None


@pytest.mark.parametrize(
    ("claimed", "then", "now", "becomes"),
    [
        (STAFF, [STAFF, COMPLEX], [COMPLEX, STAFF], None),
        (COMPLEX, [COMPLEX, STAFF], [STAFF, COMPLEX], None),
        (STAFF, [STAFF], [STAFF], None),
        (STAFF, [STAFF, COMPLEX], [COMPLEX, STAFF_LESS], COMPLEX),
        (COMPLEX_MORE, [COMPLEX_MORE, STAFF], [STAFF, COMPLEX], STAFF),
        (COMPLEX_MORE, [COMPLEX_MORE, STAFF], [COMPLEX, STAFF], COMPLEX),
        (STAFF_LESS, [STAFF_LESS], [STAFF], STAFF),
        (STAFF, [STAFF], [COMPLEX_MORE, STAFF], COMPLEX_MORE),
        (STAFF, [STAFF], [COMPLEX, STAFF], COMPLEX),
        (STAFF, [STAFF, COMPLEX], [COMPLEX_MORE, STAFF], COMPLEX_MORE),
        (STAFF, [STAFF], [STAFF, COMPLEX], None),
        (COMPLEX, [COMPLEX, STAFF], [STAFF], STAFF),
        (STAFF, [STAFF, COMPLEX], [], ()),
        ((("G0556", 1),), [(("G0556", 1),)], [(("G0557", 1),)], (("G0557", 1),)),
        (STAFF, None, [COMPLEX, STAFF], COMPLEX),
    ],
    ids=[
        "another track by another policy", "a dearer track by another policy", "as it was", "less time, and another policy",
        "less time, for which a track that was there then is chosen", "less time on the claimed track", "more time",
        "a track that did not qualify then", "a cheaper one", "more time for another track", "a track that qualifies now and is not chosen",
        "the claimed track qualifies no more", "none qualifies", "another level", "it is not known what qualified then",
    ],
)  # fmt: skip
def test_a_claim_is_another_by_other_facts_and_not_by_the_choice_of_another_track(con, tmp_path, claimed, then, now, becomes):
    expected = None if becomes is None else (texts(becomes), worth(becomes))
    assert changed(con, tmp_path, claimed, then, now) == expected


def test_what_a_code_of_the_claim_is_worth_by_now_changes_no_claim_of_then(con, tmp_path):
    changed(con, tmp_path, STAFF_LESS, [STAFF_LESS], [STAFF])
    con.execute("update intermediate.int_candidates__priced set unit_amount = unit_amount * 2")
    assert [amount for _, amount, *_ in told(con, tmp_path)] == [worth(STAFF)]
    con.execute("update intermediate.int_candidates__priced set procedure_code = '99487' where procedure_code = '99439'")
    assert [amount for _, amount, *_ in told(con, tmp_path)] == [WORTH["99490"] + 2 * 2 * WORTH["99439"]]


def test_a_reason_against_the_claim_undoes_it_whatever_track_qualifies(con, tmp_path):
    con.execute("insert into intermediate.int_decision_findings values ('p', 'x', date '2026-10-01', 'no_consent')")
    assert changed(con, tmp_path, STAFF, [STAFF, COMPLEX], [COMPLEX, STAFF]) == ([], Decimal(0))


@pytest.mark.parametrize(
    ("claimed", "services", "becomes"),
    [
        ((("G0557", 1),), [("99495", 1)], ()),
        ((("G0557", 1),), [("99490", 1)], ()),
        (STAFF, [("99491", None)], ()),
        (STAFF, [("99490", 1), ("99439", 2)], None),
        (STAFF, [("99490", None), ("99439", 1), ("99439", 1)], None),
        (STAFF, [("99490", 1), ("99490", 1)], ()),
        (STAFF, [("99439", 3)], ()),
        (STAFF, [], None),
    ],
    ids=[
        "what it bundles", "another program's", "another track's, without units", "the claim itself", "the claim itself, line by line",
        "its base code twice", "more units than were claimed", "none",
    ],
)  # fmt: skip
def test_another_bill_of_the_practice_undoes_the_claim_and_the_claim_itself_as_its_own_system_lists_it_does_not(
    con, tmp_path, claimed, services, becomes
):
    for number, (code, units) in enumerate(services):
        bill(con, f"V{number}", code, units)
    expected = None if becomes is None else (texts(becomes), worth(becomes))
    assert changed(con, tmp_path, claimed, [claimed], [claimed]) == expected


def test_another_bill_is_held_against_the_claims_that_stand_and_a_rejected_one_claims_nothing(con, tmp_path):
    bill(con, "V", "99490", 1)
    assert changed(con, tmp_path, STAFF, [STAFF], [STAFF]) is None
    con.execute("update intermediate.int_claims__history set status = 'rejected'")
    con.execute("insert into intermediate.int_claims__history values ('p', 'x', date '2026-10-01', 'D', 2, 'submitted')")
    con.execute(
        "create or replace table intermediate.int_claims__current as from intermediate.int_claims__history where claim_id = 'D'"
    )
    path = tmp_path / "lake" / "configuration" / "claim_lines.parquet"
    lines = pq.read_table(path).to_pylist()
    again = {**lines[0], "claim_id": "D", "procedure_code": "99487", "alternatives": ["99487 x 1"]}
    pq.write_table(pa.Table.from_pylist([*lines, again], schema=CLAIM_LINES), path)
    con.execute("update staging.stg_closes set close_version = 2")
    assert [codes for codes, *_ in told(con, tmp_path)] == [[]]


@pytest.mark.parametrize(
    ("code", "finding", "billed_by", "is_against"),
    [
        ("99424", "conflict_pcm", "own_practice", False),
        ("99426", "conflict_pcm", "own_practice", True),
        ("99424", "other_practitioner_billed", "other_practice", True),
    ],
    ids=["the claim itself", "another bill", "another practice's"],
)
def test_the_claim_itself_as_its_own_system_lists_it_bars_no_claim_of_the_program_that_the_month_has_by_now(
    con, tmp_path, code, finding, billed_by, is_against
):
    """Principal care management was claimed; by a consent that came later the month is one of CCM."""
    bill(con, "V", code, 1, finding, billed_by)
    claimed, now = (("99424", 1),), (("99490", 1),)
    assert changed(con, tmp_path, claimed, [claimed], [now]) == (([], 0) if is_against else (texts(now), worth(now)))


def test_another_bill_is_the_service_that_brought_more_than_was_claimed_since_the_night_on_which_it_did(con, tmp_path):
    later, last = date(2026, 12, 4), date(2027, 1, 25)
    bill(con, "B", "99490", 1)
    bill(con, "A", "99490", 1, listed_on=later, is_current=False)
    bill(con, "A", "99490", 1, listed_on=last)
    bill(con, "C", "99439", 2, is_current=False)
    bill(con, "C", "99439", 3, listed_on=last)
    assert changed(con, tmp_path, STAFF, [STAFF], [STAFF]) == ([], 0)
    found = con.execute("select service_id, listed_on from intermediate.int_services__beside_claims order by all").fetchall()
    assert found == [("A", later), ("C", last)]


NIGHT = {"before": date(2026, 10, 30), "first": date(2026, 11, 10), "then": date(2026, 12, 4), "last": date(2027, 1, 25)}
COLLEAGUE, OURS, THEIRS = {"member_id": "DO"}, {}, {"billed_by": "other_practice"}


@pytest.mark.parametrize(
    ("finding", "listed", "found_on"),
    [
        ("conflict_pcm", {"before": COLLEAGUE, "last": OURS}, "last"),
        ("conflict_pcm", {"first": OURS, "last": OURS}, "first"),
        ("already_claimed", {"first": COLLEAGUE, "last": OURS}, "first"),
        ("other_practitioner_billed", {"first": OURS, "last": THEIRS}, "last"),
        ("already_claimed", {"first": THEIRS, "last": OURS}, "last"),
        ("conflict_pcm", {"before": OURS, "first": COLLEAGUE, "then": OURS, "last": OURS}, "then"),
        ("other_practitioner_billed", {"first": THEIRS, "then": THEIRS | {"code": "WITHDRAWN"}, "last": THEIRS}, "last"),
        ("other_practitioner_billed", {"first": THEIRS, "last": THEIRS | COLLEAGUE}, "first"),
        ("conflict_pcm", {"first": OURS, "then": COLLEAGUE | {"updated_on": date(2026, 11, 1)}, "last": OURS}, "first"),
    ],
    ids=[
        "a colleague's at first", "the practitioner's at first", "whoever it names", "the practice's own at first", "another practice's at first",
        "the practitioner's again", "listed again", "another practice's, whoever it names", "a stale row in between",
    ],
)  # fmt: skip
def test_a_bill_counts_from_the_night_on_which_it_was_listed_as_what_undoes_the_claim(con, tmp_path, finding, listed, found_on):
    for night, said in listed.items():
        bill(
            con,
            "V",
            **{"code": "99426", "units": 1, "finding": finding, "listed_on": NIGHT[night], "is_current": night == "last"} | said,
        )
    changed(con, tmp_path, STAFF, [STAFF], [STAFF])
    assert con.execute("select listed_on from intermediate.int_services__beside_claims").fetchall() == [(NIGHT[found_on],)]


@pytest.mark.parametrize(
    ("finding", "found_on"), [("conflict_pcm", "then"), ("already_claimed", "first")], ids=["who bills it matters", "it does not"]
)
def test_a_bill_of_whoever_became_the_billing_practitioner_later_counts_from_then(con, tmp_path, finding, found_on):
    con.execute("update staging.stg_patients set billing_practitioner_id = 'DO'")
    for night in ("then", "last"):
        con.execute("insert into staging.stg_patients values ('p', 'x', ?, 'MD')", [NIGHT[night]])
    bill(con, "V", "99426", 1, finding)
    changed(con, tmp_path, STAFF, [STAFF], [STAFF])
    assert con.execute("select listed_on from intermediate.int_services__beside_claims").fetchall() == [(NIGHT[found_on],)]


def days(*of_the_month: int) -> int:
    return sum(1 << (day - 1) for day in of_the_month)


@pytest.mark.parametrize(
    ("billable_days", "reached_on", "dated_now", "becomes"),
    [
        (days(*range(1, 32)), date(2026, 10, 12), date(2026, 10, 12), None),
        (days(*range(1, 31)), date(2026, 10, 12), date(2026, 10, 12), date(2026, 10, 12)),
        (days(*range(1, 32)), None, date(2026, 10, 31), None),
        (days(*range(1, 21)), None, date(2026, 10, 20), date(2026, 10, 20)),
    ],
    ids=[
        "a day that still may be",
        "a death known of later",
        "no threshold, a day that may be",
        "no threshold, a death known of later",
    ],
)
def test_a_claim_of_the_same_codes_changes_where_its_day_may_no_longer_be_billed(
    con, tmp_path, billable_days, reached_on, dated_now, becomes
):
    changed(con, tmp_path, STAFF, [STAFF], [STAFF])
    con.execute("update intermediate.int_patient_months__basis set billable_days = ?", [billable_days])
    con.execute("update intermediate.int_candidates__dated set threshold_on = ?", [reached_on])
    con.execute("update intermediate.int_tracks__chosen set service_date = ?", [dated_now])
    assert told(con, tmp_path) == ([] if becomes is None else [(texts(STAFF), worth(STAFF), SERVICE_DATE, becomes)])


def test_a_claim_that_was_dated_before_its_last_unit_was_reached_wants_another_day(con, tmp_path):
    changed(con, tmp_path, STAFF, [STAFF], [STAFF], claimed_on=date(2026, 10, 11))
    assert told(con, tmp_path) == [(texts(STAFF), worth(STAFF), date(2026, 10, 11), SERVICE_DATE)]


def test_what_a_claim_could_have_been_is_read_from_its_packet_and_of_a_damaged_file_nothing(tmp_path):
    tracks = [{"track": "ccm", "codes": [{"code": code, "units": units} for code, units in codes]} for codes in (STAFF, COMPLEX)]
    path = tmp_path / "decisions.parquet"
    rows = [{"patient_id": "x", "alternatives": json.dumps(tracks)}, {"patient_id": "y", "alternatives": None}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert claim_lines._alternatives(path, sha256) == {"x": ["99439 x 2, 99490 x 1", "99487 x 1"]}
    assert claim_lines._alternatives(path, "another") == claim_lines._alternatives(tmp_path / "gone", sha256) == {}
