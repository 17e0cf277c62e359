"""Sets of claims: the writer writes what the claim-by-claim writer writes, and the sieved scrub says what the scrub says that reads all."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from claim_samples import ALPHA, BETA, DOE, claim, claim_file, line, many_claims, small_transactions, written
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_writer import Claim, Patient, Rendering, ServiceLine
from reference_writer import write_837p as write_one_by_one
from test_x12_scrub import GAMMA, MATRIX, ONE, THREE, TWO, _cuts, _mangled

from orchestration.close.x12.claim_rules import of_this_release
from orchestration.close.x12.model import Envelope
from orchestration.close.x12.reader import NotX12Error, read
from orchestration.close.x12.scrub import _scrubbed, _sifted, scrub
from orchestration.close.x12.writer import write_837p

# Plain at a glance: delimiters within, as if more elements or segments stood there; a character too many; spaces at an end.
_ALMOST = [
    "A*B", "E11*ABF:I10", "1245319599~PRV*PE*PXC*207Q00000X", "1 Elm St~N4*X", "Doe ", " Doe", "a  b", "x\ny", "1EG4TE5MK73", "oak st 1", "doe",
    *("x" * length for length in (25, 26, 30, 31, 35, 36, 55, 56, 60, 61, 80, 81)), "x" * 34 + " y", "x" * 79 + "-y",
]  # fmt: skip

_texts = (
    st.none()
    | st.text(max_size=70)
    | st.sampled_from(["", "Doe", "O'Neil  Jr.", "e11.9", "12-34 5", "Weiß", "x" * 90, "~*:^", "a\x1fb", *_ALMOST])
)
_days = st.dates(date(1000, 1, 1), date(2999, 12, 31))
_amounts = st.decimals(Decimal("-9999.99"), Decimal("99999.99"), places=2)
_lines = st.builds(
    ServiceLine, _texts, _texts, st.integers(-5, 10**9), _amounts, _days, st.lists(st.integers(0, 99), max_size=6).map(tuple)
)
_patients = st.builds(Patient, _texts, _texts, _texts, _texts, _days, _texts, _texts, _texts, _texts, _texts)
_renderings = st.builds(Rendering, _texts, _texts, _texts, _texts)


@st.composite
def _claims(draw: st.DrawFn) -> list[Claim]:
    """Claims of few patients, so that some have more than one."""
    patients = draw(st.lists(_patients, min_size=1, max_size=4))
    made = st.builds(
        Claim, _texts, st.sampled_from(patients), _renderings, _texts, st.lists(_texts, max_size=14).map(tuple),
        st.lists(_lines, max_size=4).map(tuple),
    )  # fmt: skip
    return draw(st.lists(made, min_size=1, max_size=9))


@settings(max_examples=60, deadline=None)
@given(_claims(), st.integers(1, 4), st.booleans())
def test_any_claims_are_written_byte_for_byte_as_one_by_one(claims, size, breaks):
    envelope = Envelope(claims_per_transaction=size, line_breaks=breaks, segment_terminator="|" if breaks else "~")
    file = claim_file(*claims, envelope=envelope)
    assert write_837p(file) == write_one_by_one(file, claims)


_COLUMNS = [
    *(("patient", name) for name in ("last_name", "first_name", "middle_name", "member_id", "sex", "line1", "city", "state", "postal_code")),
    *(("rendering", name) for name in ("npi", "last_name", "first_name", "taxonomy_code")),
    ("lines", "line_id"), ("lines", "procedure_code"), ("", "claim_id"), ("", "place_of_service"), ("", "diagnoses"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "column"), _COLUMNS, ids=lambda value: value)
@pytest.mark.parametrize("breaks", [False, True])
def test_one_value_that_is_almost_plain_is_mended_among_claims_that_stand_as_they_are(part, column, breaks):
    """Of each column, so that no value passes for what stands beside it."""
    envelope = Envelope(line_breaks=breaks, segment_terminator="|" if breaks else "~")
    for value in [*_ALMOST, None, "", "~", "*", ":", "ß", "'", "-", "."]:
        claims = list(many_claims(4))
        one = claims[2]
        if part == "lines":
            changes: dict[str, Any] = {"lines": (dataclasses.replace(one.lines[0], **{column: value}), *one.lines[1:])}
        elif part:
            changes = {part: dataclasses.replace(getattr(one, part), **{column: value})}
        else:
            changes = {column: (value, "I10") if column == "diagnoses" else value}
        claims[2] = dataclasses.replace(one, **changes)
        file = claim_file(*claims, envelope=envelope)
        assert write_837p(file) == write_one_by_one(file, claims), value


def test_a_table_cut_from_a_longer_one_is_written_like_one_of_its_own():
    claims = many_claims(60)
    whole = claim_file(*claims)
    part = dataclasses.replace(whole, claims=whole.claims.slice(17, 20))
    assert write_837p(part) == write_one_by_one(part, claims[17:37])


def test_thousands_of_claims_keep_their_order_and_patients_their_claims():
    people = many_claims(3_000)
    again = [dataclasses.replace(one, claim_id=f"{one.claim_id}B") for one in people[::7]]
    claims = [*people, *again]
    file = claim_file(*claims, envelope=small_transactions(1_300))
    assert write_837p(file) == write_one_by_one(file, claims)


def _all_read(content: str | bytes) -> object:
    try:
        return _scrubbed(read(content), of_this_release())
    except NotX12Error:
        return None


def _left_out(text: str) -> int:
    return sum(transaction.left_out for transaction in _sifted(text, of_this_release()).transactions())


TWENTY = written(*many_claims(20), envelope=small_transactions(7))
BROKEN_LINES = written(*many_claims(20), envelope=Envelope(claims_per_transaction=7, line_breaks=True, segment_terminator="|"))


@settings(max_examples=300, deadline=None)
@given(_cuts, st.booleans())
# A transaction without its billing provider, whose patients a level too many makes as many again.
@example([(1, 2063, ""), (0, 3, ""), (0, 717, "")], False)
def test_of_any_mangled_file_the_scrub_says_the_same_with_the_sieve_and_without(cuts, breaks):
    text = _mangled(TWENTY, cuts)
    if breaks:
        text = text.replace("~", "|\n")
    found = _all_read(text)
    assert found is None or scrub(text) == found


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19), st.sampled_from(["claim_id", "line_id", "member_id"])), max_size=4),
    _cuts,
)
def test_of_what_stands_twice_the_scrub_says_the_same_with_the_sieve_and_without(twice, cuts):
    claims = list(many_claims(20))
    for one, other, what in twice:
        if what == "claim_id":
            claims[one] = dataclasses.replace(claims[one], claim_id=claims[other].claim_id)
        elif what == "member_id":
            patient = dataclasses.replace(claims[one].patient, member_id=claims[other].patient.member_id)
            claims[one] = dataclasses.replace(claims[one], patient=patient)
        else:
            first = dataclasses.replace(claims[one].lines[0], line_id=claims[other].lines[0].line_id)
            claims[one] = dataclasses.replace(claims[one], lines=(first, *claims[one].lines[1:]))
    text = _mangled(written(*claims, envelope=small_transactions(7)), cuts[:1])
    found = _all_read(text)
    assert found is None or scrub(text) == found


@pytest.mark.parametrize(("name", "change", "held", "field"), MATRIX, ids=[row[0] for row in MATRIX])
def test_each_of_the_thirty_is_found_among_many_good_claims(name, change, held, field):
    text = change(written(claim(ONE), claim(TWO, BETA), claim(THREE, GAMMA), *many_claims(30)))
    assert scrub(text) == _all_read(text)


_ODD = [
    {"patient": dataclasses.replace(ALPHA, birth_date=date(1800, 1, 1))},
    {"patient": dataclasses.replace(ALPHA, birth_date=date(2026, 10, 31))},
    {"patient": dataclasses.replace(ALPHA, birth_date=date(2026, 11, 1))},
    {"patient": dataclasses.replace(ALPHA, birth_date=date(1900, 12, 31))},
    {"patient": dataclasses.replace(ALPHA, city="X")},
    {"patient": dataclasses.replace(ALPHA, first_name="")},
    {"patient": dataclasses.replace(ALPHA, sex="Q")},
    {"diagnoses": ("E11.9", "E11.9")},
    {"diagnoses": ()},
    {"diagnoses": ("E11.9",)},
    {"place_of_service": "02"},
    {"place_of_service": "97"},
    {"rendering": dataclasses.replace(DOE, npi="1245319598")},
    {"rendering": dataclasses.replace(DOE, taxonomy_code="X")},
    {"rendering": dataclasses.replace(DOE, last_name="")},
    {"lines": ()},
    {"lines": tuple(line(f"M{n:02}") for n in range(51))},
    {"lines": (line("M1", "99439"),)},
    {"lines": (line("M1"), line("M2", "99439", 3))},
    {"lines": (line("M1", service_date=date(2026, 11, 30)),)},
    {"lines": (line("M1", units=0),)},
    {"lines": (line("M1", charge="0"),)},
    {"lines": (line("M1", "99213"),)},
    {"lines": (line("X" * 31),)},
    {"claim_id": "X" * 21},
]


@pytest.mark.parametrize("change", _ODD)
def test_each_odd_claim_among_good_ones_is_told_of_and_the_good_ones_are_not_read(change):
    claims = list(many_claims(40))
    claims[20] = claim("ODD", **change) if "claim_id" not in change else claim(**change)
    text = written(*claims)
    faults = scrub(text)
    assert faults == _all_read(text)
    is_possible = change.get("patient") == _ODD[1]["patient"]
    assert is_possible or {fault.claim_id for fault in faults} == {claims[20].claim_id}
    assert _left_out(text) == (39 if is_possible else 38)


@pytest.mark.parametrize(
    ("born", "left_out"), [(date(1901, 1, 1), 39), (date(1948, 12, 31), 39), (date(1948, 2, 29), 38), (date(2026, 10, 31), 39)]
)
def test_patients_of_any_possible_birth_are_left_out_but_those_of_a_leap_day(born, left_out):
    claims = list(many_claims(40))
    claims[20] = claim("ODD", dataclasses.replace(ALPHA, birth_date=born))
    text = written(*claims)
    assert scrub(text) == [] == _all_read(text)
    assert _left_out(text) == left_out


@pytest.mark.parametrize(
    ("old", "new"),
    [("CLM*ODD*", "CLM*   *"), ("*TESTPATIENT*ALPHA*", "* *ALPHA*"), ("*TESTPATIENT*ALPHA*", "*TESTPATIENT*  *"),
     ("*TESTPATIENT*ALPHA**", "*TESTPATIENT*ALPHA* *"), ("N3*1 ELM ST~N4*SPRINGFIELD*", "N3*1 ELM ST~N4*  *"), ("N3*1 ELM ST~N4", "N3* ~N4"),
     ("*MEDICARE PART B*", "* *"), ("*DOE*JANE*", "*DOE* *"), ("REF*6R*ODD01", "REF*6R* ")],
)  # fmt: skip
def test_an_element_of_blanks_is_told_of_among_good_claims(old, new):
    claims = list(many_claims(40))
    claims[20] = claim("ODD", ALPHA)
    before, hl, after = written(*claims).partition("HL*22*")
    assert old in after.partition("~HL*")[0]
    text = before + hl + after.replace(old, new, 1)
    faults = scrub(text)
    assert faults == _all_read(text) and "blank" in {fault.rule for fault in faults}
    assert _left_out(text) == 38


def test_a_patient_who_died_is_read_and_the_others_are_left_out():
    claims = list(many_claims(40))
    claims[20] = claim("ODD", dataclasses.replace(ALPHA, deceased_date=date(2026, 10, 31)))
    text = written(*claims)
    assert scrub(text) == [] == _all_read(text)
    assert _left_out(text) == 38


def test_the_good_claims_of_a_file_are_left_out_but_for_the_last_of_each_transaction():
    for text in (TWENTY, BROKEN_LINES):
        assert scrub(text) == [] == _all_read(text)
        assert _left_out(text) == 17
