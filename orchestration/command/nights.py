"""`ccm nightly`: takes in, rebuilds, checks, publishes. `ccm backfill`: the same for years of nights, month by month."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orchestration.command.common import Home, Json, app, err, night_of, out, print_json, settled
from orchestration.house import House, HouseError, sweep
from orchestration.money import in_dollars
from orchestration.practices import Practice, load_practices

if TYPE_CHECKING:
    import duckdb


def run_nightly(house: House, practices: dict[str, Practice], up_to: date | None, full: bool, pipeline: Any = None) -> Any:
    """Takes in and rebuilds; gives the pipeline back so that a demo can go on with it. HouseError when the run failed.

    With nothing new and the marts up to date there is nothing to run.
    """
    from orchestration.answer.report import write_reports
    from orchestration.answer.worklist_files import write_worklists
    from orchestration.command.running import Pipeline, work_to_do
    from orchestration.deliver.fetch import deliver
    from orchestration.engine import opens
    from orchestration.lake_batches import batch_numbers
    from orchestration.transform.state import build_inputs, is_judged, is_up_to_date

    with house.lock("run"):
        sweep(house)
    deliver(house, practices)
    work = work_to_do(house, practices, up_to)
    if work is None:
        where = house.landing_url or house.landing
        if up_to and work_to_do(house, practices, None):
            raise HouseError(
                f"{where}: no landed night up to {up_to}; name a later night, or leave --date out to take in all of them"
            )
        raise HouseError(f"{where}: nothing has landed; put extracts into landing/<practice_id>/<YYYY-MM-DD>/<table>.csv")
    stands = False
    if not work.is_new and not full and batch_numbers(house) and is_judged(house):
        with house.lock("warehouse"):  # who opens it to look must not be in the way of who opens it to write
            stands = is_up_to_date(house, build_inputs(house)) and opens(house.warehouse)
    if stands:
        # The marts stand; what hangs on them may not, if the last run was killed behind its publication.
        write_worklists(house)
        write_reports(house)
        return pipeline
    pipeline = pipeline or Pipeline(house)
    result = pipeline.nightly(work.night, full=full)
    if not result.success:
        raise HouseError("the night did not finish:\n" + "\n".join(f"  {line}" for line in result.errors))
    return pipeline


@app.command()
def nightly(
    date: Annotated[str | None, typer.Option("--date", help="Take in landed nights up to this one (YYYY-MM-DD); else all.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Rebuild everything from the lake, not only what the night touches.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Takes in every landed night that is new or changed, rebuilds, runs the checks, publishes the marts."""
    from orchestration.close.versions import why_lost
    from orchestration.lake_batches import batch_numbers
    from orchestration.take_in.ledger import taken_in_besides

    house = settled(home)
    practices = load_practices(house.practices_yaml)
    started = time.monotonic()
    batches, published = frozenset(batch_numbers(house)), _published(house)
    with err.status("Taking in, judging, rebuilding, publishing ..."):
        run_nightly(house, practices, night_of(date), full)
    taken_in = taken_in_besides(house, batches)
    is_published = _published(house) != published  # marts that stood were not decided again either
    summary = {
        **_night_summary(house, practices, night_of(date)),
        "this_run": {**taken_in, "is_published": is_published},
    }
    if as_json:
        print_json(summary)
        return
    if taken_in["files"]:
        out.print(f"Taken in: {_counts(taken_in)}.")
    else:
        out.print("Nothing new" + (" has landed." if is_published else ": everything is published already."))
    if _counts(summary) != _counts(taken_in):
        out.print(f"In all: {_counts(summary)}.")
    if taken_in["rows_filtered"]:
        out.print(f"Set aside by mappings: {taken_in['rows_filtered']:,} lines that give no row (`row_accounting.rows_filtered`).")
    for name in summary["packets_lost"]:
        out.print(f"Keeps from closing {why_lost(house, name)}", style="red")
    for line in summary["not_delivered"]:
        out.print(f"Not delivered {line}", style="red")
    for line in summary["rejected"]:
        out.print(f"Rejected {line}", style="red")
    for line in summary["left_alone"]:
        out.print(f"Not taken in {line}", style="yellow")
    for line in summary["came_in_part"]:
        out.print(f"Came in part {line}", style="yellow")
    for line in summary["dated_ahead"]:
        out.print(f"Ahead of this machine's clock {line}", style="yellow")
    for line in summary["charged_below_allowed"]:
        out.print(f"Charged below the fee schedule {line}", style="yellow")
    for line in summary["claimed_twice"]:
        out.print(f"One beneficiary claimed twice {line}", style="red")
    for line in summary["listed_twice"]:
        out.print(f"One panel listed twice {line}", style="yellow")
    for line in summary["wrong_npis"]:
        out.print(f"No NPI {line}", style="yellow")
    for line in summary["failed_checks"]:
        out.print(f"Check failed {line}", style="red")
    for line in summary["held_until_accepted"]:
        out.print(f"Holds the close {line}", style="red")
    if summary["quarantined_facts"]:
        out.print(
            f"Holds claims {summary['quarantined_facts']} rows in quarantine may hide a reason not to bill, or one to bill; `ccm accept --list`",
            style="red",
        )
    for line in summary["undocumented_overdue"]:
        out.print(f"Document before the close {line}", style="red")
    if is_published and (again := summary["decided_again"]) is not None:
        out.print(
            f"Decided again: {again['patient_months']:,} of {again['of_patient_months']:,} patient-months"
            f"{'' if again['is_whole'] else ', which is what the night touched'}."
        )
    if is_published:
        out.print(f"Published: {house.marts}  ({time.monotonic() - started:.1f} s)")
    out.print("Next: `ccm status`, `ccm worklist`, and `ccm close --month YYYY-MM --approved-by NAME` once a month is over.")


