"""The judgement that a claim file needs before it leaves: our scrub, and pyx12's reading of the 837P guide."""

from __future__ import annotations

import io
import json
import logging
from functools import cache
from typing import Any

import pyx12.map_if
import pyx12.params
import pyx12.x12n_document

from orchestration.close.x12.claim_rules import ClaimRules
from orchestration.close.x12.reader import SEGMENT_IDS, NotX12Error, X12File, as_text, read
from orchestration.close.x12.scrub import Fault, make_fault, scrub

# What X12's codes mean (IK304 of a 999 for segments, IK403 for elements). pyx12's own sentences quote the values, which
# may be a patient's, so they are never repeated.
SEGMENT_CODES = {
    "1": "the segment is not known or stands where the guide has none",
    "2": "the segment is not expected here",
    "3": "a required segment or loop is missing",
    "4": "the loop stands too often",
    "5": "the segment stands too often",
    "6": "the segment is not in the guide",
    "7": "the segment is out of order",
    "8": "the segment has faulty elements",
    "HL1": "the level's number is wrong",
    "HL2": "the level's parent is wrong",
    "LX": "the line number is wrong",
    "SEG1": "the segment ends in separators that separate nothing",
}
ELEMENT_CODES = {
    "1": "is missing",
    "2": "is missing though another element calls for it",
    "3": "has too many parts",
    "4": "is too short",
    "5": "is too long",
    "6": "has an invalid character",
    "7": "is not in the code list",
    "8": "is no real date",
    "9": "is no real time",
    "10": "must not be there",
}
_MISSING = "3"
_TREE = ("HL1", "HL2")  # a tree that is wrong anywhere may hang a claim on the wrong patient: the whole file's fault


def judge(content: bytes | str, rules: ClaimRules | None = None) -> list[Fault]:
    """Everything that bars a claim file: the scrub's faults (by `rules`, as it takes them), then pyx12's. Empty when the file may go.

    A file written again without the claims that these faults name must be judged again: it may show others.
    """
    faults = scrub(content, rules)
    # What is no X12 at all, both say.
    return faults if [fault.rule for fault in faults] == ["not-x12"] else faults + pyx12_faults(content)


def pyx12_faults(content: bytes | str) -> list[Fault]:
    """What pyx12 says against the 005010X222A1 guide, each fault with its claim where one can be told by its place.

    pyx12 logs the values it refuses, so its logger is cut off for good. Whatever it raises becomes a fault of the file.
    """
    prepare_pyx12()
    text = as_text(content)
    try:
        file = read(text)
    except NotX12Error as error:
        return [make_fault(None, "ISA", "ISA", "pyx12-not-x12", f"{error}; give the 837P file itself", 1)]

    report = io.StringIO()
    watch = _Watch()
    try:
        is_valid = pyx12.x12n_document.x12n_document(
            param=pyx12.params.params(),
            src_file=io.StringIO(text),
            fd_997=None,
            fd_html=None,
            fd_json=report,
            callback=watch,
        )
        faults = _read_report(json.loads(report.getvalue() or "{}"), file)
    except Exception as error:
        # Its sentence quotes the segment; the kind of error and the place are all that may be told.
        text = f"pyx12 stops after this segment ({type(error).__name__}); make the file again"
        return [make_fault(None, "envelope", "structure", "pyx12-cannot-read", text, watch.last or 1)]
    if not is_valid and not faults:
        at = watch.first_invalid or 1
        name = file.segments[at - 1].key if at <= len(file.segments) else "envelope"
        faults = [
            make_fault(owner, name, name, "pyx12-envelope", "pyx12 refuses an element of this segment", at)
            for owner in file.claims_at(at)
        ]
    return faults


class _Watch:
    """Follows pyx12 through the file, for the faults that its report does not place."""

    def __init__(self) -> None:
        self.last = 0
        self.first_invalid = 0

    def __call__(self, _segment: Any, _source: Any, _node: Any, is_valid: bool) -> None:
        self.last += 1
        if not is_valid and not self.first_invalid:
            self.first_invalid = self.last


_load_guide = pyx12.map_if.load_map_file


@cache
def _guide(file: str, folder: str | None) -> Any:
    return _load_guide(file, pyx12.params.params(), folder)


def _kept_guide(file: str, param: Any, folder: str | None = None) -> Any:
    return _guide(file, folder)


def prepare_pyx12() -> None:
    """Silences pyx12, and has it read each guide once a process. It reads the XML of a guide and all code lists anew for every file, which takes as long as
    some fifty claims; what it made of them it only looks at (it counts as it walks, in the walker), so that one serves every file."""
    pyx12.map_if.load_map_file = _kept_guide
    logger = logging.getLogger("pyx12")
    logger.handlers[:] = [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)


def _known(segment_id: Any) -> str:
    return segment_id if segment_id in SEGMENT_IDS else "segment"


def _read_report(report: dict[str, Any], file: X12File) -> list[Fault]:
    faults: list[Fault] = []

    def envelope(level: dict[str, Any], name: str) -> None:
        for error in level["errors"]:
            text = f"pyx12: a count or control number does not fit (code {error['err_cde']}); make the file again"
            faults.append(make_fault(None, name, name, f"pyx12-{name.split('..')[0].lower()}", text, level["cur_line"]))

    for interchange in report.get("interchanges", ()):
        envelope(interchange, "ISA..IEA")
        for group in interchange["groups"]:
            envelope(group, "GS..GE")
            for transaction in group["transactions"]:
                envelope(transaction, "ST..SE")
                for segment in transaction["segments"]:
                    faults += _segment_faults(segment, file)
    return faults


def _segment_faults(segment: dict[str, Any], file: X12File) -> list[Fault]:
    faults: list[Fault] = []
    at, name = segment["cur_line"], _known(segment["seg_id"])
    for error in segment["errors"]:
        code = error["err_cde"]
        # pyx12 notices what is missing at the segment after the gap, which may be the next claim's.
        place = at - 1 if code == _MISSING else at
        text = f"{SEGMENT_CODES.get(code, f'code {code}')} (guide, at: {segment['name'] or name})"
        owners = (None,) if code in _TREE else file.claims_at(place)
        faults += [make_fault(owner, name, name, f"pyx12-segment-{code}", text, at) for owner in owners]
    for element in segment["elements"]:
        field = element["ele_ref_num"] or f"{name}{element['ele_pos'] or 0:02d}"
        for error in element["errors"]:
            code = error["err_cde"]
            text = f"{ELEMENT_CODES.get(code, f'code {code}')} (guide: {element['name'] or field})"
            faults += [make_fault(owner, name, field, f"pyx12-element-{code}", text, at) for owner in file.claims_at(at)]
    return faults
