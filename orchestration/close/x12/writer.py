"""The 837P writer: a table of claims in, bytes out. No clock, no chance, no locale: the same input gives the same bytes.

Segments are written for all claims of a transaction at once, each as a column of text. The few values that are not plain to begin with go
through `plain` one by one, each distinct value once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.close.x12.codes import MOST_DIAGNOSES, MOST_POINTERS
from orchestration.close.x12.model import PATIENT, ClaimFile
from orchestration.house import HouseError

GUIDE = "005010X222A1"

# How long a text may be that is written as it is read (`plain`), and the codes (`_code`), by column.
_LONGEST = 80
_TEXTS = {
    "last_name": 60, "first_name": 35, "middle_name": 25, "line1": 55, "city": 30, "state": _LONGEST, "sex": _LONGEST,
    "claim_id": _LONGEST, "rendering_last_name": 60, "rendering_first_name": 35, "place_of_service": _LONGEST, "line_id": _LONGEST,
}  # fmt: skip
_CODES = ("member_id", "postal_code", "rendering_npi", "rendering_taxonomy_code", "procedure_code")

# X12's basic character set less our delimiters * and : (~ and ^ are not in it).
_plain = re.compile(r"""[A-Z0-9 !"&'()+,\-./;?=]*""").fullmatch
_bare = re.compile(r"[A-Z0-9]{1,80}").fullmatch
# The same of what needs no more than upper case.
_PLAIN_BUT_FOR_CASE = r"""(?:[A-Za-z0-9!"&'()+,\-./;?=]+(?: [A-Za-z0-9!"&'()+,\-./;?=]+)*)?"""
_BARE_BUT_FOR_CASE = "[A-Za-z0-9]*"
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
    diagnoses the first 12 are written, of more than 4 pointers the first 4. Raises HouseError, naming the key, for a sender
    or receiver that no envelope can carry, and ValueError for a file without claims; what is wrong with a claim is the scrub's to say.
    """
    if not len(file.claims):
        raise ValueError("a claim file needs at least one claim")
    if not 1 <= file.control_number <= 999_999_999:
        raise ValueError("control_number (ISA13) must be 1 to 999999999")
    envelope = file.envelope
    sender, receiver = _party("submitter_id", file.submitter.id), _party("receiver.id", file.receiver.id)
    today = _day(file.interchange_date)

    end = envelope.segment_terminator + ("\n" if envelope.line_breaks else "")
    head = [
        f"ISA*00*{'':10}*00*{'':10}*{envelope.sender_qualifier}*{sender:15}*{envelope.receiver_qualifier}*{receiver:15}"
        f"*{today[2:]}*0000*^*00501*{file.control_number:09d}*0*{envelope.usage_indicator}*:",
        f"GS*HC*{sender}*{receiver}*{today}*0000*{file.control_number}*X*{GUIDE}",
    ]
    size = envelope.claims_per_transaction
    starts = range(0, len(file.claims), size)
    transactions: list[bytes] = []
    for number, start in enumerate(starts, 1):
        transactions += _transaction(file, file.claims.slice(start, size), number, today, end)
    tail = [f"GE*{len(starts)}*{file.control_number}", f"IEA*1*{file.control_number:09d}"]
    return b"".join([_ended(head, end), *transactions, _ended(tail, end)])


def _ended(segments: Iterable[str], end: str) -> bytes:
    return "".join(segment + end for segment in segments).encode("ascii")


def _party(key: str, identifier: str) -> str:
    text = plain(identifier)
    if not 2 <= len(text) <= 15:
        raise HouseError(
            f"key {key}: must be 2 to 15 characters of the basic character set (ISA, GS); correct it in practices.yaml"
        )
    return text


def _transaction(file: ClaimFile, claims: pa.Table, number: int, today: str, end: str) -> list[bytes]:
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

    [rows_of] = claims.combine_chunks().to_batches()
    of = dict(zip(claims.column_names, rows_of.columns, strict=True))
    patients = {name: of[name] for name in PATIENT.names}
    own = {name: values for name, values in of.items() if name not in patients}
    rows = _side_by_side(patients)
    if pc.count_distinct(rows, mode="all").as_py() == len(claims):
        body = _joined(_subscribers(patients, rows, payer, end), _claims(own, end))
    else:
        # Without threads the rows of a patient keep their order; the patients come in no order, so they are sorted by the first row of each.
        numbered = pa.table({**patients, "row": pa.arange(0, len(claims))})
        grouped = (
            numbered.group_by(PATIENT.names, use_threads=False).aggregate([("row", "min"), ("row", "list")]).sort_by("row_min")
        )
        order = grouped.column("row_list").combine_chunks()
        patients = {name: grouped.column(name).combine_chunks() for name in PATIENT.names}
        texts = _claims({name: values.take(order.flatten()) for name, values in own.items()}, end)
        every = pc.binary_join(pa.ListArray.from_arrays(_offsets(order), texts), "")
        body = _joined(_subscribers(patients, _side_by_side(patients), payer, end), every)
    text = _whole(body)
    count = len(head) + text.count(end.encode()) + 1
    return [_ended(head, end), text, _ended([f"SE*{count}*{number:04d}"], end)]


def _subscribers(patients: Mapping[str, pa.Array], rows: pa.Array, payer: str, end: str) -> pa.Array:
    """What stands before a patient's claims, for each patient."""
    number = _text(pa.arange(2, len(patients["sex"]) + 2))
    day = _days(patients["birth_date"])
    death = _filled(_days(patients["deceased_date"]), "")

    def text(of: Mapping[str, pa.Array]) -> pa.Array:
        place: Parts = (of["city"], "*", of["state"], "*", of["postal_code"])
        if _has_empty(of["postal_code"]):
            whole = pc.ascii_rtrim(_joined(*place), characters="*")
            place = _unless_empty(whole, "N4*", whole, end)
        else:
            place = ("N4*", *place, end)
        return _joined(
            "HL*", of["number"], f"*1*22*0{end}SBR*P*18*******MB{end}",
            *_unless_empty(of["death"], "PAT*****D8*", of["death"], end),
            "NM1*IL*1*", of["last_name"], "*", of["first_name"], "*", of["middle_name"], "***MI*", of["member_id"], end,
            *_unless_empty(of["line1"], "N3*", of["line1"], end), *place,
            "DMG*D8*", of["day"], "*", of["sex"], f"{end}{payer}{end}",
        )  # fmt: skip

    return _written({**patients, "number": number, "day": day, "death": death}, rows, text)


