"""The scrub: what Medicare would return, and what the guide does not know about care management, found in the text.

It reads any 837P. A fault of one claim carries its claim id, so that the close can hold just that claim; a fault of a
patient carries one for each of the patient's claims; a fault of the whole file carries None. Messages never quote a
name, a member id, a birth date or any other text of a patient: they say where it stands and what it must be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pyarrow.compute as pc

from orchestration.close.x12 import codes
from orchestration.close.x12.claim_rules import ClaimRules, of_this_release
from orchestration.close.x12.reader import (
    ISA_LENGTH,
    SEGMENT_IDS,
    Group,
    Interchange,
    Loop,
    NotX12Error,
    Segment,
    Transaction,
    X12File,
    as_text,
    read,
)
from orchestration.close.x12.sieve import sift
from orchestration.close.x12.writer import GUIDE
from orchestration.code_forms import PLACES_OF_SERVICE, is_post_box, is_procedure_code

Owners = Iterable[str | None]
WHOLE_FILE: Owners = (None,)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `segment` is like NM1*85, `field` like NM109, `rule` a fixed slug; `position` is the
    number of the segment in the file, the ISA being 1. `message` says all of it: where, what is wrong, what to do."""

    claim_id: str | None
    segment: str
    field: str
    rule: str
    message: str
    position: int

    def __str__(self) -> str:
        return self.message


def make_fault(claim_id: str | None, segment: str, field: str, rule: str, text: str, position: int) -> Fault:
    """A fault whose message begins with where it is."""
    whose = f"claim {claim_id}, " if claim_id else ""
    where = f"{segment} {field}" if field != segment else segment
    return Fault(claim_id, segment, field, rule, f"{whose}{where} (segment {position}): {text}", position)


def scrub(content: bytes | str, rules: ClaimRules | None = None) -> list[Fault]:
    """Every fault of an 837P, in the order of the file; empty when there is none. Never raises for its content. By the rules of this release, unless others
    are given."""
    text, rules = as_text(content), rules or of_this_release()
    try:
        file = _sifted(text, rules)
    except NotX12Error as error:
        return [make_fault(None, "ISA", "ISA", "not-x12", f"{error}; give the 837P file itself", 1)]
    return _scrubbed(file, rules)


def _scrubbed(file: X12File, rules: ClaimRules) -> list[Fault]:
    scrubber = _Scrubber(file, rules)
    scrubber.run()
    return sorted(scrubber.faults, key=lambda fault: fault.position)


def is_clean(text: str, rules: ClaimRules) -> bool:
    """Whether an 837P has no fault, every segment read."""
    return not _scrubbed(read(text), rules)


def _sifted(text: str, rules: ClaimRules) -> X12File:
    """The file less the patients that the sieve passes, and that share no id with one that it does not."""
    header = read(text[: text.find(text[ISA_LENGTH - 1 : ISA_LENGTH], ISA_LENGTH) + 1 or ISA_LENGTH])  # ISA and GS
    groups = [interchange.groups for interchange in header.interchanges]
    sent_on = codes.real_day(groups[0][0].gs.at(4)) if groups and groups[0] else None
    clean = sift(text, sent_on, rules, is_clean) if sent_on else None
    if clean is None:
        return read(text)
    rest = read(text, clean.left_out())
    shared = clean.sharing(
        {segment.at(1) for segment in rest.segments if segment[0] == "CLM"},
        {segment.at(9) for segment in rest.segments if segment[0] == "NM1"},
        {segment.at(2) for segment in rest.segments if segment[0] == "REF"},
    )
    return read(text, clean.left_out(shared)) if pc.any(shared).as_py() else rest


def _amount(text: str) -> Decimal | None:
    return Decimal(text) if codes.is_amount(text) else None


@dataclass(slots=True)
class _Line:
    """What the rules over a claim's lines need of one; a value that is wrong in itself stays empty."""

    service: Segment
    code: str = ""
    units: int = 0
    charge: Decimal | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class _Lived:
    """From when to when the patient lived, as far as the file says."""

    birth: date | None
    death: date | None


