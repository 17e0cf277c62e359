"""Which folders under closes/ are packets: those that closes write, and no copy that somebody put beside them."""

from __future__ import annotations

import json
import shutil
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.answer.why import find_line
from orchestration.close.assets import packets_unknown_to
from orchestration.close.in_common import InCommon
from orchestration.close.transitions import read, record_closes
from orchestration.close.versions import copied_from, in_folders, months, nobodys_folders, packets, versions
from orchestration.house import House, HouseError
from orchestration.operate.doctor import examine
from orchestration.transform.closes import read_closes
from orchestration.transform.office import held_rows
from tests.holds.clinic import Clinic, configure

OCTOBER = date(2026, 10, 1)
HEADER = "claim_id,line_id,patient_id,month,procedure_code,units,service_date,charge_amount,allowed_amount"


@pytest.fixture
def house(tmp_path) -> House:
    """`alpha`, configured, has closed October twice; `gone`, which has left practices.yaml, once."""
    house = House(tmp_path).prepare()
    configure(house.root, [Clinic("alpha", 1)])
    for name, version in (("alpha", 1), ("alpha", 2), ("gone", 1)):
        close(house, name, version)
    return house


def close(house: House, practice: str, version: int) -> None:
    folder = house.closes / practice / "2026-10" / f"v{version}"
    folder.mkdir(parents=True)
    said = {
        "practice_id": practice,
        "month": "2026-10",
        "version": version,
        "newest_night": "2026-11-03",
        "outputs": {"inputs.zip": "0"},
    }
    totals = {"claims": 1, "allowed_amount": "60.49", "held": 0}
    (folder / "manifest.json").write_text(json.dumps({**said, "totals": totals}))
    approval = {"approved_by": "Ann Lee", "approved_at": f"2026-11-0{version + 3}T08:00:00+00:00", "waiver": None}
    (folder / "approval.json").write_text(json.dumps(approval))
    claim = f"C{practice}{version}"
    (folder / "claims.csv").write_text(f"{HEADER}\n{claim},{claim}1,P{version},2026-10-01,99490,1,2026-10-31,95.00,60.49\n")
    pq.write_table(
        pa.table({"claim_id": [claim], "patient_id": [f"P{version}"], "tax_id": ["123456789"], "mbi": ["1EG4TE5MK73"]}),
        folder / "claim_subjects.parquet",
    )
    (folder / "held.csv").write_text(
        f"patient_id,month,reason,detail,dollars_at_stake\nH{version},2026-10-01,undocumented_time,x,1.00\n"
    )


def propose(house: House, practice: str) -> None:
    file = house.closes / practice / "2026-10" / "proposals" / "001.json"
    file.parent.mkdir()
    said = {"practice_id": practice, "month": "2026-10", "version": 3, "newest_night": "2026-11-03"}
    file.write_text(json.dumps({**said, "totals": {}, "claims": {}, "held": {}}))


def everything(house: House) -> object:
    """What the readers of packets make of closes/."""
    closed = read_closes(house)
    return (
        [one.name for one in packets(house)],
        [versions(house, name, OCTOBER) for name in ("alpha", "gone")],
        (closed.closes, closed.proposals, closed.claim_lines.to_pylist(), dict(closed.packets), closed.gone),
        held_rows(house),
        [one.packet for one in find_line(house, "Calpha1")],
        InCommon(house, OCTOBER).subjects("123456789", "alpha"),
    )


