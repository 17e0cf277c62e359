"""`ccm import`: public or foreign exports become landed extracts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.command.common import App, Home, Json, app, day_of, err, house_of, out, print_json

importers = App(no_args_is_help=True, help="Turns public or foreign exports into landed extracts.")
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


@importers.command("fhir")
def import_fhir_command(
    source: Annotated[Path, typer.Argument(help="Folder of one or more FHIR R4 bulk exports (NDJSON).")],
    practice: Annotated[str | None, typer.Option("--practice", help="Whose export it is; not needed with one practice.")] = None,
    date: Annotated[str | None, typer.Option("--date", help="The night (YYYY-MM-DD); else the day of the newest export.")] = None,
    organization: Annotated[
        list[str] | None, typer.Option("--organization", help="Id of an Organization that is the practice; may be repeated.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over files of that night with other content.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Lands a FHIR R4 bulk export as a night of a practice, and says what of it was not used and why."""
    from orchestration.importers.fhir import import_fhir

    house = house_of(home).prepare()
    with err.status("Reading the export and landing its night ..."):
        report = import_fhir(
            source,
            house,
            practice_id=practice,
            night=day_of("--date", date, "night"),
            organizations=organization or (),
            replace=replace,
        )
    if as_json:
        print_json(report.to_json())
    else:
        out.print(report.to_text())
