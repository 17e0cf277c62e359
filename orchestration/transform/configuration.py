"""What Python gives to the models as Parquet: practice configuration, rule version, claims of earlier closes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.close import acceptances, manners, proposals, versions
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.close.versions import DAMAGED
from orchestration.house import DBT_PROJECT, House, HouseError, write_private
from orchestration.payers import eligibility, inbox, sent
from orchestration.practices import Practice, fee_state
from orchestration.take_in.tables import ensure_tables
from orchestration.transform import identities
from orchestration.transform.identities import Identity
from orchestration.transform.office import office_tables

MONEY = pa.decimal128(12, 2)

PRACTICES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("time_zone", pa.string()),
        ("npi", pa.string()),
        ("tax_id", pa.string()),
        ("state", pa.string()),
        ("mac", pa.string()),
        ("locality", pa.string()),
        ("place_of_service", pa.string()),
        ("qualifying_apm_participant", pa.bool_()),
        ("track_policy", pa.string()),
        ("service_date_policy", pa.string()),
        ("facility_type", pa.string()),
        ("close_first_day", pa.int32()),
        ("close_final_day", pa.int32()),
        ("submitter_id", pa.string()),
    ]
)
CHARGES = pa.schema([("practice_id", pa.string()), ("procedure_code", pa.string()), ("charge_amount", MONEY)])
RULES = pa.schema([("rules_version", pa.string())])
CLAIM_LINES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("patient_id", pa.string()),
        ("month", pa.date32()),
        ("claim_id", pa.string()),
        ("line_id", pa.string()),
        ("close_version", pa.int32()),
        ("status", pa.string()),
        ("procedure_code", pa.string()),
        ("units", pa.int32()),
        ("service_date", pa.date32()),
        ("charge_amount", MONEY),
        ("allowed_amount", MONEY),
        # How its claim file went out: what acknowledgments refer to.
        ("submitter_id", pa.string()),
        ("control_number", pa.int64()),
        ("usage_indicator", pa.string()),
        ("transaction_number", pa.int32()),
        ("tax_id", pa.string()),
        ("beneficiary_key", pa.string()),
        ("claimed_on", pa.date32()),
        # The practice's settings that priced it; null where the packet's cannot be read.
        ("place_of_service", pa.string()),
        ("mac", pa.string()),
        ("state", pa.string()),
        ("locality", pa.string()),
        ("qualifying_apm_participant", pa.bool_()),
        # What its patient-month could have been claimed as by what was known then, each as its codes in their order: `99439 x 1, 99490 x 1`.
        # As Parquet calls what is in a list: a table that was read gives the bytes of one that was made.
        ("alternatives", pa.list_(pa.field("element", pa.string()))),
    ]
)

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
PROPOSALS = pa.schema(
    [("practice_id", pa.string()), ("month", pa.date32()), ("proposal", pa.int32()), ("close_version", pa.int32())]
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


def rules_version() -> str:
    """Names the rule seeds by their content: 'rules-' and the first 16 hex digits of a SHA-256 over names and bytes."""
    digest = hashlib.sha256()
    for path in sorted((DBT_PROJECT / "seeds").rglob("*.csv"), key=lambda p: p.name):
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"rules-{digest.hexdigest()[:16]}"


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
            lines.append(pa.Table.from_pylist(_claim_lines(house.closes / name), schema=CLAIM_LINES))
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
    mask = [pc.equal(lines[name], pa.scalar(value, lines.schema.field(name).type)) for name, value in _key_of(packet).items()]
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
        **_key_of(packet),
        "newest_night": date.fromisoformat(manifest["newest_night"]),
        "claims": manifest["totals"]["claims"],
        "allowed_amount": Decimal(manifest["totals"]["allowed_amount"]),
        "held": manifest["totals"]["held"],
        "approved_by": approval["approved_by"],
        "approved_at": approval["approved_at"],
    }


def _key_of(packet: Path) -> dict[str, object]:
    return {
        "practice_id": packet.parents[1].name,
        "month": date.fromisoformat(f"{packet.parent.name}-01"),
        "close_version": int(packet.name[1:]),
    }


def _close_that_stands(house: House, packet: Path) -> dict[str, object] | None:
    """What closes.parquet has of a packet, as it was last read."""
    path, key = house.lake / "configuration" / "closes.parquet", _key_of(packet)
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
    files = (__file__, eligibility.__file__, identities.__file__, sent.__file__, versions.__file__)
    return hashlib.sha256(b"".join(Path(path).read_bytes() for path in files)).hexdigest()


_LINES_FROM = ("claims.csv", "claims.837", "claim_subjects.parquet")


def _claim_lines(packet: Path) -> list[dict[str, object]]:
    """The lines of a packet. Raises HouseError where its files are not as its manifest says: a line less would be claimed a second time."""
    if of := versions.copied_from(packet):
        raise HouseError(f"{packet}: is a copy of {of}; move it out of closes/")
    try:
        manifest = json.loads((packet / versions.MANIFEST).read_text(encoding="utf-8"))
        wanted = {name: sha256 for name, sha256 in manifest["outputs"].items() if name in _LINES_FROM}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HouseError(f"{packet / versions.MANIFEST}: cannot be read; restore this packet from the backup") from None
    for name, sha256 in wanted.items():
        path = packet / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise HouseError(f"{path}: is not what the manifest names; restore this packet from the backup")
    file = sent.sent_file(packet / "claims.837") if (packet / "claims.837").exists() else None
    subjects = {row["claim_id"]: row for row in pq.read_table(packet / "claim_subjects.parquet").to_pylist()}
    alternatives = _alternatives(packet / "decisions.parquet", manifest["outputs"].get("decisions.parquet"))
    priced_by = _priced_by(packet)
    with (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
        return [
            {
                "practice_id": packet.parents[1].name,
                "patient_id": row["patient_id"],
                "month": date.fromisoformat(row["month"]),
                "claim_id": row["claim_id"],
                "line_id": row["line_id"],
                "close_version": int(packet.name[1:]),
                "status": "submitted",
                "procedure_code": row["procedure_code"],
                "units": int(row["units"]),
                "service_date": date.fromisoformat(row["service_date"]),
                "charge_amount": Decimal(row["charge_amount"]),
                "allowed_amount": Decimal(row["allowed_amount"]),
                "submitter_id": file.submitter_id if file else None,
                "control_number": file.control_number if file else None,
                "usage_indicator": file.usage_indicator if file else None,
                "transaction_number": file.transaction_number(row["claim_id"]) if file else None,
                "tax_id": subjects[row["claim_id"]]["tax_id"],
                # Tells one beneficiary from another, and who it is to nobody.
                "beneficiary_key": eligibility.member_key(subjects[row["claim_id"]]["mbi"]),
                "claimed_on": date.fromisoformat(manifest["newest_night"]),
                **priced_by,
                "alternatives": alternatives.get(row["patient_id"]),
            }
            for row in csv.DictReader(handle)
        ]


def _priced_by(packet: Path) -> dict[str, object]:
    """The settings of a packet's practice that pick its prices; none where they cannot be read: no claim rests on them."""
    try:
        settings = versions.practice_of(packet)
        return {
            **{name: str(settings[name]) for name in ("place_of_service", "mac", "locality")},
            "state": fee_state(settings),
            "qualifying_apm_participant": bool(settings.get("qualifying_apm_participant")),
        }
    except versions.DAMAGED:
        return {}


