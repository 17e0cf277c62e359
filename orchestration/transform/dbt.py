"""Runs dbt in this process: no start-up per step, and the warehouse is free again when it returns."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.house import DBT_PROJECT, House, HouseError, write_private

os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node. `failing_sql` is the compiled query whose rows are the failures of a test."""

    unique_id: str
    status: str  # success, pass, fail, error, skipped, warn
    seconds: float
    failures: int | None
    message: str | None
    failing_sql: str | None

    @property
    def is_bad(self) -> bool:
        return self.status in ("fail", "error", "runtime error", "partial success")


def project_fingerprint() -> str:
    """SHA-256 over every file that dbt reads: models, seeds, tests, macros, configuration."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        relative = path.relative_to(DBT_PROJECT)
        if path.is_file() and relative.parts[0] not in ("target", "logs") and path.suffix in (".sql", ".yml", ".csv"):
            digest.update(f"{relative}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def seeds_fingerprint() -> str:
    """SHA-256 over the seeds and how they are typed: they are loaded again only when this changes."""
    digest = hashlib.sha256()
    for path in sorted([*(DBT_PROJECT / "seeds").rglob("*"), *(DBT_PROJECT / "settings").rglob("*")]):
        if path.is_file():
            digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def target_folder(house: House) -> Path:
    return house.state / "dbt" / "target"


def ensure_manifest(house: House) -> Path:
    """The manifest of the project as it is now; parsed again only when a file of the project has changed."""
    manifest = target_folder(house) / "manifest.json"
    stamp = target_folder(house) / "manifest.sha256"
    wanted = project_fingerprint()
    if not manifest.exists() or not stamp.exists() or stamp.read_text() != wanted:
        with house.lock("dbt"):
            invoke(house, ["parse"])
            write_private(stamp, wanted)
    return manifest


@contextlib.contextmanager
def _environment(house: House) -> Iterator[None]:
    wanted = {
        "CCM_HOME": str(house.root),
        "DBT_TARGET_PATH": str(target_folder(house)),
        "DBT_LOG_PATH": str(house.state / "dbt" / "logs"),
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def invoke(house: House, arguments: Sequence[str]) -> list[NodeResult]:
    """One dbt command. Raises HouseError when dbt could not run at all; failing tests and models are in the results."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    with _environment(house), contextlib.redirect_stdout(io.StringIO()):
        try:
            outcome = dbtRunner().invoke(
                [
                    "--quiet",
                    "--log-level-file",
                    "info",
                    "--no-version-check",
                    *arguments,
                    "--project-dir",
                    str(DBT_PROJECT),
                    "--profiles-dir",
                    str(DBT_PROJECT),
                ]
            )
        finally:
            DuckDBConnectionManager.close_all_connections()
            logging.getLogger("dbt").setLevel(logging.WARNING)
    results = getattr(outcome.result, "results", None)
    if results is None:
        if outcome.success:
            return []
        raise HouseError(f"dbt {arguments[0]} did not run: {type(outcome.exception).__name__}: {outcome.exception}")
    return [
        NodeResult(
            unique_id=result.node.unique_id,
            status=str(result.status),
            seconds=float(result.execution_time),
            failures=result.failures,
            message=result.message,
            failing_sql=getattr(result.node, "compiled_code", None) if str(result.status) == "fail" else None,
        )
        for result in results
        if hasattr(result, "node") and hasattr(result.node, "unique_id")
    ]


def build(house: House, select: str | None = None) -> list[NodeResult]:
    """Loads the seeds if they changed, builds the models (all, or a dbt selection), then tests them.

    Models and tests are two commands: inside one `dbt build` a failing test keeps everything downstream from being built, so that one
    practice's bad row would stop every practice's morning. Here everything is built, and the gate stops whom a test names.
    """
    results: list[NodeResult] = []
    stamp = house.state / "dbt" / "seeds.sha256"
    wanted = seeds_fingerprint()
    if not house.warehouse.exists() or not stamp.exists() or stamp.read_text() != wanted:
        # A full refresh, because a plain seed keeps the old columns and types.
        results += invoke(house, ["seed", "--full-refresh"])
        if any(result.is_bad for result in results):
            return results
        write_private(stamp, wanted)
    selection = ["--select", select] if select else []
    results += invoke(house, ["run", *selection])
    if not any(result.is_bad for result in results):
        results += invoke(house, ["test", "--exclude", "resource_type:unit_test", *selection])
    return results


def load_manifest(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest
