"""The steps that `benchmarks.night` measures, each in a process of its own: python -m benchmarks.steps STEP HOME. Prints what it measured as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from orchestration import engine
from orchestration.house import House
from orchestration.take_in import scratch

MEMORY = "6GB"
MEMORY_SAID = {engine.MEMORY: MEMORY, scratch.MEMORY: MEMORY}
# Typed entries to the ledger and the minutes of the patient-months; what they need of the panel comes before.
MINUTES = (
    "stg_clock_days", "stg_time_entries", "int_time_entries__cut", "int_time_entries__doubled", "int_staff_overlaps", "int_time_segments",
    "int_time_slices", "int_patient_days", "int_patient_months__minutes", "minute_ledger", "patient_month_minutes",
)  # fmt: skip
TYPED = """practice_id, entry_id, patient_id, member_id, program, started_at, ended_at, duration_seconds, entry_method, note_id, note_length,
    recorded_at, updated_at, voided, file_id, extract_date, line_number"""
_START = "partition by practice_id, {who} order by started_at rows between unbounded preceding and 1 preceding"
# The five raw queries: what nobody can do the minutes without, each writing a table.
RAW = {
    "newest row by key": f"""select {TYPED} from {{lake}}
        qualify row_number() over (partition by practice_id, entry_id order by updated_at desc, extract_date desc, line_number desc) = 1""",
    "duplicates by member and start": """select practice_id, entry_id, row_number() over (
        partition by practice_id, member_id, patient_id, started_at, ended_at order by recorded_at, entry_id) as copy from staging.stg_time_entries""",
    "window by member": f"select practice_id, entry_id, max(ended_at) over ({_START.format(who='member_id')}) as earlier from staging.stg_time_entries",
    "window by patient": f"select practice_id, entry_id, max(ended_at) over ({_START.format(who='patient_id')}) as earlier from staging.stg_time_entries",
    "the ledger's write": "from marts.minute_ledger",
}
UNION = f"""
with e as (
    select practice_id, patient_id, started_at, ended_at, max(ended_at) over ({_START.format(who="patient_id")}) as pe
    from {{lake}} where note_id is not null and ended_at is not null
)
select practice_id, patient_id, sum(greatest(0, date_diff('second', greatest(started_at, coalesce(pe, started_at)), ended_at))) / 60.0 as minutes
from e group by all
"""


def timed(what: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the wall clock and of CPU, and of these the system's: above all giving memory, page by page."""
    began, used, of_system = time.perf_counter(), time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_stime
    what()
    return {
        "wall_s": round(time.perf_counter() - began, 3), "cpu_s": round(time.process_time() - used, 3),
        "system_s": round(resource.getrusage(resource.RUSAGE_SELF).ru_stime - of_system, 3),
    }  # fmt: skip


def lake_files(house: House, table: str = "time_entries") -> str:
    return f"read_parquet('{house.lake}/batches/*/{table}.parquet')"


def warehouse(house: House) -> duckdb.DuckDBPyConnection:
    # As dbt opens it (dbt_project/profiles.yml).
    said = {"memory_limit": MEMORY, "temp_directory": str(house.state / "spill"), "disabled_optimizers": "common_subplan"}
    con = duckdb.connect(str(house.warehouse), config=said)
    con.execute("set TimeZone = 'UTC'")
    return con


def models(house: House) -> dict[str, Any]:
    """Every model once, in dbt's order, as dbt would build it, without dbt: seconds of each."""
    from orchestration.transform import compiled, dbt
    from orchestration.transform.state import build_inputs

    build_inputs(house)
    os.environ["CCM_HOME"] = str(house.root)
    results = dbt.invoke(house, ["seed", "--full-refresh"])
    if any(result.is_bad for result in results):
        raise RuntimeError("the seeds could not be loaded")
    ordered = compiled.in_order(compiled.models())
    found = {}
    with warehouse(house) as con:
        for schema in compiled.SCHEMAS:
            con.execute(f"create schema if not exists {schema}")
        for model in ordered:
            sql = compiled.in_home(model, house.root)
            found[model.name] = timed(
                lambda sql=sql, model=model: con.execute(f'create or replace table {model.schema}."{model.name}" as {sql}')  # type: ignore[misc]
            )
            found[model.name]["rows"] = con.execute(f'select count(*) from {model.schema}."{model.name}"').fetchall()[0][0]
        found["checkpoint"] = timed(lambda: con.execute("checkpoint")) | {"rows": 0}
    return {"models": found}


