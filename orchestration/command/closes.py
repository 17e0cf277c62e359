"""`ccm close`: a month's claims go out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import duckdb
import typer

from orchestration.blanks import stated
from orchestration.command.common import REFUSED, Home, Json, app, err, house_of, out, print_json, settled
from orchestration.engine import open_warehouse
from orchestration.house import House, HouseError
from orchestration.macros import project_macros
from orchestration.money import in_dollars
from orchestration.practices import Practice, load_practices

_RECORDED = "recorded in approval.json"
_RELEASES_NOTHING = (
    "it let nothing go, so nothing of it is recorded, and the next close knows nothing of it; it releases undocumented and unresolved time, "
    "and no hold of docs/holds.md"
)


class Unfinished(HouseError):
    """A close that broke off. `rows`: what it had come to by then, as of `run_close`; `packets`: the folders that it made. They stand."""

    def __init__(self, errors: Sequence[str], rows: list[dict[str, Any]], packets: Sequence[Path]) -> None:
        self.rows = rows
        stands = "; what is closed stands, its claims are to be sent" if packets else ""
        # A packet may be there of which the run came to say nothing.
        told = [f"{packet}: is closed" for packet in packets if packet not in {row.get("packet") for row in rows}]
        super().__init__(f"the close did not finish{stands}:\n" + "\n".join(f"  {line}" for line in [*told, *errors]))


def run_close(
    pipeline: Any,
    practices: dict[str, Practice],
    month: date,
    approved_by: str,
    practice: str | None,
    waive: str | None,
    propose_only: bool = False,
) -> tuple[list[dict[str, Any]], bool]:
    """Closes a month; one dict per practice (closed, nothing new, or refused with its reasons), and whether any was refused. Unfinished when it broke off."""
    from orchestration.close.claims import unpriced
    from orchestration.close.propose import Proposed
    from orchestration.close.versions import in_folders
    from orchestration.gate.gate import Ruling

    if practice is not None and practice not in practices:
        raise HouseError(f"--practice {practice}: not in practices.yaml; it has {', '.join(practices)}")
    before = in_folders(pipeline.house, month=month)
    result = pipeline.month_end(month, approved_by, [practice] if practice else None, waive, propose_only)
    rows: list[dict[str, Any]] = []
    for one in result.outcomes.values():
        if isinstance(one, Ruling):
            rows.append(
                {
                    "practice_id": one.practice_id,
                    "month": f"{month:%Y-%m}",
                    "outcome": "refused",
                    "reasons": list(one.refusals),
                }
            )
            continue
        if isinstance(one, Proposed):
            rows.append(
                {
                    "practice_id": one.practice_id,
                    "month": f"{month:%Y-%m}",
                    "outcome": "proposed",
                    "version": one.version,
                    "proposal": one.path,
                    "is_new": one.is_new,
                    **{name: one.content[name] for name in ("totals", "held", "changes")},
                }
            )
            continue
        rows.append(
            {
                "practice_id": one.practice_id,
                "month": f"{month:%Y-%m}",
                "outcome": "closed" if one.version else "nothing new",
                "version": one.version,
                "claims": one.claims,
                "allowed_amount": one.allowed_amount,
                "charge_amount": one.charge_amount,
                "held": one.held,
                "packet": one.packet,
                "claim_file": one.claim_file,
                "held_file": one.held_file,
                # A waiver stands in the approval.json of the version that it let claims into; where there is none it would be lost without a word.
                **({"waiver": _RECORDED if one.version else _RELEASES_NOTHING} if waive is not None else {}),
                "newest_claim_file": None if one.version else _newest(pipeline.house, one.practice_id, month),
            }
        )
    if silent := [row for row in rows if _is_silent(row)]:
        # Where the warehouse is another command's by now, or was not finished, what the close came to is told all the same.
        with suppress(HouseError, duckdb.Error), open_warehouse(pipeline.house) as warehouse:
            without_price = unpriced(warehouse, month)
            for row in silent:
                if row["practice_id"] in without_price:
                    row["unpriced"] = without_price[row["practice_id"]]
                elif row["version"] == 1:
                    row["unclaimed"] = _unclaimed(warehouse, row["practice_id"], month)
    rows.sort(key=lambda row: row["practice_id"])
    if not result.success:
        raise Unfinished(result.errors, rows, [one.folder for one in in_folders(pipeline.house, month=month) if one not in before])
    return rows, any(row["outcome"] == "refused" for row in rows)


def _is_silent(row: dict[str, Any]) -> bool:
    """A close that sends no claim and of which one may ask why: the first version, or one that has nothing new and holds something."""
    return row["outcome"] != "refused" and not row.get("totals", row)["claims"] and bool(row["version"] == 1 or row["held"])


_UNCLAIMED = """
{%- from 'programs.sql' import first_codes with context -%}
select decisions.reason, count(*)
from marts.patient_month_decisions as decisions
inner join marts.patient_month_minutes as minutes using (practice_id, patient_id, month)
inner join marts.patient_month_evidence as evidence using (practice_id, patient_id, month)
inner join ({{ first_codes() }}) as first_codes
    on evidence.program = first_codes.program and last_day($month) between first_codes.effective_from and first_codes.effective_to
