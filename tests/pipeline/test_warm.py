"""Commands of the tests start warm; what they say is what the installed command says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.pipeline import homes


@pytest.mark.parametrize("arguments", [("status",), ("nightly", "--date", "soon")])
def test_a_warm_command_prints_and_exits_as_the_installed_one_does(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert homes.ccm(*arguments, home=tmp_path) == homes.installed_ccm(*arguments, home=tmp_path)


def test_duckdb_draws_no_progress_bar_into_what_a_warm_command_prints(tmp_path: Path) -> None:
    process = homes._warm.Process(target=write_setting, args=(tmp_path / "setting",))
    process.start()
    process.join()
    assert (tmp_path / "setting").read_text() == "False"


def write_setting(path: Path) -> None:
    ((is_drawn,),) = duckdb.connect().execute("select current_setting('enable_progress_bar')").fetchall()
    path.write_text(str(is_drawn))
