"""`ccm backup`, `restore`, `tidy`, `doctor`: keeping an installation well for years."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestration.command.common import Home, Json, app, err, house_of, out, print_json, settled
from orchestration.house import HouseError

STYLES = {"ok": "green", "warning": "yellow", "bad": "red"}


@app.command()
def backup(
    to: Annotated[Path, typer.Option("--to", help="The folder of the snapshots, on another disk.")],
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Writes a snapshot of the home: lake, closes, answers, landing, configuration, marts. Only what is new costs room."""
    from orchestration.operate.backup import backup as write

    with err.status("Waiting for a running night, then copying ..."):
        made = write(house_of(home), to)
    if as_json:
        print_json({**asdict(made), "folder": made.folder})
    else:
        out.print(
            f"{made.folder}: {made.files:,} files, {made.bytes / 1e6:,.1f} MB; new {made.new_files:,}, {made.new_bytes / 1e6:,.1f} MB",
            markup=False,
        )


@app.command()
def restore(
    snapshot: Annotated[Path, typer.Argument(help="A snapshot: <to>/<stamp> of `ccm backup`.")],
    home: Home = None,
    check: Annotated[bool, typer.Option("--check", help="Only prove the snapshot's hashes; restore nothing.")] = False,
    take_over_lake: Annotated[
        bool,
        typer.Option("--take-over-lake", help="The home of before is no more: its lake in object storage is written from here."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Makes a home from a snapshot, once every hash is proved. Then `ccm nightly` makes the warehouse again."""
    from orchestration.lake_owner import not_ours
    from orchestration.operate.backup import restore as make
    from orchestration.operate.backup import verify

    place = snapshot.expanduser().resolve()
    with err.status("Proving every file's hash ..."):
        if check:
            wrong = verify(place)
            if wrong:
                raise HouseError(f"{place}: is damaged:\n" + "\n".join(f"  {line}" for line in wrong[:20]))
            if as_json:
                print_json({"snapshot": place, "is_whole": True})
            else:
                out.print(f"{place}: every file is as its manifest says", markup=False)
            return
        house = house_of(home)
        files = make(place, house, take_over_lake)
    if said := not_ours(house):
        err.print(said)
    if as_json:
        print_json({"snapshot": place, "home": house.root, "files": files})
    else:
        out.print(f"{house.root}: {files:,} files restored; next: `ccm doctor`, `ccm nightly`", markup=False)


@app.command()
def tidy(
    runs: Annotated[int | None, typer.Option("--runs", help="Remove Dagster's finished runs older than so many days.")] = None,
    landing: Annotated[
        int | None, typer.Option("--landing", help="Remove landed files older than so many days that the lake holds byte for byte.")
    ] = None,
    backups: Annotated[Path | None, typer.Option("--backups", help="The folder of the snapshots.")] = None,
    keep_backups: Annotated[int, typer.Option("--keep-backups", help="How many of the newest snapshots stay.")] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Removes what may go: old runs, landed files the lake holds, old backups. The lake and the closes stay for ever."""
    from orchestration.operate.instance import prepare_environment
    from orchestration.operate.tidy import tidy as remove
    from orchestration.operate.tidy import utc_now

    if runs is None and landing is None and backups is None:
        raise HouseError("say what to tidy: --runs DAYS, --landing DAYS, --backups FOLDER")
    house = settled(home)
    if runs is not None:
        prepare_environment(house)
    place = (backups.expanduser().resolve(), keep_backups) if backups else None
    with house.lock("lake"):
        gone = remove(house, utc_now(), runs, landing, place, dry_run)
    if as_json:
        print_json({**asdict(gone), "dry_run": dry_run})
    else:
        would = "would go" if dry_run else "are gone"
        out.print(
            f"{gone.runs} runs, {gone.landed_files} landed files ({gone.landed_bytes / 1e6:,.1f} MB), {gone.backups} backups {would}."
        )
    if gone.left:
        err.print(gone.left)


@app.command()
def migrate(home: Home = None) -> None:
    """Brings what Dagster keeps of this home (runs, events, ticks) to the tables of the installed version: once after an upgrade."""
    from orchestration.operate.instance import opened, prepare_environment

    house = settled(home)
    prepare_environment(house)
    import dagster as dg

    with house.lock("run"), err.status("Bringing Dagster's tables up to date ..."), opened() as instance:
        instance.upgrade()
    out.print(f"Dagster's runs, events and ticks of {house.root} are as version {dg.__version__} wants them.")


@app.command()
def doctor(home: Home = None, as_json: Json = False) -> None:
    """Says what is wrong with this installation and what to do: exit 1 when something is bad."""
    from orchestration.operate.doctor import examine

    with err.status("Asking ..."):
        found = examine(house_of(home))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        for one in found:
            out.print(f"{one.state:7}", style=STYLES[one.state], end=" ")
            out.print(f"{one.question}: {one.said}")
            if one.remedy:
                out.print(f"        -> {one.remedy}")
    if any(one.state == "bad" for one in found):
        raise typer.Exit(1)
