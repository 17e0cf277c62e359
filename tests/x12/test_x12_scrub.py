"""The scrub and pyx12 together: each of the known ways to spoil a claim file is caught, named and told without PHI."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from claim_samples import BETA, claim, claim_file, line, segments, written
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_writer import Patient

from orchestration.close.x12 import validate
from orchestration.close.x12.reader import read
from orchestration.close.x12.scrub import Fault, scrub
from orchestration.close.x12.validate import judge, pyx12_faults
from orchestration.close.x12.writer import write_837p

ONE, TWO, THREE = "CCM26100001", "CCM26100002", "CCM26100003"
BETA_IS = "TESTPATIENT*BETA*"
GAMMA = Patient("Testpatient", "Gamma", None, "3EG4TE5MK75", BETA.birth_date, "F", "3 Elm St", "Springfield", "IL", "62701")
GOOD = written(claim(ONE), claim(TWO, BETA), claim(THREE, GAMMA))
PAYER = "~NM1*PR*2*MEDICARE PART B*****PI*06102"
PHI = (
    "TESTPATIENT",
    "ALPHA",
    "BETA",
    "GAMMA",
    "1EG4TE5MK73",
    "2EG4TE5MK74",
    "3EG4TE5MK75",
    "19480515",
    "19510102",
    "ELM ST",
)

Change = Callable[[str], str]


def recounted(text: str) -> str:
    """The text with SE01 made right again, so that a removed segment is the only fault."""
    found = segments(text)
    inside = (
        next(n for n, s in enumerate(found) if s.startswith("SE*"))
        - next(n for n, s in enumerate(found) if s.startswith("ST*"))
        + 1
    )
    return re.sub(r"~SE\*\d+\*", f"~SE*{inside}*", text)


def swap(old: str, new: str) -> Change:
    """In the first claim whose text has it, or the file's head."""

    def change(text: str) -> str:
        assert old in text
        return recounted(text.replace(old, new, 1))

    return change


def swap_in(claim_id: str, old: str, new: str) -> Change:
    """Within the claim loop of one claim."""

    def change(text: str) -> str:
        before, start, rest = text.partition(f"CLM*{claim_id}*")
        body, end, after = rest.partition("~HL*") if "~HL*" in rest else rest.partition("~SE*")
        assert old in start + body
        return recounted(before + (start + body).replace(old, new, 1) + end + after)

    return change


def died(day: str) -> Change:
    """The second patient, on that day."""
    return swap(f"SBR*P*18*******MB~NM1*IL*1*{BETA_IS}", f"SBR*P*18*******MB~PAT*****D8*{day}~NM1*IL*1*{BETA_IS}")


