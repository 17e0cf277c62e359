"""Whether the lake is whole: what is gone of its batches, and what of them cannot be read."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from orchestration import lake_batches
from orchestration.contracts import extract_contracts
from orchestration.engine import connect, ensure_key_fits, reading
from orchestration.house import House, HouseError
from orchestration.lake_batches import batch_numbers
from orchestration.lists import few
from orchestration.take_in.tables import later_tables

RESTORE_BATCHES = "restore them from the newest backup (`ccm restore` into a new folder, copy lake/batches)"


def damage(house: House) -> str | None:
    """What the lake has lost: batches between others, or files of a batch. None when it is whole."""
    there = lake_batches.contents(house)
    numbers = [number for number in sorted(there) if lake_batches.LEDGER in there[number] or house.lake_url is None]
    if gaps := lake_batches.missing_between(numbers):
        return f"batches missing: {few(gaps)}"
    # what a batch of before an optional table lacks is given to it
    names = {f"{table}.parquet" for table in (*extract_contracts(), "files", "quarantine") if table not in later_tables()}
    if broken := [number for number in numbers if not names <= there[number]]:
        return f"batches without all of their files: {few(broken)}"
    return None


def ensure_whole(house: House) -> None:
    """What is gone would be decided without, and what is taken in meanwhile would stand beside it once it is put back."""
    if lost := damage(house):
        raise HouseError(f"{house.lake / 'batches'}: {lost}; nothing is taken in until they are there again: {RESTORE_BATCHES}")
    if house.warehouse.exists() and not batch_numbers(house):
        raise HouseError(
            f"{house.lake / 'batches'}: is empty, and this home has had nights; mount the disk that it is on, or {RESTORE_BATCHES}. To begin anew with "
            f"what landing/ still has, move {house.warehouse.name} away"
        )


def unreadable(house: House) -> list[str]:
    """Tables of the lake that cannot be read to their end, as <batch>/<table>.parquet: cut short, or not as they were written. Reads all of it. HouseError
    where the key is another."""
    ensure_key_fits(house)  # without its key a sound file cannot be read either
    found = []
    with connect(house) as con:
        for number, names in sorted(lake_batches.contents(house).items()):
            for name in sorted(name.removesuffix(".parquet") for name in names if name.endswith(".parquet")):
                # The files' ledger is never encrypted.
                options = "" if name == "files" else reading()
                try:
                    con.execute(
                        f"select bit_xor(hash(rows)) from read_parquet(?{options}) as rows",
                        [lake_batches.table(house, number, name)],
                    ).fetchall()
                except duckdb.Error:
                    found.append(f"{number:06d}/{name}.parquet")
    return found


def told_damaged(tables: Sequence[str]) -> str:
    """What `unreadable` found, in words, with what to do."""
    return f"lake/batches/: damaged, cannot be read: {few(tables)}; {RESTORE_BATCHES}"
