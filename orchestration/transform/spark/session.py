"""Spark's session: on this machine, or on the cluster that CCM_SPARK_SETTINGS names. Everything it writes stays in the home, as private as the rest."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.engine import is_on
from orchestration.house import House, HouseError
from orchestration.lake_batches import batch_numbers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A file of lines "key value", as Spark's own spark-defaults.conf: master, catalog, warehouse, credentials of the object storage.
SETTINGS = "CCM_SPARK_SETTINGS"
MEMORY = "CCM_SPARK_MEMORY"
_LOG4J = Path(__file__).with_name("log4j2.properties")

# What the models' results rest on: no file of settings changes it.
MEANING = {
    "spark.sql.ansi.enabled": "true",  # an overflow or a bad cast is an error, as in DuckDB, and no null
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",  # the lake's instants are UTC without saying so, and the models' TIMESTAMP is that
    "spark.sql.jsonGenerator.ignoreNullFields": "false",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
# Columns of the ledger that a home's older batches do not have, in the order that macros/spark.sql gives them.
_LATER_COLUMNS = {
    "missing_columns": "array<string>",
    "mapping": "string",
    "mapping_sha256": "string",
    "lines_read": "bigint",
    "rows_filtered": "bigint",
}


def folder(house: House) -> Path:
    return house.root / "spark"


def tables(house: House) -> Path:
    """Where the finished tables of a build on this machine are: <schema>.db/<table>/*.parquet."""
    return folder(house) / "tables"


def building(house: House) -> Path:
    return folder(house) / ".tables.tmp"


def given() -> dict[str, str]:
    """The settings of the file that CCM_SPARK_SETTINGS names; none without one. Raises HouseError where it cannot be read."""
    name = os.environ.get(SETTINGS)
    if not name:
        return {}
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise HouseError(f"{SETTINGS}: {name} cannot be read ({error.strerror})") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        parts = line.strip().split(maxsplit=1)
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) != 2:
            raise HouseError(f"{SETTINGS}: line {number} of {name} is no key and value")
        found[parts[0]] = parts[1].strip()
    return found


def settings(house: House) -> dict[str, str]:
    """Every setting of the session: ours for this machine, over them the operator's, over them what the results rest on."""
    spill = folder(house) / "spill"
    ours = {
        "spark.app.name": "ccm",
        "spark.master": "local[*]",
        "spark.ui.enabled": "false",  # its pages show plans and values
        "spark.ui.showConsoleProgress": "false",
        "spark.eventLog.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": os.environ.get(MEMORY) or "2g",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOG4J.as_uri()} -Djava.io.tmpdir={spill}",
        "spark.local.dir": str(spill),
        "spark.sql.warehouse.dir": building(house).as_uri(),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.hadoop.fs.permissions.umask-mode": "077",
        # On one machine the exchange between many parts costs more than it divides.
        "spark.sql.shuffle.partitions": "2",
        "spark.default.parallelism": "2",
    }
    return ours | given() | MEANING


def is_local(house: House) -> bool:
    return settings(house)["spark.sql.warehouse.dir"] == building(house).as_uri()


def start(house: House) -> SparkSession:
    """A session for one build, with the ledger of this home put together as the view `ledger`.

    Raises HouseError where PySpark or a Java is missing, or the home is encrypted: its Parquet has DuckDB's keys, which Spark cannot be given."""
    if is_on():
        raise HouseError(
            "Spark cannot read an encrypted home: build it on DuckDB, or keep the lake where the disk is encrypted (docs/spark.md)"
        )
    try:
        from pyspark.errors.exceptions.base import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise HouseError("PySpark is not installed; `pip install '.[spark]'`, or `make spark` in a checkout") from None
    for path in (folder(house), folder(house) / "spill"):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    shutil.rmtree(building(house), ignore_errors=True)
    # Read by the JVM before any setting.
    os.environ.setdefault("SPARK_LOCAL_IP", settings(house)["spark.driver.bindAddress"])
    builder = SparkSession.builder
    for key, value in settings(house).items():
        builder = builder.config(key, value)
    # PySpark's own logger writes what fails, with its plan, to the error output.
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "py4j"):
        logging.getLogger(name).disabled = True
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise HouseError(f"Spark did not start ({type(error).__name__}); it needs Java 17 or newer (JAVA_HOME)") from None
    session.sparkContext.setLogLevel("OFF")
    ledger(session, house).createOrReplaceTempView("ledger")
    return session


def ledger(session: SparkSession, house: House) -> DataFrame:
    """The ledger of landed files over all batches, with every column that it has today."""
    from pyspark.sql import functions

    if house.lake_url:
        base = house.lake_url.replace("s3://", "s3a://", 1)
        paths = [f"{base}/batches/{number:06d}/files.parquet" for number in batch_numbers(house)]
    else:
        paths = [str(path) for path in sorted((house.lake / "batches").glob("*/files.parquet"))]
    if not paths:
        raise HouseError(f"{house.lake}: no night has been taken in yet; run `ccm nightly` first")
    rows = session.read.option("mergeSchema", "true").parquet(*[_plain(path) for path in paths])
    for name, kind in _LATER_COLUMNS.items():
        if name not in rows.columns:
            rows = rows.withColumn(name, functions.lit(None).cast(kind))
    return rows.select(*_LATER_COLUMNS, *(name for name in rows.columns if name not in _LATER_COLUMNS))


def _plain(path: str) -> str:
    """A path that Hadoop takes as it stands, whatever signs of a pattern its name has."""
    return "".join(f"\\{letter}" if letter in "*?[]{}\\" else letter for letter in path)
