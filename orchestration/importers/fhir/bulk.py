"""What lies in a folder of bulk exports: NDJSON files by resource type, deletions, manifests; read into DuckDB, newest versions first.

A folder may hold one export or several (one folder each, such as a full one and the `_since` exports after it). Bulk Data Access names the
files of a type freely, so that each file's first line says its type.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb

from orchestration.house import HouseError, no_pattern
from orchestration.importers.fhir.resources import RESOURCES, macros
from orchestration.importers.report import Unmapped
from orchestration.sql import literal

_CHUNK = 1 << 20
_LONGEST = 64 << 20  # the reader holds twice as much for each of its threads
_LEAST = 16 << 20  # DuckDB's own default
_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]+)"')
_DELETED, _ERRORS = ("deleted",), ("error", "errors")
_LARGEST_MANIFEST = 50_000_000
_CHANGES = ("Appointment", "Encounter", "Procedure", "Claim")
"""Types of which changes are landed: what an older version said and the newest does not is taken back."""
_ENDINGS = ("Consent", "Coverage", "Patient", "Practitioner", "PractitionerRole")
"""Types of which a state alone may say that something is over: the versions before say since when."""


@dataclass(frozen=True)
class BulkFile:
    """One NDJSON file. `lines` without blank ones, `longest` in bytes; `resource_type` of its first line, empty where it says none."""

    path: Path
    export: Path
    is_deletions: bool
    is_errors: bool
    lines: int
    longest: int
    resource_type: str


@dataclass
class Bulk:
    """The exports in DuckDB: for each resource type a table of its name with the newest version of each id, `is_deleted` or not.

    Of those whose changes or endings are landed `older_<type>` has the other versions; `place` counts an id's versions, 1 is the newest."""

    connection: duckdb.DuckDBPyConnection
    folder: Path
    exports: list[Path]
    files: list[BulkFile]
    as_of: datetime | None
    """The newest transactionTime of a manifest, else the newest meta.lastUpdated; None where the folder says neither."""
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Resource type to (lines, older versions)."""
    nameless: list[Unmapped] = field(default_factory=list)
    """Resources without an id."""
    not_read: list[Unmapped] = field(default_factory=list)
    """Lines of other resource types."""

    @property
    def present(self) -> set[str]:
        """Resource types that have a file."""
        return {file.resource_type for file in self.files if not file.is_deletions and not file.is_errors}


def read_bulk(source: Path, connection: duckdb.DuckDBPyConnection, time_zone: str) -> Bulk:
    """Reads every export below the folder; a time that says no zone is of `time_zone`.

    HouseError names the file and line that is no JSON: what it said, nobody would know.
    """
    if not source.is_dir():
        raise HouseError(f"{source}: no folder; point to the folder with the NDJSON files of a bulk export")
    files = [_look(path, source) for path in _ndjson(source)]
    if not any(file.resource_type == "Patient" and not file.is_deletions for file in files):
        raise HouseError(f"{source}: no NDJSON file with Patient resources here; point to the folder of a FHIR R4 bulk export")
    exports = sorted({file.export for file in files})
    times = {export: _transaction_time(export, time_zone) for export in exports}
    connection.execute("load icu")
    connection.execute("load json")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set variable zone = $zone", {"zone": time_zone})
    connection.execute("set enable_progress_bar = false")  # it would stand in the midst of --json
    connection.execute(macros())
    connection.execute("create table exports (path varchar, export varchar, exported_at timestamptz)")
    for file in files:
        connection.execute("insert into exports values (?, ?, ?)", [str(file.path), str(file.export), times[file.export]])
    bulk = Bulk(connection, source, exports, files, None)
    _read_deletions(bulk)
    for resource_type in RESOURCES:
        _read(bulk, resource_type)
    _settle(bulk, [time for time in times.values() if time is not None])
    _count_not_read(bulk)
    return bulk


def _ndjson(source: Path) -> list[Path]:
    found = [path for path in source.rglob("*") if re.search(r"\.(ndjson|jsonl)(\.gz)?$", path.name.lower()) and path.is_file()]
    return sorted(path for path in found if not path.name.startswith("."))


def _open(path: Path) -> Iterator[bytes]:
    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _look(path: Path, source: Path) -> BulkFile:
    """Counts lines, measures the longest and reads the type off the first; the text is not kept."""
    lines = longest = length = 0
    first, is_blank = b"", True
    try:
        for chunk in _open(path):
            begin = 0
            while (end := chunk.find(b"\n", begin)) >= 0:
                part = chunk[begin:end]
                length += len(part)
                is_blank = is_blank and not part.strip()
                if not is_blank:
                    lines += 1
                    longest = max(longest, length)
                    first = first if lines > 1 else first + part
                length, is_blank, begin = 0, True, end + 1
            rest = chunk[begin:]
            length += len(rest)
            is_blank = is_blank and not rest.strip()
            if lines == 0:
                first += rest
    except (OSError, EOFError) as error:
        raise HouseError(f"{path}: cannot be read ({type(error).__name__}); export or copy the file again") from None
    if not is_blank:
        lines, longest = lines + 1, max(longest, length)
    if longest > _LONGEST:
        raise HouseError(
            f"{path}: a line of {longest:,} bytes, more than the {_LONGEST:,} that one resource may have; leave attachments out of the export"
        )
    folder = path.parent
    is_deletions, is_errors = folder.name.lower() in _DELETED, folder.name.lower() in _ERRORS
    export = folder.parent if (is_deletions or is_errors) and folder != source else folder
    is_read = lines > 0 and not is_deletions and not is_errors  # those are read whatever their first line says, or not at all
    return BulkFile(path, export, is_deletions, is_errors, lines, longest, _type_of(first, path) if is_read else "")


def _type_of(line: bytes, path: Path) -> str:
    """The resource's own type: one contained in it may stand before it. Of a first line that is no resource nobody knows what the file has."""
    try:
        content = json.loads(line)
    except ValueError:
        content = None
    except RecursionError:
        found = _TYPE.search(line)
        return found[1].decode() if found else ""
    if not isinstance(content, dict):
        raise _no_json([path])
    name = content.get("resourceType")
    return name if isinstance(name, str) else ""


