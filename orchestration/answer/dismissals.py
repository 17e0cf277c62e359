"""Work that was put off: an append-only record under the home, which the work list's model reads back."""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from orchestration.answer.worklist import Item, newest_nights, work_items
from orchestration.blanks import stated
from orchestration.house import House, HouseError, write_private


@dataclass(frozen=True)
class Dismissed:
    """What was put off until when. `is_listed`: the marts and lists know it already; else the next nightly run tells them."""

    items: tuple[Item, ...]
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


def dismiss(
    house: House, item_ids: Sequence[str], until: date, why: str, practice_id: str | None = None, by: str | None = None
) -> Dismissed:
    """Puts items off until a day, each until its facts change. Recorded with who, when, why and the facts it was decided on.

    `until` must lie after the practice's newest night, which is the only "today" there is. Raises HouseError, and records nothing then.
    """
    items = tuple(find_item(house, item_id, practice_id) for item_id in item_ids)
    nights = newest_nights(house)
    for item in items:
        if until <= nights[item.practice_id]:
            raise HouseError(
                f"--until {until}: is not after {item.practice_id}'s newest night, {nights[item.practice_id]}; name a later day"
            )
    if not stated(why):
        raise HouseError("--why: say why this can wait; the reason is recorded")
    # Costs seconds to import: only once there is something to do.
    from orchestration.answer.publish import publish
    from orchestration.answer.report import write_reports
    from orchestration.answer.worklist_files import write_worklists
    from orchestration.transform.office import dismissals_path, unreadable_dismissals
    from orchestration.transform.rebuild import not_built, rebuild
    from orchestration.transform.state import build_inputs, is_up_to_date

    records = [
        {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "by": by or getpass.getuser(),
            "practice_id": item.practice_id,
            "item_id": item.item_id,
            "fact_fingerprint": item.fact_fingerprint,
            "until": until.isoformat(),
            "why": stated(why),
        }
        for item in items
    ]
    with house.lock("warehouse"):
        stands = is_up_to_date(house, build_inputs(house))
        path = dismissals_path(house)
        if lines := unreadable_dismissals(house):  # mended before anything is added to it
            raise HouseError(f"{path}, line {lines[0]}: is no record of a dismissal; restore the file from the backup")
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        write_private(path, before + "".join(json.dumps(record, sort_keys=True) + "\n" for record in records))
        if stands:
            if bad := not_built(rebuild(house, ["model.ccm.worklist"], ["dismissals"])):
                raise HouseError(f"recorded, but the work list could not be built again ({bad[0]}); run `ccm nightly --full`")
            publish(house)
    if stands:
        theirs = sorted({item.practice_id for item in items})
        write_worklists(house, theirs)
        write_reports(house, theirs)
    return Dismissed(items, until, stands)
