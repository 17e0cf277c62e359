"""A scratch home beside the real one's data: it reads the same lake and the same closes, and has a warehouse of its own.

It lies in `.state/what-if/` of the home and is removed when done. What it shares it shares by links to what is there at the start: a batch that a
night adds meanwhile is not seen, and nothing is ever written through a link, because only the scratch warehouse, dbt's target and the scratch
configuration are written, and those are folders of the scratch.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from orchestration.engine import open_warehouse
from orchestration.house import House, HouseError
from orchestration.lake_batches import batch_numbers
from orchestration.payers import inbox
from orchestration.practices import Practice
from orchestration.take_in.tables import ensure_tables
from orchestration.transform import dbt
from orchestration.transform.configuration import write_configuration

# The two marts that are compared; every model in front of them is built, no other.
MODELS = ("patient_month_decisions", "claimable_codes")
# Made anew in the scratch, never linked.
_OWN = {".state", "lake", "warehouse.duckdb", "warehouse.duckdb.wal", "marts.duckdb", "access.jsonl"}


@contextmanager
def scratch_home(house: House) -> Iterator[House]:
    """A scratch home for the time of the block. One at a time per home; what a killed run left is cleared first."""
    if not batch_numbers(house):
        raise HouseError(f"{house.lake_url or house.lake}: nothing is taken in yet; run `ccm nightly` first")
    # The real home's batches get what they lack here, since through a link nothing is written.
    ensure_tables(house)
    inbox.ensure_tables(house)
    with house.lock("what-if"):
        root = house.state / "what-if"
        shutil.rmtree(root, ignore_errors=True)
        try:
            scratch = House(root, house.lake_url).prepare()
            for folder in (scratch.landing, scratch.inbox, scratch.closes):
                folder.rmdir()
            _link(house.root, root, _OWN)
            _link(house.lake, scratch.lake, {"batches", "configuration"})
            if house.lake_url is None:
                (scratch.lake / "batches").mkdir(mode=0o700)
                _link(house.lake / "batches", scratch.lake / "batches", set())
            if (house.lake / "configuration").exists():
                shutil.copytree(house.lake / "configuration", scratch.lake / "configuration")
            yield scratch
        finally:
            shutil.rmtree(root, ignore_errors=True)  # takes away the links, not what they point to


def _link(source: Path, target: Path, but: set[str]) -> None:
    for path in source.iterdir():
        if path.name not in but and not path.name.endswith(".tmp"):
            (target / path.name).symlink_to(path)


def build(scratch: House, practices: dict[str, Practice], rules_as_of: date | None) -> None:
    """Seeds, models up to the compared marts, under these practices; HouseError when a model cannot be built."""
    write_configuration(scratch, practices)
    wanted = [f"+{model}" for model in MODELS]
    results = dbt.invoke(scratch, ["seed", "--full-refresh", "--select", *wanted])
    if not any(result.is_bad for result in results):
        if rules_as_of is not None:
            take_rules_as_of(scratch, rules_as_of)
        results = dbt.invoke(scratch, ["run", "--select", *wanted])
    bad = [result for result in results if result.is_bad]
    if bad:
        raise HouseError(
            f"the what-if could not be computed: dbt failed at {bad[0].unique_id}; run `ccm nightly --full` and see whether it builds"
        )


def take_rules_as_of(scratch: House, day: date) -> None:
    """Makes the rule rows that are in force on a day hold for every day, and the others for none; rows without dates hold as ever.

    Raises HouseError where the fee schedule has no release for the day: every amount would be missing.
    """
    with open_warehouse(scratch, read_only=False) as con:
        tables = con.execute(
            "select table_name from duckdb_columns() where schema_name = 'rules' and column_name in ('effective_from', 'effective_to') "
            "group by table_name having count(*) = 2 order by table_name"
        ).fetchall()
        for (table,) in tables:
            con.execute(
                f"delete from rules.\"{table}\" where not (? between effective_from and coalesce(effective_to, date '9999-12-31'))",
                [day],
            )
            con.execute(f"update rules.\"{table}\" set effective_from = date '0001-01-01', effective_to = null")
        for table in ("rule_rvus", "rule_gpcis", "rule_conversion_factors"):
            if not con.execute(f"select 1 from rules.{table} limit 1").fetchall():
                raise HouseError(
                    f"--rules-as-of {day}: no row of {table} is in force on that day, so nothing would have a price; "
                    "load CMS's release with `ccm rules load-fees`, or choose a day that a release covers"
                )
