"""`ccm access`: who did what, when, on whose data."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

import typer
from rich.table import Table

from orchestration.access import NAME, read, since, touched
from orchestration.command.common import Home, Json, Screen, app, day_of, err, house_of, out, print_json
from orchestration.lists import few

_IN_COLUMNS = ("practice_id", "practice_ids", "month", "patient_id")


@app.command("access")
def access_command(
    practice: Annotated[
        str | None, typer.Option("--practice", help="Only what touched this practice, by name or with all others.")
    ] = None,
    from_day: Annotated[str | None, typer.Option("--since", help="Only from this day on (UTC), YYYY-MM-DD.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """The access record of the home: every command, Dagster step and dashboard page, oldest first."""
    path = house_of(home).root / NAME
    entries, damaged = read(path)
    chosen = since(entries, day_of("--since", from_day), practice)
    if as_json:
        print_json(
            [
                {"at": one.at.isoformat(), "user": one.user, "command": one.command, "result": one.result, **one.about}
                for one in chosen
            ]
        )
    else:
        table = Table(title=f"Accesses in {path}", title_justify="left", pad_edge=False)
        for name in ("at (UTC)", "user", "command", "practice", "month", "patient", "more", "result"):
            table.add_column(name)
        for one in chosen:
            more = {name: value for name, value in one.about.items() if name not in _IN_COLUMNS}
            table.add_row(
                f"{one.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                one.user,
                one.command,
                few(touched(one)) or "all",
                str(one.about.get("month", "")),
                str(one.about.get("patient_id", "")),
                ", ".join(f"{name} {value}" for name, value in more.items()),
                one.result,
            )
        Screen(width=max(out.width, 160)).print(table)
    if damaged:
        err.print(f"{path}: {damaged} lines cannot be read; compare with the backup")
