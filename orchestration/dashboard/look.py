"""How things look: colours that colour-blind people tell apart (Okabe and Ito), tables that a keyboard, a screen reader and a printer can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from html import escape
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from orchestration.dashboard import queries
from orchestration.money import in_dollars

BLUE, ORANGE, GREEN, VERMILLION, SKY, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#767676"
INK = "#1a1a1a"
# What is needed whole can be downloaded or asked of marts.duckdb.
LONGEST_TABLE = queries.LONGEST_TABLE

CSS = """
<style>
.block-container { padding: 2.6rem 3rem 6rem; max-width: 80rem; }
table.ccm { border-collapse: collapse; width: 100%; font-size: .88rem; margin: 0 0 1rem; }
table.ccm caption { text-align: left; color: #4d4d4d; padding: .2rem 0; caption-side: bottom; }
table.ccm th, table.ccm td { text-align: left; vertical-align: top; padding: .3rem .45rem; border: 0; border-bottom: 1px solid #d0d0d0; }
table.ccm th { background: #f4f6f8; font-weight: 600; }
table.ccm td.n, table.ccm th.n { text-align: right; font-variant-numeric: tabular-nums; }
table.ccm td.n { white-space: nowrap; }
table.ccm td.k { white-space: nowrap; }
table.ccm td.w { min-width: 14rem; }
table.ccm td.i { font: .76rem ui-monospace, Consolas, monospace; overflow-wrap: anywhere; min-width: 6rem; }
[data-testid="stMetricValue"] { font-size: 1.5rem; }
.wide { overflow-x: auto; }
a:focus-visible, button:focus-visible, input:focus-visible { outline: 3px solid #0072B2 !important; outline-offset: 2px; }
/* On a telephone each row of a list is a card: its sentences over the whole width, the rest around them, each with its header's words. */
@media screen and (max-width: 640px) {
  .block-container { padding: 2.6rem 1rem 4rem; }
  table.cards, table.cards tbody, table.cards caption { display: block; }
  table.cards thead { display: none; }
  table.cards tr { display: block; padding: .5rem 0; border-bottom: 2px solid #d0d0d0; }
  table.cards td { display: inline-block; padding: .1rem .9rem .1rem 0; border: 0; }
  table.cards td.n, table.cards td.i { text-align: left; min-width: 0; }
  table.cards td.w { display: block; min-width: 0; padding: .2rem 0; }
  table.cards td:empty { display: none; }
  table.cards td:not(.w)::before { content: attr(data-header) " "; color: #4d4d4d; font: .76rem "Source Sans", sans-serif; }
}
.printed { display: none; }
@page { size: landscape; margin: 12mm; }
@media print {
  .printed { display: block; }
  .wide { overflow: visible; }
  table.ccm { font-size: .7rem; } table.ccm th, table.ccm td { padding: .2rem .35rem; } table.ccm td.w { min-width: 0; }
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDownloadButton"],
  [data-testid="stExpandSidebarButton"] { display: none !important; }
  html, body, #root, .stApp, .stApp > *, [data-testid="stAppViewContainer"], [data-testid="stMain"], section.main {
    position: static !important; overflow: visible !important; height: auto !important; }
  .block-container { padding: 0 !important; max-width: none !important; }
  table.ccm tr, [data-testid="stVegaLiteChart"], [data-testid="stMetric"] { break-inside: avoid; }
  table.ccm thead { display: table-header-group; }
  h2, h3 { break-after: avoid; }
}
</style>
"""


def nothing(value: Any) -> bool:
    return value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value))


def money(value: Any) -> str:
    return "" if nothing(value) else in_dollars(value)


def dollars(value: Any) -> str:
    """Whole dollars, for labels in pictures."""
    return "" if nothing(value) else in_dollars(value, cents=False)


def whole(value: Any) -> str:
    return "" if nothing(value) else f"{int(value):,}"


def tenth(value: Any) -> str:
    return "" if nothing(value) else f"{value:,.1f}"


def share(value: Any) -> str:
    return "" if nothing(value) else f"{value:.1%}"


def month(value: Any) -> str:
    return "" if nothing(value) else f"{value:%Y-%m}"


def day(value: Any) -> str:
    return "" if nothing(value) else f"{value:%Y-%m-%d}"


def words(value: Any) -> str:
    return "" if nothing(value) else str(value).replace("_", " ")


def name(value: Any) -> str:
    """An id or a word that is not broken over two lines."""
    return text(value)


def state(value: Any) -> str:
    """A word of a vocabulary, on one line."""
    return words(value)


def sentence(value: Any) -> str:
    """Words that need room."""
    return text(value)


def item(value: Any) -> str:
    """A long id: small, broken anywhere."""
    return text(value)


def text(value: Any) -> str:
    if nothing(value):
        return ""
    return day(value) if isinstance(value, date | datetime) else str(value)


NUMBERS = (money, dollars, whole, tenth, share)
STYLES: dict[Callable[[Any], str], str] = {month: "k", day: "k", name: "k", state: "k", sentence: "w", item: "i"} | dict.fromkeys(
    NUMBERS, "n"
)


def table(
    frame: pd.DataFrame,
    columns: Mapping[str, tuple[str, Callable[[Any], str]]],
    *,
    empty: str = "Nothing here.",
    as_cards: bool = False,
) -> None:
    """A table of plain HTML: column name -> (header, how its values are written). Everything is escaped. `as_cards`: on a narrow screen a card a row."""
    if frame.empty:
        st.info(empty)
        return
    shown = frame.head(LONGEST_TABLE)
    head = "".join(f'<th scope="col"{_kind(form)}>{escape(header)}</th>' for header, form in columns.values())
    body = "".join(
        "<tr>"
        + "".join(
            f'<td{_kind(form)} data-header="{escape(header)}">{escape(form(row[name]))}</td>'
            for name, (header, form) in columns.items()
        )
        + "</tr>"
        for row in shown.to_dict("records")
    )
    # A query that gives one row more than are shown has been cut itself (queries.MOST_ROWS).
    of = "rows; there are more" if len(frame) == queries.MOST_ROWS else f"of {len(frame):,} rows"
    note = f"<caption>The first {len(shown):,} {of}.</caption>" if len(frame) > len(shown) else ""
    cards = " cards" if as_cards else ""
    st.html(f'<div class="wide"><table class="ccm{cards}">{note}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _kind(form: Callable[[Any], str]) -> str:
    return f' class="{STYLES[form]}"' if form in STYLES else ""


def tiles(values: Mapping[str, tuple[str, str]], per_row: int = 4) -> None:
    """Figures in rows: label -> (value, what it means)."""
    pairs = list(values.items())
    for start in range(0, len(pairs), per_row):
        for column, (label, (value, meaning)) in zip(st.columns(per_row), pairs[start : start + per_row], strict=False):
            column.metric(label, value, help=meaning, border=True)


def chart(picture: alt.Chart | alt.LayerChart | alt.HConcatChart, height: int | None = None) -> None:
    if height is not None:
        picture = picture.properties(height=height)
    picture = picture.configure_axis(
        labelColor=INK, titleColor=INK, labelLimit=260, labelFlush=False, labelFontSize=12, titleFontSize=12
    ).configure_legend(labelColor=INK, titleColor=INK, labelFontSize=12, labelLimit=300)
    st.altair_chart(picture, width="stretch")


def bars(
    frame: pd.DataFrame, x: str, x_title: str, y: str, labels: str, *, color: str = BLUE, axis: str = ",.0f"
) -> alt.LayerChart:
    """Horizontal bars in the frame's order with their values written at the end."""
    base = alt.Chart(frame).encode(y=alt.Y(f"{y}:N", sort=list(frame[y]), title=None))
    room = float(frame[x].max() or 1) * 1.22
    drawn = base.mark_bar(color=color).encode(
        x=alt.X(
            f"{x}:Q",
            title=x_title,
            axis=alt.Axis(format=axis, tickCount=7),
            scale=alt.Scale(domain=[min(0.0, float(frame[x].min())), room], nice=False),
        )
    )
    return drawn + base.mark_text(align="left", dx=5, color=INK).encode(x=f"{x}:Q", text=f"{labels}:N")
