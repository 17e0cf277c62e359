"""Where extracts are fetched from: an SFTP server, an S3 prefix, a folder. Each lists what is there and reads one file."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from orchestration import storage
from orchestration.house import HouseError
from orchestration.practices import Delivery
from orchestration.storage import Prefix, StorageError, StoredObject

SECONDS = 20  # to connect; a server that is silent for so long while it is read is given up too
_CHUNK = 1024 * 1024


class DeliveryError(HouseError):
    """Why a practice's extracts could not be fetched: what, where, what to do; no secret and nothing that a server said."""


class NightError(DeliveryError):
    """What is wrong with a night's files alone: the practice's other nights come all the same."""


@dataclass(frozen=True)
class Remote:
    """A file as it was listed: `path` below the URL (`name`, or `night/name`), bytes, seconds since 1970 (UTC), and S3's name of the content."""

    path: str
    size: int
    modified: float
    tag: str = ""

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Source(Protocol):
    """A server, while it is open."""

    def listed(self) -> list[Remote]:
        """Every regular file at the URL and one folder below it; links are none."""

    def chunks(self, one: Remote) -> Iterator[bytes]:
        """The bytes of a file as it was listed. Raises DeliveryError when it is another by now."""


def is_plain(name: str) -> bool:
    """Whether a name from elsewhere may be a file's name here: no folder, no hidden one, nothing that a terminal obeys."""
    return name == PurePosixPath(name).name and "\\" not in name and name.isprintable() and 0 < len(name.encode()) <= 200


@contextmanager
def opened(delivery: Delivery) -> Iterator[Source]:
    """The source at a practice's URL. Raises DeliveryError for whatever keeps it from being read."""
    scheme = urlsplit(delivery.url).scheme
    if scheme == "sftp":
        with _sftp(delivery) as source:
            yield source
        return
    try:
        yield _Bucket(delivery) if scheme == "s3" else _Folder(Path(unquote(urlsplit(delivery.url).path)))
    except StorageError as error:
        raise DeliveryError(str(error)) from None


def _secret(path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DeliveryError(
            f"{path}: the secret cannot be read ({type(error).__name__}); make it a file that this user may read"
        ) from None


# --- SFTP -------------------------------------------------------------------------------------------------------------


@contextmanager
def _sftp(delivery: Delivery) -> Iterator[Source]:
    try:
        import paramiko
    except ModuleNotFoundError:
        raise DeliveryError("sftp:// needs paramiko; install the extra `sftp` of this package") from None
    # Its log names users, hosts and files; what matters of it comes out as an error.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    parts = urlsplit(delivery.url)
    where = f"sftp://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
    assert delivery.known_hosts is not None  # practices.py saw to it
    password = _secret(delivery.password_file) if delivery.password_file else None
    if delivery.password_env:
        password = os.environ.get(delivery.password_env)
        if not password:
            raise DeliveryError(f"{delivery.password_env} of the environment is empty; set it to the password")
    client = paramiko.SSHClient()
    try:
        try:
            client.load_host_keys(str(delivery.known_hosts.expanduser()))
        except OSError as error:
            raise DeliveryError(
                f"{delivery.known_hosts}: cannot be read ({error.strerror}); write the server's host key there"
            ) from None
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                str(parts.hostname),
                port=parts.port or 22,
                username=unquote(parts.username or ""),
                password=password,
                key_filename=str(delivery.private_key_file.expanduser()) if delivery.private_key_file else None,
                passphrase=_secret(delivery.passphrase_file) if delivery.passphrase_file else None,
                allow_agent=False,
                look_for_keys=False,
                timeout=SECONDS,
                banner_timeout=SECONDS,
                auth_timeout=SECONDS,
            )
            channel = client.open_sftp()
        except paramiko.BadHostKeyException:
            raise DeliveryError(
                f"{where}: shows another host key than {delivery.known_hosts} has; ask the vendor whether it changed, and do not go on before it says so"
            ) from None
        except paramiko.AuthenticationException:
            raise DeliveryError(f"{where}: refuses the user or its key; check url, private_key_file and password") from None
        except paramiko.SSHException as error:
            if "known_hosts" in str(error):
                raise DeliveryError(
                    f"{where}: its host key is not in {delivery.known_hosts}; add it when it is the one that the vendor names"
                ) from None
            raise DeliveryError(
                f"{where}: no connection ({type(error).__name__}); check the server, its port and the key's form"
            ) from None
        except (OSError, EOFError, ValueError) as error:
            raise DeliveryError(f"{where}: cannot be reached ({type(error).__name__}); check the network and the server") from None
        if (underneath := channel.get_channel()) is not None:
            underneath.settimeout(SECONDS)
        try:
            yield _Server(where, channel, unquote(parts.path) or "/", (OSError, EOFError, paramiko.SSHException))
        except (EOFError, paramiko.SSHException, paramiko.SFTPError) as error:  # wherever it comes: it must not stop the others
            raise DeliveryError(
                f"{where}: the connection broke off ({type(error).__name__}); it is tried again, check the network and the server"
            ) from None
    finally:
        client.close()


