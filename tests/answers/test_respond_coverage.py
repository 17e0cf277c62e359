"""A 271 in inbox/ changes who is claimed, is told on the work list with both sources, and is frozen by the close."""

from __future__ import annotations

import json
import zipfile
from datetime import date

import duckdb
import pytest
import yaml

from orchestration.house import House
from tests.answers.coverage import Answer, Member
from tests.pipeline.homes import ccm, copy, rows

pytestmark = pytest.mark.xdist_group("answers")

PRACTICE, OPEN, CLOSED = "highpines", "2026-10", "2026-09"
PARTS = ("EB*1**30*MA|DTP*291*D8*20130301", "EB*1**30*MB|DTP*291*D8*20130301")


@pytest.mark.long
def test_an_answer_about_coverage_bars_a_claim_is_told_with_both_sources_and_is_frozen(next_night, tmp_path):
    home = House(copy(next_night, tmp_path / "home"))
    [mine] = [entry for entry in yaml.safe_load(home.practices_yaml.read_text())["practices"] if entry["practice_id"] == PRACTICE]

    def one(month: str, decision: str, but: str = "") -> tuple[str, str]:
        found = rows(home.root, f"select patient_id from patient_month_decisions where practice_id = '{PRACTICE}' and month = '{month}-01' "
                     f"and decision = '{decision}' and patient_id <> '{but}' order by patient_id")  # fmt: skip
        patient_id = str(found[0]["patient_id"])
        with duckdb.connect(str(home.warehouse), read_only=True) as con:
            [(mbi,)] = con.execute(
                "select distinct member_id from intermediate.int_coverages__current where practice_id = ? and patient_id = ? "
                "and coverage_type = 'medicare_part_b'",
                [PRACTICE, patient_id],
            ).fetchall()
        return patient_id, mbi

    barred, barred_mbi = one(OPEN, "claimable")
    claimed, claimed_mbi = one(CLOSED, "claimed", but=barred)
    answer = Answer(
        (
            Member(barred_mbi, (*PARTS, "EB*R**30*HN|DTP*290*D8*20261001")),
            Member(claimed_mbi, (*PARTS, "EB*R**30*HN|DTP*290*RD8*20260801-20260930")),
            Member("9EG4TE5MK73", PARTS),
            Member("8EG4TE5MK73", (), rejects=("75",)),
        ),
        on="20261105",
        npi=mine["npi"],
    )
    (home.inbox / "coverage.271").write_text(answer.text())
    ran = ccm("respond", "--json", home=home.root)
    assert ran.code == 0, ran.err
    [file] = json.loads(ran.out)["files"]
    assert (file["outcome"], file["kinds"], file["members_answered"], file["members_unmatched"]) == ("posted", ["271"], 2, 2)
    assert file["first_fault"] == "subscriber 4 was not answered (AAA 75)"
    assert "ZEBRA" not in ran.out + ran.err

    def decision(patient_id: str, month: str) -> dict[str, object]:
        [found] = rows(home.root, f"select decision, reason from patient_month_decisions where practice_id = '{PRACTICE}' and patient_id = '{patient_id}' "
                       f"and month = '{month}-01'")  # fmt: skip
        return found

    assert decision(barred, OPEN) == {"decision": "not_claimable", "reason": "medicare_advantage"}
    items = rows(
        home.root,
        f"select patient_id, detail from worklist where practice_id = '{PRACTICE}' and kind = 'coverage_conflict' and month = '{OPEN}-01'",
    )
    assert [item["patient_id"] for item in items] == [barred]
    assert "the panel says nothing, the payer 2026-10-01 on (271 of 2026-11-05)" in items[0]["detail"]
    [change] = rows(home.root, f"select kind, found_on, amount_now from post_close_changes where practice_id = '{PRACTICE}' and patient_id = '{claimed}' "
                    f"and month = '{CLOSED}-01'")  # fmt: skip
    assert (change["kind"], change["found_on"], change["amount_now"]) == ("refund", date(2026, 11, 5), 0)

    closed = json.loads(
        ccm("close", "--month", OPEN, "--practice", PRACTICE, "--approved-by", "Ann Lee", "--json", home=home.root).out
    )[0]
    assert closed["outcome"] == "closed", closed
    packet = home.closes / PRACTICE / OPEN / "v1"
    assert barred not in (packet / "claims.csv").read_text()
    with zipfile.ZipFile(packet / "inputs.zip") as archive:
        assert "coverage_answers.parquet" in archive.namelist()
        assert barred_mbi.encode() not in archive.read("coverage_answers.parquet")
    ran = ccm("rebuild", "--practice", PRACTICE, "--month", OPEN, "--version", "1", home=home.root)
    assert ran.code == 0, ran.out + ran.err
    ran = ccm(
        "rebuild", "--practice", PRACTICE, "--month", CLOSED, "--version", "1", home=home.root
    )  # closed before there was an answer
    assert ran.code == 0, ran.out + ran.err
