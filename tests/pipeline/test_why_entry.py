"""`ccm why ENTRY --entry` says "supports no claim line" only of entries that there are."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration import access
from orchestration.command.why import why
from orchestration.house import HouseError
from tests.holds.clinic import Clinic, configure

LINE = "claim_id,line_id,patient_id,month,procedure_code,units,service_date,charge_amount,allowed_amount\nC1,L1,p1,2026-10-01,99490,1,2026-10-31,95.00,60.00\n"


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
        packet = tmp_path / "closes" / practice_id / "2026-10" / "v1"
        packet.mkdir(parents=True)
        (packet / "manifest.json").write_text("{}")
        (packet / "claims.csv").write_text(LINE)
        ledger = [("credited", "good"), ("undocumented", "bare")]
        rows = [{"entry_id": entry, "patient_id": "p1", "disposition": what, "seconds": 1200} for what, entry in ledger]
        pq.write_table(pa.Table.from_pylist(rows), packet / "minute_ledger.parquet")
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as con:
        con.execute(
            "create table time_entry_facts as select * from (values ('alpha', 'later'), ('beta', 'only')) as t(practice_id, entry_id)"
        )
    return tmp_path


@pytest.mark.parametrize(
    ("practice", "entry", "said"),
    [
        ("alpha", "good", "L1: 99490 x 1, 2026-10 v1, 1200 credited seconds"),
        ("gone", "good", "L1: 99490 x 1, 2026-10 v1, 1200 credited seconds"),
        ("alpha", "bare", "supports no claim line"),
        ("alpha", "later", "supports no claim line"),
        ("beta", "only", "supports no claim line"),
    ],
)
def test_an_entry_of_a_packet_or_of_the_marts_is_told_with_the_lines_it_supports(
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
