"""What is not taken in is not passed over in silence."""

from __future__ import annotations

from pathlib import Path

from orchestration.command.nights import _night_summary
from orchestration.house import House
from orchestration.practices import load_practices
from tests.pipeline.homes import Ran


def test_a_night_says_what_it_left_alone(demo: tuple[Path, Ran], tmp_path: Path) -> None:
    for name in ("marts.duckdb", ".state"):
        (tmp_path / name).symlink_to(demo[0] / name)
    practices = load_practices(demo[0] / "practices.yaml")
    night = tmp_path / "landing" / "bayview" / "2026-10-01"
    night.mkdir(parents=True)
    (night / "recipes.csv").write_text("x")
    (night / "Patients.csv").write_text("x")
    (tmp_path / "landing" / "hudson").write_text("no folder")
    said = _night_summary(House(tmp_path), practices, None)["left_alone"]
    assert [line.split(":")[0] for line in said] == [
        "landing/bayview/2026-10-01/Patients.csv",
        "landing/bayview/2026-10-01/recipes.csv",
        "landing/hudson",
    ]
