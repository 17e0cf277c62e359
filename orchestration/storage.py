"""Object storage by URL: the landing prefix that is read as if it were landing/, and the batches of the lake (docs/adr/0020).

CCM_LANDING and CCM_LAKE name S3 prefixes; who may read and write there is found as for every AWS tool (AWS_* variables, ~/.aws, the machine's
role), and so are region and endpoint (AWS_ENDPOINT_URL_S3 for another S3-compatible server). No credential is ever written or told.

A batch is there once its ledger, files.parquet, is: it is written last, and every reader asks for batches by their ledgers. What lies under a
number without a ledger counts for nobody and is swept by the next night.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestration.house import LAKE, LANDING, House, HouseError, no_pattern, write_private
from orchestration.sql import literal

LEDGER = "files.parquet"
_BATCH = re.compile(r"(\d{6})/(\w+\.parquet)")
_FETCHED_AT_ONCE = 8
_CHUNK = 1024 * 1024
# What is wrong with the whole of it, whatever was asked for: nothing can go on.
_MENDING = {
    "NoSuchBucket": "there is no such bucket; make it, or correct the URL",
    "InvalidAccessKeyId": "the access key is not known there; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret key does not fit; set AWS_SECRET_ACCESS_KEY to the secret of the access key",
    "ExpiredToken": "the credentials have expired; renew them",
    "InvalidToken": "the session token does not fit; renew the credentials",
    "AuthorizationHeaderMalformed": "the region is another; set AWS_REGION to the bucket's",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION to the bucket's",
    "NoCredentialsError": "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "PartialCredentialsError": "half of the credentials is missing; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "AWS_PROFILE names no profile of ~/.aws; correct it",
    "NoRegionError": "the region is not set; set AWS_REGION to the bucket's",
    "InvalidEndpoint": "AWS_ENDPOINT_URL_S3 is no address; write it like https://host:port",
    "EndpointConnectionError": "cannot be reached; check AWS_ENDPOINT_URL_S3, AWS_REGION and the network",
    "ConnectTimeoutError": "cannot be reached; check AWS_ENDPOINT_URL_S3, AWS_REGION and the network",
}
_DENIED = "the account may not do this; give it the rights that docs/storage.md names"
_CHANGED = ("PreconditionFailed", "412", "NoSuchKey", "404")
# What the network did, or a service that is busy: asked again, it may give what it was asked for.
_PASSING = (
    "IncompleteReadError", "ReadTimeoutError", "ResponseStreamingError", "ConnectionClosedError", "ConnectionError", "HTTPClientError",
    "ProxyConnectionError", "SSLError", "FlexibleChecksumError", "RequestTimeout", "SlowDown", "InternalError", "ServiceUnavailable", "500", "503",
)  # fmt: skip
_TRIES = 3  # of an object whose transfer breaks off; what is refused before a byte comes boto3 asks for again itself


class StorageError(HouseError):
    """What object storage refused. `code` is its own word for it; `is_general`: it holds for whatever is asked for."""

    def __init__(self, where: str, code: str) -> None:
        self.code, self.is_general = code, code in _MENDING
        super().__init__(
            f"{where}: {_MENDING.get(code, _DENIED if code in ('AccessDenied', '403') else f'object storage said {code}; run again')}"
        )


@dataclass(frozen=True)
class Prefix:
    """`s3://bucket/prefix`, taken apart. `key` joins a name to it."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> Prefix:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return cls(bucket, prefix.strip("/"))

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def url(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.key(name)}"


@dataclass(frozen=True)
class StoredObject:
    """An object as it was listed: `name` below the prefix, bytes, nanoseconds since 1970 (UTC), and the ETag that names its content."""

    bucket: str
    key: str
    name: str
    size_bytes: int
    modified_ns: int
    etag: str

    @property
    def mark(self) -> int:
        """The ETag as a number, where the ledger keeps a file's time of change (63 bits)."""
        return int.from_bytes(hashlib.sha256(self.etag.encode()).digest()[:8], "big") >> 1


# --- the service ------------------------------------------------------------------------------------------------------


def _client() -> Any:
    return _made(os.getpid(), tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))))


@lru_cache(maxsize=4)
def _made(process: int, settings: tuple[tuple[str, str], ...]) -> Any:
    """One client a process and set of settings: a fork must not share its connections."""
    with _told("object storage"):
        return _session().client("s3", config=_config())


