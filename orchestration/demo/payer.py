"""The demo's payer: answers the claim files that went out, as a Medicare contractor would, from the files alone and a hash of each claim id.

Everything that a billing office meets is among its answers: a file turned back (999), claims turned back (277CA), payments with deductible,
coinsurance and sequestration, denials of claims and of single lines, an unprocessable claim, a payment below the fee schedule, a decision taken
back and corrected a month later, a withheld amount, a stranger's claim, a file sent twice. Every 835 adds up.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from orchestration.close.versions import packets
from orchestration.close.x12.reader import Loop, Segment, Transaction, read
from orchestration.house import House, write_private

ACKNOWLEDGED_AFTER, ACCEPTED_AFTER, PAID_AFTER = timedelta(0), timedelta(0), timedelta(16)
CENT = Decimal("0.01")
_MEDICARE, _AFTER_SEQUESTRATION = Decimal("0.80"), Decimal("0.98")

# Out of 100 claims, how many meet which fate (the rest is paid in full); by the claim id's hash, so that a demo is always the same.
_FATES = (
    ("turned_back", 3),
    ("other_practice", 4),
    ("add_on_denied", 4),
    ("unprocessable", 1),
    ("deductible", 3),
    ("part_deductible", 3),
    ("underpaid", 2),
    ("taken_back", 3),
)


@dataclass(frozen=True)
class SentLine:
    line_id: str
    procedure_code: str
    units: int
    service_on: str  # CCYYMMDD, as on the claim
    charge: Decimal
    allowed: Decimal


@dataclass(frozen=True)
class SentClaim:
    claim_id: str
    patient: Segment  # the NM1*IL of the claim
    lines: tuple[SentLine, ...]

    @property
    def charge(self) -> Decimal:
        return sum((line.charge for line in self.lines), Decimal(0))

    @property
    def fate(self) -> str:
        number = int(hashlib.sha256(self.claim_id.encode()).hexdigest(), 16) % 100
        for name, share in _FATES:
            if number < share:
                return name
            number -= share
        return "paid"

    @property
    def payer_claim_number(self) -> str:
        return f"14{int(hashlib.sha256(self.claim_id.encode()).hexdigest()[:10], 16) % 10**11:011d}"


@dataclass(frozen=True)
class SentPacket:
    """One claim file that went out, read back from its packet."""

    practice_id: str
    month: str
    version: int
    isa: Segment
    gs: Segment
    transactions: tuple[Transaction, ...]
    provider: Loop
    claims: tuple[SentClaim, ...]

    @property
    def control_number(self) -> int:
        return int(self.isa.at(13))

    @property
    def sent_on(self) -> date:
        text = self.gs.at(4)
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))

    @property
    def provider_name(self) -> Segment:
        entity = self.provider.entity("85")
        assert entity is not None
        return entity.segments[0]

    @property
    def tax_id(self) -> str:
        entity = self.provider.entity("85")
        reference = entity.first("REF", "EI") if entity else None
        return reference.at(2) if reference else ""

    @property
    def payer(self) -> Segment:
        entity = self.provider.children[0].entity("PR")
        assert entity is not None
        return entity.segments[0]


def sent_packets(house: House) -> list[SentPacket]:
    """Every packet with a claim file, by practice, month and version."""
    found = []
    for packet in packets(house, having="claims.837"):
        with (packet.folder / "claims.csv").open(encoding="utf-8", newline="") as handle:
            allowed = {row["line_id"]: Decimal(row["allowed_amount"]) for row in csv.DictReader(handle)}
        file = read((packet.folder / "claims.837").read_bytes())
        group = file.interchanges[0].groups[0]
        claims = [
            _claim(subscriber, claim, allowed, file.component)
            for transaction in group.transactions
            for subscriber in transaction.subscribers()
            for claim in subscriber.children
        ]
        found.append(
            SentPacket(
                practice_id=packet.practice_id,
                month=f"{packet.month:%Y-%m}",
                version=packet.number,
                isa=file.interchanges[0].isa,
                gs=group.gs,
                transactions=tuple(group.transactions),
                provider=group.transactions[0].providers[0],
                claims=tuple(claims),
            )
        )
    return found


def _claim(subscriber: Loop, claim: Loop, allowed: dict[str, Decimal], component: str) -> SentClaim:
    patient = subscriber.entity("IL")
    assert patient is not None
    lines = []
    for loop in claim.children:
        sv1, dtp, reference = loop.first("SV1"), loop.first("DTP", "472"), loop.first("REF", "6R")
        assert sv1 is not None and dtp is not None and reference is not None
        code = sv1.at(1).split(component)[1]
        lines.append(
            SentLine(reference.at(2), code, int(sv1.at(4)), dtp.at(3), Decimal(sv1.at(2)), allowed[reference.at(2)])
        )  # fmt: skip
    return SentClaim(str(claim.claim_id), patient.segments[0], tuple(lines))


# --- the answers ------------------------------------------------------------------------------------------------------


def answer(house: House, up_to: date) -> list[Path]:
    """Writes into inbox/ what the payer answers to every packet by `up_to`. Gives the files, by name."""
    sent = sent_packets(house)
    turned_back = {(packet.practice_id, packet.month, packet.version) for packet in sent if packet.version > 1}
    turned_back = set(sorted(turned_back)[:1])
    written: list[Path] = []
    earlier: dict[str, list[tuple[SentClaim, list[Decision]]]] = {}
    has_stranger = has_withholding = False

    def put(name: str, text: str) -> None:
        path = house.inbox / name
        write_private(path, text)
        written.append(path)

    for packet in sent:
        name = f"{packet.practice_id}_{packet.month}_v{packet.version}"
        is_turned_back = (packet.practice_id, packet.month, packet.version) in turned_back
        if packet.sent_on + ACKNOWLEDGED_AFTER <= up_to:
            put(f"{name}.999", acknowledgment(packet, is_rejected=is_turned_back))
        if is_turned_back or packet.sent_on + ACCEPTED_AFTER > up_to:
            continue
        put(f"{name}.277ca", claim_statuses(packet))
        paid_on = packet.sent_on + PAID_AFTER
        if paid_on > up_to:
            continue
        decided = [(claim, decide(claim)) for claim in packet.claims if claim.fate != "turned_back"]
        corrections = [
            (claim, decisions) for claim, decisions in earlier.pop(packet.practice_id, []) if claim.fate == "taken_back"
        ][:2]
        remittance = Remittance(packet, paid_on, decided, corrections)
        if not has_stranger:
            remittance.stranger = has_stranger = True
        elif not has_withholding:
            remittance.withheld, has_withholding = Decimal("12.50"), True
        put(f"{name}.835", remittance.text())
        earlier[packet.practice_id] = decided
    if written:
        again = next((path for path in written if path.suffix == ".835"), written[0])
        put("copy_of_an_earlier_file.txt", again.read_text(encoding="ascii"))
    return written


def acknowledgment(packet: SentPacket, *, is_rejected: bool) -> str:
    """A 999 005010X231A1 for the whole file."""
    outcome = "R*5" if is_rejected else "A"
    count = len(packet.transactions)
    body = [f"AK1*HC*{packet.gs.at(6)}*{packet.gs.at(8)}"]
    for transaction in packet.transactions:
        body += [f"AK2*837*{transaction.st.at(2)}*{transaction.st.at(3)}"]
        body += ["IK3*PER*4**3"] if is_rejected else []
        body += [f"IK5*{outcome}"]
    body += [f"AK9*{outcome[0]}*{count}*{count}*{0 if is_rejected else count}"]
    return _interchange(packet, "FA", "005010X231A1", "999", packet.sent_on + ACKNOWLEDGED_AFTER, body, 1)


def claim_statuses(packet: SentPacket) -> str:
    """A 277CA 005010X214: every claim taken in or turned back."""
    when = packet.sent_on + ACCEPTED_AFTER
    day = f"{when:%Y%m%d}"
    provider, payer = packet.provider_name, packet.payer
    total = sum((claim.charge for claim in packet.claims), Decimal(0))
    body = [
        f"BHT*0085*08*{packet.control_number:09d}*{day}*0900*TH",
        "HL*1**20*1",
        f"NM1*PR*2*{payer.at(3)}*****PI*{payer.at(9)}",
        f"TRN*1*{packet.control_number:09d}",
        f"DTP*050*D8*{packet.sent_on:%Y%m%d}",
        f"DTP*009*D8*{day}",
        "HL*2*1*21*1",
        f"NM1*41*2*{provider.at(3)}*****46*{packet.isa.at(6).strip()}",
        f"TRN*2*{packet.control_number:09d}0001",
        f"STC*A1:20:PR*{day}*WQ*{_amount(total)}",
        "HL*3*2*19*1",
        f"NM1*85*2*{provider.at(3)}*****XX*{provider.at(9)}",
        "TRN*1*0",
        f"STC*A1:20:PR**WQ*{_amount(total)}",
    ]
    for level, claim in enumerate(packet.claims, 4):
        is_bad = claim.fate == "turned_back"
        status = f"A7:164:QC*{day}*U" if is_bad else f"A2:20:PR*{day}*WQ"
        body += [
            f"HL*{level}*3*PT",
            _patient(claim),
            f"TRN*2*{claim.claim_id}",
            f"STC*{status}*{_amount(claim.charge)}",
            *([] if is_bad else [f"REF*1K*{claim.payer_claim_number}"]),
            f"DTP*472*D8*{claim.lines[0].service_on}",
        ]
    return _interchange(packet, "HN", "005010X214", "277", when, body, 2)


@dataclass(frozen=True)
class Decision:
    """What the payer decides of a line: what it pays and why not the rest (group, reason, amount)."""

    line: SentLine
    paid: Decimal
    allowed: Decimal
    adjustments: tuple[tuple[str, str, Decimal], ...]
    remarks: tuple[str, ...] = ()

    def taken_back(self) -> Decision:
        return Decision(
            self.line, -self.paid, -self.allowed, tuple((group, code, -amount) for group, code, amount in self.adjustments)
        )


def decide(claim: SentClaim) -> list[Decision]:
    """The payer's decision of a claim, line by line, by its fate."""
    decisions = []
    for place, line in enumerate(claim.lines):
        if claim.fate == "other_practice":
            decisions.append(_denied(line, "CO", "B20"))
        elif claim.fate == "unprocessable":
            decisions.append(_denied(line, "CO", "16", "N290"))
        elif claim.fate == "add_on_denied" and place > 0:
            decisions.append(_denied(line, "CO", "151", "N362"))
        else:
            allowed = min(line.allowed, line.charge)
            if claim.fate == "underpaid" and place == 0:
                allowed -= Decimal("5.00")
            deductible = {"deductible": allowed, "part_deductible": Decimal("20.00") if place == 0 else Decimal(0)}
            decisions.append(_paid(line, allowed, min(deductible.get(claim.fate, Decimal(0)), allowed)))
    return decisions


