"""Takes `inbox/` in: every file once, its original kept for ever, its facts as one batch of the lake that appears whole.

Files of the inbox stay where they are: whoever delivers there may still be writing, and a file that grows is another file. What was taken
in is in `lake/answers/originals/`, so the operator may clear the inbox at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration import discretion
from orchestration.close.x12.reader import NotX12Error
from orchestration.house import House, HouseError, clear_scratch, move_into_place, write_private
from orchestration.lake_batches import missing_between
from orchestration.payers.envelopes import Transaction, take_apart
from orchestration.payers.errors import NotReadableError
from orchestration.payers.guides import read_by_guide
from orchestration.payers.postings import SCHEMAS, rows_of
from orchestration.take_in.ledger import ledger_rows

FILES_A_BATCH = 999_999
FILE_IDS_A_BATCH = FILES_A_BATCH + 1  # file_id = batch x 1,000,000 + place
MOST_BYTES = 256 * 2**20  # more than any payer sends in one file; it would not fit in memory taken apart
TRANSACTIONS_A_FILE = 99_999  # transaction_id = file_id x 100,000 + ordinal

_STRINGS = pa.list_(pa.string())
FILES = pa.schema(
    [
        ("file_id", pa.int64()),
        ("file_name", pa.string()),  # relative to inbox/
        ("sha256", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("outcome", pa.string()),  # read, repeated, quarantined
        ("reason", pa.string()),
        ("first_file_id", pa.int64()),  # of a repeated one
        ("faults", _STRINGS),
    ]
)
TRANSACTIONS = pa.schema(
    [
        ("transaction_id", pa.int64()),
        ("file_id", pa.int64()),
        ("ordinal", pa.int32()),
        ("kind", pa.string()),  # 999, TA1, 277CA, 835, 271, other
        ("guide", pa.string()),
        ("sender_id", pa.string()),
        ("interchange_control_number", pa.string()),
        ("group_control_number", pa.string()),
        ("transaction_control_number", pa.string()),
        ("interchange_on", pa.date32()),
        ("content_sha256", pa.string()),
        ("outcome", pa.string()),  # read, quarantined, other
        ("reason", pa.string()),
        ("faults", _STRINGS),
    ]
)
TABLES = {"files": FILES, "transactions": TRANSACTIONS, **SCHEMAS}
# Tables that batches of before they were kept do not have.
LATER = frozenset({"coverage_answers", "envelopes", "claim_filings"})
# Ends the reason of what a defect of ours kept from being read: the same content is taken in when it comes again. Batches hold it: never reword it.
_AGAIN = "once a release of ccm mends it, put the file into inbox/ again"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class AnswerFile:
    """A row of the ledger: one file as it lay in the inbox, and what became of it."""

    file_id: int
    file_name: str
    sha256: str
    size_bytes: int
    mtime_ns: int
    outcome: str
    reason: str | None = None
    first_file_id: int | None = None
    faults: tuple[str, ...] = ()


@dataclass
class Taken:
    """What one run took in: the ledger's new rows, transactions by kind and outcome, and what was left for the next run."""

    batch: int
    files: list[AnswerFile] = field(default_factory=list)
    transactions: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def answers_folder(house: House) -> Path:
    return house.lake / "answers"


def batch_numbers(house: House) -> list[int]:
    """Numbers of the answer batches, ascending; 0 is empty and gives the tables their columns."""
    folder = answers_folder(house) / "batches"
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()) if folder.exists() else []


def batch_folder(house: House, batch: int) -> Path:
    return answers_folder(house) / "batches" / f"{batch:06d}"


def original_path(house: House, sha256: str) -> Path:
    """Where the original of an answer file is kept."""
    return answers_folder(house) / "originals" / sha256[:2] / f"{sha256}.x12"


def ensure_tables(house: House) -> None:
    """Makes batch 0, so that the models find every table before the first answer came; one made before a table there was gets that table."""
    first = batch_folder(house, 0)
    if all((first / f"{table}.parquet").exists() for table in TABLES):
        return
    with house.lock("answers"):
        for folder in (answers_folder(house), first):
            clear_scratch(folder)
        if not first.exists():
            _write_batch(house, 0, {})
        for table, schema in TABLES.items():
            path = first / f"{table}.parquet"
            if not path.exists():
                content = pa.BufferOutputStream()
                pq.write_table(pa.Table.from_pylist([], schema=schema), content, compression="zstd")
                write_private(path, content.getvalue().to_pybytes())


def lost(house: House) -> tuple[list[int], list[int]]:
    """Batches missing between others, and batches without all of their files: an answer that is not there is one that nobody gave."""
    numbers = batch_numbers(house)
    wanted = TABLES.keys() - LATER
    broken = [one for one in numbers if any(not (batch_folder(house, one) / f"{table}.parquet").is_file() for table in wanted)]
    return missing_between(numbers), broken


