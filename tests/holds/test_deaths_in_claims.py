"""A claim says when its patient died, if the panel knew it by the newest night; a packet of before claims said so comes out as it was."""

from __future__ import annotations

import pytest

from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.close.rebuild import rebuild

from .bench import build
from .clinic import NEWEST_NIGHT, Clinic, configure, write
from .test_quarantined_facts import MODELS, close, put_packet

pytestmark = pytest.mark.xdist_group("holds")

DEATHS = {1: "2026-10-20", 2: "2026-11-02", 3: "2027-11-02"}


def test_a_claim_says_when_its_patient_died_and_a_packet_of_before_comes_out_without_it(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    died = {clinic.id(number): day for number, day in DEATHS.items()}
    panel = [{**row, "deceased_date": died.get(row["patient_id"], "")} for row in clinic.panel()["patients"]]
    write(home, "alpha", NEWEST_NIGHT, "patients", panel)
    with build(home, MODELS) as con:
        files, before = close(home, con), close(home, con, manners=EVERY_MANNER - {Manner.DEATHS})
    # In the month (claimed as of before the death), between the month and the close; a day to come is nobody's death.
    said = sorted(block.split("~")[0] for block in files["claims.837"].decode().split("~PAT*****D8*")[1:])
    assert said == ["20261020", "20261102"]
    assert b"~PAT*" not in before["claims.837"] and b"deaths" not in before["manifest.json"]
    made = rebuild(put_packet(before, tmp_path / "before"))
    assert made.is_same, [file for file, (then, now) in made.files.items() if then != now]
