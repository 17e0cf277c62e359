from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import once
from tests.pipeline.homes import Ran
from tests.protection import hostile

MONTH = ("--month", "2026-09")
ODD = "[red]marked[/red] [link=http://x]up[/link]"
# What is done to the marked home, in this order: [fault, command...] (spoiled.py). Faults come before what they would have done.
STEPS: list[tuple[str, ...]] = [
    ("take-in", "nightly"),
    ("none", "nightly"),
    ("freeze", "close", *MONTH, "--approved-by", "Ann Lee"),
    ("validator", "close", *MONTH, "--approved-by", "Ann Lee"),
    ("none", "close", *MONTH, "--approved-by", "Ann [red]Lee[/red]"),
    ("answer", "respond"),
    ("none", "respond"),
    ("model", "run", "--select", "int_claim_subjects"),
    ("command", "status"),
    ("none", "status"),
    ("none", "worklist"),
    ("none", "worklist", "--json"),
    ("none", "report"),
    ("none", "explain", "--practice", "orderly", "--patient", "P000", *MONTH, "--html", "{folder}/explain.html"),
    ("none", "explain", "--practice", "orderly", "--patient", "P000", *MONTH, "--json", "--live"),
    ("none", "explain", "--practice", "attack", "--patient", ODD, *MONTH, "--html", "{folder}/odd.html"),
    ("none", "explain", "--practice", "attack", "--patient", "<script>alert(1)</script>", *MONTH, "--html", "{folder}/script.html"),
    ("none", "diff", *MONTH, "--from", "v1"),
    ("none", "rebuild", "--practice", "orderly", *MONTH, "--into", "{home}/closes/again"),
    ("none", "scrub", "{home}/inbox/garbage.835", "{home}/inbox/spoiled.837"),
    ("none", "worklist", "--with-names"),
]


@dataclass(frozen=True)
class Scene:
    """The marked home after every step, what was printed, and what each command gave back."""

    home: Path
    said: Path
    elsewhere: Path  # HOME, TMPDIR and the folder that the commands were started in
    codes: dict[tuple[str, ...], object]

    def output(self, *step: str) -> str:
        return (self.said / f"{STEPS.index(step):02d}.txt").read_text(encoding="utf-8")


def _build(home: Path) -> Ran:
    hostile.home(home)
    hostile.answers(home)
    folder, elsewhere = home.parent / "said", home.parent / "elsewhere"
    for one in (folder, elsewhere / "home", elsewhere / "tmp", elsewhere / "here"):
        one.mkdir(parents=True)
    steps = [[word.replace("{home}", str(home)).replace("{folder}", str(folder)) for word in step] for step in STEPS]
    (folder / "steps.json").write_text(json.dumps(steps), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.protection.spoiled", str(folder)],
        env={
            **os.environ,
            "CCM_HOME": str(home),
            "HOME": str(elsewhere / "home"),
            "TMPDIR": str(elsewhere / "tmp"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "COLUMNS": "200",
        },
        cwd=elsewhere / "here",
        umask=0o022,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def scene(shared: Path) -> Scene:
    """Never changed by a test."""
    home, _ = once(shared, "it's {a} (marked) home & more", _build)
    said = home.parent / "said"
    codes = json.loads((said / "codes.json").read_text(encoding="utf-8"))
    return Scene(home, said, home.parent / "elsewhere", dict(zip(STEPS, codes, strict=True)))
