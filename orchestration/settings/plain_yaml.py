"""YAML as settings are read from it: a key stands once, a number is decimal digits alone, and what only looks like a date stays text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from orchestration.house import HouseError
from orchestration.mapping.lines import no_key_twice

# libyaml where PyYAML was built with it (its wheels are): ten times as fast, the same safe types.
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Odd:
    """What YAML takes for a number and is not digits alone: 010 is 8 to it, 1:30 is 90. No setting is read from such."""

    text: str

    def __repr__(self) -> str:
        return self.text


class SettingsLoader(_BASE):
    """Leaves what looks like a date and is none (2026-02-30) as the text it is, and what looks like a number and is no plain one as `Odd`: the model
    refuses it, and knows practice and key.

    Raises HouseError with the line where a key stands twice: what stood there first would be gone without a word.
    """

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        rest = [node] if node is not None else []
        seen: set[int] = set()  # an alias is the node that it names
        while rest:
            one = rest.pop()
            if id(one) in seen or isinstance(one, yaml.ScalarNode):
                continue
            seen.add(id(one))
            if isinstance(one, yaml.MappingNode):
                no_key_twice(one, _twice)
                rest += reversed([part for pair in one.value for part in pair])
            else:
                rest += reversed(one.value)
        return node


def _twice(line: int, what: str) -> HouseError:
    return HouseError(f"line {line}: {what}")


def _or_text(construct: Any) -> Any:
    def constructed(loader: Any, node: yaml.ScalarNode) -> Any:
        try:
            return construct(loader, node)
        except (ValueError, ArithmeticError, LookupError, AttributeError):
            return node.value

    return constructed


# One digit behind zeros is the same to whoever reads it.
is_whole = re.compile(r"[-+]?(0*[0-9]|[1-9][0-9]*)", re.ASCII).fullmatch
is_decimal = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", re.ASCII).fullmatch
NOT_PLAIN = "is no plain number: write decimal digits alone, such as 20 or, of dollars, 95.50 (010, 1_000, 1:30 and yes are other numbers to YAML)"


def _if_plain(is_plain: Any, construct: Any) -> Any:
    return lambda loader, node: construct(loader, node) if is_plain(node.value) else Odd(node.value)


for _kind, _is_plain in {"timestamp": None, "bool": None, "int": is_whole, "float": is_decimal}.items():
    _construct = _or_text(getattr(yaml.constructor.SafeConstructor, f"construct_yaml_{_kind}"))
    SettingsLoader.add_constructor(
        f"tag:yaml.org,2002:{_kind}", _if_plain(_is_plain, _construct) if _is_plain is not None else _construct
    )
