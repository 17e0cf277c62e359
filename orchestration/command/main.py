"""The `ccm` command. Every subcommand says what, where and what to do when something is wrong, and exits non-zero without a traceback."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orchestration.house import House, HouseError, write_private
from orchestration.practices import Practice, load_practices

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Chronic Care Management billing capture.")
importers = typer.Typer(no_args_is_help=True, help="Turns public or foreign exports into landed extracts.")
app.add_typer(importers, name="import")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

REFUSED = 3

Home = Annotated[Path | None, typer.Option("--home", help="The home folder; else CCM_HOME, else ./data of the checkout.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def _house(home: Path | None) -> House:
    return House(home.expanduser().resolve()) if home else House.from_environment()


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HouseError(f"--date {text!r}: write the night as YYYY-MM-DD") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def _print_json(value: Any) -> None:
    print(json.dumps(value, default=_plain, indent=1, sort_keys=True))


def _zones(practices: dict[str, Practice]) -> dict[str, str]:
    return {practice_id: practice.time_zone for practice_id, practice in practices.items()}


def _run_nightly(house: House, practices: dict[str, Practice], up_to: date | None, full: bool, pipeline: Any = None) -> Any:
    """Takes in and rebuilds; gives the pipeline back so that a demo can go on with it. HouseError when the run failed.

    With nothing new and the marts up to date there is nothing to run.
    """
    from orchestration.command.running import Pipeline, work_to_do
    from orchestration.transform.state import build_inputs, is_up_to_date

    work = work_to_do(house, _zones(practices), up_to)
    if work is None:
        raise HouseError(f"{house.landing}: nothing has landed; put extracts into landing/<practice_id>/<YYYY-MM-DD>/<table>.csv")
    if not work.is_new and not full and (house.lake / "batches").exists() and is_up_to_date(house, build_inputs(house)):
        return pipeline
    pipeline = pipeline or Pipeline(house)
    result = pipeline.nightly(work.night, full=full)
    if not result.success:
        raise HouseError("the night did not finish:\n" + "\n".join(f"  {line}" for line in result.errors))
    return pipeline


@app.command()
def nightly(
    date: Annotated[str | None, typer.Option("--date", help="Take in landed nights up to this one (YYYY-MM-DD); else all.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Rebuild everything from the lake.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Takes in every landed night that is new or changed, rebuilds, runs the checks, publishes the marts."""
    house = _house(home).prepare()
    practices = load_practices(house.practices_yaml)
    started = time.monotonic()
    with err.status("Taking in, judging, rebuilding, publishing ..."):
        _run_nightly(house, practices, _day(date), full)
    summary = _night_summary(house)
    if as_json:
        _print_json(summary)
        return
    out.print(
        f"Taken in: {summary['files']} files of {summary['practices']} practices up to {summary['newest_night']}, "
        f"{summary['rows_accepted']:,} rows accepted, {summary['rows_quarantined']:,} in quarantine, {summary['rows_superseded']:,} superseded."
    )
    for line in summary["rejected"]:
        out.print(f"[red]Rejected[/red] {line}")
    for line in summary["failed_checks"]:
        out.print(f"[red]Check failed[/red] {line}")
    out.print(f"Published: {house.marts}  ({time.monotonic() - started:.1f} s)")
    out.print("Next: `ccm status`, and `ccm close --month YYYY-MM --approved-by NAME` once a month is over.")


def _night_summary(house: House) -> dict[str, Any]:
    import duckdb

    from orchestration.gate import verdicts

    with duckdb.connect(str(house.marts), read_only=True) as marts:
        rows = marts.execute(
            "select count(*), count(distinct practice_id), sum(rows_accepted), sum(rows_quarantined), sum(rows_superseded) from row_accounting"
        ).fetchall()[0]
        newest = marts.execute("select max(newest_night) from practice_nights").fetchall()[0][0]
        rejected = marts.execute(
            """
            select practice_id || ' ' || extract_date || ' ' || table_name || ': ' || any_value(reason)
            from quarantine where line_number = 0 group by practice_id, extract_date, table_name order by all
            """
        ).fetchall()
    failed = [
        f"{finding.asset} {finding.check} ({', '.join(finding.practice_ids) or 'all practices'}): {finding.detail}"
        for source in ("dbt", "great_expectations")
        if (verdict := verdicts.load(house, source)) is not None  # type: ignore[arg-type]
        for finding in verdict.findings
        if not finding.passed and finding.severity == "error"
    ]
    return {
        "files": rows[0],
        "practices": rows[1],
        "rows_accepted": int(rows[2] or 0),
        "rows_quarantined": int(rows[3] or 0),
        "rows_superseded": int(rows[4] or 0),
        "newest_night": newest,
        "rejected": [row[0] for row in rejected],
        "failed_checks": failed,
        "marts": house.marts,
    }


