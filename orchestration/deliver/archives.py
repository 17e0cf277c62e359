"""ZIP archives from elsewhere: what they hold comes out under plain names, in bounds, or the archive is refused whole."""

from __future__ import annotations

import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from orchestration.deliver.sources import NightError, is_plain

MOST_FILES = 1_000
MOST_BYTES = 20 * 1024**3  # of all files of an archive, unpacked
_CHUNK = 1024 * 1024


def unpack(archive: Path, name: str, into: Path) -> list[Path]:
    """Writes the files of an archive into a folder, without the folders that they are in there. Raises NightError; `name` is what it is called then.

    Sizes are counted while they are unpacked: what an archive says of itself is believed nowhere.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    written: list[Path] = []
    try:
        with zipfile.ZipFile(archive) as held:
            for info in held.infolist():
                path = PurePosixPath(info.filename.replace("\\", "/"))
                if info.is_dir() or "__MACOSX" in path.parts or path.name.startswith("."):
                    continue
                if len(found) == MOST_FILES:
                    raise NightError(f"{name}: holds more than {MOST_FILES:,} files; send what is a night's alone")
                if info.flag_bits & 1:
                    raise NightError(f"{name}: is encrypted; send it without a password, over a connection that is encrypted")
                if stat.S_ISLNK(info.external_attr >> 16) or not is_plain(path.name):
                    raise NightError(f"{name}: holds a link or a name that is no file's; send the files themselves")
                if path.name.casefold() in found:
                    raise NightError(f"{name}: holds two files of one name in different folders; send one of them")
                found[path.name.casefold()] = info
            left = min(MOST_BYTES, shutil.disk_usage(into).free // 2)
            for info in found.values():
                target = into / PurePosixPath(info.filename.replace("\\", "/")).name
                with held.open(info) as packed, target.open("xb") as out:
                    while data := _read(packed):
                        left -= len(data)
                        if left < 0:
                            raise NightError(
                                f"{name}: unpacks to more than is allowed here ({MOST_BYTES:,} bytes, and half the free disk)"
                            )
                        out.write(data)
                written.append(target)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise NightError(
            f"{name}: cannot be unpacked ({type(error).__name__}); send it again, as a ZIP file of the common kind"
        ) from None
    return written


def _read(packed: IO[bytes]) -> bytes:
    try:
        return packed.read(_CHUNK)
    except OSError as error:
        if error.errno is not None:
            raise
        raise zipfile.BadZipFile from None  # bzip2 says so of damaged bytes, as if it were the disk
