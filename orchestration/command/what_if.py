"""`ccm what-if`: a month under other rules or another policy."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import typer
from rich.table import Table

from orchestration.command.common import Home, Json, app, day_of, err, house_of, out, print_json
from orchestration.house import HouseError
from orchestration.money import in_dollars, price


@app.command("what-if")
def what_if_command(
    month: Annotated[str, typer.Option("--month", help="The month, YYYY-MM.")],
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice; else all.")] = None,
    rules_as_of: Annotated[
        str | None,
        typer.Option(
            "--rules-as-of", help="Judge the whole month by the rule rows in force on this day, YYYY-MM-DD, fees included."
        ),
    ] = None,
    track_policy: Annotated[str | None, typer.Option("--track-policy", help="documented or highest_allowed.")] = None,
    practice_setting: Annotated[
        list[str] | None,
        typer.Option("--practice-setting", help="key=value of practices.yaml, such as close.final_day=25; may be repeated."),
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Computes a month under other rules, another policy or another setting beside the actual one; nothing of the home is touched."""
    from orchestration.command.months import month_of
    from orchestration.practices import Practice
    from orchestration.what_if.run import Question, what_if
    from orchestration.what_if.settings import parsed

    policies = get_args(Practice.model_fields["track_policy"].annotation)
    if track_policy is not None and track_policy not in policies:
        raise HouseError(f"--track-policy {track_policy!r}: is none; one of {', '.join(policies)}")
    settings = [parsed(text) for text in practice_setting or []]
    if track_policy is not None:
        settings.append(("track_policy", track_policy))
    if rules_as_of is None and not settings:
        raise HouseError(
            "what-if: say what is other than it is: --rules-as-of DATE, --track-policy POLICY or --practice-setting KEY=VALUE"
        )
    question = Question(month_of(month), practice, day_of("--rules-as-of", rules_as_of), settings)
    with err.status("Computing the month beside the actual one ..."):
        report = what_if(house_of(home), question)
    if as_json:
        asked = {"rules_as_of": question.rules_as_of, "settings": dict(settings)}
        print_json({"month": question.month, "what_if": asked, "practices": report})
        return
    for found in report:
        _print_practice(found)


def _change(before: object, after: object) -> str:
    return str(before) if before == after else f"{before} -> {after}"


def _print_practice(found: dict[str, Any]) -> None:
    dollars = found["dollars"]
    out.print(
        f"{found['practice_id']}: {found['differing']:,} of {found['patient_months']:,} patient-months differ, "
        f"{in_dollars(dollars['before'])} -> {in_dollars(dollars['after'])} ({in_dollars(dollars['difference'], signed=True)})",
    )
    if not found["differing"]:
        return
    kinds = ", ".join(f"{kind.replace('_', ' ')} {count:,}" for kind, count in found["differing_in"].items() if count)
    out.print(f"  They differ in: {kinds}")
    _table("By decision", ["decision", "patients", "dollars"], [
        [row["decision"], _change(row["patients_before"], row["patients_after"]), _change(in_dollars(row["dollars_before"]), in_dollars(row["dollars_after"]))]
        for row in found["decisions"]
    ])  # fmt: skip
    _table("By code", ["code", "units", "dollars"], [
        [row["procedure_code"], _change(row["units_before"], row["units_after"]), _change(in_dollars(row["dollars_before"]), in_dollars(row["dollars_after"]))]
        for row in found["codes"]
    ])  # fmt: skip
    _table("Who moves most", ["patient", "decision", "codes", "amount"], [
        [
            row["patient_id"],
            _change(f"{row['decision_before']} ({row['reason_before']})", f"{row['decision_after']} ({row['reason_after']})"),
            _change(row["codes_before"] or "none", row["codes_after"] or "none"),
            _change(price(row["amount_before"]), price(row["amount_after"])),
        ]
        for row in found["movers"]
    ])  # fmt: skip


def _table(title: str, header: list[str], rows: list[list[str]]) -> None:
    table = Table(title=title, title_justify="left", pad_edge=False)
    for name in header:
        table.add_column(name, justify="right" if name in ("units", "dollars", "amount", "patients") else "left")
    for row in rows:
        table.add_row(*row)
    out.print(table)
