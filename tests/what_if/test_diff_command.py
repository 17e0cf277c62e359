"""Which practices `ccm diff` compares."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from orchestration import access
from orchestration.answer.difference import Difference
from orchestration.command import differences
from orchestration.house import HouseError
from tests.holds.clinic import Clinic, configure


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`alpha` is configured, `gone` has left practices.yaml; both have closed 2026-10 twice."""
    configure(tmp_path, [Clinic("alpha", 1)])
    for practice_id in ("alpha", "gone"):
        for version in (1, 2):
            packet = tmp_path / "closes" / practice_id / "2026-10" / f"v{version}"
            packet.mkdir(parents=True)
            (packet / "manifest.json").write_text("{}")
    monkeypatch.setattr(differences, "_source", lambda house, practice_id, side, month: nullcontext(side))
    monkeypatch.setattr(
        differences,
        "compare",
        lambda one, other, practice_id, month: Difference(practice_id, month, one, other, (), 0, (), (), (month, month)),
    )
    yield tmp_path
    # A command that is called here is one of this process, whose record of access would stay open for the tests behind it.
    access.finish(0)


def diff(home: Path, practice: str | None, to: str) -> None:
    differences.diff("2026-10", before="v1", after=to, practice=practice, home=home, as_json=False)


def test_two_versions_of_a_practice_that_left_practices_yaml_are_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diff(home, "gone", "v2")
    assert "gone 2026-10: v1 -> v2" in capsys.readouterr().out
    diff(home, None, "v2")
    printed = capsys.readouterr().out
    assert "alpha 2026-10: v1 -> v2" in printed and "gone 2026-10: v1 -> v2" in printed


def test_with_the_live_marts_only_practices_that_have_some_are_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    diff(home, None, "live")
    printed = capsys.readouterr()
    assert "alpha 2026-10: v1 -> live" in printed.out and "gone" not in printed.out
    assert "gone 2026-10: left out, it is not in practices.yaml" in printed.err
    with pytest.raises(HouseError, match="--practice nowhere: not in practices"):
        diff(home, "nowhere", "v2")
