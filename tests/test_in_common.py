"""What the closes of one run have in common: who was claimed for the month, by tax id."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.close import in_common
from orchestration.close.in_common import InCommon
from orchestration.house import House, HouseError
from tests.holds.clinic import Clinic, configure

OCTOBER = date(2026, 10, 1)


def packet(house, practice, tax_id, *claims, month="2026-10", version=1):
    """A packet folder with the subjects of these claims: (claim, patient, MBI)."""
    folder = house.closes / practice / month / f"v{version}"
    folder.mkdir(parents=True)
    rows = [{"claim_id": c, "practice_id": practice, "patient_id": p, "mbi": mbi, "tax_id": tax_id} for c, p, mbi in claims]
    schema = pa.schema([(name, pa.string()) for name in ("claim_id", "practice_id", "patient_id", "mbi", "tax_id")])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "claim_subjects.parquet")
    return folder


def test_who_was_claimed_is_found_by_tax_id_in_the_order_of_the_packets(tmp_path):
    house = House(tmp_path)
    packet(house, "b", "1", ("C3", "P1", "M1"))
    packet(house, "a", "1", ("C1", "P1", "M2"), ("C2", "P2", None))
    packet(house, "a", "1", ("C4", "P3", "M4"), version=2)
    packet(house, "c", "2", ("C5", "P1", "M1"))
    packet(house, "a", "1", ("C6", "P9", "M9"), month="2026-09")
    packet(house, "empty", "1")
    common = InCommon(house, OCTOBER)
    assert common.subjects("1", "nobody") == [
        ("a", "C1", "P1", "M2"),
        ("a", "C2", "P2", ""),
        ("a", "C4", "P3", "M4"),
        ("b", "C3", "P1", "M1"),
    ]
    assert common.subjects("2", "nobody") == [("c", "C5", "P1", "M1")]
    assert common.subjects("3", "nobody") == []


def test_who_has_the_tax_id_now_is_asked_about_whatever_tax_id_it_claimed_under(tmp_path):
    house = House(tmp_path)
    joined, stranger = (
        Clinic(name, number, settings={"tax_id": "123456789"}) for number, name in enumerate(("joined", "stranger"))
    )
    stranger.settings["tax_id"] = "987654321"
    configure(house.root, [joined, stranger])
    packet(
        house, "joined", "111111111", ("C1", "P1", "M1")
    )  # before its tax id was corrected, or it became part of the organisation
    packet(house, "stranger", "222222222", ("C2", "P1", "M1"))
    packet(house, "gone", "123456789", ("C3", "P2", "M2"))  # in no practices.yaml any more
    common = InCommon(house, OCTOBER)
    assert [claim for _, claim, *_ in common.subjects("123456789", "nobody")] == ["C3", "C1"]
    assert [claim for _, claim, *_ in common.subjects("222222222", "nobody")] == ["C2"]
    assert [claim for _, claim, *_ in common.subjects("333333333", "nobody")] == []


def test_what_the_run_itself_publishes_is_seen_by_the_next_of_the_tax_id(tmp_path):
    house = House(tmp_path)
    common = InCommon(house, OCTOBER)
    assert common.subjects("1", "nobody") == []
    common.published(packet(house, "b", "1", ("C2", "P1", "M1")))
    common.published(packet(house, "a", "1", ("C1", "P1", "M2")))
    assert [claim for _, claim, *_ in common.subjects("1", "nobody")] == ["C1", "C2"]
    assert common.subjects("1", "nobody") == InCommon(house, OCTOBER).subjects("1", "nobody")


def test_a_packet_that_cannot_be_read_stops_those_of_its_tax_id_and_no_other(tmp_path):
    house = House(tmp_path)
    configure(house.root, [Clinic("joined", 1, settings={"tax_id": "444444444"})])
    for name, tax_id in (("a", "1"), ("joined", "1"), ("b", "2")):
        packet(house, name, tax_id, (f"C-{name}", "P1", "M1"))
    for name in ("a", "joined"):
        (house.closes / name / "2026-10" / "v1" / "claim_subjects.parquet").write_bytes(b"spoiled")
    named = r"a/2026-10/v1/claim_subjects.parquet: cannot be read; restore this packet"
    with pytest.raises(HouseError, match=named):  # and no night had read it
        InCommon(house, OCTOBER)
    lines = [
        {"practice_id": name, "month": month, "close_version": 1, "tax_id": tax_id}
        for name, month, tax_id in (
            ("a", OCTOBER, "1"),
            ("joined", OCTOBER, "1"),
            ("a", date(2026, 9, 1), "2"),
            ("b", OCTOBER, "2"),
        )
    ]
    (house.lake / "configuration").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(lines), house.lake / "configuration" / "claim_lines.parquet")
    common = InCommon(house, OCTOBER)
    assert common.subjects("2", "b") == [("b", "C-b", "P1", "M1")]
    with pytest.raises(HouseError, match=named):
        common.subjects("1", "sibling")
    with pytest.raises(HouseError, match="joined/2026-10"):  # what it claimed under its tax id of before
        common.subjects("444444444", "nobody")
    with pytest.raises(HouseError, match=named):
        common.subjects("5", "a")


def test_a_close_reads_the_packets_of_its_own_tax_id_alone(tmp_path, monkeypatch):
    house = House(tmp_path)
    for number in range(20):
        packet(house, f"p{number}", str(number), (f"C{number}", "P", "M"))
    common, read = InCommon(house, OCTOBER), []
    whole = pq.read_table
    monkeypatch.setattr(in_common.pq, "read_table", lambda path, **more: read.append(path) or whole(path, **more))
    assert common.subjects("7", "nobody") == [("p7", "C7", "P", "M")]
    assert [path.parents[2].name for path in read] == ["p7"]