def raw(house: House) -> dict[str, Any]:
    """The five raw queries, the one-window union, and a raw scan and write of each mart, on the same rows with the same engine."""
    found: dict[str, Any] = {"raw": {}}
    with warehouse(house) as con:
        con.execute("create schema if not exists raw")

        def one(sql: str) -> dict[str, float]:
            measured = timed(lambda: con.execute(f"create or replace table raw.one as {sql}"))
            con.execute("drop table raw.one")
            return measured

        for name, sql in RAW.items():
            found["raw"][name] = one(sql.format(lake=lake_files(house)))
        found["union"] = one(UNION.format(lake=lake_files(house)))
        marts = con.execute("select table_name from duckdb_tables() where schema_name = 'marts' order by 1").fetchall()
        found["marts"] = {name: one(f'from marts."{name}"') for (name,) in marts}
        con.execute("drop schema raw")
    return found


def by_pandas(house: House) -> dict[str, Any]:
    """Minutes of each patient-month by pandas: the union of intervals, nothing else of the rules."""
    import pandas as pd

    def run() -> None:
        names = ["practice_id", "patient_id", "started_at", "ended_at", "note_id"]
        entries = pd.concat(
            [pd.read_parquet(path, columns=names) for path in sorted(house.lake.glob("batches/*/time_entries.parquet"))]
        )
        entries = entries[entries.note_id.notna() & entries.ended_at.notna()].sort_values(
            ["practice_id", "patient_id", "started_at"]
        )
        keys = [entries.practice_id, entries.patient_id]
        ends = entries.ended_at.astype("int64")
        earlier = ends.groupby(keys).cummax().groupby(keys).shift()
        start = entries.started_at.astype("int64")
        added = (ends - earlier.fillna(0).clip(lower=start)).clip(lower=0)
        assert len(added.groupby(keys).sum())

    return timed(run)


def by_polars(house: House) -> dict[str, Any]:
    """The same by polars."""
    import polars as pl

    def run() -> None:
        by = ["practice_id", "patient_id"]
        entries = pl.scan_parquet(sorted(house.lake.glob("batches/000001/time_entries.parquet")))
        minutes = (
            entries.filter(pl.col("note_id").is_not_null() & pl.col("ended_at").is_not_null())
            .select(*by, "started_at", "ended_at")
            .sort([*by, "started_at"])
            .with_columns(earlier=pl.col("ended_at").cum_max().shift().over(by))
            .with_columns(added=(pl.col("ended_at") - pl.max_horizontal("started_at", "earlier")).clip(lower_bound=pl.duration()))
            .group_by(by)
            .agg(pl.col("added").sum())
            .collect(engine="streaming")
        )
        assert minutes.height

    return timed(run)


def dbt_build(house: House) -> dict[str, Any]:
    """What a night builds, by dbt and its tests; the imports apart."""
    from orchestration.transform import build, dbt
    from orchestration.transform.state import build_inputs

    build_inputs(house)
    dbt.ensure_manifest(house)
    results: list[Any] = []
    found: dict[str, Any] = timed(lambda: results.extend(build.build(house, is_whole=True)))
    found["bad"] = [result.unique_id for result in results if result.is_bad and not result.unique_id.startswith("test.")]
    return found


