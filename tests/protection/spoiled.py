"""`python -m tests.protection.spoiled FOLDER`: runs the steps of FOLDER/steps.json in one process, each a `ccm` command, some with something that
breaks over a patient's values. What each prints goes to FOLDER/<number>.txt, its exit code to FOLDER/codes.json.

A step is [FAULT, COMMAND...]. FAULT is `none`, or one of FAULTS below, or `model`: the command is then dbt's, on a project in which a model
converts a name to a number, as DuckDB's message will quote.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAID = "Zqxvjklast, Zqxvjkfirst born 1931-02-02, 7QX7QX7QX01"


def breaks(*_: Any, **__: Any) -> Any:
    # As libraries do: a value in the message, and another exception behind it.
    try:
        int(SAID)
    except ValueError as error:
        raise RuntimeError(f"could not convert {SAID!r}") from error


def duck(*_: Any, **__: Any) -> Any:
    import duckdb

    duckdb.execute(f"select cast('{SAID}' as integer)")


FAULTS = {
    "take-in": ("orchestration.take_in.lake", "_totals", breaks),
    "freeze": ("orchestration.close.closing", "freeze", duck),
    "validator": ("orchestration.close.claim_file", "judge", breaks),
    "answer": ("orchestration.payers.inbox", "_write_batch", breaks),
    "command": ("orchestration.answer.status", "months_status", breaks),
}


@contextlib.contextmanager
def spoiled(fault: str) -> Iterator[None]:
    import importlib

    if fault == "none":
        yield
        return
    if fault == "model":
        with tempfile.TemporaryDirectory(prefix="spoiled-") as folder:
            attribute, instead = "DBT_PROJECT", own_project(Path(folder))
            modules = [importlib.import_module(f"orchestration.transform.{name}") for name in ("dbt", "project_files")]
            before = getattr(modules[0], attribute)
            for module in modules:
                setattr(module, attribute, instead)
            try:
                yield
            finally:
                for module in modules:
                    setattr(module, attribute, before)
        return
    name, attribute, does = FAULTS[fault]
    module = importlib.import_module(name)
    before = getattr(module, attribute)
    setattr(module, attribute, does)
    try:
        yield
    finally:
        setattr(module, attribute, before)


def own_project(folder: Path) -> Path:
    """A copy of the dbt project with a fault in it."""
    from orchestration.house import DBT_PROJECT

    copy = folder / "dbt_project"
    shutil.copytree(DBT_PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    model = next(copy.rglob("int_claim_subjects.sql"))
    sql = model.read_text(encoding="utf-8").replace(
        "    patients.first_name,", "    cast(patients.first_name as integer) as first_name,"
    )
    assert "as integer" in sql
    model.write_text(sql, encoding="utf-8")
    return copy


def main() -> None:
    folder = Path(sys.argv[1])
    steps = json.loads((folder / "steps.json").read_text(encoding="utf-8"))
    from orchestration.command.main import main as ccm
    from orchestration.house import House
    from orchestration.transform import dbt

    codes = []
    screen = [os.dup(1), os.dup(2)]
    for number, (fault, *command) in enumerate(steps):
        with (folder / f"{number:02d}.txt").open("w", encoding="utf-8") as printed, spoiled(fault):
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            sys.argv = ["ccm", *command]
            code: Any = 0
            try:
                if fault == "model":
                    code = [result.status for result in dbt.invoke(House.from_environment(), command)]
                else:
                    ccm()
            except SystemExit as ended:
                code = ended.code
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(screen[0], 1)
            os.dup2(screen[1], 2)
        codes.append(code)
    (folder / "codes.json").write_text(json.dumps(codes), encoding="utf-8")


if __name__ == "__main__":
    main()