# The 30 faults of the matrix (stack.md E.2): name, change, claim that must be held, field that must be named.
MATRIX: list[tuple[str, Change, str | None, str]] = [
    ("01 billing NPI missing", swap("*****XX*1234567893", ""), None, "NM109"),
    ("02 NPI check digit", swap("1234567893", "1234567894"), None, "NM109"),
    ("03 SE01 wrong", lambda text: re.sub(r"~SE\*\d+\*", "~SE*7*", text), None, "SE01"),
    ("04 HI missing", swap_in(TWO, "~HI*ABK:E119*ABF:I10", ""), TWO, "HI01"),
    ("05 date that is none", swap_in(TWO, "20261031", "20260230"), TWO, "DTP03"),
    ("06 ST02 is not SE02", swap("ST*837*0001", "ST*837*0002"), None, "SE02"),
    ("07 CLM02 is not the sum", swap_in(TWO, "*171.42*", "*171.43*"), TWO, "CLM02"),
    ("08 diagnosis ZZZZZ", swap_in(TWO, "ABF:I10", "ABF:ZZZZZ"), TWO, "HI02-2"),
    ("09 procedure 9949X", swap_in(TWO, "HC:99490", "HC:9949X"), TWO, "SV101-2"),
    ("10 pointer 5 of 2", swap_in(TWO, "*1:2", "*1:5"), TWO, "SV107-2"),
    ("11 HL parent 9", swap("HL*3*1*22", "HL*3*9*22"), None, "HL02"),
    ("12 DMG missing", swap("~DMG*D8*19510102*M", ""), TWO, "DMG02"),
    ("13 place of service 97", swap_in(TWO, "11:B:1", "97:B:1"), TWO, "CLM05-1"),
    ("14 MBI malformed", swap("2EG4TE5MK74", "2SG4TE5MK74"), TWO, "NM109"),
    ("15 IEA02 is not ISA13", swap("IEA*1*000000001", "IEA*1*000000002"), None, "IEA02"),
    ("16 GE01 wrong", swap("GE*1*1", "GE*2*1"), None, "GE01"),
    ("17 units 0", swap_in(TWO, "UN*1*", "UN*0*"), TWO, "SV104"),
    ("18 state ZZ", swap("*IL*627011234", "*ZZ*627011234"), TWO, "N402"),
    ("19 payer missing", swap(f"{PAYER}~CLM*{TWO}", f"~CLM*{TWO}"), TWO, "NM103"),
    (
        "20 service date missing",
        swap_in(TWO, "~DTP*472*D8*20261031~REF*6R*CCM26100002", "~REF*6R*CCM26100002"),
        TWO,
        "DTP03",
    ),
    ("21 billing street missing", swap("~N3*100 MAIN ST", ""), None, "N301"),
    ("22 sex Q", swap("*19510102*M", "*19510102*Q"), TWO, "DMG03"),
    ("23 submitter contact missing", swap("~PER*IC*BILLING OFFICE*TE*5555550100", ""), None, "PER04"),
    ("24 date in 2099", swap_in(TWO, "20261031", "20991031"), TWO, "DTP03"),
    ("25 billing ZIP of 5", swap("627010001", "62701"), None, "N403"),
    ("26 NM108 without NM109", swap("*XX*1234567893", "*XX"), None, "NM109"),
    ("27 diagnosis with a dot", swap_in(TWO, "E119", "E11.9"), TWO, "HI01-2"),
    ("28 claim id twice", swap("CLM*CCM26100002*", "CLM*CCM26100001*"), ONE, "CLM01"),
    ("29 lower case", swap("TESTPATIENT*BETA", "Testpatient*BETA"), TWO, "NM103"),
    ("30 tax id missing", swap("~REF*EI*123456789", ""), None, "REF02"),
]

BY_PYX12 = {"03", "04", "05", "06", "11", "13", "15", "16", "18", "19", "20", "21", "22", "23", "26", "30"}


def test_an_untouched_file_has_no_fault():
    assert judge(GOOD) == []
    assert judge(GOOD.encode()) == []
    assert judge(GOOD.replace("~", "~\r\n")) == []


@pytest.mark.parametrize(("change", "held", "field"), [pytest.param(*row[1:], id=row[0]) for row in MATRIX])
def test_each_fault_of_the_matrix_is_caught_and_named(change, held, field):
    faults = judge(change(GOOD))
    named = [fault for fault in faults if fault.claim_id == held and fault.field == field]
    assert named, [str(fault) for fault in faults]
    assert all(field in fault.message and (held or "") in fault.message for fault in named)
    assert {fault.claim_id for fault in faults} == {held}, "only that claim is held, or the whole file"
    for fault in faults:
        assert not any(secret in fault.message.upper() for secret in PHI), fault.message


def test_the_scrub_alone_catches_all_thirty_and_pyx12_sixteen_of_them():
    caught = {name: (bool(scrub(change(GOOD))), bool(pyx12_faults(change(GOOD)))) for name, change, *_ in MATRIX}
    assert [name for name, (by_scrub, _) in caught.items() if not by_scrub] == []
    assert {name[:2] for name, (_, by_pyx12) in caught.items() if by_pyx12} == BY_PYX12


