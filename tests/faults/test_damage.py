"""A disk that gives back other bytes than were written: it is told what is damaged, and whatever comes from the lake is made anew."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from tests.holds.clinic import Clinic, configure
from tests.pipeline.homes import ccm, rows

pytestmark = pytest.mark.xdist_group("faults")


def damage(path: Path, *places: float) -> None:
    """Other bytes at these places of a file, each a share of its length."""
    size = path.stat().st_size
    with path.open("r+b") as handle:
        for place in places:
            handle.seek(int(size * place))
            handle.write(bytes(range(64)))


def decided(home: Path) -> list[dict[str, object]]:
    return rows(home, "select * exclude (alternatives) from patient_month_decisions order by all")


@pytest.mark.long
def test_damaged_databases_are_named_and_made_anew_from_the_lake(tmp_path: Path) -> None:
    home, clinic = tmp_path / "home", Clinic("prairie", 1, patients=2)
    home.mkdir()
    configure(home, [clinic])
    clinic.land_night(home, date(2026, 11, 5), as_panel=True)
    assert ccm("nightly", home=home).code == 0
    before = decided(home)

    damage(home / "marts.duckdb", 0)
    damage(home / "warehouse.duckdb", 0)
    for command in (("status",), ("close", "--month", "2026-10", "--approved-by", "Ann Lee")):
        ran = ccm(*command, home=home)
        assert ran.code == 1 and "is damaged" in ran.err and "ccm nightly --full" in ran.err, ran.err
        assert "defect" not in ran.err
    assert "bad" in (said := ccm("doctor", home=home).out) and "warehouse.duckdb: is damaged" in said.replace("\n", " ")
    ran = ccm("nightly", home=home)  # nothing is new but that
    assert ran.code == 0, ran.err
    assert decided(home) == before

    # Within: what is read before the damage is met looks sound. A lake that is damaged as well is told of by the file.
    damage(home / "warehouse.duckdb", *(part / 80 for part in range(1, 80)))
    ran = ccm("close", "--month", "2026-10", "--approved-by", "Ann Lee", home=home)
    assert ran.code != 0 and "is damaged" in ran.err and "defect" not in ran.err, ran.err
    entries = home / "lake" / "batches" / "000001" / "time_entries.parquet"
    shutil.copy(entries, tmp_path / "kept.parquet")
    damage(entries, 0.1, 0.3, 0.5, 0.7)
    ran = ccm("nightly", "--full", home=home)
    assert ran.code == 1 and "damaged, cannot be read: 000001/time_entries.parquet" in ran.err.replace("\n", " "), ran.err
    assert "000001/time_entries.parquet" in ccm("doctor", home=home).out.replace("\n", " ")
    shutil.copy(tmp_path / "kept.parquet", entries)
    ran = ccm("nightly", home=home)
    assert ran.code == 0, ran.err
    assert decided(home) == before


def test_a_database_that_another_process_holds_is_not_called_damaged(tmp_path: Path) -> None:
    from orchestration import engine

    path = tmp_path / "held.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("create table t as select 1 as a")
    assert engine.opens(path) and not engine.opens(tmp_path / "none.duckdb")
    held = duckdb.IOException(f'IO Error: Could not set lock on file "{path}": Conflicting lock is held')
    assert not engine.is_damage(held)
    path.write_bytes(path.read_bytes()[:5000])
    assert not engine.opens(path)
    with pytest.raises(engine.Damaged, match="is damaged"):
        engine.open_database(path, "held")
