"""The one-file reports for the manager's mail: one page per practice and night, and one per close. Self-contained, without names.

The same marts and packet give the same bytes. A night's report follows the marts of that night; a close's report is written once, when its packet
is new, and stays what was mailed: only deleting it makes it anew.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.answer.pages import render
from orchestration.answer.waterfall import Bar, gap_bars
from orchestration.close.versions import DAMAGED, MANIFEST, packets
from orchestration.dashboard import queries
from orchestration.dashboard.marts import Marts, open_marts
from orchestration.house import House, HouseError, write_private
from orchestration.money import in_dollars

# The picture, in units of its view box.
LABELS, PLOT, ROW = 170, 430, 26
LONGEST_HELD = 200


@dataclass(frozen=True)
class Report:
    """One report: whose, of what month (close_version None: of a night), where, and whether this run wrote it."""

    practice_id: str
    month: date
    close_version: int | None
    path: Path
    is_new: bool


@dataclass(frozen=True)
class _Facts:
    """What the marts say of one month, by practice."""

    headline: dict[str, dict[str, Any]]
    gap: dict[str, list[dict[str, Any]]]
    steps: dict[str, list[dict[str, Any]]]
    undocumented: dict[str, list[dict[str, Any]]]
    items: dict[str, list[dict[str, Any]]]
    totals: dict[str, list[dict[str, Any]]]


def write_reports(house: House, practice_ids: Sequence[str] | None = None, month: date | None = None) -> list[Report]:
    """Writes reports/<practice_id>/<newest night>.html, where it has changed, and reports/<practice_id>/<YYYY-MM>-v<N>.html of each complete close
    that has none (0600); with a month only that month's closes. Returns all of these, written now or not. HouseError for an unknown practice."""
    with open_marts(house) as marts:
        nights = {row["practice_id"]: row for row in marts.rows(queries.NIGHTS)}
        if unknown := sorted(set(practice_ids or ()) - set(nights)):
            raise HouseError(f"--practice {unknown[0]}: is not published; there is {', '.join(nights)}")
        wanted = {name: row for name, row in nights.items() if practice_ids is None or name in practice_ids}
        reports = _of_nights(house, marts, wanted) if month is None else []
        return reports + _of_closes(house, marts, wanted, month)


def _of_nights(house: House, marts: Marts, nights: dict[str, dict[str, Any]]) -> list[Report]:
    waiting = _by_practice(row for row in marts.rows(queries.CLOSES) if row["state"] != "closed")
    # The lists of a night look at every month; the rest at the month that the night is in.
    lists = _lists(marts, None)
    by_month: dict[date, list[str]] = defaultdict(list)
    for name, night in nights.items():
        by_month[night["newest_night"].replace(day=1)].append(name)
    made = {}
    for month, names in by_month.items():
        facts = _facts(marts, month, lists)
        for name in names:
            if name not in facts.headline:
                continue  # it has landed nothing that makes a month
            page = _page(nights[name], month, facts, waiting=waiting.get(name, []), close=None)
            path = house.reports / name / f"{nights[name]['newest_night']}.html"
            made[name] = Report(name, month, None, path, _write_if_changed(path, page))
    return [made[name] for name in nights if name in made]


def _of_closes(house: House, marts: Marts, nights: dict[str, dict[str, Any]], month: date | None) -> list[Report]:
    reports: list[Report] = []
    missing: dict[date, list[tuple[Report, Path]]] = defaultdict(list)
    for packet in packets(house, month=month):
        # A practice that is no longer published keeps the reports that it has.
        if packet.practice_id not in nights:
            continue
        path = house.reports / packet.practice_id / f"{packet.month:%Y-%m}-v{packet.number}.html"
        report = Report(packet.practice_id, packet.month, packet.number, path, not path.exists())
        reports.append(report)
        if report.is_new:
            missing[report.month].append((report, packet.folder))
    for closed_month, those in missing.items():
        facts = _facts(marts, closed_month, _lists(marts, closed_month))
        for report, folder in those:
            try:
                close = _close(folder, report.close_version)
            except DAMAGED:
                close = None  # a damaged packet keeps nobody else from a report; `ccm doctor` names it
            if close is None or report.practice_id not in facts.headline:  # the extracts know nothing of the month any more
                reports.remove(report)
                continue
            write_private(report.path, _page(nights[report.practice_id], closed_month, facts, waiting=[], close=close))
    return reports


def _by_practice(rows: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["practice_id"]].append(row)
    return found


