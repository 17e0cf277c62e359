"""How our own claim files went out: what an acknowledgment refers to, read from the files themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestration.close.x12.reader import ISA_LENGTH
from orchestration.house import HouseError

_TAIL = 200  # GE and IEA are shorter


@dataclass(frozen=True)
class SentFile:
    """One claim file of ours. `transaction_of` (claim id -> number of its ST) is None where there is a single ST."""

    submitter_id: str  # ISA06
    control_number: int  # ISA13, and GS06
    usage_indicator: str  # ISA15
    transaction_of: dict[str, int] | None

    def transaction_number(self, claim_id: str) -> int:
        return 1 if self.transaction_of is None else self.transaction_of[claim_id]


def sent_file(path: Path) -> SentFile:
    """Reads a claim file's envelope; of the claims only their ids, and only where there is more than one ST."""
    try:
        with path.open("rb") as handle:
            head = handle.read(ISA_LENGTH).decode("latin-1")
            handle.seek(max(path.stat().st_size - _TAIL, 0))
            tail = handle.read().decode("latin-1")
        element, terminator = head[3], head[105]
        isa = head.split(element)
        transactions = int(re.findall(rf"GE{re.escape(element)}([0-9]+){re.escape(element)}", tail)[-1])
        found = None if transactions == 1 else _transactions(path.read_text("latin-1"), element, terminator)
        return SentFile(isa[6].strip(), int(isa[13]), isa[15], found)
    except (OSError, IndexError, ValueError):
        raise HouseError(f"{path}: cannot be read as the claim file that went out; restore this packet from the backup") from None


def _transactions(text: str, element: str, terminator: str) -> dict[str, int]:
    found: dict[str, int] = {}
    number = 0
    for match in re.finditer(
        rf"(?:ST{re.escape(element)}837|(?<={re.escape(terminator)})\s*CLM){re.escape(element)}([^{re.escape(element + terminator)}]+)",
        text,
    ):
        if match.group().lstrip().startswith("ST"):
            number = int(match.group(1))
        else:
            found[match.group(1)] = number
    return found
