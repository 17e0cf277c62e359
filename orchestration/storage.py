"""Object storage: what is listed, fetched and written there, and what it said told in words (docs/adr/0020).

CCM_LANDING and CCM_LAKE name S3 prefixes, a delivery may; who may read and write there is found as for every AWS tool (AWS_* variables, ~/.aws, the
machine's role), and so are region and endpoint (AWS_ENDPOINT_URL_S3 for another S3-compatible server). No credential is ever written or told.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestration.house import LAKE, LANDING, HouseError
from orchestration.sql import literal

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


def put_new(place: Prefix, name: str, content: bytes) -> None:
    """Writes an object where there is none yet. Raises StorageError, also where there is one."""
    with _told(place.url(name)):
        _client().put_object(Bucket=place.bucket, Key=place.key(name), Body=content, IfNoneMatch="*")


def upload(place: Prefix, name: str, path: Path) -> None:
    """Writes a file, in place of what may be there. Raises StorageError."""
    with _told(place.url(name)):
        _client().upload_file(str(path), place.bucket, place.key(name))


def content_of(place: Prefix, name: str) -> bytes:
    """An object whole. Raises StorageError."""
    with _told(place.url(name)):
        content: bytes = _client().get_object(Bucket=place.bucket, Key=place.key(name))["Body"].read()
        return content


def remove(place: Prefix, below: str, objects: Iterable[StoredObject]) -> None:
    """Removes objects that were listed `below`. Raises StorageError."""
    with _told(place.url(below)):
        for one in objects:
            _client().delete_object(Bucket=place.bucket, Key=one.key)