def _lists(marts: Marts, month: date | None) -> tuple[Any, Any, Any]:
    return (
        _by_practice(marts.rows(queries.UNDOCUMENTED, month=month)),
        _by_practice(marts.rows(queries.TOP_ITEMS, month=month)),
        _by_practice(marts.rows(queries.PRACTICE_ITEM_TOTALS, month=month)),
    )


def _facts(marts: Marts, month: date, lists: tuple[Any, Any, Any]) -> _Facts:
    return _Facts(
        {row["practice_id"]: row for row in marts.rows(queries.HEADLINE, month=month)},
        _by_practice(marts.rows(queries.GAP, month=month)),
        _by_practice(marts.rows(queries.STEPS, month=month)),
        *lists,
    )


def _page(night: dict[str, Any], month: date, facts: _Facts, *, waiting: list[dict[str, Any]], close: dict[str, Any] | None) -> str:
    name = night["practice_id"]
    bars = gap_bars(facts.gap.get(name, ()))
    return render(
        "report.html.j2",
        practice_id=name,
        night=night,
        month=month,
        headline=facts.headline[name],
        bars=[_drawn(bar, place, bars[0].end) for place, bar in enumerate(bars)],
        picture={"labels": LABELS, "plot": PLOT, "row": ROW, "height": ROW * len(bars) + 6},
        steps=facts.steps.get(name, []),
        members=_members(facts.undocumented.get(name, ())),
        totals=facts.totals.get(name, []),
        items=facts.items.get(name, []),
        waiting=waiting,
        close=close,
        money=money,
    )


def money(value: Decimal | int | None) -> str:
    """Nothing for null."""
    return "" if value is None else in_dollars(value)


def _drawn(bar: Bar, place: int, whole: Any) -> dict[str, Any]:
    """The bar's place in the picture: x and width in units of the view box, rounded so that the bytes are the same everywhere."""
    scale = float(PLOT) / float(whole) if whole else 0.0
    start, end = float(bar.start) * scale, float(bar.end) * scale
    return {
        "bar": bar,
        "x": round(LABELS + start, 1),
        "y": place * ROW + 4,
        "width": round(max(end - start, 0.5), 1),
        "text": round(LABELS + end + 6, 1),
    }


def _members(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Undocumented time by member, most minutes first, with what is older than 14 days."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        one = found.setdefault(
            row["member_id"] or "", {"items": 0, "minutes": 0, "dollars": Decimal(0), "old": 0, "due_on": row["first_due_on"]}
        )
        one["items"] += row["items"]
        one["minutes"] += row["minutes"]
        one["dollars"] += row["dollars"]
        one["old"] += row["items"] if row["age"] in ("15 to 30 days", "over 30 days") else 0
        one["due_on"] = min(one["due_on"], row["first_due_on"])
    return [{"member_id": name, **one} for name, one in sorted(found.items(), key=lambda pair: (-pair[1]["minutes"], pair[0]))]


def _close(packet: Path, version: int | None) -> dict[str, Any]:
    """What went out with one packet: by code, and what was held."""
    manifest = json.loads((packet / MANIFEST).read_text(encoding="utf-8"))
    codes: dict[str, dict[str, Any]] = {}
    claims = set()
    with (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            claims.add(row["claim_id"])
            one = codes.setdefault(
                row["procedure_code"], {"lines": 0, "units": 0, "charge_amount": Decimal(0), "allowed_amount": Decimal(0)}
            )
            one["lines"] += 1
            one["units"] += int(row["units"])
            one["charge_amount"] += Decimal(row["charge_amount"])
            one["allowed_amount"] += Decimal(row["allowed_amount"])
    with (packet / "held.csv").open(encoding="utf-8", newline="") as handle:
        held: list[dict[str, Any]] = [
            row | {"dollars_at_stake": Decimal(row["dollars_at_stake"])} for row in csv.DictReader(handle)
        ]
    held.sort(key=lambda row: (-row["dollars_at_stake"], row["patient_id"]))
    return {
        "version": version,
        "newest_night": manifest["newest_night"],
        "control_number": manifest.get("control_number"),
        "claims": len(claims),
        "codes": [{"code": code, **one} for code, one in sorted(codes.items())],
        "charge_amount": sum((one["charge_amount"] for one in codes.values()), Decimal(0)),
        "allowed_amount": sum((one["allowed_amount"] for one in codes.values()), Decimal(0)),
        "held": held[:LONGEST_HELD],
        "held_count": len(held),
        "held_amount": sum((row["dollars_at_stake"] for row in held), Decimal(0)),
    }


def _write_if_changed(path: Path, page: str) -> bool:
    if path.exists() and path.read_bytes() == page.encode():
        return False
    write_private(path, page)
    return True
