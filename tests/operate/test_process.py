"""What a command's process does besides the command: as little as it can."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_COMMAND = """
import atexit, gc, sys
from orchestration.command.main import main
atexit.register(lambda: print("LEFT", len(gc.get_objects()), "OFTEN", gc.get_threshold(), file=sys.stderr))
sys.argv = ["ccm", "status", "--json"]
main()
"""


def test_a_command_is_not_searched_for_dead_objects_as_it_ends_nor_all_of_it_again_and_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND], env={**os.environ, "CCM_HOME": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    said = done.stderr.splitlines()[-1].split()
    assert said[0] == "LEFT", done.stderr
    # What Python still searches as it ends: nothing of the some hundred thousand objects that the command held.
    assert int(said[1]) < 1_000
    assert int(said[-1].rstrip(")")) >= 100
