"""From the marts to claims: which patient-months go out, what each claim says, and which are held and why."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.close.held_months import holds_month
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.close.names import bare_name, is_plain, is_sure, split_name
from orchestration.close.x12.codes import MOST_POINTERS
from orchestration.close.x12.model import CLAIMS, LINE, PATIENT
from orchestration.house import HouseError
from orchestration.practices import Practice

CENT = Decimal("0.01")


@dataclass(frozen=True)
class Line:
    """One row of claims.csv, in its column order; money in dollars, dates ISO."""

    claim_id: str
    line_id: str
    patient_id: str
    month: date
    procedure_code: str
    units: int
    service_date: date
    charge_amount: Decimal
    allowed_amount: Decimal


@dataclass(frozen=True)
class Held:
    """One row of held.csv: a patient-month that waits, why, and what it is worth."""

    patient_id: str
    month: date
    reason: str
    detail: str
    dollars_at_stake: Decimal


@dataclass(frozen=True)
class Draft:
    """What a close would send before the scrub has seen it. `claims` is a table of `x12.model.CLAIMS`."""

    claims: pa.Table
    lines: tuple[Line, ...]
    held: tuple[Held, ...]

    def without(self, faulty: dict[str, str]) -> Draft:
        """The draft without these claims (claim id -> what the scrub found), each of them held as claim_error."""
        if not faulty:
            return self
        held = list(self.held)
        lines_of: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.claim_id in faulty:
                lines_of.setdefault(line.claim_id, []).append(line)
        for claim_id, detail in sorted(faulty.items()):
            lines = lines_of[claim_id]
            held.append(
                Held(
                    lines[0].patient_id,
                    lines[0].month,
                    "claim_error",
                    detail,
                    sum((ln.allowed_amount for ln in lines), Decimal(0)),
                )
            )
        return Draft(
            self.claims.filter(pc.invert(pc.is_in(self.claims["claim_id"], value_set=pa.array(list(faulty), pa.string())))),
            tuple(line for line in self.lines if line.claim_id not in faulty),
            tuple(sorted(held, key=lambda h: (h.patient_id, h.reason))),
        )


NAMELESS = "the billing practitioner's last name has no letter: write it as it is in care_team"
UNSURE = (
    "which word of the billing practitioner's name is the last name cannot be told: write it in care_team as 'Last, First', the first name in full and "
    "nothing in brackets"
)
NOT_PLAIN = (
    "the billing practitioner's name has an address or a number in it: write it in care_team as 'Last, First' and nothing else"
)
UNPRICED = "no fee schedule release covers its service date"
LOAD_FEES = ": load CMS's files of that year (ccm rules load-fees FILE... --write; docs/how-to/rule-year.md), then ccm nightly, and close again"


# Of a row of marts.claimable_codes: its claim cannot be written.
_IS_UNPRICED = "allowed_amount is null"


def unpriced(warehouse: duckdb.DuckDBPyConnection, month: date) -> dict[str, int]:
    """practice_id -> patients whose claim is due and has a code without a price."""
    return dict(
        warehouse.execute(
            f"""
            select practice_id, count(distinct patient_id) from marts.claimable_codes
            where month = ? and decision = 'claimable' and {_IS_UNPRICED} group by practice_id
            """,
            [month],
        ).fetchall()
    )


def claim_id(practice_id: str, patient_id: str, month: date, attempt: int) -> str:
    """CLM01, 19 characters: the month and a hash of what the claim is for. The same claim always has the same id."""
    text = f"{practice_id}\0{patient_id}\0{month:%Y-%m}\0{attempt}"
    return f"CCM{month:%y%m}{base64.b32encode(hashlib.sha256(text.encode()).digest())[:12].decode()}"


def draft(
    warehouse: duckdb.DuckDBPyConnection,
    practice: Practice,
    month: date,
    *,
    waived: bool,
    manners: Collection[Manner] = EVERY_MANNER,
) -> Draft:
    """The claims of one practice-month that are due now, by patient id. With a waiver what is held goes out on its credited minutes.
    DEATHS: a claim has the date on which its patient died. NAMES: a practitioner's name is split without brackets and dashes, and a claim with none is
    held. SURE_NAMES: so is one of whose practitioner it cannot be told what the last name is. PLAIN_NAMES: or whose name has what is no name's.
    NEXT_STEPS: what is held says what to do next, with the command."""
    key = [practice.practice_id, month]
    decisions = _table(
        warehouse,
        """
        select decisions.patient_id, decisions.decision, decisions.reason, decisions.allowed_amount,
            coalesce(stakes.allowed_difference, 0) as stake,
            (
                select count(distinct earlier.claim_id) from intermediate.int_claims__history as earlier
                where earlier.practice_id = decisions.practice_id and earlier.patient_id = decisions.patient_id
                    and earlier.month = decisions.month
            ) as earlier_claims
        from marts.patient_month_decisions as decisions
        left join intermediate.int_scenario_changes as stakes
            on stakes.practice_id = decisions.practice_id and stakes.patient_id = decisions.patient_id and stakes.month = decisions.month
                and stakes.scenario = case decisions.reason when 'undocumented_time' then 'documented' when 'unresolved_time' then 'resolved' end
        where decisions.practice_id = ? and decisions.month = ? and decisions.decision in ('claimable', 'held')
        order by decisions.patient_id
        """,
        key,
    )
    codes = _table(
        warehouse,
        f"""
        select patient_id, procedure_code, units, service_date, charge_amount, allowed_amount, {_IS_UNPRICED} as is_unpriced
        from marts.claimable_codes where practice_id = ? and month = ? order by patient_id, procedure_code
        """,
        key,
    )
    subjects = warehouse.execute(
        """
        select subjects.*, case when ? and patients.deceased_date <= practices.newest_night then patients.deceased_date end as deceased_date
        from intermediate.int_claim_subjects as subjects
        inner join intermediate.int_patients__current as patients using (practice_id, patient_id)
        inner join staging.stg_practices as practices using (practice_id)
        where practice_id = ? and month = ? order by patient_id
        """,
        [Manner.DEATHS in manners, *key],
    ).to_arrow_table()
    bases = {
        code
        for (code,) in warehouse.execute(
            "select procedure_code from rules.rule_bands where is_base union select procedure_code from rules.rule_apcm_levels"
        ).fetchall()
    }
    hidden = _quarantined_facts(warehouse, practice.practice_id, month)
    by_patient: dict[str, list[dict[str, Any]]] = {}
    for code in codes:
        by_patient.setdefault(code["patient_id"], []).append(code)
    lines: list[Line] = []
    held: list[Held] = []
    for decision in decisions:
        patient_id = decision["patient_id"]
        own = sorted(by_patient.get(patient_id, []), key=lambda c: (c["procedure_code"] not in bases, c["procedure_code"]))
        if decision["decision"] == "held" and not (waived and own and decision["reason"] != "month_open"):
            detail = _detail(decision["reason"], f"--practice {practice.practice_id} --month {month:%Y-%m}", bool(own), manners)
            held.append(Held(patient_id, month, decision["reason"], detail, Decimal(decision["stake"])))
            continue
        if patient_id in hidden:
            # No waiver and no final day lets it go: the claim may be one that must not be made.
            worth = sum((code["allowed_amount"] or Decimal(0) for code in own), Decimal(0))
            held.append(Held(patient_id, month, "quarantined_facts", hidden[patient_id], worth))
            continue
        if not own:
            raise HouseError(
                f"{practice.practice_id} {month:%Y-%m}: {patient_id} is claimable but has no code; run `ccm nightly --full`"
            )
        if any(code["is_unpriced"] for code in own):
            held.append(Held(patient_id, month, "claim_error", with_step(UNPRICED, LOAD_FEES, manners), Decimal(0)))
            continue
        identifier = claim_id(practice.practice_id, patient_id, month, decision["earlier_claims"] + 1)
        lines += _lines(identifier, month, own)
    bares_names = Manner.NAMES in manners
    due = Draft(_claim_table(practice, subjects, lines, bares_names), tuple(lines), tuple(held))
    if not bares_names:
        return due
    names = zip(due.claims["claim_id"].to_pylist(), due.claims["rendering_last_name"].to_pylist(), strict=True)
    faulty = {claim: NAMELESS for claim, last in names if last and not any(map(str.isalpha, last))}
    if Manner.SURE_NAMES in manners:
        name_of = dict(zip(subjects["patient_id"].to_pylist(), subjects["practitioner_name"].to_pylist(), strict=True))
        unsure = {name for name in set(name_of.values()) if name and not is_sure(name)}
        faulty |= {line.claim_id: UNSURE for line in lines if name_of[line.patient_id] in unsure}
        if Manner.PLAIN_NAMES in manners:
            odd = {name for name in set(name_of.values()) if name and not is_plain(name)}
            faulty |= {line.claim_id: NOT_PLAIN for line in lines if name_of[line.patient_id] in odd}
    return due.without(faulty)


# So many rows of a patient are named; the mart close_holds has them all.
ROWS_TOLD = 5

_LOGS = {"services": "services", "time_entries": "the time log"}


def _quarantined_facts(warehouse: duckdb.DuckDBPyConnection, practice_id: str, month: date) -> dict[str, str]:
    """patient_id -> which rows in quarantine may hide a reason not to bill the month, of those that nobody accepted: table, line and column, no values."""
    rows = warehouse.execute(
        f"""
        select patient_id, table_name, row_told from intermediate.int_quarantined_facts
        where
            practice_id = $practice and not is_accepted
            and {holds_month()}
        order by patient_id, table_name, extract_date, line_number
        """,
        {"practice": practice_id, "month": month},
    ).fetchall()
    told: dict[str, list[str]] = {}
    # What a night's changes had is in no later file.
    logs: dict[str, list[str]] = {}
    for patient_id, table, row in rows:
        told.setdefault(patient_id, []).append(row)
        if (log := _LOGS.get(table)) and log not in logs.setdefault(patient_id, []):
            logs[patient_id].append(log)
    return {
        patient_id: "in quarantine: "
        + "; ".join(lines[:ROWS_TOLD])
        + (f"; and {len(lines) - ROWS_TOLD} more" if len(lines) > ROWS_TOLD else "")
        + ". Land a snapshot"
        + (f" (of {' and '.join(logs[patient_id])}: that night again, or the row in a later one)" if patient_id in logs else "")
        + " without the fault, or accept the row (ccm accept)"
        for patient_id, lines in told.items()
    }


def with_step(fault: str, step: str, manners: Collection[Manner]) -> str:
    """What is wrong, and what to do about it; closes of before the manner said the first alone."""
    return f"{fault}{step}" if Manner.NEXT_STEPS in manners else fault


# Why a decision is held: what is wrong, and what closes of before NEXT_STEPS said besides.
_HELD = {
    "undocumented_time": ("with its undocumented time credited the claim would differ: document it", ", or waive it"),
    "unresolved_time": (
        "overlapping or runaway time would change the claim: say whose it is or when the timer should have stopped",
        "",
    ),
}


def _detail(reason: str, of_month: str, is_claimable: bool, manners: Collection[Manner]) -> str:
    """Why a decision is held, as a sentence. `of_month`: the options that name practice and month; `is_claimable`: whether a waiver would let anything go."""
    if reason not in _HELD:
        return reason
    fault, besides = _HELD[reason]
    if Manner.NEXT_STEPS not in manners:
        return fault + besides
    waive = f", or let it go as it stands: ccm close {of_month} --approved-by NAME --waive REASON" if is_claimable else ""
    return f"{fault} (ccm worklist {of_month} says what and whose) and close again after the night that brings it{waive}"


def _lines(identifier: str, month: date, codes: Sequence[dict[str, Any]]) -> list[Line]:
    return [
        Line(
            identifier, f"{identifier}{number:02d}", code["patient_id"], month, code["procedure_code"], int(code["units"]),
            code["service_date"], code["charge_amount"], code["allowed_amount"],
        )
        for number, code in enumerate(codes, 1)
    ]  # fmt: skip


_SUBJECT = {name: name for name in PATIENT.names} | {"member_id": "mbi", "line1": "address_line1"}
# By the number of a claim's diagnoses: each line points to the first of them.
_POINTERS = pa.array([list(range(1, count + 1)) for count in range(MOST_POINTERS + 1)], pa.list_(pa.int64()))


def _claim_table(practice: Practice, subjects: pa.Table, lines: Sequence[Line], bares_names: bool) -> pa.Table:
    """The claims that these lines make up, in their order. `subjects` are rows of int_claim_subjects, one for each patient."""
    firsts = [number for number, line in enumerate(lines) if not number or lines[number - 1].claim_id != line.claim_id]
    patients = pa.array([lines[first].patient_id for first in firsts], pa.string())
    of = {name: column.combine_chunks() for name, column in _rows_of(subjects, patients).items()}
    count = pc.min_element_wise(pc.fill_null(pc.list_value_length(of["icd10_codes"]), 0), MOST_POINTERS)
    offsets = pa.array([*firsts, len(lines)], pa.int32())
    names = of["practitioner_name"].to_pylist()
    split = {name: split_name(bare_name(name or "") if bares_names else name or "") for name in set(names)}
    own = pa.StructArray.from_arrays(
        [
            pa.array([line.line_id for line in lines], pa.string()),
            pa.array([line.procedure_code for line in lines], pa.string()),
            pa.array([line.units for line in lines], pa.int64()),
            pa.array([line.charge_amount for line in lines], LINE.field("charge_amount").type),
            pa.array([line.service_date for line in lines], pa.date32()),
            _POINTERS.take(count).take(pc.list_parent_indices(pa.ListArray.from_arrays(offsets, pa.arange(0, len(lines))))),
        ],
        fields=list(LINE),
    )
    columns = {
        "claim_id": pa.array([lines[first].claim_id for first in firsts], pa.string()),
        **{name: of[column] for name, column in _SUBJECT.items()},
        "postal_code": pc.replace_substring_regex(of["postal_code"], "[^0-9]", ""),
        "rendering_npi": of["practitioner_npi"],
        "rendering_last_name": pa.array([split[name][0] for name in names], pa.string()),
        "rendering_first_name": pa.array([split[name][1] for name in names], pa.string()),
        "rendering_taxonomy_code": of["practitioner_taxonomy_code"],
        "place_of_service": pa.repeat(practice.place_of_service, len(firsts)),
        "diagnoses": of["icd10_codes"],
        "lines": pa.ListArray.from_arrays(offsets, own),
    }
    return pa.table([columns[name] for name in CLAIMS.names], names=CLAIMS.names).cast(CLAIMS)


def _rows_of(subjects: pa.Table, patients: pa.Array) -> dict[str, pa.ChunkedArray]:
    rows = subjects.take(pc.index_in(patients, value_set=subjects["patient_id"].combine_chunks()))
    return dict(zip(rows.column_names, rows.columns, strict=True))


def _table(warehouse: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> list[dict[str, Any]]:
    cursor = warehouse.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
