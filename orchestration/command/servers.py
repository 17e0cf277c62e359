"""`ccm ui` and `ccm dashboard`: what is looked at in a browser, on this machine only unless someone says otherwise."""

from __future__ import annotations

import os
import socket
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestration import access
from orchestration.command.common import Home, app, err, house_of, out
from orchestration.house import HouseError

HERE = "127.0.0.1"


Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="Port.")]


@app.command()
def ui(
    port: Port = 3000,
    address: Annotated[str, typer.Option("--address", help="127.0.0.1; any other is refused.")] = HERE,
    home: Home = None,
) -> None:
    """Dagster's web interface on 127.0.0.1, with the schedules on."""
    from orchestration.dashboard.password import is_this_machine
    from orchestration.house import PROJECT_ROOT
    from orchestration.operate.instance import prepare_environment

    if not is_this_machine(address):
        raise HouseError(
            f"--address {address}: Dagster's web interface asks nobody who they are, so it is only shown on this machine; from elsewhere use "
            f"`ssh -L {port}:127.0.0.1:{port} THIS-MACHINE`, or a reverse proxy that knows its users"
        )
    house = house_of(home)
    _refuse_taken(address, port)
    prepare_environment(house)
    dagster = Path(sys.executable).with_name("dagster")
    out.print(f"Dagster on http://{_written(address)}:{port} for {house.root}; stop it with Ctrl-C.")
    sys.stdout.flush()
    access.finish(None)
    os.execv(
        str(dagster),
        [str(dagster), "dev", "-h", address, "-p", str(port), "-w", str(PROJECT_ROOT / "workspace.yaml")],
    )


class Service(StrEnum):
    """What `ccm ui` runs for one person, each for itself."""

    WEBSERVER = "webserver"
    DAEMON = "daemon"


@app.command()
def serve(
    service: Annotated[Service, typer.Argument(help="webserver: Dagster's pages; daemon: its schedules and sensors.")],
    port: Port = 3000,
    home: Home = None,
) -> None:
    """One of Dagster's services, for systemd or a container (deploy/): the pages on 127.0.0.1, or the daemon that runs schedules and sensors."""
    from orchestration.house import PROJECT_ROOT
    from orchestration.operate.instance import prepare_environment

    house = house_of(home)
    prepare_environment(house)
    workspace = ["-w", str(PROJECT_ROOT / "workspace.yaml")]
    if service is Service.WEBSERVER:
        _refuse_taken(HERE, port)
        command = ["dagster-webserver", "-h", HERE, "-p", str(port), *workspace]
    else:
        command = ["dagster-daemon", "run", *workspace]
    program = Path(sys.executable).with_name(command[0])
    out.print(f"Dagster's {service.value} for {house.root}; it stops on SIGTERM.")
    sys.stdout.flush()
    access.finish(None)
    os.execv(str(program), [str(program), *command[1:]])


@app.command()
def dashboard(
    port: Port = 8501,
    address: Annotated[str, typer.Option("--address", help="Another than 127.0.0.1 needs --password-file.")] = HERE,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="Ask for the password in this file, which `ccm password` makes.")
    ] = None,
    home: Home = None,
) -> None:
    """The dashboard on 127.0.0.1: reads marts.duckdb and nothing else, also while a night runs."""
    from orchestration.dashboard.password import VARIABLE, is_this_machine, read_password
    from orchestration.house import PROJECT_ROOT

    if password_file is not None:
        password_file = password_file.expanduser().absolute()
        read_password(password_file)
        os.environ[VARIABLE] = str(password_file)
    else:
        os.environ.pop(VARIABLE, None)
        if not is_this_machine(address):
            raise HouseError(
                f"--address {address}: whoever reaches this address would see the practices' patients; make a password with "
                "`ccm password FILE` and name it with --password-file FILE, or stay on 127.0.0.1 and use "
                f"`ssh -L {port}:127.0.0.1:{port} THIS-MACHINE`"
            )
    house = house_of(home)
    _refuse_taken(address, port)
    settings = {
        "server.address": address,
        "server.port": port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "browser.serverAddress": address,
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": "false",
        "logger.level": "error",
        "theme.base": "light",
        "theme.primaryColor": "#0072B2",
    }
    os.environ["CCM_HOME"] = str(house.root)
    out.print(f"Dashboard on http://{_written(address)}:{port} for {house.root}; stop it with Ctrl-C.")
    if not is_this_machine(address):
        err.print("It does not encrypt what it sends: put a reverse proxy with TLS before it, or a private network around it.")
    sys.stdout.flush()
    access.finish(None)
    app_file = PROJECT_ROOT / "orchestration" / "dashboard" / "app.py"
    os.execv(
        sys.executable,
        [sys.executable, "-m", "streamlit", "run", str(app_file), *(f"--{name}={value}" for name, value in settings.items())],
    )


@app.command()
def password(
    file: Annotated[Path, typer.Argument(help="The file to write; only its owner may read it.")],
) -> None:
    """Makes the password file of a dashboard that is shown beyond this machine: asks for the password, keeps its hash."""
    from orchestration.dashboard.password import write_password

    given = typer.prompt("Password", hide_input=True, confirmation_prompt=sys.stdin.isatty())
    path = file.expanduser().absolute()
    write_password(path, given)
    out.print(f"{path}: written. `ccm dashboard --address ADDRESS --password-file {path}`")


def _written(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address


def _refuse_taken(address: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise HouseError(
            f"--address {address}: is no address of this machine ({error.strerror}); name one of its addresses"
        ) from None
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise HouseError(f"--port {port}: cannot be used on {address} ({error.strerror}); name another with --port") from None
