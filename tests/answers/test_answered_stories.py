"""What a story says of claims that the payer answered, and of claims that the close keeps back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from orchestration.answer.explain.source import Source
from orchestration.answer.explain.story import _answers_since, _decided_now, answers, kept_back
from orchestration.answer.explain.text import _answer, anew
from orchestration.house import House
from orchestration.rules.seeds import SEEDS
from tests.answers.letters import Pay, Sent, acknowledgment, claim_statuses, denied, file, paid_in_full, remittance
from tests.answers.office import Office

OLD, NEW, KEY = "CCM2609A", "CCM2609B", ["north", "P1", date(2026, 9, 1)]
CLAIMABLE = {"decision": "claimable", "reason": "ok"}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "home", [Sent(OLD, patient_id="P1"), Sent(NEW, patient_id="P1", version=2, control_number=8)])


def live(office: Office, *tables: str) -> Source:
    con = duckdb.connect()
    for table in tables:
        con.register(table, pa.Table.from_pylist(office.see(f"select * from {table}"), schema=_schema(office, table)))
    return Source(office.house, con, {}, "marts.duckdb")


def _schema(office: Office, table: str) -> pa.Schema:
    assert office._con is not None
    return office._con.execute(f"select * from {table} limit 0").to_arrow_table().schema


def told(source: Source) -> str:
    return "\n".join(line for answer in answers(source, KEY) for _, line in _answer(answer))


def test_a_story_says_what_the_payer_said_of_every_claim_of_the_patient_month(office):
    office.deliver(file("277", claim_statuses("0000000070001", [(OLD, "A7:164:QC", "U")])))
    office.deliver(file("835", remittance(denied(NEW, "CO", "B20"))))
    said = told(live(office, "claim_history", "claim_denials"))
    assert f"claim {OLD} of close v1 rejected on 2026-10-05, A7:164; $0.00 paid of $170.00; turned back unprocessed" in said
    assert f"claim {NEW} of close v2 denied on 2026-10-20, CO-B20 (remark codes MA01); $0.00 paid of $170.00" in said
    assert "CO-B20: another practice was paid" in said and "what helps: ask the patient" in said and "right of appeal" in said


def test_a_paid_claim_is_told_with_its_dollars_and_one_that_nobody_answered_with_nothing(office):
    office.deliver(file("835", remittance(paid_in_full(OLD))))
    assert told(live(office, "claim_history", "claim_denials")).endswith("$91.39 paid of $170.00")


def test_a_claim_that_went_to_the_deductible_is_told_with_what_the_patient_owes_and_why_nothing_was_paid(office):
    lines = (
        (f"{OLD}01", "99490", "95", "0", (("CO", "45", "28.87"), ("PR", "1", "66.13")), ()),
        (
            f"{OLD}02",
            "99439",
            "75",
            "23.86",
            (("CO", "45", "24.56"), ("PR", "1", "20"), ("PR", "2", "6.09"), ("CO", "253", ".49")),
            (),
        ),
    )
    office.deliver(file("835", remittance(Pay(OLD, "170", "23.86", lines))))
    assert told(live(office, "claim_history", "claim_line_payments")).endswith(
        "$23.86 paid of $170.00; $92.22 left to the patient or their next payer, $86.13 of it the deductible"
    )
    office.deliver(file("835", remittance(paid_in_full(NEW), check="EFT2"), number=901))
    assert told(live(office, "claim_history", "claim_line_payments")).endswith(
        "$91.39 paid of $170.00; $23.32 left to the patient or their next payer"
    )


def test_what_decides_nothing_is_told_with_what_helps_and_the_day_of_a_claim_is_that_on_which_it_went_out(office):
    office.deliver(file("277", claim_statuses("0000000080001", [(NEW, "A7:78", "U")])))
    said = told(live(office, "claim_history", "claim_denials"))
    assert f"claim {NEW} of close v2 submitted on 2026-10-03; $0.00 paid" in said
    assert "A7:78: a duplicate of a claim that the payer has already; what helps: look for the answer to the first" in said
    office.deliver(file("999", acknowledgment(8, {1: "A"}, "A"), on="261004"))
    assert f"claim {NEW} of close v2 submitted on 2026-10-03, answered on 2026-10-04; " in told(live(office, "claim_history"))


def test_marts_of_an_earlier_release_tell_of_the_claim_that_stands(office):
    office.deliver(file("835", remittance(paid_in_full(OLD))))
    assert f"claim {OLD} of close v1 paid" in told(live(office, "claims"))


def test_a_packet_is_told_with_what_was_known_then_and_the_answers_since_apart(tmp_path):
    office = Office(tmp_path / "home", [Sent(OLD, patient_id="P1")])
    then = live(office, "claim_history")
    office.deliver(file("835", remittance(denied(OLD, "CO", "16", "MA130", ("N290",)))))
    packet = Source(office.house, then.connection, {}, "closes/north/2026-09/v1", Path("v1"))
    assert answers(packet, KEY) == [] and _answers_since(packet, KEY) is None, "no marts are published"
    with duckdb.connect(str(office.house.marts)) as marts:
        for table in ("claim_history", "claim_denials"):
            marts.register("made", live(office, table).connection.execute(f"select * from {table}").to_arrow_table())
            marts.execute(f"create table {table} as from made")
    (since,) = _answers_since(packet, KEY) or []
    assert (since["claim_id"], since["status"], since["denial_codes"]) == (OLD, "rejected", ["CO-16"])
    assert "not processed" in since["causes"][0]["likely_cause"]
    later = Source(office.house, live(office, "claim_history").connection, {}, "closes/north/2026-09/v2", Path("v2"))
    assert [row["status"] for row in answers(later, KEY)] == ["rejected"] and _answers_since(later, KEY) == []
    office.house.marts.write_bytes(b"damaged")
    assert _answers_since(packet, KEY) is None


def closed(house: House, **files: str) -> None:
    for name, row in files.items():
        path = house.root / "closes" / "north" / "2026-09" / ("v1/held.csv" if name == "held" else f"{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"patient_id,month,reason,detail,dollars_at_stake\n{row}\n")
    (house.root / "closes/north/2026-09/v1/manifest.json").write_text("{}")


HIDDEN = (
    "create table close_holds as select 'north' as practice_id, 'P1' as patient_id, 'quarantined_row' as kind, {} as is_accepted, "
    "cast(null as date) as last_month_held"
)


@pytest.mark.parametrize(
    ("row", "is_accepted", "is_kept"),
    [
        ("P1,2026-09-01,claim_error,the street is missing,66.13", False, True),
        ("P1,2026-09-01,quarantined_facts,stays line 3,66.13", False, True),
        ("P1,2026-09-01,quarantined_facts,stays line 3,66.13", True, False),
        ("P1,2026-09-01,undocumented_time,15 minutes,66.13", False, False),
        ("P2,2026-09-01,claim_error,the street is missing,66.13", False, False),
    ],
    ids=["scrub", "quarantine", "accepted", "held by the rules", "another patient"],
)
@pytest.mark.parametrize("name", ["held", "held_after_v1"])
def test_a_claim_that_the_newest_close_keeps_back_says_so_and_why(tmp_path, name, row, is_accepted, is_kept):
    house = House(tmp_path).prepare()
    closed(house, **{"held": "", name: row})
    con = duckdb.connect()
    con.execute(HIDDEN.format(is_accepted))
    kept = kept_back(Source(house, con, {}, "marts.duckdb"), KEY, CLAIMABLE)
    _, _, reason, detail, dollars = row.split(",")
    assert kept == (
        {"close_version": 1, "reason": reason, "detail": detail, "dollars_at_stake": Decimal(dollars)} if is_kept else None
    )
    assert kept_back(Source(house, con, {}, "marts.duckdb"), KEY, {"decision": "not_claimable"}) is None


TURNED_BACK = """
    create table claims as select 'north' as practice_id, 'P1' as patient_id, date '2026-09-01' as month, '{status}' as status;
    create table patient_month_decisions as
        select 'north' as practice_id, 'P1' as patient_id, date '2026-09-01' as month, '{decision}' as decision, '{reason}' as reason;
    create table close_holds (practice_id varchar, patient_id varchar, kind varchar, is_accepted boolean, last_month_held date);
