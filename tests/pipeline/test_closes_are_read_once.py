"""The claim lines of closes: read from a packet once, and again where anything is other than it was."""

from __future__ import annotations

import json
import shutil
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.gate.gate import rule_on_all
from orchestration.house import House
from orchestration.practices import load_practices
from orchestration.transform import claim_lines, closes, configuration
from tests.pipeline.homes import DATABASES, copy

pytestmark = pytest.mark.xdist_group("close_states")


@pytest.fixture
def house(demo, tmp_path):
    return House(copy(demo[0], tmp_path / "home", without=["landing", *DATABASES]))


@pytest.fixture
def read(monkeypatch):
    """The packets whose lines are read."""
    names, lines = [], claim_lines.lines_of
    monkeypatch.setattr(claim_lines, "lines_of", lambda packet: names.append("/".join(packet.parts[-3:])) or lines(packet))
    return names


def written(house):
    """The fingerprint of the configuration and the file of claim lines, as they are written now."""
    name = configuration.write_configuration(house, load_practices(house.practices_yaml))
    return name, (house.lake / "configuration" / "claim_lines.parquet").read_bytes()


def anew(house):
    """The same, from every packet."""
    (house.state / "claim_lines.json").unlink(missing_ok=True)
    return written(house)


def packets(house):
    return sorted("/".join(path.parts[-4:-1]) for path in house.closes.glob("*/*/v*/manifest.json"))


def test_what_was_read_close_by_close_is_what_all_packets_say(house, read):
    as_left = written(house)
    assert read == []
    assert anew(house) == as_left
    assert sorted(read) == packets(house)
    lines = pq.read_table(house.lake / "configuration" / "claim_lines.parquet")
    assert len(lines) > 100 and lines.schema.equals(claim_lines.CLAIM_LINES)


@pytest.mark.long
def test_of_a_new_packet_alone_the_lines_are_read_wherever_they_belong(house, read, tmp_path):
    whole = anew(house)
    for name in ("hudson/2026-09/v1", packets(house)[0]):
        aside = shutil.move(house.closes / name, tmp_path / "aside")
        without = anew(house)
        assert without != whole
        shutil.move(aside, house.closes / name)
        read.clear()
        assert written(house) == whole
        assert read == [name]


@pytest.mark.long
def test_a_packet_that_is_gone_or_another_has_everything_read_again(house, read):
    whole = anew(house)
    gone = packets(house)[3]
    shutil.rmtree(house.closes / gone)
    read.clear()
    assert written(house) == anew(house) != whole
    assert gone not in read
    manifest = house.closes / packets(house)[0] / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "newest_night": "2026-01-01"}))
    read.clear()
    changed = written(house)
    assert sorted(read) == packets(house) and changed == anew(house)


def test_a_packet_that_is_gone_with_all_that_its_practice_closed_is_missed_until_it_is_back(house, tmp_path):
    whole = written(house)
    own = [name for name in packets(house) if name.startswith("hudson/")]
    aside = (house.closes / "hudson").rename(tmp_path / "aside")
    assert written(house) != whole and closes.packets_lost(house) == own
    (house.lake / "configuration" / "claim_lines.parquet").unlink()  # read again from all that is left
    written(house)
    assert closes.packets_lost(house) == own
    aside.rename(house.closes / "hudson")
    assert written(house) == whole and closes.packets_lost(house) == []


@pytest.mark.parametrize("spoil", ["lines", pytest.param("record", marks=pytest.mark.long), "code"])
def test_a_record_that_does_not_fit_its_file_is_none(house, read, spoil):
    whole = written(house)
    file, record = house.lake / "configuration" / "claim_lines.parquet", house.state / "claim_lines.json"
    if spoil == "lines":
        pq.write_table(pa.Table.from_pylist([], schema=claim_lines.CLAIM_LINES), file)
    elif spoil == "record":
        record.write_text("{")
    else:
        record.write_text(json.dumps({**json.loads(record.read_text()), "code": "of another release"}))
    assert written(house) == whole and sorted(read) == packets(house)


@pytest.mark.parametrize("name", ["manifest.json", pytest.param("approval.json", marks=pytest.mark.long)])
def test_a_damaged_packet_stops_nobodys_night_and_keeps_what_was_claimed(house, read, name):
    whole = written(house)
    closes = (house.lake / "configuration" / "closes.parquet").read_bytes()
    read.clear()
    (house.closes / packets(house)[2] / name).write_bytes(b"")
    assert written(house) == whole and read == []
    assert (house.lake / "configuration" / "closes.parquet").read_bytes() == closes


