"""Dagster's services as deploy/ starts them, for tests; nothing that they start outlives the test."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.pipeline.homes import CCM


@contextmanager
def serving(home: Path, port: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The web server on a port, and the daemon. Told to stop at the end; each has its exit code then.

    Their code servers end by themselves when nobody asks for them any more, but for one that hangs: it holds hundreds of megabytes, heeds no SIGTERM, and has
    lost its parent. So each service has a session of its own, and what is left of it is killed.
    """
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    services = [
        subprocess.Popen([str(CCM), "serve", *arguments, "--home", str(home)], start_new_session=True, **quiet)
        for arguments in (("webserver", "--port", str(port)), ("daemon",))
    ]
    try:
        yield services
    finally:
        for one in services:
            one.terminate()
        for one in services:
            with suppress(subprocess.TimeoutExpired):
                one.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
