"""The demo home, as `ccm demo` leaves it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import stat
from collections.abc import Iterable

import numpy as np
import pytest
from x12sdk.io import X12ModelReader

from orchestration.house import PROJECT_ROOT
from tests.pipeline.homes import ccm, copy, rows

pytestmark = pytest.mark.xdist_group("demo")


def packets(home):
    return sorted(path.parent for path in home.glob("closes/*/*/v*/manifest.json"))


def test_the_demo_says_per_practice_and_month_what_is_claimable_held_and_at_stake_and_where_the_files_are(demo):
    home, ran = demo
    for word in ("panel", "eligible", "consented", "minutes", "claimable", "held", "at stake"):
        assert word in ran.out
    files = sorted(home.glob("closes/*/*/v*/claims.837"))
    assert len(files) >= 12
    for path in files:
        assert str(path) in ran.out.replace("\n", "")


def test_what_the_readme_says_the_demo_prints_is_what_it_prints(demo):
    """But for the paths and the seconds."""
    _, ran = demo
    readme = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    told = next(block for block in readme.split("```") if "Remittances: " in block).splitlines()
    said = {line.rstrip() for line in ran.out.splitlines()}
    figures = [line.rstrip() for line in told if line.startswith(("│", "Claims:", "Remittances:")) or " closed v" in line]
    assert len(figures) > 20 and [line for line in figures if line not in said] == []


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
def test_every_claim_file_is_accepted_by_pyx12_and_by_x12sdk(demo, every):
    import pyx12.params
    import pyx12.x12n_document

    home, _ = demo
    for path in sorted(home.glob("closes/*/*/v*/claims.837"))[::every]:
        text = path.read_text()
        accepted = pyx12.x12n_document.x12n_document(
            param=pyx12.params.params(), src_file=io.StringIO(text), fd_997=io.StringIO(), fd_html=None
        )
        assert accepted, path.parent
    with X12ModelReader(text) as reader:
        assert sum(1 for transaction in reader.models() for _ in transaction.claims()) > 0


def test_every_packet_is_whole_private_and_named_by_hash(demo):
    home, _ = demo
    assert packets(home)
    for packet in packets(home):
        manifest = json.loads((packet / "manifest.json").read_text())
        names = {path.name for path in packet.iterdir()}
        assert names == {*manifest["outputs"], "manifest.json", "approval.json"}
        for name, sha256 in manifest["outputs"].items():
            assert hashlib.sha256((packet / name).read_bytes()).hexdigest() == sha256
        for path in packet.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(packet.stat().st_mode) == 0o700
        assert manifest["inputs"] and manifest["rules_version"].startswith("rules-")
        for entry in manifest["inputs"]:
            landed = home / "landing" / manifest["practice_id"] / entry["night"] / f"{entry['table']}.csv"
            assert hashlib.sha256(landed.read_bytes()).hexdigest() == entry["sha256"]
        with (packet / "claims.csv").open() as handle:
            lines = list(csv.DictReader(handle))
        assert len(lines) == manifest["totals"]["lines"]
        assert f"{sum(float(line['charge_amount']) for line in lines):.2f}" == manifest["totals"]["charge_amount"]


def test_no_patient_month_is_claimed_twice_and_no_control_number_repeats_for_a_submitter(demo):
    home, _ = demo
    claimed, numbers = [], []
    for packet in packets(home):
        manifest = json.loads((packet / "manifest.json").read_text())
        if manifest["control_number"]:
            numbers.append((manifest["submitter_id"], manifest["control_number"]))
        with (packet / "claims.csv").open() as handle:
            claimed += sorted({(manifest["practice_id"], line["patient_id"], line["month"]) for line in csv.DictReader(handle)})
    assert len(claimed) == len(set(claimed)) > 100
    assert len(numbers) == len(set(numbers))


def test_claim_lines_are_what_the_marts_say_and_all_of_them_are_claimed(demo):
    home, _ = demo
    marts = {(r["practice_id"], r["patient_id"], f"{r['month']}"): r for r in rows(home, "from patient_month_decisions")}
    rejected = {r["claim_id"] for r in rows(home, "select claim_id from claims where status = 'rejected'")}
    for packet in packets(home):
        practice_id = packet.parent.parent.name
        with (packet / "claims.csv").open() as handle:
            for line in csv.DictReader(handle):
                row = marts[practice_id, line["patient_id"], line["month"]]
                # What the payer turned back unprocessed claims nothing.
                assert ((row["decision"], row["reason"]) == ("claimed", "already_claimed")) == (line["claim_id"] not in rejected)


def test_the_practice_whose_time_log_is_missing_is_refused_by_name_while_the_others_close(demo):
    home, ran = demo
    assert "highpines 2026-10: refused" in ran.out
    assert "time_entries" in ran.out
    assert not list(home.glob("closes/highpines/2026-10/v*"))
    assert list(home.glob("closes/hudson/2026-10/v1/claims.837"))


def test_what_undocumented_time_would_change_is_held_with_its_dollars(demo):
    home, _ = demo
    held = []
    for packet in packets(home):
        with (packet / "held.csv").open() as handle:
            held += list(csv.DictReader(handle))
    reasons = {row["reason"] for row in held}
    assert {"undocumented_time", "unresolved_time"} <= reasons
    assert any(float(row["dollars_at_stake"]) > 0 for row in held)


def test_every_kind_of_undocumented_time_and_many_dispositions_occur(demo):
    home, _ = demo
    kinds = {row["kind"] for row in rows(home, "select distinct kind from undocumented_time")}
    assert kinds == {"missing_note", "open_timer", "visit_without_time"}
    dispositions = {row["disposition"] for row in rows(home, "select distinct disposition from minute_ledger")}
    assert len(dispositions) >= 18


def test_marts_have_exactly_the_promised_columns_and_months_are_first_days(demo):
    from orchestration.contracts import mart_contracts

    home, _ = demo
    for name, contract in mart_contracts().items():
        published = {
            row["column_name"] for row in rows(home, f"select column_name from duckdb_columns() where table_name = '{name}'")
        }
        if published:
            assert {column.name for column in contract.columns} <= published, name
    assert {row["d"] for row in rows(home, "select distinct day(month) as d from patient_month_minutes")} == {1}


class Search:
    """Thousands of texts of eight bytes and more, looked for in one go: where their first six bytes may stand is sifted two at a time."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self.by_start: dict[bytes, list[bytes]] = {}
        self.known = np.zeros((3, 1 << 16), bool)
        for text in texts:
            self.by_start.setdefault(text[:8], []).append(text)
            for pair in range(3):
                self.known[pair, int.from_bytes(text[2 * pair : 2 * pair + 2], "big")] = True

    def finds_any(self, content: bytes) -> bool:
        data = np.frombuffer(content, np.uint8).astype(np.uint16)
        pairs = data[:-1] << 8 | data[1:]
        places = np.arange(max(len(data) - 7, 0))
        for pair in range(3):
            places = places[self.known[pair, pairs[places + 2 * pair]]]
        return any(
            content.startswith(text, place)
            for place in places.tolist()
            for text in self.by_start.get(content[place : place + 8], ())
        )


