"""`make fuzz-orders`: the same nights, taken in in any order, one by one or many at once, with repeats, give the same marts, row for row.

A *delivery* is what one practice lands for one night; a night landed again with other content is a second delivery of it, and of the two the
later is the newest whatever else comes between: that order alone is kept. The marts are the SELECTs that dbt compiled, run in memory. What names
a batch of the lake (file_id) is compared by the file that it stands for.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from orchestration.contracts import NOTE, extract_contracts, mart_contracts
from orchestration.house import House
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in
from orchestration.transform import compiled, dbt
from orchestration.transform.configuration import write_configuration
from tests.holds.bench import load_settings
from tests.properties.strategies import Clinic, configure, population

Marts = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


@dataclass(frozen=True)
class Delivery:
    """What one practice lands for one night in one go. `version`: 1, or 2 for the corrected files of a night."""

    practice_id: str
    night: str
    version: int
    files: dict[Path, bytes] = field(hash=False, compare=False)

    def land(self, house: House) -> None:
        for path, content in self.files.items():
            target = house.landing / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


Plan = list[list[Delivery]]


def deliveries_of(clinics: list[Clinic]) -> list[Delivery]:
    """First deliveries by practice and night, then the corrected ones."""
    first: dict[tuple[str, str], dict[Path, bytes]] = {}
    again: dict[tuple[str, str], dict[Path, bytes]] = {}
    for clinic in clinics:
        earlier = clinic.earlier_versions()
        for path, content in clinic.files().items():
            key = path.parts[0], path.parts[1]
            first.setdefault(key, {})[path] = earlier.get(path, content)
            if path in earlier:
                again.setdefault(key, {})[path] = content
    return [Delivery(*key, version, files) for version, of in ((1, first), (2, again)) for key, files in sorted(of.items())]


def all_at_once(deliveries: list[Delivery]) -> Plan:
    """One run for all nights, and one for those that were landed again."""
    return [[one for one in deliveries if one.version == version] for version in (1, 2)]


def one_by_one(deliveries: list[Delivery]) -> Plan:
    return [[one] for one in deliveries]


def plan_of(order: list[Delivery], ends: list[bool], repeats: list[int]) -> Plan:
    """Runs of take_in. `ends`: whether a run ends behind each delivery; `repeats`: how many earlier runs back one is landed again, 0 for none.

    A night's two versions change places where they stand the wrong way round, and a run ends between them: both are taken in.
    """
    order = list(order)
    seen: dict[tuple[str, str], int] = {}
    for place, one in enumerate(order):
        key = (one.practice_id, one.night)
        if key in seen and one.version < order[seen[key]].version:
            order[seen[key]], order[place] = one, order[seen[key]]
        seen.setdefault(key, place)
    plan: Plan = [[]]
    for place, one in enumerate(order):
        if any(other.night == one.night and other.practice_id == one.practice_id for other in plan[-1]):
            plan.append([])
        plan[-1].append(one)
        back = repeats[place]
        if back and back <= place:
            old = order[place - back]
            if not any((o.practice_id, o.night) == (old.practice_id, old.night) for o in order[place - back + 1 : place + 1]):
                old = Delivery(old.practice_id, old.night, old.version, dict(old.files))
                plan[-1].append(old)
        if ends[place]:
            plan.append([])
    return [run for run in plan if run]


def drawn_plan(deliveries: list[Delivery], rng: Random) -> Plan:
    order = rng.sample(deliveries, len(deliveries))
    often = rng.choice([0.05, 0.3, 0.7, 1.0])
    return plan_of(order, [rng.random() < often for _ in order], [rng.choice([0, 0, 0, 1, 2, 3]) for _ in order])


# ---- marts of a plan


def loaded_seeds(folder: Path) -> Path:
    """A database with the rule seeds of the project, loaded by dbt."""
    house = House(folder).prepare()
    bad = [result.unique_id for result in dbt.invoke(house, ["seed"]) if result.is_bad]
    assert not bad, bad
    return house.warehouse


class Kitchen:
    """Computes the marts of plans, each in a home below `folder`. `seeds`: a database that has the rule seeds, such as any marts.duckdb."""

    def __init__(self, folder: Path, seeds: Path) -> None:
        self.folder, self.seeds = folder, seeds
        self.count = 0
        self.models = compiled.in_order(sorted(mart_contracts()))

    def marts(self, clinics: list[Clinic], plan: Plan) -> Marts:
        """Lands and takes in run by run; gives every mart's columns and rows, sorted."""
        with self._computed(clinics, plan) as con:
            return {name: _rows(con, name) for name in sorted(mart_contracts())}

    def published(self, clinics: list[Clinic], plan: Plan, folder: Path) -> dict[str, Path]:
        """Writes as Parquet every mart, and of every extract table the longest accepted file, in the contract's columns.

        The note's text, which never goes past taking in, is an empty column. By `extracts/<table>` and `marts/<mart>`.
        """
        paths: dict[str, Path] = {}
        with self._computed(clinics, plan) as con:
            lake = self.folder / f"home-{self.count}" / "lake" / "batches" / "*"
            selects = {f"marts/{name}": f'from marts."{name}"' for name in mart_contracts()}
            for table, contract in extract_contracts().items():
                columns = ", ".join(f"null::varchar as {name}" if name == NOTE else f'"{name}"' for name in contract.names)
                rows = f"read_parquet('{lake}/{table}.parquet')"
                selects[f"extracts/{table}"] = f"select {columns} from {rows} where file_id = (select mode(file_id) from {rows})"
            for name, select in sorted(selects.items()):
                paths[name] = folder / f"{name}.parquet"
                paths[name].parent.mkdir(parents=True, exist_ok=True)
                con.execute(f"copy ({select}) to '{paths[name]}' (format parquet)")
        return paths

    @contextmanager
    def _computed(self, clinics: list[Clinic], plan: Plan) -> Iterator[duckdb.DuckDBPyConnection]:
        self.count += 1
        house = House(configure(self.folder / f"home-{self.count}", clinics)).prepare()
        practices = load_practices(house.practices_yaml)
        zones = {practice_id: practice.time_zone for practice_id, practice in practices.items()}
        for run in plan:
            for delivery in run:
                delivery.land(house)
            take_in(house, zones)
        write_configuration(house, practices)
        with duckdb.connect() as con:
            compiled.prepare(con)
            con.execute(f"attach '{self.seeds}' as seeds (read_only)")
            tables = "select schema_name, table_name from duckdb_tables() where database_name = 'seeds' and table_name like 'rule\\_%' escape '\\'"
            for schema, table in con.execute(tables).fetchall():
                con.execute(f'create view rules."{table}" as from seeds."{schema}"."{table}"')
            load_settings(con)
            compiled.run(con, house.root, self.models)
            con.execute(
                "create table main.names as select file_id, practice_id || ' ' || extract_date || ' ' || table_name || ' v' || version as name "
                f"from read_parquet('{house.lake}/batches/*/files.parquet')"
            )
            yield con


