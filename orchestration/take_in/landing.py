"""What lies in landing/: one file per practice, night and table, or a reason why it is none."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from orchestration import storage
from orchestration.contracts import extract_contracts
from orchestration.house import House
from orchestration.mapping.choice import Choices, MappedTable
from orchestration.mapping.model import format_of
from orchestration.storage import StoredObject

FORMATS = ("csv", "csv.gz", "parquet")
# Nights that there can be: those of the fee schedules and the business calendar. Another year is a slip of the pen, and would be the practice's "today".
FIRST_NIGHT, LAST_NIGHT = date(2019, 1, 1), date(2045, 12, 31)
COMPLETE = "_SUCCESS"  # an empty file by which whoever drops a night says that all of it is there
_NIGHT = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class LandedTable:
    """One table of one night as it lies on disk. `fault`: why nothing can be read of it (then it is rejected whole).

    `files` holds one path, or several when the table came in more than one format. Sizes in bytes, times in
    nanoseconds; of several files the sum and the newest.
    """

    practice_id: str
    extract_date: date
    table: str
    files: tuple[Path, ...]
    file_name: str
    format: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    fault: str | None = None
    is_unread: bool = False  # object storage did not give it: nothing is known of its bytes
    # Of a landing in object storage: what was listed. `files` then name where they are fetched to while they are read; the time of change is
    # the ETag as a number.
    objects: tuple[StoredObject, ...] = ()
    mapped: MappedTable | None = None  # how the file is read, where it is another system's

    @property
    def key(self) -> tuple[str, date, str]:
        return self.practice_id, self.extract_date, self.table

    @property
    def mapping_sha256(self) -> str | None:
        return self.mapped.loaded.sha256 if self.mapped else None

    def is_as_it_was(self) -> bool:
        """Whether disk still holds what was discovered: a drop may go on while its file is being read."""
        if self.objects:
            return True  # what was fetched is a copy of our own, of the very object that was listed
        try:
            found = [path.lstat() for path in self.files]
        except OSError:
            return False
        return _stamp(found) == (self.size_bytes, self.mtime_ns, self.ctime_ns)


def discover(
    house: House,
    practice_ids: Iterable[str],
    up_to: date | None = None,
    notes: list[str] | None = None,
    since: date | None = None,
    mapped: Choices | None = None,
) -> list[LandedTable]:
    """Every landed table of these practices from `since` up to `up_to` (both included), by practice, night and table.

    What is no extract table is left alone and named in `notes`, and so is a folder that cannot be listed; names that begin with a
    dot are not even named. `mapped`: the tables that come in another system's files; one file may hold several of them.
    """
    mapped = mapped or Choices()
    said = [] if notes is None else notes
    landed: list[LandedTable] = []
    if house.landing_url is not None:
        for practice_id in sorted(practice_ids):
            said += _unusable(practice_id, mapped)
            landed += _landed_objects(house, practice_id, up_to, since, said, mapped)
        return landed
    for practice_id in sorted(practice_ids):
        said += _unusable(practice_id, mapped)
        if (house.landing / practice_id).is_symlink():
            # It may lead to another practice's folder, whose claims would go out twice, or to a disk that is not there.
            said.append(
                f"landing/{practice_id}: is a link, no folder; nothing in it is taken in; make it a folder, or mount there what it leads to"
            )
            continue
        for night_folder in _listing(house.landing / practice_id, f"landing/{practice_id}", said):
            night = _night(night_folder.name)
            if night is None or not night_folder.is_dir(follow_symlinks=False):
                said.append(f"landing/{practice_id}/{night_folder.name}: no folder of a night (YYYY-MM-DD, no link); left alone")
                continue
            if not FIRST_NIGHT <= night <= LAST_NIGHT:
                said.append(
                    f"landing/{practice_id}/{night_folder.name}: no night from {FIRST_NIGHT} to {LAST_NIGHT}; left alone; name the folder by its night"
                )
                continue
            if (up_to is not None and night > up_to) or (since is not None and night < since):
                continue
            found: dict[str, list[tuple[str, os.DirEntry[str]]]] = {}
            chosen = mapped.of(practice_id, night)
            for entry in _listing(Path(night_folder.path), f"landing/{practice_id}/{night}", said):
                if entry.name == COMPLETE:
                    continue
                tables = tables_in(entry.name, night, chosen)
                if isinstance(tables, str):
                    said.append(f"landing/{practice_id}/{night}/{entry.name}: {tables}; left alone")
                    continue
                for table, form in tables:
                    found.setdefault(table, []).append((form, entry))
            try:
                of_night = [
                    _landed(practice_id, night, table, entries, _mapping(chosen, table)) for table, entries in sorted(found.items())
                ]
            except OSError as error:  # a folder that may be listed and not entered (chmod -R 644)
                said.append(
                    f"landing/{practice_id}/{night}: cannot be entered ({error.strerror}), nothing in it is taken in; let this user enter it (chmod u+x)"
                )
                continue
            landed += [one for one in of_night if one is not None]
    return landed


def lies_in(house: House, file_name: str) -> bool:
    """Whether a file of the ledger lies in landing/ on disk, where `discover` looks: neither it nor its folders are links."""
    path = house.landing / file_name
    return path.is_file() and not any(one.is_symlink() for one in (path, *path.parents[:2]))


def of_nobody(house: House, practice_ids: Iterable[str]) -> list[str]:
    """What lies beside the folders of the practices, which no night takes in: such as a folder with a slip of the pen in its name. Of a landing in object
    storage nothing is said: all of it would have to be listed."""
    if house.landing_url is not None:
        return []
    known, said = set(practice_ids), list[str]()
    there = [entry.name for entry in _listing(house.landing, "landing", said) if entry.name not in known]
    return [*said, *(f"landing/{name}: no practice of practices.yaml; left alone" for name in there)]


def _unusable(practice_id: str, mapped: Choices) -> list[str]:
    """What is said of mappings that cannot be used: what they would read is left alone."""
    return [f"landing/{practice_id}: {what}; its files are left alone" for what in mapped.troubles().get(practice_id, ())]


def _mapping(chosen: Mapping[str, MappedTable | str], table: str) -> MappedTable | None:
    one = chosen.get(table)
    return one if isinstance(one, MappedTable) else None


def tables_in(name: str, night: date, chosen: Mapping[str, MappedTable | str]) -> list[tuple[str, str]] | str:
    """(table, format) of each table that a file of this name holds; or what is said of one that holds none."""
    table, _, form = name.partition(".")
    found, others = [], []
    for mapped_table, one in chosen.items():
        if not isinstance(one, MappedTable):
            continue
        try:
            named = one.night(name)
        except ValueError:
            continue
        if named is not None and named != night:
            others.append(named)
        else:
            found.append((mapped_table, format_of(name) or form))
    if table in extract_contracts() and form in FORMATS and table not in chosen:
        found.append((table, form))
    if found:
        return found
    if others:
        return f"its name says the night of {others[0]}"
    if (instead := _mapping(chosen, table)) is not None:
        return f"{table} comes by the mapping {instead.loaded.name}, in files named {instead.form.written}"
    return "its mapping cannot be used" if table in chosen else "no extract table"


def _landed_objects(
    house: House, practice_id: str, up_to: date | None, since: date | None, notes: list[str], mapped: Choices
) -> list[LandedTable]:
    """What `discover` says of one practice whose landing is in object storage. A prefix that it may not list is its own trouble."""
    assert house.landing_url is not None
    place = storage.Prefix.of(house.landing_url)
    found: dict[tuple[date, str], list[tuple[str, StoredObject]]] = {}
    try:
        there = storage.listed(place, f"{practice_id}/", after=f"{practice_id}/{since}" if since else None)
    except storage.StorageError as error:
        if error.is_general:
            raise
        notes.append(f"landing/{practice_id}: cannot be listed, nothing in it is taken in ({error})")
        return []
    for one in there:
        _, day, *rest = one.name.split("/")
        name = "/".join(rest)
        night = _night(day) if rest else None
        if day.startswith(".") or name.startswith(".") or name == COMPLETE or one.name.endswith("/"):
            continue  # the last: what stands for a folder in some tools
        if night is None or not FIRST_NIGHT <= night <= LAST_NIGHT:
            notes.append(
                f"landing/{one.name}: in no night from {FIRST_NIGHT} to {LAST_NIGHT} (<practice>/YYYY-MM-DD/<table>.csv); left alone"
            )
        elif (up_to is not None and night > up_to) or (since is not None and night < since):
            continue
        elif isinstance(tables := tables_in(name, night, mapped.of(practice_id, night)), str):
            notes.append(f"landing/{one.name}: {tables}; left alone")
        else:
            for table, form in tables:
                found.setdefault((night, table), []).append((form, one))
    return [
        _landed_object(house, practice_id, night, table, objects, _mapping(mapped.of(practice_id, night), table))
        for (night, table), objects in sorted(found.items())
    ]


def _landed_object(
    house: House, practice_id: str, night: date, table: str, found: list[tuple[str, StoredObject]], mapped: MappedTable | None
) -> LandedTable:
    forms, objects = zip(*found, strict=True)
    return LandedTable(
        practice_id=practice_id,
        extract_date=night,
        table=table,
        files=tuple(spool(house) / one.name for one in objects),
        file_name=", ".join(one.name for one in objects),
        format=forms[0],
        size_bytes=sum(one.size_bytes for one in objects),
        mtime_ns=max(one.modified_ns for one in objects),
        ctime_ns=max(one.mark for one in objects),
        fault=f"came as {_several(forms, mapped)} in one night; keep one of them" if len(forms) > 1 else None,
        objects=objects,
        mapped=mapped,
    )


def _several(forms: Iterable[str], mapped: MappedTable | None) -> str:
    """The formats that one table came in; names of a vendor's pattern may be of one format."""
    return " and ".join(forms) if mapped is None else f"{len(list(forms))} files"


