"""Who goes red when a rule row is gone. Each judge gives the first thing it notices, or None."""

import contextlib
import importlib.util
import inspect
import io
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb

from orchestration.house import House
from tests.mutation.bench import Bench, Node, Outcome, Row
from tests.second_opinion import Opinion, differences, evaluate
from tests.second_opinion.compare import KEYS, is_same, plain

# What the second opinion reads from the seeds instead of typing it again: it would move with the row, so that its word on these is only
# that the row reaches a mart. `test_the_second_opinion_reads_only_these_seeds` holds this set to what it does.
READ_BY_THE_SECOND_OPINION = frozenset(
    {
        "rule_rvus",
        "rule_gpcis",
        "rule_conversion_factors",
        "rule_condition_prefixes",
        "rule_condition_groups",
        "rule_ccir_chronic_codes",
        "rule_icd10_categories",
    }
)


def failing_unit_test(bench: Bench, seed: str) -> str | None:
    """dbt's own question of a unit test: are the actual rows the expected ones? Only of those that read the seed."""
    for test in bench.unit_tests:
        if seed in test.sql and not passes(bench, test):
            return test.name
    return None


def passes(bench: Bench, unit_test: Node) -> bool:
    sides: dict[str, Counter[str]] = {"actual": Counter(), "expected": Counter()}
    try:
        for row in bench.rows(unit_test.sql):
            sides[row.pop("actual_or_expected")][repr(list(row.values()))] += 1
    except duckdb.Error:
        return False
    return sides["actual"] == sides["expected"]


def failing_data_tests(bench: Bench, names: Iterable[str]) -> list[str]:
    """Names of the dbt data tests on these relations that find failing rows."""
    ids = {node.unique_id for node in bench.relations if node.name in set(names)}
    return [
        test.name
        for test in bench.tests
        if not ids.isdisjoint(test.parents) and bench.rows(f"select count(*) as failures from ({test.sql})")[0]["failures"]
    ]


class SecondOpinion:
    """The marts of a home against the second opinion on its landing folders. They agree to begin with, or this is refused."""

    def __init__(self, house: House, seeds: Path):
        self.opinion = evaluate(house.root, seeds)
        wrong = differences(self.opinion, house.marts)
        if wrong:
            raise AssertionError(
                f"marts and second opinion disagree before anything is changed, {len(wrong)} times; first: {wrong[0]}"
            )
        self.columns = compared_columns(self.opinion)
        self.folder = tempfile.TemporaryDirectory()

    def reaches(self, bench: Bench, outcome: Outcome) -> str | None:
        """The first compared value of a published mart that is another than before."""
        return next((found for _, _, found in self._moved(bench, outcome)), None)

    def notices(self, bench: Bench, outcome: Outcome) -> str | None:
        """The comparison's own first complaint, on the marts as they are now."""
        for table, practice_id, _ in self._moved(bench, outcome):
            marts = Path(self.folder.name) / "marts.duckdb"
            publish(bench, KEYS, marts, practice_id)
            found = differences(self._on(practice_id), marts, (table,))
            if found:
                return found[0]
        return None

    def _moved(self, bench: Bench, outcome: Outcome) -> Iterator[tuple[str, str, str]]:
        """Mart, practice and the first value of it that is another than before: of those that the comparison looks at."""
        for table in outcome.changed:
            if table not in self.columns:
                continue
            before, now = bench.differing(table)
            for practice_id in sorted({row["practice_id"] for row in (*before, *now)}):
                sides = ([row for row in rows if row["practice_id"] == practice_id] for rows in (before, now))
                found = first_difference(table, self.columns[table], *sides)
                if found:
                    yield table, practice_id, found

    def _on(self, practice_id: str) -> Opinion:
        """The opinion on one practice: no practice's rows depend on another's."""
        of_practice = {
            part.name: [row for row in getattr(self.opinion, part.name) if row["practice_id"] == practice_id]
            for part in fields(self.opinion)
        }
        return Opinion(**of_practice)


def publish(bench: Bench, tables: Iterable[str], path: Path, practice_id: str | None = None) -> None:
    """These marts, as they are on the bench, as a marts.duckdb of their own; of one practice, or of all."""
    path.unlink(missing_ok=True)
    quoted = str(path).replace("'", "''")
    bench.con.execute(f"attach '{quoted}' as published")
    try:
        for table in tables:
            bench.con.execute(
                f"create table published.{table} as from marts.{table} where $1 is null or practice_id = $1", [practice_id]
            )
    finally:
        bench.con.execute("detach published")


def compared_columns(opinion: Opinion) -> dict[str, list[str]]:
    """The columns of each mart that the comparison compares, the key first."""
    columns = {}
    for table, keys in KEYS.items():
        rows = getattr(opinion, table)
        columns[table] = [*keys, *(name for name in (rows[0] if rows else {}) if name not in keys)]
    return columns


