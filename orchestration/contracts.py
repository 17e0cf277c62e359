"""The contracts under data_contracts/ (ODCS 3.1) as the code uses them: what is landed, what is stored, what
is published."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from open_data_contract_standard.model import OpenDataContractStandard, SchemaProperty
from pydantic import ValidationError
from yaml import YAMLError

from orchestration.house import DATA_CONTRACTS, HouseError

Kind = Literal["text", "date", "instant", "integer", "boolean"]
Delivery = Literal["snapshot", "changes"]

_KINDS: dict[str, Kind] = {
    "string": "text",
    "date": "date",
    "timestamp": "instant",
    "integer": "integer",
    "boolean": "boolean",
}
_STORED: dict[Kind, str] = {
    "text": "VARCHAR",
    "date": "DATE",
    "instant": "TIMESTAMP",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
}
_EXTRACTS = ("panel", "scheduling", "time_log", "phone_log")
# The one column that is measured and hashed instead of kept.
NOTE = "note_text"
NOTE_STORED = (("note_length", "BIGINT"), ("note_sha256", "VARCHAR"))


@dataclass(frozen=True)
class Column:
    """One column of an extract. `vocabulary` holds its only values, if it has such; `phi`: identifies a
    patient by itself."""

    name: str
    kind: Kind
    required: bool
    vocabulary: tuple[str, ...] | None
    phi: bool
    description: str


@dataclass(frozen=True)
class ExtractContract:
    """One landed table. `key` is empty where every row stands; `ordered_by` names the column whose newest
    value wins, `teams` who delivers it and who answers for the contract."""

    table: str
    extract: str
    delivery: Delivery
    key: tuple[str, ...]
    ordered_by: str | None
    columns: tuple[Column, ...]
    description: str
    teams: tuple[str, ...]
    is_optional: bool = False  # nobody waits for it: a practice may never land it

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class MartColumn:
    """One column of a published table. `type` is DuckDB's."""

    name: str
    type: str
    required: bool
    vocabulary: tuple[str, ...] | None
    phi: bool
    description: str


@dataclass(frozen=True)
class MartContract:
    """One published table. `grain`: the columns that name a row."""

    mart: str
    grain: tuple[str, ...]
    columns: tuple[MartColumn, ...]
    description: str

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@cache
def extract_contracts() -> dict[str, ExtractContract]:
    """The extract tables by name, in the order panel, scheduling, time log, phone log. Raises HouseError for a
    faulty file."""
    contracts = [_extract(path) for path in _files("extracts")]
    place = list(_EXTRACTS)
    return {c.table: c for c in sorted(contracts, key=lambda c: (place.index(c.extract), c.table))}


@cache
def mart_contracts() -> dict[str, MartContract]:
    """The published marts by name. Raises HouseError for a faulty file."""
    return {contract.mart: contract for contract in (_mart(path) for path in _files("marts"))}


def lake_columns(contract: ExtractContract) -> list[tuple[str, str]]:
    """(name, DuckDB type) of the contract's columns as the lake stores them; instants are UTC, the note is measured."""
    stored: list[tuple[str, str]] = []
    for column in contract.columns:
        stored.extend(NOTE_STORED if column.name == NOTE else [(column.name, _STORED[column.kind])])
    return stored


def _files(folder: str) -> list[Path]:
    files = sorted((DATA_CONTRACTS / folder).glob("*.odcs.yaml"))
    if not files:
        raise HouseError(f"data_contracts/{folder}: no contract here; restore the folder from the checkout")
    return files


def load_contract(path: Path) -> OpenDataContractStandard:
    """One contract file as it stands. Raises HouseError when it is no valid ODCS contract of one schema, named like the file."""
    try:
        contract = OpenDataContractStandard.from_file(str(path))
    except (ValidationError, YAMLError, TypeError, OSError) as error:
        raise HouseError(f"{path}: no valid ODCS contract ({error}); mend the file") from None
    schema = contract.schema_ or []
    if len(schema) != 1 or schema[0].name != path.name.removesuffix(".odcs.yaml") or not schema[0].properties:
        raise HouseError(f"{path}: wants one schema, named like the file, with its properties")
    return contract


def _properties(contract: OpenDataContractStandard) -> list[SchemaProperty]:
    assert contract.schema_ and contract.schema_[0].properties  # load_contract saw to it
    return contract.schema_[0].properties


def _key(properties: list[SchemaProperty]) -> tuple[str, ...]:
    keys = [p for p in properties if p.primaryKey]
    return tuple(str(p.name) for p in sorted(keys, key=lambda p: p.primaryKeyPosition or 1))


def vocabulary_of(column: SchemaProperty) -> tuple[str, ...] | None:
    """The only values of a column, or None where it may have any."""
    for rule in column.quality or []:
        if rule.metric == "invalidValues":
            return tuple(str(value) for value in (rule.arguments or {}).get("validValues", ()))
    return None


def _extract(path: Path) -> ExtractContract:
    contract = load_contract(path)
    custom: dict[str | None, Any] = {p.property: p.value for p in contract.customProperties or []}
    if custom.get("delivery") not in ("snapshot", "changes") or custom.get("extract") not in _EXTRACTS:
        raise HouseError(f"{path}: customProperties must name delivery (snapshot, changes) and extract (panel, ...)")
    columns = []
    for column in _properties(contract):
        if column.logicalType not in _KINDS:
            raise HouseError(f"{path}, {column.name}: logicalType must be one of {', '.join(_KINDS)}")
        columns.append(
            Column(
                name=str(column.name),
                kind=_KINDS[column.logicalType],
                required=bool(column.required),
                vocabulary=vocabulary_of(column),
                phi=column.classification == "phi",
                description=column.description or "",
            )
        )
    return ExtractContract(
        table=path.name.removesuffix(".odcs.yaml"),
        extract=custom["extract"],
        delivery=custom["delivery"],
        key=_key(_properties(contract)),
        ordered_by=custom.get("orderedBy"),
        columns=tuple(columns),
        description=(contract.description.purpose if contract.description else None) or "",
        teams=tuple(str(member.username) for member in getattr(contract.team, "members", None) or ()),
        is_optional=bool(custom.get("isOptional")),
    )


def _mart(path: Path) -> MartContract:
    contract = load_contract(path)
    properties = _properties(contract)
    return MartContract(
        mart=path.name.removesuffix(".odcs.yaml"),
        grain=_key(properties),
        columns=tuple(
            MartColumn(
                name=str(column.name),
                type=str(column.physicalType),
                required=bool(column.required),
                vocabulary=vocabulary_of(column),
                phi=column.classification == "phi",
                description=column.description or "",
            )
            for column in properties
        ),
        description=(contract.description.purpose if contract.description else None) or "",
    )


def optional_tables() -> frozenset[str]:
    """Extract tables that nobody waits for."""
    return frozenset(table for table, contract in extract_contracts().items() if contract.is_optional)
