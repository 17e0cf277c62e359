"""`ccm why`: what a claim line stands on, and which claim lines an entry supports."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from orchestration.answer.explain import of_packet, tell
from orchestration.answer.explain.text import lines
from orchestration.answer.why import ClaimLine, find_line, lines_of_entry
from orchestration.command.common import Home, Json, app, house_of, out, print_json
from orchestration.house import House, HouseError
from orchestration.money import in_dollars
from orchestration.practices import load_practices


@app.command()
def why(
    reference: Annotated[
        str, typer.Argument(help="A claim line id (REF*6R), a claim id (CLM01), or with --entry a time entry's id.")
    ],
    entry: Annotated[
        bool, typer.Option("--entry", help="The reference is a time entry: show every claim line that it supports.")
    ] = False,
    practice: Annotated[str | None, typer.Option("--practice", help="The practice of the entry.")] = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Line -> decision -> seconds -> entries -> extract file, line and hash; -> rule rows; -> the payer's answers. And back from an entry."""
    house = house_of(home)
    if entry:
        _entry(house, reference, practice, as_json)
        return
    found = find_line(house, reference)
    told = []
    for packet in dict.fromkeys(one.packet for one in found):
        own = [one for one in found if one.packet == packet]
        with of_packet(house, packet) as source:
            story = tell(source, own[0].practice_id, own[0].line["patient_id"], own[0].month)
        told.append((own, story, _answers(house, own)))
    if as_json:
        print_json([{"lines": [one.line for one in own], "answers": answers, "story": story} for own, story, answers in told])
        return
    for own, story, answers in told:
        for one in own:
            line = one.line
            out.print(
                f"{line['line_id']}: {line['procedure_code']} x {line['units']} on {line['service_date']}, {in_dollars(line['charge_amount'])} charged, "
                f"{in_dollars(line['allowed_amount'])} allowed; claim {line['claim_id']}, {one.practice_id} {one.month:%Y-%m} v{one.version}",
                style="bold",
            )
        for answer in answers:
            out.print(
                "  payer: " + ", ".join(f"{name} {value}" for name, value in answer.items() if value not in (None, [], "")),
            )
        for style, text in lines(story):
            out.print(text, style=style or None)


def _answers(house: House, own: list[ClaimLine]) -> list[dict[str, Any]]:
    """What the payer said of these lines, from the published marts; nothing when none are published."""
    from orchestration.engine import open_marts

    if not house.marts.exists():
        return []
    with open_marts(house) as marts:
        tables = {row[0] for row in marts.execute("select table_name from duckdb_tables()").fetchall()}
        # Each claim that ever went out, also one that another stands in the place of; marts of an earlier release have only those that stand.
        claims = "claim_history" if "claim_history" in tables else "claims"
        found = []
        claim_ids = sorted({one.line["claim_id"] for one in own})
        for table, column, values, order in (
            (claims, "claim_id", claim_ids, "all"),
            ("claim_line_payments", "line_id", sorted(one.line["line_id"] for one in own), "all"),
            # Each answer with the hash of its file, which names the original in lake/answers/originals.
            ("claim_answers", "claim_id", claim_ids, "claim_id, answered_on, sha256, transaction_ordinal, claim_position"),
        ):
            if table in tables:
                cursor = marts.execute(
                    f"select * exclude (practice_id, patient_id, month) from {table} where list_contains(?, {column}) order by {order}",
                    [values],
                )
                names = [column[0] for column in cursor.description]
                found += [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


def _entry(house: House, entry_id: str, practice: str | None, as_json: bool) -> None:
    if practice is None:
        raise HouseError("--practice: an entry's id is unique within its practice; name the practice")
    # A practice that has left practices.yaml keeps its closes.
    if not house.closes_of(practice).is_dir() and practice not in load_practices(house.practices_yaml):
        raise HouseError(f"--practice {practice}: is in neither {house.practices_yaml} nor {house.closes}; name a practice that is")
    supported = lines_of_entry(house, practice, entry_id)
    if as_json:
        print_json(supported)
        return
    if not supported:
        out.print(f"{practice} {entry_id}: supports no claim line")
    for row in supported:
        out.print(
            f"{row['line_id']}: {row['procedure_code']} x {row['units']}, {row['month']} v{row['close_version']}, "
            + ", ".join(f"{row[f'{what}_seconds']} {what} seconds" for what in ("credited", "concurrent") if row[f"{what}_seconds"])
            + " of this entry"
        )
