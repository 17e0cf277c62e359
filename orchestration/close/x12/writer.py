"""The 837P writer: a table of claims in, bytes out. No clock, no chance, no locale: the same input gives the same bytes.

Segments are written for all claims of a transaction at once, each as a column of text. The few values that are not plain to begin with go
through `plain` one by one, each distinct value once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.close.x12.codes import MOST_DIAGNOSES, MOST_POINTERS
from orchestration.close.x12.model import PATIENT, ClaimFile

GUIDE = "005010X222A1"

# X12's basic character set less our delimiters * and : (~ and ^ are not in it).
_plain = re.compile(r"""[A-Z0-9 !"&'()+,\-./;?=]*""").fullmatch
_bare = re.compile(r"[A-Z0-9]{1,80}").fullmatch
# The same for a column in upper case: what `plain` and `_code` leave as it is.
_PLAIN_ALREADY = r"""^(?:[A-Z0-9!"&'()+,\-./;?=]+(?: [A-Z0-9!"&'()+,\-./;?=]+)*)?$"""
_BARE_ALREADY = r"^[A-Z0-9]{0,80}$"
_unwritable = re.compile(r"""[^A-Z0-9 !"&'()+,\-./;?=]""")
_becomes_space = re.compile(r"[~*:^\s\x00-\x1f\x7f-\x9f]")
_HUNDRED, _CENT = pa.scalar(Decimal(100), pa.decimal128(3, 0)), pa.scalar(Decimal("0.01"), pa.decimal128(2, 2))
# Letters and marks that Unicode does not take apart into a basic one.
_LETTERS = str.maketrans(
    {"Ø": "O", "Đ": "D", "Ð": "D", "Ł": "L", "Ħ": "H", "Ŧ": "T", "Æ": "AE", "Œ": "OE", "Þ": "TH", "Ŋ": "NG"}
    | dict.fromkeys("\u2018\u2019\u201b\u02bb\u02bc\u2032\u00b4`", "'")  # what people type for an apostrophe
    | dict.fromkeys("\u201c\u201d\u201e\u2033", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)


def plain(text: str | None, limit: int = 80) -> str:
    """Text in the basic character set, upper case, at most `limit` long: accents go, delimiters become spaces,
    what cannot be written is dropped. May come out empty, which the scrub then names."""
    if not text:
        return ""
    text = text.upper()
    if not _plain(text):
        text = unicodedata.normalize("NFKD", text).upper().translate(_LETTERS)
        text = _unwritable.sub("", _becomes_space.sub(" ", text))
    return " ".join(text.split())[:limit].rstrip()


def _code(text: str | None) -> str:
    """A number or code without the dots, dashes and spaces that people write into it."""
    if not text:
        return ""
    return text if _bare(text) else plain(text).replace("-", "").replace(".", "").replace(" ", "")


def _day(value: date) -> str:
    return value.isoformat().replace("-", "")


def write_837p(file: ClaimFile) -> bytes:
    """The interchange in ASCII: an ST..SE for each `claims_per_transaction` claims, in the order given.

    The claims of one patient within an ST stand under one subscriber HL, where the first of them stood. Of more than 12
    diagnoses the first 12 are written, of more than 4 pointers the first 4. Raises ValueError, naming the setting, for
    a file without claims or one that no envelope can carry; what is wrong with a claim is the scrub's to say.
    """
    if not len(file.claims):
        raise ValueError("a claim file needs at least one claim")
    if not 1 <= file.control_number <= 999_999_999:
        raise ValueError("control_number (ISA13) must be 1 to 999999999")
    envelope = file.envelope
    sender, receiver = _party("submitter", file.submitter.id), _party("receiver", file.receiver.id)
    today = _day(file.interchange_date)

    end = envelope.segment_terminator + ("\n" if envelope.line_breaks else "")
    head = [
        f"ISA*00*{'':10}*00*{'':10}*{envelope.sender_qualifier}*{sender:15}*{envelope.receiver_qualifier}*{receiver:15}"
        f"*{today[2:]}*0000*^*00501*{file.control_number:09d}*0*{envelope.usage_indicator}*:",
        f"GS*HC*{sender}*{receiver}*{today}*0000*{file.control_number}*X*{GUIDE}",
    ]
    size = envelope.claims_per_transaction
    starts = range(0, len(file.claims), size)
    transactions = [
        _transaction(file, file.claims.slice(start, size), number, today, end) for number, start in enumerate(starts, 1)
    ]
    tail = [f"GE*{len(starts)}*{file.control_number}", f"IEA*1*{file.control_number:09d}"]
    return b"".join([_ended(head, end), *transactions, _ended(tail, end)])


def _ended(segments: Iterable[str], end: str) -> bytes:
    return "".join(segment + end for segment in segments).encode("ascii")


def _party(who: str, identifier: str) -> str:
    text = plain(identifier)
    if not 2 <= len(text) <= 15:
        raise ValueError(f"{who} id (ISA, GS) must be 2 to 15 characters of the basic character set")
    return text


def _transaction(file: ClaimFile, claims: pa.Table, number: int, today: str, end: str) -> bytes:
    submitter, receiver, practice = file.submitter, file.receiver, file.billing_provider
    head = [
        f"ST*837*{number:04d}*{GUIDE}",
        f"BHT*0019*00*{file.control_number:09d}{number:04d}*{today}*0000*CH",
        f"NM1*41*2*{plain(submitter.name, 60)}*****46*{plain(submitter.id)}",
        f"PER*IC*{plain(submitter.contact_name, 60)}*TE*{_code(submitter.phone)}",
        f"NM1*40*2*{plain(receiver.name, 60)}*****46*{plain(receiver.id)}",
        "HL*1**20*1",
        f"PRV*BI*PXC*{_code(practice.taxonomy_code)}",
        f"NM1*85*2*{plain(practice.name, 60)}*****XX*{_code(practice.npi)}",
        *_address(practice.line1, practice.city, practice.state, practice.postal_code),
        f"REF*EI*{_code(practice.tax_id)}",
    ]
    payer = f"NM1*PR*2*{plain(file.payer.name, 60)}*****PI*{plain(file.payer.id)}"

    # Without threads the rows of a patient keep their order; the patients come in no order, so they are sorted by the first row of each.
    numbered = claims.select(PATIENT.names).append_column("row", pa.arange(0, len(claims)))
    patients = numbered.group_by(PATIENT.names, use_threads=False).aggregate([("row", "min"), ("row", "list")])
    patients = patients.sort_by("row_min")
    rows = patients.column("row_list").combine_chunks()
    own = pa.ListArray.from_arrays(_offsets(rows), _claims(claims.take(rows.flatten()), end))
    body = _whole(_joined(_subscribers(patients, payer, end), pc.binary_join(own, "")))
    text = _ended(head, end) + body
    return text + f"SE*{text.count(end.encode()) + 1}*{number:04d}{end}".encode("ascii")


def _subscribers(patients: pa.Table, payer: str, end: str) -> pa.Array:
    """What stands before a patient's claims, for each patient."""
    of = {name: patients.column(name).combine_chunks() for name in PATIENT.names}
    street = _plain_column(of["line1"], 55)
    place = _joined(_plain_column(of["city"], 30), "*", _plain_column(of["state"]), "*", _code_column(of["postal_code"]))
    place = pc.ascii_rtrim(place, characters="*")
    return _joined(
        "HL*", _text(pa.arange(2, len(patients) + 2)), f"*1*22*0{end}SBR*P*18*******MB{end}NM1*IL*1*",
        _plain_column(of["last_name"], 60), "*", _plain_column(of["first_name"], 35), "*", _plain_column(of["middle_name"], 25),
        "***MI*", _code_column(of["member_id"]), end,
        _unless_empty(street, "N3*", street, end),
        _unless_empty(place, "N4*", place, end),
        "DMG*D8*", _days(of["birth_date"]), "*", _plain_column(of["sex"]), f"{end}{payer}{end}",
    )  # fmt: skip


def _address(line1: str | None, city: str | None, state: str | None, postal_code: str | None) -> Iterable[str]:
    """N3 and N4, or what there is of them: an address that is missing is left out, not written empty."""
    if street := plain(line1, 55):
        yield f"N3*{street}"
    if place := f"{plain(city, 30)}*{plain(state)}*{_code(postal_code)}".rstrip("*"):
        yield f"N4*{place}"


def _claims(claims: pa.Table, end: str) -> pa.Array:
    """CLM to the last line, for each claim."""
    of = {name: claims.column(name).combine_chunks() for name in claims.column_names if name not in PATIENT.names}
    lines = of["lines"].flatten()
    offsets = _offsets(of["lines"])
    starts, ends = offsets.slice(0, len(claims)), offsets.slice(1)
    # In cents: a sum up to each line, and of a claim the difference between its last and the last before it.
    sums = _sums(pc.fill_null(_cents(pc.struct_field(lines, "charge_amount")), 0))
    total = pc.subtract(sums.take(ends), sums.take(starts))
    number = pc.subtract(pa.arange(1, len(lines) + 1), starts.take(pc.list_parent_indices(of["lines"])))
    own = pa.ListArray.from_arrays(offsets, _service_lines(lines, number, end))
    diagnoses = pc.list_slice(of["diagnoses"], 0, MOST_DIAGNOSES)
    codes = pc.binary_join(pa.ListArray.from_arrays(_offsets(diagnoses), _code_column(diagnoses.flatten())), "*ABF:")
    taxonomy = _code_column(of["rendering_taxonomy_code"])
    return _joined(
        "CLM*", _plain_column(of["claim_id"]), "*", _amounts(total), "***", _plain_column(of["place_of_service"]), f":B:1*Y*A*Y*Y{end}",
        _unless_empty(codes, "HI*ABK:", codes, end),
        "NM1*82*1*", _plain_column(of["rendering_last_name"], 60), "*", _plain_column(of["rendering_first_name"], 35),
        "****XX*", _code_column(of["rendering_npi"]), end,
        _unless_empty(taxonomy, "PRV*PE*PXC*", taxonomy, end),
        pc.binary_join(own, ""),
    )  # fmt: skip


def _service_lines(lines: pa.StructArray, number: pa.Array, end: str) -> pa.Array:
    of = {field.name: pc.struct_field(lines, field.name) for field in lines.type}
    pointers = pc.cast(pc.list_slice(of["diagnosis_pointers"], 0, MOST_POINTERS), pa.list_(pa.string()))
    return _joined(
        "LX*", _text(number), f"{end}SV1*HC:", _code_column(of["procedure_code"]), "*", _amounts(_cents(of["charge_amount"])), "*UN*", _text(of["units"]),
        "***", pc.binary_join(pointers, ":"), f"{end}DTP*472*D8*", _days(of["service_date"]), f"{end}REF*6R*", _plain_column(of["line_id"]), end,
    )  # fmt: skip


def _joined(*parts: pa.Array | str) -> pa.Array:
    """The parts of each row in one text; what is not there is empty."""
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")


def _unless_empty(value: pa.Array, *parts: pa.Array | str) -> pa.Array:
    """The segment made of the parts, and nothing where the value is empty."""
    return pc.if_else(pc.equal(value, ""), "", _joined(*parts))


def _whole(texts: pa.Array) -> bytes:
    return bytes(pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "")[0].as_buffer())


