"""Where each practice stands in a month."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

NARROWEST_FIGURE = 40  # pixels that a figure above a bar takes
STEP_COLOURS = {"earned": look.SKY, "billed": look.BLUE, "paid": look.GREEN}


def show(view: View) -> None:
    st.title("Overview")
    once = "" if view.month else " A patient counts once in each month."
    st.caption(f"{view.where}; allowed dollars of the fee schedule.{once}")
    rows = view.frame(queries.HEADLINE)
    total = rows.sum(numeric_only=True)
    look.tiles(
        {
            "On the panel": (look.whole(total["panel"]), "In the newest panel snapshot of the month."),
            "Eligible": (look.whole(total["eligible"]), "Medicare Part B, no Medicare Advantage, two or more chronic conditions."),
            "Enrolled": (look.whole(total["enrolled"]), "A documented consent in force."),
            "Minutes": (look.whole(total["credited_minutes"]), "Credited minutes: those that may be billed."),
            "Claimed": (
                look.money(total["claimed_amount"]),
                "Went out in a claim file, as it was claimed. What is worth another sum by now: Claims and denials, changes after the close.",
            ),
            "Claimable": (look.money(total["claimable_amount"]), "The next close would claim it."),
            "In progress": (look.money(total["in_progress_amount"]), "Reached already, but the month is not over."),
            "Held": (
                look.money(total["held_amount"]),
                "Waits until time in question is documented or resolved, or a fault that the last close found is mended.",
            ),
            "At stake": (look.money(total["at_stake_amount"]), "What documenting the undocumented time would bring."),
        },
        per_row=5,
    )
    _months(view)
    st.subheader("Per practice")
    shown = rows.assign(
        close=[
            f"✔ closed v{row.close_version:.0f}" if row.close_state == "closed" else row.close_state or ""
            for row in rows.itertuples()
        ]
    )
    look.table(
        shown,
        {
            "practice_id": ("Practice", look.name),
            "month": ("Month", look.month),
            "newest_night": ("As of night", look.day),
            "panel": ("Panel", look.whole),
            "eligible": ("Eligible", look.whole),
            "enrolled": ("Enrolled", look.whole),
            "credited_minutes": ("Minutes", look.whole),
            "claimed_amount": ("Claimed", look.money),
            "claimable_amount": ("Claimable", look.money),
            "in_progress_amount": ("In progress", look.money),
            "held_amount": ("Held", look.money),
            "at_stake_amount": ("At stake", look.money),
            "close": ("Close", look.name),
            "first_close_on": ("May close", look.day),
        },
    )
    st.subheader("What became of the patient-months")
    look.table(
        view.frame(queries.DECISIONS),
        {
            "decision": ("Decision", look.state),
            "reason": ("Reason", look.words),
            "meaning": ("Meaning", look.text),
            "patients": ("Patient-months", look.whole),
            "dollars": ("Allowed", look.money),
        },
    )


def _months(view: View) -> None:
    steps = view.frame(queries.STEPS, month=None)
    steps = steps[steps["step"].isin(list(STEP_COLOURS))].groupby(["month", "step"], as_index=False)["dollars"].sum()
    if steps.empty:
        return
    st.subheader("Earned, billed and paid by month")
    st.caption("Earned and billed are what Medicare allows; paid is what the payer paid of it, without the patient's share.")
    steps["label"] = steps["month"].dt.strftime("%Y-%m")
    steps["amount"] = steps["dollars"].map(look.dollars)
    order = list(STEP_COLOURS)
    base = alt.Chart(pd.DataFrame(steps)).encode(
        x=alt.X("label:N", title="Month", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("step:N", sort=order),
        y=alt.Y("dollars:Q", title="Dollars", axis=alt.Axis(format="$,.0f")),
        tooltip=[
            alt.Tooltip("label:N", title="Month"),
            alt.Tooltip("step:N", title="Step"),
            alt.Tooltip("dollars:Q", title="Dollars", format="$,.2f"),
        ],
    )
    colour = alt.Color(
        "step:N",
        sort=order,
        title=None,
        legend=alt.Legend(orient="top"),
        scale=alt.Scale(domain=order, range=list(STEP_COLOURS.values())),
    )
    drawn = base.mark_bar(stroke="white", strokeWidth=1).encode(color=colour)
    if steps["label"].nunique() <= 8:
        # Where bars are narrower than their figures, as on a telephone, these lie on one another: a touch on the bar tells them.
        narrow = alt.expr(f"width < {NARROWEST_FIGURE * len(steps)} ? 0 : 1")
        drawn = drawn + base.mark_text(dy=-7, fontSize=10, color=look.INK, opacity=narrow).encode(text="amount:N")
    look.chart(drawn, height=300)