@pytest.mark.long
def test_no_name_mbi_phone_or_note_of_a_patient_is_in_marts_state_or_output(demo):
    home, ran = demo
    markers: set[str] = set()
    for path in sorted(home.glob("landing/*/*/patients.csv"))[-1:] + sorted(home.glob("landing/*/*/patients.csv"))[:1]:
        with path.open(encoding="utf-8", errors="replace") as handle:
            for row in csv.DictReader(handle):
                markers |= {row["phone"], row["address_line1"]}
    for path in sorted(home.glob("landing/*/*/coverages.csv"))[::40]:
        with path.open(encoding="utf-8", errors="replace") as handle:
            markers |= {row["member_id"] for row in csv.DictReader(handle)}
    for path in sorted(home.glob("landing/*/*/time_entries.csv"))[::10]:
        with path.open(encoding="utf-8", errors="replace") as handle:
            markers |= {row["note_text"] for row in csv.DictReader(handle) if row["note_text"] and len(row["note_text"]) > 15}
    markers = {marker for marker in markers if marker and len(marker) >= 8}
    assert len(markers) > 100
    places = [home / "marts.duckdb", *(p for p in (home / ".state").rglob("*") if p.is_file()), *home.glob("worklists/*/*.csv")]
    search = Search(marker.encode() for marker in markers)
    for place in places:
        assert not search.finds_any(place.read_bytes()), place.name
    # They are found where they are.
    landed = home.glob("landing/*/*/time_entries.csv")
    assert all(search.finds_any(path.read_bytes()) for path in [*sorted(landed)[::40], min(home.glob("landing/*/*/patients.csv"))])
    assert not [1 for marker in markers if marker in ran.out + ran.err]