# Rules that no guide knows, and forms that the matrix does not try: rule, change, claim, field.
MORE: list[tuple[str, Change, str | None, str]] = [
    ("claim-frequency", swap_in(TWO, "11:B:1", "11:B:7"), TWO, "CLM05-3"),
    ("place-of-service", swap_in(TWO, "11:B:1", "02:B:1"), TWO, "CLM05-1"),
    ("claim-id-length", swap("CLM*CCM26100002*", "CLM*CCM261000021234567890*"), "CCM261000021234567890", "CLM01"),
    ("unit-cap", swap_in(TWO, "UN*2*", "UN*3*"), TWO, "SV104"),
    ("unit-cap", swap_in(TWO, "UN*1*", "UN*2*"), TWO, "SV104"),
    ("units", swap_in(TWO, "UN*1*", "UN*1.5*"), TWO, "SV104"),
    ("unit-kind", swap_in(TWO, "UN*1*", "MJ*1*"), TWO, "SV103"),
    ("two-tracks", swap_in(TWO, "HC:99490", "HC:99491"), TWO, "SV101-2"),
    ("add-on-without-base", swap_in(TWO, "HC:99439", "HC:99427"), TWO, "SV101-2"),
    ("add-on-without-base", swap_in(TWO, "D8*20261031", "D8*20261030"), TWO, "SV101-2"),
    ("code-on-two-lines", swap_in(TWO, "HC:99439", "HC:99490"), TWO, "SV101-2"),
    ("two-months", swap_in(TWO, "D8*20261031", "D8*20260930"), TWO, "DTP03"),
    ("duplicate-patient-month", swap("2EG4TE5MK74", "1EG4TE5MK73"), TWO, "CLM01"),
    ("duplicate-line", swap("CCM2610000202", "CCM2610000201"), TWO, "REF02"),
    ("missing", swap("~REF*6R*CCM2610000202", ""), TWO, "REF02"),
    ("procedure-code-unknown", swap_in(TWO, "HC:99490", "HC:99213"), TWO, "SV101-2"),
    ("procedure-code-kind", swap_in(TWO, "HC:99490", "ER:99490"), TWO, "SV101-1"),
    ("duplicate-diagnosis", swap_in(TWO, "ABF:I10", "ABF:E119"), TWO, "HI02-2"),
    ("diagnosis-kind", swap_in(TWO, "ABF:I10", "BF:I10"), TWO, "HI02-1"),
    ("diagnosis-pointer", swap_in(TWO, "*1:2", "*1:1"), TWO, "SV107-2"),
    ("diagnosis-pointer", swap_in(TWO, "***1:2", ""), TWO, "SV107"),
    ("service-date-form", swap_in(TWO, "D8*20261031", "RD8*20261001-20261031"), TWO, "DTP02"),
    ("amount-form", swap_in(TWO, "*66.3*", "*-66.3*"), TWO, "SV102"),
    ("line-number", swap_in(TWO, "LX*2", "LX*3"), TWO, "LX01"),
    ("npi-invalid", swap_in(TWO, "1245319599", "1245319590"), TWO, "NM109"),
    ("missing", swap_in(TWO, "*1*DOE*", "*1**"), TWO, "NM103"),
    ("npi-missing", swap_in(TWO, "~NM1*82*1*DOE*JANE****XX*1245319599~PRV*PE*PXC*207Q00000X", ""), TWO, "NM109"),
    ("coverage", swap("SBR*P*18*******MB", "SBR*P*18*******CI"), ONE, "SBR09"),
    ("coverage", swap("SBR*P*18", "SBR*S*18"), ONE, "SBR01"),
    ("date-not-real", swap("19510102", "19510231"), TWO, "DMG02"),
    ("birth-date", swap("19510102", "18510102"), TWO, "DMG02"),
    ("birth-date", swap("19510102", "20261231"), TWO, "DMG02"),
    ("date-not-real", died("20261131"), TWO, "PAT06"),
    ("death-date", died("19510101"), TWO, "PAT06"),
    ("death-date", died("20261103"), TWO, "PAT06"),
    ("service-date-after-death", died("20261030"), TWO, "DTP03"),
    ("zip-form", swap("627011234", "6270"), TWO, "N403"),
    ("level-child", swap("HL*3*1*22*0", "HL*3*1*22*1"), None, "HL04"),
    ("level-number", swap("HL*3*1*22", "HL*4*1*22"), None, "HL01"),
    ("character-set", swap("*BETA*", "*BETA_*"), TWO, "NM104"),
    ("character-set", swap("*BETA*", "*BE\nTA*"), TWO, "NM104"),
    ("character-set", swap("*BETA*", "*BÉTA*"), TWO, "NM104"),
    ("idle-separator", swap("~REF*6R*CCM2610000202", "~REF*6R*CCM2610000202*"), TWO, "REF03"),
    ("blank", swap("CLM*CCM26100001*", "CLM* *"), None, "CLM01"),
    ("blank", swap("N3*2 ELM ST", "N3*  "), TWO, "N301"),
    ("blank", swap(f"NM1*IL*1*{BETA_IS}", "NM1*IL*1* *BETA*"), TWO, "NM103"),
    ("blank", swap_in(TWO, "REF*6R*CCM2610000201", "REF*6R* "), TWO, "REF02"),
    ("blank", swap_in(TWO, "*1:2", "*1: "), TWO, "SV107"),
    ("blank", swap("NM1*40*2*EXAMPLE CLEARINGHOUSE", "NM1*40*2* "), None, "NM103"),
    ("segment-unknown", swap("~REF*6R*CCM2610000202", "~REF*6R*CCM2610000202~XYZ*1"), TWO, "segment"),
    ("tax-id-form", swap("REF*EI*123456789", "REF*EI*12-3456789"), None, "REF02"),
    ("post-box", swap("100 MAIN ST", "P.O. BOX 7"), None, "N301"),
    ("usage-indicator", swap("*0*T*:", "*0*X*:"), None, "ISA15"),
    ("control-number", swap("GE*1*1", "GE*1*2"), None, "GE02"),
    ("count", swap("IEA*1*", "IEA*2*"), None, "IEA01"),
    ("guide", swap("*X*005010X222A1", "*X*005010X222A2"), None, "GS08"),
    ("cut-short", lambda text: text[: text.index("~SE*") + 1], None, "SE01"),
    ("cut-short", lambda text: text[:-4], None, "terminator"),
]


