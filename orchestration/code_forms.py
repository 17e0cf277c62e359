"""The forms of codes and numbers that settings, extracts and claims share: NPIs, procedure codes, places of service, post boxes."""

from __future__ import annotations

import re

# CMS place of service code set.
_PLACES = """01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 31 32 33 34 41 42 49 50 51 52
    53 54 55 56 57 58 60 61 62 65 66 71 72 81 99"""
PLACES_OF_SERVICE = frozenset(_PLACES.split())

# In upper case.
is_post_box = re.compile(r"\b(P\.? ?O\.? ?BOX|POST OFFICE BOX|LOCK ?BOX)\b").search
is_procedure_code = re.compile(r"[0-9]{4}[0-9FTUM]|[A-Z][0-9]{4}").fullmatch


def is_valid_npi(npi: str) -> bool:
    """The check digit of an NPI: Luhn over the digits behind the constant prefix 80840 (45 CFR 162.406)."""
    if not re.fullmatch(r"[12][0-9]{9}", npi):
        return False
    total = 24  # what the prefix 80840 contributes
    for place, digit in enumerate(reversed(npi)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