def _alternatives(path: Path, sha256: str | None) -> dict[str, list[str]]:
    """Those of each patient of a packet. None where the file is not what the manifest names: no claim rests on it, and every change of them is then listed."""
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        return {}
    return {
        row["patient_id"]: [
            ", ".join(sorted(f"{one['code']} x {one['units']}" for one in track["codes"]))
            for track in json.loads(row["alternatives"])
        ]
        for row in pq.read_table(path, columns=["patient_id", "alternatives"]).to_pylist()
        if row["alternatives"]
    }


def _settings(practice: Practice) -> dict[str, object]:
    """A row of PRACTICES. A column that no setting is called is an error: as a null it would be decided by."""
    made = {
        "state": practice.fee_state,
        "close_first_day": practice.close.first_day,
        "close_final_day": practice.close.final_day,
    }
    return {name: made[name] if name in made else getattr(practice, name) for name in PRACTICES.names}


def configuration_tables(
    practices: Mapping[str, Practice],
    rules: str,
    closed: Closes,
    accepted: Iterable[Mapping[str, str]] = (),
    known_as: Iterable[Identity] = (),
    made_in: Collection[Manner] = EVERY_MANNER,
) -> dict[str, pa.Table]:
    """The tables of lake/configuration by name. `accepted`: rows as `acceptances.in_force` gives them; `known_as`: as `identities.recorded` does.
    `made_in`: the manners of the closes that are made from them."""
    return {
        "practices": pa.Table.from_pylist(
            [_settings(practice) for practice in practices.values()],
            schema=PRACTICES,
        ),
        "identities": identities.table(practices, closed.identities.union(known_as)),
        "charges": pa.Table.from_pylist(
            [
                {"practice_id": practice.practice_id, "procedure_code": code, "charge_amount": fee}
                for practice in practices.values()
                for code, fee in sorted(practice.charges.items())
            ],
            schema=CHARGES,
        ),
        "rules": pa.Table.from_pylist([{"rules_version": rules}], schema=RULES),
        "claim_lines": closed.claim_lines,
        "closes": pa.Table.from_pylist(closed.closes, schema=CLOSES),
        "proposals": pa.Table.from_pylist(closed.proposals, schema=PROPOSALS),
        "acceptances": acceptances.table(accepted),
        "manners": manners.table(made_in),
    }