def _transaction_time(export: Path, time_zone: str) -> datetime | None:
    """Of the manifest that the server answered with, if it was kept beside the files."""
    for path in sorted(export.glob("*.json")):
        if path.stat().st_size > _LARGEST_MANIFEST:
            continue
        try:
            content = json.loads(path.read_bytes())
            text = content.get("transactionTime") if isinstance(content, dict) else None
            if text is None:
                continue
            time = datetime.fromisoformat(text)
            return time if time.tzinfo else time.replace(tzinfo=ZoneInfo(time_zone))
        except (ValueError, TypeError):
            raise HouseError(f"{path}: no manifest of a bulk export (transactionTime); mend or remove it") from None
    return None


def _source(files: list[BulkFile], columns: dict[str, str]) -> str:
    """read_ndjson over these files; every column as text or JSON, so that no value of another type can stop it."""
    names = ", ".join(literal(no_pattern(file.path)) for file in files)
    kinds = ", ".join(f"\"{name}\": '{kind}'" for name, kind in columns.items())
    size = max(_LEAST, *(file.longest + 1_024 for file in files))
    return f"read_ndjson([{names}], columns = {{{kinds}}}, filename = true, maximum_object_size = {size})"


def _run(bulk: Bulk, sql: str, files: list[BulkFile]) -> None:
    try:
        bulk.connection.execute(sql)
    except duckdb.InvalidInputException:  # its text may quote what it could not read
        raise _no_json([file.path for file in files]) from None


def _no_json(paths: list[Path]) -> HouseError:
    return HouseError(
        f"{_where(paths)}: is no JSON of a resource, so that what it says is not known and nothing of the folder is landed; "
        "the file may be cut short: export or copy it again"
    )


def _where(paths: list[Path]) -> str:
    """The first line that is no JSON of a resource: DuckDB says one that is near it."""
    for path in paths:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    if line.strip() and not _is_resource(json.loads(line)):
                        return f"{path}, line {number}"
                except (ValueError, RecursionError):
                    return f"{path}, line {number}"
    return " or ".join(str(path) for path in paths[:3])


def _is_resource(content: object) -> bool:
    """An object; half a surrogate pair is in no text (raises UnicodeEncodeError, a ValueError)."""
    json.dumps(content, ensure_ascii=False).encode()
    return isinstance(content, dict)


def _read_deletions(bulk: Bulk) -> None:
    """Table `deletions` (resource_type, id, gone_at): of each deleted resource the newest time. A bundle without a time has that of its export."""
    files = [file for file in bulk.files if file.is_deletions and file.lines]
    if not files:
        bulk.connection.execute("create table deletions (resource_type varchar, id varchar, gone_at timestamptz)")
        return
    reader = _source(files, {"resourceType": "VARCHAR", "meta": "JSON", "entry": "JSON"})
    _run(
        bulk,
        f"""
        create table deletions as
        with entries as (
            select unnest(json_extract(b.entry, '$[*].request')) as request,
                coalesce(instant_of(b.meta->>'$.lastUpdated'), x.exported_at) as gone_at
            from {reader} b join exports x on x.path = b.filename
        ),
        named as (
            select regexp_extract(request->>'$.url', '([A-Za-z]+)/([A-Za-z0-9.-]{{1,64}})$', ['type', 'id']) as target, gone_at
            from entries where upper(request->>'$.method') = 'DELETE'
        )
        -- where no time is known, what was deleted is gone whatever the date of its versions
        select target.type as resource_type, target.id as id, max(coalesce(gone_at, timestamptz '9999-12-31')) as gone_at
        from named where target.id <> '' group by all
        """,
        files,
    )


