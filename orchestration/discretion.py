"""What may be told of an error that nobody expected: its kind and where it happened, never its message, which may quote a patient's values."""

from __future__ import annotations

import functools
import inspect
import os
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb

from orchestration import access, engine
from orchestration.house import House, HouseError

# DuckDB's messages of these kinds name statements, columns, files and memory; all the others may quote a value.
_WITHOUT_VALUES = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.PermissionException,
    duckdb.DependencyException,
)

# What a disk does to SQLite, of which Dagster's files are: it names no file, and nothing but this.
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk took no more, or gave nothing",
    sqlite3.SQLITE_READONLY: "cannot be written",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
}


class Refused(HouseError):
    """What the system refused: a disk that is full, or that may not be written; memory."""


def told(error: BaseException) -> str:
    """The kind of an error, with its message where no message of the kind quotes a value. Of a failed statement also the line of its SQL."""
    if isinstance(error, HouseError) or type(error) in _WITHOUT_VALUES:
        return f"{type(error).__name__}: {error}"
    if isinstance(error, duckdb.Error):
        _, found, rest = str(error).rpartition("\nLINE ")
        line = rest.partition(":")[0]
        where = f" at line {line} of the statement" if found and line.isdecimal() else ""
        return f"{type(error).__name__}{where} (its message may quote a patient's values and is not kept)"
    return type(error).__name__


def refused_by_the_system(error: OSError) -> str:
    """A path, the system's words and what to do: no value of a patient is among them."""
    return (
        f"{error.filename or 'a file of the home'}: {error.strerror or type(error).__name__}; make room or give access, then run the same "
        "command again, nothing is half done"
    )


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error and what led to it."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _of_the_disk(house: House, error: BaseException) -> OSError | None:
    """What the disk refused a database, where that is behind an error."""
    for one in _behind(error):
        if isinstance(one, sqlite3.Error) and (words := _OF_SQLITE.get(getattr(one, "sqlite_errorcode", 0) & 0xFF)):
            return OSError(0, words, f"a database below {house.state / 'dagster'}")
        if type(one) in _WITHOUT_VALUES and (found := engine.refused(str(one))):
            return found
    return None


def record(house: House, where: str, error: BaseException) -> str:
    """Adds the frames of an error, without its message, to .state/ccm-errors.log (0600); gives the path, or a word when it cannot be written."""
    log = house.state / "ccm-errors.log"
    frames = [
        f"{told(one) if isinstance(one, duckdb.Error) else type(one).__name__}\n{''.join(traceback.format_tb(one.__traceback__))}"
        for one in _behind(error)
    ]
    entry = f"{datetime.now(UTC).isoformat()} {where} " + "behind it: ".join(frames) + "\n"
    try:
        house.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, entry.encode("utf-8", "replace"))
        finally:
            os.close(handle)
    except OSError:
        return "(could not be written)"
    return str(log)


def defect(house: House, where: str, error: Exception) -> HouseError:
    """What people are told of an error that nobody expected; its frames are kept (`record`)."""
    if engine.is_damage(error):
        return engine.Damaged("a database of the home")
    starved = (engine.starved(str(one)) for one in _behind(error) if isinstance(one, duckdb.OutOfMemoryException))
    if what := next(filter(None, starved), None):
        return Refused(f"{what}, then run the same command again, nothing is half done")
    if refused := _of_the_disk(house, error):
        return Refused(refused_by_the_system(refused))
    return HouseError(f"{told(error)}: this is a defect of ccm, not of your data; the details are in {record(house, where, error)}")


def plainly(where: str, error: Exception) -> Exception:
    """What a run may say of this error, in its log and on the screen."""
    import dagster as dg

    if isinstance(error, HouseError | dg.Failure | dg.RetryRequested):
        return error
    if isinstance(error, OSError):
        return HouseError(refused_by_the_system(error))
    return defect(House.from_environment(), where, error)


def _context(given: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return named.get("context", given[0] if given else None)


def discreet(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the body of an asset or check. Its run is recorded (access.py). Dagster keeps the message and every cause of what escapes from it in
    its event log, so that only what was written for people may escape."""
    where = function.__name__
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*given: Any, **named: Any) -> Iterator[Any]:
            try:
                with access.step(House.from_environment(), where, _context(given, named)):
                    yield from function(*given, **named)
            except Exception as error:
                raise plainly(where, error) from None

        return generator

    @functools.wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        try:
            with access.step(House.from_environment(), where, _context(given, named)):
                return function(*given, **named)
        except Exception as error:
            raise plainly(where, error) from None

    return call
