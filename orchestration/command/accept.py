"""`ccm accept`: what waits before a close, accepted by somebody with a name and a reason."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from orchestration.answer.holds import Hold
from orchestration.command.common import Home, Json, Screen, app, day_of, err, house_of, out, print_json


@app.command()
def accept(
    practice: Annotated[str | None, typer.Option("--practice", help="The practice.")] = None,
    night: Annotated[str | None, typer.Option("--night", help="The night of the file, YYYY-MM-DD.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="The extract table, such as time_entries.")] = None,
    measure: Annotated[str | None, typer.Option("--measure", help="Only this drift, such as rows_in_week.")] = None,
    line: Annotated[list[int] | None, typer.Option("--line", help="Only this row in quarantine; may be given again.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who accepts; recorded.")] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why it is right as it is, or can be done without; recorded.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Only show what waits to be accepted.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Accepts what holds a practice's close or a patient's claim: drift of a night's file, the loss of a rejected one, a row in quarantine."""
    from orchestration.answer.holds import Wanted, holds, record_acceptance

    house = house_of(home)
    wanted = Wanted(practice, day_of("--night", night, "night"), table, measure, tuple(line or ()))
    if show:
        _print([hold for hold in holds(house, wanted) if not hold.is_accepted], as_json)
        return
    with err.status("Accepting ..."):
        done = record_acceptance(house, wanted, by, reason)
    if as_json:
        print_json({"accepted": [asdict(hold) for hold in done.holds], "is_published": done.is_published})
        return
    for hold in done.holds:
        out.print(f"{hold.practice_id} {hold.what}: accepted by {done.by}.", markup=False)
    if not done.is_published:
        out.print("Landed files or settings wait to be taken in: it counts from the next `ccm nightly` on.")


def _print(waiting: list[Hold], as_json: bool) -> None:
    if as_json:
        print_json([asdict(hold) for hold in waiting])
        return
    table = Table(title="Waits to be mended or accepted", title_justify="left", pad_edge=False)
    for name in ("practice", "night", "table", "measure", "line", "holds", "why"):
        table.add_column(name, no_wrap=name != "why")
    for hold in waiting:
        table.add_row(
            hold.practice_id,
            f"{hold.extract_date}",
            hold.table_name,
            hold.measure or hold.kind,
            "" if hold.line_number is None else f"{hold.line_number}",
            f"the claim of {hold.patient_id}" if hold.holds_what == "claim" else "the close",
            hold.explanation + ("" if hold.is_acceptable else "; cannot be accepted: stands until a later file is"),
        )
    Screen(width=max(out.width, 180)).print(table)
    out.print(
        f"{len(waiting)} wait. `ccm accept --practice P --night N --table T [--measure M] [--line L] --by NAME --reason TEXT`"
        if waiting
        else "Nothing waits.",
        markup=False,
    )
