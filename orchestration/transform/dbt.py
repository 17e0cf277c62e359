"""Runs dbt commands in this process, on a project that is parsed once: no start-up per step, and the warehouse is free again when it returns."""

from __future__ import annotations

import contextlib
import fcntl
import io
import logging
import os
import pickle
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.engine import MEMORY, is_on, memory, reading
from orchestration.house import DBT_PROJECT, House, HouseError, write_private
from orchestration.lake_batches import batch_numbers
from orchestration.transform import project_files, standing
from orchestration.transform.project_files import state_of_project, target_folder
from orchestration.transform.quiet import without_debug_events, without_values
from orchestration.transform.rendered import Rendered, not_again

os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

STAMP, MANIFEST, PARSED_PROJECT = "manifest.sha256", "manifest.json", "partial_parse.msgpack"
_parsed: dict[str, bytes] = {}


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


def ensure_manifest(house: House) -> Path:
    """The manifest of the project as it is now. Parsed only when a file of the project has changed since any home of this checkout parsed it:
    parsing takes longer than a small practice's models."""
    target, wanted = target_folder(house), state_of_project()
    if not _holds(target, wanted):
        with house.lock("dbt"):
            if not _copy(project_files.PARSED, target, wanted):
                invoke(house, ["parse"])
                write_private(target / STAMP, wanted)
                _copy(target, project_files.PARSED, wanted)
    return target / MANIFEST


def _holds(folder: Path, wanted: str) -> bool:
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_text() == wanted and (folder / MANIFEST).exists() and (folder / PARSED_PROJECT).exists()


def _copy(source: Path, target: Path, wanted: str) -> bool:
    """Copies what was parsed to or from the checkout's folder, under that folder's lock; False where it is not there or may not be written to: then each
    home parses for itself. The stamp is taken away first and written last: where it stands, the rest is whole."""
    with contextlib.suppress(OSError):
        project_files.PARSED.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (project_files.PARSED / "lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _holds(source, wanted):
                return False
            (target / STAMP).unlink(missing_ok=True)
            for name in (MANIFEST, PARSED_PROJECT):
                write_private(target / name, (source / name).read_bytes())
            write_private(target / STAMP, wanted)
            return True
    return False


def _manifest(house: House) -> Manifest:
    """dbt's own object of the parsed project, a fresh one for each command: dbt writes into it as it compiles."""
    wanted = state_of_project()
    if wanted not in _parsed:
        from dbt.contracts.graph.manifest import Manifest
        from dbt.parser.manifest import extended_mashumuro_decoder

        content = (ensure_manifest(house).parent / PARSED_PROJECT).read_bytes()
        manifest = Manifest.from_msgpack(content, decoder=extended_mashumuro_decoder)
        manifest.build_flat_graph()
        _parsed[wanted] = pickle.dumps(manifest)
    made: Manifest = pickle.loads(_parsed[wanted])
    return made


def _ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers as ranges: 0-3,5-5."""
    there = set(numbers)
    begins = [number for number in numbers if number - 1 not in there]
    ends = [number for number in numbers if number + 1 not in there]
    return ",".join(f"{begin}-{end}" for begin, end in zip(begins, ends, strict=True))


@contextlib.contextmanager
def environment(house: House, night: str = "", sound: Iterable[str] = (), folder: str = "dbt") -> Iterator[None]:
    """What the profiles and macros read from the environment; `folder` of .state is where dbt writes."""
    wanted = {
        "CCM_NIGHT": night,
        "CCM_SOUND": ",".join(sorted(sound)),
        "CCM_HOME": str(house.root),
        MEMORY: memory(),
        "DBT_TARGET_PATH": str(house.state / folder / "target"),
        "DBT_LOG_PATH": str(house.state / folder / "logs"),
        "CCM_READING": reading(),
        # The batches in object storage that have a ledger: nothing else under the prefix counts. Ranges keep years of nights short.
        "CCM_LAKE_PREFIX": f"{house.lake_url}/batches" if house.lake_url else "",
        "CCM_LAKE_BATCHES": _ranges(batch_numbers(house)) if house.lake_url else "",
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


def invoke(house: House, arguments: Sequence[str], night: str = "", sound: Collection[str] = ()) -> list[NodeResult]:
    """One dbt command; `night` is "touched" where models are built for touched keys only, and the `sound` tests asked of these (macros/touched.sql).

    Raises HouseError when dbt could not run at all; failing tests and models are in the results."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    # A parsing writes the manifest; the others are given it, and write what they compiled but not the manifest again.
    is_parsing = arguments[0] == "parse"
    if arguments[0] == "run" and not night:
        # The sets of a night that recomputes what it touches ask the night before.
        arguments = [*arguments, "--exclude", f"tag:{standing.SETS}"]
    manifest = None if is_parsing else _manifest(house)
    target = "encrypted" if is_on() else "objects" if house.lake_url else "duckdb"
    # With a key or another lake the SQL says more of this home than its path.
    rendered = (
        Rendered(project_files.PARSED, house, state_of_project(), night, target, sound)
        if arguments[0] in ("run", "test") and target == "duckdb"
        else None
    )
    given = rendered.give(manifest) if rendered and manifest else frozenset()
    with (
        environment(house, night, sound), without_values(), without_debug_events(), not_again(given), contextlib.redirect_stdout(io.StringIO())
    ):  # fmt: skip
        try:
            outcome = dbtRunner(manifest).invoke(command_line(arguments, target, writes_manifest=is_parsing))
        finally:
            # dbt only lets its connection go. Whatever still holds it (a log that keeps an exception keeps the frames it came through) would hold the file.
            held = DuckDBConnectionManager._ENV
            DuckDBConnectionManager.close_all_connections()
            if held is not None:
                held.close()
            logging.getLogger("dbt").setLevel(logging.WARNING)
    results = node_results(outcome, arguments[0])
    if rendered:
        rendered.keep(result.node for result in outcome.result.results if str(result.status) != "error")  # type: ignore[union-attr]
    return results


def command_line(arguments: Sequence[str], target: str, *, writes_manifest: bool = False) -> list[str]:
    """A dbt command of this project, as dbt is given it: silent, with a log of what it tells from INFO on."""
    folder = str(DBT_PROJECT)
    return [
        "--quiet", "--log-level", "none", "--log-level-file", "info", "--no-version-check",
        "--write-json" if writes_manifest else "--no-write-json",
        *arguments,
        "--project-dir", folder, "--profiles-dir", folder, "--target", target,
    ]  # fmt: skip


def node_results(outcome: dbtRunnerResult, command: str) -> list[NodeResult]:
    """What became of each node. Raises HouseError when dbt could not run at all."""
    results = getattr(outcome.result, "results", None)
    if results is None:
        if outcome.success:
            return []
        raise HouseError(f"dbt {command} did not run: {type(outcome.exception).__name__}: {outcome.exception}")
    return [
        NodeResult(
            unique_id=result.node.unique_id,
            status=str(result.status),
            seconds=float(result.execution_time),
            failures=result.failures,
            message=result.message,
            failing_sql=getattr(result.node, "compiled_code", None) if str(result.status) in ("fail", "warn") else None,
        )
        for result in results
        if hasattr(result, "node") and hasattr(result.node, "unique_id")
    ]
