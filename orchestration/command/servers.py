"""`ccm ui`: the web interface."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.command.common import Home, app, house_of, out


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