@dataclass
class _Server:
    where: str
    channel: Any
    root: str
    broken: tuple[type[Exception], ...]  # what a connection that broke off raises

    def listed(self) -> list[Remote]:
        found: list[Remote] = []
        for entry in self._entries(self.root):
            if stat.S_ISDIR(entry.st_mode or 0):
                found += [
                    Remote(f"{entry.filename}/{one.filename}", one.st_size or 0, float(one.st_mtime or 0))
                    for one in self._entries(f"{self.root.rstrip('/')}/{entry.filename}")
                    if stat.S_ISREG(one.st_mode or 0)
                ]
            elif stat.S_ISREG(entry.st_mode or 0):
                found.append(Remote(entry.filename, entry.st_size or 0, float(entry.st_mtime or 0)))
        return found

    def _entries(self, folder: str) -> list[Any]:
        try:
            return sorted(
                (one for one in self.channel.listdir_attr(folder) if is_plain(one.filename)), key=lambda one: one.filename
            )
        except OSError as error:
            if self.channel.get_channel().closed:  # what is asked of it then is refused on this side
                raise EOFError from None
            raise DeliveryError(
                f"{self.where}{folder}: cannot be listed ({type(error).__name__}); check the folder and its rights"
            ) from None
        except UnicodeDecodeError:
            raise DeliveryError(
                f"{self.where}{folder}: holds a name that is not UTF-8, and cannot be listed; have the file renamed or taken away"
            ) from None

    def chunks(self, one: Remote) -> Iterator[bytes]:
        path = f"{self.root.rstrip('/')}/{one.path}"
        try:
            handle = self.channel.open(path, "rb")
            handle.prefetch(one.size)
        except self.broken as error:
            raise self._unread(one, error) from None
        with handle:
            while True:
                try:
                    data = handle.read(_CHUNK)
                except self.broken as error:
                    raise self._unread(one, error) from None
                if not data:
                    break
                yield data
        try:
            now = self.channel.lstat(path)
        except self.broken as error:
            raise self._unread(one, error) from None
        if (now.st_size or 0, float(now.st_mtime or 0)) != (one.size, one.modified):
            raise NightError(f"{self.where}/{one.path}: changed while it was read; it is tried again")

    def _unread(self, one: Remote, error: Exception) -> DeliveryError:
        return DeliveryError(
            f"{self.where}/{one.path}: cannot be read ({type(error).__name__}); it is tried again, check its rights"
        )


# --- S3 and folders ---------------------------------------------------------------------------------------------------


@dataclass
class _Bucket:
    delivery: Delivery
    objects: dict[str, StoredObject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = storage.client_of(self.delivery.profile)

    def listed(self) -> list[Remote]:
        below = Prefix.of(self.delivery.url)
        for one in storage.listed(below, "", client=self.client):
            path = one.name
            if path.count("/") <= 1 and all(is_plain(part) for part in path.split("/")):
                self.objects[path] = one
        return [Remote(path, one.size_bytes, one.modified_ns / 1e9, one.etag) for path, one in sorted(self.objects.items())]

    def chunks(self, one: Remote) -> Iterator[bytes]:
        try:
            yield from storage.chunks(self.objects[one.path], self.client)
        except StorageError as error:
            if storage.has_changed(error.code):
                raise NightError(f"{self.delivery.url}/{one.path}: changed while it was read; it is tried again") from None
            raise


@dataclass
class _Folder:
    root: Path

    def listed(self) -> list[Remote]:
        found = []
        for entry in self._entries(self.root):
            if entry.is_dir(follow_symlinks=False):
                found += [
                    self._remote(f"{entry.name}/{one.name}", one) for one in self._entries(Path(entry.path)) if self._is_file(one)
                ]
            elif self._is_file(entry):
                found.append(self._remote(entry.name, entry))
        return found

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted((one for one in entries if is_plain(one.name)), key=lambda one: one.name)
        except OSError as error:
            raise DeliveryError(f"{folder}: cannot be listed ({error.strerror}); check the folder and its rights") from None

    @staticmethod
    def _is_file(entry: os.DirEntry[str]) -> bool:
        return entry.is_file(follow_symlinks=False)

    @staticmethod
    def _remote(path: str, entry: os.DirEntry[str]) -> Remote:
        there = entry.stat(follow_symlinks=False)
        return Remote(path, there.st_size, there.st_mtime)

    def chunks(self, one: Remote) -> Iterator[bytes]:
        path = self.root / one.path
        try:
            with path.open("rb") as handle:
                while data := handle.read(_CHUNK):
                    yield data
            now = path.lstat()
        except OSError as error:
            raise DeliveryError(f"{path}: cannot be read ({error.strerror}); check its rights") from None
        if (now.st_size, now.st_mtime) != (one.size, one.modified):
            raise NightError(f"{path}: changed while it was read; it is tried again")
