"""From what is due to the claim file: the draft, the scrub, and pyx12's judgement; what either faults is held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from datetime import date
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.close.claims import Draft, draft, with_step
from orchestration.close.ground import Ground
from orchestration.close.manners import Manner
from orchestration.close.one_beneficiary import claimed_twice, duplicate_of
from orchestration.close.x12.claim_rules import ClaimRules, of_warehouse
from orchestration.close.x12.model import BillingProvider, ClaimFile, Envelope, Payer, Receiver, Submitter
from orchestration.close.x12.scrub import Fault, scrub
from orchestration.close.x12.validate import judge
from orchestration.close.x12.writer import write_837p
from orchestration.house import HouseError
from orchestration.practices import Practice

# Given a claim file and the rules of its close, gives what will tell its faults; by then another process may have read it.
Judging = Callable[[bytes, ClaimRules], Callable[[], Sequence[Fault]]]


def judge_here(content: bytes, rules: ClaimRules) -> Callable[[], Sequence[Fault]]:
    """The judgement in this process, when it is asked for."""
    return partial(judge, content, rules)


def drafted(warehouse: duckdb.DuckDBPyConnection, ground: Ground) -> Draft:
    """The claims that are due, without those whose beneficiary's month was claimed already under another id or practice of the tax id."""
    due = draft(warehouse, ground.practice, ground.month, waived=ground.waived, manners=ground.manners)
    elsewhere = {
        line.claim_id: ground.claimed_elsewhere[line.patient_id]
        for line in due.lines
        if line.patient_id in ground.claimed_elsewhere
    }
    return due.without({claim_id: duplicate_of(first, ground.manners) for claim_id, first in elsewhere.items()})


_CORRECT_IT = ". Correct it in the system that the extracts come from, or in practices.yaml where it is the practice's own; then ccm nightly, and close again"


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
        due = due.without(claimed_twice(warehouse, ground, due))
    return newest_night, due


def judged_claims(
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
