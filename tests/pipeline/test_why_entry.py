"""`ccm why ENTRY --entry` says "supports no claim line" only of entries that there are."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import access
from orchestration.answer.why import find_line
from orchestration.close.freeze import parquet
from orchestration.command.explain import explain
from orchestration.command.why import why
from orchestration.house import House, HouseError
from tests.holds.clinic import Clinic, configure

HEADER = "claim_id,line_id,patient_id,month,procedure_code,units,service_date,charge_amount,allowed_amount"
MONTH = date(2026, 10, 1)
BANDS = Path("dbt_project/seeds/rules/rule_bands.csv")
# patient, track, code, and of each entry: member, disposition, seconds. D1 bills.
CLAIMED = [
    ("p1", "ccm", "99490", {"good": ("N1", "credited", 1200), "bare": ("N1", "undocumented", 1200), "beside": ("D1", "concurrent", 60)}),
    ("p2", "ccm_practitioner", "99491", {"doctors": ("D1", "concurrent", 1740), "nurses": ("N1", "credited", 1800)}),
    ("p3", "apcm", "G0557", {"unasked": ("N1", "credited", 600)}),
]  # fmt: skip


def close(packet: Path) -> None:
    packet.mkdir(parents=True)
    (packet / "manifest.json").write_text("{}")
    lines = [f"C-{patient},L-{patient},{patient},{MONTH},{code},1,2026-10-31,95.00,60.00" for patient, _, code, _ in CLAIMED]
    (packet / "claims.csv").write_text("\n".join([HEADER, *lines, ""]))
    ledger = [
        {"entry_id": entry, "patient_id": patient, "member_id": member, "disposition": what, "seconds": seconds}
        for patient, _, _, entries in CLAIMED
        for entry, (member, what, seconds) in entries.items()
    ]
    own = [
        {"patient_id": patient, "month": MONTH, "track": track, "billing_practitioner_id": "D1"} for patient, track, *_ in CLAIMED
    ]
    for name, rows in (("minute_ledger", ledger), ("decisions", own), ("patient_month_evidence", own)):
        pq.write_table(pa.Table.from_pylist(rows), packet / f"{name}.parquet")
    with duckdb.connect() as con, zipfile.ZipFile(packet / "inputs.zip", "w") as inputs:
        inputs.writestr("rules/rule_bands.parquet", parquet(con.execute(f"from '{BANDS}'").to_arrow_table()))


@pytest.fixture(autouse=True)
def recorded():
    """A command that is called here is one of this process, whose record of access would stay open for the tests behind it."""
    yield
    access.finish(0)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """`alpha` has a packet, `gone` has left practices.yaml and has one too, `beta` has marts alone."""
    configure(tmp_path, [Clinic("alpha", 1), Clinic("beta", 2)])
    for practice_id in ("alpha", "gone"):
        close(tmp_path / "closes" / practice_id / "2026-10" / "v1")
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as con:
        con.execute(
            "create table time_entry_facts as select * from (values ('alpha', 'later'), ('beta', 'only')) as t(practice_id, entry_id)"
        )
    return tmp_path


@pytest.mark.parametrize(
    ("practice", "entry", "said"),
    [
        ("alpha", "good", "L-p1: 99490 x 1, 2026-10 v1, 1200 credited seconds"),
        ("gone", "good", "L-p1: 99490 x 1, 2026-10 v1, 1200 credited seconds"),
        ("alpha", "bare", "supports no claim line"),
        ("alpha", "beside", "supports no claim line"),
        ("alpha", "doctors", "L-p2: 99491 x 1, 2026-10 v1, 1740 concurrent seconds"),
        ("alpha", "nurses", "supports no claim line"),
        ("alpha", "unasked", "supports no claim line"),
        ("alpha", "later", "supports no claim line"),
        ("beta", "only", "supports no claim line"),
    ],
)
def test_an_entry_is_told_with_the_lines_whose_track_counts_its_seconds(
    home: Path, practice: str, entry: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    why(entry, entry=True, practice=practice, home=home, as_json=False)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("practice", "entry", "said"),
    [
        ("alpha", "only", "no such entry"),
        ("beta", "good", "no such entry"),
        ("nowhere", "good", "--practice nowhere: is in neither"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_an_entry_or_a_practice_that_nothing_knows_is_refused(
    home: Path, practice: str, entry: str, said: str, as_json: bool
) -> None:
    with pytest.raises(HouseError, match=said):
        why(entry, entry=True, practice=practice, home=home, as_json=as_json)


def test_before_any_night_is_published_no_entry_is_known(home: Path) -> None:
    (home / "marts.duckdb").unlink()
    with pytest.raises(HouseError, match="no such entry"):
        why("only", entry=True, practice="beta", home=home, as_json=False)


def test_a_line_is_found_whatever_case_its_id_is_written_in(home: Path) -> None:
    for asked in ("L-p1", "l-P1", " c-p1 "):
        assert {one.line["line_id"] for one in find_line(House(home), asked)} == {"L-p1"}
    with pytest.raises(HouseError, match="nothing: no close wrote"):
        find_line(House(home), "nothing")


def test_a_printable_page_that_would_be_a_folder_is_refused_with_a_name_to_take(home: Path) -> None:
    with pytest.raises(HouseError, match="is a folder; name a file in it"):
        explain("alpha", "p1", "2026-10", html=home, home=home)
