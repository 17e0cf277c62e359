"""`ccm respond`: what the payers put into inbox/ is posted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from orchestration.command.common import Home, Json, app, err, out, print_json, settled
from orchestration.gate import verdicts
from orchestration.house import House, HouseError, sweep
from orchestration.money import in_dollars
from orchestration.practices import load_practices


def run_respond(house: House, pipeline: Any = None) -> tuple[Any, list[dict[str, Any]]]:
    """Takes in inbox/ and posts it; gives the pipeline back and one dict per file taken in now. HouseError when the run failed.

    With nothing new in inbox/ and the marts up to date there is nothing to run.
    """
    from orchestration.command.running import Pipeline
    from orchestration.lake_batches import batch_numbers
    from orchestration.payers.inbox import ensure_tables, ledger, pending
    from orchestration.transform.state import build_inputs, is_up_to_date

    load_practices(house.practices_yaml)
    with house.lock("run"):
        sweep(house)
    ensure_tables(house)
    before = {record.file_id for record in ledger(house)}
    has_nights = bool(batch_numbers(house))
    if not pending(house) and (not has_nights or is_up_to_date(house, build_inputs(house))):
        return pipeline, []
    pipeline = pipeline or Pipeline(house)
    result = pipeline.respond()
    if not result.success:
        raise HouseError("the answers were not posted:\n" + "\n".join(f"  {line}" for line in result.errors))
    new = [record for record in ledger(house) if record.file_id not in before]
    return pipeline, [_file(record, published) for record, published in _with_marts(house, new)]


# By file: statements about coverage, patients they are about, and subscribers whom no practice knows.
_COVERAGE_TOLD = """
    select
        transaction_id // 100000,
        count(*) filter (meaning is not null and patient_id is not null),
        count(distinct (practice_id, patient_id)) filter (patient_id is not null),
        count(distinct (practice_id, transaction_id, subscriber_position)) filter (patient_id is null)
    from coverage_answers group by all
"""


def _with_marts(house: House, records: list[Any]) -> list[tuple[Any, dict[str, Any]]]:
    from orchestration.engine import open_marts

    if not house.marts.exists():
        return [(record, {}) for record in records]
    with open_marts(house) as marts:
        cursor = marts.execute("select * from answer_files")
        names = [column[0] for column in cursor.description]
        rows = {row["file_id"]: row for row in (dict(zip(names, values, strict=True)) for values in cursor.fetchall())}
        told = marts.execute(_COVERAGE_TOLD).fetchall()
    for file_id, statements, members, unknown in told:
        if file_id in rows:
            rows[file_id] |= {"coverage_statements": statements, "members_answered": members, "members_unmatched": unknown}
    return [(record, rows.get(record.file_id, {})) for record in records]


def _file(record: Any, published: dict[str, Any]) -> dict[str, Any]:
    names = (
        "practice_id", "kinds", "transactions", "transactions_posted", "transactions_repeated", "transactions_held",
        "transactions_quarantined", "transactions_other", "claims_unmatched", "claims_amount", "posted_amount", "unmatched_amount",
        "repeated_amount", "held_amount", "faults", "first_fault", "coverage_statements", "members_answered", "members_unmatched",
    )  # fmt: skip
    return {
        "file": record.file_name,
        "sha256": record.sha256,
        "outcome": published.get("outcome", record.outcome),
        "reason": published.get("reason", record.reason),
        **{name: published[name] for name in names if name in published},
    }


def answer_totals(house: House) -> dict[str, Any]:
    """What stands after all answers: claims by status, and the payments of every remittance."""
    from orchestration.engine import open_marts

    if not house.marts.exists():
        return {}
    with open_marts(house) as marts:
        claims = marts.execute("select status, count(*), sum(paid_amount) from claims group by status order by status").fetchall()
        money = marts.execute(
            "select count(*), sum(total_amount), sum(posted_amount), sum(unmatched_amount), sum(provider_adjustment_amount), sum(held_amount) from remittances"
        ).fetchall()[0]
    return {
        "claims": {status: {"claims": count, "paid_amount": paid} for status, count, paid in claims},
        "remittances": money[0],
        **dict(
            zip(
                ("total_amount", "posted_amount", "unmatched_amount", "provider_adjustment_amount", "held_amount"),
                (amount if amount is not None else Decimal("0.00") for amount in money[1:]),
                strict=True,
            )
        ),
    }


@app.command()
def respond(home: Home = None, as_json: Json = False) -> None:
    """Takes in the payers' answers in inbox/ (999, 277CA, 835, 271), posts them to our claims and to the panel's coverage, publishes the marts."""
    house = settled(home)
    with err.status("Taking in and posting what the payers answered ..."):
        _, files = run_respond(house)
    totals = answer_totals(house)
    if as_json:
        print_json({"files": files, **totals})
        return
    print_answers(house, files, totals)


def print_answers(house: House, files: list[dict[str, Any]], totals: dict[str, Any]) -> None:
    if not files:
        out.print(f"Nothing new in {house.inbox}.")
    for file in files:
        bad = file["outcome"] in ("quarantined", "held")
        kinds = ", ".join(file.get("kinds") or ()) or "no X12"
        # Of what came before, its first file was told.
        line = f"{file['file']}: {file['outcome']}" + (
            "" if file["outcome"] == "repeated" and not file.get("kinds") else f" ({kinds})"
        )
        if file.get("claims_amount") or file.get("repeated_amount"):
            line += f", {in_dollars(file['posted_amount'])} posted"
            line += f", {in_dollars(file['unmatched_amount'])} of strangers" if file["claims_unmatched"] else ""
            line += f", {in_dollars(file['held_amount'])} of claims held with their payment" if file["held_amount"] else ""
        if "members_answered" in file:
            line += f", coverage of {file['members_answered']} patients"
            line += f", {file['members_unmatched']} members unknown" if file["members_unmatched"] else ""
        out.print(line, style="red" if bad else None)
        if file["reason"] or file.get("faults"):
            out.print(f"   {file['reason'] or file['first_fault']}")
    if totals.get("claims"):
        stand = ", ".join(f"{row['claims']} {status}" for status, row in totals["claims"].items())
        out.print(f"Claims: {stand}.")
        out.print(
            f"Remittances: {totals['remittances']}, {in_dollars(totals['total_amount'])} = {in_dollars(totals['posted_amount'])} posted "
            f"+ {in_dollars(totals['unmatched_amount'])} of strangers + {in_dollars(totals['provider_adjustment_amount'])} provider adjustments "
            f"+ {in_dollars(totals['held_amount'])} held."
        )
    for line in verdicts.failed(house):
        out.print(f"Check failed {line}", style="red")
