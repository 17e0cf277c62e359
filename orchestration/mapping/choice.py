"""Which mapping reads which file: the shipped ones, the practice's own, and what practices.yaml chooses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from orchestration.contracts import Column, ExtractContract, extract_contracts
from orchestration.house import DATA_CONTRACTS, House, HouseError, write_private
from orchestration.mapping import lines, model
from orchestration.mapping.forms import FileForm, file_form
from orchestration.mapping.model import NIGHT, Mapping, Variant
from orchestration.practices import Practice

SHIPPED = DATA_CONTRACTS / "mappings"
_LARGEST = 1024 * 1024


@dataclass(frozen=True)
class Loaded:
    """A mapping as it was read: its bytes name it in the ledger."""

    name: str
    content: bytes
    mapping: Mapping

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def table(self, table: str) -> MappedTable:
        return MappedTable(self, extract_contracts()[table])


@dataclass(frozen=True)
class MappedTable:
    """One table of a mapping: what is read from the export for it."""

    loaded: Loaded
    contract: ExtractContract

    @cached_property
    def variants(self) -> tuple[Variant, ...]:
        return self.loaded.mapping.tables[self.contract.table].variants()

    @cached_property
    def form(self) -> FileForm:
        """The name of its files. Unless the mapping says another, the table's own."""
        rule = self.loaded.mapping.tables[self.contract.table]
        return file_form(rule.file or self.loaded.mapping.file or f"{self.contract.table}.*")

    def night(self, name: str) -> date | None:
        """The night that a file's name says; None where names of this form say none. Raises ValueError for another name."""
        named = self.form.night(name)
        if model.format_of(name) is None:
            raise ValueError("is no name of this form")
        return named - timedelta(days=1) if named and self.loaded.mapping.file_date == "day_after" else named

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The export's columns that this table reads. All but the mapping's optional ones must be there: a column that goes unnoticed might be
        the one with a reason not to bill."""
        named: dict[str, None] = {}
        for row in self.variants:
            made = row.each.name if row.each else None
            reads = [*([row.each.source] if row.each else []), *row.keep, *row.drop, *row.any_of, *row.any_too, *row.withdraw]
            reads += [name for rule in row.columns.values() for name in rule.reads()]
            named |= dict.fromkeys(name for name in reads if name != made)
        optional = self.loaded.mapping.optional
        return tuple(Column(name, "text", name not in optional, None, True, "") for name in named)

    def without(self, there: Map[str, int]) -> tuple[str, ...]:
        """Columns of the contract that a file with these columns gives nothing for."""
        given = {
            target
            for row in self.variants
            for target, rule in row.columns.items()
            if not rule.reads() or (row.each and row.each.name in rule.reads()) or any(name in there for name in rule.reads())
        }
        return tuple(name for name in self.contract.names if name not in given)

    @cached_property
    def known(self) -> frozenset[str]:
        """Every column of the export that the mapping reads, for any table, or says it does not use."""
        tables = [self.loaded.table(table) for table in self.loaded.mapping.tables]
        return frozenset(column.name for table in tables for column in table.columns) | frozenset(self.loaded.mapping.unused)


def load(path: Path, name: str | None = None) -> Loaded:
    """A mapping file. Raises HouseError with the file and the lines of everything that is wrong with it."""
    try:
        if path.stat().st_size > _LARGEST:
            raise HouseError(f"{path}: is larger than a mapping can be (1 MB); name the YAML file of one")
        content = path.read_bytes()
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise HouseError(f"{path}: there is no such mapping; `ccm map list` shows those there are") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HouseError(f"{path}: cannot be read ({type(error).__name__}); it must be readable UTF-8 text") from None
    return Loaded(name or path.stem, content, parse(text, str(path)))


def parse(text: str, source: str) -> Mapping:
    """The mapping that a YAML text is; `source` names it in complaints. Raises HouseError."""
    content, where = lines.read(text, source)
    try:
        made = Mapping.model_validate(content)
    except ValidationError as error:
        said = []
        for fault in error.errors(include_url=False, include_input=False):
            place = tuple(part for part in fault["loc"] if part != "[key]")
            key = ".".join(str(part) for part in place) or "the mapping"
            what = {"extra_forbidden": "is no known key", "missing": "is missing"}.get(fault["type"], fault["msg"])
            said.append((where.of(place), f"{key}: {what.removeprefix('Value error, ')}"))
        raise _complaint(source, said) from None
    if said := [(where.of(place), what) for place, what in model.faults(made)]:
        raise _complaint(source, said)
    return made


def _complaint(source: str, said: list[tuple[int, str]]) -> HouseError:
    return HouseError("\n".join(f"{source}, line {line}: {what}" for line, what in sorted(said)))


def find(house: House | None, name: str) -> Path:
    """Where the mapping of this name is: the home's own, else the shipped one. Raises HouseError when there is neither."""
    places = [*([house.mappings] if house else []), SHIPPED]
    for folder in places:
        if (path := folder / f"{name}.yaml").is_file():
            return path
    known = sorted({path.stem for folder in places for path in folder.glob("*.yaml")})
    raise HouseError(f"mapping {name!r}: is in none of {', '.join(map(str, places))}; there are {', '.join(known) or 'none'}")


