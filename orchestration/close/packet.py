"""One close of one practice-month: an immutable packet folder, complete or absent.

Every file but `approval.json`, which has the only clock, is a function of `inputs.zip` (the practice's rows, configuration and rules, frozen by
`freeze.py`) and of the control number. `manifest.json` names them all by hash; `rebuild.py` makes them again.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.close import transitions
from orchestration.close.claims import Draft, Held, Line, draft, with_step
from orchestration.close.control_numbers import allocate
from orchestration.close.freeze import file_numbers, freeze, numbered, parquet
from orchestration.close.held_months import holds_month
from orchestration.close.in_common import SUBJECTS_FILE, InCommon
from orchestration.close.manners import EVERY_MANNER, Manner, to_manifest
from orchestration.close.versions import HELD_AFTER, MANIFEST, month_folder, packets, versions
from orchestration.close.x12.claim_rules import ClaimRules, of_warehouse
from orchestration.close.x12.codes import is_mbi
from orchestration.close.x12.model import BillingProvider, ClaimFile, Envelope, Payer, Receiver, Submitter
from orchestration.close.x12.scrub import Fault, scrub
from orchestration.close.x12.validate import judge
from orchestration.close.x12.writer import write_837p
from orchestration.engine import open_warehouse
from orchestration.house import House, HouseError, move_into_place, write_private
from orchestration.payers.eligibility import member_key
from orchestration.practices import Practice

T = TypeVar("T")


@dataclass(frozen=True)
class Approval:
    """Who approved, and why what was held went out, if it did."""

    approved_by: str
    waiver: str | None = None


@dataclass(frozen=True)
class Closed:
    """What one close did. `packet` is None when there was nothing new to close; what is held then stands in `held_file`."""

    practice_id: str
    month: date
    version: int | None
    packet: Path | None
    claims: int
    allowed_amount: Decimal
    charge_amount: Decimal
    held: int
    claim_file: Path | None
    held_file: Path | None = None


@dataclass(frozen=True)
class Packet:
    """One version of a practice-month, complete in memory: every file but the approval, by name, with the claims and what is held."""

    due: Draft
    files: Mapping[str, bytes]

    @property
    def claims(self) -> int:
        return len(self.due.claims)


@dataclass(frozen=True)
class Ground:
    """What a packet is made from besides the warehouse: its practice, month, version, and what was settled when it was first made."""

    practice: Practice
    configuration: str  # the practice's canonical JSON, as frozen
    month: date
    version: int
    waived: bool
    inputs: bytes  # inputs.zip
    claimed_elsewhere: Mapping[str, str]
    software: Mapping[str, str]
    manners: Collection[Manner] = EVERY_MANNER  # packets of before have fewer
    accepted: Sequence[Mapping[str, Any]] = ()  # what somebody accepted that would have held the close or a claim


# Given a claim file and the rules of its close, gives what will tell its faults; by then another process may have read it.
Judging = Callable[[bytes, ClaimRules], Callable[[], Sequence[Fault]]]


def judge_here(content: bytes, rules: ClaimRules) -> Callable[[], Sequence[Fault]]:
    """The judgement in this process, when it is asked for."""
    return partial(judge, content, rules)


def finish(steps: Generator[None, None, T]) -> T:
    """What the steps come to, waiting for whatever they wait for."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def closing(
    house: House, practice: Practice, month: date, approval: Approval, judging: Judging, common: InCommon
) -> Generator[None, None, Closed]:
    """Writes the next version of this practice-month if there is anything new. The gate has already ruled. In steps: it yields whenever a claim file is
    with the judge, so that other practices can go on meanwhile.

    Raises HouseError when the finished file has a fault that belongs to no single claim: then nothing leaves the house.
    """
    # Practices of one tax id close one after the other: of two claims for one beneficiary's month the second must see the first.
    with house.lock(f"close-{practice.tax_id}"):
        # A packet that a killed run published without its line in the record gets it now.
        transitions.record_closes(house, practice.practice_id)
        earlier = versions(house, practice.practice_id, month)
        version = (earlier[-1] if earlier else 0) + 1
        with open_warehouse(house) as warehouse:
            elsewhere = claimed_elsewhere(common, warehouse, practice, month)
            accepted = accepted_holds(warehouse, practice, month)
            ground = Ground(
                practice=practice,
                configuration=practice.canonical_json(),
                month=month,
                version=version,
                waived=approval.waiver is not None,
                inputs=freeze(warehouse, practice, month, elsewhere, accepted, common.rules(warehouse)),
                claimed_elsewhere=elsewhere,
                software=software_versions(),
                accepted=accepted,
            )
            due = drafted(warehouse, ground)
            _refuse_second_claims(house, practice, month, due)

            def nothing(held: Draft) -> Closed:
                file = _keep_held(house, practice.practice_id, month, earlier[-1], held)
                return Closed(practice.practice_id, month, None, None, 0, Decimal(0), Decimal(0), len(held.held), None, file)

            if earlier and not len(due.claims):
                return nothing(due)

            def next_number() -> int:
                sent, first = common.highest_number(practice.submitter_id), practice.first_control_number
                return allocate(house, practice.submitter_id, practice.practice_id, f"{month:%Y-%m}", version, sent, first)

            packet = yield from composing(warehouse, ground, due, next_number, judging)
        if earlier and not packet.claims:
            # All that was new is held by the scrub: no version without a claim after the first.
            return nothing(packet.due)
        final = _publish(house, ground, packet, approval)
        common.published(final)
    transitions.record_closes(house, practice.practice_id)
    lines = packet.due.lines
    return Closed(
        practice.practice_id,
        month,
        version,
        final,
        packet.claims,
        sum((line.allowed_amount for line in lines), Decimal("0.00")),
        sum((line.charge_amount for line in lines), Decimal("0.00")),
        len(packet.due.held),
        final / "claims.837" if packet.claims else None,
        final / "held.csv",
    )


