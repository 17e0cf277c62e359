"""`make fuzz-extracts`: good nights, spoiled in every way of `mutations.py`, are taken in on real homes; every file and row is accounted for.

Of each landed file: it is in the ledger; received = accepted + quarantined + superseded; the lake holds just the accepted rows and the quarantine
just the others, each with its line, reason and next step; no value of the file is among them; what the second reader says of it holds; nothing is
written outside the lake; a second run takes nothing in. Prints what became of each kind; exits 1 when anything did not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pandas  # noqa: F401  DuckDB asks for it; a user who may not read Python's folder would look for it in every statement
import pyarrow.dataset  # noqa: F401
from rich.console import Console
from rich.table import Table

from orchestration.contracts import extract_contracts, lake_columns
from orchestration.house import House
from orchestration.lake_batches import batch_folder
from orchestration.take_in.lake import take_in
from orchestration.take_in.ledger import FileRecord, newest_files
from tests.hostile.drafts import MARKER, TABLES, Draft, good_draft
from tests.hostile.mutations import MUTATIONS
from tests.hostile.second_reader import Expected, Unsaid, expected_of, unreadable

ZONES = {
    "lakeside": "America/Chicago",
    "hilltop": "America/Phoenix",
    "harbor": "Australia/Lord_Howe",
    "north-2": "America/St_Johns",
}
NIGHTS_A_HOME = 40
NOBODY = 65534
NEXT_STEP = re.compile(r"[;,] .*\b(land|export|keep|save|write|correct|check)\b")
UNTOUCHED = "(nothing)"
Key = tuple[str, date, str]


@dataclass
class Tally:
    """What became of the files, by mutation; and what did not hold."""

    nights: int = 0
    files: int = 0
    compared: int = 0
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def count(self, mutations: list[str], record: dict[str, Any], is_compared: bool) -> None:
        outcome = record["outcome"]
        if outcome == "accepted" and record["rows_quarantined"]:
            outcome = "quarantined"
        self.files += 1
        self.compared += is_compared
        for name in mutations or [UNTOUCHED]:
            told = self.by_kind.setdefault(name, Counter())
            told.update({"files": 1, outcome: 1, "compared": int(is_compared)})
            for column in ("rows_received", "rows_accepted", "rows_quarantined", "rows_superseded"):
                told[column] += record[column]


class Deck:
    """Deals the mutations so that every kind comes up as often as the others."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.cards: list[str] = []

    def spoil(self, draft: Draft, times: int) -> None:
        for _ in range(times):
            if len(self.cards) < len(MUTATIONS) // 2:
                self.cards += self.rng.sample(sorted(MUTATIONS), len(MUTATIONS))
            for place, name in enumerate(self.cards):
                if name not in draft.mutations and MUTATIONS[name](draft, self.rng) is not False:
                    draft.mutations.append(name)
                    del self.cards[place]
                    break


