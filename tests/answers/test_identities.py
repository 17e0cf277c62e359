"""Under which NPIs and submitter ids a practice ever was known is a record that no change of practices.yaml takes anything from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence

import pyarrow.parquet as pq
import pytest

from orchestration.house import House, HouseError
from orchestration.practices import Practice
from orchestration.transform import identities
from orchestration.transform.configuration import configuration_fingerprint, write_configuration
from tests.answers.coverage import Answer
from tests.answers.letters import NORTH, SOUTH, file, paid_in_full, practice, remittance
from tests.answers.office import Office

pytestmark = pytest.mark.xdist_group("answers")

SECOND, THIRD = practice("north", "1003000126", "NORTH01"), practice("north", "1003000126", "NORTH03")


def write(house: House, *practices: Practice) -> str:
    return write_configuration(house, {one.practice_id: one for one in practices})


def names(*practices: Practice) -> set[tuple[str, str, str]]:
    return {(one.practice_id, one.npi, one.submitter_id) for one in practices}


def packet(house: House, closed_as: Practice, month: str, damaged: Sequence[str] = ()) -> None:
    """A packet without a claim."""
    folder = house.closes / closed_as.practice_id / month / "v1"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "inputs.zip", "w") as archive:
        archive.writestr("practice.json", closed_as.canonical_json())
    (folder / "claims.csv").write_text("claim_id\n")
    pq.write_table(identities.IDENTITIES.empty_table(), folder / "claim_subjects.parquet")
    totals = {"claims": 0, "allowed_amount": "0.00", "held": 0}
    said = {"practice_id": closed_as.practice_id, "month": month, "version": 1, "newest_night": "2026-11-03", "totals": totals}
    (folder / "manifest.json").write_text(json.dumps({**said, "outputs": {}}))
    (folder / "approval.json").write_text(json.dumps({"approved_by": "Ann Lee", "approved_at": "2026-11-03T12:00:00+00:00"}))
    for name in damaged:
        (folder / name).write_bytes(b"PK")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "home").prepare()


def test_a_name_that_a_practice_had_stays_on_record_and_nothing_else_changes_it(house):
    write(house, NORTH, SOUTH)
    assert identities.recorded(house) == names(NORTH, SOUTH)
    write(house, SECOND, SOUTH)
    changed = write(house, THIRD)
    assert identities.recorded(house) == names(NORTH, SECOND, THIRD, SOUTH)
    assert configuration_fingerprint(house, {"north": THIRD}) == changed == write(house, THIRD)
    assert write(house, SECOND) != changed and identities.recorded(house) == names(NORTH, SECOND, THIRD, SOUTH)


def test_a_home_of_before_begins_with_what_it_knew_the_last_time_and_what_its_packets_froze(house):
    packet(house, SECOND, "2026-09")
    packet(house, THIRD, "2026-10", damaged=["inputs.zip"])
    write(house, NORTH)
    identities.path_of(house).unlink()
    write(house, practice("north", "1003000134", "NORTH09"))
    assert identities.recorded(house) == names(NORTH, SECOND, practice("north", "1003000134", "NORTH09"))


def test_what_a_packet_froze_that_is_put_back_is_on_record_from_then_on(house):
    write(house, NORTH)
    packet(house, SECOND, "2026-09")
    write(house, NORTH)
    assert identities.recorded(house) == names(NORTH, SECOND)


def test_a_record_that_cannot_be_read_is_told_and_never_begun_anew(house):
    write(house, NORTH)
    identities.path_of(house).write_bytes(b"PAR1")
    with pytest.raises(HouseError, match=r"identities\.parquet: cannot be read; restore it from the backup, or remove it"):
        write(house, SECOND)


def test_files_of_a_former_name_stay_the_practices_and_those_of_anothers_name_are_the_others(tmp_path):
    office = Office(tmp_path / "home", [])
    office.deliver(file("835", remittance(paid_in_full("STRANGER1"))), Answer(submitter="HOUSE").text())

    def whose() -> tuple[list[str], list[str]]:
        files, payments = ("select practice_id from answer_files order by file_id", "select practice_id from remittances")
        return [row["practice_id"] for row in office.see(files)], [row["practice_id"] for row in office.see(payments)]

    assert whose() == ([None, "north"], ["north"])
    office.configure(SECOND, SOUTH)
    assert whose() == ([None, "north"], ["north"])
    office.configure(SECOND, practice("south", NORTH.npi, "SOUTH01"))
    assert whose() == ([None, "south"], ["south"])
