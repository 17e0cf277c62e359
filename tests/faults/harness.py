"""`make kill`: strikes `ccm` down, runs it again, and compares with a run that nothing disturbed: whole commands at every Dagster step, at durable
steps and at random moments; and what writes durably (taking in, closing, publishing) at each of its durable steps. Prints a line a strike; exits 1
when one came out otherwise.

The homes are small (a few generated practices of one closed month); the stages are made once, undisturbed:
landed -> night (taken in and published) -> closed, the payer's answers in the inbox -> answered.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.demo.payer import PAID_AFTER, answer
from orchestration.house import House
from tests.faults.struck import main as strike
from tests.pipeline import homes
from tests.pipeline.homes import CCM, Ran, copy
from tests.properties.strategies import write_home

CLOCKS = {"approval.json", "transitions.jsonl"}  # the only files with a clock


@dataclass(frozen=True)
class Stage:
    """Commands that lead from one undisturbed home to the next; `again`: what a user runs after a crash."""

    name: str
    start: Path
    command: tuple[str, ...]
    again: tuple[tuple[str, ...], ...]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "CCM_HOME": str(home), "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[2])}


def ccm(home: Path, *arguments: str, before: Callable[[], None] | None = None) -> Ran:
    if before is None:
        return homes.ccm(*arguments, home=home)
    done = subprocess.run(
        [str(CCM), *arguments],
        env=environment(home), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, preexec_fn=before,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


_LIBC = ctypes.CDLL(None)
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


def heed_permissions() -> None:
    """In a child before its program starts: root, too, is then kept out by a file's permissions. Nothing happens where it is not root."""
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def struck(home: Path, mode: str, command: Sequence[str]) -> Ran:
    return homes.warm(strike, "struck", mode, "--", *command, home=home)


def struck_after(home: Path, seconds: float, command: Sequence[str]) -> int:
    """Killed with everything it started, after so many seconds."""
    process = subprocess.Popen(
        [str(CCM), *command], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def content(home: Path) -> dict[str, object]:
    """What must not depend on a crash: every file of every packet without a clock, every row of every published mart, every work list."""
    found: dict[str, object] = {
        str(path.relative_to(home)): path.read_bytes() for path in sorted(home.glob("closes/*/*/v*/*")) if path.name not in CLOCKS
    }
    found |= {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.glob("worklists/*/*.csv"))}
    found["reports"] = sorted(str(path.relative_to(home)) for path in home.glob("reports/*/*.html"))
    half = [str(path.relative_to(home)) for path in home.rglob("*.tmp")] if (home / "marts.duckdb").exists() else []
    found["half-written"] = half
    if (home / "marts.duckdb").exists():
        with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as marts:
            for (table,) in marts.execute("select table_name from duckdb_tables() order by all").fetchall():
                # approved_at is the one clock that a mart shows.
                columns = [row[0] for row in marts.execute(f'describe "{table}"').fetchall() if row[0] != "approved_at"]
                rows = marts.execute("select " + ", ".join(f'"{c}"' for c in columns) + f' from "{table}"').fetchall()
                found[table] = sorted(map(repr, rows))
    return found


def differences(expected: dict[str, object], actual: dict[str, object]) -> list[str]:
    return [name for name in sorted(expected.keys() | actual.keys()) if expected.get(name) != actual.get(name)]


def stages(folder: Path, seed: int, practices: int) -> tuple[list[Stage], dict[str, dict[str, object]]]:
    """The undisturbed homes, made once, and what each holds after its command."""
    landed, night, month = with_claims(folder, seed, practices)
    close = ("close", "--month", month, "--approved-by", "Ann Lee")
    closed = copy(night, folder / "closed")
    done = ccm(closed, *close)
    assert done.code in (0, 3) and list(closed.glob("closes/*/*/v1/claims.837")), done.out + done.err
    assert answer(House(closed), date.max - PAID_AFTER)
    answered = copy(closed, folder / "answered")
    done = ccm(answered, "respond")
    assert done.code == 0 and "posted" in done.out, done.out + done.err
    nightly, respond = ("nightly",), ("respond",)
    return (
        [
            Stage("night", landed, nightly, (nightly,)),
            Stage("close", night, close, (nightly, close)),
            Stage("respond", closed, respond, (respond,)),
        ],
        {"night": content(night), "close": content(closed), "respond": content(answered)},
    )


SEEDS_TRIED = 20


def with_claims(folder: Path, seed: int, practices: int) -> tuple[Path, Path, str]:
    """Generated practices as they landed and a night later, and the month to close: of the first seed from this one on that has claims to send, as a few
    practices may have none."""
    for one_seed in range(seed, seed + SEEDS_TRIED):
        landed = folder / "landed"
        landed.mkdir(parents=True)
        write_home(landed, one_seed, practices=practices, defects=False)
        night = copy(landed, folder / "night")
        done = ccm(night, "nightly")
        assert done.code == 0, done.err
        if month := closable(night):
            return landed, night, month
        shutil.rmtree(landed)
        shutil.rmtree(night)
    raise AssertionError(f"no seed from {seed} on has claims to send")


