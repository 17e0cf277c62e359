"""What the office asks every morning: `ccm status`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from orchestration.command.common import Home, Json, Screen, app, house_of, out, print_json
from orchestration.money import in_dollars
from orchestration.practices import load_practices


@app.command()
def status(
    month: Annotated[str | None, typer.Option("--month", help="Only this month, YYYY-MM; else all.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Per practice and month: funnel, minutes, claimable, held, at stake, days to close."""
    from orchestration.answer.status import months_status, not_taken_in
    from orchestration.command.months import month_of, nobody_has

    house = house_of(home)
    practices = load_practices(house.practices_yaml)
    first_day = month_of(month) if month else None
    rows = months_status(house, practices, first_day)
    if as_json:
        print_json(rows)
        return
    print_status(rows)
    if first_day and not rows:
        for said in nobody_has(house, first_day, practices):
            out.print(said)
    if not month:
        missing = sorted(practices.keys() - {row["practice_id"] for row in rows})
        rejected = not_taken_in(house) if missing else set()
        for practice_id in missing:
            if practice_id in rejected:
                out.print(f"{practice_id}: nothing that landed could be taken in; `ccm nightly` says why")
            else:
                out.print(f"{practice_id}: no night has been taken in; land one and run `ccm nightly`")


def print_status(rows: list[dict[str, Any]]) -> None:
    table = Table(title="Care management by practice and month", title_justify="left", pad_edge=False)
    for name in ("practice", "month", "panel", "eligible", "consented", "active", "minutes"):
        table.add_column(name, justify="left" if name in ("practice", "month") else "right", no_wrap=True)
    for name in ("claimable", "claimed", "held", "at stake", "missed", "to close"):
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
            in_dollars(row["claimable_amount"]),
            in_dollars(row["claimed_amount"]),
            f"{row['held']} / {in_dollars(row['held_amount'])}",
            in_dollars(row["at_stake_amount"]),
            in_dollars(row["not_captured_amount"]),
            "closed v" + str(row["close_version"]) if row["close_version"] else f"{row['days_to_close']} days",
        )
    Screen(width=max(out.width, 150)).print(table)
