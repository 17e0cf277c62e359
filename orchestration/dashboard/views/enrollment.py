"""How far patients get, how long each step takes, and where enrollment goes from here."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

BASES = {"history": "own pace", "pace": "ten a month"}


def show(view: View) -> None:
    st.title("Enrollment funnel")
    st.caption(f"{view.where}; each stage counts patients who also reached every stage before it.")
    funnel = view.frame(queries.FUNNEL).groupby(["stage_number", "stage", "meaning"], as_index=False)["patients"].sum()
    before = funnel["patients"].shift()
    funnel["share"] = (funnel["patients"] / before).where(before > 0)
    funnel["name"] = funnel["stage"].map(look.words)
    funnel["label"] = [
        f"{look.whole(row.patients)}" + (f"  ({row.share:.0%})" if not look.nothing(row.share) else "")
        for row in funnel.itertuples()
    ]
    unit = "Patients" if view.month else "Patient-months"
    look.chart(look.bars(funnel, "patients", f"{unit} (of the stage before)", "name", "label"), height=360)
    look.table(
        funnel,
        {
            "stage_number": ("Stage", look.whole),
            "name": ("", look.state),
            "patients": (unit, look.whole),
            "share": ("Of the stage before", look.share),
            "meaning": ("Meaning", look.sentence),
        },
    )
    left, right = st.columns([2, 3])
    with left:
        st.subheader("State of enrollment")
        look.table(view.frame(queries.STATES), {"state": ("State", look.words), "patients": (unit, look.whole)})
    with right:
        st.subheader("Enrolled of eligible, beside the nation")
        _benchmark(view)
    st.subheader("How long each step takes")
    look.table(
        view.frame(queries.DURATIONS),
        {
            "practice_id": ("Practice", look.name),
            "stage": ("To stage", look.words),
            "patients": ("Patients ever", look.whole),
            "share_of_previous": ("Went on", look.share),
            "median_days": ("Median days", look.tenth),
        },
    )
    st.caption(
        "Went on: of the patients who reached the stage before on a day since the practice's first month here, the share who reached this one. "
        "Patients ever counts also those who were further before that month, so the one is no quotient of the other."
    )
    _projection(view)


def _benchmark(view: View) -> None:
    rows = view.frame(queries.BENCHMARK)
    if rows.empty:
        st.info("No month yet.")
        return
    by_month = rows.groupby("month").agg(
        practices=("practice_id", "nunique"),
        eligible=("eligible_patients", "sum"),
        enrolled=("enrolled_patients", "sum"),
        waiting=("waiting_patients", "sum"),
        cost=("cost_of_delay_amount", "sum"),
        national=("national_share", "max"),
    )
    by_month = by_month.reset_index().sort_values("month", ascending=False)
    by_month["share"] = (by_month["enrolled"] / by_month["eligible"]).where(by_month["eligible"] > 0)
    look.table(
        by_month,
        {
            "month": ("Month", look.month),
            **({} if view.practice else {"practices": ("Practices", look.whole)}),
            "share": ("Enrolled", look.share),
            "national": ("Nationally", look.share),
            "waiting": ("Waiting", look.whole),
            "cost": ("Cost of a month", look.money),
        },
    )
    st.caption(
        "Waiting: eligible, enrolled neither here nor elsewhere, and not declined. Cost of a month: what they would bring in it at the base code."
    )


def _projection(view: View) -> None:
    rows = view.frame(queries.PROJECTION)
    st.subheader("Projection")
    if rows.empty:
        st.info("No projection yet: no practice has a published month.")
        return
    rows["label"] = rows["month"].dt.strftime("%Y-%m")
    rows["basis"] = rows["basis"].map(BASES)
    names = list(BASES.values())
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("label:N", title="Month", axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("enrolled:Q", title="Patients enrolled", axis=alt.Axis(format=",.0f")),
        tooltip=[
            "label:N",
            "basis:N",
            alt.Tooltip("enrolled:Q", format=","),
            alt.Tooltip("monthly_revenue:Q", format="$,.2f", title="a month"),
        ],
    )
    look.chart(
        base.mark_line(strokeWidth=2.5).encode(
            color=alt.Color(
                "basis:N",
                sort=names,
                title="Growth",
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=names, range=[look.BLUE, look.VERMILLION]),
            ),
            strokeDash=alt.StrokeDash("basis:N", sort=names, scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]])),
        ),
        height=280,
    )
    wide = rows.pivot_table(index="month", columns="basis", values=["enrolled", "monthly_revenue"], aggfunc="sum")
    ahead = pd.DataFrame({"month": wide.index})
    for name in names:
        for column in ("enrolled", "monthly_revenue"):
            ahead[f"{name} {column}"] = wide[(column, name)].to_numpy()
    look.table(
        ahead.iloc[[place for place in (0, 5, 11, 17, 23) if place < len(ahead)]],
        {
            "month": ("Month", look.month),
            "own pace enrolled": ("Own pace: enrolled", look.whole),
            "own pace monthly_revenue": ("Dollars a month", look.money),
            "ten a month enrolled": ("Ten a month: enrolled", look.whole),
            "ten a month monthly_revenue": ("Dollars a month", look.money),
        },
    )
    st.subheader("What a panel of a given size brings")
    look.table(
        view.frame(queries.REVENUE_TABLE),
        {
            "practice_id": ("Practice", look.name),
            "patients": ("Enrolled patients", look.whole),
            "base_code_amount": ("Base code allowed", look.money),
            "monthly_revenue": ("A month", look.money),
            "yearly_revenue": ("A year", look.money),
        },
    )
