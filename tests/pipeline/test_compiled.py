"""Models that run in a connection of one's own (a rebuild) run as those of a night."""

from __future__ import annotations

import duckdb
import yaml

from orchestration.house import DBT_PROJECT
from orchestration.transform import compiled


def test_every_connection_that_runs_models_leaves_out_the_same_optimizers():
    outputs = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text(encoding="utf-8"))["ccm"]["outputs"]
    nightly = {output["config_options"]["disabled_optimizers"] for output in outputs.values() if output["type"] == "duckdb"}
    with duckdb.connect() as con:
        compiled.prepare(con)
        assert {row[0] for row in con.execute("select current_setting('disabled_optimizers')").fetchall()} == nightly
