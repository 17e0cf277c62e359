"""Where the dollars between possible and paid are lost."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from orchestration.answer.waterfall import gap_bars
from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

KINDS = {"total": ("all eligible", look.BLUE), "loss": ("not captured", look.ORANGE), "kept": ("captured", look.GREEN)}


def show(view: View) -> None:
    st.title("Revenue gap")
    st.caption(f"{view.where}; every eligible patient-month at the base code's allowed amount, by the first cause that applies.")
    rows = view.frame(queries.GAP)
    bars = gap_bars(rows.to_dict("records"))
    frame = pd.DataFrame([vars(bar) for bar in bars])
    frame["what"] = frame["kind"].map(lambda kind: KINDS[kind][0])
    frame["text"] = [
        f"{look.dollars(-row.dollars if row.kind == 'loss' else row.dollars)} · {row.patients:,}" for row in frame.itertuples()
    ]
    names, colours = zip(*KINDS.values(), strict=True)
    base = alt.Chart(frame).encode(y=alt.Y("label:N", sort=list(frame["label"]), title=None))
    room = float(frame["end"].max() or 1) * 1.4  # the longest bar's figures have room on a telephone
    drawn = base.mark_bar(stroke="white", strokeWidth=1).encode(
        x=alt.X(
            "start:Q",
            title="Allowed dollars · patient-months",
            axis=alt.Axis(format="$,.0f", tickCount=7),
            scale=alt.Scale(domain=[0, room], nice=False),
        ),
        x2="end:Q",
        color=alt.Color(
            "what:N",
            sort=list(names),
            title=None,
            legend=alt.Legend(orient="top", columns=2),
            scale=alt.Scale(domain=list(names), range=list(colours)),
        ),
        tooltip=[
            alt.Tooltip("label:N", title="Cause"),
            alt.Tooltip("patients:Q", title="Patient-months", format=","),
            alt.Tooltip("dollars:Q", title="Dollars", format="$,.2f"),
        ],
    )
    look.chart(
        drawn + base.mark_text(align="left", dx=5, color=look.INK).encode(x="end:Q", text="text:N"), height=34 * len(frame) + 60
    )
    look.table(
        frame,
        {
            "label": ("Cause", look.text),
            "meaning": ("Meaning", look.text),
            "patients": ("Patient-months", look.whole),
            "dollars": ("Allowed", look.money),
        },
    )
    st.subheader("From potential to paid")
    steps = view.frame(queries.STEPS).groupby(["step_number", "step", "meaning"], as_index=False)[["patients", "dollars"]].sum()
    before = steps["dollars"].shift()
    steps["change"] = steps["dollars"] - before
    steps["text"] = [
        look.dollars(row.dollars)
        + ("" if look.nothing(row.change) else f"  ({'+' if row.change > 0 else ''}{look.dollars(row.change)})")
        for row in steps.itertuples()
    ]
    look.chart(look.bars(steps, "dollars", "Dollars (change from the step before)", "step", "text", axis="$,.0f"), height=230)
    look.table(
        steps,
        {
            "step": ("Step", look.text),
            "meaning": ("Meaning", look.text),
            "patients": ("Patient-months", look.whole),
            "dollars": ("Dollars", look.money),
            "change": ("Against the step before", look.money),
        },
    )
