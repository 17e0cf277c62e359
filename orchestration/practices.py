"""practices.yaml: the operator's configuration, refused with file, practice and key named when something is wrong."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from orchestration.code_forms import PLACES_OF_SERVICE, is_post_box, is_procedure_code, is_valid_npi
from orchestration.contracts import extract_contracts
from orchestration.house import DBT_PROJECT, HouseError
from orchestration.settings.kinds import State, Strict, Text, Whole, Written, digits, identifier, number_of, quoted
from orchestration.settings.operations import Delivery, NoticeSettings, Operations
from orchestration.settings.plain_yaml import NOT_PLAIN, Odd, SettingsLoader, is_decimal

# Of a frozen configuration: what was taken when its packet was made is taken, whatever has been judged since.
FROZEN = {"frozen": True}


@cache
def _known_localities() -> frozenset[tuple[str, str, str]]:
    with (DBT_PROJECT / "seeds" / "reference" / "rule_gpcis.csv").open(encoding="utf-8", newline="") as handle:
        return frozenset((row["mac"], row["state"], row["locality"]) for row in csv.DictReader(handle))


@cache
def _time_zones() -> frozenset[str]:
    """Read once: each asking goes through every file of the machine's zones. Two of them are no zones of any place, and DuckDB has none of that name."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


class Address(Strict):
    line1: Written
    city: Written
    state: State
    postal_code: number_of(9)  # type: ignore[valid-type]

    @field_validator("line1")
    @classmethod
    def _street(cls, line1: str, info: ValidationInfo) -> str:
        if not info.context and is_post_box(" ".join(line1.upper().split())):
            raise ValueError("must be a street, no post box: claims name the place where the practice is")
        return line1


class Receiver(Strict):
    id: identifier(15)  # type: ignore[valid-type]  # ISA08
    name: Written


class Payer(Strict):
    id: identifier(80)  # type: ignore[valid-type]  # NM109
    name: Written


class Close(Strict):
    """Days of the following month, local time: when a month may first close, and from when on nothing is held."""

    first_day: Whole = Field(default=3, ge=1, le=28)
    final_day: Whole = Field(default=20, ge=1, le=28)
    standing_approver: Text | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Close:
        if self.final_day < self.first_day:
            raise ValueError("final_day must not come before first_day")
        return self


# Interchange id qualifiers of the 837P guide (ISA05, ISA07).
Qualifier = Annotated[Literal["01", "14", "20", "27", "28", "29", "30", "33", "ZZ"], BeforeValidator(quoted)]


class ClaimFileSettings(Strict):
    """How the receiver wants claim files wrapped. The defaults are the safe ones: a test file that most receivers take."""

    usage_indicator: Literal["T", "P"] = "T"
    sender_qualifier: Qualifier = "ZZ"
    receiver_qualifier: Qualifier = "ZZ"
    segment_terminator: Literal["~", "|"] = "~"
    line_breaks: bool = False
    claims_per_transaction: Whole = Field(default=5_000, ge=1, le=5_000)


def _dated(chosen: Any) -> Any:
    """`table: name` is short for the mapping of every night; the other form says from which night on."""
    if not isinstance(chosen, dict):
        return chosen
    return {table: {date.min: one} if isinstance(one, str) else one for table, one in chosen.items()}


# What an amount of a claim has room for (CLM02, SV102).
MOST_DOLLARS = Decimal("99999999.99")
NO_PRACTICES = "there is no practices.yaml; name the home with --home or CCM_HOME, or write one (README, 'Your own practice'), or run `ccm demo`"

MappingName = Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def fee_state(settings: Mapping[str, Any]) -> str | None:
    """The state of the GPCI row of a practice's settings, as they were read or as a packet has them; None without an address. CMS has a locality under one
    state, and some reach into others."""
    address = settings.get("address")
    own = address.state if isinstance(address, Address) else (address or {}).get("state")
    return settings.get("gpci_state") or own