def write_configuration(house: House, practices: Mapping[str, Practice]) -> str:
    """Writes lake/configuration/*.parquet and gives the fingerprint of what decisions rest on (SHA-256 over their content).

    Sees to it that the payers' answers have their tables, too, also before the first of them came."""
    inbox.ensure_tables(house)
    ensure_tables(house)
    fingerprint, files, closed = _configuration(house, practices)
    for name, content in files.items():
        _write_if_changed(house.lake / "configuration" / f"{name}.parquet", content)
        if name == "claim_lines" and closed.as_written is None:
            record = {
                "sha256": hashlib.sha256(content).hexdigest(),
                "code": _code(),
                "packets": dict(closed.packets),
                "gone": closed.gone,
                "damaged": closed.damaged,
                "copied": closed.copied,
            }
            write_private(_record_of_packets(house), json.dumps(record))
    return fingerprint


def configuration_fingerprint(house: House, practices: Mapping[str, Practice]) -> str:
    """What `write_configuration` would give, for who only looks: nothing is written."""
    return _configuration(house, practices)[0]


def _configuration(house: House, practices: Mapping[str, Practice]) -> tuple[str, dict[str, bytes], Closes]:
    """The fingerprint, and the files of lake/configuration by name with the packets they were read from."""
    digest = hashlib.sha256()
    closed = read_closes(house)
    tables = configuration_tables(
        practices, rules_version(), closed, acceptances.in_force(house), identities.recorded(house)
    ) | office_tables(house)
    files = {}
    for name, table in tables.items():
        content = closed.as_written if name == "claim_lines" and closed.as_written is not None else _parquet(table)
        # A proposal changes nothing that a claim rests on: the close it proposes must not wait for another night.
        if name != "proposals":
            digest.update(name.encode() + hashlib.sha256(content).digest())
        files[name] = content
    return digest.hexdigest(), files, closed


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_private(path, content)
