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

from orchestration.house import House, HouseError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Chronic Care Management billing capture.")

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

Home = Annotated[Path | None, typer.Option("--home", help="The home folder; else CCM_HOME, else ./data of the checkout.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def house_of(home: Path | None) -> House:
    """The home that --home names, else CCM_HOME, else `data/` of the checkout."""
    return House(home.expanduser().resolve()) if home else House.from_environment()


def day_of(option: str, text: str | None, what: str = "day") -> date | None:
    """'YYYY-MM-DD' of an option as a date, None for none; HouseError for anything else."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise HouseError(f"{option} {text!r}: write the {what} as YYYY-MM-DD") from None


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
