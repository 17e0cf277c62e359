"""`make fuzz-nights`: after any night, what recomputed only what it touched is row for row what building everything gives.

Populations of drawn clinics land in a drawn order, late and corrected nights among them, and between the nights settings change and claims go out.
After every run of taking in, the models are built for touched keys upon the last state (SQL as dbt compiles it for such a night), and built whole from
the same lake beside it; every table of both is compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from orchestration.house import House, write_private
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in
from orchestration.transform import compiled
from orchestration.transform.claim_lines import CLAIM_LINES
from orchestration.transform.closes import CLOSES
from orchestration.transform.configuration import _parquet, write_configuration
from tests.holds.bench import load_settings
from tests.properties.colleagues import clinic_of_colleagues
from tests.properties.orders import Plan, deliveries_of, drawn_plan, loaded_seeds
from tests.properties.panels import clinic_with_a_history
from tests.properties.strategies import Clinic, configure, population

# The macro touched_sets, once more: the macro itself is run by the nights of tests/pipeline.
SETS = {
    "landed_services": ("touched_services__landed", ["practice_id", "service_id"]),
    "landed_appointments": ("touched_appointments__landed", ["practice_id", "appointment_id"]),
    "files": ("touched_files", ["file_id"]),
    "files_of_unknown": ("touched_files__of_unknown", ["file_id"]),
    "entries": ("touched_entries", ["practice_id", "entry_id"]),
    "judged_entries": ("touched_entries__judged", ["practice_id", "entry_id"]),
    "member_days": ("touched_member_days", ["practice_id", "member_id", "local_day"]),
    "patient_months": ("touched_patient_months", ["practice_id", "patient_id", "month"]),
    "patient_months_since": ("touched_patient_months__since", ["practice_id", "patient_id", "month"]),
}


@dataclass
class Compared:
    """What was compared. `differences`: a line for each table that was not the same; `share`: of each practice's patient-months those that the last night
    decided again."""

    nights: int = 0
    rows: int = 0
    decided_again: int = 0
    patient_months: int = 0
    share: dict[str, float] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


@contextmanager
def warehouse(seeds: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection like dbt's, with the rule seeds and an empty schema for what a night touches."""
    with duckdb.connect() as con:
        compiled.prepare(con)
        con.execute("create schema touched")
        con.execute(f"attach '{seeds}' as seeds (read_only)")
        tables = "select schema_name, table_name from duckdb_tables() where database_name = 'seeds' and table_name like 'rule\\_%' escape '\\'"
        for schema, table in con.execute(tables).fetchall():
            con.execute(f'create view rules."{table}" as from seeds."{schema}"."{table}"')
        load_settings(con)
        yield con


def build_whole(con: duckdb.DuckDBPyConnection, house: House) -> None:
    compiled.run(con, house.root, compiled.in_order(sorted(compiled.models())))


def build_touched(con: duckdb.DuckDBPyConnection, house: House) -> None:
    """Like the materialization `table` (dbt_project/macros/table.sql) on a night that recomputes what it touches."""
    for model in compiled.in_order(sorted(compiled.models("touched")), night="touched"):
        sql = compiled.in_home(model, house.root)
        table = f'{model.schema}."{model.name}"'
        if model.meta.get("keeps_last_night"):
            con.execute(f'create or replace table touched."{model.name}__before" as from {table}')
        if model.meta.get("touched_by"):
            keys, columns = SETS[model.meta["touched_by"]]
            same = " and ".join(f"old.{column} = keys.{column}" for column in columns)
            if model.meta.get("is_of_tonight"):
                # What has numbers for names keeps to the keys by itself (macro is_numbered).
                of_keys = "" if model.meta.get("is_numbered") else f"semi join touched.{keys} as keys on {same}"
                con.execute(f"create or replace table {table} as select old.* from ({sql}) as old {of_keys}")
                continue
            con.execute(
                f'create or replace table touched."{model.name}" as select old.* from ({sql}) as old semi join touched.{keys} as keys on {same}'
            )
            if model.meta["touched_by"] == "entries":
                keys, columns = "touched_entries__known", model.meta.get("found_by") or columns
                same = " and ".join(f"old.{column} = keys.{column}" for column in columns)
            if model.meta["touched_by"] in ("patient_months", "patient_months_since"):
                con.execute(
                    f"delete from {table} as old using touched.touched_months as moving "
                    "where old.practice_id = moving.practice_id and old.month = moving.month"
                )
                same += " and not keys.moves"
            con.execute(f"delete from {table} as old using touched.{keys} as keys where {same}")
            con.execute(f'insert into {table} by name from touched."{model.name}"')
            for column in model.meta.get("follows_practice", []):
                con.execute(
                    f"update {table} as old set {column} = practices.{column} from staging.stg_practices as practices "
                    f"where old.practice_id = practices.practice_id and old.{column} is distinct from practices.{column}"
                )
        else:
            con.execute(f"create or replace table {table} as {sql}")


