"""`ccm rules`: the dated rules as files. `load-fees` adds a fee release of CMS, `document` writes the pages that tell of the rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from orchestration.command.common import App, Json, Screen, app, day_of, err, out, print_json
from orchestration.house import HouseError
from orchestration.money import price

if TYPE_CHECKING:
    from orchestration.rules.fee_rows import Loading

rules = App(no_args_is_help=True, help="The dated rules: fee releases of CMS, and the pages that tell of them.")
app.add_typer(rules, name="rules")

LOCALITIES_SHOWN = 10


@rules.command("load-fees")
def load_fees(
    files: Annotated[list[Path], typer.Argument(help="PPRRVU and GPCI files of one or more releases, as CMS's zip has them.")],
    write: Annotated[bool, typer.Option("--write", help="Add the rows to the project's seeds; else they are only shown.")] = False,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write the seeds with the added rows into this folder instead.")
    ] = None,
    effective_from: Annotated[
        str | None,
        typer.Option("--effective-from", help="First service date, YYYY-MM-DD, where it is not 1 January of the release's year."),
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", help="Release of a GPCI file that comes without its PPRRVU file, such as RVU26C.")
    ] = None,
    localities: Annotated[
        int | None, typer.Option("--localities", help="How many localities CMS announced, where not as many as before.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Reads CMS's fee files, checks that they add up, and shows which rows they add and which amounts change; writes with --write or --out."""
    from orchestration.rules.fee_rows import REFERENCE, write_seeds
    from orchestration.rules.fee_seeds import plan_loading
    from orchestration.rules.seeds import SEEDS

    if write and out_folder is not None:
        raise HouseError("--write and --out: give one of the two")
    loading = plan_loading(files, release=release, effective_from=day_of("--effective-from", effective_from), localities=localities)
    written: list[Path] = []
    target = out_folder.expanduser().resolve() if out_folder else SEEDS / REFERENCE if write else None
    if target is not None and not (write and loading.is_empty):
        written = write_seeds(loading, target)
    if as_json:
        print_json(
            {
                "releases": loading.releases,
                "files": loading.files,
                "rows_added": {seed: len(rows) for seed, rows in loading.additions.items()},
                "amounts": [vars(change) for change in loading.amounts],
                "localities": [vars(change) for change in loading.localities],
                "notices": loading.notices,
                "lacks": loading.lacks,
                "written": written,
            }
        )
        return
    _print_loading(loading)
    if written:
        out.print(f"Written: {', '.join(path.name for path in written)} in {target}")
        if write:
            but = ", but for what lacks above" if loading.lacks else ""
            out.print(f"The next `ccm nightly` prices with them{but}. Review the change of the seeds and commit it.")
    elif not loading.is_empty:
        err.print(
            "Nothing is written: give --write to add these rows to the project's seeds, or --out FOLDER to look at them.",
        )


def _print_loading(loading: Loading) -> None:
    for file in loading.files:
        released = f", released {file['released_on']}" if file["released_on"] else ""
        out.print(f"{file['file']}: {file['release']}{released}, {file['rows_read']:,} rows read, sha256 {file['sha256']}")
    for notice in loading.notices:
        out.print(f"  {notice}")
    for seed, rows in loading.additions.items():
        span = (
            f" for service dates {min(r['effective_from'] for r in rows)} to {max(r['effective_to'] for r in rows)}" if rows else ""
        )
        out.print(f"{seed}: {len(rows):,} rows to add{span}")
    if not loading.amounts:
        out.print("No national amount of a claimable code changes.")
    else:
        table = Table(title="National amounts of one unit that change", title_justify="left", pad_edge=False)
        for name in ("code", "service dates from", "paid", "now", "then"):
            table.add_column(name, justify="right" if name in ("now", "then") else "left", no_wrap=True)
        for change in loading.amounts:
            table.add_row(change.procedure_code, str(change.service_date), change.amount, price(change.before), price(change.after))
        Screen(width=max(out.width, 100)).print(table)
    for lack in loading.lacks:
        out.print(lack, style="yellow")
    if loading.localities:
        some = loading.localities[:LOCALITIES_SHOWN]
        codes = " and ".join(sorted({c.procedure_code for c in loading.localities}))
        verb = "changes" if " " not in codes else "change"
        out.print(f"{codes} {verb} in {len({(c.mac, c.state, c.locality) for c in loading.localities}):,} localities, such as:")
        for c in some:
            out.print(
                f"  MAC {c.mac} {c.state} {c.locality} from {c.service_date}: {price(c.before)} -> {price(c.after)}",
            )
        if len(loading.localities) > len(some):
            out.print("  ... all of them with --json")


@rules.command("document")
def document(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a page is not what the seeds say.")] = False,
    out_folder: Annotated[Path | None, typer.Option("--out", help="Folder of the pages; else docs/rules of the checkout.")] = None,
) -> None:
    """Writes the pages that tell of the rules: each with its dates, citation and mark, and the log of what came into force when."""
    from orchestration.rules.document import PAGES_FOLDER, stale_pages, write_pages

    folder = out_folder.expanduser().resolve() if out_folder else PAGES_FOLDER
    if check:
        stale = stale_pages(folder)
        for path in stale:
            out.print(f"{path}: is not what the seeds say; run `make docs`")
        if stale:
            raise typer.Exit(1)
        out.print(f"{folder}: says what the seeds say")
        return
    changed = write_pages(folder)
    out.print(f"{folder}: {len(changed)} pages changed" if changed else f"{folder}: says what the seeds say already")