def _keep_held(house: House, practice_id: str, month: date, version: int, due: Draft) -> Path:
    """What a close holds that has nothing to send, and so makes no version: in the place of the last version's held.csv, as long as that is the last one."""
    folder = month_folder(house, practice_id, month)
    last, now = folder / f"v{version}" / "held.csv", folder / HELD_AFTER.format(version)
    content = _csv(Held, due.held)
    if not now.exists() and last.read_bytes() == content:
        return last
    if not now.exists() or now.read_bytes() != content:
        write_private(now, content)
    return now


def drafted(warehouse: duckdb.DuckDBPyConnection, ground: Ground) -> Draft:
    """The claims that are due, without those whose beneficiary's month was claimed already under another id or practice of the tax id."""
    due = draft(warehouse, ground.practice, ground.month, waived=ground.waived, manners=ground.manners)
    elsewhere = {
        line.claim_id: ground.claimed_elsewhere[line.patient_id]
        for line in due.lines
        if line.patient_id in ground.claimed_elsewhere
    }
    return due.without({claim_id: _duplicate(first, ground.manners) for claim_id, first in elsewhere.items()})


# Behind what is wrong (NEXT_STEPS).
_ONE_PERSON_OR_TWO = (
    ". If it is one person, merge the charts in the EHR, and nothing more is due; if one of the Medicare numbers is wrong, correct it there, and close again "
    "after the night that brings it (docs/runbook/close.md)"
)
_CORRECT_IT = ". Correct it in the system that the extracts come from, or in practices.yaml where it is the practice's own; then ccm nightly, and close again"


def _duplicate(first: str, manners: Collection[Manner]) -> str:
    fault = f"the same beneficiary's month is claimed as {first}: a second claim would be a same-period duplicate"
    return with_step(fault, _ONE_PERSON_OR_TWO, manners)


def _twice(warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft) -> dict[str, str]:
    """Of claims for one beneficiary's month under several patient ids, all but the first."""
    practice_id = ground.practice.practice_id
    numbers = _numbers(warehouse, [practice_id]) if Manner.BENEFICIARIES in ground.manners else {}
    patients = {line.claim_id: line.patient_id for line in due.lines}
    seen: dict[str, str] = {}
    found: dict[str, str] = {}
    for claim_id, mbi in zip(due.claims["claim_id"].to_pylist(), due.claims["member_id"].to_pylist(), strict=True):
        # In an order of their own, the claim's number first: held.csv names one claim, and a rebuild the same.
        keys = [*([member_key(mbi)] if mbi else ()), *numbers.get((practice_id, patients[claim_id]), ())]
        first = next((seen[key] for key in keys if key in seen), claim_id)
        if first == claim_id:
            seen.update(dict.fromkeys(keys, claim_id))
        else:
            found[claim_id] = _duplicate(f"{practice_id} {first}", ground.manners)
    return found


