"""The code lists and forms that the scrub holds a claim against, each with where it comes from."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from orchestration.code_forms import is_valid_npi

MOST_CLAIMS = 5_000  # an ST, by the 837P guide
MOST_LINES = 50  # a claim, by the 837P guide
MOST_DIAGNOSES = 12
MOST_POINTERS = 4
LONGEST_CLAIM_ID = 20  # what a payer must return of CLM01
LONGEST_LINE_ID = 30  # and of REF*6R
OLDEST_AGE = 125


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a practice's own configuration is held against when it is read.
is_npi = lru_cache(maxsize=4096)(is_valid_npi)

TELEHEALTH = _listed("02 10")  # which care management is not

# United States Postal Service: states, territories, freely associated states, military mail.
STATES = _listed(
    """AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK
    OR PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR VI FM MH PW AA AE AP"""
)

# CMS, "Understanding the MBI": C A AN N A AN N A A N N, letters without S, L, O, I, B, Z.
_A, _AN = "[AC-HJKMNP-RT-Y]", "[AC-HJKMNP-RT-Y0-9]"
MBI = f"[1-9]{_A}{_AN}[0-9]{_A}{_AN}[0-9]{_A}{_A}[0-9][0-9]"
is_mbi = re.compile(MBI).fullmatch

ICD10CM = "[A-Z][0-9][0-9A-Z][0-9A-Z]{0,4}"
is_icd10cm = re.compile(ICD10CM).fullmatch
is_amount = re.compile(r"(?=\.?[0-9])[0-9]{0,8}(\.[0-9]{1,2})?").fullmatch
is_day = re.compile(r"[0-9]{8}").fullmatch
is_number = re.compile(r"[0-9]{1,9}").fullmatch
is_control_number = re.compile(r"[0-9]{9}").fullmatch
is_tax_id = re.compile(r"[0-9]{9}").fullmatch
ZIP = "[0-9]{5}(?:[0-9]{4})?"
is_zip = re.compile(ZIP).fullmatch
is_taxonomy = re.compile(r"[0-9A-Z]{10}").fullmatch


def real_day(text: str) -> date | None:
    """CCYYMMDD as a date; None when there is no such day."""
    if not is_day(text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def births(sent_on: date) -> tuple[date, date]:
    """The first and the last day on which somebody may be born who is a patient in a file of `sent_on`."""
    return date(max(sent_on.year - OLDEST_AGE, 1), 1, 1), sent_on


def is_birth_date(day: date | None, sent_on: date) -> bool:
    """Whether somebody born that day may be a patient in a file of `sent_on`."""
    first, last = births(sent_on)
    return day is not None and first <= day <= last