def _rows(con: duckdb.DuckDBPyConnection, mart: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    columns = [name for name, *_ in con.execute(f'describe marts."{mart}"').fetchall()]
    shown = ", ".join(
        f'(select name from main.names as n where n.file_id = m."{name}") as "{name}"' if name == "file_id" else f'm."{name}"'
        for name in columns
    )
    return columns, sorted(con.execute(f'select {shown} from marts."{mart}" as m').fetchall(), key=repr)


def differences(one: Marts, other: Marts) -> list[str]:
    """Marts that differ, with how many rows and the columns of the first one that does."""
    found = []
    for mart, (columns, rows) in one.items():
        others = other[mart][1]
        if rows == others:
            continue
        left = [row for row in rows if row not in others]
        right = [row for row in others if row not in rows]
        beside = (
            [name for name, a, b in zip(columns, left[0], right[0], strict=True) if a != b]
            if left and right
            else ["a row that is missing"]
        )
        found.append(f"{mart}: {len(left)} of {len(rows)} rows differ, such as in {', '.join(beside)}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--populations", type=int, default=5)
    parser.add_argument("--orders", type=int, default=8, help="drawn orders of each population")
    parser.add_argument("--practices", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    differing = orders = compared = 0
    with tempfile.TemporaryDirectory() as folder:
        seeds = loaded_seeds(Path(folder) / "seeds")
        for seed in range(asked.seed, asked.seed + asked.populations):
            began = time.monotonic()
            rng = Random(seed)
            clinics = population(seed, asked.practices)
            deliveries = deliveries_of(clinics)
            kitchen = Kitchen(Path(folder) / str(seed), seeds)
            wanted = kitchen.marts(clinics, all_at_once(deliveries))
            plans = [one_by_one(deliveries), *(drawn_plan(deliveries, rng) for _ in range(asked.orders))]
            for number, plan in enumerate(plans):
                found = differences(wanted, kitchen.marts(clinics, plan))
                differing += bool(found)
                print(*(f"   seed {seed}, order {number}: {message}" for message in found), sep="\n", end="\n" if found else "")
            orders += len(plans)
            compared += len(plans) * sum(len(rows) for _, rows in wanted.values())
            print(f"seed {seed}: {len(deliveries)} deliveries in {len(plans)} orders, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{orders} orders, {compared:,} rows compared with those of all nights at once, {differing} orders differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