def _run_close(
    pipeline: Any,
    practices: dict[str, Practice],
    month: date,
    approved_by: str,
    practice: str | None,
    waive: str | None,
) -> tuple[list[dict[str, Any]], bool]:
    """Closes a month; one dict per practice (closed, nothing new, or refused with its reasons), and whether any was refused."""
    if practice is not None and practice not in practices:
        raise HouseError(f"--practice {practice}: not in practices.yaml; it has {', '.join(practices)}")
    result = pipeline.month_end(month, approved_by, [practice] if practice else None, waive)
    if not result.success:
        raise HouseError("the close did not finish:\n" + "\n".join(f"  {line}" for line in result.errors))
    rows: list[dict[str, Any]] = []
    for ruling in result.outputs["gate__rulings"]:
        if not ruling.may_close:
            rows.append(
                {
                    "practice_id": ruling.practice_id,
                    "month": f"{month:%Y-%m}",
                    "outcome": "refused",
                    "reasons": list(ruling.refusals),
                }
            )
    for one in result.outputs["close__packets"]:
        if isinstance(one, str):
            practice_id, _, reason = one.partition(": ")
            rows.append({"practice_id": practice_id, "month": f"{month:%Y-%m}", "outcome": "refused", "reasons": [reason]})
            continue
        rows.append(
            {
                "practice_id": one.practice_id,
                "month": f"{month:%Y-%m}",
                "outcome": "closed" if one.version else "nothing new",
                "version": one.version,
                "claims": one.claims,
                "allowed_amount": one.allowed_amount,
                "charge_amount": one.charge_amount,
                "held": one.held,
                "packet": one.packet,
                "claim_file": one.claim_file,
            }
        )
    rows.sort(key=lambda row: row["practice_id"])
    return rows, any(row["outcome"] == "refused" for row in rows)