def _numbers(warehouse: duckdb.DuckDBPyConnection, practice_ids: Sequence[str]) -> dict[tuple[str, str], list[str]]:
    """(practice, patient) -> the `member_key`s of every MBI that the panel lists for them, also of what has ended. What else stands in the place of a
    number ("unknown", a plan's own) is nobody's: it would make one of many."""
    found: dict[tuple[str, str], list[str]] = {}
    for practice_id, patient_id, mbi in warehouse.execute(
        """
        select distinct practice_id, patient_id, regexp_replace(upper(member_id), '[^0-9A-Z]', '', 'g') from intermediate.int_coverages__current
        where practice_id in (select unnest(?::varchar[])) and coverage_type like 'medicare\\_%' escape '\\' and member_id is not null order by all
        """,
        [practice_ids],
    ).fetchall():
        if is_mbi(mbi):
            found.setdefault((practice_id, patient_id), []).append(member_key(mbi))
    return found


def compose(warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft, next_number: Callable[[], int]) -> Packet:
    """Every file of the packet but the approval: a function of the warehouse's rows, `ground` and the control number alone.

    `next_number` is asked once, and only when there is a claim to send after the scrub.
    """
    return finish(composing(warehouse, ground, due, next_number, judge_here))


def composing(
    warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft, next_number: Callable[[], int], judging: Judging
) -> Generator[None, None, Packet]:
    """`compose` in steps, as `closing` has them."""
    practice, month = ground.practice, ground.month
    newest_night, due = scrubbed(warehouse, ground, due)
    due, control_number, claim_file = yield from _claims(ground, newest_night, due, next_number, judging, of_warehouse(warehouse))
    files: dict[str, bytes] = {"inputs.zip": ground.inputs}
    if claim_file is not None:
        files["claims.837"] = claim_file
    files["claims.csv"] = _csv(Line, due.lines)
    files["held.csv"] = _csv(Held, due.held)
    files[SUBJECTS_FILE] = _subjects(practice, due)
    numbers = file_numbers(warehouse, practice.practice_id) if Manner.FILE_NUMBERS in ground.manners else None
    files |= evidence(warehouse, practice.practice_id, month, numbers, ground.manners)
    rules = warehouse.execute("select distinct rules_version from marts.practice_nights").fetchall()
    manifest: dict[str, Any] = {
        "practice_id": practice.practice_id,
        "month": f"{month:%Y-%m}",
        "version": ground.version,
        "newest_night": newest_night.isoformat(),
        "final_day": practice.final_close_day(month).isoformat(),
        "control_number": control_number,
        "submitter_id": practice.submitter_id,
        "is_waived": ground.waived,
        "rules_version": rules[0][0],
        "rule_releases": _releases(warehouse, practice.practice_id, month),
        "configuration_sha256": hashlib.sha256(ground.configuration.encode()).hexdigest(),
        "software": dict(ground.software),
        "inputs": _inputs(warehouse, practice),
        "outputs": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        "totals": {
            "claims": len(due.claims),
            "lines": len(due.lines),
            "units": sum(line.units for line in due.lines),
            "charge_amount": str(sum((line.charge_amount for line in due.lines), Decimal("0.00"))),
            "allowed_amount": str(sum((line.allowed_amount for line in due.lines), Decimal("0.00"))),
            "held": len(due.held),
        },
        **to_manifest(ground.manners),
    }
    if ground.accepted:
        manifest["accepted"] = [dict(one) for one in ground.accepted]
    files[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return Packet(due, files)


def _publish(house: House, ground: Ground, packet: Packet, approval: Approval) -> Path:
    """The packet's folder, complete or absent: written aside, then renamed."""
    folder = month_folder(house, ground.practice.practice_id, ground.month)
    scratch = folder / f".v{ground.version}.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for name, content in packet.files.items():
            write_private(scratch / name, content)
        approved = {**asdict(approval), "approved_at": datetime.now(UTC).isoformat(timespec="seconds")}
        write_private(scratch / "approval.json", json.dumps(approved, indent=1, sort_keys=True) + "\n")
        final = folder / f"v{ground.version}"
        move_into_place(scratch, final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final


def software_versions() -> dict[str, str]:
    """What writes the bytes of a packet: this package, the engine and the Parquet writer."""
    return {name: _installed(name) for name in ("ccm-billing-capture", "duckdb", "pyarrow")}


_installed = cache(installed_version)


def claimed_elsewhere(common: InCommon, warehouse: duckdb.DuckDBPyConnection, practice: Practice, month: date) -> dict[str, str]:
    """patient_id -> 'practice claim_id' for this practice's patients whose beneficiary has a live claim for the month under another patient id of this
    practice or at another practice of the same tax id (rules.md B8 trap 11). Who was claimed is known by the MBI of the claim, and both are by every Medicare
    number that the panel lists for them now, also by what has ended: nothing depends on which of two is claimed first."""
    subjects = [one for one in common.subjects(practice.tax_id, practice.practice_id) if one[-1]]
    if not subjects:
        return {}
    rejected = {
        row[0]
        for row in warehouse.execute(
            "select claim_id from intermediate.int_claims__history where status = 'rejected' and claim_id in (select unnest(?::varchar[]))",
            [[claim_id for _, claim_id, *_ in subjects]],
        ).fetchall()
    }
    numbers = _numbers(warehouse, sorted({practice.practice_id, *(name for name, *_ in subjects)}))
    claimed: dict[str, list[tuple[int, str, str, str]]] = {}  # key -> the claims of its beneficiary, by their place among all
    for place, (name, claim_id, patient_id, mbi) in enumerate(subjects):
        if claim_id not in rejected:
            for key in {member_key(mbi), *numbers.get((name, patient_id), ())}:
                claimed.setdefault(key, []).append((place, name, claim_id, patient_id))
    found = {}
    for (patient_id,) in warehouse.execute(
        "select patient_id from intermediate.int_claim_subjects where practice_id = ? and month = ? order by patient_id",
        [practice.practice_id, month],
    ).fetchall():
        own = (practice.practice_id, patient_id)
        by = [one for key in numbers.get(own, ()) for one in claimed.get(key, ()) if (one[1], one[3]) != own]
        if by:
            _, name, claim_id, _ = min(by)
            found[patient_id] = f"{name} {claim_id}"
    return found


def accepted_holds(warehouse: duckdb.DuckDBPyConnection, practice: Practice, month: date) -> list[dict[str, Any]]:
    """What was accepted that would have held this month's close or a claim of it, with who accepted it and why; by table, night and line."""
    cursor = warehouse.execute(
        f"""
        select hold_id, kind, table_name, cast(extract_date as varchar) as extract_date, measure, column_name, line_number, patient_id,
            explanation, accepted_by, accepted_why
        from intermediate.int_close_holds
        where
            practice_id = $practice and is_accepted
            and {holds_month()}
        order by kind, table_name, extract_date, measure, column_name, line_number
        """,
        {"practice": practice.practice_id, "month": month},
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _refuse_second_claims(house: House, practice: Practice, month: date, due: Draft) -> None:
    """The marts already leave out what was claimed; the packets on disk are the last word, whatever the marts say."""
    already: set[str] = set()
    for version in packets(house, practice.practice_id, month):
        with (version.folder / "claims.csv").open(encoding="utf-8", newline="") as handle:
            already |= {row["claim_id"] for row in csv.DictReader(handle)}
    again = sorted(already & {line.claim_id for line in due.lines})
    if again:
        raise HouseError(
            f"{practice.practice_id} {month:%Y-%m}: {len(again)} patient-months were claimed in an earlier version but the marts do not "
            "know it; run `ccm nightly --full`, then close again"
        )


def _claim_file(practice: Practice, claims: pa.Table, newest_night: date, control_number: int) -> ClaimFile:
    address = practice.address
    return ClaimFile(
        submitter=Submitter(practice.submitter_id, practice.name, practice.phone),
        receiver=Receiver(practice.receiver.id, practice.receiver.name),
        payer=Payer(practice.payer.id, practice.payer.name),
        billing_provider=BillingProvider(
            practice.name, practice.npi, practice.tax_id, practice.taxonomy_code,
            address.line1, address.city, address.state, address.postal_code,
        ),
        claims=claims,
        interchange_date=newest_night,
        control_number=control_number,
        envelope=Envelope(**practice.claim_file.model_dump()) if practice.claim_file else Envelope(),
    )  # fmt: skip


def scrubbed(warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft) -> tuple[date, Draft]:
    """The practice's newest night, and the draft without the claims that the scrub refuses and, of those it passes, without a second one for one
    beneficiary: a claim that stays here keeps no other one back. They cost no control number."""
    nights = warehouse.execute(
        "select newest_night from staging.stg_practices where practice_id = ?", [ground.practice.practice_id]
    )
    newest_night: date = nights.fetchall()[0][0]
    if len(due.claims):
        # A stand-in number: the real one is asked for when it is known that something goes out.
        faults = scrub(write_837p(_claim_file(ground.practice, due.claims, newest_night, 1)), of_warehouse(warehouse))
        due = due.without(_by_claim([fault for fault in faults if fault.rule != "duplicate-patient-month"], ground.manners))
        due = due.without(_twice(warehouse, ground, due))
    return newest_night, due


def _claims(
    ground: Ground, newest_night: date, due: Draft, next_number: Callable[[], int], judging: Judging, rules: ClaimRules
) -> Generator[None, None, tuple[Draft, int | None, bytes | None]]:
    """The claim file of what the scrub passed, once pyx12 has accepted it; what pyx12 faults is held too."""
    if not len(due.claims):
        return due, None, None
    number = next_number()
    while len(due.claims):
        content = write_837p(_claim_file(ground.practice, due.claims, newest_night, number))
        faults_of = judging(content, rules)
        yield
        faults = faults_of()
        if not faults:
            return due, number, content
        due = due.without(_by_claim(faults, ground.manners))
    return due, number, None


def _by_claim(faults: Sequence[Any], manners: Collection[Manner]) -> dict[str, str]:
    general = [fault for fault in faults if fault.claim_id is None]
    if general:
        raise HouseError(
            "the claim file has faults that belong to no single claim, so nothing was written:\n"
            + "\n".join(f"  {fault.message}" for fault in general[:20])
        )
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.claim_id, []).append(fault.message)
    return {claim_id: with_step("; ".join(messages), _CORRECT_IT, manners) for claim_id, messages in found.items()}


def _csv(kind: type[Line] | type[Held], rows: Sequence[Line] | Sequence[Held]) -> bytes:
    text = io.StringIO()
    columns = list(kind.__dataclass_fields__)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(column, getattr(row, column)) for column in columns])
    return text.getvalue().encode()


