"""`ccm scrub`: judges claim files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.command.common import Json, app, out, print_json
from orchestration.house import HouseError


@app.command()
def scrub(files: Annotated[list[Path], typer.Argument(help="837P files.")], as_json: Json = False) -> None:
    """Judges 837P files with the scrub and pyx12 that the close uses; exit 1 if there is a fault."""
    from orchestration.close.x12.validate import judge

    found: dict[str, list[dict[str, Any]]] = {}
    for path in files:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise HouseError(f"{path}: cannot be read ({error.strerror}); name an 837P file that this user may read") from None
        found[str(path)] = [
            {"claim_id": f.claim_id, "segment": f.segment, "field": f.field, "rule": f.rule, "message": f.message}
            for f in judge(content)
        ]
    if as_json:
        print_json(found)
    else:
        for name, faults in found.items():
            out.print(f"{name}: {f'{len(faults)} faults' if faults else 'no fault'}")
            for fault in faults:
                out.print(f"  {fault['message']}")
    if any(found.values()):
        raise typer.Exit(1)
