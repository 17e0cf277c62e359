from __future__ import annotations

import fcntl
import gc
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.homes import Ran, copy, installed_ccm

# One worker makes the demo; what does not need it comes first on the other; what shares it comes last, the longest first, so that neither waits.
_FIRST = ("demo", "properties", "worked", "mutation", "protection")
_LAST = ("orders", "gate", "faults", "office_days", "answers", "claim_audit", "close_states", "keeping", "rebuild", "holds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups are dealt out to the workers in the order in which they are met."""

    def place(item: pytest.Item) -> tuple[int, bool]:
        marker = item.get_closest_marker("xdist_group")
        group = (marker.args or tuple(marker.kwargs.values()))[0] if marker else None
        waits = "demo" in getattr(item, "fixturenames", ())  # the other worker still makes it
        if group in _FIRST:
            return _FIRST.index(group), waits
        if group is None:
            return len(_FIRST), False
        return len(_FIRST) + 1 + (_LAST.index(group) if group in _LAST else len(_LAST)), False

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """What was imported stays to the end, and Python need not look through it for rings of dead objects: a sixth of the suite's CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this run share; with CCM_TESTS_SHARE=FOLDER one that outlives the run."""
    if kept := os.environ.get("CCM_TESTS_SHARE"):
        return Path(kept)
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


def once(shared: Path, name: str, build: Callable[[Path], Ran]) -> tuple[Path, Ran]:
    """What `build` makes under this name, made by whichever worker comes first."""
    shared.mkdir(parents=True, exist_ok=True)
    home, said = shared / name / "home", shared / name / "ran.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            home.parent.mkdir(exist_ok=True)
            ran = build(home)
            assert ran.code == 0, ran.err
            said.write_text(json.dumps([ran.code, ran.out, ran.err]))
    return home, Ran(*json.loads(said.read_text()))


@pytest.fixture(scope="session")
def demo(shared: Path) -> tuple[Path, Ran]:
    """The demo home and what `ccm demo` printed. Never changed by a test: copy it first."""
    return once(shared, "demo", lambda home: installed_ccm("demo", home=home))


@pytest.fixture(scope="session")
def next_night(demo: tuple[Path, Ran], shared: Path) -> Path:
    """The demo home a night later: its last landed night is taken in. Never changed by a test: copy it first."""
    return once(shared, "next_night", lambda home: installed_ccm("nightly", home=copy(demo[0], home)))[0]


@pytest.fixture
def hook() -> Iterator[tuple[int, list[tuple[str | None, Any]]]]:
    """A webhook on this machine, and what it was sent: (Authorization, body)."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.headers.get("Authorization"), json.loads(body)))
            self.send_response(204 if self.path == "/ok" else 500)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, received
    server.shutdown()
    server.server_close()