def ledger(house: House) -> list[AnswerFile]:
    """Every file ever taken in, by file_id. Raises HouseError when a batch is damaged."""
    rows = ledger_rows(batch_folder(house, batch) for batch in batch_numbers(house))
    return [AnswerFile(**{**row, "faults": tuple(row["faults"] or ())}) for row in rows]


def pending(house: House) -> list[Path]:
    """Files of the inbox that the ledger does not know by name, size and time, by name. Names that begin with a dot are someone's scratch."""
    known = {(record.file_name, record.size_bytes, record.mtime_ns) for record in ledger(house)}
    return [path for path in _listed(house) if (name := _stamp(house, path)) is not None and name not in known]


def _listed(house: House) -> list[Path]:
    found = []
    for path in sorted(house.inbox.rglob("*")):
        relative = path.relative_to(house.inbox)
        # What a link leads to may be anything that this user may read.
        if not any(part.startswith(".") for part in relative.parts) and path.is_file() and not path.is_symlink():
            found.append(path)
    return found


def _links(house: House) -> list[str]:
    return [
        f"inbox/{path.relative_to(house.inbox)}: is a link, not a file; left alone; put the file itself there"
        for path in sorted(house.inbox.rglob("*"))
        if path.is_symlink()
    ]


def _stamp(house: House, path: Path) -> tuple[str, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None  # taken away since it was listed
    return os.fsencode(path.relative_to(house.inbox)).decode("utf-8", "replace"), stat.st_size, stat.st_mtime_ns


def tells_of_coverage(house: House, batches: Iterable[int]) -> bool:
    """Whether one of these batches has an answer about coverage (271)."""
    paths = [batch_folder(house, batch) / "coverage_answers.parquet" for batch in batches]
    return any(path.exists() and pq.read_metadata(path).num_rows for path in paths)


def take_in_answers(house: House, progress: Progress | None = None) -> Taken | None:
    """Takes in every new file of the inbox as one batch; None when there is none. The same inbox gives the same batch, whatever came between.

    A file whose content was taken in before posts nothing. Each transaction stands for itself: what one cannot give, or what breaks its reader,
    does not keep the others of its file from being posted. Raises HouseError for what a user can mend.
    """
    house.prepare()
    ensure_tables(house)
    with house.lock("answers"):
        for folder in (answers_folder(house), *answers_folder(house).glob("originals/*")):
            clear_scratch(folder)
        wanted = pending(house)[:FILES_A_BATCH]
        links = _links(house)
        if not wanted and not links:
            return None
        first_of = {
            record.sha256: record.file_id
            for record in reversed(ledger(house))
            if record.outcome != "repeated" and not (record.reason or "").endswith(_AGAIN)
        }
        taken = Taken(batch_numbers(house)[-1] + 1, notes=links)
        rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
        for place, path in enumerate(wanted):
            if progress:
                progress(path.name, place, len(wanted))
            _take(house, path, taken.batch * FILE_IDS_A_BATCH + place, taken, rows, first_of)
        if not taken.files:
            return None if not taken.notes else taken
        rows["files"] = [{**asdict(record), "faults": list(record.faults)} for record in taken.files]
        taken.transactions = rows["transactions"]
        _write_batch(house, taken.batch, rows)
        return taken


def _take(
    house: House, path: Path, file_id: int, taken: Taken, rows: dict[str, list[dict[str, Any]]], first_of: dict[str, int]
) -> None:
    before = _stamp(house, path)
    is_huge = before is not None and before[1] > MOST_BYTES
    try:
        with path.open("rb") as handle:
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
        content = b"" if is_huge else path.read_bytes()
    except OSError as error:
        taken.notes.append(f"inbox/{path.name}: cannot be read ({error.strerror}); it is tried again by the next run")
        return
    is_same = is_huge or hashlib.sha256(content).hexdigest() == sha256
    if before is None or _stamp(house, path) != before or not is_same:
        taken.notes.append(f"inbox/{path.name}: changed while it was read; it is taken in by the next run")
        return
    name, size, mtime = before
    if sha256 in first_of:
        taken.files.append(
            AnswerFile(file_id, name, sha256, size, mtime, "repeated", "the same content came before", first_of[sha256])
        )
        return
    first_of[sha256] = file_id
    original = original_path(house, sha256)
    if is_huge:
        _copy_private(path, original)
        too_large = f"it has over {MOST_BYTES // 2**20} MB; ask the payer or the clearinghouse to split it"
        taken.files.append(AnswerFile(file_id, name, sha256, size, mtime, "quarantined", too_large))
        return
    if not original.exists():
        write_private(original, content)

    def defect(where: str, error: Exception) -> str:
        discretion.record(house, f"take_in_answers, inbox/{name}{where}:", error)
        return f"{type(error).__name__}{where}: this is a defect of ccm, not of the file; the details are in .state/ccm-errors.log; {_AGAIN}"

    try:
        contents = take_apart(content)
    except Exception as error:
        reason = str(error) if isinstance(error, NotX12Error) else defect("", error)
        taken.files.append(AnswerFile(file_id, name, sha256, size, mtime, "quarantined", reason))
        return
    faults = list(contents.faults)
    defects = [
        found
        for transaction in contents.transactions[:TRANSACTIONS_A_FILE]
        if (found := _take_transaction(transaction, file_id, sha256, rows, defect))
    ]
    if not contents.transactions:
        nothing = "it holds no transaction (ST..SE); ask for the file again"
        taken.files.append(AnswerFile(file_id, name, sha256, size, mtime, "quarantined", nothing, None, tuple(faults[:50])))
        return
    if len(contents.transactions) > TRANSACTIONS_A_FILE:
        faults.append(f"only the first {TRANSACTIONS_A_FILE} transactions were read; split the file")
    told = defects[0] if defects else None
    taken.files.append(AnswerFile(file_id, name, sha256, size, mtime, "read", told, None, tuple(faults[:50])))


def _copy_private(path: Path, original: Path) -> None:
    """A file that is too large to hold, copied whole or not at all."""
    original.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = original.with_name(f".{original.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(path, scratch)
        scratch.chmod(0o600)
        scratch.replace(original)
    finally:
        scratch.unlink(missing_ok=True)


def _take_transaction(
    transaction: Transaction,
    file_id: int,
    sha256: str,
    rows: dict[str, list[dict[str, Any]]],
    defect: Callable[[str, Exception], str],
) -> str | None:
    """Adds the rows of a transaction; gives what is told where it is quarantined for a defect of ours (`defect` makes the words)."""
    kind = kind_of(transaction)
    record: dict[str, Any] = {
        "transaction_id": file_id * 100_000 + transaction.ordinal,
        "file_id": file_id,
        "ordinal": transaction.ordinal,
        "kind": kind,
        "guide": transaction.guide or None,
        "sender_id": next((text for text in transaction.sender_ids if text), None),
        "interchange_control_number": _control(transaction.isa, 13),
        "group_control_number": _control(transaction.gs, 6),
        "transaction_control_number": _control(transaction.segments[0], 2) if kind != "TA1" else None,
        "interchange_on": transaction.interchange_on,
        "content_sha256": transaction.content_sha256(),
        "outcome": "read",
        "reason": None,
        "faults": [],
    }
    rows["transactions"].append(record)
    if kind == "other":
        what = f"{transaction.set_id or 'a transaction'} of guide {transaction.guide or 'unknown'}"
        record |= {
            "outcome": "other",
            "reason": f"{what} is no answer that is read (999, TA1, 277CA 005010X214, 835, 271 005010X279); kept as it came",
        }
        return None
    if not transaction.is_closed:
        record |= {"outcome": "quarantined", "reason": "it is cut short (no SE); ask for the file again"}
        return None
    faults: list[str] = []
    try:
        # a TA1 stands in no guide, and pyx12 has none of a 271 in 5010
        reading = read_by_guide(transaction) if kind not in ("TA1", "271") else None
        faults = list(reading.faults) if reading else []
        own, oddities = rows_of(transaction, reading, record["transaction_id"])
    except NotReadableError as error:
        record |= {"outcome": "quarantined", "reason": f"{error}; ask the payer for a corrected file", "faults": faults}
        return None
    except Exception as error:
        told = defect(f" in transaction {transaction.ordinal}", error)
        record |= {"outcome": "quarantined", "reason": told, "faults": faults}
        return told
    record["faults"] = [*oddities[:20], *faults]
    own["coverage_answers"] = [{**row, "file_sha256": sha256} for row in own["coverage_answers"]]
    for table, more in own.items():
        rows[table] += more
    return None


def kind_of(transaction: Transaction) -> str:
    """999, TA1, 277CA, 835, 271, or other."""
    if transaction.set_id == "277":
        return "277CA" if transaction.guide.startswith("005010X214") else "other"
    if transaction.set_id == "271":
        return "271" if transaction.guide.startswith("005010X279") else "other"
    return transaction.set_id if transaction.set_id in ("999", "TA1", "835") else "other"


def _control(segment: list[str], number: int) -> str | None:
    text = segment[number].strip() if number < len(segment) else ""
    return text if text.isascii() and text.isalnum() and len(text) <= 9 else None


def _write_batch(house: House, batch: int, rows: dict[str, list[dict[str, Any]]]) -> None:
    scratch = answers_folder(house) / f".{batch:06d}.{os.getpid()}.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    try:
        for table, schema in TABLES.items():
            path = scratch / f"{table}.parquet"
            pq.write_table(pa.Table.from_pylist(rows.get(table, []), schema=schema), path, compression="zstd")
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        move_into_place(scratch, batch_folder(house, batch))
    except OSError as error:
        raise HouseError(
            f"{answers_folder(house)}: the batch could not be written ({error.strerror}); free some disk, run again"
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
