"""Work that was put off: an append-only record under the home, which the work list's model reads back."""

from __future__ import annotations

import getpass
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime

from orchestration.answer.publish import publish
from orchestration.answer.worklist import Item, newest_nights, work_items
from orchestration.answer.worklist_files import write_worklists
from orchestration.house import House, HouseError, write_private
from orchestration.transform.assets import rebuild
from orchestration.transform.office import dismissals_path, read_dismissals
from orchestration.transform.state import build_inputs, is_up_to_date


@dataclass(frozen=True)
class Dismissed:
    """What was put off until when. `is_listed`: the marts and lists know it already; else the next nightly run tells them."""

    item: Item
    until: date
    is_listed: bool


def find_item(house: House, item_id: str, practice_id: str | None) -> Item:
    """The one item of this id. Raises HouseError when there is none, or one in several practices."""
    found = work_items(house, practice_id, item_id=item_id, dismissed=None)
    if not found:
        where = f" of {practice_id}" if practice_id else ""
        raise HouseError(f"{item_id}: no such item on the work list{where}; `ccm worklist --json` shows every item_id")
    if len(found) > 1:
        raise HouseError(f"{item_id}: stands in {', '.join(item.practice_id for item in found)}; say which with --practice")
    return found[0]


def dismiss(house: House, item_id: str, until: date, why: str, practice_id: str | None = None, by: str | None = None) -> Dismissed:
    """Puts an item off until a day, or until its facts change. Recorded with who, when, why and the facts it was decided on.

    `until` must lie after the practice's newest night, which is the only "today" there is. Raises HouseError.
    """
    item = find_item(house, item_id, practice_id)
    night = newest_nights(house)[item.practice_id]
    if until <= night:
        raise HouseError(f"--until {until}: is not after {item.practice_id}'s newest night, {night}; name a later day")
    if not why.strip():
        raise HouseError("--why: say why this can wait; the reason is recorded")
    record = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": by or getpass.getuser(),
        "practice_id": item.practice_id,
        "item_id": item.item_id,
        "fact_fingerprint": item.fact_fingerprint,
        "until": until.isoformat(),
        "why": why.strip(),
    }
    with house.lock("warehouse"):
        stands = is_up_to_date(house, build_inputs(house))
        read_dismissals(house)  # an unreadable record is mended before anything is added to it
        path = dismissals_path(house)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        write_private(path, before + json.dumps(record, sort_keys=True) + "\n")
        if stands:
            bad = [result.unique_id for result in rebuild(house, "worklist") if result.is_bad]
            if bad:
                raise HouseError(f"recorded, but the work list could not be built again ({bad[0]}); run `ccm nightly --full`")
            publish(house)
    if stands:
        write_worklists(house, [item.practice_id])
    return Dismissed(item, until, stands)
