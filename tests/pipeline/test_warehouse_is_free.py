"""When a dbt command has returned, this process holds the warehouse no more."""

from __future__ import annotations

import pytest

from orchestration.engine import open_warehouse
from orchestration.house import House
from orchestration.transform import dbt
from orchestration.transform.configuration import write_configuration


@pytest.mark.long
def test_the_warehouse_is_free_though_something_still_holds_what_dbt_held(tmp_path, monkeypatch):
    """A log record that keeps an exception keeps the frames it came through, and with them dbt's connection: it need not be dbt's exception, since
    the collector of garbage finishes anybody's objects in whatever frame it runs."""
    from dbt.adapters.duckdb.environments.local import LocalEnvironment

    kept = []
    handle = LocalEnvironment.handle

    def keeping(self):
        kept.append(self)
        return handle(self)

    monkeypatch.setattr(LocalEnvironment, "handle", keeping)
    house = House(tmp_path / "home").prepare()
    write_configuration(house, {})
    (result,) = dbt.invoke(house, ["seed", "--full-refresh", "--select", "rule_rvus"])
    assert result.status == "success" and kept
    # Not the settings that dbt opened it with: DuckDB refuses them while a connection of this process has others.
    with open_warehouse(house, read_only=True) as con:
        assert con.execute("select count(*) > 0 from rules.rule_rvus").fetchall() == [(True,)]
