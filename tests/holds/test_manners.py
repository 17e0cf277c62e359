"""What closes write otherwise than before stands in the manifest, in the same words for ever; a packet that says none of it comes out as it was."""

from __future__ import annotations

import json

import pytest

from orchestration.close.manners import EVERY_MANNER, Manner, from_manifest, to_manifest
from orchestration.close.rebuild import rebuild

from .bench import build
from .clinic import Clinic, configure
from .test_quarantined_facts import MODELS, close, put_packet

pytestmark = pytest.mark.xdist_group("holds")

# Packets have them: a line may be added, none may change.
SAID = {
    "file_numbers": "of the practice, by night, table and version",
    "deaths": "stand in the claims (PAT06)",
    "departures": "stand in patient_month_evidence",
    "names": "of practitioners without brackets and dashes (NM1*82)",
    "beneficiaries": "are known by every Medicare number of theirs",
    "sure_names": "of practitioners alone are in the claims (NM1*82)",
}


def test_a_manifest_says_the_manners_of_its_close_as_it_always_did_and_is_read_back():
    assert to_manifest(EVERY_MANNER) == SAID
    assert from_manifest(SAID) == EVERY_MANNER and from_manifest({"version": 1}) == frozenset()
    for manner in Manner:
        assert from_manifest(to_manifest([manner])) == {manner}


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
