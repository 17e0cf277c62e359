"""How the credited minutes lie around the line that makes a month billable."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

LAST, WIDTH = 90, 5


def show(view: View) -> None:
    st.title("Minutes")
    st.caption(
        f"{view.where}; credited minutes of patients who are enrolled or have logged time, in the program ccm alone: "
        "principal care (pcm) begins at another line, and advanced primary care (apcm) asks for no minutes."
    )
    rows = view.frame(queries.MINUTES)
    if rows.empty:
        st.info("No patient of the program ccm is enrolled, and nothing is logged.")
        return
    line = int(view.frame(queries.FIRST_UNIT)["first_unit_minutes"].iloc[0])
    bins = pd.DataFrame({"minutes_from": range(0, LAST + 1, WIDTH)}).merge(rows, how="left").fillna(0).astype("int64")
    bins["label"] = [f"{start} or more" if start == LAST else f"{start} to {start + WIDTH - 1}" for start in bins["minutes_from"]]
    bins["minutes_to"], bins["nothing"] = bins["minutes_from"] + WIDTH, 0
    bins["middle"] = bins["minutes_from"] + WIDTH / 2
    bins["reached"] = [f"{line} minutes and more" if start >= line else f"below {line} minutes" for start in bins["minutes_from"]]
    below, near, over = (
        int(bins.loc[chosen, "patients"].sum())
        for chosen in (
            bins["minutes_from"] < line,
            (bins["minutes_from"] >= line - WIDTH) & (bins["minutes_from"] < line),
            bins["minutes_from"] >= line,
        )
    )
    nothing = int(bins["patients"].sum() - bins["with_time"].sum())
    look.tiles(
        {
            f"{line} minutes and more": (look.whole(over), "The first code's minutes are reached."),
            f"Below {line} minutes": (look.whole(below), "Not billable on these minutes."),
            f"{line - WIDTH} to {line - 1} minutes": (look.whole(near), "The last few minutes are missing."),
            "Nothing logged": (look.whole(nothing), "Enrolled, and no time at all in the month."),
        }
    )
    names = [f"below {line} minutes", f"{line} minutes and more"]
    base = alt.Chart(bins)
    shown = base.mark_bar(stroke="white", strokeWidth=1).encode(
        x=alt.X(
            "minutes_from:Q",
            title="Credited minutes in the month (the last bar: 90 or more)",
            axis=alt.Axis(values=list(range(0, LAST + 1, 10))),
        ),
        x2="minutes_to:Q",
        y2="nothing:Q",
        y=alt.Y("patients:Q", title="Patient-months", axis=alt.Axis(format=",.0f", tickMinStep=1)),
        color=alt.Color(
            "reached:N",
            sort=names,
            title=None,
            legend=alt.Legend(orient="top"),
            scale=alt.Scale(domain=names, range=[look.ORANGE, look.BLUE]),
        ),
        tooltip=[alt.Tooltip("label:N", title="Minutes"), alt.Tooltip("patients:Q", title="Patient-months", format=",")],
    )
    labels = (
        alt.Chart(bins[bins["patients"] > 0])
        .mark_text(dy=-7, fontSize=11, color=look.INK)
        .encode(x="middle:Q", y="patients:Q", text=alt.Text("patients:Q", format=","))
    )
    mark = alt.Chart(pd.DataFrame({"x": [line], "says": [f"{line} minutes: the first code"]}))
    rule = mark.mark_rule(color=look.INK, strokeWidth=2, strokeDash=[6, 3]).encode(x="x:Q")
    says = mark.mark_text(align="left", dx=6, dy=8, baseline="top", fontWeight="bold", color=look.INK).encode(
        x="x:Q", y=alt.value(0), text="says:N"
    )
    look.chart(shown + labels + rule + says, height=360)
    look.table(
        bins[bins["patients"] > 0],
        {
            "label": ("Minutes", look.text),
            "patients": ("Patient-months", look.whole),
            "with_time": ("With time logged", look.whole),
        },
    )
