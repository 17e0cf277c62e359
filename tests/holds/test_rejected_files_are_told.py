"""A night tells of the rejected files that still stand, and of no others."""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.close import acceptances
from orchestration.command.nights import _night_summary
from orchestration.house import House
from orchestration.practices import load_practices

from .bench import build, rows
from .clinic import FIRST_NIGHT, Clinic, Row, configure, path_of, put, write

pytestmark = pytest.mark.xdist_group("holds")

TOLD_OF = ("row_accounting", "practice_nights", "quarantine", "close_holds", "extract_drift")
NIGHT = FIRST_NIGHT + timedelta(days=1)


def summary(home: Path, con: duckdb.DuckDBPyConnection) -> list[str]:
    """What `ccm nightly` says of rejected files, of these marts."""
    house = House(home)
    house.marts.unlink(missing_ok=True)
    con.execute(f"attach '{house.marts}' as published")
    for table in TOLD_OF:
        con.execute(f"create table published.main.{table} as from marts.{table}")
    con.execute(
        "create table published.main.claimable_codes as from (values ('', '', '', 1, 0, 0)) as codes "
        "(practice_id, procedure_code, decision, units, charge_amount, allowed_amount)"
    )
    con.execute(
        "create table published.main.claim_audit as from (values ('', '', '', date '2026-10-01', '', false)) as found "
        "(practice_id, claim_id, finding, month, detail, is_unsettled)"
    )
    con.execute("detach published")
    told: list[str] = _night_summary(house, load_practices(house.practices_yaml), None)["rejected"]
    return told


def in_two_formats(home: Path, night: date, table: str, content: list[Row]) -> None:
    """Neither of the two counts: the table is rejected for that night, and stands in quarantine at line 0."""
    write(home, "alpha", night, table, content)
    path = path_of(home, "alpha", night, table)
    path.with_name(f"{table}.csv.gz").write_bytes(gzip.compress(path.read_bytes()))


@pytest.mark.long
def test_a_rejected_file_is_told_until_a_later_panel_file_is_good_or_the_loss_of_a_log_is_accepted(tmp_path: Path) -> None:
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    clinic.land_night(home, FIRST_NIGHT)
    in_two_formats(home, NIGHT, "conditions", clinic.panel()["conditions"])
    in_two_formats(home, NIGHT, "time_entries", clinic.log(NIGHT))
    put(home, "alpha", NIGHT, "services", b"service_id\n")  # rejected for its header: no line of it is in quarantine
    with build(home, TOLD_OF) as con:
        told = summary(home, con)
        reasons = dict(con.execute("select table_name, reason from marts.quarantine where line_number = 0").fetchall())
        (hold,) = rows(con, "select hold_id from marts.close_holds where kind = 'rejected_file' and table_name = 'time_entries'")
    assert told[0] == f"alpha {NIGHT} conditions: {reasons['conditions']}"
    assert told[1].startswith(f"alpha {NIGHT} services: ") and "services" not in reasons and "patient_id" in told[1]
    assert told[2] == f"alpha {NIGHT} time_entries: {reasons['time_entries']}" and len(told) == 3

    write(home, "alpha", NIGHT + timedelta(days=1), "conditions", clinic.panel()["conditions"])
    acceptances.record(House(home), "alpha", [{"hold_id": hold["hold_id"], "by": "R. Roe", "why": "nobody worked"}])
    with build(home, TOLD_OF) as con:
        assert con.execute("select count(*) from marts.quarantine where line_number = 0").fetchall() == [(2,)]
        assert summary(home, con) == told[1:2]
