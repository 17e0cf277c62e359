"""Where extracts are fetched from: an SFTP server, an S3 prefix, a folder. Each lists what is there and reads one file."""

from __future__ import annotations

import logging
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from orchestration import storage
from orchestration.house import HouseError
from orchestration.settings.operations import Delivery
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


@dataclass
class Listing:
    """What is at a URL: regular files there and in the nights' folders. `unread`: nights whose folder could not be listed, and why; `left_alone`: what else is
    there, and why it is no such file. Hidden names are not even named, as in landing/."""

    files: list[Remote] = field(default_factory=list)
    unread: dict[date, str] = field(default_factory=dict)
    left_alone: list[str] = field(default_factory=list)

    def add(self, folder: str, name: str, mode: int, size: int = 0, modified: float = 0.0, tag: str = "") -> None:
        """`folder`: of a night, or "" for the URL's own; `mode`: as stat has it."""
        path = f"{folder}/{name}" if folder else name
        if name.startswith("."):
            return
        if stat.S_ISLNK(mode):
            said = "is a link; put the file itself there"
        elif stat.S_ISDIR(mode):
            said = "is a folder within a night's; put its files into that" if folder else "is no folder of a night (YYYY-MM-DD)"
        elif not stat.S_ISREG(mode):
            said = "is no regular file"
        elif not is_plain(name):
            said = "has a slash, a sign that is not seen or more than 200 bytes in its name; have it renamed"
        else:
            self.files.append(Remote(path, size, modified, tag))
            return
        self.left_alone.append(f"{shown(path)}: {said}")


class Source(Protocol):
    """A server, while it is open."""

    def listed(self) -> Listing:
        """What is at the URL and in the nights' folders below it; no other folder is opened."""

    def chunks(self, one: Remote) -> Iterator[bytes]:
        """The bytes of a file as it was listed. Raises NightError when it is another by now or cannot be read."""


def is_plain(name: str) -> bool:
    """Whether a name from elsewhere may be a file's name here: no folder, no hidden one, nothing that a terminal obeys."""
    return (
        name == PurePosixPath(name).name
        and not name.startswith(".")
        and "\\" not in name
        and name.isprintable()
        and 0 < len(name.encode()) <= 200
    )


def shown(path: str) -> str:
    """A path from elsewhere as people may read it: what is not seen is written out, and what is long is cut."""
    said = path if path.isprintable() else repr(path)[1:-1]
    return said if len(said) <= 100 else f"{said[:100]}..."


def night_of_folder(folder: str) -> date | None:
    """The night that a folder is named by."""
    try:
        return date.fromisoformat(folder) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", folder) else None
    except ValueError:
        return None


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
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: ~user of nobody
        raise DeliveryError(
            f"{path}: the secret cannot be read ({type(error).__name__}); make it a file that this user may read"
        ) from None