@app.command()
def backfill(
    date: Annotated[str | None, typer.Option("--date", help="Take in landed nights up to this one (YYYY-MM-DD); else all.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Takes in years of landed nights: one run for each month, then one night that rebuilds, checks and publishes. Stopped, the same command goes on."""
    from orchestration.command.running import Pipeline, months_to_do
    from orchestration.deliver.fetch import deliver
    from orchestration.take_in.ledger import files_and_rows

    house = settled(home)
    practices = load_practices(house.practices_yaml)
    up_to = night_of(date)
    with house.lock("run"):
        sweep(house)
    deliver(house, practices)
    months = months_to_do(house, practices, up_to)
    pipeline = Pipeline(house) if months else None
    done: list[dict[str, Any]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        bar = progress.add_task("Backfill", total=len(months) + 1)
        for month, night in months.items():
            progress.update(bar, description=f"{month:%Y-%m}: taking in, judging")
            assert pipeline is not None
            began, before = time.monotonic(), files_and_rows(house)
            result = pipeline.backfill(night)
            if not result.success:
                told = "\n".join(f"  {line}" for line in result.errors)
                raise HouseError(
                    f"{month:%Y-%m} did not finish:\n{told}\n  The months before it are taken in; mend this one, then run the same command."
                )
            files, rows = (now - then for now, then in zip(files_and_rows(house), before, strict=True))
            done.append({"month": f"{month:%Y-%m}", "up_to": night, "files": files, "rows_received": rows})
            if not as_json:
                out.print(f"{month:%Y-%m}: {files:,} files up to {night}, {rows:,} rows ({time.monotonic() - began:.1f} s)")
            progress.advance(bar)
        progress.update(bar, description="rebuilding, checking, publishing")
        run_nightly(house, practices, up_to, full=False, pipeline=pipeline)
        progress.advance(bar)
    if as_json:
        print_json({"months": done, **_night_summary(house, practices, up_to)})
    else:
        out.print(f"{len(done)} months taken in. Published: {house.marts}")


def _published(house: House) -> tuple[int, int] | None:
    """Tells one publication from another: each is a new file."""
    if not house.marts.exists():
        return None
    found = house.marts.stat()
    return found.st_ino, found.st_mtime_ns


def _counts(of: dict[str, Any]) -> str:
    up_to = f" up to {of['newest_night']}" if of["newest_night"] else ""  # there is none as long as no file could be accepted
    return (
        f"{of['files']:,} files of {of['practices']:,} practices{up_to}, {of['rows_accepted']:,} rows accepted, "
        f"{of['rows_quarantined']:,} in quarantine, {of['rows_superseded']:,} superseded"
    )


def _wrong_npis(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """Members of each practice's newest care team who may bill but for an NPI that is none."""
    rows = marts.execute(
        """
        select practice_id || ' ' || extract_date || ' care_team: ' || explanation from extract_drift
        where
            measure = 'wrong_npi'
            and (practice_id, extract_date) in (
                select (practice_id, max(extract_date)) from row_accounting where table_name = 'care_team' and rows_accepted > 0 group by practice_id
            )
        order by practice_id
        """
    ).fetchall()
    return [row[0] for row in rows]


def _charged_below(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """Fees of practices below what Medicare allows, of what has yet to be claimed: it pays the lesser of the two (42 CFR 414.21)."""
    rows = marts.execute(
        """
        select practice_id, procedure_code, min(charge_amount / units), max(allowed_amount / units), sum(allowed_amount - charge_amount)
        from claimable_codes where decision <> 'claimed' and charge_amount < allowed_amount group by all order by all
        """
    ).fetchall()
    return [
        f"{practice_id} {code}: {in_dollars(fee)} where up to {in_dollars(allowed)} is allowed, {in_dollars(lost)} given away in months "
        "that have yet to be claimed"
        for practice_id, code, fee, allowed, lost in rows
    ]


def _claimed_twice(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """Claims of two charts that turned out to be one beneficiary, as long as both wait for the payer or are paid."""
    rows = marts.execute(
        """
        select practice_id || ' ' || strftime(month, '%Y-%m') || ': ' || claim_id || ' and ' || detail
        from claim_audit where finding = 'merged_beneficiary' and is_unsettled order by all
        """
    ).fetchall()
    what_to_do = "if it is one person, pay the first of these back and merge the charts (docs/runbook/identities.md)"
    return [f"{claims}; {what_to_do}" for (claims,) in rows]


def _claimed_by_two(marts: duckdb.DuckDBPyConnection) -> list[str]:
    """Practices of different tax ids that claimed the same months of the same people, as long as both claims wait for the payer or are paid."""
    rows = marts.execute(
        """
        select
            least(practice_id, split_part(detail, ' ', 1)) || ' and ' || greatest(practice_id, split_part(detail, ' ', 1)),
            strftime(month, '%Y-%m'),
            count(distinct least(practice_id || ' ' || claim_id, detail))
        from claim_audit where finding = 'other_tax_id_duplicate' and is_unsettled
        group by all order by all
        """
    ).fetchall()
    what_to_do = (
        "Medicare pays one of each: settle whose they are, and pay the others back (claim_audit, docs/runbook/identities.md)"
    )
    return [f"{both} {month}: {count} under both tax ids; {what_to_do}" for both, month, count in rows]


# dbt_project/tests/
LISTED_TWICE = "no_panel_is_listed_under_other_tax_ids_as_well"


def _listed_twice(house: House) -> list[str]:
    """Practices that may have one panel under two names, by the last build's check."""
    from orchestration.gate import verdicts

    verdict = verdicts.load(house, "dbt")
    found = [one for one in (verdict.findings if verdict else ()) if one.check == LISTED_TWICE and not one.passed]
    return [
        f"{', '.join(one.practice_ids)}: practices of other tax ids list most of the same Medicare numbers; before anything closes see that nobody's "
        "extracts come twice (docs/runbook/identities.md)"
        for one in found
    ]


def _came_in_part(house: House, newest: dict[str, date]) -> list[str]:
    """What the newest nights of practices lack of what usually comes."""
    from orchestration.operate.drops import HABITS_BACK, gaps

    lacking: dict[str, list[str]] = {}
    for gap in gaps(house, max(newest.values()) - HABITS_BACK) if newest else ():
        if newest.get(gap.practice_id) == gap.night:
            lacking.setdefault(gap.practice_id, []).append(gap.what)
    return [
        f"{name} {newest[name]}: without {', '.join(what)}, which usually come; they may land late, else ask the sender"
        for name, what in lacking.items()
    ]


def _night_summary(house: House, practices: dict[str, Practice], up_to: date | None) -> dict[str, Any]:
    from orchestration.deliver.fetch import faults
    from orchestration.engine import open_marts
    from orchestration.gate import verdicts
    from orchestration.judge.expectations import months_judged
    from orchestration.mapping.choice import choices
    from orchestration.operate.drops import is_ahead
    from orchestration.take_in.landing import discover, of_nobody
    from orchestration.take_in.pending import stays_by_another_clock
    from orchestration.transform import standing
    from orchestration.transform.closes import packets_lost

    left_alone = of_nobody(house, practices)
    discover(house, practices, up_to, left_alone, mapped=choices(house, practices))
    left_alone += stays_by_another_clock(house, {name: practice.time_zone for name, practice in practices.items()})

    with open_marts(house) as marts:
        rows = marts.execute(
            "select count(*), count(distinct practice_id), sum(rows_accepted), sum(rows_quarantined), sum(rows_superseded), sum(rows_filtered) "
            "from row_accounting"
        ).fetchall()[0]
        newest = marts.execute("select max(newest_night) from practice_nights").fetchall()[0][0]
        nights = marts.execute("select practice_id, newest_night from practice_nights order by practice_id").fetchall()
        rejected = marts.execute(
            """
            -- A file that could not be read at all says why in quarantine; one that was rejected for its header need have no line there.
            with unread as (
                select practice_id, extract_date, table_name, any_value(reason) as reason
                from quarantine where line_number = 0 group by practice_id, extract_date, table_name
            )

            select practice_id || ' ' || extract_date || ' ' || table_name || ': ' || coalesce(unread.reason, close_holds.explanation)
            from close_holds left join unread using (practice_id, extract_date, table_name)
            where kind = 'rejected_file' and not is_accepted order by all
            """
        ).fetchall()
        holds = marts.execute(
            """
            select practice_id || ' ' || extract_date || ' ' || table_name || ': ' || explanation || ' (' || measure || ')' from close_holds
            where kind = 'drift' and not is_accepted order by practice_id, extract_date, table_name, measure, column_name
            """
        ).fetchall()
        wrong_npis = _wrong_npis(marts)
        cheap, twice = _charged_below(marts), [*_claimed_twice(marts), *_claimed_by_two(marts)]
        hidden = marts.execute("select count(*) from close_holds where holds_what = 'claim' and not is_accepted").fetchall()[0][0]
    overdue = [f.detail for f in months_judged(house) if not f.passed and f.severity == "error"]
    again = standing.last(house)
    return {
        "files": rows[0],
        "practices": rows[1],
        "rows_accepted": int(rows[2] or 0),
        "rows_quarantined": int(rows[3] or 0),
        "rows_superseded": int(rows[4] or 0),
        "rows_filtered": int(rows[5] or 0),
        "newest_night": newest,
        "rejected": [row[0] for row in rejected],
        "left_alone": left_alone,
        "came_in_part": _came_in_part(house, {name: night for name, night in nights if name in practices}),
        "dated_ahead": [
            f"{name}: its newest night is {night}, and with it the practice's today; if the date is mistyped close nothing and see `ccm doctor`"
            for name, night in nights
            if name in practices and is_ahead(practices[name], night, datetime.now(UTC))
        ],
        "charged_below_allowed": cheap,
        "claimed_twice": twice,
        "wrong_npis": wrong_npis,
        "listed_twice": _listed_twice(house),
        "packets_lost": [name for name in packets_lost(house) if name.partition("/")[0] in practices],
        "not_delivered": [f"{practice_id}: {fault}" for practice_id, fault in faults(house, practices).items()],
        "failed_checks": verdicts.failed(house),
        "held_until_accepted": [row[0] for row in holds],
        "quarantined_facts": hidden,
        "undocumented_overdue": overdue,
        "decided_again": asdict(again) if again else None,
        "marts": house.marts,
    }