COPIES = {
    "a version": ("alpha/2026-10/v1", "alpha/2026-10/v1.bak"),
    "a version of another number": ("alpha/2026-10/v1", "alpha/2026-10/v01"),
    "a month": ("alpha/2026-10", "alpha/2026-10.bak"),
    "a month that is none": ("alpha/2026-10", "alpha/2026-13"),
    "a practice": ("alpha", "alpha.bak"),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_under_a_name_of_no_packet_changes_nothing_and_the_doctor_names_it(house, copy):
    propose(house, "alpha")
    before = everything(house)
    shutil.copytree(*(house.closes / name for name in COPIES[copy]))
    assert everything(house) == before and nobodys_folders(house) == [COPIES[copy][1]]
    [warned] = [one for one in examine(house) if one.question == "closes" and one.state == "warning"]
    assert warned.said.endswith(f": {COPIES[copy][1]}") and "move" in warned.remedy


@pytest.mark.parametrize(
    "copy", [("alpha", "alpha-old"), ("alpha/2026-10", "gone/2026-09"), ("alpha/2026-10/v2", "gone/2026-10/v2")]
)
def test_a_copy_in_a_place_of_nobody_who_is_configured_is_read_by_nobody_and_the_doctor_names_it(house, copy):
    propose(house, "alpha")
    before = everything(house)
    shutil.copytree(*(house.closes / name for name in copy))
    assert everything(house) == before and nobodys_folders(house) == []
    [warned] = [one for one in examine(house) if one.question == "closes" and one.state == "warning"]
    assert copy[1] in warned.said and "(of alpha/2026-10/v" in warned.said


def test_a_copy_in_the_folder_of_a_practice_keeps_it_from_closing_as_long_as_it_lies_there(house):
    before = everything(house)
    copy = shutil.copytree(house.closes / "gone" / "2026-10" / "v1", house.closes / "alpha" / "2026-09" / "v1")
    assert copied_from(copy) == "gone/2026-10/v1"
    assert everything(house) == before and read_closes(house).copied == ("alpha/2026-09/v1",)
    (told,) = (one for one in examine(house) if "copies" in one.said)
    assert told.state == "bad" and told.said.endswith(": alpha/2026-09/v1 (of gone/2026-10/v1)") and "move" in told.remedy
    record_closes(house, "alpha")
    assert [(one["month"], one["version"]) for one in read(house, "alpha")] == [("2026-10", 1), ("2026-10", 2)]


def test_a_copy_is_nothing_that_the_models_have_not_heard_of(house):
    with duckdb.connect(str(house.warehouse)) as con:
        con.execute("create schema staging")
        con.register("read", pa.Table.from_pylist(read_closes(house).closes))
        con.execute("create table staging.stg_closes as from read")
    assert not packets_unknown_to(house)
    for copy in (*COPIES.values(), ("alpha", "alpha-old")):
        shutil.copytree(*(house.closes / name for name in copy))
    assert not packets_unknown_to(house)
    close(house, "alpha", 3)
    assert packets_unknown_to(house)


def test_what_the_product_itself_makes_under_closes_is_no_folder_to_be_moved(house):
    propose(house, "alpha")
    for made in (".control_numbers", "alpha/2026-10/.v3.tmp", "alpha/2026-11/proposals"):
        (house.closes / made).mkdir(parents=True)
    for made in ("alpha/transitions.jsonl", "alpha/acceptances.jsonl", "alpha/2026-10/held_after_v2.csv"):
        (house.closes / made).write_text("")
    assert nobodys_folders(house) == []
    assert [(name, f"{month:%Y-%m}") for name, month, _ in months(house)] == [
        ("alpha", "2026-10"),
        ("alpha", "2026-11"),
        ("gone", "2026-10"),
    ]


def test_packets_come_by_practice_month_and_number_and_an_incomplete_one_is_none(house):
    for version in (10, 9):
        close(house, "alpha", version)
    (house.closes / "alpha" / "2026-10" / "v11").mkdir()
    (house.closes / "alpha" / "2026-10" / "v9" / "manifest.json").write_text("{")  # complete, and damaged
    assert versions(house, "alpha", OCTOBER) == [1, 2, 9, 10]
    assert [one.name for one in in_folders(house, month=OCTOBER)] == [
        *(f"alpha/2026-10/v{n}" for n in (1, 2, 9, 10)),
        "gone/2026-10/v1",
    ]
    assert packets(house, "nobody") == packets(house, month=date(2026, 9, 1)) == packets(house, having="claims.837") == []
    with pytest.raises(HouseError, match="is no practice's id"):
        versions(house, "../alpha", OCTOBER)


def test_a_packet_whose_manifest_is_written_anew_is_looked_at_anew(house):
    manifest = house.closes / "alpha" / "2026-10" / "v1" / "manifest.json"
    assert copied_from(manifest.parent) is None
    manifest.write_text(manifest.read_text().replace("alpha", "gamma"))
    assert copied_from(manifest.parent) == "gamma/2026-10/v1"