def _read(bulk: Bulk, resource_type: str) -> None:
    """One resource type: of every id the version with the newest lastUpdated; without one, that of the newest export."""
    resource = RESOURCES[resource_type]
    files = [file for file in bulk.files if file.resource_type == resource_type and not file.is_deletions and not file.is_errors]
    columns = {"resourceType": "VARCHAR", "id": "VARCHAR", "meta": "JSON", **resource.columns}
    if files:
        reader = _source(files, columns)
    else:
        kinds = ", ".join(f'null::{kind} as "{name}"' for name, kind in {**columns, "filename": "VARCHAR"}.items())
        reader = f"(select {kinds} limit 0)"
    _run(
        bulk,
        f"""
        create table read_{resource_type} as
        select r.id, r.resourceType as resource_type, instant_of(r.meta->>'$.lastUpdated') as last_updated, x.exported_at,
            x.export, x.path, {resource.select}
        from {reader} r join exports x on x.path = r.filename
        """,
        files,
    )
    con = bulk.connection
    astray = con.execute(
        f"select path from read_{resource_type} group by path having count(*) filter (resource_type = '{resource_type}') = 0 order by path limit 1"
    ).fetchone()
    if astray is not None:
        raise HouseError(
            f"{astray[0]}: no line of it is a {resource_type} as its first line says; export the file again, one type in each file"
        )
    is_typed = f"resource_type = '{resource_type}'"
    rows, lines, nameless = con.execute(
        f"select count(*), count(*) filter ({is_typed}), count(*) filter ({is_typed} and coalesce(id, '') = '') from read_{resource_type}"
    ).fetchall()[0]

    def versions(which: str) -> str:
        # the digest: of two versions of one time every release of DuckDB chooses the same, wherever the folder lies
        return f"""
        with kept as (
            select r.* exclude (path), coalesce(d.gone_at >= coalesce(last_updated, exported_at, timestamptz '1900-01-01'), false) as is_deleted,
                case when is_deleted then d.gone_at end as deleted_at
            from read_{resource_type} r
            left join deletions d on d.resource_type = '{resource_type}' and d.id = r.id
            where r.resource_type = '{resource_type}' and r.id <> ''
        )
        select * exclude (resource_type, export), coalesce(last_updated, exported_at) as changed_at, row_number() over (
            partition by id order by coalesce(last_updated, exported_at) desc nulls last, export desc,
                md5(replace(cast(kept as varchar), export, '')) desc
        ) as place from kept
        qualify place {which}
        """

    con.execute(f'create table "{resource_type}" as {versions("= 1")}')
    newest = con.execute(f'select count(*) from "{resource_type}"').fetchall()[0][0]
    older = lines - nameless - newest
    if resource_type in _CHANGES or resource_type in _ENDINGS:
        con.execute(f"create table older_{resource_type} as " + (versions("> 1") if older else f'from "{resource_type}" limit 0'))
    con.execute(f"drop table read_{resource_type}")
    if rows > lines:
        bulk.not_read.append(Unmapped(resource_type, "line of another resource type in its file", rows - lines))
    if nameless:
        bulk.nameless.append(Unmapped(resource_type, "no id", nameless))
    bulk.counts[resource_type] = (lines, older)


def _settle(bulk: Bulk, times: list[datetime]) -> None:
    """Says `as_of`."""
    con = bulk.connection
    if times:
        bulk.as_of = max(times)
    else:
        every = " union all ".join(f'select max(last_updated) as newest from "{name}"' for name in RESOURCES)
        bulk.as_of = con.execute(f"select max(newest) from ({every})").fetchall()[0][0]


def _count_not_read(bulk: Bulk) -> None:
    other: Counter[str] = Counter()
    for file in bulk.files:
        if file.is_errors and file.lines:
            other["error files of the export (OperationOutcome): what they name is not in it"] += file.lines
        elif not file.is_deletions and file.lines and file.resource_type not in RESOURCES:
            other[f"{file.resource_type or 'no resource type'}"] += file.lines
    for what, lines in sorted(other.items()):
        is_error = what.startswith("error files")
        reason = what if is_error else "resource type that is not read"
        bulk.not_read.append(Unmapped("errors" if is_error else what, reason, lines))