def differing(con: duckdb.DuckDBPyConnection, other: duckdb.DuckDBPyConnection, compared: Compared) -> Iterator[str]:
    """Tables of the two connections, the first of them after a night of touched keys, that are not the same, row for row: of what such a night has for
    itself alone, the rows of its keys (where these went with the publication: of the keys that it has rows of). Whose patient has no number is in no key."""
    of_tonight = {name: model.meta for name, model in compiled.models().items() if model.meta.get("is_of_tonight")}
    every = (
        "select schema_name, table_name from duckdb_tables() where schema_name in ('staging', 'intermediate', 'marts') order by all"
    )
    tables = other.execute(every).fetchall()
    assert con.execute(every).fetchall() == tables
    for schema, name in tables:
        if name not in of_tonight:
            # Rows whose hashes are the same need not be laid beside one another.
            sums = f'select count(*), sum(hash(everything)) from {schema}."{name}" as everything'
            one, two = (side.execute(sums).fetchall() for side in (con, other))
            if one == two:
                compared.rows += two[0][0]
                continue
        yield from _beside(con, other, schema, name, of_tonight.get(name), compared)


def _beside(
    con: duckdb.DuckDBPyConnection,
    other: duckdb.DuckDBPyConnection,
    schema: str,
    name: str,
    of_tonight: dict[str, Any] | None,
    compared: Compared,
) -> Iterator[str]:
    """A table of the two connections, row by row."""
    shown = f'select * from {schema}."{name}"'
    one, two = con.execute(shown).to_arrow_table(), other.execute(shown).to_arrow_table()
    with duckdb.connect() as judge:
        judge.register("one", one)
        judge.register("two", two)
        if of_tonight:
            keys, columns = SETS[of_tonight["touched_by"]]
            is_there = con.execute("select count(*) from duckdb_tables() where schema_name = 'touched' and table_name = ?", [keys])
            kept = f"from touched.{keys}"
            if of_tonight.get("is_numbered"):
                columns = ["patient_number", "month"]
                kept = f"{kept} inner join intermediate.int_patients__current using (practice_id, patient_id)"
                judge.register("one", judge.execute("from one where patient_number is not null").to_arrow_table())
            kept = (
                f"select {', '.join(columns)} {kept}"
                if is_there.fetchall()[0][0]
                else f'select distinct {", ".join(columns)} from {schema}."{name}"'
            )
            judge.register("keys", con.execute(kept).to_arrow_table())
            two = judge.execute(f"from two semi join keys using ({', '.join(columns)})").to_arrow_table()
            judge.register("two", two)
        compared.rows += two.num_rows
        columns = [row[0] for row in judge.execute("describe two").fetchall()]
        left, right = (
            judge.execute(
                f"select * from (select columns(*)::varchar from {a} except all select columns(*)::varchar from {b}) order by all"
            ).fetchall()
            for a, b in (("one", "two"), ("two", "one"))
        )
    if left or right:
        beside = [c for c, x, y in zip(columns, left[0], right[0], strict=True) if x != y] if left and right else []
        yield f"{name}: {len(left)} rows too many, {len(right)} missing, such as {(left or right)[0]} ({', '.join(beside)})"


