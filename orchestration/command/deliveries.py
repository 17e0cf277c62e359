"""`ccm deliver`: fetches from the practices' servers, and says what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from orchestration.command.common import Home, Json, app, err, out, print_json, settled
from orchestration.house import HouseError
from orchestration.practices import load_practices


@app.command()
def deliver(
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice; else all that have a delivery.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Fetches complete nights from the practices' servers into landing/ (docs/delivery.md), as every night does first; exit 1 if one could not be read."""
    from orchestration.deliver.fetch import deliver as fetch

    house = settled(home)
    practices = load_practices(house.practices_yaml)
    if practice is not None and (practice not in practices or practices[practice].delivery is None):
        raise HouseError(f"--practice {practice}: no practice of {house.practices_yaml} with a `delivery`; docs/delivery.md")
    with err.status("Fetching ..."):
        outcomes = fetch(house, {name: one for name, one in practices.items() if practice in (None, name)})
    if as_json:
        print_json([asdict(one) for one in outcomes])
    elif not outcomes:
        out.print(f"No practice of {house.practices_yaml} has a `delivery` (docs/delivery.md).")
    for one in () if as_json else outcomes:
        out.print(f"{one.practice_id}: {len(one.fetched)} files fetched{': ' if one.fetched else ''}{', '.join(one.fetched)}")
        if one.waiting:
            out.print(f"  still being dropped: {', '.join(one.waiting)}", style="yellow")
        for what in one.left_alone:
            out.print(f"  left alone {what}", style="yellow")
        if one.fault:
            out.print(f"  {one.fault}", style="red")
    if any(one.fault for one in outcomes):
        raise typer.Exit(1)
