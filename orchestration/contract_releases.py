"""What was promised to those who send extracts and read marts: `data_contracts/released.yaml` has each contract's last released shape.

`python -m orchestration.contract_releases` says what changed since and exits 1 where a change breaks someone's work without a new major version and an
entry in `data_contracts/CHANGELOG.md`; `--write` (`make contracts-release`) makes the present shapes the released ones.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestration.contracts import load_contract, vocabulary_of
from orchestration.house import DATA_CONTRACTS, HouseError

RELEASED, CHANGELOG = "released.yaml", "CHANGELOG.md"
ABOUT = "# Each contract as it was last released. Written by `make contracts-release`; never by hand.\n"
Shape = dict[str, Any]
"""version, key (list), customs (delivery, orderedBy, extract), columns: name -> {type, required, words}"""


@dataclass(frozen=True)
class Change:
    """One difference between a contract's released shape and its present one. `is_breaking`: someone's files or queries no longer work."""

    contract: str
    what: str
    is_breaking: bool


def shapes(folder: Path) -> dict[str, Shape]:
    """The present shape of every contract below a folder like data_contracts/, by `extracts/<table>` or `marts/<mart>`. Raises HouseError."""
    found = {}
    for path in sorted(folder.glob("*/*.odcs.yaml")):
        contract = load_contract(path)
        assert contract.schema_ and contract.schema_[0].properties
        keys = [p for p in contract.schema_[0].properties if p.primaryKey]
        found[f"{path.parent.name}/{path.name.removesuffix('.odcs.yaml')}"] = {
            "version": str(contract.version),
            "key": [str(p.name) for p in sorted(keys, key=lambda p: p.primaryKeyPosition or 1)],
            "customs": {str(p.property): p.value for p in contract.customProperties or []},
            "columns": {
                str(p.name): {
                    "type": str(p.physicalType),
                    "required": bool(p.required),
                    **({"words": list(words)} if (words := vocabulary_of(p)) is not None else {}),
                }
                for p in contract.schema_[0].properties
            },
        }
    return found


def changes(before: dict[str, Shape], after: dict[str, Shape]) -> list[Change]:
    """Every difference, in words, by contract.

    Who is broken differs: an extract's sender by what is asked in addition (a column that became required, a word no longer taken), a mart's
    reader by what is promised no longer (a column that may now be empty). What is gone or of another type breaks both.
    """
    found = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(Change(name, "the contract is gone", True))
        elif name in before:
            is_extract = name.startswith("extracts/")
            found += [Change(name, what, breaks) for what, breaks in _of_one(before[name], after[name], is_extract)]
    return found


def _of_one(before: Shape, after: Shape, is_extract: bool) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    if before["key"] != after["key"]:
        found.append((f"the key was ({', '.join(before['key'])}) and is ({', '.join(after['key'])})", True))
    for custom in sorted(before["customs"].keys() | after["customs"].keys()):
        was, now = before["customs"].get(custom), after["customs"].get(custom)
        if was != now:
            found.append((f"{custom} was {was} and is {now}", True))
    old, new = before["columns"], after["columns"]
    gone, added = [n for n in old if n not in new], [n for n in new if n not in old]
    for column in gone:
        like = [n for n in added if new[n]["type"] == old[column]["type"]]
        found.append((f"column {column} is gone" + (f" (renamed {like[0]}?)" if len(gone) == len(like) == 1 else ""), True))
    for column in added:
        asked = is_extract and new[column]["required"]
        found.append((f"column {column} is new" + (" and required" if asked else ""), asked))
    for column in (n for n in old if n in new):
        found += [(f"column {column} {what}", breaks) for what, breaks in _of_column(old[column], new[column], is_extract)]
    return found


def _of_column(was: Shape, now: Shape, is_extract: bool) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    if was["type"] != now["type"]:
        found.append((f"was {was['type']} and is {now['type']}", True))
    if was["required"] != now["required"]:
        found.append(("became required", is_extract) if now["required"] else ("may now be empty", not is_extract))
    words, words_now = was.get("words"), now.get("words")
    if words is None and words_now is not None:
        found.append((f"takes only {', '.join(words_now)} now", is_extract))
    elif words is not None and words_now is None:
        found.append(("has no vocabulary any more", not is_extract))
    elif words is not None and words_now is not None:
        if lost := [word for word in words if word not in words_now]:
            found.append((f"no longer has {', '.join(lost)} in its vocabulary", True))
        if more := [word for word in words_now if word not in words]:
            found.append((f"has {', '.join(more)} in its vocabulary as well", False))
    return found


def released(folder: Path) -> dict[str, Shape]:
    """The shapes as they were last released. Raises HouseError."""
    path = folder / RELEASED
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        found = None
    if not isinstance(found, dict):
        raise HouseError(f"{path}: cannot be read; restore it from the checkout")
    return found


def problems(folder: Path = DATA_CONTRACTS) -> list[str]:
    """What keeps the contracts from being released: breaking changes without a new major version and an entry in the changelog."""
    before, after = released(folder), shapes(folder)
    try:
        told = (folder / CHANGELOG).read_text(encoding="utf-8")
    except OSError:
        told = ""
    breaking: dict[str, list[str]] = {}
    for change in changes(before, after):
        if change.is_breaking:
            breaking.setdefault(change.contract, []).append(change.what)
    found = []
    for name, whats in breaking.items():
        was = before[name]["version"]
        wanted = f"{_major(was) + 1}.0.0"
        now = after[name]["version"] if name in after else wanted
        missing = [f"set version: {wanted}"] if _major(now) <= _major(was) else []
        heading = f"## {name} {now if not missing else wanted}"
        if not re.search(rf"^{re.escape(heading)}\s*$", told, re.MULTILINE):
            missing.append(f"tell of it in data_contracts/{CHANGELOG} under '{heading}'")
        if missing:
            found.append(
                f"data_contracts/{name}.odcs.yaml: {'; '.join(whats)}. That breaks {_whom(name)} since version {was}: take it back, or {' and '.join(missing)}"
            )
    return found


def _major(version: str) -> int:
    number = version.partition(".")[0]
    if not number.isdecimal():
        raise HouseError(f"version {version!r} of a contract: write three numbers, such as 1.0.0")
    return int(number)


def _whom(name: str) -> str:
    return "what senders were promised" if name.startswith("extracts/") else "what readers were promised"


def release(folder: Path = DATA_CONTRACTS) -> None:
    """Makes the present shapes the released ones. Raises HouseError where that would break a promise silently."""
    if (folder / RELEASED).exists() and (found := problems(folder)):
        raise HouseError("the contracts are not ready to be released:\n" + "\n".join(f"  {line}" for line in found))
    text = yaml.safe_dump(shapes(folder), sort_keys=False, default_flow_style=None, width=160, allow_unicode=True)
    (folder / RELEASED).write_text(ABOUT + text, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="make the present shapes the released ones")
    asked = parser.parse_args()
    try:
        for change in changes(released(DATA_CONTRACTS), shapes(DATA_CONTRACTS)) if (DATA_CONTRACTS / RELEASED).exists() else ():
            print(f"{change.contract}: {change.what}{' (breaking)' if change.is_breaking else ''}")
        if asked.write:
            release()
        found = problems()
    except HouseError as error:
        print(error, file=sys.stderr)
        return 1
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