class _Scrubber:
    def __init__(self, file: X12File, rules: ClaimRules) -> None:
        self.file = file
        self.rules = rules
        self.faults: list[Fault] = []
        self.sent_on: date | None = None  # GS04
        self.claims_seen: dict[str, int] = {}  # claim id -> segment
        self.lines_seen: dict[str, int] = {}  # line id -> segment
        self.months_seen: dict[tuple[str, str], tuple[int, str | None]] = {}  # member and month -> segment, claim id

    def fault(self, owners: Owners, segment: Segment, element: int | str, rule: str, text: str) -> None:
        """Something wrong in an element: 9 of an NM1 is NM109, "05-3" of a CLM is CLM05-3."""
        field = segment.field(element) if isinstance(element, int) else f"{segment[0]}{element}"
        for owner in owners:
            self.faults.append(make_fault(owner, segment.key, field, rule, text, segment.position))

    def missing(self, owners: Owners, key: str, field: str, at: int, text: str, rule: str = "missing") -> None:
        """Something that is not there: `key` and `field` say what should be, `at` is the segment to look at."""
        for owner in owners:
            self.faults.append(make_fault(owner, key, field, rule, text, at))

    # --- the file ----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        file, again = self.file, "make the file again"
        self.characters()
        if not file.is_terminated:
            at = file.segments[-1].position + 1 if file.segments else 1
            self.missing(WHOLE_FILE, "end of file", "terminator", at, f"the last segment is not ended; {again}", "cut-short")
        for segment in file.segments:
            if segment[0] not in SEGMENT_IDS:
                owners = file.claims_at(segment.position)
                self.fault(owners, segment, 0, "segment-unknown", f"begins with no segment id of an 837P; {again}")
        for stray in file.strays:
            self.fault(WHOLE_FILE, stray, 0, "segment-outside", f"stands outside ISA..IEA, GS..GE or ST..SE; {again}")
        if not any(file.transactions()):
            self.missing(WHOLE_FILE, "ST", "ST01", 1, f"the file holds no transaction (ST..SE); {again}")
        for interchange in file.interchanges:
            self.interchange(interchange)

    def characters(self) -> None:
        """The basic character set, no separators that separate nothing, no element of blanks alone: one search when the file is clean."""
        file = self.file
        marks, end = re.escape(file.element + file.component), re.escape(file.terminator)
        basic = rf"""A-Z0-9 !"&'()+,\-./;?={marks}"""
        if not re.compile(f"[^{basic}{end}]|[{marks}] *{end}|[{marks}] +[{marks}]").search(file.text, ISA_LENGTH):
            return
        is_bad, is_idle = re.compile(f"[^{basic}]").search, re.compile(f"[{marks}]$").search
        component = re.escape(file.component)
        is_blank = re.compile(f"(?:^|{component}) +(?:$|{component})").search
        for segment in file.segments:
            if segment[0] == "ISA":  # its length is fixed and it holds the marks themselves
                continue
            owners = file.claims_at(segment.position)
            if is_idle(segment[-1]) or (len(segment) > 1 and not segment[-1]):
                text = "ends in separators that separate nothing; leave them out"
                self.fault(owners, segment, len(segment) - 1, "idle-separator", text)
            for number, value in enumerate(segment[1:], 1):
                if is_blank(value):
                    self.fault(
                        owners, segment, number, "blank", "is nothing but blanks; fill it, or leave it empty where it may be"
                    )
            if not is_bad(file.element.join(segment)):
                continue
            for number, value in enumerate(segment):
                if not is_bad(value):
                    continue
                if value.isascii() and not is_bad(value.upper()):
                    self.fault(owners, segment, number, "lower-case", "has lower-case letters; write it in upper case")
                else:
                    text = "has a character outside X12's basic set; write it with A-Z, 0-9 and plain marks"
                    self.fault(owners, segment, number, "character-set", text)

    # --- envelope ----------------------------------------------------------------------------------------------------

    def interchange(self, interchange: Interchange) -> None:
        isa, iea, groups = interchange.isa, interchange.iea, len(interchange.groups)
        if len(isa) != 17:
            self.fault(WHOLE_FILE, isa, 16, "isa-form", "must have 16 elements of fixed length; make the file again")
            return
        if isa[12] != "00501":
            self.fault(WHOLE_FILE, isa, 12, "isa-form", "must be 00501")
        if not codes.is_control_number(isa[13]):
            self.fault(WHOLE_FILE, isa, 13, "control-number", "must be a control number of 9 digits")
        if isa[15] not in ("P", "T"):
            self.fault(WHOLE_FILE, isa, 15, "usage-indicator", "must be P (production) or T (test)")
        if codes.real_day("20" + isa[9]) is None:
            self.fault(WHOLE_FILE, isa, 9, "date-not-real", "is no date of the form YYMMDD")
        if iea is None:
            self.cut_short("IEA", isa)
        else:
            if iea.at(1) != str(groups):
                self.fault(WHOLE_FILE, iea, 1, "count", f"must be the number of groups, {groups}")
            if iea.at(2) != isa[13]:
                self.fault(WHOLE_FILE, iea, 2, "control-number", "must repeat the control number of ISA13")
        for group in interchange.groups:
            self.group(group)

    def cut_short(self, trailer: str, opening: Segment) -> None:
        text = f"the {opening[0]} of this segment is never closed; the file is cut short, make it again"
        self.missing(WHOLE_FILE, trailer, f"{trailer}01", opening.position, text, "cut-short")

    def group(self, group: Group) -> None:
        gs, ge, transactions = group.gs, group.ge, len(group.transactions)
        self.sent_on = codes.real_day(gs.at(4))
        if self.sent_on is None:
            self.fault(WHOLE_FILE, gs, 4, "date-not-real", "is no date of the form CCYYMMDD")
        if gs.at(1) != "HC":
            self.fault(WHOLE_FILE, gs, 1, "guide", "must be HC (health care claim)")
        if gs.at(8) != GUIDE:
            self.fault(WHOLE_FILE, gs, 8, "guide", f"must be {GUIDE}, the professional claim")
        if ge is None:
            self.cut_short("GE", gs)
        else:
            if ge.at(1) != str(transactions):
                self.fault(WHOLE_FILE, ge, 1, "count", f"must be the number of transactions, {transactions}")
            if ge.at(2) != gs.at(6):
                self.fault(WHOLE_FILE, ge, 2, "control-number", "must repeat the control number of GS06")
        numbers = Counter(transaction.st.at(2) for transaction in group.transactions)
        for transaction in group.transactions:
            if numbers[transaction.st.at(2)] > 1:
                self.fault(WHOLE_FILE, transaction.st, 2, "control-number", "stands on two transactions of this group")
            self.transaction(transaction)

    def transaction(self, transaction: Transaction) -> None:
        st, se, count = transaction.st, transaction.se, transaction.segment_count
        if st.at(1) != "837":
            self.fault(WHOLE_FILE, st, 1, "guide", "is no claim (837); only claims are judged here")
            return
        if st.at(3) != GUIDE:
            self.fault(WHOLE_FILE, st, 3, "guide", f"must be {GUIDE}, the professional claim")
        if se is None:
            self.cut_short("SE", st)
        else:
            if se.at(1) != str(count):
                self.fault(WHOLE_FILE, se, 1, "count", f"must be the number of segments from ST to SE, {count}")
            if se.at(2) != st.at(2):
                self.fault(WHOLE_FILE, se, 2, "control-number", "must repeat the control number of ST02")
        self.header(transaction)
        self.levels(transaction)
        for provider in transaction.providers:
            self.billing_provider(provider)
            for subscriber in provider.children:
                self.subscriber(subscriber)
        claims = sum(1 for _ in transaction.claims()) + transaction.left_out
        if not claims:
            self.missing(WHOLE_FILE, "CLM", "CLM01", st.position, "the transaction holds no claim; leave it out")
        if claims > codes.MOST_CLAIMS:
            text = f"the transaction holds {claims} claims; at most {codes.MOST_CLAIMS} go into one ST"
            self.fault(WHOLE_FILE, st, 2, "too-many-claims", text)

    def header(self, transaction: Transaction) -> None:
        header, at = transaction.header, transaction.st.position
        bht = header.first("BHT")
        if bht is None:
            self.missing(WHOLE_FILE, "BHT", "BHT01", at, "the beginning of the transaction is missing")
        else:
            if bht.at(6) != "CH":
                self.fault(WHOLE_FILE, bht, 6, "not-chargeable", "must be CH (chargeable)")
            if codes.real_day(bht.at(4)) is None:
                self.fault(WHOLE_FILE, bht, 4, "date-not-real", "is no date of the form CCYYMMDD")
        for qualifier, who in (("41", "submitter"), ("40", "receiver")):
            entity = header.entity(qualifier)
            if entity is None:
                self.missing(WHOLE_FILE, f"NM1*{qualifier}", "NM103", at, f"the {who} is missing")
                continue
            name = entity.segments[0]
            if not name.at(3):
                self.fault(WHOLE_FILE, name, 3, "missing", f"the {who}'s name is missing")
            if name.at(8) != "46" or not name.at(9):
                self.fault(WHOLE_FILE, name, 9, "missing", f"the {who}'s id (qualifier 46) is missing")
            contact = entity.first("PER")
            if qualifier == "41" and (contact is None or not contact.at(4)):
                text = "the submitter's telephone is missing; set `phone` of the practice"
                self.missing(WHOLE_FILE, "PER", "PER04", name.position, text)

    def levels(self, transaction: Transaction) -> None:
        """The HL tree: numbered from 1, every subscriber under the billing provider before it. A tree that is wrong
        anywhere may hang a claim on the wrong patient, so it is a fault of the whole file."""
        provider: str | None = None
        if not transaction.levels:
            text = "the billing provider's level is missing"
            self.missing(WHOLE_FILE, "HL", "HL01", transaction.st.position, text)
        for number, hl in transaction.levels:
            kind = hl.at(3)
            if hl.at(1) != str(number):
                self.fault(WHOLE_FILE, hl, 1, "level-number", f"must be {number}, the number of this HL in its ST")
            if kind == "20":
                provider = hl.at(1)
                if hl.at(2):
                    self.fault(WHOLE_FILE, hl, 2, "level-parent", "must be empty: a billing provider has no parent")
            elif kind == "22":
                if provider is None or hl.at(2) != provider:
                    self.fault(WHOLE_FILE, hl, 2, "level-parent", "must be the HL01 of the billing provider above it")
                if hl.at(4) != "0":
                    self.fault(WHOLE_FILE, hl, 4, "level-child", "must be 0: a Medicare patient is the subscriber")
            else:
                text = "must be 20 (billing provider) or 22 (subscriber): a Medicare patient is the subscriber"
                self.fault(WHOLE_FILE, hl, 3, "level-kind", text)

    # --- billing provider --------------------------------------------------------------------------------------------

    def billing_provider(self, provider: Loop) -> None:
        entity = provider.entity("85")
        if entity is None:
            self.missing(WHOLE_FILE, "NM1*85", "NM103", provider.position, "the billing provider is missing")
            return
        name = entity.segments[0]
        if not name.at(3):
            self.fault(WHOLE_FILE, name, 3, "missing", "the billing provider's name is missing")
        self.npi(WHOLE_FILE, name, "the billing provider's")
        self.address(WHOLE_FILE, entity, "the billing provider's", needs_zip4=True)
        street = entity.first("N3")
        if street is not None and is_post_box(street.at(1)):
            text = "the billing provider's address must be a street, no post box"
            self.fault(WHOLE_FILE, street, 1, "post-box", text)
        tax = entity.first("REF", "EI")
        if tax is None:
            text = "the billing provider's tax id is missing; set `tax_id` of the practice"
            self.missing(WHOLE_FILE, "REF*EI", "REF02", name.position, text)
        elif not codes.is_tax_id(tax.at(2)):
            self.fault(WHOLE_FILE, tax, 2, "tax-id-form", "must be 9 digits without a dash")
        self.taxonomy(WHOLE_FILE, provider.first("PRV", "BI"))

    def npi(self, owners: Owners, name: Segment, whose: str) -> None:
        if name.at(8) != "XX":
            self.fault(owners, name, 8, "npi-missing", f"must be XX: {whose} NPI is missing")
        if not name.at(9):
            self.fault(owners, name, 9, "npi-missing", f"{whose} NPI is missing; add it")
        elif not codes.is_npi(name.at(9)):
            text = f"{whose} NPI must be 10 digits with the right check digit; look it up in NPPES"
            self.fault(owners, name, 9, "npi-invalid", text)

    def taxonomy(self, owners: Owners, specialty: Segment | None) -> None:
        if specialty is not None and not codes.is_taxonomy(specialty.at(3)):
            self.fault(owners, specialty, 3, "taxonomy-form", "must be a taxonomy code of 10 characters")

    def address(self, owners: Owners, entity: Loop, whose: str, needs_zip4: bool = False) -> None:
        street, place = entity.first("N3"), entity.first("N4")
        if street is None or not street.at(1):
            self.missing(owners, "N3", "N301", entity.position, f"{whose} street address is missing; add it")
        if place is None:
            text = f"{whose} city, state and ZIP code are missing; add them"
            self.missing(owners, "N4", "N401", entity.position, text)
            return
        if len(place.at(1)) < 2:
            self.fault(owners, place, 1, "missing", f"{whose} city is missing; add it")
        if place.at(4) not in ("", "US"):
            return  # abroad: neither a state nor a ZIP code
        if place.at(2) not in codes.STATES:
            self.fault(owners, place, 2, "state-unknown", f"{whose} state must be a two-letter state code")
        if not codes.is_zip(place.at(3)) or (needs_zip4 and len(place.at(3)) != 9):
            digits = "9 digits (ZIP+4)" if needs_zip4 else "5 or 9 digits"
            self.fault(owners, place, 3, "zip-form", f"{whose} ZIP code must be {digits}")

    # --- patient -----------------------------------------------------------------------------------------------------

    def subscriber(self, subscriber: Loop) -> None:
        owners, at = subscriber.claim_ids, subscriber.position
        coverage = subscriber.first("SBR")
        if coverage is None:
            self.missing(owners, "SBR", "SBR09", at, "the subscriber's coverage is missing")
        else:
            for number, value, meaning in ((1, "P", "pays first"), (2, "18", "self"), (9, "MB", "Medicare Part B")):
                if coverage.at(number) != value:
                    self.fault(owners, coverage, number, "coverage", f"must be {value} ({meaning})")
        payer = subscriber.entity("PR")
        if payer is None:
            self.missing(owners, "NM1*PR", "NM103", at, "the payer is missing")
        elif payer.segments[0].at(8) not in ("PI", "XV") or not payer.segments[0].at(9):
            self.fault(owners, payer.segments[0], 9, "missing", "the payer's id (qualifier PI) is missing")
        if not subscriber.children:
            self.missing(owners, "CLM", "CLM01", at, "the patient has no claim; leave the patient out")

        patient = subscriber.entity("IL")
        birth: date | None = None
        member_id = ""
        if patient is None:
            self.missing(owners, "NM1*IL", "NM103", at, "the patient is missing")
        else:
            member_id = self.member(owners, patient.segments[0])
            self.address(owners, patient, "the patient's")
            birth = self.birth(owners, patient)
        lived = _Lived(birth, self.death(owners, subscriber, birth))
        for claim in subscriber.children:
            self.claim(claim, member_id, lived)

    def member(self, owners: Owners, name: Segment) -> str:
        """The patient's name and MBI; gives the MBI as it stands."""
        if name.at(2) != "1":
            self.fault(owners, name, 2, "patient-kind", "must be 1 (a person)")
        for number, part in ((3, "last"), (4, "first")):
            if not name.at(number):
                text = f"the patient's {part} name is missing or has no letter of A-Z; write it as on the Medicare card"
                self.fault(owners, name, number, "missing", text)
        if name.at(8) != "MI" or not name.at(9):
            self.fault(owners, name, 9, "mbi-missing", "the patient's MBI (qualifier MI) is missing; add it")
        elif not codes.is_mbi(name.at(9)):
            text = "is no MBI: 11 characters in CMS's pattern, without S, L, O, I, B, Z; copy it from the card"
            self.fault(owners, name, 9, "mbi-form", text)
        return name.at(9)

    def birth(self, owners: Owners, patient: Loop) -> date | None:
        dmg = patient.first("DMG")
        if dmg is None:
            text = "the patient's birth date and sex are missing; add them"
            self.missing(owners, "DMG", "DMG02", patient.position, text)
            return None
        if dmg.at(3) not in ("F", "M", "U"):
            self.fault(owners, dmg, 3, "sex", "must be F, M or U")
        day = codes.real_day(dmg.at(2)) if dmg.at(1) == "D8" else None
        if day is None:
            self.fault(owners, dmg, 2, "date-not-real", "the birth date is no real date of the form CCYYMMDD")
        elif self.sent_on and not codes.is_birth_date(day, self.sent_on):
            text = f"the birth date is in the future or over {codes.OLDEST_AGE} years ago"
            self.fault(owners, dmg, 2, "birth-date", text)
        return day

    def death(self, owners: Owners, subscriber: Loop, birth: date | None) -> date | None:
        pat = subscriber.first("PAT")
        if pat is None or not (pat.at(5) or pat.at(6)):
            return None
        day = codes.real_day(pat.at(6)) if pat.at(5) == "D8" else None
        if day is None:
            self.fault(owners, pat, 6, "date-not-real", "the date of death is no real date of the form CCYYMMDD")
        elif (self.sent_on and day > self.sent_on) or (birth and day < birth):
            text = "the date of death is before the birth date or after the date of the file (GS04)"
            self.fault(owners, pat, 6, "death-date", text)
        return day

    # --- claim -------------------------------------------------------------------------------------------------------

    def claim(self, claim: Loop, member_id: str, lived: _Lived) -> None:
        clm, owner = claim.segments[0], (claim.claim_id,)
        self.claim_head(clm, owner)
        diagnoses = self.diagnoses(claim, owner)
        practitioner = claim.entity("82")
        if practitioner is None:
            text = "the rendering practitioner is missing; add the billing practitioner of the patient"
            self.missing(owner, "NM1*82", "NM109", claim.position, text, "npi-missing")
        else:
            name = practitioner.segments[0]
            if not name.at(3):
                self.fault(owner, name, 3, "missing", "the rendering practitioner's last name is missing; add it")
            self.npi(owner, name, "the rendering practitioner's")
            self.taxonomy(owner, practitioner.first("PRV", "PE"))

        if not 1 <= len(claim.children) <= codes.MOST_LINES:
            text = f"a claim has 1 to {codes.MOST_LINES} service lines, this one {len(claim.children)}"
            self.missing(owner, "LX", "LX01", claim.position, text, "line-count")
        lines = [self.line(loop, owner, number, diagnoses, lived) for number, loop in enumerate(claim.children, 1)]
        charged, charges = _amount(clm.at(2)), [line.charge for line in lines if line.charge is not None]
        if not charged:
            self.fault(owner, clm, 2, "amount-form", "must be an amount above 0 in dollars and cents")
        elif len(charges) == len(lines) and charged != sum(charges):
            self.fault(owner, clm, 2, "total", f"must be the sum of the lines' charges, {sum(charges)}")
        self.month(clm, owner, lines, member_id)
        self.tracks(owner, lines)

    def claim_head(self, clm: Segment, owner: Owners) -> None:
        claim_id = clm.at(1)
        if not claim_id:
            self.fault(owner, clm, 1, "missing", "the claim id is missing")
        else:
            if len(claim_id) > codes.LONGEST_CLAIM_ID:
                text = f"is over {codes.LONGEST_CLAIM_ID} characters: payers need not return more"
                self.fault(owner, clm, 1, "claim-id-length", text)
            if (earlier := self.claims_seen.setdefault(claim_id, clm.position)) != clm.position:
                text = f"the same claim id stands at segment {earlier}; a claim id goes out once, ever"
                self.fault(owner, clm, 1, "duplicate-claim", text)
        place, _, frequency = (*clm.at(5).split(self.file.component), "", "")[:3]
        if place not in PLACES_OF_SERVICE:
            text = "must be of CMS's list of places of service; set `place_of_service` of the practice"
            self.fault(owner, clm, "05-1", "place-of-service", text)
        elif place in codes.TELEHEALTH:
            text = "is telehealth, which care management is not; give the place where the practitioner sees patients"
            self.fault(owner, clm, "05-1", "place-of-service", text)
        if frequency != "1":
            text = "must be 1 (original): Part B takes no replacement or void; ask for a reopening"
            self.fault(owner, clm, "05-3", "claim-frequency", text)

    def diagnoses(self, claim: Loop, owner: Owners) -> int:
        """How many diagnoses the claim has."""
        seen: list[str] = []
        for hi in claim.every("HI"):
            for number, composite in enumerate(hi[1:], 1):
                kind, _, code = composite.partition(self.file.component)
                if kind not in ("ABK", "ABF", "BK", "BF"):
                    continue  # anesthesia or condition codes
                wanted = "ABF" if seen else "ABK"
                if kind != wanted:
                    text = f"must be {wanted}: ICD-10-CM, the principal diagnosis first"
                    self.fault(owner, hi, f"{number:02d}-1", "diagnosis-kind", text)
                if not codes.is_icd10cm(code):
                    text = "is no ICD-10-CM code: a letter, a digit, then 1 to 5 more without a dot"
                    self.fault(owner, hi, f"{number:02d}-2", "diagnosis-form", text)
                elif code in seen:
                    text = "stands on the claim already; leave it out"
                    self.fault(owner, hi, f"{number:02d}-2", "duplicate-diagnosis", text)
                seen.append(code)
        if not seen:
            text = "the claim has no diagnosis; add the chronic conditions"
            self.missing(owner, "HI", "HI01", claim.position, text)
        if len(seen) > codes.MOST_DIAGNOSES:
            text = f"a claim has at most {codes.MOST_DIAGNOSES} diagnoses, this one {len(seen)}"
            self.missing(owner, "HI", f"HI{codes.MOST_DIAGNOSES + 1}", claim.position, text, "too-many-diagnoses")
        return len(seen)

    # --- service line ------------------------------------------------------------------------------------------------

    def line(self, loop: Loop, owner: Owners, number: int, diagnoses: int, lived: _Lived) -> _Line:
        lx, service = loop.segments[0], loop.first("SV1")
        line = _Line(service or lx)
        if lx.at(1) != str(number):
            self.fault(owner, lx, 1, "line-number", f"must be {number}, counting from 1 within the claim")
        if service is None:
            self.missing(owner, "SV1", "SV101", loop.position, f"line {number} has no service")
        else:
            self.procedure(line, owner)
            self.pointers(service, owner, diagnoses)
        line.day = self.service_date(loop, owner, lived)
        reference = loop.first("REF", "6R")
        if reference is None or not reference.at(2):
            text = f"line {number} has no line id, so its payment could not be matched"
            self.missing(owner, "REF*6R", "REF02", loop.position, text)
        else:
            if len(reference.at(2)) > codes.LONGEST_LINE_ID:
                text = f"is over {codes.LONGEST_LINE_ID} characters: payers need not return more"
                self.fault(owner, reference, 2, "line-id-length", text)
            earlier = self.lines_seen.setdefault(reference.at(2), reference.position)
            if earlier != reference.position:
                self.fault(owner, reference, 2, "duplicate-line", f"the same line id stands at segment {earlier}")
        return line

    def procedure(self, line: _Line, owner: Owners) -> None:
        """Code, charge and units of an SV1, into the line what is good of them."""
        sv1 = line.service
        kind, code = (*sv1.at(1).split(self.file.component), "")[:2]
        if kind != "HC":
            self.fault(owner, sv1, "01-1", "procedure-code-kind", "must be HC (CPT and HCPCS codes)")
        if not is_procedure_code(code):
            text = "is no CPT or HCPCS code: 5 characters, such as 99490 or G0556"
            self.fault(owner, sv1, "01-2", "procedure-code-form", text)
        elif code not in self.rules.codes:
            text = f"{code} is no care management code; this file bills only CCM, PCM and APCM"
            self.fault(owner, sv1, "01-2", "procedure-code-unknown", text)
        else:
            line.code = code
        line.charge = _amount(sv1.at(2))
        if not line.charge:
            self.fault(owner, sv1, 2, "amount-form", "must be an amount above 0 in dollars and cents")
        if sv1.at(3) != "UN":
            self.fault(owner, sv1, 3, "unit-kind", "must be UN (units)")
        if not codes.is_number(sv1.at(4)) or int(sv1.at(4)) < 1:
            self.fault(owner, sv1, 4, "units", "must be a whole number of units, at least 1")
        else:
            line.units = int(sv1.at(4))
        if sv1.at(5) and sv1.at(5) not in PLACES_OF_SERVICE - codes.TELEHEALTH:
            self.fault(owner, sv1, 5, "place-of-service", "must be of CMS's list of places, and not telehealth")

    def pointers(self, sv1: Segment, owner: Owners, diagnoses: int) -> None:
        pointers = sv1.at(7).split(self.file.component) if sv1.at(7) else []
        if not 1 <= len(pointers) <= codes.MOST_POINTERS:
            text = f"must point to 1 to {codes.MOST_POINTERS} diagnoses"
            self.fault(owner, sv1, 7, "diagnosis-pointer", text)
        for number, pointer in enumerate(pointers[: codes.MOST_POINTERS], 1):
            if not codes.is_number(pointer) or not 1 <= int(pointer) <= diagnoses:
                text = f"must point to one of the claim's diagnoses, of which there are {diagnoses}"
                self.fault(owner, sv1, f"07-{number}", "diagnosis-pointer", text)
            elif pointer in pointers[: number - 1]:
                self.fault(owner, sv1, f"07-{number}", "diagnosis-pointer", "points to a diagnosis twice; leave it out")

    def service_date(self, loop: Loop, owner: Owners, lived: _Lived) -> date | None:
        dtp = loop.first("DTP", "472")
        if dtp is None:
            self.missing(owner, "DTP*472", "DTP03", loop.position, "the service date is missing")
            return None
        if dtp.at(2) != "D8":
            text = "must be D8: a line has one service date, no span"
            self.fault(owner, dtp, 2, "service-date-form", text)
            return None
        day = codes.real_day(dtp.at(3))
        if day is None:
            self.fault(owner, dtp, 3, "date-not-real", "the service date is no real date of the form CCYYMMDD")
        elif self.sent_on and day > self.sent_on:
            text = "the service date is after the date of the file (GS04); claim it once the month is over"
            self.fault(owner, dtp, 3, "service-date-future", text)
        elif lived.birth and day < lived.birth:
            self.fault(owner, dtp, 3, "service-date-before-birth", "the service date is before the birth date")
        elif lived.death and day > lived.death:
            self.fault(owner, dtp, 3, "service-date-after-death", "the service date is after the date of death (PAT06)")
        return day

    # --- what care management adds to the guide ----------------------------------------------------------------------

    def month(self, clm: Segment, owner: Owners, lines: list[_Line], member_id: str) -> None:
        """One claim is one patient-month, and a patient-month is claimed once."""
        months = sorted({line.day.isoformat()[:7] for line in lines if line.day})
        if len(months) > 1:
            text = f"the lines lie in {' and '.join(months)}; one claim is one calendar month"
            self.missing(owner, "DTP*472", "DTP03", clm.position, text, "two-months")
        for month in months if member_id else ():
            at, claim_id = self.months_seen.setdefault((member_id, month), (clm.position, clm.at(1)))
            if at != clm.position:
                text = f"claim {claim_id} at segment {at} bills {month} of this patient already; a month is claimed once"
                self.fault(owner, clm, 1, "duplicate-patient-month", text)

    def tracks(self, owner: Owners, lines: list[_Line]) -> None:
        """One track a claim, each code on one line up to its cap, an add-on only after its base on the same date."""
        known = [line for line in lines if line.code]
        bases = sorted({self.rules.base_of(line.code, line.day) for line in known})
        if len(bases) > 1:
            text = f"bills the tracks of {' and '.join(bases)}; a patient-month has one"
            self.fault(owner, known[0].service, "01-2", "two-tracks", text)
        units: Counter[str] = Counter()
        billed: set[tuple[str, date | None]] = set()
        for line in known:
            code, base = line.code, self.rules.base_of(line.code, line.day)
            if code in units:
                text = f"{code} stands on two lines; put all its units on one"
                self.fault(owner, line.service, "01-2", "code-on-two-lines", text)
            units[code] += line.units
            cap = self.rules.most_units(code, line.day)
            if cap is None:
                text = f"the rules have no cap of {code}, so nobody knows how many units are too many; add its row to rule_caps"
                self.fault(owner, line.service, 4, "unit-cap-unknown", text)
            elif units[code] > cap:
                text = f"{code} has {units[code]} units; at most {cap} a month"
                self.fault(owner, line.service, 4, "unit-cap", text)
            if code != base and (base, line.day) not in billed:
                text = f"{code} adds on to {base}, which must stand before it on the same claim and date"
                self.fault(owner, line.service, "01-2", "add-on-without-base", text)
            billed.add((code, line.day))