def _paid(line: SentLine, allowed: Decimal, deductible: Decimal) -> Decision:
    medicare = ((allowed - deductible) * _MEDICARE).quantize(CENT, ROUND_HALF_UP)
    paid = ((allowed - deductible) * _MEDICARE * _AFTER_SEQUESTRATION).quantize(CENT, ROUND_HALF_UP)
    adjustments = (
        ("CO", "45", line.charge - allowed),
        ("CO", "253", medicare - paid),
        ("PR", "1", deductible),
        ("PR", "2", allowed - deductible - medicare),
    )
    return Decision(line, paid, allowed, tuple(one for one in adjustments if one[2]))


def _denied(line: SentLine, group: str, reason: str, *remarks: str) -> Decision:
    return Decision(line, Decimal("0.00"), Decimal("0.00"), ((group, reason, line.charge),), remarks)


@dataclass
class Remittance:
    """One 835 005010X221A1: the claims of a packet, and what is taken back and corrected of the one before."""

    packet: SentPacket
    paid_on: date
    decided: Sequence[tuple[SentClaim, list[Decision]]]
    corrected: Sequence[tuple[SentClaim, list[Decision]]]
    stranger: bool = False
    withheld: Decimal = Decimal("0.00")
    paid: Decimal = field(default=Decimal("0.00"), init=False)

    def text(self) -> str:
        packet, day = self.packet, f"{self.paid_on:%Y%m%d}"
        claims: list[str] = []
        for claim, decisions in self.corrected:
            claims += self.claim(claim, "22", [decision.taken_back() for decision in decisions])
            claims += self.claim(claim, "1", [_denied(decision.line, "CO", "B20") for decision in decisions])
        for claim, decisions in self.decided:
            claims += self.claim(claim, "1", decisions, "MA130" if claim.fate == "unprocessable" else "MA01")
        if self.stranger:
            claims += self.of_a_stranger()
        total = self.paid - self.withheld
        head = [
            f"BPR*I*{_amount(abs(total))}*{'C' if total >= 0 else 'D'}*ACH*CCP*01*999999999*DA*123456*1512345678**01*999999999*DA*98765*{day}",
            f"TRN*1*EFT{packet.practice_id[:4].upper()}{packet.control_number:09d}*1512345678",
            f"DTM*405*{day}",
            f"N1*PR*{packet.payer.at(3)}",
            "N3*PO BOX 1",
            "N4*SPRINGFIELD*IL*62701",
            "PER*BL*EDI DEPT*TE*5555550199",
            f"N1*PE*{packet.provider_name.at(3)}*XX*{packet.provider_name.at(9)}",
            f"REF*TJ*{packet.tax_id}",
            "LX*1",
        ]
        tail = (
            [f"PLB*{packet.provider_name.at(9)}*{self.paid_on.year}1231*WO:OVERPAYMENT*{_amount(self.withheld)}"]
            if self.withheld
            else []
        )
        return _interchange(packet, "HP", "005010X221A1", "835", self.paid_on, [*head, *claims, *tail], 3)

    def claim(self, claim: SentClaim, status: str, decisions: list[Decision], remark: str = "MA01") -> list[str]:
        paid = sum((decision.paid for decision in decisions), Decimal(0))
        charge = claim.charge if status != "22" else -claim.charge
        patient = sum((amount for d in decisions for group, _, amount in d.adjustments if group == "PR"), Decimal(0))
        self.paid += paid
        found = [
            f"CLP*{claim.claim_id}*{status}*{_amount(charge)}*{_amount(paid)}*{_amount(patient)}*MB*{claim.payer_claim_number}",
            _patient(claim),
            f"MOA***{remark}",
        ]
        for decision in decisions:
            line = decision.line
            charged = line.charge if status != "22" else -line.charge
            found += [
                f"SVC*HC:{line.procedure_code}*{_amount(charged)}*{_amount(decision.paid)}**{line.units}",
                f"DTM*472*{line.service_on}",
                *(f"CAS*{group}*{reason}*{_amount(amount)}" for group, reason, amount in decision.adjustments),
                f"REF*6R*{line.line_id}",
                *([f"AMT*B6*{_amount(decision.allowed)}"] if decision.allowed else []),
                *(f"LQ*HE*{code}" for code in decision.remarks),
            ]
        return found

    def of_a_stranger(self) -> list[str]:
        """Someone else's claim, as a clearinghouse misroutes one now and then."""
        self.paid += Decimal("51.85")
        return [
            "CLP*STRANGER0001*1*95*51.85*13.23*MB*1499999999999",
            "NM1*QC*1*STRANGER*ANY",
            "SVC*HC:99490*95*51.85**1",
            f"DTM*472*{self.packet.claims[0].lines[0].service_on}",
            "CAS*CO*45*28.87**253*1.05",
            "CAS*PR*2*13.23",
            "REF*6R*STRANGER000101",
        ]