def spool(house: House) -> Path:
    """Where landed objects are fetched to while they are read; swept by the next night."""
    return house.state / "landing"


def fetched(landed: list[LandedTable]) -> tuple[list[LandedTable], set[int]]:
    """The same tables, with what lies in object storage fetched for reading, and the places of those that are another object by now.

    What cannot be fetched has a fault: the file is rejected, and asked for again by the next run."""
    wanted = [(place, one) for place, one in enumerate(landed) if one.objects and one.fault is None]
    words = storage.fetch_all([(one.objects[0], one.files[0]) for _, one in wanted])
    tables, changed = list(landed), set()
    for (place, one), word in zip(wanted, words, strict=True):
        if word is None:
            continue
        if storage.has_changed(word):
            changed.add(place)
        fault = f"cannot be fetched (object storage said {word}); {storage.mending(word)}"
        tables[place] = replace(one, fault=fault, is_unread=True)
    return tables, changed


def release(landed: Iterable[LandedTable]) -> None:
    """Removes what `fetched` brought."""
    for one in landed:
        if one.objects:
            for path in one.files:
                path.unlink(missing_ok=True)


def _landed(
    practice_id: str, night: date, table: str, entries: list[tuple[str, os.DirEntry[str]]], mapped: MappedTable | None = None
) -> LandedTable | None:
    try:
        found = [entry.stat(follow_symlinks=False) for _, entry in entries]
    except FileNotFoundError:
        return None  # taken away while the folder was listed: not landed
    fault = None
    if len(entries) > 1:
        fault = f"came as {_several([form for form, _ in entries], mapped)} in one night; keep one of them"
    elif stat.S_ISLNK(found[0].st_mode):
        fault = "is a link, not a file; land the file itself"
    elif not stat.S_ISREG(found[0].st_mode):
        fault = "is no regular file; land a file of this name"
    size, mtime, ctime = _stamp(found)
    return LandedTable(
        practice_id=practice_id,
        extract_date=night,
        table=table,
        files=tuple(Path(entry.path) for _, entry in entries),
        file_name=", ".join(f"{practice_id}/{night}/{entry.name}" for _, entry in entries),
        format=entries[0][0],
        size_bytes=size,
        mtime_ns=mtime,
        ctime_ns=ctime,
        fault=fault,
        mapped=mapped,
    )


def lone(path: Path, table: str, practice_id: str, night: date, mapped: MappedTable | None = None) -> LandedTable | None:
    """A file that lies somewhere else, as if it had landed; None when there is none. Its name must end in one of FORMATS, or be one that a mapping
    reads."""
    with os.scandir(path.parent) as entries:
        entry = next((entry for entry in entries if entry.name == path.name), None)
    known = format_of(path.name) if mapped else None
    form = known or next(form for form in FORMATS if path.name.lower().endswith(f".{form}"))
    return _landed(practice_id, night, table, [(form, entry)], mapped) if entry else None


def _stamp(found: list[os.stat_result]) -> tuple[int, int, int]:
    return sum(s.st_size for s in found), max(s.st_mtime_ns for s in found), max(s.st_ctime_ns for s in found)


def _listing(folder: Path, name: str, notes: list[str]) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name. One that cannot be listed is named in `notes`: it is one practice's trouble, the others go on."""
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        notes.append(
            f"{name}: cannot be listed ({error.strerror}), nothing in it is taken in; make it a folder that this user may read"
        )
        return []


def _night(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if _NIGHT.fullmatch(name) else None
    except ValueError:
        return None