@pytest.mark.long
def test_where_everything_is_read_again_what_was_read_of_a_damaged_packet_stands(house, tmp_path):
    written(house)
    lines = lines_of(house)
    gone, damaged = sorted(lines)[:2]
    (house.closes / damaged / "claims.csv").write_bytes(b"")
    aside = (house.closes / gone).rename(tmp_path / "aside")
    written(house)
    assert lines_of(house) == lines - {gone} and closes.packets_lost(house) == [gone]
    aside.rename(house.closes / gone)
    written(house)
    assert lines_of(house) == lines and closes.packets_lost(house) == []


def lines_of(house):
    rows = pq.read_table(house.lake / "configuration" / "claim_lines.parquet").to_pylist()
    return {f"{row['practice_id']}/{row['month']:%Y-%m}/v{row['close_version']}" for row in rows}


@pytest.mark.parametrize(
    "name",
    [
        "claims.csv",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("manifest.json", "approval.json", "claim_subjects.parquet")),
    ],
)
def test_a_damaged_packet_of_which_nothing_is_known_is_lost_and_stops_nobody_else(house, read, name):
    whole, lines = written(house), lines_of(house)
    packet = next(one for one in packets(house) if one in lines and one.startswith("hudson/"))
    file = house.closes / packet / name
    before = file.read_bytes()
    file.write_bytes(before[: len(before) // 2])  # of claims.csv: a line less would be claimed a second time
    (house.state / "claim_lines.json").unlink()  # as behind an upgrade
    for _ in range(2):
        written(house)
        assert closes.packets_lost(house) == [packet] and lines_of(house) == lines - {packet}
    practices = load_practices(house.practices_yaml)
    rulings = rule_on_all(house, list(practices.values()), date(2026, 11, 1), "of other inputs")
    refused = {one.practice_id for one in rulings if any(f"closes/{packet} is gone, damaged" in text for text in one.refusals)}
    assert refused == {"hudson"} and len(rulings) == 4
    read.clear()
    file.write_bytes(before)
    assert written(house) == whole and closes.packets_lost(house) == [] and read == [packet]


@pytest.mark.long
def test_a_copy_of_a_practices_closes_doubles_nothing_and_is_forgotten_once_it_is_away(house, read):
    whole = written(house)
    copy = shutil.copytree(house.closes / "hudson", house.closes / "hudson-old")
    record = house.state / "claim_lines.json"
    known = json.loads(record.read_text())
    own = {name: sha256 for name, sha256 in known["packets"].items() if name.startswith("hudson/")}
    # As a release of before left it, which read the copies.
    copies = {name.replace("hudson", "hudson-old"): sha256 for name, sha256 in own.items()}
    record.write_text(json.dumps({**known, "code": "of that release", "packets": {**known["packets"], **copies}}))
    assert written(house) == whole and closes.packets_lost(house) == sorted(copies)
    practices = load_practices(house.practices_yaml)
    rulings = rule_on_all(house, list(practices.values()), date(2026, 11, 1), "of other inputs")
    assert not any("hudson-old" in text for one in rulings for text in one.refusals)
    shutil.rmtree(copy)
    assert written(house) == whole and closes.packets_lost(house) == []


@pytest.mark.long
def test_a_copy_beside_a_practices_packets_refuses_it_until_it_is_away_and_nobody_else(house):
    whole = written(house)
    shutil.copytree(house.closes / "prairie/2026-09/v1", house.closes / "hudson/2026-09/v9")
    for _ in range(2):
        assert written(house) == whole and closes.packets_lost(house) == ["hudson/2026-09/v9"]
    practices = load_practices(house.practices_yaml)
    rulings = rule_on_all(house, list(practices.values()), date(2026, 11, 1), "of other inputs")
    said = "closes/hudson/2026-09/v9 is a copy of prairie/2026-09/v1, as its manifest says; move it out of closes/"
    assert {one.practice_id for one in rulings if any(said in text for text in one.refusals)} == {"hudson"}
    shutil.rmtree(house.closes / "hudson/2026-09/v9")
    assert closes.packets_lost(house) == []  # the gate is right again before the next night
    assert written(house) == whole


@pytest.mark.long
def test_of_a_packet_in_whose_place_a_copy_lies_what_was_read_stands_and_its_absence_is_not_forgotten(house, tmp_path):
    whole, name = written(house), "hudson/2026-09/v1"
    aside = (house.closes / name).rename(tmp_path / "aside")
    shutil.copytree(house.closes / "prairie/2026-09/v1", house.closes / name)
    assert written(house)[1] == whole[1] and closes.packets_lost(house) == [name]
    shutil.rmtree(house.closes / packets(house)[0])  # so that everything is read again
    written(house)
    assert name in lines_of(house) and name in closes.packets_lost(house)
    shutil.rmtree(house.closes / name)
    assert name in closes.packets_lost(house)
    written(house)
    assert name not in lines_of(house) and name in closes.packets_lost(house)
    aside.rename(house.closes / name)
    written(house)
    assert name in lines_of(house) and name not in closes.packets_lost(house)