@dataclass(frozen=True)
class Choices:
    """What practices.yaml chose. `of(practice, night)`: table -> the mapping's table, or why there is none."""

    chosen: Map[str, Map[str, tuple[tuple[date, MappedTable | str], ...]]] = field(default_factory=dict)

    def of(self, practice_id: str, night: date) -> dict[str, MappedTable | str]:
        found: dict[str, MappedTable | str] = {}
        for table, dated in self.chosen.get(practice_id, {}).items():
            for since, mapped in dated:
                if since <= night:
                    found[table] = mapped
        return found

    def zones(self) -> set[str]:
        """Time zones that mappings name."""
        return {
            mapped.loaded.mapping.time_zone
            for tables in self.chosen.values()
            for dated in tables.values()
            for _, mapped in dated
            if isinstance(mapped, MappedTable) and mapped.loaded.mapping.time_zone
        }

    def troubles(self) -> dict[str, list[str]]:
        """practice_id -> what keeps its mappings from being used."""
        found: dict[str, list[str]] = {}
        for practice_id, tables in self.chosen.items():
            for dated in tables.values():
                for _, mapped in dated:
                    if isinstance(mapped, str) and mapped not in found.setdefault(practice_id, []):
                        found[practice_id].append(mapped)
        return {practice_id: said for practice_id, said in found.items() if said}


def choices(house: House, practices: Map[str, Practice]) -> Choices:
    """The mappings of these practices. One that cannot be used is its practices' trouble alone: it stands there as text."""
    known: dict[str, Loaded | str] = {}
    chosen: dict[str, dict[str, tuple[tuple[date, MappedTable | str], ...]]] = {}
    for practice_id, practice in practices.items():
        for table, dated in practice.mappings.items():
            found = []
            for since, named in sorted(dated.items()):
                if named not in known:
                    try:
                        known[named] = load(find(house, named), named)
                    except HouseError as error:
                        known[named] = str(error)
                found.append((since, _table(known[named], named, table)))
            chosen.setdefault(practice_id, {})[table] = tuple(found)
    return Choices(chosen)


def _table(loaded: Loaded | str, name: str, table: str) -> MappedTable | str:
    if isinstance(loaded, str):
        return loaded
    if table not in loaded.mapping.tables:
        return f"mapping {name!r}: has no table {table}; it has {', '.join(loaded.mapping.tables)}"
    return loaded.table(table)


def keep(house: House, used: Map[str, bytes]) -> None:
    """Keeps what each mapping said when a night was read by it, as lake/mappings/<sha256>.yaml."""
    for sha256, content in used.items():
        path = _kept(house, sha256)
        if not path.exists():
            write_private(path, content)


def kept(house: House, name: str, sha256: str, table: str) -> MappedTable:
    """A table of the mapping by which a night was read, as it was then. Raises HouseError where that is gone, or can be read no more."""
    loaded = load(_kept(house, sha256), name)
    if loaded.sha256 != sha256 or table not in loaded.mapping.tables:
        raise HouseError(f"{_kept(house, sha256)}: is not what it was kept as")
    return loaded.table(table)


def _kept(house: House, sha256: str) -> Path:
    return house.lake / "mappings" / f"{sha256}.yaml"


__all__ = ["NIGHT", "Choices", "Loaded", "MappedTable", "choices", "find", "keep", "kept", "load", "parse"]
