"""What `make bench-dashboard` times: every query, on marts that are there and filled."""

from __future__ import annotations

import re

import pytest

from benchmarks import dashboard_queries as bench
from orchestration.dashboard.marts import open_marts
from orchestration.dashboard.queries import QUERIES
from orchestration.house import House

PATIENTS, MONTHS = 2_000, 6


def test_every_query_of_the_dashboard_finds_rows_in_the_marts_on_which_it_is_timed(tmp_path):
    house = House(tmp_path)
    bench.make_marts(house.marts, PATIENTS, MONTHS)
    with open_marts(house) as marts:
        assert [
            name for name, query in QUERIES.items() if not marts.rows(query, month=bench.NEWEST if query.of_one_month else None)
        ] == []


@pytest.mark.parametrize("mart", ["answer_files", "worklist"])
def test_a_mart_that_a_query_names_and_nobody_fills_is_refused_by_its_name(tmp_path, monkeypatch, mart):
    monkeypatch.setattr(bench, "FILLED", {name: select for name, select in bench.FILLED.items() if name != mart})
    with pytest.raises(SystemExit, match=re.escape(f"fill {mart} too")):
        bench.make_marts(House(tmp_path).marts, 100, 1)
