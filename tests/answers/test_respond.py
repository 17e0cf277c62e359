"""`ccm respond` on real homes: the demo's months end paid and denied, what was turned back goes out again as a new claim."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from decimal import Decimal

import dagster as dg
import pytest
import pyx12.params
import pyx12.x12n_document
import yaml
from x12sdk.io import X12ModelReader

from orchestration.close.x12.validate import judge, prepare_pyx12
from orchestration.demo.payer import answer, sent_packets
from orchestration.gate.gate import rule_on
from orchestration.house import House
from orchestration.operate import sensors
from orchestration.operate.sensors import inbox_sensor
from orchestration.payers.assets import POSTED
from orchestration.payers.inbox import take_in_answers
from orchestration.practices import load_practices
from orchestration.transform.state import build_inputs, is_up_to_date
from tests.answers.letters import acknowledgment, claim_statuses, file, paid_in_full, remittance
from tests.pipeline.homes import ccm, copy, instance_of, rows

pytestmark = pytest.mark.xdist_group("answers")


# --- the demo ---------------------------------------------------------------------------------------------------------


def test_the_demo_ends_with_older_months_paid_and_denied_and_every_remittance_balanced(demo):
    home, ran = demo
    statuses = Counter()
    for row in rows(home, "select status, count(*) as claims from claims group by status"):
        statuses[row["status"]] = row["claims"]
    assert statuses["paid"] > 100 and statuses["denied"] > 5 and statuses["rejected"] > 3 and statuses["accepted"] > 10
    remittances = rows(home, "select * from remittances")
    assert len(remittances) >= 10
    for row in remittances:
        assert row["total_amount"] == row["posted_amount"] + row["unmatched_amount"] + row["provider_adjustment_amount"], row[
            "check_number"
        ]
    assert any(row["unmatched_amount"] for row in remittances) and any(row["provider_adjustment_amount"] for row in remittances)
    paid = rows(home, "select sum(paid_amount) as amount from claims")[0]["amount"]
    lines = rows(home, "select sum(paid_amount) as amount from claim_line_payments")[0]["amount"]
    assert paid == lines == sum(row["posted_amount"] for row in remittances) > Decimal(10_000)
    codes = {code for row in rows(home, "select denial_codes from claims") for code in row["denial_codes"]}
    assert {"CO-B20", "CO-151"} <= codes and not codes & {"CO-45", "CO-253", "PR-1", "PR-2"}
    assert rows(home, "select 1 from claims where reversals > 0 and status = 'denied' and paid_amount = 0")
    assert rows(home, "select 1 from claims where status = 'paid' and paid_amount = 0"), "the deductible took all of it"
    assert rows(home, "select 1 from claim_line_payments where difference_amount < 0 and status = 'paid'"), (
        "one was paid too little"
    )
    assert "Remittances: " in ran.out and "repeated" in ran.out
    again = ccm("respond", home=home)
    assert again.code == 0 and "Nothing new in" in again.out


def test_the_funnels_paid_stage_counts_the_patients_whose_claim_was_paid(demo):
    home, _ = demo
    for row in rows(
        home, "select practice_id, month, patients from enrollment_funnel where stage = 'paid' and month = '2026-08-01'"
    ):
        paid = rows(
            home,
            f"select count(*) as n from claims where status = 'paid' and practice_id = '{row['practice_id']}' and month = '{row['month']}'",
        )
        assert 0 < row["patients"] <= paid[0]["n"]


def test_claims_that_wait_are_aged_by_the_practices_newest_night_and_no_clock(demo):
    home, _ = demo
    waiting = rows(
        home, "select aging.*, nights.newest_night from claim_aging as aging join practice_nights as nights using (practice_id)"
    )
    assert waiting and all(row["as_of"] == row["newest_night"] for row in waiting)
    waited = [row for row in waiting if row["status"] != "reopened"]  # of those since the decision was taken back
    assert waited and all(row["days_waiting"] == (row["as_of"] - row["submitted_on"]).days for row in waited)
    assert {row["status"] for row in waiting} <= {"submitted", "accepted", "reopened"}
    assert {row["bucket"] for row in waiting} == {"within the payment floor"}


def test_pyx12_takes_every_file_that_the_demos_payer_writes_and_x12sdk_reads_its_835s(demo):
    home, _ = demo
    prepare_pyx12()
    files = [path for path in (home / "inbox").iterdir() if path.is_file()]
    kinds = Counter()
    for path in files:
        text = path.read_text().replace("\n", "")
        assert pyx12.x12n_document.x12n_document(
            param=pyx12.params.params(), src_file=io.StringIO(text), fd_997=None, fd_html=None
        ), path.name
        kind = re.search(r"~ST\*(\d+)\*", text).group(1)
        kinds[kind] += 1
        if kind == "835":
            with X12ModelReader(text) as reader:
                (transaction,) = list(reader.models())
                assert len(list(transaction.claims())) == text.count("~CLP*")
    assert kinds["835"] >= 10 and kinds["999"] >= 10 and kinds["277"] >= 10


def test_the_demos_payer_answers_the_same_packets_with_the_same_files(demo, tmp_path):
    home = House(tmp_path / "home").prepare()
    (home.root / "closes").rmdir()
    copy(demo[0] / "closes", home.root / "closes")
    up_to = max(packet.sent_on for packet in sent_packets(home))
    written = {path.name: path.read_bytes() for path in answer(home, up_to)}
    assert written and written == {name: (demo[0] / "inbox" / name).read_bytes() for name in written}


# --- turned back, and out again -----------------------------------------------------------------------------------------


def lines_of(packet):
    with (packet / "claims.csv").open() as handle:
        return list(csv.DictReader(handle))


@pytest.mark.long
def test_what_a_999_turns_back_goes_out_again_as_a_new_claim_and_what_was_denied_does_not(next_night, tmp_path):
    home = House(copy(next_night, tmp_path / "home"))
    content = yaml.safe_load(home.practices_yaml.read_text())
    (mine,) = [entry for entry in content["practices"] if entry["practice_id"] == "highpines"]
    mine["claim_file"] = {
        "usage_indicator": "P", "sender_qualifier": "30", "receiver_qualifier": "27", "segment_terminator": "|", "line_breaks": True,
        "claims_per_transaction": 12,
    }  # fmt: skip
    home.practices_yaml.write_text(yaml.safe_dump(content))
    arguments = ("--month", "2026-10", "--practice", "highpines", "--approved-by", "Ann Lee", "--json")
    first = json.loads(ccm("close", *arguments, home=home.root).out)[0]
    assert first["outcome"] == "closed", first
    text = (home.closes / "highpines" / "2026-10" / "v1" / "claims.837").read_text()
    assert (
        text.startswith("ISA*00*          *00*          *30*")
        and "*27*" in text[:106]
        and text[102] == "P"
        and text.count("|\nST*837*") >= 2
    )
    assert judge(text) == []
    sent = next(packet for packet in sent_packets(home) if (packet.practice_id, packet.month) == ("highpines", "2026-10"))
    turned_back = [claim.claim_id for subscriber in sent.transactions[1].subscribers() for claim in subscriber.children]
    denied = sent.claims[0].claim_id
    assert denied not in turned_back and len(turned_back) > 3

    submitter = sent.isa.at(6).strip()
    outcomes = {number: "R*5" if number == 2 else "A" for number in range(1, len(sent.transactions) + 1)}
    batch = f"{sent.control_number:09d}0001"
    (home.inbox / "answers of the clearinghouse").write_text(
        file("999", acknowledgment(sent.control_number, outcomes, "P"), submitter=submitter, on="261105", usage="P")
        + file("277", claim_statuses(batch, [(denied, "A2:20:PR", "WQ")]), submitter=submitter, number=901, on="261105", usage="P")
        + file("835", remittance(paid_in_full("STRANGER1"), check="EFT77"), submitter=submitter, number=902)
    )
    # Killed between taking in and posting: the gate knows that the warehouse is not of the present answers, and a rerun ends it.
    assert take_in_answers(home).batch == 2
    practices = load_practices(home.practices_yaml)
    inputs = build_inputs(home)
    assert not is_up_to_date(home, inputs)
    from datetime import date

    assert any("have not judged" in reason for reason in rule_on(home, practices["highpines"], date(2026, 10, 1), inputs).refusals)
    ran = ccm("respond", "--json", home=home.root)
    assert ran.code == 0, ran.err
    assert is_up_to_date(home, build_inputs(home))
    said = {
        row["claim_id"]: row
        for row in rows(home.root, "select * from claims where practice_id = 'highpines' and month = '2026-10-01'")
    }
    assert {claim for claim, row in said.items() if row["status"] == "rejected"} == set(turned_back)
    assert said[turned_back[0]]["rejection_codes"] == ["999:5"] and said[denied]["status"] == "accepted"

    second = json.loads(ccm("close", *arguments, home=home.root).out)[0]
    assert (second["outcome"], second["version"], second["claims"]) == ("closed", 2, len(turned_back))
    v1, v2 = (lines_of(home.closes / "highpines" / "2026-10" / version) for version in ("v1", "v2"))
    patients = {line["patient_id"] for line in v1 if line["claim_id"] in turned_back}
    assert {line["patient_id"] for line in v2} == patients
    assert not {line["claim_id"] for line in v1} & {line["claim_id"] for line in v2}, "a claim id goes out once, ever"
    assert all(
        ":1*Y*A*Y*Y" in claim
        for claim in re.findall(r"CLM\*[^|]+", (home.closes / "highpines" / "2026-10" / "v2" / "claims.837").read_text())
    )
    decided = rows(
        home.root, "select distinct decision from patient_month_decisions where practice_id = 'highpines' and month = '2026-10-01'"
    )
    assert {"decision": "claimed"} in decided
    again = rows(
        home.root, "select patient_id, status, close_version from claims where practice_id = 'highpines' and month = '2026-10-01'"
    )
    assert {(row["status"], row["close_version"]) for row in again if row["patient_id"] in patients} == {("submitted", 2)}


def posted(home: House) -> tuple[bool, dict[str, object]]:
    """The newest result of the check that answers were posted: what Dagster's pages show."""
    with instance_of(home.root) as instance:
        record = instance.event_log_storage.get_latest_asset_check_execution_by_key([POSTED.key])[POSTED.key]
    assert record.event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data
    return evaluation.passed, {name: value.value for name, value in evaluation.metadata.items()}