def closable(home: Path) -> str | None:
    """The newest month that some practice has claims to send for."""
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as marts:
        rows = marts.execute(
            """
            select strftime(calendar.month, '%Y-%m') from close_calendar as calendar
            where state = 'due' and claimable > 0 group by all order by sum(claimable) desc, 1 desc limit 1
            """
        ).fetchall()
    return str(rows[0][0]) if rows else None


def strikes(stage: Stage, folder: Path, wanted: int, chance: random.Random) -> Iterator[str]:
    """Modes of striking this stage: all Dagster steps, durable steps spread over the run, and random moments."""
    home = copy(stage.start, folder / "count")
    started = time.monotonic()
    struck(home, f"count:{folder / 'counts.json'}", stage.command)
    length = time.monotonic() - started
    shutil.rmtree(home)
    counts = json.loads((folder / "counts.json").read_text())
    steps = [f"step:{n}" for n in range(1, counts["step"] + 1)]
    share = max(1, (wanted - len(steps)) // 2)
    writes = [f"write:{n}" for n in sorted(chance.sample(range(1, counts["write"] + 1), min(share, counts["write"])))]
    moments = [f"time:{chance.uniform(0.3, length):.2f}" for _ in range(max(0, wanted - len(steps) - len(writes)))]
    yield from steps + writes + moments


def one(stage: Stage, mode: str, folder: Path, expected: dict[str, object]) -> list[str]:
    """Strikes once, runs again, and says what came out otherwise."""
    home = copy(stage.start, folder / "struck")
    try:
        kind, _, value = mode.partition(":")
        if kind == "time":
            struck_after(home, float(value), stage.command)
        else:
            struck(home, mode, stage.command)
        # Nothing half-written is visible at this moment either: what is named like a packet is whole.
        torn = [
            str(path)
            for path in home.glob("closes/*/*/v*")
            if not (path / "manifest.json").exists() or not (path / "approval.json").exists()
        ]
        for command in stage.again:
            done = ccm(home, *command)
            if done.code not in (0, 3):
                return [f"{command[0]} again: exit {done.code}: {done.err.strip()[-300:]}"]
        return torn + differences(expected, content(home))
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Part:
    """A part of a run that writes durably (struck.PARTS), on the home it starts from."""

    name: str
    start: Path
    command: tuple[str, ...]


def parts(folder: Path) -> list[Part]:
    closed = next((folder / "closed").glob("closes/*/*/v1/claims.837"))
    practice, month = closed.parents[2].name, closed.parents[1].name
    return [
        Part("take_in", folder / "landed", ("part:take_in",)),
        Part("close", folder / "night", ("part:close", practice, month)),
        Part("publish", folder / "night", ("part:publish",)),
        Part("answers", folder / "closed", ("part:answers",)),
    ]


def kept(home: Path) -> dict[str, object]:
    """What a part leaves: packets, marts and the lake's rows (the ledger of files has times of the copied files)."""
    batches = {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted([*home.glob("lake/batches/*/*.parquet"), *home.glob("lake/answers/**/*")])
        if path.is_file() and (*path.relative_to(home).parts[:2], path.name) != ("lake", "batches", "files.parquet")
    }
    return {**content(home), **batches}


def part_strikes(folder: Path, wanted: int) -> Iterator[tuple[str, list[str]]]:
    """Strikes each part before its durable steps, all of them or as many as wanted, spread evenly."""
    made = parts(folder)
    for part in made:
        home = copy(part.start, folder / "undisturbed")
        struck(home, f"count:{folder / 'counts.json'}", part.command)
        expected = kept(home)
        shutil.rmtree(home)
        steps = json.loads((folder / "counts.json").read_text())["write"]
        share = min(steps, max(1, wanted // len(made)))
        for number in sorted({1 + round(place * (steps - 1) / max(share - 1, 1)) for place in range(share)}):
            home = copy(part.start, folder / "struck")
            done = struck(home, f"write:{number}", part.command)
            found = [] if done.code == -signal.SIGKILL else [f"exit {done.code} instead of a kill"]
            if part.name != "close" or not list(home.glob("closes/*/*/v1")):
                again = struck(home, f"count:{folder / 'again.json'}", part.command)
                found += [] if again.code == 0 else [f"again: exit {again.code}"]
            found += differences(expected, kept(home))
            shutil.rmtree(home)
            yield f"{part.name} write:{number} of {steps}", found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--commands", type=int, default=40, help="how many of the kills strike whole commands")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--practices", type=int, default=3)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    wrong = done = 0
    with tempfile.TemporaryDirectory(prefix="ccm-kill-") as name:
        folder = Path(name)
        made, expected = stages(folder, given.seed, given.practices)
        for said, found in part_strikes(folder, given.kills - given.commands):
            done += 1
            wrong += bool(found)
            print(f"{said}: {'as undisturbed' if not found else 'OTHERWISE: ' + '; '.join(found[:5])}", flush=True)
        for stage in made:
            for mode in strikes(stage, folder, -(-given.commands // len(made)), chance):
                found = one(stage, mode, folder, expected[stage.name])
                done += 1
                wrong += bool(found)
                print(f"{stage.name} {mode}: {'as undisturbed' if not found else 'OTHERWISE: ' + '; '.join(found[:5])}", flush=True)
    print(f"{done} kills, {wrong} came out otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
