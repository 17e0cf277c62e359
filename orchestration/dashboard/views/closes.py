"""Where the close of every practice-month stands."""

from __future__ import annotations

from html import escape
from typing import Any

import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

# A sign and a word each: nobody has to tell colours apart.
STATES = {
    "closed": (
        "✔",
        "closed",
        "#E0F0F8",
        "What could be claimed went out; claims that a payer turned back unprocessed are rejected, and make it the colour of what is due.",
    ),
    "proposed": ("✎", "proposed", "#F7E9F1", "Waits for the approver."),
    "due": ("●", "due", "#FCE9CC", "Its day has come: it closes unless the gate refuses (`ccm close` says why)."),
    "open": ("○", "open", "#FFFFFF", "Too early."),
}
MOST_MONTHS = 24


def show(view: View) -> None:
    st.title("Close calendar")
    st.caption(view.practice or "all practices")
    rows = view.frame(queries.CLOSES)
    if rows.empty:
        st.info("No month yet.")
        return
    months = sorted(rows["month"].unique())[-MOST_MONTHS:]
    cells = {(row.practice_id, row.month): row for row in rows.itertuples()}
    practices = list(dict.fromkeys(rows["practice_id"]))
    head = "".join(f'<th scope="col">{look.month(month)}</th>' for month in months)
    body = "".join(
        f'<tr><th scope="row">{escape(practice)}</th>' + "".join(_cell(cells.get((practice, month))) for month in months) + "</tr>"
        for practice in practices[: look.LONGEST_TABLE]
    )
    st.html(
        f'<div class="wide"><table class="ccm"><thead><tr><th scope="col">Practice</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )
    if len(practices) > look.LONGEST_TABLE:
        st.caption(f"The first {look.LONGEST_TABLE} of {len(practices):,} practices; choose one on the left.")
    st.caption(" · ".join(f"{sign} {word}: {meaning}" for sign, word, _, meaning in STATES.values()))
    st.subheader("Months that wait")
    look.table(
        rows[rows["state"] != "closed"].sort_values(["first_close_on", "practice_id"]),
        {
            "practice_id": ("Practice", look.name),
            "month": ("Month", look.month),
            "state": ("State", look.text),
            "first_close_on": ("May close from", look.day),
            "final_close_on": ("Nothing held from", look.day),
            "newest_night": ("As of night", look.day),
            "claimable": ("Claimable", look.whole),
            "claimable_amount": ("Allowed", look.money),
            "held": ("Held", look.whole),
            "held_amount": ("Allowed", look.money),
        },
        empty="Every month is closed.",
    )
    st.subheader("Closed months")
    st.caption("Claims that went out, but for those that a payer turned back unprocessed, at the allowed amounts they went out at.")
    look.table(
        rows[rows["state"] == "closed"].sort_values(["month", "practice_id"], ascending=[False, True]),
        {
            "practice_id": ("Practice", look.name),
            "month": ("Month", look.month),
            "close_version": ("Version", look.whole),
            "claims": ("Claims", look.whole),
            "claimed_amount": ("Allowed", look.money),
            "rejected": ("Rejected", look.whole),
            "claimable": ("Claimable since", look.whole),
            "claimable_amount": ("Allowed", look.money),
            "held": ("Held", look.whole),
            "held_amount": ("Allowed", look.money),
        },
        empty="No month is closed yet.",
    )


def _cell(row: Any) -> str:
    if row is None:
        return "<td></td>"
    sign, word, colour, _ = STATES[row.state]
    if row.state != "closed":
        return f'<td style="background-color:{colour}">{sign} {word}<br>{look.money(row.claimable_amount)}</td>'
    became = [look.money(row.claimed_amount)] if row.claims else []
    if row.rejected:
        became.append(f"{row.rejected:,.0f} rejected")
        colour = STATES["due"][2]
    said = "<br>".join([f"{sign} {word} v{row.close_version:.0f}", *(became or ["no claims"])])
    return f'<td style="background-color:{colour}">{said}</td>'