def _address(line1: str | None, city: str | None, state: str | None, postal_code: str | None) -> Iterable[str]:
    """N3 and N4, or what there is of them: an address that is missing is left out, not written empty."""
    if street := plain(line1, 55):
        yield f"N3*{street}"
    if place := f"{plain(city, 30)}*{plain(state)}*{_code(postal_code)}".rstrip("*"):
        yield f"N4*{place}"


def _claims(claims: Mapping[str, pa.Array], end: str) -> pa.Array:
    """CLM to the last line, for each claim."""
    offsets = _offsets(claims["lines"])
    starts, ends = offsets.slice(0, len(offsets) - 1), offsets.slice(1)
    fields = claims["lines"].flatten()
    lines = dict(zip((field.name for field in fields.type), fields.flatten(), strict=True))
    # In cents: a sum up to each line, and of a claim the difference between its last and the last before it.
    cents = pc.cast(pc.multiply(lines["charge_amount"], _HUNDRED), pa.int64())
    up_to = sums(_filled(cents, 0))
    amounts = _by_value(pa.concat_arrays([pc.subtract(up_to.take(ends), up_to.take(starts)), cents]), _amounts)
    number = pc.subtract(pa.arange(1, len(fields) + 1), starts.take(pc.list_parent_indices(claims["lines"])))
    service_lines = _service_lines(lines, _by_value(number, _text), amounts.slice(len(starts)), end)

    diagnoses = _shortened(claims["diagnoses"], MOST_DIAGNOSES)
    codes = _filled(_by_value(diagnoses.flatten(), lambda distinct: _mended(distinct, _code)), "")
    derived = {
        "total": amounts.slice(0, len(starts)),
        "conditions": pc.binary_join(pa.ListArray.from_arrays(_offsets(diagnoses), codes), "*ABF:"),
        "service_lines": pc.binary_join(pa.ListArray.from_arrays(offsets, service_lines), ""),
    }

    def text(of: Mapping[str, pa.Array]) -> pa.Array:
        taxonomy = of["rendering_taxonomy_code"]
        return _joined(
            "CLM*", of["claim_id"], "*", of["total"], "***", of["place_of_service"], f":B:1*Y*A*Y*Y{end}",
            *_unless_empty(of["conditions"], "HI*ABK:", of["conditions"], end),
            "NM1*82*1*", of["rendering_last_name"], "*", of["rendering_first_name"], "****XX*", of["rendering_npi"], end,
            *_unless_empty(taxonomy, "PRV*PE*PXC*", taxonomy, end),
            of["service_lines"],
        )  # fmt: skip

    own = {name: values for name, values in claims.items() if name not in ("diagnoses", "lines")}
    return _written({**own, **derived}, _side_by_side(own), text)


def _service_lines(lines: Mapping[str, pa.Array], number: pa.Array, amounts: pa.Array, end: str) -> pa.Array:
    pointers = _shortened(lines["diagnosis_pointers"], MOST_POINTERS)
    of = {
        "procedure_code": lines["procedure_code"],
        "line_id": lines["line_id"],
        "number": number,
        "amount": amounts,
        "units": _by_value(lines["units"], _text),
        "pointers": pc.binary_join(pa.ListArray.from_arrays(_offsets(pointers), _by_value(pointers.flatten(), _text)), ":"),
        "day": _by_value(lines["service_date"], _days),
    }
    return _written(
        of,
        _side_by_side(of),
        lambda of: _joined(
            "LX*", of["number"], f"{end}SV1*HC:", of["procedure_code"], "*", of["amount"], "*UN*", of["units"],
            "***", of["pointers"], f"{end}DTP*472*D8*", of["day"], f"{end}REF*6R*", of["line_id"], end,
        ),
    )  # fmt: skip


