"""What of the payers' answers was not posted: files that cannot be read, payments that do not add up. Somebody has to ask the payer for them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from orchestration.engine import open_marts
from orchestration.house import House
from orchestration.money import in_dollars
from orchestration.notices import Notice, tell
from orchestration.payers.inbox import FILE_IDS_A_BATCH, ledger
from orchestration.practices import Practice


@dataclass(frozen=True)
class Waiting:
    """`unread`: files of the newest batch that cannot be read, in whole or in part (cut off, with something between the transactions, or with segments
    missing by its own count); `held`: files of any batch with payments that wait, and their dollars; `is_new`: some of it is of the newest batch."""

    unread: int = 0
    held: int = 0
    held_amount: Decimal = Decimal("0.00")
    practice_ids: tuple[str, ...] = ()
    is_new: bool = False


_WAITING = """
    with files as (
        select
            practice_id, held_amount, file_id >= $first_file_id as is_newest, transactions_held > 0 as is_held,
            is_newest and (outcome = 'quarantined' or transactions_quarantined > 0 or envelope_faults > 0) as is_unread
        from answer_files
    )

    select
        count(*) filter (is_unread), count(*) filter (is_held), coalesce(sum(held_amount), 0),
        coalesce(list_sort(list(distinct practice_id) filter (practice_id is not null)), []), coalesce(bool_or(is_newest), false)
    from files
    where is_held or is_unread
"""


def waiting(house: House) -> Waiting:
    """What waits by the published marts; before the first night, by what was taken in. Raises HouseError where neither can be read."""
    taken = ledger(house)
    newest = max((record.file_id for record in taken), default=0)
    first = newest - newest % FILE_IDS_A_BATCH  # of the newest batch
    if not house.marts.exists():
        unread = sum(
            record.file_id >= first and record.outcome != "repeated" and bool(record.reason or record.faults) for record in taken
        )
        return Waiting(unread, is_new=unread > 0)
    with open_marts(house) as marts:
        row = marts.execute(_WAITING, {"first_file_id": first}).fetchone()
    assert row is not None
    unread, held, held_amount, practice_ids, is_new = row
    return Waiting(unread, held, held_amount, tuple(practice_ids), is_new)


def tell_of_waiting(house: House, practices: Mapping[str, Practice], found: Waiting) -> None:
    """One notice to the operator and the practices that are known, if anything of the newest batch was not posted."""
    if not found.is_new:
        return
    lines = []
    if found.unread:
        lines.append(f"{found.unread} files of inbox/ could not be read, in whole or in part: ask who sent them for them again.")
    if found.held:
        lines.append(
            f"{found.held} files with {in_dollars(found.held_amount)} wait: what they pay does not add up, or another file says otherwise."
        )
    lines.append("Which and why: the dashboard's page Claims and denials.")
    tell(house, practices, Notice("answers_wait", found.practice_ids, "answers of payers were not posted", tuple(lines)))
