"""The packets and proposals under closes/, as rows for the models.

A packet's lines are read once: .state/claim_lines.json keeps which packets lake/configuration/claim_lines.parquet was read from, and those that were
met and are gone, damaged or in whose place lies a copy of another.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.close import proposals, versions
from orchestration.close.versions import DAMAGED
from orchestration.house import House, HouseError, write_private
from orchestration.payers import eligibility, sent
from orchestration.transform import claim_lines, identities
from orchestration.transform.claim_lines import CLAIM_LINES, MONEY, key_of
from orchestration.transform.identities import Identity

CLOSES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("month", pa.date32()),
        ("close_version", pa.int32()),
        ("newest_night", pa.date32()),
        ("claims", pa.int64()),
        ("allowed_amount", MONEY),
        ("held", pa.int64()),
        ("approved_by", pa.string()),
        ("approved_at", pa.string()),
    ]
)


@dataclass(frozen=True)
class Closes:
    """What the packets and proposals under closes/ say, as rows for the models; all empty where nothing is closed."""

    claim_lines: pa.Table = field(default_factory=CLAIM_LINES.empty_table)
    closes: list[dict[str, object]] = field(default_factory=list)
    proposals: list[dict[str, object]] = field(default_factory=list)
    packets: Mapping[str, str] = field(default_factory=dict)  # <practice>/<month>/v<N> -> SHA-256 of its manifest
    gone: tuple[str, ...] = ()  # packets that were read once and are there no more
    damaged: tuple[str, ...] = ()  # packets that cannot be read and never were: whom they claimed is not known
    copied: tuple[str, ...] = ()  # folders in whose place lies a copy of another packet
    as_written: bytes | None = None  # claim_lines.parquet as it stands, where it has these lines
    identities: frozenset[Identity] = frozenset()  # what the practices were called in packets that are new


def read_closes(house: House) -> Closes:
    """Every complete packet (one with a manifest) and every proposal, by practice, month and version.

    Claim lines are read from packets that are new. Those of the others stand in claim_lines.parquet: a packet never changes, and its manifest has the
    hashes of its files. A damaged packet is its practice's trouble, which the gate refuses (`packets_lost`): what was read of it while it was whole
    stands, and where nothing was the night goes on without. So it is with a copy of another packet, which would be claimed a second time."""
    closes: list[dict[str, object]] = []
    packets: dict[str, str] = {}
    damaged: list[str] = []
    copied: list[str] = []
    known, standing = _lines_that_stand(house)
    for packet in versions.in_folders(house):
        name, is_copy = packet.name, versions.copied_from(packet.folder) is not None
        if is_copy:
            copied.append(name)
        else:
            try:
                content = (packet.folder / versions.MANIFEST).read_bytes()
                closes.append(_close(packet.folder, content))
                packets[name] = hashlib.sha256(content).hexdigest()
                continue
            except DAMAGED:
                pass
        if name in known and (row := _close_that_stands(house, packet.folder)):
            closes.append(row)
            packets[name] = known[name]
        elif not is_copy:
            damaged.append(name)
    proposed: list[dict[str, object]] = [
        {
            "practice_id": practice_id,
            "month": month,
            "proposal": int(path.stem),
            "close_version": proposal["version"],
        }
        for practice_id, month, path in proposals.lying(house)
        # No claim rests on one; `ccm doctor` names those that are damaged. A copy of another's is none.
        if (proposal := proposals.read(path)) and (proposal["practice_id"], proposal["month"]) == (practice_id, f"{month:%Y-%m}")
    ]
    ever, damaged_before, copied_before = _ever_read(house)
    gone = tuple(name for name in ever if name not in packets and name not in damaged and name not in copied)
    before = pq.read_table(io.BytesIO(standing)) if standing is not None else CLAIM_LINES.empty_table()
    lines, missing = [before], set(packets) - set(known)
    if any(packets.get(name) != manifest for name, manifest in known.items()):
        # A packet that is gone or another one (a home put back from a backup): everything is read again.
        lines, missing = [], set(packets)
    elif standing is not None and known == packets and (sorted(damaged), sorted(copied)) == (damaged_before, copied_before):
        return Closes(before, closes, proposed, packets, gone, tuple(damaged), tuple(copied), standing)
    for name in sorted(missing):
        try:
            lines.append(pa.Table.from_pylist(claim_lines.lines_of(house.closes / name), schema=CLAIM_LINES))
        except HouseError:
            if known.get(name) == packets[name]:
                lines.append(_lines_of(before, house.closes / name))
            else:
                damaged.append(name)
                del packets[name]
    table = _in_order(pa.concat_tables(lines)) if lines else CLAIM_LINES.empty_table()
    names = frozenset[Identity]().union(*(identities.frozen(house.closes / name) for name in missing))
    return Closes(table, closes, proposed, packets, gone, tuple(damaged), tuple(copied), identities=names)


def _lines_of(lines: pa.Table, packet: Path) -> pa.Table:
    """Those of one packet."""
    mask = [pc.equal(lines[name], pa.scalar(value, lines.schema.field(name).type)) for name, value in key_of(packet).items()]
    return lines.filter(pc.and_(pc.and_(mask[0], mask[1]), mask[2]))


def packets_lost(house: House) -> list[str]:
    """Packets that were read once and are not there, those that cannot be read and never were, and copies in the place of one: `lakeside/2026-10/v1`, by
    name.

    `transitions.jsonl` knows of what is gone, too, but may go with it."""
    ever, damaged, copied = _ever_read(house)
    gone = (name for name in ever if not (house.closes / name / versions.MANIFEST).is_file())
    return sorted({*damaged, *gone, *(name for name in copied if versions.copied_from(house.closes / name))})


def _ever_read(house: House) -> tuple[list[str], list[str], list[str]]:
    """Every packet that was ever met, by name, whatever became of its lines; those of them that could not be read the last time; and the copies there were
    then."""
    try:
        record = json.loads(_record_of_packets(house).read_text(encoding="utf-8"))
        damaged = sorted(record.get("damaged", ()))
        return sorted({*record["packets"], *record.get("gone", ()), *damaged}), damaged, sorted(record.get("copied", ()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no record yet, or a damaged one
        return [], [], []


def _close(packet: Path, content: bytes) -> dict[str, object]:
    """The row of a packet; `content`: its manifest."""
    manifest = json.loads(content)
    approval = json.loads((packet / "approval.json").read_text(encoding="utf-8"))
    return {
        **key_of(packet),
        "newest_night": date.fromisoformat(manifest["newest_night"]),
        "claims": manifest["totals"]["claims"],
        "allowed_amount": Decimal(manifest["totals"]["allowed_amount"]),
        "held": manifest["totals"]["held"],
        "approved_by": approval["approved_by"],
        "approved_at": approval["approved_at"],
    }


def keep_record(house: House, closed: Closes, content: bytes) -> None:
    """Keeps which packets were read for claim_lines.parquet; `content`: the file, as it was written."""
    record = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "code": _code(),
        "packets": dict(closed.packets),
        "gone": closed.gone,
        "damaged": closed.damaged,
        "copied": closed.copied,
    }
    write_private(_record_of_packets(house), json.dumps(record))


def _close_that_stands(house: House, packet: Path) -> dict[str, object] | None:
    """What closes.parquet has of a packet, as it was last read."""
    path, key = house.lake / "configuration" / "closes.parquet", key_of(packet)
    rows: list[dict[str, object]] = pq.read_table(path).to_pylist() if path.exists() else []
    return next((row for row in rows if all(row[name] == value for name, value in key.items())), None)


def _in_order(lines: pa.Table) -> pa.Table:
    """By practice, month and version, each packet's lines as they stand in it, in one piece: the same lines give the same bytes, whenever they were read."""
    keys = ("practice_id", "month", "close_version")
    place = pa.array(np.arange(len(lines)))
    order = pc.sort_indices(lines.select(keys).append_column("place", place), [(key, "ascending") for key in (*keys, "place")])
    return lines.take(order).combine_chunks()


def _record_of_packets(house: House) -> Path:
    return house.state / "claim_lines.json"


def _lines_that_stand(house: House) -> tuple[dict[str, str], bytes | None]:
    """The packets whose lines claim_lines.parquet has, and the file; null where it is not the file that was written with them, by this code. Then it is
    made again, from every packet."""
    try:
        record = json.loads(_record_of_packets(house).read_text(encoding="utf-8"))
        content = (house.lake / "configuration" / "claim_lines.parquet").read_bytes()
        is_it = record["sha256"] == hashlib.sha256(content).hexdigest() and record["code"] == _code()
        # What the packets say of identities is read with their lines.
        is_it = is_it and identities.path_of(house).exists()
        return (dict(record["packets"]), content) if is_it else ({}, None)
    except (OSError, ValueError, KeyError, TypeError):  # no record yet, or a damaged one
        return {}, None


@cache
def _code() -> str:
    """Names what reads the lines: a release that reads them otherwise reads all of them again."""
    files = (__file__, claim_lines.__file__, eligibility.__file__, identities.__file__, sent.__file__, versions.__file__)
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in files)).hexdigest()