def _patient(claim: SentClaim) -> str:
    name = claim.patient
    return f"NM1*QC*1*{name.at(3)}*{name.at(4)}*{name.at(5)}***MI*{name.at(9)}"


def _amount(value: Decimal) -> str:
    text = f"{value.quantize(CENT):f}".rstrip("0").rstrip(".")
    return text or "0"


def _interchange(packet: SentPacket, group: str, guide: str, set_id: str, when: date, body: Iterable[str], kind: int) -> str:
    """One transaction in its envelope, from the receiver of the claims to their submitter."""
    sender, receiver = packet.isa.at(8).strip(), packet.isa.at(6).strip()
    number = kind * 100_000_000 + packet.control_number
    third = "" if set_id == "835" else f"*{guide}"
    segments = [f"ST*{set_id}*0001{third}", *body]
    segments.append(f"SE*{len(segments) + 1}*0001")
    envelope = [
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{sender:15}*ZZ*{receiver:15}*{when:%y%m%d}*0900*^*00501*{number:09d}*0*{packet.isa.at(15)}*:",
        f"GS*{group}*{sender}*{receiver}*{when:%Y%m%d}*0900*{number}*X*{guide}",
        *segments,
        f"GE*1*{number}",
        f"IEA*1*{number:09d}",
    ]
    return "".join(f"{segment}~\n" for segment in envelope)
