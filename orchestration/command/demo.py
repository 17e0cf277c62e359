"""`ccm demo`: a home of made-up practices, taken in and closed as the months fall due."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from orchestration.command.answers import answer_totals, print_answers, run_respond
from orchestration.command.closes import print_close, run_close
from orchestration.command.common import Home, Json, app, err, house_of, out, print_json
from orchestration.command.nights import run_nightly
from orchestration.command.office import print_status
from orchestration.house import HouseError, write_private
from orchestration.practices import load_practices


@app.command()
def demo(
    home: Home = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes other practices.")] = 2026,
    as_json: Json = False,
) -> None:
    """Makes a demo home of several practices, takes in its nights, closes its months as they fall due, shows the result."""
    from orchestration.answer.status import months_status
    from orchestration.command.running import Pipeline
    from orchestration.demo import make_demo
    from orchestration.demo.payer import answer

    house = house_of(home)
    marker = house.state / "demo.json"
    if house.practices_yaml.exists() and not marker.exists():
        raise HouseError(f"{house.root}: holds practices of your own; name another folder with --home or CCM_HOME")
    house.prepare()
    write_private(marker, json.dumps({"seed": seed}))
    started = time.monotonic()
    pipeline = None
    closes: list[dict[str, Any]] = []
    with err.status("Landing several practices' nights ...") as state:
        plan = make_demo(house.root, seed=seed)
        practices = load_practices(house.practices_yaml)
        for month, night in plan.closes:
            state.update(f"Taking in the nights up to {night} ...")
            pipeline = run_nightly(house, practices, night, False, pipeline) or Pipeline(house)
            state.update(f"Closing {month:%Y-%m} ...")
            closes += run_close(pipeline, practices, month, "Demo Approver", None, None)[0]
        # What was documented after the close of the last month but one goes out as its supplement.
        supplement, _ = plan.closes[-2]
        state.update(f"Closing what became claimable in {supplement:%Y-%m} since ...")
        closes += run_close(pipeline, practices, supplement, "Demo Approver", None, None)[0]
        state.update("Posting what the payers answered ...")
        answer(house, plan.closes[-1][1])
        _, answers = run_respond(house, pipeline)
    rows = months_status(house, practices)
    totals = answer_totals(house)
    if as_json:
        print_json({"closes": closes, "answers": answers, **totals, "months": rows, "home": house.root})
        return
    print_close(closes)
    out.print()
    print_answers(house, answers, totals)
    out.print()
    print_status(rows)
    out.print(f"\nClaim files, {time.monotonic() - started:.0f} s in all:")
    for row in rows:
        for path in row["claim_files"]:
            out.print(f"  {house.root / path}")
    out.print(
        f"\nLook further (with CCM_HOME={house.root}): `ccm dashboard`, `ccm worklist`, `ccm status`, `ccm ui` for the asset graph, "
        f"any DuckDB client on {house.marts}, held.csv beside each claim file."
    )
