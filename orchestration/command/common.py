"""What every subcommand shares: the app, the consoles, the options that all of them take, and how results are printed."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup, TyperOption

from orchestration import access
from orchestration.engine import ensure_key_fits
from orchestration.house import House, HouseError
from orchestration.operate.backup import snapshot_around
from orchestration.practices import NO_PRACTICES


class _Once:
    """Refuses an option of one value that is given twice: the first would count for nothing, unsaid."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))  # type: ignore[attr-defined]
        for option in given:
            if isinstance(option, TyperOption) and not option.multiple and given.count(option) > 1:
                raise typer.BadParameter(f"is given {given.count(option)} times and takes one value", ctx, option)
        return super().parse_args(ctx, args)  # type: ignore[misc]


class _Command(_Once, TyperCommand):
    pass


class _Group(_Once, TyperGroup):
    pass


class App(typer.Typer):
    """An app all of whose commands do."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"cls": _Group, **settings})

    def command(self, *arguments: Any, **settings: Any) -> Any:
        return super().command(*arguments, **{"cls": _Command, **settings})


app = App(no_args_is_help=True, add_completion=False, help="Chronic Care Management billing capture.")

# What a terminal would obey instead of showing: control characters, and the marks that turn the direction of writing.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Screen(Console):
    """Shows text as it stands: ids, names and paths of extracts and settings are never markup, and never a command to the terminal."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Every text that is printed comes through here, the cells of tables as well."""
        return super().render_str(_OBEYED.sub(lambda found: repr(found[0])[1:-1], text), **settings)


out = Screen(soft_wrap=True)
err = Screen(stderr=True, soft_wrap=True)

REFUSED = 3

_asked: list[typer.Context] = []
_opened: list[House] = []


def _remember(context: typer.Context, home: Path | None) -> Path | None:
    """The option that every command on a home has tells which command it is, and with which options."""
    _asked[:] = [context]
    return home


Home = Annotated[
    Path | None,
    typer.Option("--home", help="The home folder; else CCM_HOME, else ./data of the checkout.", callback=_remember),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


# What of a command's options says on whose data it worked, by the name that the access record gives it. Free text and paths are not among them.
_RECORDED = {
    "practice": "practice_id", "patient": "patient_id", "month": "month", "version": "version", "date": "night", "kind": "kind",
    "items": "items", "reference": "reference", "approved_by": "by", "by": "by",
}  # fmt: skip
_RECORDED_FLAGS = ("full", "propose", "with_names", "dismissed", "entry", "live")


def house_of(home: Path | None) -> House:
    """The home that --home names, else CCM_HOME, else `data/` of the checkout. Every command asks here, so here its access is recorded.

    HouseError for a snapshot: whatever is written there, the access record before all, damages it and those that share its files."""
    house = House.at(home) if home else House.from_environment()
    if snapshot := snapshot_around(house.root):
        raise HouseError(
            f"{house.root}: is a snapshot of `ccm backup`, and a command there would damage it; to look into it, "
            f"`ccm restore {snapshot} --home NEW` and work in that folder"
        )
    if house.is_half_restored and not any(context.info_name == "restore" for context in _asked):
        raise HouseError(
            f"{house.root}: `ccm restore` is at work there or was killed, so that it is no whole home; once it has ended, "
            f"`ccm restore SNAPSHOT --home {house.root}` with the same snapshot begins again"
        )
    _opened[:] = [house]
    for context in _asked:
        asked = {name: value for one in _upwards(context) for name, value in one.params.items() if value is not None}
        about = {
            **{said: asked[name] for name, said in _RECORDED.items() if asked.get(name) is not None},
            **{name: True for name in _RECORDED_FLAGS if asked.get(name) is True},
        }
        recorded = access.begin(house, context.command_path.partition(" ")[2], about)
        if recorded.trouble:
            # Who may only read the home may still read it: that they did is said where they see it.
            err.print(recorded.trouble)
    ensure_key_fits(house)
    return house


def settled(home: Path | None) -> House:
    """The home as `house_of` has it, with its folders, for a command that works in one which somebody set up: HouseError where there is no practices.yaml,
    as in a folder that was mistyped; nothing is made there."""
    house = house_of(home)
    if not house.practices_yaml.exists():
        raise HouseError(f"{house.practices_yaml}: {NO_PRACTICES}")
    return house.prepare()


def house_at_work() -> House:
    """The home that the command opened (`house_of`); of one that opened none, the environment's."""
    return _opened[0] if _opened else House.from_environment()


def _upwards(context: Any) -> list[Any]:
    """A command's contexts, the outermost first."""
    return [*(_upwards(context.parent) if context.parent else []), context]


def day_of(option: str, text: str | None, what: str = "day") -> date | None:
    """'YYYY-MM-DD' of an option as a date, None for none; HouseError for anything else."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fault = "there is no such day" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else f"write the {what} as YYYY-MM-DD"
        raise HouseError(f"{option} {text!r}: {fault}") from None


def night_of(text: str | None) -> date | None:
    """The night that --date names."""
    return day_of("--date", text, "night")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(type(value).__name__)


def print_json(value: Any) -> None:
    """A result for machines: money with two decimals, dates ISO, keys sorted."""
    print(json.dumps(value, default=_plain, indent=1, sort_keys=True))
