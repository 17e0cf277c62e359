"""What `make` sets up with: a Python on which the libraries run, or a word of what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKE = shutil.which("make") or "make"


def said(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make` would run to set up, of nothing but the commands in the folder."""
    (folder / "sh").symlink_to(shutil.which("sh") or "")
    command = [MAKE, "-n", "-B", ".venv/.installed", *arguments]
    return subprocess.run(command, cwd=ROOT, env={"PATH": str(folder)}, capture_output=True, text=True, check=False)


def too_new(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\nexit 1\n")
    (folder / name).chmod(0o755)


def test_a_python_too_new_for_the_libraries_is_passed_over_for_one_that_fits(tmp_path: Path) -> None:
    too_new(tmp_path, "python3")
    (tmp_path / "python3.12").symlink_to(sys.executable)
    assert said(tmp_path).stdout.startswith("python3.12 -m venv .venv\n")


def test_a_machine_without_a_python_that_fits_is_told_what_to_install(tmp_path: Path) -> None:
    too_new(tmp_path, "python3")
    done = said(tmp_path)
    assert (
        done.returncode
        and "none of python3 python3.13 python3.12 python3.11 is Python 3.11, 3.12 or 3.13: install one, or name it with make PYTHON="
        in done.stderr
    )


def test_a_python_that_is_named_is_taken(tmp_path: Path) -> None:
    assert said(tmp_path, "PYTHON=/opt/python").stdout.startswith("/opt/python -m venv .venv\n")


def test_make_asks_for_the_versions_of_the_project() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert wanted == ">=3.11,<3.14" and "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "Makefile").read_text()