@pytest.mark.parametrize(
    ("rule", "change", "held", "field"), [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(MORE)]
)
def test_other_faults_are_caught_by_the_scrub(rule, change, held, field):
    faults = scrub(change(GOOD))
    assert [fault for fault in faults if (fault.rule, fault.claim_id, fault.field) == (rule, held, field)], [str(f) for f in faults]
    assert {fault.claim_id for fault in faults} <= {held, None} if held is None else {fault.claim_id for fault in faults} == {held}


@pytest.mark.parametrize(
    ("base", "add_on", "most"),
    [
        ("99490", "99439", 2),
        ("99491", "99437", 2),
        ("99487", "99489", 10),
        ("99424", "99425", 2),
        ("99426", "99427", 2),
    ],
)
def test_each_track_takes_its_add_on_up_to_the_cap(base, add_on, most):
    def rules(*lines):
        return [fault.rule for fault in scrub(written(claim(ONE, lines=lines)))]

    first, second = line("L1", base), line("L2", add_on, most)
    assert rules(first, second) == []
    assert rules(first, line("L2", add_on, most + 1)) == ["unit-cap"]
    assert rules(second) == ["add-on-without-base"]
    assert rules(second, first) == ["add-on-without-base"]


@pytest.mark.parametrize("code", ["G0556", "G0557", "G0558"])
def test_apcm_is_one_code_of_one_unit(code):
    assert scrub(written(claim(ONE, lines=(line("L1", code),)))) == []
    assert [f.rule for f in scrub(written(claim(ONE, lines=(line("L1", code, 2),))))] == ["unit-cap"]
    assert [f.rule for f in scrub(written(claim(ONE, lines=(line("L1", code), line("L2"))))) if f.rule] == ["two-tracks"]