where
    decisions.practice_id = $practice and decisions.month = $month and decisions.decision = 'not_claimable'
    and minutes.credited_minutes >= first_codes.first_unit_minutes
group by decisions.reason order by count(*) desc, decisions.reason
"""


def _unclaimed(warehouse: duckdb.DuckDBPyConnection, practice_id: str, month: date) -> dict[str, int]:
    """reason -> patients who have the minutes of their program's first code and of whom nothing is claimed for that reason; the most frequent first."""
    query = project_macros("rules").from_string(_UNCLAIMED).render()
    return dict(warehouse.execute(query, {"practice": practice_id, "month": month}).fetchall())


def _newest(house: House, practice_id: str, month: date) -> Path | None:
    """The claim file of the newest version that has one."""
    from orchestration.close.versions import packets

    files = [packet.folder / "claims.837" for packet in packets(house, practice_id, month, having="claims.837")]
    return files[-1] if files else None


def print_close(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        _print_one(row)
        if waits := row.get("unpriced"):
            out.print(
                f"   {waits} claims wait for a price: the fee schedule that is loaded has none of {row['month']} (`ccm explain` says what lacks). Load CMS's "
                "files with `ccm rules load-fees FILE... --write` (docs/how-to/rule-year.md), then `ccm nightly`, and close again",
                style="yellow",
            )
        if left := row.get("unclaimed"):
            why = ", ".join(f"{reason} {patients}" for reason, patients in left.items())
            out.print(
                f"   no claim at all, though {sum(left.values())} patients have the minutes of a first code: {why}; `ccm explain` says why of each",
                style="yellow",
            )


def _print_one(row: dict[str, Any]) -> None:
    if row["outcome"] == "refused":
        out.print(f"{row['practice_id']} {row['month']}: refused", style="red")
        for reason in row["reasons"]:
            out.print(f"   {reason}")
    elif row["outcome"] == "proposed":
        totals = row["totals"]
        # A first version is written without a claim as well, a further one is not.
        is_new = row["version"] == 1 or totals["claims"]
        said = (
            f"proposed v{row['version']}, {totals['claims']} claims, {in_dollars(totals['allowed_amount'])} allowed"
            if is_new
            else "nothing new to close"
        )
        out.print(f"{row['practice_id']} {row['month']}: {said}, {totals['held']} held")
        for patient_id, why in row["held"].items():
            detail = f" ({why['detail']})" if why["detail"] else ""
            out.print(f"   held {patient_id}: {why['reason']}{detail}, {in_dollars(why['dollars_at_stake'])} at stake")
        for what, patients in row["changes"].items():
            out.print(f"   {what} since the proposal before: {', '.join(patients)}")
        out.print(f"   {row['proposal']}")
    elif row["outcome"] == "nothing new":
        out.print(f"{row['practice_id']} {row['month']}: nothing new to close, {row['held']} held")
        if row["held"]:
            out.print(f"   {row['held_file']}")
        if "waiver" in row:
            out.print(f"   --waive: {row['waiver']}", style="yellow")
        if row["newest_claim_file"]:
            out.print(f"   the newest is {row['newest_claim_file']}")
    else:
        out.print(
            f"{row['practice_id']} {row['month']}: closed v{row['version']}, {row['claims']} claims, "
            f"{in_dollars(row['allowed_amount'])} allowed, {row['held']} held",
            style="green",
        )
        out.print(f"   {row['claim_file'] or row['packet']}")


@app.command()
def close(
    month: Annotated[str, typer.Option("--month", help="The month to close, YYYY-MM.")],
    approved_by: Annotated[str | None, typer.Option("--approved-by", help="Who approves these claims.")] = None,
    practice: Annotated[str | None, typer.Option("--practice", help="Only this practice.")] = None,
    waive: Annotated[str | None, typer.Option("--waive", help="Release what is held, with the reason; recorded.")] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Only show and keep what would be closed; nothing leaves the house.")
    ] = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Closes a month: claims go out, what undocumented time would change is held. Exit 3 when the gate refused a practice."""
    from orchestration.command.months import month_of
    from orchestration.command.running import Pipeline

    house = settled(home)
    practices = load_practices(house.practices_yaml)
    wanted = month_of(month)
    if propose and waive is not None:
        raise HouseError("--propose takes no waiver: a waiver is the approver's, given with --approved-by")
    if not propose and not stated(approved_by):
        raise HouseError(
            "--approved-by: a close needs the name of a person who approves it; `ccm close --propose` shows what would go out"
        )
    if waive is not None and not stated(waive):
        raise HouseError("--waive: say why the held patient-months go out; the reason is recorded")
    with err.status(f"{'Drafting' if propose else 'Closing'} {month} ..."):
        who = stated(approved_by) or "ccm close --propose"
        broken = None
        try:
            rows, refused = run_close(Pipeline(house), practices, wanted, who, practice, waive, propose)
        except Unfinished as error:
            rows, refused, broken = error.rows, False, error
    if as_json and (rows or not broken):
        print_json(rows)
    elif rows:
        print_close(rows)
    if broken:
        raise broken
    if refused:
        raise typer.Exit(REFUSED)


@app.command()
def rebuild(
    practice: Annotated[str, typer.Option("--practice", help="The practice.")],
    month: Annotated[str, typer.Option("--month", help="The closed month, YYYY-MM.")],
    version: Annotated[int | None, typer.Option("--version", help="The version; the newest when left out.")] = None,
    into: Annotated[Path | None, typer.Option("--into", help="Also write the rebuilt files to this folder.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Makes a past close again from what it froze; exit 1 unless every file has the same SHA-256."""
    from orchestration.close.rebuild import rebuild as rebuild_packet
    from orchestration.close.versions import packet_folder
    from orchestration.command.months import month_of

    packet = packet_folder(house_of(home), practice, month_of(month), version)
    with err.status(f"Rebuilding {packet.name} ..."):
        made = rebuild_packet(packet, into)
    if as_json:
        print_json(
            {
                "practice_id": made.practice_id,
                "month": month,
                "version": made.version,
                "is_same": made.is_same,
                "files": {name: {"then": then, "now": now} for name, (then, now) in made.files.items()},
                "software": {"then": made.software_then, "now": made.software_now},
            }
        )
    else:
        for name, (then, now) in made.files.items():
            out.print(f"  {'same     ' if then == now else 'DIFFERENT'} {now or 'missing'}  {name}")
        out.print(f"{practice} {month} v{made.version}: {'every file is the same' if made.is_same else 'not the same'}")
        if made.software_then != made.software_now:
            out.print(f"closed by {made.software_then}, rebuilt by {made.software_now}")
    if not made.is_same:
        raise typer.Exit(1)
