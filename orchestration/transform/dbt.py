"""Runs dbt in this process: no start-up per step, and the warehouse is free again when it returns."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import logging
import os
import pickle
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from orchestration.discretion import told
from orchestration.engine import MEMORY, Damaged, discard, is_damage, is_on, memory, reading, refused, starved
from orchestration.house import DBT_PROJECT, House, HouseError, write_private
from orchestration.storage import batch_numbers
from orchestration.transform import standing
from orchestration.transform.rendered import Rendered, not_again

os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

# What dbt made of the project when it was last parsed. It names no home, so that all homes of this checkout share it.
PARSED = DBT_PROJECT / "target" / "parsed"
# Which engine builds the nights: duckdb, or spark (docs/spark.md).
ENGINE = "CCM_ENGINE"
LOG = logging.getLogger(__name__)
STAMP, MANIFEST, PARSED_PROJECT = "manifest.sha256", "manifest.json", "partial_parse.msgpack"
# Tests that ask of models which have a night's own rows alone (`meta: is_of_tonight`): only building everything asks them of every row.
OF_TONIGHT = frozenset({"test.ccm.no_minute_is_credited_to_two_patients_of_one_member"})
_NO_UNIT_TESTS = ("--exclude", "resource_type:unit_test")
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
    """The manifest of the project as it is now. Parsed only when a file of the project has changed since any home of this checkout parsed it:
    parsing takes longer than a small practice's models."""
    target, wanted = target_folder(house), state_of_project()
    if not _holds(target, wanted):
        with house.lock("dbt"):
            if not _copy(PARSED, target, wanted):
                invoke(house, ["parse"])
                write_private(target / STAMP, wanted)
                _copy(target, PARSED, wanted)
    return target / MANIFEST


def state_of_project() -> str:
    """Names the project, where it lies (dbt keeps the path of its seeds) and the dbt that reads it."""
    text = f"{project_fingerprint()}\0{DBT_PROJECT}\0{version('dbt-core')}\0{version('dbt-duckdb')}"
    return hashlib.sha256(text.encode()).hexdigest()


def _holds(folder: Path, wanted: str) -> bool:
    stamp = folder / STAMP
    return stamp.exists() and stamp.read_text() == wanted and (folder / MANIFEST).exists() and (folder / PARSED_PROJECT).exists()


def _copy(source: Path, target: Path, wanted: str) -> bool:
    """Copies what was parsed to or from the checkout's folder, under that folder's lock; False where it is not there or may not be written to: then each
    home parses for itself. The stamp is taken away first and written last: where it stands, the rest is whole."""
    with contextlib.suppress(OSError):
        PARSED.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (PARSED / "lock").open("a") as handle:
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


@contextlib.contextmanager
def _without_values() -> Iterator[None]:
    """While dbt runs, what DuckDB says of a failed statement is told without the values it may quote: dbt writes it to its log and results."""
    import duckdb
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt_common.exceptions import DbtRuntimeError

    name = "exception_handler"
    before = getattr(DuckDBConnectionManager, name)

    @contextlib.contextmanager
    def handler(self: Any, sql: str, connection_name: str = "master") -> Iterator[None]:
        with before(self, sql, connection_name):
            try:
                yield
            except duckdb.Error as error:
                raise DbtRuntimeError(told(error)) from None

    setattr(DuckDBConnectionManager, name, handler)
    try:
        yield
    finally:
        setattr(DuckDBConnectionManager, name, before)