@pytest.mark.parametrize("mbi", ["1EG4TE5MK73", "9AA0A00AA00", "1A12D34FG56", "2YY9Y99YY99"])
def test_card_numbers_in_the_pattern_of_cms_are_taken(mbi):
    assert scrub(GOOD.replace("1EG4TE5MK73", mbi)) == []


@pytest.mark.parametrize("mbi", ["0EG4TE5MK73", "1EGATE5MK73", "1EG4TE5MK7", "1EG4TE5MK733", "1EG4-TE5-MK73", "11G4TE5MK73"])
def test_what_is_not_in_the_pattern_is_refused(mbi):
    assert [f.rule for f in scrub(GOOD.replace("1EG4TE5MK73", mbi))] == ["mbi-form"]


@pytest.mark.parametrize("letter", "SLOIBZ")
def test_card_numbers_with_a_letter_that_looks_like_a_digit_are_refused(letter):
    assert [f.rule for f in scrub(GOOD.replace("1EG4TE5MK73", f"1{letter}G4TE5MK73"))] == ["mbi-form"]


@pytest.mark.parametrize("code", ["E119", "I10", "C4A9", "M1A00X0", "U071", "Z3A20", "S72001A", "O9A111"])
def test_diagnosis_codes_of_every_shape_are_taken(code):
    assert scrub(written(claim(ONE, diagnoses=(code, "J449")))) == []


@pytest.mark.parametrize("code", ["E", "E1", "119", "E11.9", "EE19", "E1191234", "E11-9"])
def test_what_is_no_diagnosis_code_is_refused(code):
    assert "diagnosis-form" in {f.rule for f in scrub(GOOD.replace("ABK:E119", f"ABK:{code}", 1))}


def test_a_fault_of_a_patient_holds_each_of_the_patients_claims_and_no_other():
    twice = claim(TWO, lines=(line("L9", service_date=BETA.birth_date.replace(year=2026, month=9)),))
    text = written(claim(ONE), twice, claim(THREE, BETA)).replace("1EG4TE5MK73", "1EG4TE5MK7")
    assert [(f.claim_id, f.rule) for f in scrub(text)] == [(ONE, "mbi-form"), (TWO, "mbi-form")]
    text = written(claim(ONE), twice, claim(THREE, BETA)).replace("~SBR*P*18*******MB", "", 1)
    assert {f.claim_id for f in judge(recounted(text))} == {ONE, TWO}


def test_what_is_missing_at_a_claims_end_is_not_laid_to_the_next_claim():
    gone = swap_in(ONE, "~DTP*472*D8*20261031~REF*6R*CCM2610000102", "")(GOOD)
    assert {f.claim_id for f in pyx12_faults(gone)} == {ONE}
    assert {f.claim_id for f in scrub(gone)} == {ONE}


@pytest.mark.parametrize(
    "content", ["", "ISA", "hello", "ISA" * 50, "ISA*" + " " * 200, b"\xff\xfe", "\ufeffISA", GOOD[:106], GOOD[:300]]
)
def test_what_is_no_claim_file_is_a_fault_and_no_crash(content):
    faults = judge(content)
    assert faults and {fault.claim_id for fault in faults} <= {None, ONE}


def test_what_pyx12_raises_becomes_a_fault_without_its_text():
    faults = pyx12_faults(GOOD.replace("005010X222A1", "005010X999A9"))
    assert [(fault.claim_id, fault.rule) for fault in faults] == [(None, "pyx12-cannot-read")]
    assert "EngineError" in faults[0].message