# --- columns ---------------------------------------------------------------------------------------------------------

Parts = tuple[pa.Array | str, ...]


def _written(of: Mapping[str, pa.Array], rows: pa.Array, text: Callable[[Mapping[str, pa.Array]], pa.Array]) -> pa.Array:
    """`text` of the columns, with `plain` and `_code` of what they hold. `rows` are the same columns side by side.

    Nearly all rows need no more than upper case, which one look at each of them shows; the text of the others is made again.
    """
    names = [name for name in of if name in _TEXTS or name in _CODES]
    codes = sum(name in _CODES for name in names)
    is_odd = pc.invert(pc.match_substring_regex(rows, _form(codes, len(names) - codes)))
    longest = pc.max(pc.binary_length(rows)).as_py() or 0
    for name in names:
        limit = _TEXTS.get(name, _LONGEST)
        # In rows that are no longer no value is.
        if longest > limit:
            is_odd = pc.or_(is_odd, _filled(pc.greater(pc.binary_length(of[name]), pa.scalar(limit, pa.int32())), False))
    whole = pc.ascii_upper(text(of))
    if not pc.any(is_odd).as_py():
        return whole
    odd = {name: values.filter(is_odd) for name, values in of.items()}
    for name in names:
        odd[name] = _mended(odd[name], partial(plain, limit=_TEXTS[name]) if name in _TEXTS else _code)
    return pc.replace_with_mask(whole, is_odd, text(odd))


def _side_by_side(of: Mapping[str, pa.Array]) -> pa.Array:
    """Of each row the codes, then the texts, with a delimiter between them: one within a value is one too many."""
    columns = [*(of[name] for name in of if name in _CODES), *(of[name] for name in of if name in _TEXTS)]
    return pc.binary_join_element_wise(*columns, "*", null_handling="replace", null_replacement="")


@lru_cache(maxsize=16)
def _form(codes: int, texts: int) -> str:
    """So many codes and texts side by side that need no more than upper case."""
    return "^" + r"\*".join([_BARE_BUT_FOR_CASE] * codes + [_PLAIN_BUT_FOR_CASE] * texts) + "$"


def _joined(*parts: pa.Array | str) -> pa.Array:
    """The parts of each row in one text; what is not there is empty."""
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")


def _has_empty(values: pa.Array) -> bool:
    return bool(values.null_count or pc.index(values, "").as_py() >= 0)


def _unless_empty(values: pa.Array, *parts: pa.Array | str) -> Parts:
    """The segment made of the parts, and nothing in the rows whose value is empty."""
    if not _has_empty(values):
        return parts
    empty = pc.equal(values, "")
    return () if pc.all(empty).as_py() else (pc.if_else(empty, "", _joined(*parts)),)


def _filled(values: pa.Array, value: Any) -> pa.Array:
    return pc.fill_null(values, value) if values.null_count else values


def _by_value(values: pa.Array, text: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """`text` of values of which there are few distinct ones, made once for each of these."""
    encoded = values.dictionary_encode()
    return text(encoded.dictionary).take(encoded.indices)


def _whole(texts: pa.Array) -> bytes:
    return bytes(pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "")[0].as_buffer())


def _offsets(lists: pa.ListArray) -> pa.Array:
    """Where each list begins among the values of all, and where the last ends."""
    return sums(_filled(pc.list_value_length(lists), 0))


def _shortened(lists: pa.ListArray, most: int) -> pa.ListArray:
    longest = pc.max(pc.list_value_length(lists)).as_py() or 0
    return pc.list_slice(lists, 0, most) if longest > most else lists


def sums(numbers: pa.Array) -> pa.Array:
    """The sum before each number, and the whole sum last."""
    return pa.concat_arrays([pa.array([0], numbers.type), pc.cumulative_sum(numbers)])


def _text(numbers: pa.Array) -> pa.Array:
    return pc.cast(numbers, pa.string())


def _days(days: pa.Array) -> pa.Array:
    return pc.replace_substring(_text(days), "-", "")


def _amounts(cents: pa.Array) -> pa.Array:
    """X12 type R: no zeros that carry nothing, so 66.30 is 66.3 and 0.50 is .5."""
    dollars = pc.multiply(pc.cast(cents, pa.decimal128(19, 0)), _CENT)
    text = pc.ascii_ltrim(pc.ascii_rtrim(pc.ascii_rtrim(_text(dollars), characters="0"), characters="."), characters="0")
    return pc.if_else(pc.equal(text, ""), "0", text)


def _mended(values: pa.Array, mend: Callable[[str | None], str]) -> pa.Array:
    """Each value mended, each distinct one once."""
    texts = values.to_pylist()
    mended = {text: mend(text) for text in set(texts)}
    return pa.array([mended[text] for text in texts], pa.string())