@contextlib.contextmanager
def cpu_of_nodes() -> Iterator[dict[str, float]]:
    """Seconds of CPU of each of dbt's nodes by its unique id, those of its statements: dbt itself keeps the wall clock alone."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    name = "exception_handler"
    before, used = getattr(DuckDBConnectionManager, name), defaultdict[str, float](float)

    @contextlib.contextmanager
    def handler(self: Any, sql: str, connection_name: str = "master") -> Iterator[None]:
        began = time.process_time()
        try:
            with before(self, sql, connection_name):
                yield
        finally:
            used[str(self.get_thread_connection().name)] += time.process_time() - began

    setattr(DuckDBConnectionManager, name, handler)
    try:
        yield used
    finally:
        setattr(DuckDBConnectionManager, name, before)


def night(house: House, *, is_whole: bool = False) -> dict[str, Any]:
    """A night by the functions of its assets: what landed is taken in, judged, built and tested, and published; `is_whole` as `--full`."""
    from orchestration.answer.publish import publish
    from orchestration.judge.expectations import judge_batch
    from orchestration.practices import load_practices
    from orchestration.take_in.lake import take_in
    from orchestration.transform import dbt, standing
    from orchestration.transform.rebuild import rebuild_everything
    from orchestration.transform.state import build_inputs

    dbt.ensure_manifest(house)
    found: dict[str, Any] = {}

    def taken_in() -> None:
        zones = {practice_id: practice.time_zone for practice_id, practice in load_practices(house.practices_yaml).items()}
        report = take_in(house, zones)
        found["rows_taken_in"] = sum(file.rows_accepted for file in report.files) if report else 0
        if report:
            judge_batch(house, report.batch)

    def rebuilt() -> None:
        with cpu_of_nodes() as used:
            results, _ = rebuild_everything(house, build_inputs(house), is_whole=is_whole)
        dearest = sorted(used.items(), key=lambda one: -one[1])[:60]
        found["dearest, cpu_s"] = {".".join(name.split(".")[:3:2]): round(seconds, 2) for name, seconds in dearest}
        found["bad"] = [result.unique_id for result in results if result.is_bad]
        slowest = sorted(results, key=lambda result: -result.seconds)[:40]
        found["slowest, wall_s"] = {".".join(result.unique_id.split(".")[:3:2]): round(result.seconds, 2) for result in slowest}
        broken = [
            f"{result.unique_id}: {result.message}" for result in results if result.is_bad and result.unique_id.startswith("model.")
        ]
        if broken:
            raise RuntimeError("; ".join(broken[:3]))

    found["take_in"] = timed(taken_in)
    found["build"] = timed(rebuilt)
    found["publish"] = timed(lambda: publish(house))
    last = standing.last(house)
    assert last is not None
    return found | {"patient_months": last.patient_months, "of_patient_months": last.of_patient_months, "is_whole": last.is_whole}


def whole_night(house: House) -> dict[str, Any]:
    return night(house, is_whole=True)


def publishing(house: House) -> dict[str, Any]:
    from orchestration.answer.publish import publish

    return timed(lambda: publish(house))


def imports(house: House) -> dict[str, Any]:
    """What a night imports before it does anything."""

    def run() -> None:
        os.environ["CCM_HOME"] = str(house.root)
        import great_expectations  # noqa: F401

        import orchestration.definitions  # noqa: F401

    return timed(run)


def taking_in(house: House) -> dict[str, Any]:
    from orchestration.take_in.lake import take_in

    reports: list[Any] = []
    found: dict[str, Any] = timed(
        lambda: reports.append(take_in(house, {p.name: "America/Chicago" for p in house.landing.iterdir()}))
    )
    found["rows"] = sum(file.rows_accepted for file in reports[0].files)
    return found


def copying(house: House) -> dict[str, Any]:
    """The same files from CSV to Parquet by DuckDB alone, typed by the contract's columns."""
    from orchestration.contracts import extract_contracts

    contract = extract_contracts()["time_entries"]
    kinds = {"text": "VARCHAR", "date": "DATE", "instant": "TIMESTAMP", "integer": "BIGINT", "boolean": "BOOLEAN"}
    columns = ", ".join(f"'{column.name}': '{kinds.get(column.kind, 'VARCHAR')}'" for column in contract.columns)

    def run() -> None:
        with duckdb.connect(config={"memory_limit": MEMORY}) as con:
            con.execute(
                f"copy (from read_csv('{house.landing}/*/*/time_entries.csv', header = true, columns = {{{columns}}})) "
                f"to '{house.state}/copy.parquet' (format parquet, compression zstd)"
            )

    return timed(run)


STEPS: dict[str, Callable[[House], dict[str, Any]]] = {
    "models": models, "raw": raw, "pandas": by_pandas, "polars": by_polars, "dbt": dbt_build, "publish": publishing, "imports": imports,
    "take_in": taking_in, "copy": copying, "night": night, "whole night": whole_night,
}  # fmt: skip


def peak_gib() -> float:
    """The most memory of this program. What getrusage() says begins with that of the process it was started from."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return round(int(line.split()[1]) / 1024**2, 2)


if __name__ == "__main__":
    os.environ.update(MEMORY_SAID)
    found = STEPS[sys.argv[1]](House(Path(sys.argv[2])))
    found["peak_gib"] = peak_gib()
    print("\n" + json.dumps(found))