class Practice(Strict):
    """One practice as its operator describes it. Money in dollars, codes and numbers as text."""

    practice_id: Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    name: Written
    npi: digits(10)  # type: ignore[valid-type]
    tax_id: number_of(9)  # type: ignore[valid-type]
    taxonomy_code: Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[0-9A-Z]{10}$")]
    address: Address
    phone: number_of(10)  # type: ignore[valid-type]
    time_zone: Text
    place_of_service: digits(2)  # type: ignore[valid-type]
    mac: digits(5)  # type: ignore[valid-type]
    # Before the locality, which is judged by it.
    gpci_state: State | None = None
    locality: digits(2)  # type: ignore[valid-type]
    qualifying_apm_participant: bool = False
    submitter_id: Annotated[str, BeforeValidator(quoted), Field(pattern=r"^[A-Za-z0-9]{2,15}$")]
    receiver: Receiver
    payer: Payer
    track_policy: Literal["documented", "highest_allowed"] = "documented"
    service_date_policy: Literal["month_end", "threshold_day"] = "month_end"
    charges: dict[Text, Decimal] = Field(default_factory=dict)
    facility_type: Literal["physician_office", "rhc", "fqhc"] = "physician_office"
    attestations: dict[Text, date] = Field(default_factory=dict)
    close: Close = Field(default_factory=Close)
    claim_file: ClaimFileSettings | None = None
    # Its claim files count from here on, where another of the submitter's systems, or a test, has the numbers below.
    first_control_number: Whole = Field(default=1, ge=1, le=999_999_999)
    operations: Operations = Field(default_factory=Operations)
    delivery: Delivery | None = None
    # table -> first night -> the mapping that reads its files from then on (docs/mappings.md)
    mappings: Annotated[dict[str, dict[date, MappingName]], BeforeValidator(_dated)] = Field(default_factory=dict)

    @field_validator("npi")
    @classmethod
    def _npi(cls, npi: str) -> str:
        if not is_valid_npi(npi):
            raise ValueError("is no NPI: its check digit (Luhn, prefix 80840) does not fit")
        return npi

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        if zone not in _time_zones():
            raise ValueError("is no IANA time zone, such as America/Chicago")
        return zone

    @field_validator("place_of_service")
    @classmethod
    def _place(cls, place: str, info: ValidationInfo) -> str:
        if not info.context and place not in PLACES_OF_SERVICE:
            raise ValueError("is not of CMS's list of places of service, such as 11 (office)")
        return place

    @field_validator("locality")
    @classmethod
    def _locality(cls, locality: str, info: ValidationInfo) -> str:
        mac, state = info.data.get("mac"), fee_state(info.data)
        if not info.context and mac and state and (mac, state, locality) not in _known_localities():
            others = sorted(known for of, known, named in _known_localities() if (of, named) == (mac, locality))
            raise ValueError(
                f"MAC {mac}, state {state}, locality {locality} is in no GPCI release; "
                + (
                    f"there it is of {' and '.join(others)}: if CMS's ZIP code file has the practice's ZIP code in that locality, "
                    f'add gpci_state: "{others[0]}"; '
                    if others
                    else ""
                )
                + "see dbt_project/seeds/reference/rule_gpcis.csv"
            )
        return locality

    @field_validator("charges", mode="before")
    @classmethod
    def _charges(cls, charges: Any) -> Any:
        if not isinstance(charges, dict):
            return charges
        for code, fee in charges.items():
            if isinstance(fee, Odd) or (isinstance(fee, str) and not is_decimal(fee.strip())):
                raise ValueError(f"{code}: {NOT_PLAIN}")
        # A float is read by its shortest text: 95.1 is 95.10 dollars, not 95.0999999...
        return {code: Decimal(str(fee)) if isinstance(fee, float) else fee for code, fee in charges.items()}

    @field_validator("charges")
    @classmethod
    def _fees(cls, charges: dict[str, Decimal]) -> dict[str, Decimal]:
        for code, fee in charges.items():
            # One that ends in a letter is sound on a claim and has no fee of a practice.
            if not is_procedure_code(code) or code.endswith(("F", "T", "U", "M")):
                raise ValueError(f"{code!r} is no procedure code")
            if fee > MOST_DOLLARS:
                raise ValueError(f"{code}: a claim holds at most {MOST_DOLLARS} dollars")
            if fee <= 0 or fee != fee.quantize(Decimal("0.01")):
                raise ValueError(f"{code}: a fee is a positive amount in dollars and whole cents")
        return {code: fee.quantize(Decimal("0.01")) for code, fee in charges.items()}

    @field_validator("mappings")
    @classmethod
    def _tables(cls, chosen: dict[str, Any]) -> dict[str, Any]:
        known = extract_contracts()
        for table in chosen:
            if table not in known:
                raise ValueError(f"{table!r} is no extract table; one of {', '.join(known)}")
        return chosen

    @property
    def fee_state(self) -> str:
        """The state of the GPCI row."""
        return str(fee_state(vars(self)))

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def first_close_day(self, month: date) -> date:
        """The first day on which `month` (its first day) may close."""
        return next_month(month) + timedelta(days=self.close.first_day - 1)

    def final_close_day(self, month: date) -> date:
        """The day from which on nothing of `month` is held any more, once the practice's newest night is that of it."""
        return next_month(month) + timedelta(days=self.close.final_day - 1)

    def canonical_json(self) -> str:
        """This configuration in one form: every setting that a claim can depend on, keys sorted, no white space. Without a `claim_file` as
        before there was one, so that packets of then keep their fingerprints; `gpci_state` likewise. How the extracts came is no setting of a claim: the
        rows are frozen; nor is where the control numbers begin: a packet's own stands in its manifest."""
        left_out = {"operations", "mappings", "delivery", "first_control_number"} | {
            name for name in ("claim_file", "gpci_state") if getattr(self, name) is None
        }
        return json.dumps(self.model_dump(mode="json", exclude=left_out), sort_keys=True, separators=(",", ":"))

    def fingerprint(self) -> str:
        """SHA-256 of the canonical JSON: part of what a close depends on."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()


def next_month(month: date) -> date:
    """The first day of the month after the one that `month` lies in."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _part(part: int | str) -> str:
    """A part of a key as it is written: pydantic names a night by Python's word for it."""
    night = re.fullmatch(r"datetime\.date\((\d+), (\d+), (\d+)\)", str(part))
    return date(*map(int, night.groups())).isoformat() if night else str(part)