def _session() -> Any:
    import boto3

    return boto3.Session()


def _config() -> Any:
    from botocore.config import Config

    return Config(
        retries={"max_attempts": 5, "mode": "standard"},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=2 * _FETCHED_AT_ONCE,
    )


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Whatever the service says comes out as a StorageError with its code alone: its messages may quote what was sent."""
    try:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ModuleNotFoundError:
        raise HouseError(
            f"{LAKE}, {LANDING} or a delivery names object storage, which needs boto3; install the extra `s3` of this package"
        ) from None

    try:
        yield
    except ClientError as error:
        raise StorageError(where, str(error.response.get("Error", {}).get("Code", "nothing"))) from None
    except BotoCoreError as error:
        raise StorageError(where, type(error).__name__) from None
    except Boto3Error as error:  # of a transfer: it says why only in its text, which begins with the service's word in brackets
        found = re.search(r"\((\w+)\) when calling", str(error))
        raise StorageError(where, found[1] if found else type(error).__name__) from None
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        raise StorageError(where, "InvalidEndpoint") from None


def secret() -> str:
    """The statement that gives a DuckDB connection the way to object storage: for that connection's memory alone, never to be logged."""
    with _told("object storage"):
        session, client = _session(), _client()
        found = session.get_credentials()
        if found is None:
            raise StorageError("object storage", "NoCredentialsError")
        held = found.get_frozen_credentials()
        endpoint = str(client.meta.endpoint_url)
    scheme, _, host = endpoint.partition("://")
    given = {
        "key_id": held.access_key,
        "secret": held.secret_key,
        "session_token": held.token,
        "region": client.meta.region_name,
        "endpoint": host.rstrip("/"),
        "url_style": "vhost" if host.endswith("amazonaws.com") else "path",
    }
    said = [f"{name} {literal(value)}" for name, value in given.items() if value]
    return f"create or replace temporary secret ccm_objects (type s3, {', '.join(said)}, use_ssl {str(scheme == 'https').lower()})"


def client_of(profile: str | None) -> Any:
    """A client with a profile of ~/.aws; without one that of the environment. Raises StorageError."""
    if profile is None:
        return _client()
    with _told(f"profile {profile}"):
        import boto3

        return boto3.Session(profile_name=profile).client("s3", config=_config())


def listed(place: Prefix, below: str, after: str | None = None, client: Any = None) -> list[StoredObject]:
    """Every object whose name begins with `below` (from `after` on, where given), by name. `client`: of another account. Raises StorageError."""
    given = {"Bucket": place.bucket, "Prefix": place.key(below), **({"StartAfter": place.key(after)} if after else {})}
    found = []
    with _told(place.url(below)):
        for page in (client or _client()).get_paginator("list_objects_v2").paginate(**given):
            for one in page.get("Contents", ()):
                found.append(
                    StoredObject(
                        bucket=place.bucket,
                        key=one["Key"],
                        name=one["Key"].removeprefix(place.key("")),
                        size_bytes=one["Size"],
                        modified_ns=int(one["LastModified"].timestamp()) * 1_000_000_000,
                        etag=one["ETag"],
                    )
                )
    return found


def chunks(one: StoredObject, client: Any = None) -> Iterator[bytes]:
    """The bytes of an object as it was listed; StorageError when it is another now, or may not be read."""
    with _told(f"s3://{one.bucket}/{one.key}"):
        body = (client or _client()).get_object(Bucket=one.bucket, Key=one.key, IfMatch=one.etag)["Body"]
        yield from body.iter_chunks(_CHUNK)


