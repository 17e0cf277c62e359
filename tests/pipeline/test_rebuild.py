"""A close can be made again from what it froze: the same bytes, on another machine, after whatever came since."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from orchestration.answer.explain import of_packet, tell
from orchestration.close import rebuild as rebuilding
from orchestration.close.rebuild import rebuild
from orchestration.close.x12 import claim_rules, scrub
from orchestration.close.x12.claim_rules import of_rows, of_this_release
from orchestration.contracts import extract_contracts, lake_columns
from orchestration.house import House, HouseError
from tests.holds.clinic import Clinic, configure, write
from tests.pipeline.homes import ccm
from tests.pipeline.test_after_the_close import entry, land

pytestmark = pytest.mark.xdist_group("rebuild")


@pytest.fixture
def packet(demo, tmp_path):
    """A copy of one packet, away from every home."""
    return shutil.copytree(demo[0] / "closes" / "hudson" / "2026-09" / "v1", tmp_path / "v1")


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.long)])
def test_every_close_of_the_demo_comes_out_the_same_from_its_packet_alone(demo, tmp_path, every):
    closes = sorted(path.parent for path in demo[0].glob("closes/*/*/v*/manifest.json"))
    assert len(closes) >= 16 and any(packet.name == "v2" for packet in closes[::every])
    for packet in closes[::every]:
        alone = shutil.copytree(packet, tmp_path / packet.parents[1].name / packet.parent.name / packet.name)
        made = rebuild(alone)
        assert made.is_same, (packet, [name for name, (then, now) in made.files.items() if then != now])
        assert set(made.files) == {path.name for path in packet.iterdir()} - {"approval.json"}


def test_ccm_rebuild_needs_neither_lake_nor_rules_nor_configuration(demo, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(demo[0] / "closes", home / "closes")
    ran = ccm("rebuild", "--practice", "prairie", "--month", "2026-09", "--into", str(tmp_path / "again"), "--json", home=home)
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    assert said["is_same"] and said["version"] == 2
    packet = home / "closes" / "prairie" / "2026-09" / "v2"
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (packet / path.name).read_bytes()
    (packet / "claims.csv").write_text("tampered")
    into = ccm("rebuild", "--practice", "prairie", "--month", "2026-09", "--into", str(packet), home=home)
    assert into.code == 1 and "is not an empty folder" in into.err and (packet / "claims.csv").read_text() == "tampered"


@pytest.mark.long
@pytest.mark.parametrize("table", ["appointments", "calls"])
def test_a_contact_that_began_before_the_month_is_frozen_with_it(tmp_path, table):
    clinic = Clinic("small", 1, patients=2)
    configure(tmp_path, [clinic])
    patient, member = clinic.id(1), clinic.rn
    # A wrong month, and a call over the month's last midnight: legal, and nobody logged it.
    contact = {
        "appointments": {"appointment_id": "A1", "patient_id": patient, "member_id": member, "visit_type": "ccm_call", "status": "completed",
                         "scheduled_start": "2026-09-25T15:00:00Z", "scheduled_end": "2026-10-25T15:20:00Z", "updated_at": "2026-09-25T16:00:00Z"},
        "calls": {"call_id": "C1", "patient_id": patient, "member_id": member, "started_at": "2026-10-01T04:30:00Z", "duration_seconds": "5400"},
    }[table]  # fmt: skip
    land(tmp_path, clinic, date(2026, 10, 5), [])
    write(tmp_path, "small", date(2026, 10, 5), table, [contact])
    entries = [entry(clinic, n, f"2026-10-{12 + n}") for n in (1, 2)]
    land(tmp_path, clinic, date(2026, 11, 6), entries)
    write(
        tmp_path,
        "small",
        date(2026, 11, 6),
        table,
        [{**contact, "updated_at": "2026-11-05T16:00:00Z"} if table == "appointments" else contact],
    )
    assert ccm("nightly", home=tmp_path).code == 0
    assert ccm("close", "--month", "2026-10", "--approved-by", "Ann Lee", home=tmp_path).code == 0
    packet = tmp_path / "closes" / "small" / "2026-10" / "v1"
    assert patient in (packet / "held.csv").read_text()
    made = rebuild(packet)
    assert made.is_same, [name for name, (then, now) in made.files.items() if then != now]


def test_a_packet_freezes_the_rows_of_its_own_practice_and_every_rule(packet):
    with zipfile.ZipFile(packet / "inputs.zip") as archive:
        tables = {name: pq.read_table(io.BytesIO(archive.read(name))) for name in archive.namelist() if name.endswith(".parquet")}
    assert {"lake/time_entries.parquet", "lake/patients.parquet", "rules/rule_rvus.parquet", "history.parquet"} <= set(tables)
    for name, table in tables.items():
        if name.startswith("lake/"):
            assert set(table["practice_id"].to_pylist()) <= {"hudson"}, name
    # What landed, and nothing that a model made of it: that is made again, and may be made otherwise next year.
    for table, contract in extract_contracts().items():
        landed = {"practice_id", "extract_date", "file_id", "line_number", *(name for name, _ in lake_columns(contract))}
        if f"lake/{table}.parquet" in tables:
            assert set(tables[f"lake/{table}.parquet"].column_names) <= landed, table


def with_frozen(packet, change):
    """Changes the frozen tables and lets the manifest vouch for the result."""
    path = packet / "inputs.zip"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    manifest = json.loads((packet / "manifest.json").read_text())
    manifest["outputs"]["inputs.zip"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (packet / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def test_a_rebuild_from_other_rows_is_not_the_same(packet):
    def lose_an_entry(files):
        table = pq.read_table(io.BytesIO(files["lake/time_entries.parquet"]))
        buffer = io.BytesIO()
        pq.write_table(table.slice(0, len(table) - 20), buffer)
        files["lake/time_entries.parquet"] = buffer.getvalue()

    with_frozen(packet, lose_an_entry)
    made = rebuild(packet)
    assert not made.is_same
    assert {name for name, (then, now) in made.files.items() if then != now} >= {"minute_ledger.parquet", "manifest.json"}


@pytest.mark.long
def test_a_packet_of_when_these_rules_had_no_dates_comes_out_the_same_and_is_told(packet, tmp_path):
    def undate(files):
        def table(name):
            return pq.read_table(io.BytesIO(files[f"rules/{name}.parquet"]))

        def put(name, rows):
            buffer = io.BytesIO()
            pq.write_table(rows, buffer)
            files[f"rules/{name}.parquet"] = buffer.getvalue()

        for name in ("rule_complex_mdm_levels", "rule_coverage_types", "rule_limits", "rule_programs", "rule_track_choice"):
            put(name, table(name).drop_columns(["effective_from", "effective_to"]))
        put("rule_limits", pa.concat_tables([table("rule_limits"), table("rule_office_limits")]))
        del files["rules/rule_office_limits.parquet"]

    with_frozen(packet, undate)
    made = rebuild(packet)
    assert made.is_same, [name for name, (then, now) in made.files.items() if then != now]
    patient = pq.read_table(packet / "decisions.parquet").filter(pc.field("decision") == "claimable")["patient_id"][0].as_py()
    with of_packet(House(tmp_path), packet) as source:
        story = tell(source, "hudson", patient, date(2026, 9, 1))
    assert [track for track in story["candidates"] if track["is_chosen"]]


def test_a_rebuild_scrubs_by_the_rules_that_its_packet_froze(packet, monkeypatch):
    bands, levels, caps = of_this_release().__reduce__()[1]
    lower = of_rows(bands, levels, tuple((code, 0, begins, ends) for code, _, begins, ends in caps))
    for module in (scrub, claim_rules):
        monkeypatch.setattr(module, "of_this_release", lambda: lower)
    assert scrub.scrub((packet / "claims.837").read_bytes())
    assert rebuild(packet).is_same


def test_a_packet_that_was_tampered_with_is_refused_by_name(packet):
    (packet / "claims.csv").write_text("claim_id\n")
    with pytest.raises(HouseError, match=r"claims\.csv is not what the manifest names"):
        rebuild(packet)
    (packet / "inputs.zip").write_bytes(b"")
    with pytest.raises(HouseError, match=r"inputs\.zip: is not what the manifest names"):
        rebuild(packet)


def test_a_month_that_was_never_closed_says_so(demo):
    ran = ccm("rebuild", "--practice", "hudson", "--month", "2026-11", home=demo[0])
    assert ran.code == 1 and "is not closed" in ran.err


def test_settings_that_this_release_refuses_are_named_and_not_called_a_defect(tmp_path, monkeypatch):
    class Old:
        def json(self, name):
            return {"practice_id": "lakeside", "receiver": {"id": "CHANGE_HC", "name": "N"}}

    monkeypatch.setattr(rebuilding, "_manifest", lambda _: {})
    monkeypatch.setattr(rebuilding, "_frozen_bytes", lambda *_: b"")
    monkeypatch.setattr(rebuilding, "thaw", lambda _: Old())
    with pytest.raises(
        HouseError, match=r"settings that this release refuses \(.*receiver\.id.*\); rebuild it with the release that"
    ):
        rebuild(tmp_path)
