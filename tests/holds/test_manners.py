"""What closes write otherwise than before stands in the manifest, in the same words for ever; a packet that says none of it comes out as it was."""

from __future__ import annotations

import json
from datetime import date

import pytest

from orchestration.close.manners import EVERY_MANNER, Manner, from_manifest, to_manifest
from orchestration.close.rebuild import rebuild
from orchestration.transform.compiled import in_order, run

from . import rebuilt
from .bench import build
from .clinic import FIRST_NIGHT, NEWEST_NIGHT, Clinic, configure, mbi, nights, write
from .test_as_it_is_meant import service
from .test_quarantined_facts import MODELS, close, put_packet, table

pytestmark = pytest.mark.xdist_group("holds")

# Packets have them: a line may be added, none may change.
SAID = {
    "file_numbers": "of the practice, by night, table and version",
    "deaths": "stand in the claims (PAT06)",
    "departures": "stand in patient_month_evidence",
    "names": "of practitioners without brackets and dashes (NM1*82)",
    "beneficiaries": "are known by every Medicare number of theirs",
    "sure_names": "of practitioners alone are in the claims (NM1*82)",
    "plain_names": "of practitioners have no address and no number (NM1*82)",
    "taxonomies": "of blanks make nobody a colleague",
    "next_steps": "stand beside what is held (held.csv)",
}


def test_a_manifest_says_the_manners_of_its_close_as_it_always_did_and_is_read_back():
    assert to_manifest(EVERY_MANNER) == SAID
    assert from_manifest(SAID) == EVERY_MANNER and from_manifest({"version": 1}) == frozenset()
    for manner in Manner:
        assert from_manifest(to_manifest([manner])) == {manner}


def test_what_a_rebuild_runs_changes_only_where_somebody_thought_of_packets_of_before():
    kept, now = (dict(line.split() for line in text.splitlines()) for text in (rebuilt.KEPT.read_text(), rebuilt.drawn()))
    changed = sorted(name for name in kept.keys() | now.keys() if kept.get(name) != now.get(name))
    assert not changed, (
        "can a packet of before come out otherwise? then it is a manner (ADR 7); then, or if none can, `make rebuilt`"
    )


def test_a_models_number_is_that_of_what_it_says():
    sql = "select 'a -- b' as x\n-- why\nfrom t /* of\nit */ where x<>''"
    assert rebuilt.number(sql) == rebuilt.number("select   'a -- b' as x from t where x <> ''")
    assert rebuilt.number(sql) != rebuilt.number(sql.replace("a --", "a  --"))
    assert rebuilt.number(sql) != rebuilt.number(sql.replace("<>", "="))