def _cell(column: str, value: Any) -> str:
    if column == "month":
        return f"{value:%Y-%m-%d}"
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if isinstance(value, date) else str(value)


SUBJECTS = pa.schema(
    [
        ("claim_id", pa.string()),
        ("patient_id", pa.string()),
        ("mbi", pa.string()),
        ("rendering_npi", pa.string()),
        ("billing_npi", pa.string()),
        ("tax_id", pa.string()),
    ]
)


def _subjects(practice: Practice, due: Draft) -> bytes:
    """Whose claim each is, for the look at same-period duplicates across the practices of one tax id."""
    patients = {line.claim_id: line.patient_id for line in due.lines}
    claim_ids = due.claims["claim_id"]
    columns = {
        "claim_id": claim_ids,
        "patient_id": [patients[claim_id] for claim_id in claim_ids.to_pylist()],
        "mbi": pc.fill_null(due.claims["member_id"], ""),
        "rendering_npi": pc.fill_null(due.claims["rendering_npi"], ""),
        "billing_npi": pa.repeat(practice.npi, len(claim_ids)),
        "tax_id": pa.repeat(practice.tax_id, len(claim_ids)),
    }
    return parquet(pa.table(columns, schema=SUBJECTS))


# What a packet keeps of each mart, in a fixed order. Of the files and prices only those that the rest names.
_EVIDENCE = {
    "decisions": "select * from marts.patient_month_decisions where practice_id = $p and month = $m order by patient_id",
    "minute_ledger": "select * from marts.minute_ledger where practice_id = $p and month = $m order by entry_id, disposition",
    "patient_month_minutes": "select * from marts.patient_month_minutes where practice_id = $p and month = $m order by patient_id",
    "eligibility": "select * from marts.eligibility where practice_id = $p and month = $m order by patient_id",
    "claimable_codes": "select * from marts.claimable_codes where practice_id = $p and month = $m order by patient_id, procedure_code",
    "patient_month_evidence": "select * from marts.patient_month_evidence where practice_id = $p and month = $m order by patient_id",
    "patient_facts": """
        select facts.* from marts.patient_facts as facts
        where practice_id = $p order by patient_id, table_name, fact_id, line_number
    """,
    "time_entry_facts": """
        select facts.* from marts.time_entry_facts as facts
        where practice_id = $p and entry_id in (select entry_id from marts.minute_ledger where practice_id = $p and month = $m)
        order by entry_id
    """,
    "undocumented_time": """
        select * exclude (found_on) from marts.undocumented_time where practice_id = $p and month = $m order by item_id
    """,
    "fee_schedule_prices": """
        select distinct prices.* from marts.fee_schedule_prices as prices
        where practice_id = $p and service_date between $m and last_day($m)
            and exists (
                select 1 from intermediate.int_candidates__priced as priced
                where priced.practice_id = $p and priced.month = $m and priced.scenario = 'actual'
                    and priced.procedure_code = prices.procedure_code and priced.service_date = prices.service_date
            )
        order by procedure_code, service_date, payment_share
    """,
    "landed_files": """
        select * from marts.landed_files
        where practice_id = $p and file_id in (
            select file_id from marts.patient_facts where practice_id = $p
            union
            select entries.file_id from marts.time_entry_facts as entries
            inner join marts.minute_ledger as ledger on entries.practice_id = ledger.practice_id and entries.entry_id = ledger.entry_id
            where entries.practice_id = $p and ledger.month = $m
        )
        order by file_id
    """,
}


