"""The SQL that dbt made of models and tests on an earlier night, given to it again: it would make the same (docs/adr/0033).

What a node's Jinja says depends on the project, on the kind of night, for a test on whether it is asked of the night's rows alone, and on the home's path:
nothing of it asks the database. Two fifths of what dbt takes for a small practice's night went into saying it once more.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.house import House, no_pattern, write_private

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

# Stands for the path of the home, which other homes of this checkout have elsewhere. In no SQL: dbt writes text.
HOME = "\0home\0"
_PREFIX = "rendered-"


def in_sql(home: Path) -> str:
    """A home's path as the macro `home` of the dbt project writes it."""
    return no_pattern(home).replace("'", "''")


class Rendered:
    """SQL by node, kept in a file of `folder` that is named after all that it depends on but the home; what was kept of another project goes."""

    def __init__(self, folder: Path, house: House, project: str, night: str, target: str, sound: Collection[str]):
        """`project`: names the parsed project and dbt. `sound`: the tests that are asked of a touched night's rows alone."""
        key = hashlib.sha256(f"{night}\0{target}".encode()).hexdigest()[:16]
        self.path = folder / f"{_PREFIX}{project[:16]}-{key}.json"
        self._home = in_sql(house.root)
        self._sound = frozenset(sound)
        self._kept: dict[str, list[str | None]] = self._read()

    def _read(self) -> dict[str, list[str | None]]:
        try:
            found: dict[str, list[str | None]] = json.loads(self.path.read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError):  # none yet, or one that is no such file: everything is rendered, and kept
            return {}

    def _name(self, unique_id: str) -> str:
        return f"{unique_id} of tonight" if unique_id in self._sound else unique_id

    def give(self, manifest: Manifest) -> frozenset[str]:
        """Puts into the manifest what is known; the ids of these nodes."""
        given = set()
        for unique_id, node in manifest.nodes.items():
            known = self._kept.get(self._name(unique_id))
            if known is not None:
                compiled: Any = node
                compiled.compiled_code = str(known[0]).replace(HOME, self._home)
                compiled.relation_name = known[1]
                compiled.compiled = compiled.extra_ctes_injected = True
                given.add(unique_id)
        return frozenset(given)

    def keep(self, nodes: Iterable[Any]) -> None:
        """Keeps what dbt made of nodes that ran."""
        made = {
            self._name(node.unique_id): [node.compiled_code.replace(self._home, HOME), node.relation_name]
            for node in nodes
            if getattr(node, "compiled", False) and node.compiled_code and self._name(node.unique_id) not in self._kept
        }
        if made:
            self._kept |= made
            with contextlib.suppress(OSError):  # a checkout that may not be written to
                write_private(self.path, json.dumps(self._kept))
                for other in self.path.parent.glob(f"{_PREFIX}*.json"):
                    if other.name.split("-")[1] != self.path.name.split("-")[1]:
                        other.unlink(missing_ok=True)


@contextlib.contextmanager
def not_again(given: Collection[str]) -> Iterator[None]:
    """While dbt runs, nodes that came with their SQL are not compiled. dbt writes it into the home's `target/compiled` as it does with what it compiles: the
    columns' origins are read off it."""
    from dbt.compilation import Compiler

    before = Compiler.compile_node

    def compile_node(self: Compiler, node: Any, *more: Any, **named: Any) -> Any:
        if node.unique_id not in given:
            return before(self, node, *more, **named)
        self._write_node(node)
        return node

    Compiler.compile_node = compile_node  # type: ignore[method-assign]
    try:
        yield
    finally:
        Compiler.compile_node = before  # type: ignore[method-assign]
