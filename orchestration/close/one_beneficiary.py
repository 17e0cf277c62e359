"""One claim for a beneficiary's month, ever: whom a second claim would be for, under another patient id, at another practice of the tax id, or in an
earlier version (rules.md B8 trap 11)."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from datetime import date

import duckdb

from orchestration.close.claims import Draft, with_step
from orchestration.close.ground import Ground
from orchestration.close.in_common import InCommon
from orchestration.close.manners import Manner
from orchestration.close.versions import packets
from orchestration.close.x12.codes import is_mbi
from orchestration.house import House, HouseError
from orchestration.payers.eligibility import member_key
from orchestration.practices import Practice

# Behind what is wrong (NEXT_STEPS).
_ONE_PERSON_OR_TWO = (
    ". If it is one person, merge the charts in the EHR, and nothing more is due; if one of the Medicare numbers is wrong, correct it there, and close again "
    "after the night that brings it (docs/runbook/close.md)"
)


def duplicate_of(first: str, manners: Collection[Manner]) -> str:
    """Why a claim is held beside the `first` one, which is named by practice and claim."""
    fault = f"the same beneficiary's month is claimed as {first}: a second claim would be a same-period duplicate"
    return with_step(fault, _ONE_PERSON_OR_TWO, manners)


def claimed_twice(warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft) -> dict[str, str]:
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
            found[claim_id] = duplicate_of(f"{practice_id} {first}", ground.manners)
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


def refuse_second_claims(house: House, practice: Practice, month: date, due: Draft) -> None:
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