def _settings(house: House, rng: Random) -> None:
    """Something that an office changes in practices.yaml."""
    content = yaml.safe_load(house.practices_yaml.read_text())
    practice = rng.choice(content["practices"])
    match rng.randrange(3):
        case 0:
            practice["service_date_policy"] = (
                "month_end" if practice.get("service_date_policy") == "threshold_day" else "threshold_day"
            )
        case 1:
            practice["charges"] = {**practice.get("charges", {}), "99490": rng.choice([90, 100, 120])}
        case _:
            practice["close"] = {**practice.get("close", {}), "final_day": rng.choice([15, 20, 25])}
    write_private(house.practices_yaml, yaml.safe_dump(content))


def _closed(house: House, con: duckdb.DuckDBPyConnection, rng: Random, lines: list[dict[str, Any]]) -> None:
    """Claims of some patient-months that are claimable go out, as lines of a close that the models are told of."""
    rows = con.execute(
        "select practice_id, patient_id, month, procedure_code, units, service_date, charge_amount, allowed_amount from marts.claimable_codes "
        "where decision = 'claimable' order by all"
    ).fetchall()
    months = sorted({(row[0], row[2]) for row in rows})
    if not months:
        return
    wanted = rng.choice(months)
    already = {(line["practice_id"], line["patient_id"], line["month"]) for line in lines}
    night = con.execute("select newest_night from staging.stg_practices where practice_id = ?", [wanted[0]]).fetchall()[0][0]
    for number, row in enumerate(rows):
        if (row[0], row[2]) == wanted and row[:3] not in already:
            lines.append(
                {
                    "practice_id": row[0], "patient_id": row[1], "month": row[2], "claim_id": f"{row[0]}-{row[1]}-{row[2]:%Y%m}",
                    "line_id": f"{row[0]}-{row[2]:%Y%m}-{number}", "close_version": 1, "status": "submitted", "procedure_code": row[3],
                    "units": row[4], "service_date": row[5], "charge_amount": row[6] or Decimal(1), "allowed_amount": row[7] or Decimal(1),
                    "submitter_id": "S", "control_number": 1, "transaction_number": 1, "tax_id": "123456789",
                    "beneficiary_key": row[1], "claimed_on": night,
                }
            )  # fmt: skip


def tell_the_models(house: House, lines: list[dict[str, Any]]) -> None:
    """The configuration, with the claims that went out."""
    write_configuration(house, load_practices(house.practices_yaml))
    folder = house.lake / "configuration"
    write_private(folder / "claim_lines.parquet", _parquet(pa.Table.from_pylist(lines, schema=CLAIM_LINES)))
    closes = {(line["practice_id"], line["month"], line["close_version"]): line["claimed_on"] for line in lines}
    rows = [
        {
            "practice_id": practice, "month": month, "close_version": version, "newest_night": night, "claims": 1, "allowed_amount": Decimal(1),
            "held": 0, "approved_by": "somebody", "approved_at": "then",
        }
        for (practice, month, version), night in closes.items()
    ]  # fmt: skip
    write_private(folder / "closes.parquet", _parquet(pa.Table.from_pylist(rows, schema=CLOSES)))


