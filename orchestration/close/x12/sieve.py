"""Which claims of an 837P certainly have no fault, found for all of them at once, so that the scrub reads only the others.

The sieve is no second scrub. A patient's text passes when it has the form that our writer gives it and
  - what repeats from claim to claim (payer, place and practitioner; the service lines with the total) has passed the scrub itself, in a specimen
    that is otherwise without fault, each distinct text once;
  - what is the patient's own (name, address, MBI, birth, diagnoses, ids) has the form that `codes` gives it, and stands nowhere else in the file
    where it must not stand twice.
Whatever it does not understand it leaves to the scrub, which says the same with the sieve and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.close.x12 import codes
from orchestration.close.x12.claim_rules import ClaimRules
from orchestration.close.x12.reader import ISA_LENGTH, LeftOut
from orchestration.close.x12.writer import GUIDE, sums

# A column of text holds twice as much.
_LONGEST_TEXT = 1_000_000_000
_FRAME = frozenset({"ISA", "GS", "ST", "SE", "GE", "IEA", "HL"})
_SEGMENTS = (
    "HL",
    "SBR",
    "NM1*IL",
    "N3",
    "N4",
    "DMG",
    "NM1*PR",
    "CLM",
    "HI",
    "NM1*82",
)  # of a patient with one claim, up to its practitioner's
_OF_A_LINE = 4  # segments
_INK = r"""[A-Z0-9!"&'()+,\-./;?=]"""  # one character of the basic set that is no blank
_BASIC = _INK.replace("0-9", "0-9 ")
_TEXT = f" *{_INK}{_BASIC}*"  # an element that is not blanks alone
_APART = "\x1f"  # in no text of the right form

Judge = Callable[[str, ClaimRules], bool]


@dataclass(frozen=True)
class Clean:
    """The patients of one claim each that passed: the block of text of each, and what nobody else in the file may have."""

    rows: pa.Array  # of the blocks
    claim_ids: pa.Array
    member_ids: pa.Array
    line_ids: pa.ListArray
    chars: pa.Array  # where each block begins, with its HL
    positions: pa.Array  # the number of that segment

    def sharing(self, claim_ids: Collection[str], member_ids: Collection[str], line_ids: Collection[str]) -> pa.Array:
        """Whether one of these ids, which stand among those that are read, is the patient's too."""
        alone = pc.invert(pc.or_(_is_in(self.claim_ids, claim_ids), _is_in(self.member_ids, member_ids)))
        alone = _less(alone, _is_in(self.line_ids.flatten(), line_ids), pc.list_parent_indices(self.line_ids))
        return pc.invert(alone)

    def left_out(self, shared: pa.Array | None = None) -> list[LeftOut]:
        """The runs of patients that need no scrub, less those that are shared."""
        rows = self.rows if shared is None else self.rows.filter(pc.invert(shared))
        if not len(rows):
            return []
        steps = pc.not_equal(pc.subtract(rows.slice(1), rows.slice(0, len(rows) - 1)), 1)
        edge = pa.array([True])
        firsts = rows.filter(pa.concat_arrays([edge, steps]))
        nexts = pc.add(rows.filter(pa.concat_arrays([steps, edge])), 1)
        columns = (
            self.chars.take(firsts),
            self.chars.take(nexts),
            pc.subtract(self.positions.take(nexts), self.positions.take(firsts)),
            pc.subtract(nexts, firsts),
        )
        return [LeftOut(*run) for run in zip(*(column.to_pylist() for column in columns), strict=True)]


def sift(text: str, sent_on: date, rules: ClaimRules, is_clean: Judge) -> Clean | None:
    """The patients of `text` without a fault; None where there is none, or the file is not built as our writer builds it.

    `text` has an ISA. `sent_on` is GS04. `is_clean` says whether the scrub, by these rules and without a sieve, finds no fault in a file.
    """
    mark = text[105]
    if (text[3], text[104]) != ("*", ":") or mark not in "~|" or len(text) > _LONGEST_TEXT or sent_on.year < 1900:
        return None
    end = mark + ("\n" if text[ISA_LENGTH : ISA_LENGTH + 1] == "\n" else "")
    blocks = pc.split_pattern(pa.array([text]), f"{end}HL*").flatten()
    parts = pc.split_pattern(blocks, f"{end}LX*")
    heads, lines = pc.list_element(parts, 0), pc.list_slice(parts, 1)
    counts = pc.list_value_length(lines)
    good = pc.match_substring_regex(heads, _head_form(end))
    good = pc.and_(good, pc.and_(pc.greater(counts, _NONE), pc.less_equal(counts, _MOST_LINES)))
    is_line = pc.match_substring_regex(lines.flatten(), _line_form(end))
    good = _less(good, pc.invert(is_line), pc.list_parent_indices(lines))
    odd = pc.invert(good)
    others = blocks.filter(odd).to_pylist()
    ordinals = _ordinals(dict(zip(pc.indices_nonzero(odd).to_pylist(), others, strict=True)), len(blocks), mark)
    if ordinals is None or len(others) == len(blocks):
        return None

    # From here on a row is a patient of the right form.
    rows, ordinals, heads, lines = (
        pa.arange(0, len(blocks)).filter(good),
        ordinals.filter(good),
        heads.filter(good),
        lines.filter(good),
    )
    segments, parent = pc.split_pattern(heads, end), pc.list_parent_indices(lines)
    of = {name: pc.list_element(segments, _SEGMENTS.index(name)) for name in ("HL", "NM1*IL", "DMG", "NM1*PR", "CLM", "HI")}
    halves = pc.split_pattern(lines.flatten(), f"{end}REF*6R*")
    services, line_ids = pc.list_element(halves, 0), pc.list_element(halves, 1)
    offsets = lines.offsets if not lines.offset else pc.subtract(lines.offsets, lines.offsets[0])
    claim = pc.split_pattern(of["CLM"], "*")
    claim_ids, totals = pc.list_element(claim, 1), pc.list_element(claim, 2)
    member_ids = pc.utf8_slice_codeunits(of["NM1*IL"], -11)
    births, days = pc.utf8_slice_codeunits(of["DMG"], 7, 15), pc.utf8_slice_codeunits(services, -8)
    diagnoses = pc.utf8_slice_codeunits(of["HI"], 7)
    more_diagnoses = pc.count_substring(diagnoses, "*")

    ok = pc.equal(of["HL"], pc.binary_join_element_wise(pc.cast(ordinals, pa.string()), "*1*22*0", ""))
    ok = pc.and_(ok, pc.less_equal(pc.binary_length(claim_ids), _LONGEST_CLAIM_ID))
    ok = pc.and_(ok, pc.less(more_diagnoses, _MOST_DIAGNOSES))
    ok = _less(ok, pc.greater(pc.binary_length(line_ids), _LONGEST_LINE_ID), parent)
    first, last = codes.births(sent_on)
    born = pc.and_(pc.greater_equal(births, f"{first:%Y%m%d}"), pc.less_equal(births, f"{last:%Y%m%d}"))
    ok = pc.and_(ok, pc.and_(born, pc.is_in(pc.utf8_slice_codeunits(births, 4), value_set=_DAYS_OF_A_YEAR)))
    ok = _less(ok, pc.less(days, births.take(parent)), parent)

    ok = _less(ok, _repeated(claim_ids))
    if _repeated(member_ids) is not None:
        months = pc.utf8_slice_codeunits(days.take(offsets.slice(0, len(rows))), 0, 6)
        ok = _less(ok, _repeated(pc.binary_join_element_wise(member_ids, months, "")))
    ok = _less(ok, _repeated(line_ids), parent)

    def fails(*pieces: pa.Array) -> pa.Array | None:
        return _bad(
            lambda text: _passes(is_clean, rules, sent_on, *text.split(_APART)), pc.binary_join_element_wise(*pieces, _APART)
        )

    ok = _less(ok, _bad(lambda text: len(set(text.split("*ABF:"))) == text.count("*ABF:") + 1, diagnoses))
    places = pc.utf8_slice_codeunits(pc.list_element(claim, 5), 0, 2)
    ok = _less(ok, fails(of["NM1*PR"], places, pc.binary_join(pc.list_slice(segments, _SEGMENTS.index("NM1*82")), "~")))
    services = services if end == "~" else pc.replace_substring(services, end, "~")
    services = pc.binary_join(pa.ListArray.from_arrays(offsets, services), "~REF*6R*L~LX*")
    ok = _less(ok, fails(pc.cast(more_diagnoses, pa.string()), totals, services))

    # A block of the right form has as many segments as its head and its lines have.
    own = pc.add(pc.list_value_length(segments), pc.multiply(pc.list_value_length(lines), pa.scalar(_OF_A_LINE, pa.int32())))
    counts = pc.replace_with_mask(counts, good, own)
    counts = pc.replace_with_mask(counts, odd, pa.array([block.count(mark) + 1 for block in others], pa.int32()))
    length = pc.binary_length if text.isascii() else pc.utf8_length
    return Clean(
        rows=rows.filter(ok),
        claim_ids=claim_ids.filter(ok),
        member_ids=member_ids.filter(ok),
        line_ids=pa.ListArray.from_arrays(offsets, line_ids).filter(ok),
        chars=pc.subtract(sums(pc.cast(pc.add(length(blocks), len(end) + 3), pa.int64())), 3),
        positions=pc.add(sums(pc.cast(counts, pa.int64())), 1),
    )


_NONE, _MOST_LINES, _MOST_DIAGNOSES, _LONGEST_CLAIM_ID, _LONGEST_LINE_ID = (
    pa.scalar(number, pa.int32())
    for number in (0, codes.MOST_LINES, codes.MOST_DIAGNOSES, codes.LONGEST_CLAIM_ID, codes.LONGEST_LINE_ID)
)


# February 29 is for the scrub to judge.
_DAYS_OF_A_YEAR = pa.array([f"{date.fromordinal(day):%m%d}" for day in range(1, 366)])


# --- forms -----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _head_form(end: str) -> str:
    """A patient's text after "HL*" and before the first LX, as `writer` writes it, with one claim."""
    text, e = _TEXT, end.replace("|", r"\|")
    return (
        rf"^[0-9]+\*1\*22\*0{e}SBR\*P\*18\*{{7}}MB{e}"
        rf"NM1\*IL\*1\*{text}\*{text}\*(?:{text})?\*\*\*MI\*{codes.MBI}{e}"
        rf"N3\*{text}{e}N4\*(?:{_INK}{_BASIC}+| +{text})\*(?:{'|'.join(sorted(codes.STATES))})\*{codes.ZIP}{e}"
        rf"DMG\*D8\*[0-9]{{8}}\*[FMU]{e}NM1\*PR\*2\*(?:{text})?\*{{5}}PI\*{text}{e}"
        rf"CLM\*{text}\*[0-9.]+\*\*\*[0-9]{{2}}:B:1\*Y\*A\*Y\*Y{e}"
        rf"HI\*ABK:{codes.ICD10CM}(?:\*ABF:{codes.ICD10CM})*{e}"
        rf"NM1\*82\*1\*{text}\*(?:{text})?\*{{4}}XX\*[0-9]{{10}}(?:{e}PRV\*PE\*PXC\*[0-9A-Z]+)?$"
    )


@lru_cache(maxsize=8)
def _line_form(end: str) -> str:
    """A service line's text after "LX*"; of the last line of a patient up to where the next begins."""
    e = end.replace("|", r"\|")
    return (
        rf"^[0-9]+{e}SV1\*HC:[0-9A-Z]+\*[0-9.]+\*UN\*[0-9]+\*\*\*[0-9:]*[0-9]{e}"
        rf"DTP\*472\*D8\*[0-9]{{8}}{e}REF\*6R\*{_TEXT}$"
    )


def _ordinals(others: Mapping[int, str], count: int, mark: str) -> pa.Array | None:
    """The number that the HL of each of so many blocks must have, all but `others` being good; None when the blocks are not what our writer makes
    of a file: ISA, GS, then transactions of one billing provider and subscribers, then GE, IEA."""
    last = count - 1
    starts: list[int] = []
    for row, block in others.items():
        pieces = block.split(mark)
        frame = [name for name in (piece.lstrip("\r\n").split("*", 1)[0] for piece in pieces[bool(row) :]) if name in _FRAME]
        if row:
            level = pieces[0].split("*")
            is_provider = starts[-1:] == [row]
            if len(level) < 3 or level[2] != ("20" if is_provider else "22") or (is_provider and level[0] != "1"):
                return None
        if frame != (["ISA", "GS", "ST"] if not row else ["SE", "GE", "IEA"] if row == last else ["SE", "ST"] if frame else []):
            return None
        if "ST" in frame:
            starts.append(row + 1)
    if not last or last not in others:
        return None
    # A transaction that begins with a patient has no billing provider.
    if any(start not in others for start in starts):
        return None
    ends = [*starts[1:], count]
    return pa.concat_arrays([pa.arange(0, 1), *(pa.arange(1, stop - start + 1) for start, stop in zip(starts, ends, strict=True))])


# --- specimens -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=100_000)
def _passes(is_clean: Judge, rules: ClaimRules, sent_on: date, first: str, second: str, third: str) -> bool:
    """Whether a file of one claim that is otherwise without fault passes the scrub with these in it: payer, place of service and practitioner, or
    the number of diagnoses besides the first, the total and the service lines."""
    if first.startswith("NM1*PR"):
        return is_clean(_specimen(rules, sent_on, payer=first, place=second, practitioner=third.removeprefix("NM1*82*1*")), rules)
    return is_clean(_specimen(rules, sent_on, diagnoses=int(first) + 1, total=second, services=third), rules)


def _specimen(
    rules: ClaimRules,
    sent_on: date,
    payer: str = "NM1*PR*2*PAYER*****PI*1",
    place: str = "11",
    practitioner: str = "DOE*JANE****XX*1245319599",
    diagnoses: int = 1,
    total: str = "1",
    services: str | None = None,
) -> str:
    today = f"{sent_on:%Y%m%d}"
    known = next(code for code in sorted(rules.codes) if rules.base_of(code, sent_on) == code)
    conditions = "*ABF:".join(f"A{number:02d}" for number in range(diagnoses))
    services = services or f"1~SV1*HC:{known}*1*UN*1***1~DTP*472*D8*{today}"
    transaction = (
        f"ST*837*0001*{GUIDE}~BHT*0019*00*1*{today}*0000*CH~NM1*41*2*S*****46*S1~PER*IC*O*TE*5555550100~NM1*40*2*R*****46*R1~"
        "HL*1**20*1~NM1*85*2*P*****XX*1234567893~N3*1 MAIN ST~N4*SPRINGFIELD*IL*627010001~REF*EI*123456789~"
        "HL*2*1*22*0~SBR*P*18*******MB~NM1*IL*1*A*B****MI*1EG4TE5MK73~N3*1 ELM ST~N4*SPRINGFIELD*IL*62701~"
        f"DMG*D8*{sent_on.year - 100}0101*U~{payer}~CLM*C*{total}***{place}:B:1*Y*A*Y*Y~HI*ABK:{conditions}~NM1*82*1*{practitioner}~"
        f"LX*{services}~REF*6R*L~"
    ).replace("~REF*6R*L~", "~REF*6R*{}~")
    numbered = transaction.format(*range(transaction.count("{}")))
    return (
        f"ISA*00*{'':10}*00*{'':10}*ZZ*{'S1':15}*ZZ*{'R1':15}*{today[2:]}*0000*^*00501*000000001*0*T*:~GS*HC*S1*R1*{today}*0000*1*X*{GUIDE}~"
        f"{numbered}SE*{numbered.count('~') + 1}*0001~GE*1*1~IEA*1*000000001~"
    )


# --- columns ---------------------------------------------------------------------------------------------------------


def _bad(rule: Callable[[str], bool], values: pa.Array) -> pa.Array | None:
    """Whether each value fails, asked once for each distinct one; None when none does."""
    bad = [text for text in values.unique().to_pylist() if not rule(text)]
    return _is_in(values, bad) if bad else None


def _is_in(values: pa.Array, some: Collection[str] | pa.Array) -> pa.Array:
    return pc.is_in(values, value_set=some if isinstance(some, pa.Array) else pa.array(list(some), pa.string()))


def _repeated(values: pa.Array) -> pa.Array | None:
    """Whether each value stands more than once; None when none does."""
    if pc.count_distinct(values).as_py() == len(values):
        return None
    counts = values.value_counts()
    return _is_in(values, counts.field("values").filter(pc.greater(counts.field("counts"), 1)))


def _less(good: pa.Array, bad: pa.Array | None, rows: pa.Array | None = None) -> pa.Array:
    """`good` where it is not bad. With `rows` a value of `bad` is of that row."""
    if bad is None or not pc.any(bad).as_py():
        return good
    if rows is not None:
        bad = pc.is_in(pa.arange(0, len(good)), value_set=pc.cast(rows.filter(bad), pa.int64()))
    return pc.and_(good, pc.invert(bad))