def _print_close(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        if row["outcome"] == "refused":
            out.print(f"[red]{row['practice_id']} {row['month']}: refused[/red]")
            for reason in row["reasons"]:
                out.print(f"   {reason}")
        elif row["outcome"] == "nothing new":
            out.print(f"{row['practice_id']} {row['month']}: nothing new to close, {row['held']} held")
        else:
            out.print(
                f"[green]{row['practice_id']} {row['month']}: closed v{row['version']}[/green], {row['claims']} claims, "
                f"${row['allowed_amount']:,.2f} allowed, {row['held']} held"
            )
            out.print(f"   {row['claim_file'] or row['packet']}")


@app.command()
def close(
    month: Annotated[str, typer.Option("--month", help="The month to close, YYYY-MM.")],
    approved_by: Annotated[str, typer.Option("--approved-by", help="Who approves these claims.")],
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice.")] = None,
    waive: Annotated[str | None, typer.Option("--waive", help="Release what is held, with the reason; recorded.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Closes a month: claims go out, what undocumented time would change is held. Exit 3 when the gate refused a practice."""
    from orchestration.command.months import month_of
    from orchestration.command.running import Pipeline

    house = _house(home).prepare()
    practices = load_practices(house.practices_yaml)
    wanted = month_of(month)
    if not approved_by.strip():
        raise HouseError("--approved-by: a close needs the name of a person who approves it")
    if waive is not None and not waive.strip():
        raise HouseError("--waive: say why the held patient-months go out; the reason is recorded")
    with err.status(f"Closing {month} ..."):
        rows, refused = _run_close(Pipeline(house), practices, wanted, approved_by, practice, waive)
    if as_json:
        _print_json(rows)
    else:
        _print_close(rows)
    if refused:
        raise typer.Exit(REFUSED)


@app.command()
def status(
    month: Annotated[str | None, typer.Option("--month", help="Only this month, YYYY-MM; else all.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Per practice and month: funnel, minutes, claimable, held, at stake, days to close."""
    from orchestration.answer.status import months_status
    from orchestration.command.months import month_of

    house = _house(home)
    practices = load_practices(house.practices_yaml)
    rows = months_status(house, practices, month_of(month) if month else None)
    if as_json:
        _print_json(rows)
    else:
        _print_status(rows)


def _print_status(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Care management by practice and month", title_justify="left", pad_edge=False)
    for name in ("practice", "month", "panel", "eligible", "consented", "active", "minutes"):
        table.add_column(name, justify="left" if name in ("practice", "month") else "right", no_wrap=True)
    for name in ("claimable", "claimed", "held", "at stake", "to close"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        funnel = row["funnel"]
        table.add_row(
            row["practice_id"],
            f"{row['month']:%Y-%m}",
            str(funnel["panel"]),
            str(funnel["eligible"]),
            str(funnel["consented"]),
            str(funnel["active"]),
            f"{int(row['credited_minutes'] or 0):,}",
            f"${row['claimable_amount']:,.2f}",
            f"${row['claimed_amount']:,.2f}",
            f"{row['held']} / ${row['held_amount']:,.2f}",
            f"${row['at_stake_amount']:,.2f}",
            "closed v" + str(row["close_version"]) if row["close_version"] else f"{row['days_to_close']} days",
        )
    Console(width=max(out.width, 150), highlight=False).print(table)


@app.command()
def demo(
    home: Home = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes other practices.")] = 2026,
    as_json: Json = False,
) -> None:
    """Makes a demo home of several practices, takes in its nights, closes its months as they fall due, shows the result."""
    from orchestration.answer.status import months_status
    from orchestration.command.running import Pipeline
    from orchestration.demo import make_demo

    house = _house(home)
    marker = house.state / "demo.json"
    if house.practices_yaml.exists() and not marker.exists():
        raise HouseError(f"{house.root}: holds practices of your own; name another folder with --home or CCM_HOME")
    house.prepare()
    write_private(marker, json.dumps({"seed": seed}))
    started = time.monotonic()
    pipeline = None
    closes: list[dict[str, Any]] = []
    with err.status("Landing several practices' nights ...") as state:
        plan = make_demo(house.root, seed=seed)
        practices = load_practices(house.practices_yaml)
        for month, night in plan.closes:
            state.update(f"Taking in the nights up to {night} ...")
            pipeline = _run_nightly(house, practices, night, False, pipeline) or Pipeline(house)
            state.update(f"Closing {month:%Y-%m} ...")
            closes += _run_close(pipeline, practices, month, "Demo Approver", None, None)[0]
        # What was documented after the close of the last month but one goes out as its supplement.
        supplement, _ = plan.closes[-2]
        state.update(f"Closing what became claimable in {supplement:%Y-%m} since ...")
        closes += _run_close(pipeline, practices, supplement, "Demo Approver", None, None)[0]
    rows = months_status(house, practices)
    if as_json:
        _print_json({"closes": closes, "months": rows, "home": house.root})
        return
    _print_close(closes)
    out.print()
    _print_status(rows)
    out.print(f"\nClaim files, {time.monotonic() - started:.0f} s in all:")
    for row in rows:
        for path in row["claim_files"]:
            out.print(f"  {house.root / path}")
    out.print(
        f"\nLook further (with CCM_HOME={house.root}): `ccm status`, `ccm ui` for the asset graph, "
        f"any DuckDB client on {house.marts}, held.csv beside each claim file."
    )


@app.command()
def scrub(files: Annotated[list[Path], typer.Argument(help="837P files.")], as_json: Json = False) -> None:
    """Judges 837P files with the scrub and pyx12 that the close uses; exit 1 if there is a fault."""
    from orchestration.close.x12.validate import judge

    found: dict[str, list[dict[str, Any]]] = {}
    for path in files:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise HouseError(f"{path}: cannot be read ({error.strerror})") from None
        found[str(path)] = [
            {"claim_id": f.claim_id, "segment": f.segment, "field": f.field, "rule": f.rule, "message": f.message}
            for f in judge(content)
        ]
    if as_json:
        _print_json(found)
    else:
        for name, faults in found.items():
            out.print(f"{name}: {f'{len(faults)} faults' if faults else 'no fault'}")
            for fault in faults:
                out.print(f"  {fault['message']}", markup=False)
    if any(found.values()):
        raise typer.Exit(1)


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1.")] = 3000,
    home: Home = None,
) -> None:
    """Dagster's web interface on 127.0.0.1, with the schedules on."""
    from orchestration.command.running import prepare_environment
    from orchestration.house import PROJECT_ROOT

    house = _house(home)
    prepare_environment(house)
    dagster = Path(sys.executable).with_name("dagster")
    out.print(f"Dagster on http://127.0.0.1:{port} for {house.root}; stop it with Ctrl-C.")
    os.execv(
        str(dagster),
        [str(dagster), "dev", "-h", "127.0.0.1", "-p", str(port), "-w", str(PROJECT_ROOT / "workspace.yaml")],
    )


@importers.command("synthea")
def import_synthea_command(
    source: Annotated[Path, typer.Argument(help="Folder of a Synthea CSV export.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Lands a Synthea population: real panel and scheduling facts; consents, time and coverage choice are overlaid by the demo generator."""
    from orchestration.importers.synthea import import_synthea

    house = _house(home).prepare()
    with err.status("Reading the export and landing its nights ..."):
        report = import_synthea(source, house)
    if as_json:
        _print_json(report.to_json())
    else:
        out.print(report.to_text(), markup=False)


def main() -> None:
    """Console script. A HouseError is printed as it is; anything else is our defect: its traceback goes to a private file."""
    try:
        app(standalone_mode=True)
    except HouseError as error:
        err.print(f"ccm: {error}", markup=False, style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        err.print("ccm: stopped; run the same command again, nothing is half done")
        sys.exit(130)
    except Exception as error:
        log = House.from_environment().state / "ccm-errors.log"
        # The frames without the message: a library's message may quote a value of a patient.
        frames = "".join(traceback.format_tb(error.__traceback__))
        text = f"{datetime.now(UTC).isoformat()} {type(error).__name__}\n{frames}\n"
        try:
            write_private(log, (log.read_text() if log.exists() else "") + text)
        except OSError:
            log = Path("(could not be written)")
        err.print(
            f"ccm: {type(error).__name__}: this is a defect of ccm, not of your data; the details are in {log}",
            style="red",
        )
        sys.exit(1)
