"""Builds every model on Spark and takes the tables back into the warehouse."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from orchestration.engine import open_warehouse
from orchestration.house import House, no_pattern
from orchestration.sql import literal
from orchestration.transform import compiled, dbt, project_files, standing
from orchestration.transform.spark import session
from orchestration.transform.spark.dialect import spoken

# What only a night that recomputes what it touches asks for: on Spark everything is built whole.
LEFT_OUT = (f"tag:{standing.SETS}", "int_patients__panel")
# JSON is text, and the two engines write a number such as 62.10 into it in two ways. Packets have the text: it is written by the engine that proves them.
WRITE_JSON = ("int_candidates__listed", "patient_month_evidence", "patient_month_decisions")
FOLDER = "dbt-spark"


@contextlib.contextmanager
def _connected(spark: Any) -> Iterator[None]:
    """While dbt runs, its session method speaks to this session, in Spark's words, and tells of a failed statement without values."""
    from dbt.adapters.spark import session as adapter
    from dbt_common.exceptions import DbtRuntimeError
    from py4j.protocol import Py4JError
    from pyspark.errors.exceptions.base import PySparkException

    def execute(self: Any, sql: str, *parameters: Any) -> None:
        if parameters:
            raise DbtRuntimeError("a statement with bindings: Spark's session method does not quote what is in them")
        try:
            self._df = spark.sql(spoken(sql))
            self._rows = None
        except (PySparkException, Py4JError) as error:
            raise DbtRuntimeError(told(error)) from None

    def fetchall(self: Any) -> Any:
        try:
            if self._rows is None and self._df is not None:
                self._rows = self._df.collect()
        except (PySparkException, Py4JError) as error:
            raise DbtRuntimeError(told(error)) from None
        return self._rows

    before = adapter.Cursor.execute, adapter.Cursor.fetchall
    adapter.Cursor.execute, adapter.Cursor.fetchall = execute, fetchall
    try:
        yield
    finally:
        adapter.Cursor.execute, adapter.Cursor.fetchall = before


def told(error: BaseException) -> str:
    """What may be told of Spark's errors. What its analyser says names statements and columns; what a task says may quote a row."""
    from pyspark.errors import AnalysisException, ParseException
    from pyspark.errors.exceptions.base import PySparkException

    kind = type(error).__name__
    if isinstance(error, AnalysisException | ParseException):
        return f"{kind}: {str(error).splitlines()[0]}"
    condition = error.getCondition() if isinstance(error, PySparkException) else None
    return f"{kind} {condition or ''}".rstrip() + " (its message may quote a patient's values and is not kept)"


def invoke(house: House, spark: Any, arguments: Sequence[str]) -> list[dbt.NodeResult]:
    """One dbt command on Spark. Raises HouseError when dbt could not run at all; failing models and tests are in the results."""
    from dbt.cli.main import dbtRunner

    with dbt.environment(house, folder=FOLDER), _connected(spark), contextlib.redirect_stdout(io.StringIO()):
        try:
            outcome = dbtRunner().invoke(dbt.command_line(arguments, "spark"))
        finally:
            logging.getLogger("dbt").setLevel(logging.WARNING)
    return dbt.node_results(outcome, arguments[0])


def build_models(house: House) -> list[dbt.NodeResult]:
    """Every model on Spark, and what was made into the warehouse, where checks, gate, close and marts are read from; nothing of it where one failed.

    Raises HouseError where Spark cannot be had (session.start)."""
    spark = session.start(house)
    try:
        results = invoke(house, spark, ["seed", "--full-refresh"])
        if not any(result.is_bad for result in results):
            results = invoke(house, spark, ["run", "--exclude", *LEFT_OUT])
        is_whole = not any(result.is_bad for result in results)
        if is_whole:
            take_back(house, spark)
    finally:
        spark.stop()
    shutil.rmtree(session.folder(house) / "spill", ignore_errors=True)
    if is_whole:
        if session.is_local(house):
            publish(house)
        written = {result.unique_id: result for result in dbt.invoke(house, ["run", "--select", *WRITE_JSON])}
        results = [written.get(result.unique_id, result) for result in results]
    return results


def publish(house: House) -> None:
    """The tables just built on this machine in place of the last ones: after the session's end, which knows them under the other name."""
    old = session.folder(house) / ".tables.old.tmp"
    shutil.rmtree(old, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        session.tables(house).rename(old)
    session.building(house).rename(session.tables(house))
    shutil.rmtree(old, ignore_errors=True)


def take_back(house: House, spark: Any) -> None:
    """Puts every model's table into the warehouse, one statement and so one transaction each, with the types that DuckDB gives its columns: a packet
    freezes them.

    From the files, where they are on this machine; else from the session, each table through this process's memory."""
    nodes = project_files.load_manifest(dbt.ensure_manifest(house))["nodes"]
    with open_warehouse(house, read_only=False) as warehouse:
        for model in compiled.in_order(compiled.models()):
            node = nodes[f"model.ccm.{model.name}"]
            if node["config"]["materialized"] != "table" or model.name in LEFT_OUT:
                continue
            kinds = {column: about["data_type"] for column, about in node["columns"].items() if about.get("data_type")}
            # Of a model without a contract DuckDB is asked, over the parents that it has already. It reads no row for that.
            if not kinds and not house.lake_url:
                kinds = {row[0]: row[1] for row in warehouse.execute(f"describe {compiled.in_home(model, house.root)}").fetchall()}
            columns = ", ".join(f'cast("{column}" as {kind}) as "{column}"' for column, kind in kinds.items()) or "*"
            warehouse.execute(f"create schema if not exists {model.schema}")
            # Of a table without rows there may be no file.
            made = session.building(house) / f"{model.schema}.db" / model.name
            if session.is_local(house) and next(made.glob("*.parquet"), None):
                source = f"read_parquet({literal(f'{no_pattern(made)}/*.parquet')})"
            else:
                warehouse.register("taken__", spark.table(f"{model.schema}.{model.name}").toArrow())
                source = "taken__"
            warehouse.execute(f'create or replace table {model.schema}."{model.name}" as select {columns} from {source}')
            if source == "taken__":
                warehouse.unregister("taken__")
