"""Homes that the pipeline tests share: built once per session, by the real command, and copied before anything is changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

CCM = Path(sys.executable).with_name("ccm")


@dataclass(frozen=True)
class Ran:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


def ccm(*arguments: str, home: Path) -> Ran:
    """Runs the installed command on a home, as a user would."""
    done = subprocess.run(
        [str(CCM), *arguments],
        env={**os.environ, "CCM_HOME": str(home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def rows(home: Path, sql: str) -> list[dict[str, object]]:
    """Rows of the published marts."""
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as con:
        cursor = con.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def copy(home: Path, target: Path) -> Path:
    """A copy of a home with the times of its files, so that nothing in it looks new."""
    shutil.copytree(home, target, copy_function=shutil.copy2)
    return target