def fetch(one: StoredObject, path: Path) -> str | None:
    """Writes an object to a private file (0600). None when it is there whole; else the service's word for why it is not. General trouble raises."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for _ in range(_TRIES):
        if (word := _fetch(one, path)) not in _PASSING:
            break
    return word


def _fetch(one: StoredObject, path: Path) -> str | None:
    try:
        with path.open("xb") as handle:
            os.fchmod(handle.fileno(), 0o600)
            for data in chunks(one):
                handle.write(data)
        return None
    except StorageError as error:
        path.unlink(missing_ok=True)
        if error.is_general:
            raise
        return error.code
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def fetch_all(wanted: list[tuple[StoredObject, Path]]) -> list[str | None]:
    """`fetch` of each, several at a time, in their order."""
    with ThreadPoolExecutor(_FETCHED_AT_ONCE) as pool:
        return list(pool.map(lambda item: fetch(*item), wanted))


def has_changed(code: str) -> bool:
    """Whether a word of the service means that the object is no longer the one that was listed."""
    return code in _CHANGED


def mending(code: str) -> str:
    """What to do when one object was not given with this word."""
    if code in _PASSING:
        return "the connection broke off, the next run asks for it again: check the network"
    if code in ("AccessDenied", "403"):
        return "give the account the right to read it"
    return "make the object readable there, the next run asks for it again"


# --- the lake's batches -----------------------------------------------------------------------------------------------


def batch_folder(house: House, batch: int) -> Path:
    """Where a batch is on disk."""
    return house.lake / "batches" / f"{batch:06d}"


def missing_between(numbers: Sequence[int]) -> list[int]:
    """The numbers from 0 to the last of these, ascending, that are not among them."""
    return sorted(set(range(numbers[-1] + 1)) - set(numbers)) if numbers else []


def batch_numbers(house: House) -> list[int]:
    """Numbers of the batches in the lake, ascending; in object storage of those whose ledger is there, with a copy of each ledger kept here.

    Raises HouseError when the home was begun with another lake than the one that is set.
    """
    _ensure_same_lake(house)
    if house.lake_url is None:
        folder = batch_folder(house, 0).parent
        return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()) if folder.exists() else []
    ledgers = {number: names[LEDGER] for number, names in _contents(house).items() if LEDGER in names}
    wanted = [(one, number) for number, one in ledgers.items() if _kept_etag(house, number) != one.etag]
    for one, number in wanted:
        folder = ledger_folder(house, number)
        write_private(folder / LEDGER, b"".join(chunks(one)))
        write_private(folder / "etag", one.etag)
    return sorted(ledgers)


def ledger_folder(house: House, batch: int) -> Path:
    """The folder of this machine with a batch's files.parquet: the batch itself, or the copy that `batch_numbers` keeps."""
    return batch_folder(house, batch) if house.lake_url is None else house.state / "ledgers" / f"{batch:06d}"


def _kept_etag(house: House, batch: int) -> str | None:
    try:
        return (ledger_folder(house, batch) / "etag").read_text()
    except OSError:
        return None


def contents(house: House) -> dict[int, set[str]]:
    """The names of the files of each batch, with or without a ledger."""
    if house.lake_url is None:
        return {number: {path.name for path in batch_folder(house, number).iterdir()} for number in batch_numbers(house)}
    return {number: set(names) for number, names in _contents(house).items()}


def _contents(house: House) -> dict[int, dict[str, StoredObject]]:
    assert house.lake_url is not None
    found: dict[int, dict[str, StoredObject]] = {}
    for one in listed(Prefix.of(house.lake_url), "batches/"):
        if match := _BATCH.fullmatch(one.name.removeprefix("batches/")):
            found.setdefault(int(match[1]), {})[match[2]] = one
    return found


def table(house: House, batch: int, name: str) -> str:
    """A table of a batch as DuckDB's read_parquet names it."""
    if house.lake_url is None:
        return no_pattern(batch_folder(house, batch) / f"{name}.parquet")
    return Prefix.of(house.lake_url).url(f"batches/{batch:06d}/{name}.parquet")


def first_bytes(house: House, batch: int, name: str, length: int) -> bytes | None:
    """How a table's file begins; None when there is none."""
    if house.lake_url is None:
        try:
            with (batch_folder(house, batch) / f"{name}.parquet").open("rb") as handle:
                return handle.read(length)
        except OSError:
            return None
    _ensure_same_lake(house)
    found = {one.name.rpartition("/")[2]: one for one in listed(Prefix.of(house.lake_url), f"batches/{batch:06d}/")}
    if not {LEDGER, f"{name}.parquet"} <= found.keys():
        return None
    return next(chunks(found[f"{name}.parquet"]))[:length]