_DEPARTURE = ["practitioner_seen_on", "practitioner_gone_on"]


def evidence(
    warehouse: duckdb.DuckDBPyConnection,
    practice_id: str,
    month: date,
    numbers: Mapping[int, int] | None,
    manners: Collection[Manner],
) -> dict[str, bytes]:
    """The marts of this practice-month as Parquet, in a fixed order, so that the bytes are fixed too. `numbers`: `freeze.file_numbers`."""
    files = {}
    for name, sql in _EVIDENCE.items():
        table = warehouse.execute(sql, {k: v for k, v in (("p", practice_id), ("m", month)) if f"${k}" in sql}).to_arrow_table()
        if name == "patient_month_evidence" and Manner.DEPARTURES not in manners:
            table = table.drop_columns(_DEPARTURE)
        if numbers is not None:
            table = numbered(table, numbers)
            if name == "landed_files":
                table = table.sort_by("file_id")
        files[f"{name}.parquet"] = parquet(table)
    return files


def _releases(warehouse: duckdb.DuckDBPyConnection, practice_id: str, month: date) -> dict[str, list[str]]:
    """The fee schedule releases that priced the month."""
    rows = warehouse.execute(
        """
        select list_sort(list(distinct rvu_release)), list_sort(list(distinct gpci_release)), list_sort(list(distinct cast(conversion_factor as varchar)))
        from marts.fee_schedule_prices where practice_id = ? and service_date between ? and last_day(?)
        """,
        [practice_id, month, month],
    ).fetchall()[0]
    return dict(zip(("rvu", "gpci", "conversion_factor"), (row or [] for row in rows), strict=True))


def _inputs(warehouse: duckdb.DuckDBPyConnection, practice: Practice) -> list[dict[str, Any]]:
    """Every landed file in force of this practice, by table and night, with its hash and that of the mapping which read it."""
    rows = warehouse.execute(
        """
        select table_name, extract_date, version, sha256, mapping, mapping_sha256 from staging.stg_files
        where practice_id = ? and is_in_force order by table_name, extract_date
        """,
        [practice.practice_id],
    ).fetchall()
    return [
        {
            "table": table,
            "night": night.isoformat(),
            "version": version,
            "sha256": sha256,
            **({"mapping": mapping, "mapping_sha256": mapping_sha256} if mapping else {}),
        }
        for table, night, version, sha256, mapping, mapping_sha256 in rows
    ]
