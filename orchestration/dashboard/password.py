"""The password of a dashboard that is shown beyond this machine: kept as a salted scrypt hash in a file of its owner alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import os
import secrets
import stat
from pathlib import Path

from orchestration.house import HouseError, write_private

VARIABLE = "CCM_DASHBOARD_PASSWORD_FILE"
SHORTEST = 12
# 64 MiB and some tenths of a second a try (RFC 7914; OWASP's first choice of 2024 for scrypt is N=2^17, r=8, p=1).
_N, _R, _P = 2**16, 8, 1


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def write_password(path: Path, password: str) -> None:
    """Writes the file (0600). Raises HouseError for a password that is too short."""
    if len(password) < SHORTEST:
        raise HouseError(f"the password must have at least {SHORTEST} characters")
    salt = secrets.token_bytes(16)
    parts = (salt, _hash(password, salt, _N, _R, _P))
    write_private(path, f"scrypt${_N}${_R}${_P}$" + "$".join(base64.b64encode(part).decode() for part in parts) + "\n")


def read_password(path: Path) -> str:
    """The line of the file. Raises HouseError unless it is a file of this user, readable by nobody else, that `ccm password` wrote."""
    again = f"make it with `ccm password {path}`"
    try:
        found = path.lstat()
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise HouseError(f"{path}: the password file cannot be read ({type(error).__name__}); {again}") from None
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise HouseError(
            f"{path}: the password file must be a file of yours that nobody else may read; `chmod 600 {path}`, or {again}"
        )
    if _parts(content) is None:
        raise HouseError(f"{path}: is no password file; {again}")
    return content


def _parts(content: str) -> tuple[int, int, int, bytes, bytes] | None:
    try:
        kind, n, r, p, salt, digest = content.split("$")
        parts = int(n), int(r), int(p), base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True)
    except ValueError:
        return None
    return parts if kind == "scrypt" and 2**14 <= parts[0] <= 2**20 and 1 <= parts[1] <= 32 and len(parts[4]) == 32 else None


def is_password(content: str, password: str) -> bool:
    """Whether this is the password of a file's line; takes the same time wherever they differ."""
    parts = _parts(content)
    if parts is None:
        return False
    n, r, p, salt, digest = parts
    return hmac.compare_digest(_hash(password, salt, n, r, p), digest)


def is_this_machine(address: str) -> bool:
    """Whether an address is reached from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