@pytest.mark.long
def test_a_payment_that_waits_is_told_by_a_check_and_by_a_notice_until_the_rest_of_it_comes(next_night, tmp_path, hook):
    home = House(copy(next_night, tmp_path / "home"))
    port, received = hook
    content = yaml.safe_load(home.practices_yaml.read_text())
    home.practices_yaml.write_text(yaml.safe_dump(content | {"notices": {"webhook": {"url": f"http://127.0.0.1:{port}/ok"}}}))
    claims = [
        row["claim_id"]
        for row in rows(home.root, "select claim_id from claims where status = 'accepted' order by claim_id limit 2")
    ]
    both = [paid_in_full(claim) for claim in claims]
    total = str(sum(Decimal(pay.paid) for pay in both))
    (home.inbox / "part 1").write_text(file("835", remittance(both[0], check="EFT9", total=total), number=910))
    (home.inbox / "letter.pdf").write_bytes(b"%PDF-1.7 the patient's name is ZEBRA")
    assert ccm("respond", home=home.root).code == 0
    passed, told = posted(home)
    assert not passed and (told["files unread"], told["files held"], told["dollars held"]) == (1, 1, float(both[0].paid))
    (notice,) = [body for _, body in received]
    assert notice["kind"] == "answers_wait" and f"1 files with ${Decimal(both[0].paid):,.2f} wait" in notice["text"]
    assert "ZEBRA" not in json.dumps(notice) and not any(claim in json.dumps(notice) for claim in claims)
    (home.inbox / "part 2").write_text(file("835", remittance(both[1], check="EFT9", total=total), number=911))
    assert ccm("respond", home=home.root).code == 0
    assert posted(home) == (True, {"files unread": 0, "files held": 0, "dollars held": 0.0, "practices": "none"})
    assert len(received) == 1