@contextlib.contextmanager
def _without_debug_events() -> Iterator[None]:
    """While dbt runs, events below INFO are not made up before somebody asks what they say, and dropped where they are fired. dbt makes a message and a line
    of each, searches it for secrets, and only then sees that the log does not want it: some twenty a model, a fifth of what a small practice's build costs.
    Which module a flag of behavior comes from is told by such an event alone; dbt looks for it on the stack, with the source of every frame (0.1 s a command).
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.events import event_manager_client
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    below_info = (EventLevel.TEST, EventLevel.DEBUG)

    class FromInfo(EventManager):
        def fire_event(self, e: BaseEvent, level: EventLevel | None = None, *more: Any, **given: Any) -> None:
            if (level or e.level_tag()) not in below_info:
                super().fire_event(e, level, *more, **given)

    make_up, ask = BaseEvent.__init__, BaseEvent.__getattr__

    def keep_what_was_given(self: BaseEvent, *given: Any, **named: Any) -> None:
        if self.level_tag() in below_info:
            object.__setattr__(self, "_given", (given, named))
        else:
            make_up(self, *given, **named)

    def make_up_now(self: BaseEvent, name: str) -> Any:
        if "pb_msg" not in vars(self) and "_given" in vars(self):
            given, named = vars(self).pop("_given")
            make_up(self, *given, **named)
            return getattr(self, name)
        return ask(self, name)

    before, source = event_manager_client.get_event_manager(), vars(BehaviorFlagRendered)["_default_source"]
    event_manager_client.ctx_set_event_manager(FromInfo())
    BaseEvent.__init__, BaseEvent.__getattr__ = keep_what_was_given, make_up_now  # type: ignore[method-assign]
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseEvent.__init__, BaseEvent.__getattr__ = make_up, ask  # type: ignore[method-assign]
        BehaviorFlagRendered._default_source = source  # type: ignore[method-assign]
        event_manager_client.cleanup_event_logger()
        event_manager_client.ctx_set_event_manager(before)


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
        Rendered(PARSED, house, state_of_project(), night, target, sound)
        if arguments[0] in ("run", "test") and target == "duckdb"
        else None
    )
    given = rendered.give(manifest) if rendered and manifest else frozenset()
    with (
        environment(house, night, sound), _without_values(), _without_debug_events(), not_again(given), contextlib.redirect_stdout(io.StringIO())
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


def build(house: House, below: Sequence[str] = (), *, is_whole: bool = False) -> list[NodeResult]:
    """Builds the models (`build_models`), then tests them.

    Models and tests are two commands: inside one `dbt build` a failing test keeps everything downstream from being built, so that one
    practice's bad row would stop every practice's morning. Here everything is built, and the gate stops whom a test names.
    Where a row failed a test of what a night has for itself alone, the next builds everything, or it would not see the row.
    A whole build begins with a new file. So does a night that meets damage in the warehouse: whatever is in it comes from the lake.
    """
    if is_whole:
        discard(house.warehouse)
    try:
        results = _built(house, below, is_whole)
        is_sound = not any(result.is_bad and is_damage(result.message) for result in results)
    except (Damaged, duckdb.IOException) as error:
        if not is_damage(error):
            raise
        results, is_sound = [], False
    if full := next((said for result in results if result.is_bad and (said := refused(result.message))), None):
        raise HouseError(f"{full.filename}: {full.strerror}; make room or give access, then `ccm nightly`: nothing is lost")
    for result in results:
        if result.is_bad and (what := starved(result.message)):
            raise HouseError(f"{result.unique_id.split('.')[2]}: {what}, then `ccm nightly`: nothing is lost")
    if is_sound:
        return results
    if is_whole or below:
        raise Damaged(house.warehouse)
    LOG.warning("%s is damaged and is made anew from the lake; look after the disk", house.warehouse)
    discard(house.warehouse)
    return _built(house, (), True)


def _built(house: House, below: Sequence[str], is_whole: bool) -> list[NodeResult]:
    sound = standing.sound(house)
    results = build_models(house, below, is_whole=is_whole or not sound >= OF_TONIGHT)
    if not any(result.is_bad for result in results):
        results += _tested(house, below, sound)
    return results


def _tested(house: House, below: Sequence[str], sound: frozenset[str]) -> list[NodeResult]:
    """Runs the tests. Those that no row failed before a night of touched keys (`sound`) are asked of its rows alone; what fails one of these is asked of
    all, so that every row that fails is told."""
    is_touched = standing.is_touched(house)
    among = sound if is_touched else frozenset()
    results = invoke(house, ["test", *_NO_UNIT_TESTS, *_selection(house, below)], standing.SETS if among else "", among)
    again = [result.unique_id for result in results if result.status != "pass" and result.unique_id in among]
    if again:
        results = [result for result in results if result.unique_id not in again]
        results += invoke(house, ["test", *_NO_UNIT_TESTS, "--select", *(name.split(".")[2] for name in again)])
    tested = {result.unique_id for result in results}
    # What is only a part of the models was built again, and the tests of that part: the others' rows are as they were.
    untested = sound - tested if below or is_touched else frozenset()
    standing.keep_sound(house, untested | {result.unique_id for result in results if result.status == "pass"})
    return results


def build_models(house: House, below: Sequence[str] = (), *, is_whole: bool = False) -> list[NodeResult]:
    """Loads the seeds if they changed and builds the models. `below`: only what hangs on these sources and models (unique ids).

    Where a finished night left the warehouse, models are built for what has been touched since and for nothing else, unless `is_whole`. On Spark
    they are always built whole; what hangs on a close or an answer is DuckDB's work there as well.
    """
    results: list[NodeResult] = []
    project = project_fingerprint()
    upon = standing.stands(house, project)
    standing.begin(house)
    stamp = house.state / "dbt" / "seeds.sha256"
    wanted = seeds_fingerprint()
    if not house.warehouse.exists() or not stamp.exists() or stamp.read_text() != wanted:
        upon = None
        # A full refresh, because a plain seed keeps the old columns and types.
        results += invoke(house, ["seed", "--full-refresh"])
        if any(result.is_bad for result in results):
            return results
        write_private(stamp, wanted)
    if is_on_spark() and not below:
        from orchestration.transform.spark.build import build_models as build_on_spark

        results += build_on_spark(house)
        if not any(result.is_bad for result in results):
            # Under a name of its own: no night of DuckDB's recomputes only what it touches in what another engine made.
            standing.finish(house, f"spark {project}", "whole")
        return results
    is_touched = upon is not None and not below and not is_whole
    results += invoke(house, ["run", *_selection(house, below)], standing.SETS if is_touched else "")
    # Where no night had finished, a part that is built is no whole.
    if not any(result.is_bad for result in results) and (upon is not None or not below):
        standing.finish(house, project, "part" if below else "touched" if is_touched else "whole", upon)
    return results


def is_on_spark() -> bool:
    """Which engine builds the nights (CCM_ENGINE). Raises HouseError for a name that is none."""
    name = os.environ.get(ENGINE) or "duckdb"
    if name not in ("duckdb", "spark"):
        raise HouseError(f"{ENGINE}: is neither duckdb nor spark; correct it or unset it")
    return name == "spark"


def _selection(house: House, below: Sequence[str]) -> list[str]:
    return ["--select", *hanging_on(load_manifest(ensure_manifest(house)), below)] if below else []


def hanging_on(manifest: dict[str, Any], roots: Sequence[str]) -> list[str]:
    """Names of the models below these nodes, and of those among them that are models. The sets of touched keys are passed over: what they say of
    a night holds for that night alone."""
    children: dict[str, list[str]] = {}
    for name, node in manifest["nodes"].items():
        if node["resource_type"] == "model" and node["schema"] != standing.SETS:
            for parent in node["depends_on"]["nodes"]:
                children.setdefault(parent, []).append(name)
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += children.get(name, [])
    return sorted(name.split(".")[-1] for name in found if name.startswith("model."))


def load_manifest(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest
