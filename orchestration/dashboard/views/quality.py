"""What the extracts were like: rows in, rows taken, what was wrong with the others."""

from __future__ import annotations

import altair as alt
import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

NIGHTS_SHOWN = 14
COUNTS = {
    "rows_received": ("Received", look.whole),
    "rows_accepted": ("Accepted", look.whole),
    "rows_quarantined": ("In quarantine", look.whole),
    "rows_superseded": ("Superseded", look.whole),
}
# What became of a file that failed.
SINCE = {
    "landed_again": "✔ landed again",
    "replaced": "✔ a later file took its place",
    "accepted": "✔ its loss was accepted",
    "stands": "✘ nothing took its place: it holds the close",
}


def show(view: View) -> None:
    st.title("Data quality")
    st.caption(
        f"{view.practice or 'all practices'}; received = accepted + quarantined + superseded, of the newest version of each night's files."
    )
    tables = view.frame(queries.ROWS_BY_TABLE)
    failed = view.frame(queries.FAILED_FILES)
    total = tables.sum(numeric_only=True)
    look.tiles(
        {
            "Rows received": (look.whole(total["rows_received"]), "In all files of all nights."),
            "Accepted": (look.whole(total["rows_accepted"]), "Taken in."),
            "In quarantine": (look.whole(total["rows_quarantined"]), "Break the contract; the reason is below."),
            "Superseded": (look.whole(total["rows_superseded"]), "Lost to another row of the same key in the same file."),
            "Files that failed": (
                look.whole(failed["failed_files"].max() if len(failed) else 0),
                "Rejected as a whole, landed again or not.",
            ),
        },
        per_row=5,
    )
    st.subheader("Files that failed")
    look.table(
        failed,
        {
            "extract_date": ("Night", look.day),
            "practice_id": ("Practice", look.name),
            "table_name": ("Table", look.name),
            "rejected": ("Times rejected", look.whole),
            "since_then": ("Since then", _since),
            "reason": ("What is wrong", look.sentence),
        },
        empty="Every file could be taken in.",
    )
    _holds(view)
    nights = view.frame(queries.ROWS_BY_NIGHT)
    st.subheader("Rows in quarantine by night")
    if nights["rows_quarantined"].sum():
        look.chart(
            alt.Chart(nights)
            .mark_bar(color=look.ORANGE, stroke="white", strokeWidth=1, width=4)
            .encode(
                x=alt.X("extract_date:T", title="Night", axis=alt.Axis(format="%Y-%m-%d", labelAngle=0, tickCount=8)),
                y=alt.Y(
                    "rows_quarantined:Q",
                    title="Rows (log scale)",
                    scale=alt.Scale(type="symlog"),
                    axis=alt.Axis(format=",.0f", values=[0, 1, 10, 100, 1_000, 10_000, 100_000]),
                ),
                tooltip=[
                    alt.Tooltip("extract_date:T", title="Night", format="%Y-%m-%d"),
                    alt.Tooltip("rows_quarantined:Q", title="Rows", format=","),
                ],
            ),
            height=200,
        )
    else:
        st.info("No row is in quarantine.")
    st.subheader("Rows in quarantine by reason")
    look.table(
        view.frame(queries.QUARANTINE),
        {
            "table_name": ("Table", look.name),
            "column_name": ("Column", look.text),
            "reason": ("What is wrong", look.sentence),
            "rows": ("Rows", look.whole),
            "practices": ("Practices", look.whole),
            "last_night": ("Last night", look.day),
        },
        empty="No row is in quarantine.",
    )
    st.subheader("Rows in quarantine one by one")
    look.table(
        view.frame(queries.QUARANTINED_ROWS),
        {
            "extract_date": ("Night", look.day),
            "practice_id": ("Practice", look.name),
            "table_name": ("Table", look.name),
            "line_number": ("Line", look.whole),
            "column_name": ("Column", look.text),
            "reason": ("What is wrong", look.sentence),
        },
        empty="No single row is in quarantine.",
    )
    st.subheader("Rows by table")
    look.table(tables, {"table_name": ("Table", look.name), **COUNTS})
    st.subheader("Rows of the newest nights")
    look.table(
        nights.sort_values("extract_date", ascending=False).head(NIGHTS_SHOWN), {"extract_date": ("Night", look.day), **COUNTS}
    )


def _holds(view: View) -> None:
    """What waits before a close, and what else was out of the ordinary."""
    st.subheader("Waits to be mended or accepted")
    look.table(
        view.frame(queries.HOLDS),
        {
            "extract_date": ("Night", look.day),
            "practice_id": ("Practice", look.name),
            "table_name": ("Table", look.name),
            "measure": ("What", look.words),
            "holds": ("Times", look.whole),
            "explanation": ("What is wrong", look.sentence),
            "is_accepted": ("Since then", lambda accepted: "✔ accepted" if accepted else "✘ holds the close or a claim"),
        },
        empty="Nothing holds a close or a claim.",
    )
    st.subheader("Out of the ordinary")
    look.table(
        view.frame(queries.DRIFT),
        {
            "extract_date": ("Night", look.day),
            "practice_id": ("Practice", look.name),
            "table_name": ("Table", look.name),
            "measure": ("What", look.words),
            "explanation": ("In numbers", look.sentence),
        },
        empty="Every night was like those before.",
    )


def _since(what: str) -> str:
    return SINCE[what]