def compare(
    folder: Path, seeds: Path, clinics: list[Clinic], plan: Plan, rng: Random, nights: int = 1000, *, only_last: bool = False
) -> Compared:
    """Walks the plan in a home below `folder`, at most so many runs; compares after each, or after the last alone."""
    house = House(configure(folder, clinics)).prepare()
    compared = Compared()
    lines: list[dict[str, Any]] = []
    with warehouse(seeds) as con:
        for number, run in enumerate(plan[:nights]):
            for delivery in run:
                delivery.land(house)
            if number and rng.random() < 0.15:
                _settings(house, rng)
            if number and rng.random() < 0.4:
                _closed(house, con, rng, lines)
            practices = load_practices(house.practices_yaml)
            take_in(house, {practice_id: practice.time_zone for practice_id, practice in practices.items()})
            tell_the_models(house, lines)
            if number == 0:
                build_whole(con, house)
                continue
            build_touched(con, house)
            if not only_last or number == len(plan[:nights]) - 1:
                with warehouse(seeds) as other:
                    build_whole(other, house)
                    compared.differences += [f"run {number}: {line}" for line in differing(con, other, compared)]
            compared.nights += 1
            again = con.execute(
                "select practice_id, count(*), count(touched.month) from intermediate.int_patient_months "
                "left join touched.touched_patient_months as touched using (practice_id, patient_id, month) group by practice_id"
            ).fetchall()
            compared.patient_months += sum(every for _, every, _ in again)
            compared.decided_again += sum(decided for _, _, decided in again)
            compared.share = {practice: decided / every for practice, every, decided in again}
            if compared.differences:
                break
    return compared


def in_parts(plan: Plan, after: str) -> Plan:
    """All that was landed for nights up to a day in one run, then the rest as it comes."""
    first = [one for run in plan for one in run if one.night <= after and one.version == 1]
    rest = [[one for one in run if one not in first] for run in plan]
    return [first, *(run for run in rest if run)]


class _Quiet(Random):
    """Neither settings change nor claims go out between the runs."""

    def random(self) -> float:
        return 0.99


def one_night_more(folder: Path, seeds: Path, seed: int) -> Compared:
    """Two practices with a history, and one night more: of the first (h...) nothing is new but what the panel says, something else of each patient; of the
    second (c...), whose members have time for two patients at once, entries of months that are over are corrected."""
    clinics = [clinic_with_a_history(seed), clinic_of_colleagues(seed)]
    deliveries = [one for one in deliveries_of(clinics) if one.version == 1]
    newest = max(one.night for one in deliveries)
    plan = [[one for one in deliveries if (one.night == newest) is is_newest] for is_newest in (False, True)]
    return compare(folder, seeds, clinics, plan, _Quiet(seed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--populations", type=int, default=20)
    parser.add_argument("--practices", type=int, default=3)
    parser.add_argument("--nights", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    total = Compared()
    with tempfile.TemporaryDirectory() as folder:
        seeds = loaded_seeds(Path(folder) / "seeds")
        for seed in range(asked.seed, asked.seed + asked.populations):
            began, rng = time.monotonic(), Random(seed)
            clinics = population(seed, asked.practices)
            deliveries = deliveries_of(clinics)
            nights = sorted(one.night for one in deliveries)
            plan = (
                drawn_plan(deliveries, rng)
                if seed % 2
                else sorted([[one] for one in deliveries], key=lambda run: (run[0].night, run[0].version))
            )
            if seed % 3 == 0:
                plan = in_parts(plan, nights[len(nights) // 2])
            found = compare(Path(folder) / str(seed), seeds, clinics, plan, rng, asked.nights)
            told = one_night_more(Path(folder) / f"{seed}, one night more", seeds, seed)
            for part in (found, told):
                for line in part.differences:
                    print(f"   seed {seed}, {line}")
                total.nights += part.nights
                total.rows += part.rows
                total.decided_again += part.decided_again
                total.patient_months += part.patient_months
                total.differences += part.differences
            print(
                f"seed {seed}: {found.nights} nights, {found.decided_again:,} of {found.patient_months:,} patient-months decided again, "
                f"and by a panel and corrected time {', '.join(f'{share:.0%}' for _, share in sorted(told.share.items(), reverse=True))}, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )
    print(
        f"{total.nights} nights that recomputed {total.decided_again:,} of {total.patient_months:,} patient-months, {total.rows:,} rows compared, "
        f"{len(total.differences)} tables differ"
    )
    return 1 if total.differences else 0


if __name__ == "__main__":
    sys.exit(main())
