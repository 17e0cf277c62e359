"""271 files for the tests, in plain text, as CMS's HETS writes them; x12sdk's models judge them."""

from __future__ import annotations

from dataclasses import dataclass, field

from x12sdk.io import X12ModelReader

MBI = "1EG4TE5MK73"


@dataclass(frozen=True)
class Member:
    """One subscriber: `benefits` are EB segments with what follows each; `dates` DTP segments of the subscriber; `rejects` AAA03 codes."""

    mbi: str = MBI
    benefits: tuple[str, ...] = ("EB*1**30*MA|DTP*291*D8*20130301", "EB*1**30*MB|DTP*291*D8*20130301")
    dates: tuple[str, ...] = ()
    rejects: tuple[str, ...] = ()

    def segments(self, number: int, receiver: int = 2) -> list[str]:
        found = [
            f"HL*{number}*{receiver}*22*0",
            f"TRN*2*TRACE{number}*9SENDER001",
            f"NM1*IL*1*ZEBRA*ANN****MI*{self.mbi}",
            "N3*1 MAIN ST",
            "N4*SPRINGFIELD*IL*62701",
        ]
        found += [f"AAA*Y**{code}*C" for code in self.rejects]
        found += ["DMG*D8*19480302*F", *self.dates]
        return [*found, *(segment for benefit in self.benefits for segment in benefit.split("|"))]


@dataclass(frozen=True)
class Answer:
    """One 271 transaction."""

    members: tuple[Member, ...] = field(default_factory=lambda: (Member(),))
    on: str = "20261102"
    npi: str = "1234567893"
    submitter: str = "NORTH01"
    payer_rejects: tuple[str, ...] = ()
    others: tuple[tuple[str, tuple[Member, ...]], ...] = ()  # further information receivers: NM108 and NM109, subscribers

    def text(self, number: int = 41, *, is_judged: bool = True) -> str:
        """The file. x12sdk knows no AAA03 of the 2100C loop beyond those of 2100B (75, subscriber not found, is not among them): such are not judged."""
        body = [f"BHT*0022*11*REF{number}*{self.on}*1319", "HL*1**20*1"]
        body += [f"AAA*Y**{code}*R" for code in self.payer_rejects]
        body += ["NM1*PR*2*CMS*****PI*CMS"]
        if not self.payer_rejects:
            level = 1
            for named, members in ((f"XX*{self.npi}", self.members), *self.others):
                receiver = level = level + 1
                body += [f"HL*{receiver}*1*21*1", f"NM1*1P*2*CLINIC*****{named}"]
                for member in members:
                    level += 1
                    body += member.segments(level, receiver)
        segments = [
            f"ISA*00*{'':10}*00*{'':10}*ZZ*{'CMS':15}*ZZ*{self.submitter:15}*{self.on[2:]}*0900*^*00501*{number:09d}*0*T*:",
            f"GS*HB*CMS*{self.submitter}*{self.on}*0900*{number}*X*005010X279A1",
            f"ST*271*{number:04d}*005010X279A1", *body, f"SE*{len(body) + 2}*{number:04d}", f"GE*1*{number}", f"IEA*1*{number:09d}",
        ]  # fmt: skip
        text = "".join(f"{segment}~\n" for segment in segments)
        if is_judged and not any(member.rejects for member in self.members):
            judge(text)
        return text


def judge(text: str) -> None:
    """Raises pydantic's ValidationError for what is no 271 of 005010X279A1."""
    with X12ModelReader(text) as reader:
        assert len(list(reader.models())) == 1