def test_an_envelope_element_that_only_pyx12_reads_is_placed():
    faults = pyx12_faults(GOOD.replace("*0*T*:", "*0*X*:"))
    assert [(fault.claim_id, fault.segment, fault.position) for fault in faults] == [(None, "ISA", 1)]


def test_pyx12_reads_each_guide_once_and_judges_alike_whatever_it_judged_before():
    files = [GOOD, *(change(GOOD) for name, change, *_ in MATRIX if name[:2] in BY_PYX12)][::3]
    anew = []
    for content in files:
        validate._guide.cache_clear()
        anew.append(pyx12_faults(content))
    assert anew[0] == [] and all(anew[1:])
    validate._guide.cache_clear()
    assert [pyx12_faults(content) for content in files] == anew
    assert [pyx12_faults(content) for content in reversed(files)] == anew[::-1]
    assert validate._guide.cache_info().misses == 2  # of the envelope, and of the 837P


def test_pyx12_says_nothing_of_its_own(caplog, capfd):
    spoiled = (
        GOOD.replace("TESTPATIENT*BETA", "SECRET\x07NAME*BETA").replace("*19510102*M", "*SECRETDAY*Q").replace("11:B:1", "97:B:1")
    )
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("pyx12").addHandler(logging.StreamHandler())
        assert pyx12_faults(spoiled)
    output = capfd.readouterr()
    assert "SECRET" not in caplog.text + output.out + output.err
    assert not caplog.records and not output.out and not output.err


def _mangled(text: str, cuts: list[tuple[int, int, str]]) -> str:
    """Moves, drops and repeats pieces: segments, elements, characters."""
    for kind, place, other in ((a % 6, b, c) for a, b, c in cuts):
        found = text.split("~")
        at = place % max(1, len(found))
        if kind == 0:
            del found[at]
        elif kind == 1:
            found.insert(at, found[(place * 7) % len(found)])
        elif kind == 2:
            elements = found[at].split("*")
            elements[place % len(elements)] = other
            found[at] = "*".join(elements)
        elif kind == 3:
            found[at] = found[at].replace("*", "~" + other + "*", 1)
        elif kind == 4:
            found[at] = found[at].replace("*", "", 1)
        else:
            found[at] = "*".join(reversed(found[at].split("*")))
        text = "~".join(found)
    return text


_cuts = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 10_000), st.sampled_from(["", "X", "1", "NM1", "HL", "CLM", "é"])),
    max_size=6,
)
_names_only = tuple(secret for secret in PHI if secret != "ELM ST")


def _check(faults: list[Fault], claim_ids: set[str | None]) -> None:
    for fault in faults:
        if fault.claim_id in claim_ids:
            assert not any(secret in fault.message for secret in _names_only), fault.message


@settings(max_examples=300, deadline=None)
@given(_cuts)
def test_the_scrub_of_any_mangled_file_neither_crashes_nor_tells_a_name(cuts):
    _check(scrub(_mangled(GOOD, cuts)), {None, ONE, TWO, THREE})


@settings(max_examples=15, deadline=None)
@given(_cuts)
def test_pyx12_on_any_mangled_file_neither_crashes_nor_tells_a_name(cuts):
    _check(pyx12_faults(_mangled(GOOD, cuts)), {None, ONE, TWO, THREE})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400) | st.binary(max_size=400))
def test_the_scrub_takes_any_text_at_all(content):
    assert scrub(content)
    if isinstance(content, str):
        assert isinstance(scrub(GOOD[:106] + content), list)


def test_every_segment_knows_whose_it_is():
    file = read(GOOD)
    owners = [file.claims_at(segment.position) for segment in file.segments]
    first = next(s.position for s in file.segments if s[:2] == ["HL", "2"])
    assert owners[first - 2] == (None,) and owners[first - 1] == (ONE,)
    assert owners[-4] == (THREE,) and owners[-3:] == [(None,)] * 3


def test_the_writer_and_the_scrub_agree_on_bytes_and_text():
    content = write_837p(claim_file())
    assert scrub(content) == scrub(content.decode()) == []
