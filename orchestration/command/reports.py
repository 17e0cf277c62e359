"""`ccm report`: the one-file reports for the manager's mail."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.command.common import Home, Json, app, house_of, out, print_json


@app.command()
def report(
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice.")] = None,
    month: Annotated[
        str | None, typer.Option("--month", help="Only the closes of this month, YYYY-MM; else also the newest night.")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Writes what is new of reports/<practice_id>/<night>.html and <YYYY-MM>-v<N>.html, and says where they are. Every night and close does so too."""
    from orchestration.answer.report import write_reports
    from orchestration.close.versions import packets
    from orchestration.command.months import month_of

    house, first_day = house_of(home), month_of(month) if month else None
    reports = write_reports(house, [practice] if practice else None, first_day)
    if as_json:
        print_json(
            [
                {
                    "practice_id": one.practice_id,
                    "month": one.month,
                    "close_version": one.close_version,
                    "path": one.path,
                    "is_new": one.is_new,
                }
                for one in reports
            ]
        )
        return
    for one in reports:
        out.print(f"{one.path}{'' if one.is_new else '  (as before)'}")
    if not reports:
        is_closed = first_day is not None and packets(house, practice, first_day)
        why = (
            f"{month} is closed, and nothing is published of it any more or its packet cannot be read (`ccm doctor`)"
            if is_closed
            else "no such month is closed"
        )
        out.print(f"Nothing to report: {why}.")