def publish(house: House, scratch: Path, batch: int) -> None:
    """Writes a finished batch, its ledger last. Raises StorageError; then `sweep` clears what has no ledger, or, where only the answer to the ledger's
    writing was lost, the batch is there and the next run goes on from it."""
    assert house.lake_url is not None
    for path in sorted(scratch.iterdir()):
        if path.name != LEDGER:
            replace(house, batch, path)
    place = Prefix.of(house.lake_url)
    name = f"batches/{batch:06d}/{LEDGER}"
    with _told(place.url(name)):
        _client().put_object(Bucket=place.bucket, Key=place.key(name), Body=(scratch / LEDGER).read_bytes(), IfNoneMatch="*")


def replace(house: House, batch: int, path: Path, name: str | None = None) -> None:
    """Writes one file of a batch, in place of what may be there: readers see the old object or the new."""
    assert house.lake_url is not None
    _ensure_own(house)
    place = Prefix.of(house.lake_url)
    target = f"batches/{batch:06d}/{name or path.name}"
    with _told(place.url(target)):
        _client().upload_file(str(path), place.bucket, place.key(target))


def sweep(house: House) -> None:
    """Removes what a killed writer left: objects under a batch that has no ledger. Only who holds the lake's lock may."""
    if house.lake_url is None:
        return
    claim(house)
    place = Prefix.of(house.lake_url)
    for names in _contents(house).values():
        if LEDGER not in names:
            with _told(place.url("batches/")):
                for one in names.values():
                    _client().delete_object(Bucket=place.bucket, Key=one.key)


# --- one home, one lake -----------------------------------------------------------------------------------------------


def _where(house: House) -> dict[str, Any] | None:
    """url and id (the token); `is_owner` false: of a home that was restored beside the one that it was."""
    try:
        found: dict[str, Any] = json.loads((house.lake / "where.json").read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        raise HouseError(f"{house.lake / 'where.json'}: cannot be read; restore it from the backup") from None


def _ensure_same_lake(house: House) -> None:
    """A home whose lake is looked for in the wrong place would look empty, and its marts would be published so."""
    where = _where(house)
    begun = where["url"] if where else None
    if begun != house.lake_url and begun is not None:
        raise HouseError(
            f"{house.root}: this home's lake is {begun}, and {LAKE} says {house.lake_url or 'nothing'}; set {LAKE} to it"
        )
    if begun is None and house.lake_url is not None and (house.lake / "batches").exists():
        raise HouseError(
            f"{house.lake}: this home's lake is on this disk; unset {LAKE}, or make a new home and land the extracts there"
        )


def mark_restored(lake: Path, takes_over: bool) -> None:
    """Writes into a restored home's lake/where.json whether it may write that lake: it has the token of the home that it was, which may go on."""
    try:
        where = json.loads((lake / "where.json").read_text(encoding="utf-8"))
        marked = {**where, "is_owner": takes_over}
    except (FileNotFoundError, ValueError, TypeError):
        return
    write_private(lake / "where.json", json.dumps(marked) + "\n")


def not_ours(house: House) -> str | None:
    """What is said of a lake that a restored home may only read, with what to do; None where the lake is the home's own."""
    where = _where(house)
    if where is None or where.get("is_owner", True):
        return None
    return (
        f"{where['url']}: is the lake of the home that this one was restored from, and one home alone may write it; nothing is taken in here. Where that home "
        f'is no more, set "is_owner": true in {house.lake / "where.json"} (`ccm restore --take-over-lake` does); where it goes on, give this copy a '
        "lake of its own (docs/storage.md)"
    )


def _ensure_own(house: House) -> None:
    if said := not_ours(house):
        raise HouseError(said)


def claim(house: House) -> None:
    """Makes the prefix this home's own: two homes that write one lake would write the same numbers. Raises HouseError when it is another's."""
    assert house.lake_url is not None
    _ensure_own(house)
    place = Prefix.of(house.lake_url)
    where = _where(house)
    owner = where["id"] if where else secrets.token_hex(16)
    with suppress(StorageError), _told(place.url("home")):
        _client().put_object(Bucket=place.bucket, Key=place.key("home"), Body=owner.encode(), IfNoneMatch="*")
    with _told(place.url("home")):
        there = _client().get_object(Bucket=place.bucket, Key=place.key("home"))["Body"].read().decode()
    if there != owner:
        raise HouseError(
            f"{house.lake_url}: is the lake of another home; name a prefix of its own in {LAKE}, or restore that home from its backup (`ccm restore`)"
        )
    if where is None:
        write_private(house.lake / "where.json", json.dumps({"url": house.lake_url, "id": owner}) + "\n")
