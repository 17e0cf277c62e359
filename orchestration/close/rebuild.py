"""Makes a past packet again from what it froze, and says whether every byte is the same.

Nothing of the home is read but the packet itself: not the lake, not the present rules, not practices.yaml.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from orchestration.close.claim_file import drafted
from orchestration.close.freeze import Frozen, empty_lake_tables, thaw
from orchestration.close.ground import Ground, software_versions
from orchestration.close.manners import Manner, from_manifest
from orchestration.close.packet import compose
from orchestration.close.versions import MANIFEST
from orchestration.contracts import extract_contracts, lake_columns
from orchestration.house import HouseError, write_private
from orchestration.practices import FROZEN, Practice
from orchestration.sql import literal
from orchestration.transform import compiled
from orchestration.transform.closes import Closes
from orchestration.transform.configuration import configuration_tables

# What a packet's files are read from; their parents come with them.
_NEEDED = (
    "patient_month_decisions", "minute_ledger", "patient_month_minutes", "eligibility", "claimable_codes", "undocumented_time",
    "patient_month_evidence", "patient_facts", "time_entry_facts", "fee_schedule_prices", "landed_files", "practice_nights",
    "int_claim_subjects", "int_scenario_changes", "int_candidates__priced", "int_quarantined_facts",
)  # fmt: skip
# Packets of before there were 271s have none; in those of before `content_sha256` at most one answer stood that told of Part B.
_COVERAGE_ANSWERS = (
    "practice_id varchar, patient_id varchar, meaning varchar, is_covered boolean, starts_on date, ends_on date, plan_id varchar, answered_on date, "
    "is_whole boolean, content_sha256 varchar, file_sha256 varchar"
)
_NO_KEYS = pa.schema(
    [("file_id", pa.int64()), ("practice_id", pa.string()), ("line_number", pa.int64()), ("row_key", pa.string())]
).empty_table()
_GIVEN = ("stg_services", "int_claims__history", "int_coverage_answers", "int_quarantined_rows__mended")


@dataclass(frozen=True)
class Rebuilt:
    """How a packet came out the second time. `files`: name -> (SHA-256 then, SHA-256 now, None where there is no such file)."""

    practice_id: str
    month: date
    version: int
    files: dict[str, tuple[str | None, str | None]]
    software_then: dict[str, str]
    software_now: dict[str, str]

    @property
    def is_same(self) -> bool:
        return all(then == now for then, now in self.files.values())


def rebuild(packet: Path, into: Path | None = None) -> Rebuilt:
    """Rebuilds one packet in memory and compares it with what lies in its folder; `into` (an empty or new folder) gets the files.

    Raises HouseError when the frozen inputs are not what the manifest names, and where `into` holds something: a packet is never written to.
    """
    if into is not None and into.exists() and (not into.is_dir() or any(into.iterdir())):
        raise HouseError(f"--into {into}: is not an empty folder; name a new one")
    manifest = _manifest(packet)
    frozen = thaw(_frozen_bytes(packet, manifest))
    try:
        practice = Practice.model_validate(frozen.json("practice.json"), context=FROZEN)
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors())
        raise HouseError(
            f"{packet}: was closed with settings that this release refuses ({keys}); rebuild it with the release that closed it"
        ) from None
    month = date.fromisoformat(f"{manifest['month']}-01")
    ground = Ground(
        practice=practice,
        configuration=frozen.files["practice.json"].decode(),
        month=month,
        version=manifest["version"],
        waived=manifest["is_waived"],
        inputs=(packet / "inputs.zip").read_bytes(),
        claimed_elsewhere=frozen.json("claimed_elsewhere.json"),
        software=manifest["software"],
        manners=from_manifest(manifest),
        accepted=_accepted(frozen),
    )
    with tempfile.TemporaryDirectory(prefix="ccm-rebuild-") as folder:
        warehouse = frozen_warehouse(frozen, practice, manifest["rules_version"], Path(folder), ground.manners)
        with warehouse:
            made = compose(warehouse, ground, drafted(warehouse, ground), lambda: _number(manifest))
    then = {**manifest["outputs"], MANIFEST: hashlib.sha256((packet / MANIFEST).read_bytes()).hexdigest()}
    on_disk = {name: hashlib.sha256((packet / name).read_bytes()).hexdigest() for name in then if (packet / name).exists()}
    if on_disk != then:
        changed = sorted(name for name in then if on_disk.get(name) != then[name])
        raise HouseError(f"{packet}: {', '.join(changed)} is not what the manifest names; restore the packet from the backup")
    now = {name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()}
    if into is not None:
        for name, content in made.files.items():
            write_private(into / name, content)
    return Rebuilt(
        practice_id=practice.practice_id,
        month=month,
        version=manifest["version"],
        files={name: (then.get(name), now.get(name)) for name in sorted(then.keys() | now.keys())},
        software_then=manifest["software"],
        software_now=software_versions(),
    )


def frozen_warehouse(
    frozen: Frozen, practice: Practice, rules_version: str, scratch: Path, manners: Collection[Manner]
) -> duckdb.DuckDBPyConnection:
    """The models over the frozen rows, in memory, in the manners of the close; `scratch` is an empty folder that must outlive the connection."""
    batch = scratch / "lake" / "batches" / "000001"
    for name in frozen.names("lake"):
        write_private(batch / name.removeprefix("lake/"), frozen.files[name])
    con = duckdb.connect()
    compiled.prepare(con)
    contracts = extract_contracts()
    for table in empty_lake_tables(frozen):
        columns = [("practice_id", "VARCHAR"), ("extract_date", "DATE"), ("file_id", "BIGINT"), ("line_number", "BIGINT")]
        described = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in columns + lake_columns(contracts[table]))
        con.execute(f"copy (select {described} limit 0) to {literal(batch / f'{table}.parquet')} (format parquet)")
    keys = batch / "quarantine_keys.parquet"
    if not keys.exists():
        pq.write_table(_NO_KEYS, keys)
    accepted = [{**one, "practice_id": practice.practice_id} for one in _accepted(frozen)]
    tables = configuration_tables({practice.practice_id: practice}, rules_version, Closes(), accepted, made_in=manners)
    for name, table in tables.items():
        path = scratch / "lake" / "configuration" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pq.write_table(table, path)
    for name in frozen.names("rules"):
        rules = frozen.table(name)  # noqa: F841 - DuckDB reads it by its name
        con.execute(f'create table rules."{Path(name).stem}" as select * from rules')
    _with_dates(con)
    history = frozen.table("history.parquet")  # noqa: F841
    con.execute("create table intermediate.int_claims__history as select * from history")
    # Those in force, each with its code as the close's release understood it: what this one makes of one that is written oddly is another matter.
    services = frozen.table("lake/services.parquet")  # noqa: F841
    con.execute("create table staging.stg_services as select *, true as is_current, true as is_only from services")
    con.execute(f"create table intermediate.int_coverage_answers ({_COVERAGE_ANSWERS})")
    con.execute("create table intermediate.int_quarantined_rows__mended (file_id bigint, line_number bigint)")  # none is frozen
    if "coverage_answers.parquet" in frozen.files:
        answers = frozen.table("coverage_answers.parquet")  # noqa: F841
        con.execute("insert into intermediate.int_coverage_answers by name select * from answers")
    compiled.run(con, scratch, compiled.in_order(_NEEDED, given=set(_GIVEN)))
    return con


# Rules that had no dates at first: what they said they said of every day, and rule_limits had the office's limits, too.
_DATED_LATER = ("rule_complex_mdm_levels", "rule_coverage_types", "rule_limits", "rule_programs", "rule_track_choice")


def _with_dates(con: duckdb.DuckDBPyConnection) -> None:
    """The rules of a packet of before then, as the models ask for them."""
    columns = con.execute(
        "select table_name, list(column_name) from duckdb_columns() where schema_name = 'rules' group by table_name"
    )
    known = dict(columns.fetchall())
    if "rule_limits" in known and "rule_office_limits" not in known:
        con.execute("create table rules.rule_office_limits as select limit_name, amount, unit, citation from rules.rule_limits")
    for name in _DATED_LATER:
        if name in known and "effective_from" not in known[name]:
            con.execute(f"alter table rules.{name} add column effective_from date default date '0001-01-01'")
            con.execute(f"alter table rules.{name} add column effective_to date")


def _manifest(packet: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((packet / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise HouseError(f"{packet / MANIFEST}: cannot be read; restore the packet from the backup") from None
    return manifest


def _frozen_bytes(packet: Path, manifest: dict[str, Any]) -> bytes:
    path = packet / "inputs.zip"
    content = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(content).hexdigest() != manifest["outputs"].get("inputs.zip"):
        raise HouseError(f"{path}: is not what the manifest names; restore the packet from the backup")
    return content


def _accepted(frozen: Frozen) -> list[dict[str, Any]]:
    """What the close had from `ccm accept`; packets of before there was such a thing have none."""
    return list(frozen.json("accepted.json")) if "accepted.json" in frozen.files else []


def _number(manifest: dict[str, Any]) -> int:
    if manifest["control_number"] is None:
        raise HouseError(
            f"{manifest['practice_id']} {manifest['month']} v{manifest['version']}: was closed without a claim, but this release makes one of its inputs; "
            "rebuild it with the release that closed it, and tell the developer"
        )
    return int(manifest["control_number"])
