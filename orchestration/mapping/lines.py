"""YAML as plain text values, with the line that each of them stands in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from orchestration.house import HouseError

Place = tuple[str | int, ...]
# A mapping is written by hand; what is deeper is no mapping, and Python's own depth is not to be tried.
_DEEPEST = 20


class Lines:
    """Where things stand in a YAML text: `of(place)` is the line of a key path, or of the nearest one above it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines: dict[Place, int] = {(): 1}

    def note(self, place: Place, line: int) -> None:
        self._lines[place] = line

    def of(self, place: Place) -> int:
        while place not in self._lines:
            place = place[:-1]
        return self._lines[place]

    def fault(self, line: int, what: str) -> HouseError:
        return HouseError(f"{self.source}, line {line}: {what}")


def no_key_twice(node: yaml.MappingNode, fault: Callable[[int, str], HouseError]) -> None:
    """Raises what `fault` makes of the line and the words where a key of this mapping stands twice: YAML's own readers let the last one win."""
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value in seen:
            raise fault(key.start_mark.line + 1, f"{key.value!r} stands twice; keep one")
        seen.add(key.value)


def read(text: str, source: str) -> tuple[Any, Lines]:
    """The content of a YAML text: dicts, lists and text, nothing else; `yes`, `06102` and `2026-01-01` stay what was written.

    Raises HouseError with the line for what is no YAML, for a key that stands twice, and for anchors.
    """
    lines = Lines(source)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise lines.fault(
                    event.start_mark.line + 1 if event.start_mark else 1, "anchors (&, *) are not for mappings; write it out"
                )
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise lines.fault(
            mark.line + 1 if mark else 1, f"not valid YAML: {getattr(error, 'problem', 'cannot be parsed')}"
        ) from None
    except RecursionError:
        raise lines.fault(1, "is nested too deeply to be a mapping") from None
    return (None if node is None else _plain(node, (), 1, lines)), lines


def _plain(node: yaml.Node, place: Place, line: int, lines: Lines) -> Any:
    lines.note(place, line)
    if len(place) > _DEEPEST:
        raise lines.fault(line, "is nested too deeply to be a mapping")
    if isinstance(node, yaml.MappingNode):
        no_key_twice(node, lines.fault)
        made: dict[str, Any] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise lines.fault(at, "a key must be text")
            made[key.value] = _plain(value, (*place, key.value), at, lines)
        return made
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value, (*place, number), value.start_mark.line + 1, lines) for number, value in enumerate(node.value)]
    # What is written bare as null is empty; everything else is its text.
    return "" if node.tag == "tag:yaml.org,2002:null" else node.value
