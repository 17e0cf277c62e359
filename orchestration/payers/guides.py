"""pyx12 reads each transaction against its guide: where every segment stands, and what is wrong with it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import pyx12.errh_json
import pyx12.error_handler
import pyx12.params
import pyx12.x12context

from orchestration.close.x12.validate import ELEMENT_CODES, SEGMENT_CODES, prepare_pyx12
from orchestration.payers.envelopes import Segment, Transaction, at, is_segment_id

NOT_PLACED = ("1", "2", "6")  # pyx12 found no place for the segment: it and what hangs below it would be read as something else
MOST_FAULTS = 20

_OPENERS_835 = {"LX": "2000", "CLP": "2100", "SVC": "2110", "PLB": "FOOTER"}
_OPENERS_999 = {"AK1": "HEADER", "AK2": "2000", "IK3": "2100", "IK4": "2110", "IK5": "2000", "AK9": "HEADER"}
_LEVELS_277 = {"20": "A", "21": "B", "19": "C", "PT": "D", "22": "D"}

Placed = tuple[str, Segment]
"""The guide's loop (2100, 2200D ...) and the segment in it."""


@dataclass(frozen=True)
class Reading:
    """The segments of a transaction by loop, in order, and what pyx12 has against them (no value is ever repeated)."""

    placed: tuple[Placed, ...]
    faults: tuple[str, ...]


def read_by_guide(transaction: Transaction) -> Reading:
    """Never raises: where pyx12 has no guide or cannot place a segment, the segments that open loops place them, and the fault is told."""
    own = [segment for segment in transaction.segments if segment[0] not in ("ST", "SE")]
    prepare_pyx12()
    handler = pyx12.error_handler.err_handler()
    loops: list[str] = []
    try:
        reader = pyx12.x12context.X12ContextReader(pyx12.params.params(), handler, io.StringIO(transaction.text()))
        for node in reader.iter_segments():
            if node.seg_data.get_seg_id() not in ("ISA", "GS", "ST", "SE", "GE", "IEA"):
                loops.append(node.x12_map_node.parent.id)
        report = io.StringIO()
        handler.accept(pyx12.errh_json.errh_json_visitor(report, None))
        faults, misplaced = _faults(json.loads(report.getvalue()))
    except Exception as error:
        # pyx12's sentences quote the segment; the kind of error is all that may be told.
        faults, misplaced = [f"pyx12 cannot read it by guide {transaction.guide or 'unknown'} ({type(error).__name__})"], True
    if misplaced or len(loops) != len(own):
        loops = list(_by_openers(transaction.set_id, own))
    return Reading(tuple(zip(loops, own, strict=True)), tuple(faults[:MOST_FAULTS]))


def _by_openers(set_id: str, segments: list[Segment]) -> Any:
    """The loop of each segment by those that open one; enough to find every reference and amount."""
    loop, level = "HEADER", "A"
    for segment in segments:
        name = segment[0]
        if set_id == "835":
            if name == "N1" and loop in ("HEADER", "1000A", "1000B"):
                loop = "1000A" if at(segment, 1) == "PR" else "1000B"
            loop = _OPENERS_835.get(name, loop)
        elif set_id == "999":
            loop = _OPENERS_999.get(name, loop)
        elif name == "HL":
            level = _LEVELS_277.get(at(segment, 3), level)
            loop = f"2000{level}"
        elif name == "NM1" and loop == f"2000{level}":
            loop = f"2100{level}"
        elif name == "TRN":
            loop = f"2200{level}"
        elif name == "SVC":
            loop = f"2220{level}"
        yield loop


def _faults(report: dict[str, Any]) -> tuple[list[str], bool]:
    """pyx12's findings in our words, and whether a segment found no place."""
    faults: list[str] = []
    misplaced = False
    for interchange in report.get("interchanges", ()):
        for group in interchange["groups"]:
            for transaction in group["transactions"]:
                faults += [f"pyx12: a count or number of ST..SE does not fit (code {e['err_cde']})" for e in transaction["errors"]]
                for segment in transaction["segments"]:
                    name = segment["seg_id"] if is_segment_id(segment["seg_id"] or "") else "segment"
                    place = f"{name} (segment {segment['seg_count']} of its ST)"
                    for error in segment["errors"]:
                        misplaced |= error["err_cde"] in NOT_PLACED
                        faults.append(f"pyx12: {place}: {SEGMENT_CODES.get(error['err_cde'], 'code ' + str(error['err_cde']))}")
                    for element in segment["elements"]:
                        for error in element["errors"]:
                            what = ELEMENT_CODES.get(error["err_cde"], "code " + str(error["err_cde"]))
                            faults.append(f"pyx12: {place}, element {element['ele_pos']}: {what}")
    return faults, misplaced
