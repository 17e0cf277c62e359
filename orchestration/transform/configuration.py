"""What Python gives to the models as Parquet, lake/configuration/: the practices' settings, the version of the rules, and what closes, acceptances and the
office say; and the fingerprint of all that decisions rest on."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.close import acceptances, manners
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.house import House, write_private
from orchestration.payers import inbox
from orchestration.practices import Practice
from orchestration.rules.seeds import rules_version
from orchestration.take_in.tables import ensure_tables
from orchestration.transform import identities
from orchestration.transform.claim_lines import MONEY
from orchestration.transform.closes import CLOSES, Closes, keep_record, read_closes
from orchestration.transform.identities import Identity
from orchestration.transform.office import office_tables

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
PROPOSALS = pa.schema(
    [("practice_id", pa.string()), ("month", pa.date32()), ("proposal", pa.int32()), ("close_version", pa.int32())]
)


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
            keep_record(house, closed, content)
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
