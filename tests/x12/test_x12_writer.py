"""The writer: byte for byte what the guide and the house rules say, and nothing that two other readers refuse."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import pytest
from claim_samples import (
    ALPHA,
    BETA,
    DOE,
    assert_both_accept,
    claim,
    claim_file,
    line,
    many_claims,
    segments,
    small_transactions,
    written,
    x12sdk_claims,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_writer import claim_table

from orchestration.close.x12.model import Envelope, Receiver, Submitter
from orchestration.close.x12.scrub import scrub
from orchestration.close.x12.validate import judge
from orchestration.close.x12.writer import plain, write_837p
from orchestration.house import HouseError

GOLDEN = """\
ISA*00*          *00*          *ZZ*CCMTEST        *ZZ*RECEIVERID     *261102*0000*^*00501*000000001*0*T*:~
GS*HC*CCMTEST*RECEIVERID*20261102*0000*1*X*005010X222A1~
ST*837*0001*005010X222A1~
BHT*0019*00*0000000010001*20261102*0000*CH~
NM1*41*2*EXAMPLE FAMILY PRACTICE*****46*CCMTEST~
PER*IC*BILLING OFFICE*TE*5555550100~
NM1*40*2*EXAMPLE CLEARINGHOUSE*****46*RECEIVERID~
HL*1**20*1~
PRV*BI*PXC*207Q00000X~
NM1*85*2*EXAMPLE FAMILY PRACTICE*****XX*1234567893~
N3*100 MAIN ST~
N4*SPRINGFIELD*IL*627010001~
REF*EI*123456789~
HL*2*1*22*0~
SBR*P*18*******MB~
NM1*IL*1*TESTPATIENT*ALPHA****MI*1EG4TE5MK73~
N3*1 ELM ST~
N4*SPRINGFIELD*IL*62701~
DMG*D8*19480515*F~
NM1*PR*2*MEDICARE PART B*****PI*06102~
CLM*CCM26100001*171.42***11:B:1*Y*A*Y*Y~
HI*ABK:E119*ABF:I10~
NM1*82*1*DOE*JANE****XX*1245319599~
PRV*PE*PXC*207Q00000X~
LX*1~
SV1*HC:99490*66.3*UN*1***1:2~
DTP*472*D8*20261031~
REF*6R*CCM2610000101~
LX*2~
SV1*HC:99439*105.12*UN*2***1:2~
DTP*472*D8*20261031~
REF*6R*CCM2610000102~
HL*3*1*22*0~
SBR*P*18*******MB~
NM1*IL*1*TESTPATIENT*BETA*Q***MI*2EG4TE5MK74~
N3*2 ELM ST~
N4*SPRINGFIELD*IL*627011234~
DMG*D8*19510102*M~
NM1*PR*2*MEDICARE PART B*****PI*06102~
CLM*CCM26100002*95***11:B:1*Y*A*Y*Y~
HI*ABK:N186~
NM1*82*1*DOE*JANE****XX*1245319599~
LX*1~
SV1*HC:G0557*95*UN*1***1~
DTP*472*D8*20261031~
REF*6R*CCM2610000201~
SE*45*0001~
GE*1*1~
IEA*1*000000001~
"""


def test_a_file_is_written_exactly_so():
    second = claim(
        "CCM26100002",
        BETA,
        rendering=dataclasses.replace(DOE, taxonomy_code=None),
        diagnoses=("n18.6",),
        lines=(line("CCM2610000201", "G0557", 1, "95.00", diagnosis_pointers=(1,)),),
    )
    file = claim_file(claim("CCM26100001"), second)
    assert write_837p(file).decode() == GOLDEN.replace("\n", "")
    assert write_837p(dataclasses.replace(file, envelope=Envelope(line_breaks=True))).decode() == GOLDEN
    assert judge(write_837p(file)) == []
    assert judge(write_837p(dataclasses.replace(file, envelope=Envelope(line_breaks=True)))) == []


@pytest.mark.parametrize("count", [1, 2, 60])
def test_one_two_and_many_claims_are_accepted_by_every_judge(count):
    content = write_837p(claim_file(*many_claims(count)))
    assert assert_both_accept(content) == count
    assert judge(content) == []


def test_more_claims_than_a_transaction_may_hold_make_more_transactions():
    content = write_837p(claim_file(*many_claims(7), envelope=small_transactions(3), control_number=42))
    found = segments(content.decode())
    assert [s for s in found if s.startswith("ST*")] == [f"ST*837*000{n}*005010X222A1" for n in (1, 2, 3)]
    assert [s.split("*")[3] for s in found if s.startswith("BHT*")] == [f"000000042000{n}" for n in (1, 2, 3)]
    assert found[-2:] == ["GE*3*42", "IEA*1*000000042"]
    assert [sum(s.startswith("CLM*") for s in part.split("~")) for part in content.decode().split("ST*837*")[1:]] == [
        3,
        3,
        1,
    ]
    assert assert_both_accept(content) == 7
    assert judge(content) == []


def test_the_default_is_five_thousand_claims_a_transaction():
    text = written(*many_claims(5001))
    assert text.count("~ST*837*") == 2
    assert scrub(text) == []
    assert {fault.rule for fault in scrub(written(*many_claims(5001), envelope=small_transactions(6000)))} == {"too-many-claims"}


def test_the_claims_of_one_patient_stand_under_one_subscriber():
    november = claim("CCM26110001", lines=(line("CCM2611000101", service_date=date(2026, 11, 30)),))
    content = write_837p(claim_file(claim("CCM26100001"), claim("CCM26100002", BETA), november, interchange_date=date(2026, 12, 3)))
    heads = [s for s in segments(content.decode()) if s.startswith(("HL*", "CLM*"))]
    assert [s.split("*")[:2] for s in heads] == [
        ["HL", "1"], ["HL", "2"], ["CLM", "CCM26100001"], ["CLM", "CCM26110001"], ["HL", "3"], ["CLM", "CCM26100002"],
    ]  # fmt: skip
    assert assert_both_accept(content) == 3
    assert judge(content) == []


@pytest.mark.parametrize(
    ("given_name", "written_name"),
    [
        ("Núñez-Ōe", "NUNEZ-OE"),
        ("O\u2019Brien", "O'BRIEN"),
        ("Weiß Øster Łódź Æsir", "WEISS OSTER LODZ AESIR"),
        ("a~b*c:d^e", "A B C D E"),
        ("Tab\there\r\nand\x00there", "TAB HERE AND THERE"),
        ("  two   spaces  ", "TWO SPACES"),
        ("Smith_李{jr}", "SMITHJR"),
        ("ﬁｆ４\uff0a", "FIF4"),
        ("李", ""),
        (None, ""),
        ("x" * 70, "X" * 60),
        ("y" * 59 + " z", "Y" * 59),
    ],
)
def test_names_are_brought_into_the_basic_character_set(given_name, written_name):
    assert plain(given_name, 60) == written_name


def test_long_and_odd_names_everywhere_are_accepted():
    odd = "Ångström~O'Neil*the:Third^" + "é" * 60
    patient = dataclasses.replace(ALPHA, last_name=odd, first_name=odd, middle_name="", line1=odd, city=odd)
    file = claim_file(claim("CCM26100001", patient, rendering=dataclasses.replace(DOE, last_name=odd, first_name=odd)))
    file = dataclasses.replace(file, submitter=Submitter("CCMTEST", odd, "(555) 555-0100"))
    content = write_837p(dataclasses.replace(file, billing_provider=dataclasses.replace(file.billing_provider, name=odd)))
    assert assert_both_accept(content) == 1
    assert judge(content) == []


_names = st.builds("{}{}{}".format, st.text(max_size=40), st.sampled_from("aZ7é"), st.text(max_size=40))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(_names, _names, st.none() | st.text(max_size=40), _names), min_size=1, max_size=12))
def test_any_names_with_a_letter_in_them_are_accepted(people):
    claims = [
        dataclasses.replace(
            made,
            patient=dataclasses.replace(made.patient, last_name=last, first_name=first, middle_name=middle, line1=street),
            rendering=dataclasses.replace(DOE, last_name=first, first_name=last),
        )
        for made, (last, first, middle, street) in zip(many_claims(len(people)), people, strict=True)
    ]
    content = write_837p(claim_file(*claims))
    assert x12sdk_claims(content) == len(people)
    assert judge(content) == []


def test_a_name_that_cannot_be_written_holds_just_that_claim():
    unwritable = claim("CCM26100001", dataclasses.replace(ALPHA, last_name="李", first_name="小龙"))
    faults = judge(write_837p(claim_file(unwritable, claim("CCM26100002", BETA))))
    assert {fault.claim_id for fault in faults} == {"CCM26100001"}
    assert {"NM103", "NM104"} <= {fault.field for fault in faults}


def test_a_patient_without_an_address_is_written_without_one_and_held():
    nowhere = dataclasses.replace(ALPHA, line1=None, city="", state=None, postal_code=None)
    text = written(claim("CCM26100001", nowhere), claim("CCM26100002", BETA))
    assert "N3~" not in text and "N4~" not in text
    assert {(fault.claim_id, fault.field) for fault in scrub(text)} == {
        ("CCM26100001", "N301"),
        ("CCM26100001", "N401"),
    }


def test_the_day_a_patient_died_stands_before_the_name():
    dead = dataclasses.replace(BETA, deceased_date=date(2026, 10, 31))
    text = written(claim("CCM26100001"), claim("CCM26100002", dead))
    assert "~HL*3*1*22*0~SBR*P*18*******MB~PAT*****D8*20261031~NM1*IL*1*TESTPATIENT*BETA*Q*" in text
    assert text.count("~PAT*") == 1
    assert_both_accept(text.encode())


@pytest.mark.parametrize(
    ("amount", "text"),
    [("66.30", "66.3"), ("95.00", "95"), ("100", "100"), ("1E+2", "100"), ("0.50", ".5"), ("1234.56", "1234.56")],
)
def test_amounts_carry_no_idle_zeros(amount, text):
    found = written(claim("CCM26100001", lines=(line("L1", charge=amount),)))
    assert f"SV1*HC:99490*{text}*UN" in found
    assert f"CLM*CCM26100001*{text}***" in found
    assert scrub(found) == []


def test_twelve_diagnoses_and_four_pointers_are_the_most():
    codes = (*(f"E11.{n}" for n in range(10)), "I10", "N18.6", "J44.9")
    text = written(claim("CCM26100001", diagnoses=codes, lines=(line("L1", diagnosis_pointers=(1, 2, 3, 4, 5)),)))
    hi = next(s for s in segments(text) if s.startswith("HI*"))
    assert hi.startswith("HI*ABK:E110*ABF:E111*") and hi.endswith("*ABF:N186") and hi.count("*") == 12
    assert "*1:2:3:4~" in text
    assert judge(text) == []


def test_no_segment_ends_in_an_idle_separator():
    for segment in segments(written(*many_claims(3)))[1:]:
        assert not segment.endswith(("*", ":")), segment


def test_the_same_claims_give_the_same_bytes():
    first = write_837p(claim_file(*many_claims(20)))
    assert first == write_837p(claim_file(*many_claims(20)))
    assert first != write_837p(claim_file(*many_claims(20), control_number=2))


def test_a_production_file_says_so_only_when_told():
    assert "*0*T*:~" in written()
    assert "*0*P*:~" in written(envelope=Envelope(usage_indicator="P"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"control_number": 0}, "control_number"),
        ({"control_number": 10**9}, "control_number"),
        ({"submitter": Submitter("X" * 16, "N", "5555550100")}, "key submitter_id: "),
        ({"submitter": Submitter("李", "N", "5555550100")}, "key submitter_id: "),
        ({"receiver": Receiver("X" * 16, "N")}, r"key receiver\.id: "),
        ({"claims": claim_table(())}, "at least one claim"),
    ],
)
def test_a_file_that_no_envelope_can_carry_is_refused_by_name(changes, named):
    with pytest.raises(HouseError if named.startswith("key") else ValueError, match=named):
        write_837p(dataclasses.replace(claim_file(), **changes))


@pytest.mark.parametrize(
    "settings_",
    [{"usage_indicator": "X"}, {"claims_per_transaction": 0}, {"segment_terminator": "A"}, {"sender_qualifier": "Z"}],
)
def test_envelope_settings_are_checked(settings_):
    with pytest.raises(ValueError, match=next(iter(settings_))):
        Envelope(**settings_)


def test_another_segment_terminator_is_read_back():
    content = write_837p(claim_file(envelope=Envelope(segment_terminator="|")))
    assert b"~" not in content
    assert judge(content) == []


def test_totals_are_exact_in_cents():
    lines = tuple(line(f"L{n}", "99490", 1, "0.10") for n in range(3))
    assert "*.3***" in written(claim("CCM26100001", lines=lines))
    assert sum((one.charge_amount for one in lines), Decimal(0)) == Decimal("0.30")