def _complaints(path: Path, entries: list[Any], error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        where = list(fault["loc"])
        practice = ""
        if len(where) > 1 and where[0] == "practices" and isinstance(where[1], int):
            entry = entries[where[1]] if where[1] < len(entries) else None
            named = entry.get("practice_id") if isinstance(entry, dict) else None
            practice = f"practice {named if isinstance(named, str) else f'number {where[1] + 1}'}, "
            where = where[2:]
        key = ".".join(_part(part) for part in where if part not in ("[key]", repr(date.min)))
        what = {"extra_forbidden": "is no known key", "missing": "is missing"}.get(fault["type"], fault["msg"])
        if fault["type"] == "extra_forbidden" and practice and where[1:] and where[-1] in Practice.model_fields:
            what += f" there: {where[-1]} is a key of the practice itself"
        named = f"{practice}key {key}" if key else practice.removesuffix(", ")
        lines.append(": ".join(filter(None, (str(path), named, what.removeprefix("Value error, ")))))
    return "\n".join(lines)


class _File(Strict):
    practices: list[Practice]
    notices: NoticeSettings | None = None

    @field_validator("practices")
    @classmethod
    def _unique(cls, practices: list[Practice]) -> list[Practice]:
        seen: set[str] = set()
        for practice in practices:
            if practice.practice_id.lower() in seen:
                raise ValueError(f"practice_id {practice.practice_id} stands twice (ids differ by more than case)")
            seen.add(practice.practice_id.lower())
        return practices


def load_practices(path: Path) -> dict[str, Practice]:
    """All practices by id, in id order. Raises HouseError naming file, practice and key for anything that is not right."""
    return _by_id(_file(path, _text(path)))


def load_notices(path: Path) -> NoticeSettings | None:
    """Where the installation's notices go; None when nowhere. Raises HouseError as `load_practices` does."""
    return _file(path, _text(path)).notices


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HouseError(f"{path}: {NO_PRACTICES}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HouseError(f"{path}: cannot be read ({type(error).__name__}); it must be readable UTF-8 text") from None


# A night asks for the practices in half a dozen places; of two thousand each reading takes seconds. What was read of a text holds for that text.
@lru_cache(maxsize=4)
def _file(path: Path, text: str) -> _File:
    try:
        content = yaml.load(text, Loader=SettingsLoader)
    except HouseError as error:
        raise HouseError(f"{path}, {error}; another practice begins with '- '") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise HouseError(f"{path}{where}: not valid YAML: {getattr(error, 'problem', 'cannot be parsed')}") from None
    file = _parsed(path, content)
    _no_files_twice(path, text, file.practices)
    return file


def _no_files_twice(path: Path, text: str, practices: list[Practice]) -> None:
    """Raises HouseError where two practices would fetch the very same files: both would claim what is in them. Of one folder each may have its own by its
    mappings, which name files or drop rows, or by the name of its archives."""
    seen: dict[Any, dict[str | None, int]] = {}
    for number, practice in enumerate(practices):
        if (delivery := practice.delivery) is None:
            continue
        mapped = sorted((table, *sorted(dated.items())) for table, dated in practice.mappings.items())
        known = seen.setdefault((delivery.place, tuple(mapped)), {})
        # Without archives of its own it fetches what the others fetch beside theirs.
        either = known.values() if delivery.archive is None else (known[one] for one in (delivery.archive, None) if one in known)
        if (twin := next(iter(either), None)) is not None:
            line, others = (_line_of_delivery(text, one) for one in (number, twin))
            raise HouseError(
                f"{path}, line {line}: practice {practice.practice_id}, key delivery: fetches the very files that {practices[twin].practice_id} "
                f"(line {others}) fetches, and both would claim them; correct its url, or take the delivery away from the practice that they are not of "
                "(where one folder has the files of both, mappings or archive tell them apart: docs/delivery.md)"
            )
        known[delivery.archive] = number


def _line_of_delivery(text: str, number: int) -> int:
    """Where the `delivery` of a practice stands in the file; else its entry."""
    root: Any = yaml.compose(text, Loader=SettingsLoader)
    entry = next(value for key, value in root.value if key.value == "practices").value[number]
    keys = [key for key, _ in entry.value if key.value == "delivery"]
    return int((keys or [entry])[0].start_mark.line) + 1


def _by_id(file: _File) -> dict[str, Practice]:
    return {practice.practice_id: practice for practice in sorted(file.practices, key=lambda practice: practice.practice_id)}


def practices_of(source: Path, content: Any) -> dict[str, Practice]:
    """Practices by id, in id order, from the content of a practices.yaml. Raises HouseError naming the source, the practice and the key."""
    return _by_id(_parsed(source, content))


def _parsed(source: Path, content: Any) -> _File:
    if not isinstance(content, dict) or not content.get("practices", True):
        raise HouseError(
            f"{source}: has no practice; write `practices:` and below it an entry for each, beginning with '- practice_id:' "
            "(README, 'Your own practice'; docs/settings.md)"
        )
    entries = content.get("practices")
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise HouseError(_complaints(source, entries if isinstance(entries, list) else [], error)) from None