def _offsets(lists: pa.ListArray) -> pa.Array:
    return _sums(pc.fill_null(pc.list_value_length(lists), 0))


def _sums(numbers: pa.Array) -> pa.Array:
    """The sum before each number, and the whole sum last."""
    return pa.concat_arrays([pa.array([0], numbers.type), pc.cumulative_sum(numbers)])


def _cents(amounts: pa.Array) -> pa.Array:
    return pc.cast(pc.multiply(amounts, _HUNDRED), pa.int64())


def _text(numbers: pa.Array) -> pa.Array:
    return pc.cast(numbers, pa.string())


def _days(days: pa.Array) -> pa.Array:
    return pc.replace_substring(_text(days), "-", "")


def _amounts(cents: pa.Array) -> pa.Array:
    """X12 type R: no zeros that carry nothing, so 66.30 is 66.3 and 0.50 is .5."""
    dollars = pc.multiply(pc.cast(cents, pa.decimal128(19, 0)), _CENT)
    text = pc.ascii_ltrim(pc.ascii_rtrim(pc.ascii_rtrim(_text(dollars), characters="0"), characters="."), characters="0")
    return pc.if_else(pc.equal(text, ""), "0", text)


def _plain_column(values: pa.Array, limit: int = 80) -> pa.Array:
    """`plain` of each value."""
    values = pc.fill_null(values, "")
    upper = pc.ascii_upper(values)
    is_plain = pc.and_(pc.match_substring_regex(upper, _PLAIN_ALREADY), pc.less_equal(pc.binary_length(upper), limit))
    return _mended(values, upper, is_plain, lambda text: plain(text, limit))


def _code_column(values: pa.Array) -> pa.Array:
    """`_code` of each value."""
    values = pc.fill_null(values, "")
    upper = pc.ascii_upper(values)
    return _mended(values, upper, pc.match_substring_regex(upper, _BARE_ALREADY), _code)


def _mended(values: pa.Array, upper: pa.Array, is_good: pa.Array, mend: Callable[[str], str]) -> pa.Array:
    """`upper`, and where it is not good as it stands the mended value."""
    is_odd = pc.invert(is_good)
    if not pc.any(is_odd).as_py():
        return upper
    odd = values.filter(is_odd)
    distinct = odd.unique()
    mended = pa.array([mend(text) for text in distinct.to_pylist()], pa.string())
    return pc.replace_with_mask(upper, is_odd, mended.take(pc.index_in(odd, distinct)))
