"""One practice's files may be as bad as they like: every model is built, and the others' rows are what they would have been without it."""

from __future__ import annotations

import pytest

from orchestration.transform import compiled

from . import vile
from .bench import build, rows
from .clinic import Clinic, configure
from .isolation import of_the_well

pytestmark = pytest.mark.xdist_group("holds")


def test_a_vile_practice_leaves_every_row_of_another_as_it_was_and_is_named_as_the_one_at_fault(tmp_path):
    found = {}
    for kind in ("clean", "vile"):
        home, well, other = tmp_path / kind, Clinic("beta", 2), Clinic("alpha", 1)
        configure(home, [well, other])
        well.land(home)
        if kind == "vile":
            vile.land(home, other, seed=6, every=4)
        else:
            other.land(home)
        with build(home, list(compiled.project().models)) as con:
            found[kind] = {schema: of_the_well(con, schema, ("beta",)) for schema in ("marts", "intermediate")}
            at_fault = {row["practice_id"] for row in rows(con, "select distinct practice_id from marts.close_holds")}
        assert at_fault == ({"alpha"} if kind == "vile" else set())
    for schema, tables in found["clean"].items():
        assert {name for name in tables if tables[name] != found["vile"][schema][name]} == set()
    assert sum(len(listed) for listed in found["clean"]["marts"].values()) > 500