def first_difference(table: str, columns: list[str], before: list[Row], now: list[Row]) -> str | None:
    """As tests/second_opinion/compare.py sees it: by key, column by column, in the form in which values are compared."""
    keys = KEYS[table]
    sides = [{tuple(plain(c, row[c]) for c in keys): row for row in rows} for rows in (before, now)]
    for key in sorted(sides[0].keys() | sides[1].keys(), key=str):
        where = f"{table} {' '.join(str(value) for value in key)}"
        if key not in sides[1]:
            return f"{where}: gone"
        if key not in sides[0]:
            return f"{where}: new"
        for column in columns:
            if column not in keys and column in sides[0][key]:
                want, got = (plain(column, side[key][column]) for side in sides)
                if not is_same(column, want, got):
                    return f"{where}: {column}"
    return None


class WorkedCases:
    """The specification's checker on the marts that it reads. It is content to begin with, or this is refused."""

    TABLES = ("patient_month_decisions", "patient_month_minutes", "claimable_codes")

    def __init__(self, checker: Path, cases: Path, folder: Path):
        self.main = load_script(checker).main
        self.cases, self.folder = cases, folder

    def reaches(self, bench: Bench, outcome: Outcome) -> str | None:
        """A mart that the checker reads and that is another than before."""
        return next((table for table in outcome.changed if table in self.TABLES), None)

    def notices(self, bench: Bench, outcome: Outcome) -> str | None:
        """The first complaint of check_cases.py."""
        return self.complaint(bench) if self.reaches(bench, outcome) else None

    def complaint(self, bench: Bench) -> str | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        publish(bench, self.TABLES, self.folder / "marts.duckdb")
        said, argv = io.StringIO(), sys.argv
        sys.argv = ["check_cases.py", str(self.cases), str(self.folder)]
        try:
            with contextlib.redirect_stdout(said):
                self.main()
        except SystemExit as end:
            if end.code:
                return said.getvalue().splitlines()[0]
        finally:
            sys.argv = argv
        return None


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise AssertionError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ReferencePins:
    """tests/rules/test_reference_seeds.py, run on rows in memory instead of the files."""

    def __init__(self, module: ModuleType, seeds: Iterable[str]):
        self.module = module
        self.rows: dict[str, list[Row]] = {seed: list(module.rows(seed)) for seed in seeds}
        self.readers: dict[str, list[tuple[str, Callable[[], None]]]] = {seed: [] for seed in self.rows}
        took: dict[Callable[[], None], float] = {}
        self.original: Callable[[str], list[Row]] = module.rows
        for name, call in calls_of(module):
            read: set[str] = set()

            def recording(seed: str, read: set[str] = read) -> list[Row]:
                read.add(seed)
                return self.rows.get(seed) or self.original(seed)

            module.rows = recording  # type: ignore[attr-defined]
            began = time.perf_counter()
            try:
                call()
            finally:
                module.rows = self.original  # type: ignore[attr-defined]
            took[call] = time.perf_counter() - began
            for seed in read & set(self.readers):
                self.readers[seed].append((name, call))
        for calls in self.readers.values():
            calls.sort(key=lambda item: took[item[1]])  # one that fails is enough: the quick ones first
        self.last_seen: dict[str, tuple[str, Callable[[], None]]] = {}

    def notices(self, seed: str, number: int) -> str | None:
        """The name of a test that fails without the row of that number (from 0, in the order of the file)."""
        kept = self.rows[seed]
        thinned = {**self.rows, seed: kept[:number] + kept[number + 1 :]}
        self.module.rows = lambda name: thinned.get(name) or self.original(name)  # type: ignore[attr-defined]
        calls = self.readers[seed]
        if seed in self.last_seen:  # what noticed the row before will often notice this one
            calls = [self.last_seen[seed], *calls]
        try:
            for name, call in calls:
                try:
                    call()
                except Exception:  # whatever it raises: the test is red
                    self.last_seen[seed] = (name, call)
                    return name
        finally:
            self.module.rows = self.original  # type: ignore[attr-defined]
        return None


def calls_of(module: ModuleType) -> list[tuple[str, Callable[[], None]]]:
    """Every test function of a module as a call, once for each of its parameter sets. Tests that want a fixture are left out."""
    found: list[tuple[str, Callable[[], None]]] = []
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        choices: list[list[dict[str, Any]]] = []
        marks = getattr(function, "pytestmark", [])
        if any(mark.name == "skipif" and mark.args[0] for mark in marks):
            continue
        for mark in marks:
            if mark.name == "parametrize":
                names, values = mark.args
                names = [part.strip() for part in names.split(",")] if isinstance(names, str) else list(names)
                choices.append([dict(zip(names, value if len(names) > 1 else [value], strict=True)) for value in values])
        for chosen in itertools.product(*choices):
            arguments = {key: value for part in chosen for key, value in part.items()}
            if set(inspect.signature(function).parameters) == set(arguments):
                found.append((name, partial(function, **arguments)))
    return found
