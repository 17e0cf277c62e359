"""How DuckDB is opened, and the encryption of what it writes.

With a key in the environment (CCM_ENCRYPTION_KEY_FILE, or CCM_ENCRYPTION_KEY) the databases are AES-256-GCM files, and so are the Parquet files of
the lake with rows of patients. The crypto is OpenSSL's, of DuckDB's httpfs extension: the one that DuckDB has built in only reads. Whether a
home is encrypted is decided by the first night that it takes in; from then on the key fits it or nothing is opened.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import util
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from orchestration import lake_batches, storage
from orchestration.house import House, HouseError
from orchestration.sql import literal

KEY, KEY_FILE = "CCM_ENCRYPTION_KEY", "CCM_ENCRYPTION_KEY_FILE"
SHORTEST = 32
_PARQUET_KEY = "ccm"
_SPILLS = count()
# As DuckDB writes what changed, it merges groups of rows that rows were deleted from. With a night's few rows behind many it takes the last three full
# groups of every table for that, each night anew: two thirds of what the file's writing costs. So it merges when there is half as much to gain as there
# is (`is_worth_merging`), and not before. Groups of which every row is gone are dropped all the same.
UNMERGED, MERGED = "set max_vacuum_tasks = 0", "reset max_vacuum_tasks"
# A word put into a large file or taken out of it: DuckDB would write the places of all its groups of rows anew as it closes it (1.3 s of CPU at 36 million
# entries). It stays in the log beside the file (.wal), as durable, for whoever opens and changes the file next.
LEFT_IN_LOG = "pragma disable_checkpoint_on_shutdown"
# What DuckDB says of a database file of which a part is not as it was written; every block has a checksum.
_DAMAGE = ("not a valid DuckDB database file", "Corrupt database file", "Could not read enough bytes from file")
# And of a disk that is full, or that may not be written.
_REFUSALS = "|".join(
    re.escape(os.strerror(code)) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)
)
_REFUSED = re.compile(f'file "([^"]+)": ({_REFUSALS})')
# And of memory that is not enough: how much there is, or that the disk had to hold the rest and did not.
_NO_MEMORY, _NO_ROOM, _OF_MEMORY = "Out of Memory Error", "max_temp_directory_size", re.compile(r"/([\d.]+ \w+) used\)")
MAKE_ONE = "`openssl rand -base64 32`"
MEMORY = "CCM_MEMORY"


def memory() -> str:
    """What DuckDB may hold in memory; what is more goes to disk. By itself it would take four fifths of the machine's, and Python, the pages and what it does
    not count would have to do with the rest: half of that, unless said. Raises HouseError for what is no size."""
    return _size(os.environ.get(MEMORY) or "")


def is_size(said: str) -> bool:
    """Whether a setting begins with a number: what is below nothing, or a word, DuckDB would take for no limit at all."""
    return re.match(r"\s*\d", said) is not None


@lru_cache
def _size(said: str) -> str:
    try:
        if said and not is_size(said):
            raise duckdb.ParserException
        with duckdb.connect(config={"memory_limit": said} if said else {}) as con:
            (known,) = con.execute("select current_setting('memory_limit')").fetchall()[0]
    except duckdb.Error:
        raise HouseError(f"{MEMORY}={said!r}: no size that DuckDB knows; write it like 6GB or 800MB") from None
    if said:
        return said
    number, unit = re.fullmatch(r"([\d.]+) (\w+)", known).groups()  # type: ignore[union-attr]  # such as 18.8 GiB
    return f"{float(number) / 2:.1f} {unit}"


def key() -> str | None:
    """The secret of this process, None where none is set. Raises HouseError for one that is none, naming the variable and never the secret."""
    text, file = os.environ.get(KEY), os.environ.get(KEY_FILE)
    if text and file:
        raise HouseError(f"{KEY} and {KEY_FILE} are both set; set one of them")
    if not text and not file:
        return None
    said = KEY_FILE if file else KEY
    if file:
        path = Path(file)
        try:
            mode = path.stat()
            text = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise HouseError(
                f"{KEY_FILE}: {path} cannot be read ({type(error).__name__}); name the file with the key of this home"
            ) from None
        if stat.S_IMODE(mode.st_mode) & 0o077:
            raise HouseError(f"{KEY_FILE}: {path} can be read by others; `chmod 600` it")
    assert text is not None
    if len(text) < SHORTEST:
        raise HouseError(
            f"{said}: a key has at least {SHORTEST} characters; make one with {MAKE_ONE} and keep it apart from the home"
        )
    return text


def is_on() -> bool:
    return key() is not None


def _derived(secret: str, what: str) -> bytes:
    """The database's key and Parquet's are two: what is learnt of one says nothing of the other."""
    return hashlib.sha256(f"ccm {what}\0{secret}".encode()).digest()


def connect(house: House | None = None, config: Mapping[str, Any] | None = None) -> duckdb.DuckDBPyConnection:
    """A connection to no file. With a key it writes and reads encrypted files. What does not fit in memory goes to .state of the house."""
    settings: dict[str, Any] = {"autoinstall_known_extensions": False, "memory_limit": memory(), **(config or {})}
    if house is not None:
        settings.setdefault("temp_directory", str(spill(house.state)))
    con = duckdb.connect(":memory:", config=settings)
    unlock(con)
    if house is not None and house.lake_url is not None:
        reach(con)
    return con


def spill(folder: Path) -> Path:
    """A folder, below this one, of one connection's own for what does not fit in memory. DuckDB's files have the same names everywhere: two processes
    that wrote to one folder broke off in the middle (segmentation fault). What a killed one leaves is swept by its number, and in no backup."""
    return folder / f".spill-{next(_SPILLS)}.{os.getpid()}.tmp"


def unlock(con: duckdb.DuckDBPyConnection) -> None:
    """Gives a connection the crypto and the key for Parquet; nothing without a key."""
    secret = key()
    if secret is None:
        return
    con.execute(f"load {_httpfs()}")
    con.execute("set temp_file_encryption = true")
    parquet = base64.b64encode(_derived(secret, "parquet")).decode()
    _quietly(con, f"pragma add_parquet_key('{_PARQUET_KEY}', '{parquet}')", "the key could not be given to DuckDB")


def reach(con: duckdb.DuckDBPyConnection) -> None:
    """Gives a connection the way to the lake's batches in object storage, for its own lifetime."""
    con.execute(f"load {_httpfs()}")
    _quietly(con, storage.secret(), "the credentials of object storage could not be given to DuckDB")


