"""What dbt does otherwise while it runs in this process: errors without the values they quote, no events that nobody asks for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from orchestration.discretion import told


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """While dbt runs, what DuckDB says of a failed statement is told without the values it may quote: dbt writes it to its log and results."""
    import duckdb
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt_common.exceptions import DbtRuntimeError

    name = "exception_handler"
    before = getattr(DuckDBConnectionManager, name)

    @contextlib.contextmanager
    def handler(self: Any, sql: str, connection_name: str = "master") -> Iterator[None]:
        with before(self, sql, connection_name):
            try:
                yield
            except duckdb.Error as error:
                raise DbtRuntimeError(told(error)) from None

    setattr(DuckDBConnectionManager, name, handler)
    try:
        yield
    finally:
        setattr(DuckDBConnectionManager, name, before)


@contextlib.contextmanager
def without_debug_events() -> Iterator[None]:
    """While dbt runs, events below INFO are not made up before somebody asks what they say, and dropped where they are fired. dbt makes a message and a line
    of each, searches it for secrets, and only then sees that the log does not want it: some twenty a model, a fifth of what a small practice's build costs.
    Which module a flag of behavior comes from is told by such an event alone; dbt looks for it on the stack, with the source of every frame (0.1 s a command).
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered
    from dbt_common.events import event_manager_client
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    below_info = (EventLevel.TEST, EventLevel.DEBUG)

    class FromInfo(EventManager):
        def fire_event(self, e: BaseEvent, level: EventLevel | None = None, *more: Any, **given: Any) -> None:
            if (level or e.level_tag()) not in below_info:
                super().fire_event(e, level, *more, **given)

    make_up, ask = BaseEvent.__init__, BaseEvent.__getattr__

    def keep_what_was_given(self: BaseEvent, *given: Any, **named: Any) -> None:
        if self.level_tag() in below_info:
            object.__setattr__(self, "_given", (given, named))
        else:
            make_up(self, *given, **named)

    def make_up_now(self: BaseEvent, name: str) -> Any:
        if "pb_msg" not in vars(self) and "_given" in vars(self):
            given, named = vars(self).pop("_given")
            make_up(self, *given, **named)
            return getattr(self, name)
        return ask(self, name)

    before, source = event_manager_client.get_event_manager(), vars(BehaviorFlagRendered)["_default_source"]
    event_manager_client.ctx_set_event_manager(FromInfo())
    BaseEvent.__init__, BaseEvent.__getattr__ = keep_what_was_given, make_up_now  # type: ignore[method-assign]
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")  # type: ignore[method-assign]
    try:
        yield
    finally:
        BaseEvent.__init__, BaseEvent.__getattr__ = make_up, ask  # type: ignore[method-assign]
        BehaviorFlagRendered._default_source = source  # type: ignore[method-assign]
        event_manager_client.cleanup_event_logger()
        event_manager_client.ctx_set_event_manager(before)