@contextmanager
def nobody_in_particular(folder: Path) -> Iterator[None]:
    """Root may read everything: the run goes on as a user who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, NOBODY, NOBODY)
    group = os.getegid()
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def run(nights: int, seed: int, keep: Path | None = None) -> Tally:
    """Takes in so many nights of the seed, some tens a home. The same seed lands the same bytes."""
    tally = Tally()
    extract_contracts()
    for number in range(0, nights, NIGHTS_A_HOME):
        with tempfile.TemporaryDirectory(dir=keep) as folder:
            root = Path(folder)
            with nobody_in_particular(root):
                _one_home(
                    root,
                    Random(f"{seed}-{number}"),
                    min(NIGHTS_A_HOME, nights - number),
                    f"seed {seed}, home {number // NIGHTS_A_HOME}",
                    tally,
                )
                _make_readable(root)
    return tally


def _one_home(root: Path, rng: Random, nights: int, label: str, tally: Tally) -> None:
    deck = Deck(rng)
    house = House(root / "home").prepare()
    first = date(2026, 1, 1)
    all_nights = [
        (practice, first + timedelta(days=number // len(ZONES)))
        for number in range(nights)
        for practice in [list(ZONES)[number % len(ZONES)]]
    ]
    rng.shuffle(all_nights)
    half = len(all_nights) // 2
    drafts: dict[Key, tuple[Draft, Path]] = {}
    for going, part in enumerate((all_nights[:half], [*all_nights[half:], *all_nights[: half // 4]]), 1):
        landed: dict[Key, tuple[Draft, Path]] = {}
        for practice, night in part:
            for table in rng.sample(TABLES, rng.randint(2, 6)):
                key = (practice, night, table)
                draft = good_draft(table, night, rng)
                deck.spoil(draft, rng.choices([0, 1, 2, 3], [1, 6, 3, 2])[0])
                if key in drafts:
                    _clear(drafts[key][1], table)
                landed[key] = draft, _land(house, practice, night, draft)
        drafts |= landed
        expected = {key: _expected(path, draft, ZONES[key[0]]) for key, (draft, path) in landed.items()}
        tally.nights += len(part)
        before = _outside(root)
        try:
            report = take_in(house, ZONES)
        except Exception:  # the very thing that must not happen: told with its trace, and the next home goes on
            tally.findings.append(f"{label}, run {going}: {traceback.format_exc()}")
            return
        tally.findings += [f"{label}, run {going}: {path} changed outside the lake" for path in _differing(before, _outside(root))]
        found = {(r.practice_id, r.extract_date, r.table_name): r for r in report.files} if report else {}
        held = {(r.practice_id, r.extract_date, r.table_name): r for r in newest_files(house)}
        for key in sorted(landed.keys() ^ found.keys()):
            if key in landed and key in held and _is_the_same_again(landed[key][1], held[key]):
                continue  # no new version
            tally.findings.append(
                f"{label}, run {going}: {key} {landed[key][0].mutations if key in landed else ''} is only in {'landing/' if key in landed else 'the ledger'}"
            )
        lake = _Lake(house, report.batch if report else 0)
        for key in sorted(landed.keys() & found.keys()):
            draft = landed[key][0]
            record = vars(found[key])
            wanted = expected[key]
            where = f"{label}, run {going}: {found[key].file_name} {draft.mutations}"
            tally.findings += [f"{where}: {message}" for message in lake.judge(record, wanted)]
            tally.count(draft.mutations, record, wanted is not None)
    if take_in(house, ZONES) is not None:
        tally.findings.append(f"{label}: a run with nothing new takes something in")


def _clear(path: Path, table: str) -> None:
    """Takes away what was landed of a table before it is landed again."""
    for old in path.parent.glob(f"{table}.*"):
        if old.is_dir() and not old.is_symlink():
            for inside in old.iterdir():
                inside.unlink()
            old.rmdir()
        else:
            old.unlink()


def _land(house: House, practice: str, night: date, draft: Draft) -> Path:
    path = house.landing / practice / night.isoformat() / f"{draft.table}.{draft.form}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(draft.landed())
    for step in draft.disk_steps[:1]:  # one thing lies in its place
        step(path)
    return path


def _expected(path: Path, draft: Draft, zone: str) -> Expected | None:
    """None where the interface only says that the file is accounted for."""
    if len([other for other in path.parent.iterdir() if other.name.partition(".")[0] == draft.table]) > 1:
        return unreadable()
    try:
        return expected_of(path, draft.table, draft.form, zone)
    except Unsaid:
        return None


def _is_the_same_again(path: Path, held: FileRecord) -> bool:
    """Whether a file landed again has the bytes it had, or gives none, as before."""
    try:
        has_bytes = not path.is_symlink() and path.is_file()
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if has_bytes else None
    except PermissionError:
        sha256 = None
    return sha256 == held.sha256


def _make_readable(root: Path) -> None:
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700)


def _outside(root: Path) -> dict[str, tuple[int, ...]]:
    """Everything below the folder but the lake and its lock: kind, size and times of each."""
    seen = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == root / "home":
            folders[:] = [name for name in folders if name not in ("lake", ".state")]
        for name in (*folders, *files):
            path = Path(folder) / name
            told = path.lstat()
            seen[str(path)] = (told.st_mode, told.st_size, told.st_mtime_ns, told.st_ino)
    return seen


def _differing(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> list[str]:
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


class _Lake:
    """What one batch holds, by file_id."""

    def __init__(self, house: House, batch: int) -> None:
        folder = batch_folder(house, batch)
        self.rows: dict[int, dict[int, tuple[Any, ...]]] = {}
        self.quarantined: dict[int, list[tuple[int, str | None, str, str | None]]] = {}
        with duckdb.connect() as con:
            for table, contract in extract_contracts().items():
                columns = ", ".join(
                    f'epoch_us("{name}") // 1000000' if kind == "TIMESTAMP" else f'"{name}"'
                    for name, kind in lake_columns(contract)
                )
                for file_id, line, *values in con.execute(
                    f"select file_id, line_number, {columns} from read_parquet(?)", [str(folder / f"{table}.parquet")]
                ).fetchall():
                    self.rows.setdefault(file_id, {})[line] = tuple(values)
            for file_id, *told in con.execute(
                "select file_id, line_number, column_name, reason, patient_id from read_parquet(?)",
                [str(folder / "quarantine.parquet")],
            ).fetchall():
                self.quarantined.setdefault(file_id, []).append(tuple(told))

    def judge(self, record: dict[str, Any], wanted: Expected | None) -> Iterator[str]:
        rows = self.rows.get(record["file_id"], {})
        told = self.quarantined.get(record["file_id"], [])
        received, accepted, bad, lost = (record[f"rows_{name}"] for name in ("received", "accepted", "quarantined", "superseded"))
        lines = [line for line, *_ in told]
        if received != accepted + bad + lost:
            yield f"{received} received, but {accepted} + {bad} + {lost}"
        if len(rows) != accepted:
            yield f"{accepted} accepted, but the lake holds {len(rows)}"
        if record["outcome"] not in ("accepted", "rejected"):
            yield f"outcome {record['outcome']}"
        is_unread = record["outcome"] == "rejected" and received == 0
        if is_unread and lines not in ([0], []):
            yield f"cannot be read, but stands at lines {lines[:5]}"
        if not is_unread and (len(told) != bad or len(set(lines)) != bad or min(lines, default=2) < 1):
            yield f"{bad} quarantined, but the quarantine has lines {lines[:5]}"
        if record["outcome"] == "rejected" and (not record["reason"] or accepted):
            yield f"rejected with {accepted} rows accepted and the reason {record['reason']!r}"
        names = extract_contracts()[record["table_name"]].names
        for reason, column in [(reason, column) for _, column, reason, _ in told] + [(record["reason"], None)] * (
            record["outcome"] == "rejected"
        ):
            if not reason or not NEXT_STEP.search(reason):
                yield f"the reason has no next step: {reason!r}"
            if column is not None and column not in names:
                yield f"the quarantine names a column that the contract does not have: {column!r}"
        if MARKER in repr([told_row[:3] for told_row in told]) + repr({**record, "file_name": ""}):
            yield "a value of the file is told"
        if wanted is None:
            return
        if wanted.is_rejected != (record["outcome"] == "rejected"):
            yield f"{record['outcome']} ({record['reason']}), the second reader says {'rejected' if wanted.is_rejected else 'accepted'}"
        elif (wanted.received, wanted.superseded) != (received, lost):
            yield f"{received} received, {lost} superseded; the second reader has {wanted.received}, {wanted.superseded}"
        elif sorted(wanted.quarantined) != sorted(lines):
            yield f"quarantined lines {sorted(lines)[:9]}; the second reader has {sorted(wanted.quarantined)[:9]}"
        elif wanted.quarantined != {line: patient for line, _, _, patient in told}:
            yield "other patients can be read in quarantined rows"
        elif wanted.accepted != rows:
            line = min(line for line in wanted.accepted.keys() | rows.keys() if wanted.accepted.get(line) != rows.get(line))
            yield f"line {line} differs: {_shortened(rows.get(line))}; the second reader has {_shortened(wanted.accepted.get(line))}"


def _shortened(row: tuple[Any, ...] | None) -> str:
    return "none" if row is None else "(" + ", ".join(repr(value)[:24] for value in row) + ")"


def print_tally(tally: Tally) -> None:
    columns = (
        "files",
        "accepted",
        "quarantined",
        "rejected",
        "compared",
        "rows_received",
        "rows_accepted",
        "rows_quarantined",
        "rows_superseded",
    )
    table = Table(
        title="What became of the files, by what was done to them (a file with several mutations counts in each)",
        title_justify="left",
    )
    table.add_column("mutation", no_wrap=True)
    for name in columns:
        table.add_column(
            {"quarantined": "some rows quarantined", "compared": "second reader"}.get(name, name.replace("_", " ")), justify="right"
        )
    for kind in sorted(tally.by_kind):
        table.add_row(kind, *(f"{tally.by_kind[kind][name]:,}" for name in columns))
    Console(width=200, highlight=False).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shown", type=int, default=20, help="findings shown")
    asked = parser.parse_args()
    tally = run(asked.nights, asked.seed)
    print_tally(tally)
    print(
        f"seed {asked.seed}: {tally.nights} nights, {tally.files} files, {tally.compared} of them compared row by row, {len(tally.findings)} findings"
    )
    print(*tally.findings[: asked.shown], sep="\n")
    return 1 if tally.findings or tally.by_kind.keys() < MUTATIONS.keys() else 0


if __name__ == "__main__":
    sys.exit(main())
