"""`ccm diff`: what became of a month between two closes, or since a close."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import typer

from orchestration.answer.difference import Difference, compare
from orchestration.answer.explain import Source, of_marts, of_packet
from orchestration.command.common import Home, Json, app, err, house_of, out, print_json
from orchestration.command.months import month_of
from orchestration.house import House, HouseError
from orchestration.money import in_dollars
from orchestration.practices import load_practices


@app.command()
def diff(
    month: Annotated[str, typer.Option("--month", help="The month, YYYY-MM.")],
    before: Annotated[str, typer.Option("--from", help="A version, such as v1.")],
    after: Annotated[str, typer.Option("--to", help="A version, or live: the marts as they stand.")] = "live",
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Patient-months, minutes, codes and dollars that differ between two states of a month, each with the row that did it."""
    from orchestration.close.versions import packets, versions

    house, day = house_of(home), month_of(month)
    configured = list(load_practices(house.practices_yaml))
    # A practice that has left practices.yaml keeps its closes, and has no marts.
    closed = {packet.practice_id for packet in packets(house, month=day)}
    left = sorted(closed - set(configured))
    known = [*configured, *left]
    if practice is not None and practice not in known:
        raise HouseError(f"--practice {practice}: not in practices.yaml; it has {', '.join(configured)}")
    wanted = [practice] if practice else [one for one in known if versions(house, one, day)]
    if practice is None and "live" in (before, after):
        for one in [one for one in wanted if one in left]:
            err.print(f"{one} {month}: left out, it is not in practices.yaml and has no marts; name two versions")
            wanted.remove(one)
    if not wanted:
        raise HouseError(f"{month}: no practice has closed it; `ccm status` shows which months are closed")
    named = {number for number in map(_number, (before, after)) if number is not None}
    if practice is None:
        lacking = {one: sorted(named - set(versions(house, one, day))) for one in wanted}
        wanted = [one for one in wanted if not lacking[one]]
        if not wanted:
            raise HouseError(
                f"{month}: no practice has {' and '.join(f'v{number}' for number in sorted(named))} of it; `ccm status` shows the versions"
            )
        for one, numbers in lacking.items():
            if numbers:
                err.print(f"{one} {month}: left out, it has no {' and '.join(f'v{number}' for number in numbers)}")
    found = []
    for one in wanted:
        with ExitStack() as stack:
            sides = [stack.enter_context(_source(house, one, side, day)) for side in (before, after)]
            found.append(compare(sides[0], sides[1], one, day))
    if as_json:
        print_json([_as_json(difference) for difference in found])
        return
    for difference in found:
        _print(difference)


def _source(house: House, practice_id: str, side: str, month: date) -> AbstractContextManager[Source]:

    from orchestration.close.versions import packet_folder

    number = _number(side)
    return of_marts(house, practice_id) if number is None else of_packet(house, packet_folder(house, practice_id, month, number))


def _number(side: str) -> int | None:
    """The number of a version; None for the live marts."""
    if side == "live":
        return None
    if not side.removeprefix("v").isdecimal():
        raise HouseError(f"{side!r}: write a version as v1, v2, ... or live")
    return int(side.removeprefix("v"))


def _as_json(difference: Difference) -> dict[str, object]:
    return {
        "practice_id": difference.practice_id,
        "month": f"{difference.month:%Y-%m}",
        "from": difference.before,
        "to": difference.after,
        "nights": difference.nights,
        "totals": difference.totals,
        "claimed_as_drafted": difference.claimed_as_drafted,
        "rules": difference.rules,
        "settings": difference.settings,
        "changes": [
            {
                "patient_id": change.patient_id,
                "before": change.before,
                "after": change.after,
                "dollars": change.dollars,
                "causes": change.causes,
            }
            for change in difference.changes
        ],
    }


def _print(difference: Difference) -> None:
    out.print(
        f"{difference.practice_id} {difference.month:%Y-%m}: {difference.before} -> {difference.after}, {len(difference.changes)} patient-months "
        f"differ; {difference.claimed_as_drafted} more were claimed as they stood",
        style="bold",
    )
    for name, (one, other) in difference.totals.items():
        out.print(f"  {name}: {_amount(one)} -> {_amount(other)} ({_amount(other - one, signed=True)})")
    for said in (*difference.rules, *difference.settings):
        out.print(f"  {said}", style="yellow")
    for change in difference.changes:
        one, other = change.before, change.after
        out.print(
            f"  {change.patient_id}: {_decided(one)} -> {_decided(other)}, "
            f"{one['credited_seconds'] // 60} -> {other['credited_seconds'] // 60} minutes, "
            f"{', '.join(one['codes']) or 'no code'} -> {', '.join(other['codes']) or 'no code'}, {in_dollars(change.dollars, signed=True)}"
            + (
                f", claim {one['claim_id'] or 'none'} -> {other['claim_id'] or 'none'}"
                if one["claim_id"] != other["claim_id"]
                else ""
            ),
        )
        for cause in change.causes:
            out.print(f"      {cause}")


def _amount(value: int | Decimal, *, signed: bool = False) -> str:
    """A count, or dollars."""
    if isinstance(value, Decimal):
        return in_dollars(value, signed=signed)
    return f"{value:+,}" if signed else f"{value:,}"


def _decided(row: Mapping[str, Any]) -> str:
    if row["decision"] is None:
        return "in no extract"
    back = f", kept back as {row['kept_back'].partition(':')[0]}" if row["kept_back"] else ""
    return f"{row['decision']} ({row['reason']}{back})"