def _httpfs() -> str:
    found = util.find_spec("duckdb_extension_httpfs")
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    for place in places:
        for path in place.glob(f"extensions/v{duckdb.__version__}/httpfs.duckdb_extension"):
            return literal(path)
    raise HouseError(f"encryption and object storage need duckdb-extension-httpfs {duckdb.__version__}; `make setup` installs it")


def _quietly(con: duckdb.DuckDBPyConnection, statement: str, says: str) -> None:
    """A statement with a secret in it: what DuckDB says of it may quote it, so only its kind is told."""
    try:
        con.execute(statement)
    except duckdb.Error as error:
        raise HouseError(f"{says} ({type(error).__name__})") from None


def attach(con: duckdb.DuckDBPyConnection, path: Path, name: str, *, read_only: bool = True, options: str = "") -> None:
    """Attaches a database file under a name, with the key where one is set. HouseError when it cannot be opened by what is set."""
    secret = key()
    given = [*(["read_only"] if read_only else []), *([options] if options else [])]
    if secret is not None:
        given.append(f"encryption_key '{_derived(secret, 'duckdb').hex()}'")
    statement = f"attach {literal(path)} as {name}" + (f" ({', '.join(given)})" if given else "")
    try:
        con.execute(statement)
    except duckdb.IOException as error:
        raise _unopened(path, error) from None
    except duckdb.Error as error:
        if secret is None and "encrypted" not in str(error):
            raise
        raise HouseError(_misfit(path, secret)) from None


def _unopened(path: Path, error: duckdb.IOException) -> HouseError:
    if is_damage(error):
        return Damaged(path)
    if not path.exists():
        return HouseError(f"{path}: is not there; `ccm nightly` makes it")
    return HouseError(f"{path}: cannot be opened; another command may hold it, or this user may not read it")


def _misfit(path: Path | str, secret: str | None) -> str:
    if secret is None:
        return f"{path}: is encrypted; set {KEY_FILE} (or {KEY}) to the key that this home was made with"
    return (
        f"{path}: does not open with the key that is set; set {KEY_FILE} (or {KEY}) to the key that this home was made with, or to none for a "
        "home that was made without one. A lost key is lost: make a new home and land the extracts again"
    )


class Damaged(HouseError):
    """A database of the home that is not as it was written. Warehouse and marts are made from the lake, so that nothing is lost with them."""

    def __init__(self, which: Path | str) -> None:
        super().__init__(
            f"{which}: is damaged, a part of it is not as it was written; nothing is lost: `ccm nightly --full` makes warehouse and marts anew from the lake. "
            "Look after the disk"
        )