def _readable(path: Path, instead: str) -> str:
    """A file of settings that is opened elsewhere, where whatever is wrong with it would look like the server's fault. `instead`: what to do."""
    try:
        found = path.expanduser()
        with found.open("rb"):
            return str(found)
    except OSError as error:
        raise DeliveryError(f"{path}: cannot be read ({error.strerror}); {instead}") from None
    except (RuntimeError, ValueError):
        raise DeliveryError(f"{path}: is no path here (nobody is called so, if it begins with ~); write it whole") from None


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
        known_hosts = _readable(delivery.known_hosts, "write the server's host key there")
        try:
            client.load_host_keys(known_hosts)
        except Exception as error:
            # InvalidHostKey, another encoding, whatever cryptography says of a key: all are of what is in the file.
            raise DeliveryError(
                f"{delivery.known_hosts}: a line of it cannot be read ({type(error).__name__}); every key in it must be whole and its text UTF-8, "
                "write it anew (docs/delivery.md)"
            ) from None
        key = _readable(delivery.private_key_file, "make it a file that this user may read") if delivery.private_key_file else None
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            client.connect(
                str(parts.hostname),
                port=parts.port or 22,
                username=unquote(parts.username or ""),
                password=password,
                key_filename=key,
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
        except (paramiko.SSHException, ValueError) as error:  # ValueError: of a key file that holds something else
            if "known_hosts" in str(error):
                raise DeliveryError(
                    f"{where}: its host key is not in {delivery.known_hosts}; add it when it is the one that the vendor names"
                ) from None
            raise DeliveryError(
                f"{where}: no connection ({type(error).__name__}); check the server, its port and the key's form"
            ) from None
        except (OSError, EOFError) as error:
            raise DeliveryError(f"{where}: cannot be reached ({type(error).__name__}); check the network and the server") from None
        if (underneath := channel.get_channel()) is not None:
            underneath.settimeout(SECONDS)
        try:
            yield _Server(where, channel, unquote(parts.path) or "/")
        except (EOFError, paramiko.SSHException, paramiko.SFTPError) as error:  # wherever it comes: it must not stop the others
            raise _broke_off(where, error) from None
    finally:
        client.close()


def _broke_off(where: str, error: Exception) -> DeliveryError:
    return DeliveryError(
        f"{where}: the connection broke off ({type(error).__name__}); it is tried again, check the network and the server"
    )


@dataclass(frozen=True)
class _Entry:
    """What a folder holds: its name, and of it what stat says."""

    name: str
    mode: int
    size: int
    modified: float


class _Folders(ABC):
    """A source of folders. The one at the URL must be listed; of a night's folder that is the night's own trouble."""

    @abstractmethod
    def _entries(self, folder: str) -> list[_Entry]:
        """What a folder below the URL holds, by name; "" is the URL's own. Raises NightError for a night's folder."""

    def listed(self) -> Listing:
        found = Listing()
        for entry in self._entries(""):
            night = night_of_folder(entry.name) if stat.S_ISDIR(entry.mode) else None
            if night is None:
                found.add("", entry.name, entry.mode, entry.size, entry.modified)
                continue
            try:
                for one in self._entries(entry.name):
                    found.add(entry.name, one.name, one.mode, one.size, one.modified)
            except NightError as error:
                found.unread[night] = str(error)
        return found


def _unlisted(folder: str) -> type[DeliveryError]:
    return NightError if folder else DeliveryError


@dataclass
class _Server(_Folders):
    where: str
    channel: Any
    root: str

    def _entries(self, folder: str) -> list[_Entry]:
        path = f"{self.root.rstrip('/')}/{folder}" if folder else self.root
        try:
            there = self.channel.listdir_attr(path)
        except OSError as error:
            self._ensure_open(error)
            raise _unlisted(folder)(
                f"{self.where}{path}: cannot be listed ({type(error).__name__}); check the folder and its rights"
            ) from None
        except UnicodeDecodeError:
            raise _unlisted(folder)(
                f"{self.where}{path}: holds a name that is not UTF-8, and cannot be listed; have the file renamed or taken away"
            ) from None
        entries = [_Entry(one.filename, one.st_mode or 0, one.st_size or 0, float(one.st_mtime or 0)) for one in there]
        return sorted(entries, key=lambda one: one.name)

    def chunks(self, one: Remote) -> Iterator[bytes]:
        path = f"{self.root.rstrip('/')}/{one.path}"
        try:
            handle = self.channel.open(path, "rb")
            handle.prefetch(one.size)
        except OSError as error:
            raise self._unread(one, error) from None
        with handle:
            while True:
                try:
                    data = handle.read(_CHUNK)
                except OSError as error:
                    raise self._unread(one, error) from None
                if not data:
                    break
                yield data
        try:
            now = self.channel.lstat(path)
        except OSError as error:
            raise self._unread(one, error) from None
        if (now.st_size or 0, float(now.st_mtime or 0)) != (one.size, one.modified):
            raise NightError(f"{self.where}/{one.path}: changed while it was read; it is tried again")

    def _unread(self, one: Remote, error: OSError) -> NightError:
        self._ensure_open(error)
        return NightError(f"{self.where}/{one.path}: cannot be read ({type(error).__name__}); it is tried again, check its rights")

    def _ensure_open(self, error: OSError) -> None:
        """Raises DeliveryError where the connection has failed, and not what was asked for: nothing more is to be had by it."""
        if isinstance(error, TimeoutError | ConnectionError) or self.channel.get_channel().closed:
            raise _broke_off(self.where, error) from None


# --- S3 and folders ---------------------------------------------------------------------------------------------------


@dataclass
class _Bucket:
    delivery: Delivery
    objects: dict[str, StoredObject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = storage.client_of(self.delivery.profile)

    def listed(self) -> Listing:
        found = Listing()
        folders = set[tuple[str, str]]()  # each named once, however much is below it
        for one in storage.listed(Prefix.of(self.delivery.url), "", client=self.client):
            first, *rest = one.name.split("/")
            if rest and night_of_folder(first) is None:
                folders.add(("", first))
            elif len(rest) > 1:
                folders.add((first, rest[0]))
            elif not one.name.endswith("/"):  # which stands for a folder in some tools
                self.objects[one.name] = one
                found.add(
                    first if rest else "",
                    one.name.rpartition("/")[2],
                    stat.S_IFREG,
                    one.size_bytes,
                    one.modified_ns / 1e9,
                    one.etag,
                )
        for folder, name in sorted(folders):
            found.add(folder, name, stat.S_IFDIR)
        return found

    def chunks(self, one: Remote) -> Iterator[bytes]:
        try:
            yield from storage.chunks(self.objects[one.path], self.client)
        except StorageError as error:
            if storage.has_changed(error.code):
                raise NightError(f"{self.delivery.url}/{one.path}: changed while it was read; it is tried again") from None
            if error.is_general:
                raise
            raise NightError(str(error)) from None


@dataclass
class _Folder(_Folders):
    root: Path

    def _entries(self, folder: str) -> list[_Entry]:
        path = self.root / folder
        found = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):  # renamed or taken away since: not there
                        there = entry.stat(follow_symlinks=False)
                        found.append(_Entry(entry.name, there.st_mode, there.st_size, there.st_mtime))
        except OSError as error:
            raise _unlisted(folder)(f"{path}: cannot be listed ({error.strerror}); check the folder and its rights") from None
        return sorted(found, key=lambda one: one.name)

    def chunks(self, one: Remote) -> Iterator[bytes]:
        path = self.root / one.path
        try:
            with path.open("rb") as handle:
                while data := handle.read(_CHUNK):
                    yield data
            now = path.lstat()
        except OSError as error:
            raise NightError(f"{path}: cannot be read ({error.strerror}); it is tried again, check its rights") from None
        if (now.st_size, now.st_mtime) != (one.size, one.modified):
            raise NightError(f"{path}: changed while it was read; it is tried again")