def test_files_of_the_home_are_for_their_owner_alone(demo):
    home, _ = demo
    for path in home.rglob("*"):
        if "landing" not in path.parts and not path.is_symlink():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_night_with_nothing_new_changes_nothing(next_night):
    before = hashlib.sha256((next_night / "marts.duckdb").read_bytes()).hexdigest()
    batches = sorted((next_night / "lake" / "batches").iterdir())
    assert ccm("nightly", home=next_night).code == 0
    assert hashlib.sha256((next_night / "marts.duckdb").read_bytes()).hexdigest() == before
    assert sorted((next_night / "lake" / "batches").iterdir()) == batches


@pytest.mark.long
def test_the_refused_practice_closes_a_night_later_and_the_same_inputs_give_the_same_bytes(next_night, tmp_path):
    results = []
    for approver in ("Ann Lee", "Bo Cruz"):
        home = copy(next_night, tmp_path / approver)
        closed = ccm("close", "--month", "2026-10", "--practice", "highpines", "--approved-by", approver, "--json", home=home)
        assert closed.code == 0, closed.err
        packet = home / "closes" / "highpines" / "2026-10" / "v1"
        results.append({path.name: path.read_bytes() for path in packet.iterdir()})
    first, second = results
    assert first.pop("approval.json") != second.pop("approval.json")
    assert first == second and first["claims.837"]
    again = ccm("close", "--month", "2026-10", "--practice", "highpines", "--approved-by", approver, "--json", home=home)
    assert again.code == 0 and json.loads(again.out)[0]["outcome"] == "nothing new"
    claimed = rows(home, "select distinct decision from claimable_codes where practice_id = 'highpines' and month = '2026-10-01'")
    assert {"decision": "claimed"} in claimed


def test_what_was_documented_after_a_close_goes_out_as_the_next_version(demo):
    home, ran = demo
    assert "2026-09: closed v2" in ran.out
    for packet in home.glob("closes/*/2026-09/v2"):
        with (packet / "claims.csv").open() as handle:
            supplement = {line["patient_id"] for line in csv.DictReader(handle)}
        with (packet.with_name("v1") / "claims.csv").open() as handle:
            assert supplement and not supplement & {line["patient_id"] for line in csv.DictReader(handle)}


@pytest.mark.long
def test_a_waiver_releases_what_is_held_as_a_supplement_and_is_recorded(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home")
    ran = ccm(
        "close",
        "--month",
        "2026-10",
        "--practice",
        "hudson",
        "--approved-by",
        "Ann Lee",
        "--waive",
        "reviewed",
        "--json",
        home=home,
    )
    assert ran.code == 0, ran.err
    packet = home / "closes" / "hudson" / "2026-10" / "v2"
    approval = json.loads((packet / "approval.json").read_text())
    assert (approval["approved_by"], approval["waiver"]) == ("Ann Lee", "reviewed")
    with (packet / "claims.csv").open() as handle:
        released = {line["patient_id"] for line in csv.DictReader(handle)}
    with (home / "closes" / "hudson" / "2026-10" / "v1" / "held.csv").open() as handle:
        held = {row["patient_id"] for row in csv.DictReader(handle)}
    turned_back = {
        r["patient_id"] for r in rows(demo[0], "select patient_id from claims where status = 'rejected' and practice_id = 'hudson'")
    }
    assert released & held and released <= held | turned_back


def test_closing_an_unfinished_month_is_refused_with_the_reason_and_exit_code_3(demo):
    home, _ = demo
    ran = ccm("close", "--month", "2026-11", "--approved-by", "Ann Lee", home=home)
    assert ran.code == 3
    assert "may close from 2026-12-03 on" in ran.out
    assert not list(home.glob("closes/*/2026-11/v*"))


def test_status_prints_and_gives_json(demo):
    home, _ = demo
    months = json.loads(ccm("status", "--month", "2026-10", "--json", home=home).out)
    assert {row["practice_id"] for row in months} == {"hudson", "prairie", "highpines", "bayview"}
    assert all(row["funnel"]["panel"] >= row["funnel"]["eligible"] for row in months)


def test_scrub_finds_no_fault_in_our_files_and_names_the_claim_of_a_broken_one(demo, tmp_path):
    home, _ = demo
    file = next(home.glob("closes/hudson/*/v1/claims.837"))
    assert ccm("scrub", str(file), home=home).code == 0
    broken = tmp_path / "broken.837"
    broken.write_text(file.read_text().replace("SV1*HC:99490*", "SV1*HC:9949X*", 1))
    ran = ccm("scrub", str(broken), home=home)
    assert ran.code == 1 and "claim CCM" in ran.out and "SV101" in ran.out
