"""What compares two engines' tables does find what differs."""

from __future__ import annotations

import duckdb
import pytest

from tests.engines.same import differences

MADE = (
    "create schema marts; create table marts.t (a decimal(12, 2), b varchar[], c json, d integer); "
    "insert into marts.t values (1.10, ['x', null], '{\"k\": 1.50, \"l\": null}', 1), (1.10, ['x', null], '{\"l\": null, \"k\": 1.5}', 1)"
)


@pytest.mark.parametrize(
    "change, is_same",
    [
        ("select 1", True),
        ('update marts.t set c = \'{"l":null,"k":1.500}\'', True),
        ("update marts.t set a = 1.11", False),
        ("update marts.t set b = [null, 'x']", False),
        ('update marts.t set c = \'{"k": 1.51, "l": null}\'', False),
        ("update marts.t set c = '{\"k\": 1.50}'", False),
        ("insert into marts.t select * from marts.t limit 1", False),
        ("alter table marts.t rename d to e", False),
        ("create table marts.u (a integer)", False),
    ],
)
def test_two_warehouses_are_the_same_where_every_value_is(tmp_path, change, is_same):
    for name, statements in (("one.duckdb", MADE), ("other.duckdb", f"{MADE}; {change}")):
        with duckdb.connect(str(tmp_path / name)) as con:
            con.execute(statements)
    found = differences(tmp_path / "one.duckdb", tmp_path / "other.duckdb", ("marts",))
    assert (found == []) is is_same, found