def is_damage(error: BaseException | str | None) -> bool:
    """Whether an error, or what a model failed with, says that a database file is damaged."""
    if isinstance(error, BaseException) and not isinstance(error, duckdb.IOException):
        return isinstance(error, Damaged)
    said = str(error)
    return ".parquet" not in said and any(words in said for words in _DAMAGE)


def refused(said: str | None) -> OSError | None:
    """What the disk refused, where DuckDB's message, or what a model failed with, says that it did."""
    found = _REFUSED.search(said or "")
    return OSError(0, found[2], found[1]) if found else None


def starved(said: str | None) -> str | None:
    """What to do where DuckDB's message, or what a model failed with, says that it had no memory left, or no room for what it puts aside of it."""
    if _NO_MEMORY not in (said or ""):
        return None
    if _NO_ROOM in (said or ""):
        return "the disk has no room for what DuckDB puts aside from memory; make room, or give it more memory"
    of = _OF_MEMORY.search(said or "")
    return f"DuckDB wanted more memory than the {of[1] if of else memory()} that it may hold; set {MEMORY} higher, or run it on a larger machine"


def opens(path: Path) -> bool:
    """Whether a database file is there and no damage shows as it is opened. One that another process holds may well be sound."""
    try:
        with open_database(path, "opened"):
            return True
    except Damaged:
        return False
    except (HouseError, duckdb.Error):
        return path.exists()


def discard(path: Path) -> None:
    """Takes a database file away with all that lies beside it, for it to be made anew."""
    for one in (path, path.with_name(f"{path.name}.wal")):
        one.unlink(missing_ok=True)
    shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)


def open_database(path: Path, name: str, *, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    """A connection whose default database is this file; without a key, the file itself."""
    if key() is None:
        try:
            con = duckdb.connect(str(path), read_only=read_only)
        except duckdb.CatalogException:
            raise HouseError(_misfit(path, None)) from None
        except duckdb.IOException as error:
            raise _unopened(path, error) from None
        # Not as it is opened: who opens a file that is open must say the same.
        con.execute(f"set memory_limit = '{memory()}'")
        if read_only:  # a writer is alone, and what it leaves is known by the file's name
            # The file is open in this process already and has used its folder: DuckDB does not let it be changed, and it is this process's own.
            with suppress(duckdb.NotImplementedException):
                con.execute("set temp_directory = ?", [str(spill(path.parent))])
        return con
    con = connect(config={"temp_directory": str(spill(path.parent))})
    try:
        attach(con, path, name, read_only=read_only)
        con.execute(f"use {name}")
    except BaseException:
        con.close()
        raise
    return con


def open_warehouse(house: House, *, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    con = open_database(house.warehouse, "warehouse", read_only=read_only)
    if not read_only:
        con.execute(UNMERGED)
    return con


@contextmanager
def held_open(house: House) -> Iterator[None]:
    """While somebody has the warehouse open, further readers of this process do not begin with its file again: of thousands of practices each opens it."""
    if not house.warehouse.exists():
        yield
        return
    with open_warehouse(house):
        yield


def is_worth_merging(places: int, rows: int) -> bool:
    """Whether groups of rows should be merged where `rows` stand in so many places, those of deleted rows among them (`estimated_size`)."""
    return places > 1.5 * rows


def open_marts(house: House) -> duckdb.DuckDBPyConnection:
    return open_database(house.marts, "marts")


def written() -> str:
    """What `copy ... to` says more, to write a Parquet file of the lake."""
    return f", encryption_config {{footer_key: '{_PARQUET_KEY}'}}" if is_on() else ""


def reading() -> str:
    """What read_parquet() says more, to read a Parquet file of the lake that has rows of patients."""
    return f", encryption_config = {{footer_key: '{_PARQUET_KEY}'}}" if is_on() else ""


def ensure_key_fits(house: House) -> None:
    """Raises HouseError when the home was begun with another key, or without one, or is encrypted and no key is set."""
    secret = key()
    first = lake_batches.table(house, 0, "patients")
    begun = lake_batches.first_bytes(house, 0, "patients", 4)
    if begun is None:
        return  # no night has been taken in: the first decides
    if (begun == b"PARE") != (secret is not None):
        if secret is None:
            raise HouseError(_misfit(first, None))
        raise HouseError(
            f"{first}: this home was begun without encryption, and a key is set; unset {KEY_FILE} and {KEY}, or make a new home with the key and "
            "land the extracts there"
        )
    if secret is not None:
        with connect(house) as con:
            try:
                con.execute(f"select count(*) from read_parquet(?{reading()})", [first]).fetchall()
            except duckdb.Error:
                raise HouseError(_misfit(first, secret)) from None