@pytest.mark.long
def test_a_packet_of_before_all_but_the_first_of_them_says_that_one_and_comes_out_as_it_was(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    with build(home, MODELS) as con:
        # Before the first, the lake's ids were frozen, too, which no close does any more.
        packets = {"now": close(home, con), "before": close(home, con, manners={Manner.FILE_NUMBERS})}
    said = {name: json.loads(files["manifest.json"]) for name, files in packets.items()}
    assert said["now"].keys() - said["before"].keys() == SAID.keys() - {"file_numbers"}
    for name, files in packets.items():
        made = rebuild(put_packet(files, tmp_path / name))
        assert made.is_same, (name, [file for file, (then, now) in made.files.items() if then != now])


def test_a_packet_of_before_a_blank_taxonomy_made_nobody_a_colleague_comes_out_with_its_claim(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=1)
    configure(home, [clinic])
    clinic.land(home)
    team = [*clinic.panel()["care_team"], {"member_id": "1-NP", "name": "Eve Roe", "credential": "NP"}]
    write(home, "alpha", NEWEST_NIGHT, "care_team", [{**row, "taxonomy_code": " "} for row in team])
    visit = {**clinic.visits()[0], "member_id": "1-NP", "updated_at": "2026-08-11T20:00:00Z"}
    write(home, "alpha", date(2026, 10, 16), "services", [visit])
    for name, manners, claimed in (("now", EVERY_MANNER, set()), ("before", EVERY_MANNER - {Manner.TAXONOMIES}, {clinic.id(1)})):
        with build(home, MODELS, manners) as con:
            files = close(home, con, manners=manners)
        assert {row["patient_id"] for row in table(files["claims.csv"])} == claimed
        made = rebuild(put_packet(files, tmp_path / name))
        assert made.is_same, (name, [file for file, (then, now) in made.files.items() if then != now])


def held_home(home, clinic):
    """Of five patients one waits for notes, one has a timer that nobody stopped, one has the number of another and one no street."""
    configure(home, [clinic])

    def log(rows):
        for row in rows:
            day = row["started_at"][:10]
            if row["patient_id"] == clinic.id(1) and day > "2026-10-06":
                yield {**row, "note_id": ""}
            elif row["patient_id"] == clinic.id(4):
                stopped = {"member_id": clinic.md, "started_at": f"{day}T13:00:00Z", "ended_at": f"{day}T21:00:00Z"}
                yield from [row] if day == "2026-10-01" else [{**row, **stopped}] if day == "2026-10-08" else []
            else:
                yield row

    spoil = {
        "time_entries": lambda rows: list(log(rows)),
        "coverages": lambda rows: [{**row, "member_id": mbi(102)} if row["patient_id"] == clinic.id(3) else row for row in rows],
        "patients": lambda rows: [{**row, "address_line1": ""} if row["patient_id"] == clinic.id(5) else row for row in rows],
    }
    for night in nights(FIRST_NIGHT, NEWEST_NIGHT):
        clinic.land_night(home, night, spoil)


def test_what_is_held_says_what_to_do_next_and_a_packet_of_before_comes_out_without_it(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=5)
    held_home(home, clinic)
    before_it = EVERY_MANNER - {Manner.NEXT_STEPS}
    with build(home, MODELS) as con:
        packets = {"now": close(home, con), "before": close(home, con, manners=before_it)}
        con.execute("delete from rules.rule_conversion_factors")
        run(con, home, in_order(MODELS))
        unpriced = {"now": close(home, con), "before": close(home, con, manners=before_it)}
    told = {name: {row["patient_id"]: row for row in table(files["held.csv"])} for name, files in packets.items()}
    (claimed,) = {row["claim_id"] for row in table(packets["now"]["claims.csv"])}
    details = {clinic.id(number): told["before"].pop(clinic.id(number))["detail"] for number in (1, 3, 4)}
    assert list(details.values()) == [
        "with its undocumented time credited the claim would differ: document it, or waive it",
        f"the same beneficiary's month is claimed as alpha {claimed}: a second claim would be a same-period duplicate",
        "overlapping or runaway time would change the claim: say whose it is or when the timer should have stopped",
    ]
    details |= {patient: row["detail"] for patient, row in told["before"].items()}
    of_month = "--practice alpha --month 2026-10"
    steps = {
        clinic.id(1): f"ccm close {of_month} --approved-by NAME --waive REASON", clinic.id(3): "docs/runbook/close.md",
        clinic.id(4): f"ccm worklist {of_month}", clinic.id(5): "then ccm nightly, and close again",
    }  # fmt: skip
    assert details.keys() == told["now"].keys() == steps.keys()
    for patient, detail in details.items():
        now, fault = told["now"][patient]["detail"], detail.removesuffix(", or waive it")
        assert now.startswith(fault) and steps[patient] in now.removeprefix(fault)
    # Without a code there is nothing that a waiver would let go.
    assert "waive" not in told["now"][clinic.id(4)]["detail"]
    (now,), (before,) = (
        {row["detail"] for row in table(files["held.csv"]) if "fee" in row["detail"]} for files in unpriced.values()
    )
    assert before == "no fee schedule release covers its service date" and now.startswith(before)
    assert "ccm rules load-fees FILE... --write" in now
    for name, files in packets.items():
        made = rebuild(put_packet(files, tmp_path / name))
        assert made.is_same, (name, [file for file, (then, now) in made.files.items() if then != now])


@pytest.mark.long
def test_a_packet_of_before_an_odd_code_was_understood_comes_out_with_its_claims(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=3)
    configure(home, [clinic])
    clinic.land(home)
    codes = {clinic.id(1): "G0182 GV", clinic.id(2): "g0181\t"}
    write(home, "alpha", date(2026, 10, 16), "services", [service(clinic, number, codes[clinic.id(number)]) for number in (1, 2)])
    with build(home, MODELS) as con:
        now = close(home, con)
        # As staging had them then.
        for patient_id, code in codes.items():
            con.execute(
                "update staging.stg_services set procedure_code = ? where patient_id = ? and service_id like 'X%'",
                [code, patient_id],
            )
        run(con, home, in_order(MODELS, given={"stg_services"}))
        before = close(home, con)
    assert {row["patient_id"] for row in table(now["claims.csv"])} == {clinic.id(3)}
    assert {row["patient_id"] for row in table(before["claims.csv"])} == {clinic.id(1), clinic.id(2), clinic.id(3)}
    for name, files in (("now", now), ("before", before)):
        made = rebuild(put_packet(files, tmp_path / name))
        assert made.is_same, (name, [file for file, (then, now) in made.files.items() if then != now])
