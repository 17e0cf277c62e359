"""What Streamlit runs: `ccm dashboard` starts it. One run of this file shows one page from one moment of marts.duckdb."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import duckdb
import streamlit as st

from orchestration import access
from orchestration.dashboard import look, password, queries
from orchestration.dashboard.marts import Marts, View, open_marts
from orchestration.dashboard.views import claims, closes, enrollment, gap, minutes, overview, quality, undocumented, work
from orchestration.discretion import record
from orchestration.house import House, HouseError

ALL_PRACTICES, ALL_MONTHS = "All practices", "All months"


@dataclass(frozen=True)
class Page:
    """A page: its address, its title, what shows it, and its choice of a month: starts with the newest, with all of them, takes always one, or has none."""

    path: str
    title: str
    show: Callable[[View], None]
    months: Literal["newest", "all", "one"] | None = "newest"


PAGES = (
    Page("overview", "Overview", overview.show),
    Page("funnel", "Enrollment funnel", enrollment.show),
    Page("gap", "Revenue gap", gap.show),
    Page("minutes", "Minutes", minutes.show, "one"),
    Page("undocumented", "Undocumented time", undocumented.show, "all"),
    Page("worklist", "Work list", work.show, "all"),
    Page("closes", "Close calendar", closes.show, None),
    Page("claims", "Claims and denials", claims.show, None),
    Page("quality", "Data quality", quality.show, None),
)


def main() -> None:
    st.set_page_config(page_title="CCM billing capture", layout="wide", initial_sidebar_state="auto")
    st.html(look.CSS)
    house = House.from_environment()
    try:
        if not _may_see(house):
            return
    except HouseError as error:
        _friendly("Nothing is shown", str(error))
        return
    # Streamlit shows the first page at `/` alone: under its own address it is a page more, in no list.
    first, *others = PAGES
    made = {page.path: st.Page(_nothing, title=page.title, url_path=page.path) for page in others}
    at_root = st.Page(_nothing, title=first.title, url_path="", default=True)
    addressed = st.Page(_nothing, title=first.title, url_path=first.path, visibility="hidden")
    chosen = st.navigation([at_root, *made.values(), addressed])
    page = next((page for page in others if made[page.path] == chosen), first)
    try:
        with open_marts(house) as marts:
            view = _view(house, marts, page)
            _note(house, page, view)
            page.show(view)
    except HouseError as error:
        _friendly("Nothing to show yet", str(error))
    except duckdb.Error as error:
        record(house, "dashboard", error)
        _friendly(
            "These marts are of another version",
            f"{house.marts}: lacks something that this page shows; run `ccm nightly --full`, which publishes everything again",
        )
    except Exception as error:
        record(house, "dashboard", error)
        _friendly(
            "A defect of ccm, not of your data", f"{type(error).__name__}; the details are in {house.state / 'ccm-errors.log'}"
        )


def _may_see(house: House) -> bool:
    """Whether this visitor may see a page: on this machine alone everybody, else who gave the password. Asks for it."""
    file = os.environ.get(password.VARIABLE)
    if file is None:
        address = st.get_option("server.address")
        if address is not None and not password.is_this_machine(address):
            raise HouseError(f"the dashboard is open to {address} without a password; start it with `ccm dashboard`")
        return True
    content = password.read_password(Path(file))
    # A password that was changed is asked for again.
    if st.session_state.get("gave the password of") == content:
        return True
    st.title("CCM billing capture")
    with st.form("password", border=False):
        given = st.text_input("Password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Show the dashboard")
    if sent:
        if password.is_password(content, given):
            st.session_state["gave the password of"] = content
            st.rerun()
        access.note(house, "dashboard", page="password refused", visitor=st.context.ip_address)
        time.sleep(1)
        st.error("That is not the password.")
    return False


def _note(house: House, page: Page, view: View) -> None:
    """Records what is shown, once until something else is asked for."""
    shown = (page.path, view.practice, view.month)
    if st.session_state.get("noted") == shown:
        return
    trouble = access.note(
        house,
        "dashboard",
        page=page.path,
        practice_id=view.practice,
        month=None if view.month is None else f"{view.month:%Y-%m}",
        visitor=st.context.ip_address,
    )
    if trouble:
        st.warning(trouble)
    st.session_state["noted"] = shown


def _nothing() -> None:
    """Streamlit wants a callable for each page; what a page shows is decided below, where the marts are open."""


def _view(house: House, marts: Marts, page: Page) -> View:
    nights = {row["practice_id"]: row["newest_night"] for row in marts.rows(queries.NIGHTS)}
    # Where files came and none could be taken in, the page that says why is the one to look at.
    if not nights and page.path != "quality":
        raise HouseError(
            f"{house.marts}: no night is taken in yet; drop extracts into {house.landing} and run `ccm nightly`; "
            "what came and was not accepted stands on the page Data quality"
        )
    practice, month = None, None
    with st.sidebar:
        picked = st.selectbox("Practice", [ALL_PRACTICES, *nights], key="practice")
        practice = None if picked == ALL_PRACTICES else picked
        if page.months is not None:
            # Of one practice its own: where it is behind the others their newest month would say 0 of everything.
            months: list[date] = [row["month"] for row in marts.rows(queries.MONTHS, practice=practice)]
            # Each page starts with what suits it: the newest month, or all of them where old work still counts.
            options = [f"{one:%Y-%m}" for one in months]
            if page.months != "one" or not options:
                options.insert(0, ALL_MONTHS)
            # A month that was asked for on one page is asked for on the next.
            newest = f"{months[0]:%Y-%m}" if months else ALL_MONTHS
            kept = st.session_state.get("month asked for", newest)
            start = ALL_MONTHS if page.months == "all" else kept if kept in options else newest
            picked = st.selectbox("Month", options, index=options.index(start), key=f"month {page.months}")
            month = None if picked == ALL_MONTHS else date.fromisoformat(f"{picked}-01")
            if page.months != "all":
                st.session_state["month asked for"] = picked
        shown = [nights[practice]] if practice in nights else sorted(set(nights.values()))
        as_of = f"As of night {look.day(shown[0])}" if shown else "No night is taken in yet"
        as_of += f" to {look.day(shown[-1])}" if len(shown) > 1 else ""
        st.caption(as_of)
        if practice is None and len(nights) > 1:
            with st.expander("Night of each practice"):
                st.html(
                    "<br>".join(
                        f"{look.escape(name)}: {look.day(night)}" for name, night in list(nights.items())[: look.LONGEST_TABLE]
                    )
                )
    # On paper, where the sidebar is not, the page says it itself.
    st.html(f'<p class="printed">{as_of}, {look.escape(practice or ALL_PRACTICES)}</p>')
    return View(house, marts, practice if practice in nights else None, month)


def _friendly(title: str, says: str) -> None:
    st.title(title)
    st.info(says)
    st.caption("Then reload this page. The dashboard reads only marts.duckdb and never waits for a run.")


main()
