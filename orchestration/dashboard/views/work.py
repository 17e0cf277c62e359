"""What someone should do next, to filter and to take along."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from orchestration.answer.worklist import Item
from orchestration.answer.worklist_files import csv_text
from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View, open_marts

EVERY = "all"
OFFICE = "billing office"


def show(view: View) -> None:
    st.title("Work list")
    chosen = _filters(view)
    totals = view.frame(queries.ITEM_TOTALS, **chosen)
    count, worth = int(totals["items"].sum()), float(totals["dollars"].sum())
    st.caption(f"{view.where}; most dollars first.")
    look.tiles(
        {
            "Items": (look.whole(count), "What matches the filters."),
            "Worth": (look.money(worth), "What doing all of them would bring."),
        }
    )
    if count:
        st.download_button(
            f"Download {count:,} items as CSV",
            data=_download(view, chosen),
            file_name=f"worklist-{view.practice or 'all'}.csv",
            mime="text/csv",
            on_click="ignore",
        )
    look.table(
        view.frame(queries.ITEMS, **chosen),
        {
            "dollars_at_stake": ("Worth", look.money),
            **({} if view.practice else {"practice_id": ("Practice", look.name)}),
            "patient_id": ("Patient", look.name),
            "member_id": ("Who", _who),
            "detail": ("What to do", look.sentence),
            "minutes": ("Minutes", look.whole),
            **({} if view.month else {"month": ("Month", look.month)}),
            "due_on": ("Due", look.day),
            "last_day": ("Last day", look.day),
            "item_id": ("Item", look.item),
        },
        empty="Nothing to do that matches the filters.",
        as_cards=True,
    )
    if count > look.LONGEST_TABLE:
        st.caption(f"The first {look.LONGEST_TABLE} of {count:,} items; the download has them all.")
    st.subheader("By kind")
    look.table(
        totals,
        {
            "kind_group": ("Group", look.text),
            "kind": ("Kind", look.words),
            "items": ("Items", look.whole),
            "dollars": ("Worth", look.money),
        },
    )


def _who(member: Any) -> str:
    return look.text(member) or OFFICE


def _filters(view: View) -> dict[str, Any]:
    kinds = list(view.frame(queries.KINDS)["kind"])
    members = list(view.frame(queries.MEMBERS)["member_id"])
    first, second, third, fourth = st.columns([3, 3, 2, 2])
    kind = first.selectbox("Kind", [EVERY, *kinds], format_func=look.words, key="work_kind")
    member = second.selectbox("Who", [EVERY, *members], format_func=lambda name: name or OFFICE, key="work_member")
    due_by: date | None = third.date_input("Due by", value=None, format="YYYY-MM-DD", key="work_due_by")
    fourth.html("&nbsp;")
    put_off = fourth.checkbox("With what was put off", key="work_put_off")
    return {
        "kind": None if kind == EVERY else kind,
        "member": None if member == EVERY else member,
        "due_by": due_by,
        "put_off": put_off,
    }


def _download(view: View, chosen: dict[str, Any]) -> Callable[[], str]:
    """The list as the nightly files have it; read when the button is pressed, by then the page's own file is closed."""

    def content() -> str:
        with open_marts(view.house) as marts:
            rows = marts.rows(queries.ALL_ITEMS, practice=view.practice, month=view.month, **chosen)
        return csv_text([Item(**row) for row in rows], of_several=view.practice is None)

    return content
