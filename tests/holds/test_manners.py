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
from .clinic import NEWEST_NIGHT, Clinic, configure, write
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
