"""`ccm import`: public or foreign exports become landed extracts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.command.common import Home, Json, app, err, house_of, out, print_json

importers = typer.Typer(no_args_is_help=True, help="Turns public or foreign exports into landed extracts.")
app.add_typer(importers, name="import")


@importers.command("synthea")
def import_synthea_command(
    source: Annotated[Path, typer.Argument(help="Folder of a Synthea CSV export.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Lands a Synthea population: real panel and scheduling facts; consents, time and coverage choice are overlaid by the demo generator."""
    from orchestration.importers.synthea import import_synthea

    house = house_of(home).prepare()
    with err.status("Reading the export and landing its nights ..."):
        report = import_synthea(source, house)
    if as_json:
        print_json(report.to_json())
    else:
        out.print(report.to_text())
