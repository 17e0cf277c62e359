"""`ccm ui` and `ccm dashboard`: what is looked at in a browser, on this machine only."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.command.common import Home, app, house_of, out
from orchestration.house import HouseError


@app.command()
def ui(
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1.")] = 3000,
    home: Home = None,
) -> None:
    """Dagster's web interface on 127.0.0.1, with the schedules on."""
    from orchestration.command.running import prepare_environment
    from orchestration.house import PROJECT_ROOT

    house = house_of(home)
    prepare_environment(house)
    dagster = Path(sys.executable).with_name("dagster")
    out.print(f"Dagster on http://127.0.0.1:{port} for {house.root}; stop it with Ctrl-C.")
    os.execv(
        str(dagster),
        [str(dagster), "dev", "-h", "127.0.0.1", "-p", str(port), "-w", str(PROJECT_ROOT / "workspace.yaml")],
    )


@app.command()
def dashboard(
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1.")] = 8501,
    home: Home = None,
) -> None:
    """The dashboard on 127.0.0.1: reads marts.duckdb and nothing else, also while a night runs."""
    from orchestration.house import PROJECT_ROOT

    house = house_of(home)
    _refuse_taken(port)
    settings = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "browser.serverAddress": "127.0.0.1",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": "false",
        "logger.level": "error",
        "theme.base": "light",
        "theme.primaryColor": "#0072B2",
    }
    os.environ["CCM_HOME"] = str(house.root)
    out.print(f"Dashboard on http://127.0.0.1:{port} for {house.root}; stop it with Ctrl-C.")
    sys.stdout.flush()
    app_file = PROJECT_ROOT / "orchestration" / "dashboard" / "app.py"
    os.execv(
        sys.executable,
        [sys.executable, "-m", "streamlit", "run", str(app_file), *(f"--{name}={value}" for name, value in settings.items())],
    )


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise HouseError(f"--port {port}: cannot be used on 127.0.0.1 ({error.strerror}); name another with --port") from None
