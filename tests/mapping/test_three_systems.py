"""What three systems export of a practice comes into the lake as the same facts do in the contracts' form."""

from __future__ import annotations

import pytest

from orchestration.contracts import extract_contracts, lake_columns
from orchestration.house import House
from orchestration.mapping.choice import choices
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in

from .conftest import MappedHome
from .foreign import CHOSEN, write_homes

# Of three lines more in a night the exports say what no contract's file has: they are set aside or quarantined, or take back what was never there (which
# staging leaves out), so the rows are the same.
WITHDRAWN = {"time_entries": "where activity <> 'WITHDRAWN'"}


@pytest.mark.long
def test_every_table_of_three_systems_exports_is_what_the_contracts_files_give(demo, tmp_path):
    found = []
    for root in write_homes(demo[0], tmp_path, "bayview", newest=4):
        house = House(root).prepare()
        practices = load_practices(house.practices_yaml)
        zones = {name: one.time_zone for name, one in practices.items()}
        take_in(house, zones, mapped=choices(house, practices))
        home = MappedHome(root)
        tables = {}
        for table, contract in extract_contracts().items():
            names = ", ".join(f'"{name}"' for name, _ in lake_columns(contract))
            tables[table] = home.ask(f"select extract_date, {names} from {{{table}}} {WITHDRAWN.get(table, '')} order by all")
        found.append((tables, home))
    (plain, _), (mapped, home) = found
    for table in CHOSEN:
        assert mapped[table] == plain[table], table
        assert table in ("services", "time_entries", "appointments") or plain[table]
    withdrawn = home.ask(
        "select count(*), count(distinct patient_id), bool_and(voided) from {time_entries} where activity = 'WITHDRAWN'"
    )
    assert withdrawn[0][0] and withdrawn[0][1:] == (1, True)  # the team's own time, without a chart number
    columns = "lines_read, rows_filtered, rows_received, rows_accepted, rows_quarantined, rows_superseded"
    for lines, filtered, received, accepted, quarantined, superseded in home.ask(
        f"select {columns} from {{files}} where mapping is not null"
    ):
        assert received == accepted + quarantined + superseded and filtered <= lines
    assert {column for (column,) in home.ask("select column_name from {quarantine}")} <= {"Task Type"}