"""
PROMISE = "so that the next close sends it as a new claim"


@pytest.mark.parametrize(
    ("decision", "reason", "row", "said"),
    [
        ("claimable", "ok", "", f"claimable (ok) now, {PROMISE}"),
        ("claimable", "ok", "P1,2026-09-01,claim_error,no street,66.13", "kept another claim back: claim_error, no street"),
        ("held", "undocumented_time", "", "so that another claim waits: With the undocumented time"),
        ("not_claimable", "already_claimed", "", "so that no other claim goes out: The practice claimed the patient-month already"),
        ("not_claimable", "consent_undocumented", "", "so that no other claim goes out: The month's consent is not documented"),
    ],
    ids=["claimable", "kept back", "held", "its own service", "another reason"],
)
def test_the_story_of_a_claim_that_was_turned_back_promises_another_only_where_the_decision_of_now_lets_it_out(
    tmp_path, decision, reason, row, said
):
    house = House(tmp_path).prepare()
    closed(house, held=row)
    with duckdb.connect(str(house.marts)) as marts:
        marts.execute(TURNED_BACK.format(status="rejected", decision=decision, reason=reason))
        marts.execute(f"create table rule_decision_reasons as from '{next(SEEDS.rglob('rule_decision_reasons.csv'))}'")
    packet = Source(house, duckdb.connect(), {}, "closes/north/2026-09/v1", Path("v1"))
    now = _decided_now(packet, KEY)
    assert said in anew({"decided_now": now, "close": {"version": 1}})
    with duckdb.connect(str(house.marts)) as marts:
        assert _decided_now(Source(house, marts, {}, "marts.duckdb"), KEY) == now
    assert (PROMISE in anew({"decided_now": now, "close": None})) == said.endswith(PROMISE)
    with duckdb.connect(str(house.marts)) as marts:
        marts.execute("update claims set status = 'accepted'")
    assert _decided_now(packet, KEY) is None, "it stands"
