"""Homes that the pipeline tests share: built once per session, by the real command, and copied before anything is changed."""

from __future__ import annotations

import faulthandler
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

import dagster as dg
import duckdb

from orchestration.house import House
from orchestration.operate.instance import prepare_environment

CCM = Path(sys.executable).with_name("ccm")
HUNG = 1800  # seconds, many times what the longest of these commands takes on a slow machine


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "CCM_HOME": str(home), "COLUMNS": "200"}


def installed_ccm(*arguments: str, home: Path) -> Ran:
    """Runs the installed command on a home, as a user would."""
    done = subprocess.run(
        [str(CCM), *arguments], env=_environment(home), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


_warm: ForkServerContext = multiprocessing.get_context("forkserver")
_warm.set_forkserver_preload(["tests.pipeline.warm"])


def ccm(*arguments: str, home: Path) -> Ran:
    """The same in a process of its own that starts with the libraries imported (tests/pipeline/warm.py): their import takes longer than most commands.

    Its arguments, environment, files, output and exit code are those of the installed command.
    """
    return warm(_command, str(CCM), *arguments, home=home)


def warm(what: Callable[[], object], *arguments: str, home: Path) -> Ran:
    """What a process prints and exits with that starts with the libraries imported and runs `what`, a function of a module, with these arguments
    (`sys.argv`) on a home. One that is killed has the code of its signal, negative."""
    with tempfile.TemporaryDirectory(prefix="ccm-ran-") as folder:
        printed = [Path(folder) / name for name in ("out", "err")]
        process = _warm.Process(
            target=_run, args=(what, arguments, _environment(home), str(Path.cwd()), [str(path) for path in printed])
        )
        process.start()
        process.join()
        said = [path.read_text(encoding="utf-8") for path in printed]
    assert process.exitcode is not None
    return Ran(process.exitcode, *said)


def _run(
    what: Callable[[], object], arguments: tuple[str, ...], environment: dict[str, str], folder: str, printed: list[str]
) -> None:
    for stream, path in zip((1, 2), printed, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), stream)
    sys.stdout, sys.stderr = (io.TextIOWrapper(os.fdopen(fd, "wb", closefd=False), "utf-8", write_through=True) for fd in (1, 2))
    faulthandler.dump_traceback_later(HUNG, exit=True)  # says where it waits, instead of keeping the suite for ever
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(arguments)
    sys.exit(what())  # type: ignore[arg-type]  # what the console script does


def _command() -> object:
    from orchestration.command.main import main

    return main()


def rows(home: Path, sql: str) -> list[dict[str, object]]:
    """Rows of the published marts."""
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as con:
        cursor = con.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# Three quarters of a demo's files lie in `landing`, two thirds of its bytes in the databases.
DATABASES = ("warehouse.duckdb", "warehouse.duckdb.wal", "marts.duckdb")


def copy(home: Path, target: Path, *, without: Collection[str] = ()) -> Path:
    """A copy of a home with the times of its files, so that nothing in it looks new. A folder that it goes `without` it has empty. (Python's own copy
    takes four times as long.)"""
    assert not target.exists(), target
    target.parent.mkdir(parents=True, exist_ok=True)
    if not without:
        subprocess.run(["cp", "-a", str(home), str(target)], check=True)
        return target
    target.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", *(str(one) for one in home.iterdir() if one.name not in without), str(target)], check=True)
    for name in without:
        if (home / name).is_dir():
            (target / name).mkdir(mode=0o700)
    return target


@contextmanager
def instance_of(home: Path) -> Iterator[dg.DagsterInstance]:
    """The home's own Dagster instance, in this process; the environment is put back."""
    before = {name: os.environ.get(name) for name in ("CCM_HOME", "DAGSTER_HOME")}
    prepare_environment(House(home))
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
