"""Which landed files the lake does not hold as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from orchestration.house import House, HouseError
from orchestration.mapping import choice
from orchestration.mapping.choice import MappedTable
from orchestration.take_in import scan
from orchestration.take_in.landing import LandedTable, lies_in, lone
from orchestration.take_in.ledger import FileRecord, ledger, newest_by_key, newest_files, time_zones
from orchestration.take_in.zones import alike


def pending(
    house: House,
    landed: list[LandedTable],
    practices: Mapping[str, str],
    newest: Mapping[tuple[str, date, str], FileRecord] | None = None,
) -> list[LandedTable]:
    """Those of `landed` that the lake does not hold as they are now. `practices`: practice_id -> IANA time zone; `newest`: what `newest_of` gives, where it
    was asked already.

    Unchanged: the same size and times on disk, or else the same SHA-256; and a time zone of the same clock, on which
    local times depend. Another mapping alone is no change: what is read again for its zone is read by the mapping that read it; a file that is landed
    again by the one that is chosen now.
    """
    if newest is None:
        newest = newest_of(house, landed, practices)
    wanted = []
    for one in landed:
        held = newest.get(one.key)
        if held is None:
            wanted.append(one)
            continue
        is_chosen = one.mapping_sha256 == held.mapping_sha256
        if not alike(held.time_zone, practices[one.practice_id]):
            if is_chosen or _is_landed_again(one, held) or scan.digest(one) != held.sha256:
                wanted.append(one)
            elif _can_be_read_as_before(house, held):
                wanted.append(replace(one, mapped=_mapping_of_then(house, held), format=held.format))
            continue
        stamp = (one.file_name, one.size_bytes, one.mtime_ns, one.ctime_ns)
        is_same = stamp == (held.file_name, held.size_bytes, held.mtime_ns, held.ctime_ns)
        # The ETag, which stands for the time of change, names the content: the same bytes put again are no news.
        if one.objects and is_chosen:
            is_same = (one.file_name, one.size_bytes, one.ctime_ns) == (held.file_name, held.size_bytes, held.ctime_ns)
        # A file that gave no bytes may give them now without a trace on disk: it is asked again.
        if is_same and (held.sha256 is not None or one.fault is not None):
            continue
        if scan.digest(one) != held.sha256 or (_is_landed_again(one, held) and not is_chosen):
            wanted.append(one)
    return wanted + _passed_over(house, landed, practices, newest)


def newest_of(house: House, landed: list[LandedTable], practices: Mapping[str, str]) -> dict[tuple[str, date, str], FileRecord]:
    """What the lake holds of these nights; of all of them where some was taken in by another clock: others may have been too."""
    if not landed:
        return {}
    newest = newest_by_key(ledger(house, min(one.extract_date for one in landed)))
    if any(not alike(held.time_zone, practices.get(held.practice_id, held.time_zone)) for held in newest.values()):
        return newest_by_key(ledger(house))
    return newest


def _passed_over(
    house: House, landed: list[LandedTable], practices: Mapping[str, str], newest: Mapping[tuple[str, date, str], FileRecord]
) -> list[LandedTable]:
    """Files of nights up to the last of these that were taken in by another clock, and that nobody looks for as the mappings are now: the mapping cannot be
    used, or says another name. Of a landing on disk alone."""
    if not landed or house.landing_url is not None:
        return []
    there, last = {one.key for one in landed}, max(one.extract_date for one in landed)
    found = []
    for key, held in newest.items():
        zone = practices.get(held.practice_id)
        if key in there or zone is None or held.sha256 is None or held.extract_date > last or alike(held.time_zone, zone):
            continue
        if lies_in(house, held.file_name) and _can_be_read_as_before(house, held):
            one = lone(
                house.landing / held.file_name, held.table_name, held.practice_id, held.extract_date, _mapping_of_then(house, held)
            )
            if one is not None and scan.digest(one) == held.sha256:
                found.append(one)
    return found


def _mapping_of_then(house: House, held: FileRecord) -> MappedTable | None:
    """The mapping that read it, whatever is chosen now. Raises HouseError where that is gone."""
    return choice.kept(house, held.mapping or "", held.mapping_sha256, held.table_name) if held.mapping_sha256 else None


def _can_be_read_as_before(house: House, held: FileRecord) -> bool:
    """Where its mapping is gone a file stays as it was read, and is told (`stays_by_another_clock`)."""
    try:
        _mapping_of_then(house, held)
    except HouseError:
        return False
    return True


def stays_by_another_clock(house: House, practices: Mapping[str, str]) -> list[str]:
    """What is said of files in landing/ that stay as they were read in the time zone of before, because the mapping that read them is gone.

    `practices`: practice_id -> IANA time zone. Raises HouseError when a batch is damaged."""
    moved = {name for name, zone in time_zones(house) if name in practices and not alike(zone, practices[name])}
    if not moved:
        return []
    found: dict[tuple[str, str, str], list[date]] = {}
    for held in newest_files(house):
        if held.practice_id not in moved or held.mapping_sha256 is None or alike(held.time_zone, practices[held.practice_id]):
            continue
        lies_there = house.landing_url is not None or lies_in(house, held.file_name)
        if lies_there and not _can_be_read_as_before(house, held):
            found.setdefault((held.practice_id, held.time_zone, held.mapping_sha256), []).append(held.extract_date)
    return [
        f"landing/{name}: {len(nights)} files up to {max(nights)} stay as they were read in {zone}, for the mapping that read them is gone "
        f"(lake/mappings/{sha256}.yaml): put it back, or `touch` them, and the mapping that is chosen now reads them"
        for (name, zone, sha256), nights in found.items()
    ]


def _is_landed_again(one: LandedTable, held: FileRecord) -> bool:
    """By the time at which it was written: a home that is copied or restored with the times of its files has landed nothing."""
    return (one.file_name, one.mtime_ns) != (held.file_name, held.mtime_ns)
