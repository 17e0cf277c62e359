"""One home, one lake: which lake a home was begun with (lake/where.json), and whether it may write that one."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestration import storage
from orchestration.house import LAKE, House, HouseError, write_private
from orchestration.storage import StorageError


def _where(house: House) -> dict[str, Any] | None:
    """url and id (the token); `is_owner` false: of a home that was restored beside the one that it was."""
    try:
        found: dict[str, Any] = json.loads((house.lake / "where.json").read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise HouseError(f"{house.lake / 'where.json'}: cannot be read; restore it from the backup") from None


def ensure_same_lake(house: House) -> None:
    """A home whose lake is looked for in the wrong place would look empty, and its marts would be published so."""
    where = _where(house)
    begun = where["url"] if where else None
    if begun != house.lake_url and begun is not None:
        raise HouseError(
            f"{house.root}: this home's lake is {begun}, and {LAKE} says {house.lake_url or 'nothing'}; set {LAKE} to it"
        )
    if begun is None and house.lake_url is not None and (house.lake / "batches").exists():
        raise HouseError(
            f"{house.lake}: this home's lake is on this disk; unset {LAKE}, or make a new home and land the extracts there"
        )


def mark_restored(lake: Path, takes_over: bool) -> None:
    """Writes into a restored home's lake/where.json whether it may write that lake: it has the token of the home that it was, which may go on."""
    try:
        where = json.loads((lake / "where.json").read_text(encoding="utf-8"))
        marked = {**where, "is_owner": takes_over}
    except (FileNotFoundError, ValueError, TypeError):
        return
    write_private(lake / "where.json", json.dumps(marked) + "\n")


def not_ours(house: House) -> str | None:
    """What is said of a lake that a restored home may only read, with what to do; None where the lake is the home's own."""
    where = _where(house)
    if where is None or where.get("is_owner", True):
        return None
    return (
        f"{where['url']}: is the lake of the home that this one was restored from, and one home alone may write it; nothing is taken in here. Where that home "
        f'is no more, set "is_owner": true in {house.lake / "where.json"} (`ccm restore --take-over-lake` does); where it goes on, give this copy a '
        "lake of its own (docs/storage.md)"
    )


def ensure_own(house: House) -> None:
    if said := not_ours(house):
        raise HouseError(said)


def claim(house: House) -> None:
    """Makes the prefix this home's own: two homes that write one lake would write the same numbers. Raises HouseError when it is another's."""
    assert house.lake_url is not None
    ensure_own(house)
    place = storage.Prefix.of(house.lake_url)
    where = _where(house)
    owner = where["id"] if where else secrets.token_hex(16)
    with suppress(StorageError):
        storage.put_new(place, "home", owner.encode())
    if storage.content_of(place, "home").decode() != owner:
        raise HouseError(
            f"{house.lake_url}: is the lake of another home; name a prefix of its own in {LAKE}, or restore that home from its backup (`ccm restore`)"
        )
    if where is None:
        write_private(house.lake / "where.json", json.dumps({"url": house.lake_url, "id": owner}) + "\n")
