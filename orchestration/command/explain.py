"""`ccm explain`: the whole story of one patient-month."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from orchestration.answer.explain import Source, of_marts, of_packet, tell
from orchestration.answer.explain.source import claimed_in
from orchestration.answer.explain.text import lines
from orchestration.command.common import Home, Json, app, house_of, out, print_json
from orchestration.command.months import month_of
from orchestration.house import HouseError, write_private


@app.command()
def explain(
    practice: Annotated[str, typer.Option("--practice", help="The practice.")],
    patient: Annotated[str, typer.Option("--patient", help="The patient's id in the extracts.")],
    month: Annotated[str, typer.Option("--month", help="The month, YYYY-MM.")],
    version: Annotated[int | None, typer.Option("--version", help="As this version of the close froze it.")] = None,
    live: Annotated[bool, typer.Option("--live", help="As the marts stand now, also when a close claimed it.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the audit packet as one printable page to this file (0600).")
    ] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Every gate, entry, second, rule row and dollar of one patient-month. What a close claimed is told from its frozen packet."""
    from orchestration.close.versions import packet_folder

    if version is not None and live:
        raise HouseError("--version and --live: the one is what a close froze, the other what stands now; give one of them")
    if html is not None and html.is_dir():
        raise HouseError(f"--html {html}: is a folder; name a file in it, such as {html / 'audit.html'}")
    house = house_of(home)
    day = month_of(month)
    packet = packet_folder(house, practice, day, version) if version is not None else None
    if packet is None and not live:
        packet = claimed_in(house, practice, patient, day)
    source: AbstractContextManager[Source] = of_packet(house, packet) if packet else of_marts(house, practice)
    with source as opened:
        story = tell(opened, practice, patient, day)
    if html is not None:
        from orchestration.answer.explain.page import page

        write_private(html, page(story))
    if as_json:
        print_json(story)
        return
    for style, line in lines(story):
        out.print(line, style=style or None)
    if html is not None:
        out.print(f"\nPrintable page: {html}")
