"""`ccm worklist`: what someone should do next, and what can wait."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from orchestration.command.common import App, Home, Json, Screen, app, day_of, err, house_of, out, print_json
from orchestration.house import House, HouseError
from orchestration.money import in_dollars

worklists = App(invoke_without_command=True, help="What someone should do next, with its worth; `dismiss` puts an item off.")
app.add_typer(worklists, name="worklist")

# As many rows as a terminal shows; the files and --json have them all.
SHOWN = 40


@dataclass(frozen=True)
class _Before:
    """The options that stand before `dismiss`: they mean there what they mean behind it."""

    home: Path | None
    practice: str | None
    as_json: bool


@worklists.callback()
def worklist(
    context: typer.Context,
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice.")] = None,
    month: Annotated[str | None, typer.Option("--month", help="Only this month, YYYY-MM.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only this kind, such as missing_note.")] = None,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="Show what was put off instead.")] = False,
    with_names: Annotated[
        bool,
        typer.Option(
            "--with-names", help="Write the list with names and phone numbers to a private file; prints its path, no name."
        ),
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """The work list, most dollars first. Every night it is also written to worklists/<practice_id>/<night>.xlsx and .csv."""
    if context.invoked_subcommand is not None:
        context.obj = _Before(home, practice, as_json)
        if others := [
            name
            for name, given in (("--month", month), ("--kind", kind), ("--dismissed", dismissed), ("--with-names", with_names))
            if given
        ]:
            raise HouseError(f"{others[0]}: chooses what is shown, and `dismiss` puts off the items that it names; leave it out")
        return
    from orchestration.answer.worklist import has_month, kinds, newest_nights, work_items
    from orchestration.command.months import month_of, nobody_has

    house = house_of(home)
    nights = newest_nights(house)
    _known("--practice", practice, list(nights))
    _known("--kind", kind, [name for name, _ in kinds(house)])
    first_day = month_of(month) if month else None
    items = work_items(house, practice, first_day, kind, dismissed=dismissed)
    if with_names:
        from orchestration.answer.worklist_files import write_with_names

        files: list[Path] = []
        for name in sorted({item.practice_id for item in items}):
            files += write_with_names(house, name, [item for item in items if item.practice_id == name])
        if as_json:
            print_json({"files": files})
        elif not files:
            out.print("Nothing to write: no item is asked for.")
        else:
            for path in files:
                out.print(str(path))
            err.print("With names and phone numbers: for the office alone; delete them when the work is done.")
        return
    if as_json:
        print_json([{name: value for name, value in asdict(item).items() if name != "fact_fingerprint"} for item in items])
        return
    # A month that no extract speaks of any more may still ask for what was paid for it.
    if first_day and not items and not has_month(house, first_day, practice):
        whose = f"{practice} does not have" if practice else "no practice has"
        for said in nobody_has(house, first_day, [practice] if practice else nights, whose):
            out.print(said)
        return
    _print(items, nights)
    for path in _files(house, sorted({item.practice_id for item in items}), nights):
        out.print(str(path))


def _known(option: str, value: str | None, known: list[str]) -> None:
    if value is not None and value not in known:
        raise HouseError(f"{option} {value}: is not known; there is {', '.join(known)}")


def _files(house: House, practice_ids: list[str], nights: dict[str, date]) -> list[Path]:
    paths = [house.worklists / practice_id / f"{nights[practice_id]}.xlsx" for practice_id in practice_ids]
    return [path for path in paths if path.exists()]


def _print(items: list[Any], nights: dict[str, date]) -> None:
    title = f"Work list as of {', '.join(sorted({str(nights[item.practice_id]) for item in items})) or 'the newest nights'}"
    table = Table(title=title, title_justify="left", pad_edge=False)
    for name in ("worth", "due", "last day", "practice", "patient", "who", "min", "what to do", "item"):
        table.add_column(name, justify="right" if name in ("worth", "min") else "left", no_wrap=name not in ("what to do", "item"))
    for item in items[:SHOWN]:
        table.add_row(
            in_dollars(item.dollars_at_stake),
            f"{item.due_on}",
            f"{item.last_day}",
            item.practice_id,
            item.patient_id,
            item.member_id or "billing office",
            "" if item.minutes is None else f"{item.minutes}",
            item.detail,
            item.item_id,
        )
    Screen(width=max(out.width, 180)).print(table)
    total = sum((item.dollars_at_stake for item in items), start=0)
    more = f"; the first {SHOWN} are shown, --json has them all" if len(items) > SHOWN else ""
    out.print(f"{len(items)} items, {in_dollars(total)}{more}.")


@worklists.command("dismiss")
def dismiss(
    context: typer.Context,
    items: Annotated[
        list[str],
        typer.Argument(help="The item_id, as the list shows it; several if they wait for the same reason.", metavar="ITEM..."),
    ],
    until: Annotated[str, typer.Option("--until", help="The day on which it comes back, YYYY-MM-DD.")],
    why: Annotated[str, typer.Option("--why", help="Why it can wait; recorded.")],
    practice: Annotated[str | None, typer.Option("--practice", help="Where several practices have an item of this id.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; else the user of this machine.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Puts items off until a day. An item comes back on that day, or as soon as its facts change."""
    from orchestration.answer.dismissals import dismiss as put_off

    before: _Before = context.obj
    if practice and before.practice and practice != before.practice:
        raise HouseError(f"--practice {before.practice} and --practice {practice}: name one")
    practice, as_json = practice or before.practice, as_json or before.as_json
    house = house_of(home or before.home)
    day = day_of("--until", until)
    assert day is not None  # it is asked for
    with err.status("Putting it off ..."):
        done = put_off(house, items, day, why, practice, by)
    if as_json:
        print_json(
            [
                {
                    "practice_id": item.practice_id,
                    "item_id": item.item_id,
                    "dismissed_until": done.until,
                    "is_listed": done.is_listed,
                }
                for item in done.items
            ]
        )
        return
    for item in done.items:
        out.print(f"{item.practice_id} {item.item_id}: put off until {done.until}.")
    if not done.is_listed:
        out.print("Landed files or settings wait to be taken in: `ccm nightly` takes it off the list.")
