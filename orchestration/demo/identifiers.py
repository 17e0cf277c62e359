"""Made-up identifiers that pass their checks: NPIs with the right check digit, well-formed Medicare numbers."""

from __future__ import annotations

_MBI_LETTERS = "ACDEFGHJKMNPQRTUVWXY"  # CMS leaves out S, L, O, I, B and Z
_MBI_SHAPE = "CANNAANAANN"  # our filling of CMS's pattern: positions 3 and 6 may be either, here a digit and a letter
_MBI_COUNT = 9 * 20**5 * 10**5


def npi(number: int) -> str:
    """The NPI of a running number from 0 to 99,999,999 (Luhn over the digits behind 80840, 45 CFR 162.406)."""
    if not 0 <= number <= 99_999_999:
        raise ValueError(f"an NPI is made of a number of at most eight digits, not {number}")
    body = f"1{number:08d}"
    total = 24  # what the prefix 80840 contributes
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def mbi(number: int) -> str:
    """A well-formed Medicare Beneficiary Identifier for a running number; different numbers give different ones."""
    rest = (number * 2_654_435_761 + 104_729) % _MBI_COUNT  # a prime, so that neighbours do not look alike
    text = ""
    for kind in _MBI_SHAPE:
        if kind == "A":
            rest, digit = divmod(rest, 20)
            text += _MBI_LETTERS[digit]
        elif kind == "C":  # 1 to 9
            rest, digit = divmod(rest, 9)
            text += str(digit + 1)
        else:
            rest, digit = divmod(rest, 10)
            text += str(digit)
    return text