@pytest.mark.long
def test_answers_before_the_first_night_are_taken_in_and_wait_for_it_and_what_cannot_be_read_is_told(next_night, tmp_path):
    home = House(tmp_path / "home").prepare()
    home.practices_yaml.write_bytes((next_night / "practices.yaml").read_bytes())
    (home.inbox / "early").write_text(file("835", remittance(paid_in_full("CCM1"))))
    (home.inbox / "letter.pdf").write_bytes(b"%PDF-1.7 the patient's name is ZEBRA")
    ran = ccm("respond", home=home.root)
    assert ran.code == 0, ran.err
    assert "early: read" in ran.out and "letter.pdf: quarantined" in ran.out and "does not begin with ISA" in ran.out
    assert "ZEBRA" not in ran.out
    assert posted(home) == (False, {"files unread": 1, "files held": 0, "dollars held": 0.0, "practices": "none"})
    nowhere = ccm("respond", home=tmp_path / "nowhere")
    assert nowhere.code == 1 and "practices.yaml" in nowhere.err and "Traceback" not in nowhere.err


# --- the sensor ---------------------------------------------------------------------------------------------------------


def test_the_sensor_asks_for_one_run_once_the_inbox_is_quiet(tmp_path, monkeypatch):
    home = House(tmp_path / "home").prepare()
    monkeypatch.setenv("CCM_HOME", str(home.root))

    def tick():
        with dg.build_sensor_context(instance=dg.DagsterInstance.ephemeral()) as context:
            return list(inbox_sensor(context))

    assert "nothing new" in tick()[0].skip_message
    path = home.inbox / "a.835"
    path.write_text(file("835", remittance(paid_in_full("CCM1"))))
    assert "seconds ago" in tick()[0].skip_message
    written = path.stat().st_mtime
    # When a file came here cannot be set: the sensor's clock moves instead.
    monkeypatch.setattr(sensors.time, "time", lambda: written + 3600)
    (request,) = tick()
    assert isinstance(request, dg.RunRequest) and request.run_key == tick()[0].run_key
    os.utime(path, (written + 60, written + 60))
    assert tick()[0].run_key != request.run_key
    take_in_answers(home)
    assert "nothing new" in tick()[0].skip_message
