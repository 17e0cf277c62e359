"""Builds every mart on Spark: `python -m orchestration.transform.spark.build`, of the home that CCM_HOME names."""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from orchestration.house import DBT_PROJECT, House, HouseError
from orchestration.practices import load_practices
from orchestration.transform import dbt, standing
from orchestration.transform.configuration import write_configuration
from orchestration.transform.spark import session
from orchestration.transform.spark.dialect import spoken

# What only a night that recomputes what it touches asks for: on Spark everything is built whole.
LEFT_OUT = (f"tag:{standing.SETS}", "int_patients__panel")
FOLDER = "dbt-spark"


@contextlib.contextmanager
def _connected(spark: Any) -> Iterator[None]:
    """While dbt runs, its session method speaks to this session, in Spark's words, and tells of a failed statement without values."""
    from dbt.adapters.spark import session as adapter
    from dbt_common.exceptions import DbtRuntimeError
    from pyspark.errors.exceptions.base import PySparkException
    from py4j.protocol import Py4JError

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
            outcome = dbtRunner().invoke(
                [
                    "--quiet",
                    "--no-write-json",
                    "--log-level-file",
                    "info",
                    "--no-version-check",
                    *arguments,
                    "--project-dir",
                    str(DBT_PROJECT),
                    "--profiles-dir",
                    str(DBT_PROJECT),
                    "--target",
                    "spark",
                ]
            )
        finally:
            logging.getLogger("dbt").setLevel(logging.WARNING)
    return dbt.node_results(outcome, arguments[0])


def build(house: House, spark: Any) -> list[dbt.NodeResult]:
    """Seeds and every model. On this machine the tables are moved into place (session.tables) when all are made; a cluster's are where its catalog has
    them."""
    write_configuration(house, load_practices(house.practices_yaml))
    results = invoke(house, spark, ["seed", "--full-refresh"])
    if not any(result.is_bad for result in results):
        results += invoke(house, spark, ["run", "--exclude", *LEFT_OUT])
    return results


def publish(house: House) -> None:
    """The tables just built in place of the last ones. After the session's end: it knows them under the other name."""
    if session.is_local(house):
        old = session.folder(house) / ".tables.old.tmp"
        shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            session.tables(house).rename(old)
        session.building(house).rename(session.tables(house))
        shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    house = House.from_environment().prepare()
    try:
        with house.lock("spark"):
            spark = session.start(house)
            try:
                results = build(house, spark)
            finally:
                spark.stop()
            bad = [result for result in results if result.is_bad]
            for result in bad:
                print(f"{result.unique_id}: {result.message}", file=sys.stderr)
            if bad:
                return 1
            publish(house)
    except HouseError as error:
        print(error, file=sys.stderr)
        return 1
    seconds = sum(result.seconds for result in results)
    print(f"{len(results)} seeds and models built in {seconds:.0f} seconds: {session.tables(house)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
