"""Work that cannot be billed until someone documents it: whose, how old, what it is worth."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

AGES = {"0 to 7 days": look.SKY, "8 to 14 days": look.BLUE, "15 to 30 days": look.ORANGE, "over 30 days": look.VERMILLION}
MOST_MEMBERS = 25


def show(view: View) -> None:
    st.title("Undocumented time")
    st.caption(f"{view.where}; age counts from the night it was first found to the practice's newest night.")
    rows = view.frame(queries.UNDOCUMENTED)
    look.tiles(
        {
            "Items": (look.whole(rows["items"].sum()), "Missing notes, open timers, completed visits without time."),
            "Minutes": (
                look.whole(rows["minutes"].sum()),
                "Whole minutes of each item, so they come to less than a month's below. Open timers have none yet.",
            ),
            "At stake": (look.money(rows["dollars"].sum()), "What documenting all of it would bring."),
            "Care team members": (look.whole(rows[["practice_id", "member_id"]].drop_duplicates().shape[0]), "Who can mend it."),
        }
    )
    if not rows.empty:
        _by_member(rows)
    _trend(view)


def _by_member(rows: pd.DataFrame) -> None:
    st.subheader("By care team member and age")
    whose = ["practice_id", "member_id"]
    totals = rows.groupby(whose, as_index=False).agg(
        items=("items", "sum"), minutes=("minutes", "sum"), dollars=("dollars", "sum"), first_due_on=("first_due_on", "min")
    )
    totals = totals.sort_values(["minutes", "items", *whose], ascending=[False, False, True, True])
    for kind in ("missing_note", "open_timer", "visit_without_time", "call_without_time"):
        count = rows[rows["kind"] == kind].groupby(whose)["items"].sum().rename(kind)
        totals = totals.join(count, on=whose)
    for age in AGES:
        count = rows[rows["age"] == age].groupby(whose)["items"].sum().rename(age)
        totals = totals.join(count, on=whose)
    many = rows["practice_id"].nunique() > 1
    drawn = rows.groupby([*whose, "age"], as_index=False)[["minutes", "items"]].sum()
    drawn = drawn.merge(totals.head(MOST_MEMBERS)[whose])
    drawn["who"] = drawn["practice_id"] + " · " + drawn["member_id"] if many else drawn["member_id"]
    order = [f"{row.practice_id} · {row.member_id}" if many else row.member_id for row in totals.head(MOST_MEMBERS).itertuples()]
    drawn["place"] = drawn["age"].map(list(AGES).index)
    look.chart(
        alt.Chart(drawn)
        .mark_bar(stroke="white", strokeWidth=1)
        .encode(
            y=alt.Y("who:N", sort=order, title=None),
            x=alt.X("minutes:Q", title="Undocumented minutes", axis=alt.Axis(format=",.0f")),
            color=alt.Color(
                "age:N",
                sort=list(AGES),
                title="Age",
                legend=alt.Legend(orient="top", columns=2),
                scale=alt.Scale(domain=list(AGES), range=list(AGES.values())),
            ),
            order=alt.Order("place:Q"),
            tooltip=["who:N", "age:N", alt.Tooltip("minutes:Q", format=","), alt.Tooltip("items:Q", format=",")],
        ),
        height=26 * len(order) + 90,
    )
    look.table(
        totals,
        {
            "practice_id": ("Practice", look.name),
            "member_id": ("Member", look.name),
            "items": ("Items", look.whole),
            "minutes": ("Minutes", look.whole),
            "dollars": ("At stake", look.money),
            "first_due_on": ("First due", look.day),
            "missing_note": ("Notes", look.whole),
            "open_timer": ("Timers", look.whole),
            "visit_without_time": ("Visits", look.whole),
            "call_without_time": ("Calls", look.whole),
            **{age: (age, look.whole) for age in AGES},
        },
    )


def _trend(view: View) -> None:
    st.subheader("Share of minutes that nobody documented, by month")
    trend = view.frame(queries.TREND)
    total = trend["credited_minutes"] + trend["undocumented_minutes"]
    trend["share"] = (trend["undocumented_minutes"] / total).where(total > 0)
    trend["label"] = trend["month"].dt.strftime("%Y-%m")
    if trend["share"].notna().any():
        base = alt.Chart(trend).encode(
            x=alt.X("label:N", title="Month", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("share:Q", title="Undocumented share", axis=alt.Axis(format=".0%")),
        )
        trend["text"] = trend["share"].map(look.share)
        look.chart(
            base.mark_line(color=look.BLUE, point=alt.OverlayMarkDef(color=look.BLUE, size=60))
            + base.mark_text(dy=-12, color=look.INK).encode(text="text:N"),
            height=230,
        )
    look.table(
        trend.sort_values("month", ascending=False),
        {
            "month": ("Month", look.month),
            "credited_minutes": ("Credited minutes", look.whole),
            "undocumented_minutes": ("Undocumented minutes", look.whole),
            "share": ("Share", look.share),
            "items": ("Items", look.whole),
        },
    )
    st.subheader("By member and month")
    look.table(
        view.frame(queries.MEMBER_TREND),
        {
            "practice_id": ("Practice", look.name),
            "member_id": ("Member", look.name),
            "month": ("Month", look.month),
            "credited_minutes": ("Credited minutes", look.whole),
            "undocumented_minutes": ("Undocumented minutes", look.whole),
            "undocumented_share": ("Share", look.share),
        },
    )
