"""The payers' answers as Dagster assets: inbox/ is taken in, what depends on it is decided again, the marts are published."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.answer.publish import publish
from orchestration.discretion import discreet
from orchestration.house import House
from orchestration.lake_batches import batch_numbers
from orchestration.payers.inbox import take_in_answers, tells_of_coverage
from orchestration.payers.waiting import tell_of_waiting, waiting
from orchestration.practices import load_practices
from orchestration.runbook import check_spec
from orchestration.signposts import Group, links, owned_by, speaks_of
from orchestration.transform.assets import WAREHOUSE_POOL
from orchestration.transform.rebuild import not_built, rebuild_answered, rebuild_everything
from orchestration.transform.state import build_inputs, is_up_to_date, new_answer_batches

_TABLES = {
    "files": "Every file of inbox/ ever taken in: hash, outcome, reason. Its original is in lake/answers/originals.",
    "transactions": "Every ST..SE and TA1 of those files: kind, control numbers, content hash, outcome, faults.",
    "acknowledgments": "999 and TA1: which interchanges, groups and transactions of ours went in or were turned back.",
    "claim_statuses": "277CA: what the payer said of batches and claims.",
    "remittances": "835: payer, check, date, total.",
    "claim_payments": "835: what was decided of each claim.",
    "service_payments": "835: what was decided of each line.",
    "adjustments": "835: adjustments of claims and lines.",
    "remarks": "835: remark codes of claims and lines.",
    "provider_adjustments": "835: adjustments that belong to no claim.",
    "coverage_answers": "271: what the payer says of each subscriber's coverage.",
    "envelopes": "What each answer's envelope says of what it may answer: test or production, and the guide that a 999 names.",
    "claim_filings": "835: what payer each claim was filed with, by the payer's word.",
}

# Nobody here makes it: whatever the payers send, under any name.
INBOX = dg.AssetSpec(
    ["inbox", "answers"],
    group_name=Group.ANSWERS,
    description="inbox/: the payers' 999, 277CA and 835 files, in any order, sent twice or in pieces.",
    kinds={"x12"},
    owners=owned_by("billing"),
    tags=speaks_of("identifying"),
)


@dg.multi_asset(
    name="take_in_answers",
    specs=[
        dg.AssetSpec(
            ["answers", table],
            deps=[INBOX.key],
            metadata=links(columns="docs/architecture.md#the-payers-answers"),
            group_name=Group.ANSWERS,
            description=description,
            kinds={"x12", "parquet"},
            owners=owned_by("billing"),
            tags=speaks_of("claim ids"),
        )
        for table, description in _TABLES.items()
    ],
    pool="answers",
)
@discreet
def take_in_answers_assets(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Takes in every new file of inbox/ as one batch: facts only, append-only, each content once."""
    taken = take_in_answers(House.from_environment())
    outcomes = Counter(record.outcome for record in taken.files) if taken else Counter()
    kinds = Counter(f"{one['kind']} {one['outcome']}" for one in taken.transactions) if taken else Counter()
    for note in taken.notes if taken else ():
        context.log.warning(note)
    context.log.info(f"Batch {taken.batch}: {len(taken.files)} files." if taken else "Nothing new in inbox/.")
    for spec in take_in_answers_assets.specs:
        counts: Counter[str] = {"files": outcomes, "transactions": kinds}.get(spec.key.path[-1], Counter())
        yield dg.MaterializeResult(asset_key=spec.key, metadata=dict(sorted(counts.items())))


POSTED = check_spec(
    "answers_were_posted",
    dg.AssetKey(["answers", "posted_answers"]),
    "Every file that the last run took in could be read, and no payment waits because its file does not add up or conflicts with another.",
    file="orchestration/payers/waiting.py",
)


@dg.asset(
    key=["answers", "posted_answers"],
    deps=[spec.key for spec in take_in_answers_assets.specs],
    group_name=Group.ANSWERS,
    kinds={"duckdb"},
    tags=speaks_of("patient ids"),
    metadata=links(
        docs="docs/adr/0010-answers-are-postings-and-status-is-what-they-leave-standing.md", file="orchestration/payers/postings.py"
    ),
    owners=owned_by("billing"),
    pool=WAREHOUSE_POOL,
    description="The marts after the payers' answers: statuses, payments, denials; published, with the work lists.",
    check_specs=[POSTED],
)
@discreet
def posted_answers(context: dg.AssetExecutionContext) -> Iterator[Any]:
    yield _post(context)


def _post(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    # The spreadsheet library takes a moment to load, and only the runs that write one need it.
    from orchestration.answer.worklist_files import write_worklists

    house = House.from_environment()
    with house.lock("warehouse"):
        if not batch_numbers(house):
            context.log.warning("The answers are taken in; they are posted by the first `ccm nightly`.")
            return _posted(house, is_told=True)
        inputs = build_inputs(house)
        if is_up_to_date(house, inputs):
            write_worklists(house)  # a run killed behind its publication may have left the old ones
            return _posted(house, is_told=False)
        batches = new_answer_batches(house)
        if batches is not None and not tells_of_coverage(house, batches):
            results = rebuild_answered(house)
        else:
            # Something else is new as well, or an earlier run did not finish: everything is built, so that the verdict holds for all of it.
            results, _ = rebuild_everything(house, inputs)
        if bad := not_built(results):
            raise dg.Failure(f"the marts could not be rebuilt after the answers ({bad[0]}); run `ccm nightly --full`")
        publish(house)
        write_worklists(house)
    return _posted(house, is_told=True, **{"models rebuilt": sum(r.unique_id.startswith("model.") for r in results)})


def _posted(house: House, *, is_told: bool, **metadata: int) -> dg.MaterializeResult[None]:
    """The asset's result with its check. `is_told`: answers were taken in, and the office hears of what was not posted of them."""
    found = waiting(house)
    if is_told:
        tell_of_waiting(house, load_practices(house.practices_yaml), found)
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            dg.AssetCheckResult(
                check_name=POSTED.name,
                passed=not found.unread and not found.held,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "files unread": found.unread,
                    "files held": found.held,
                    "dollars held": float(found.held_amount),
                    "practices": ", ".join(found.practice_ids) or "none",
                },
            )
        ],
    )
