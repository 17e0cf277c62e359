"""How money is written to people, on every screen, page and notice: $1,234.56, a minus sign before the dollar as spreadsheets have it. Claim files and what
machines read (CSV, JSON) have plain decimals."""

from __future__ import annotations

from decimal import Decimal


def in_dollars(amount: Decimal | float | str, *, cents: bool = True, signed: bool = False) -> str:
    """Dollars and cents, or whole dollars; `signed`: a difference, with a plus sign where it is one. `amount`: dollars, also as a manifest writes them."""
    value = Decimal(amount) if isinstance(amount, str) else amount
    text = f"{abs(value):,.2f}" if cents else f"{abs(value):,.0f}"
    if not text.strip("0.,"):
        return f"${text}"  # what is rounded to nothing has no sign
    return f"{'-' if value < 0 else '+' if signed else ''}${text}"


def price(amount: Decimal | float | None) -> str:
    """What the fee schedule makes of something, which may be nothing."""
    return "no price" if amount is None else in_dollars(amount)
