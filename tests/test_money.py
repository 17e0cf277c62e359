"""How money is written to people: one way, in one place."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from orchestration.house import PROJECT_ROOT
from orchestration.money import in_dollars, price


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (Decimal("-49.17"), "-$49.17"), (Decimal("1234567.8"), "$1,234,567.80"), (0, "$0.00"), (-0.001, "$0.00"), ("-12.50", "-$12.50"),
        (Decimal("9999999999.99"), "$9,999,999,999.99"),
    ],
)  # fmt: skip
def test_an_amount_has_its_sign_before_the_dollar_and_its_cents(amount, written):
    assert in_dollars(amount) == written


def test_a_difference_has_a_plus_where_it_is_one_and_a_label_may_do_without_cents():
    assert [in_dollars(Decimal(amount), signed=True) for amount in ("2", "-2", "0")] == ["+$2.00", "-$2.00", "$0.00"]
    assert [in_dollars(amount, cents=False) for amount in (1234.4, -1234.5, -0.4)] == ["$1,234", "-$1,234", "$0"]
    assert (price(None), price(Decimal("-1"))) == ("no price", "-$1.00")


def test_nobody_else_writes_money():
    by_hand = re.compile(r"\$\{[^}]*:[+,]*\.[02]f\}|[-\u2212]\$|\$[-\u2212]|'\u2212'")
    pages = [path for kind in ("*.py", "*.j2") for path in (PROJECT_ROOT / "orchestration").rglob(kind) if path.name != "money.py"]
    assert len(pages) > 100
    found = [f"{path.name}: {one}" for path in pages for one in by_hand.findall(path.read_text(encoding="utf-8"))]
    assert not found, found
