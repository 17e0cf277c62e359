"""The story as one printable page, the audit packet."""

from __future__ import annotations

from typing import Any

from orchestration.answer.explain.text import anew, changed, clock, of_track, said_of, said_of_coverage
from orchestration.answer.pages import render
from orchestration.money import price


def page(story: dict[str, Any]) -> str:
    """Self-contained HTML, everything in it escaped."""
    said = {
        "clock": clock,
        "dollars": price,
        "said_of": said_of,
        "anew": anew,
        "changed": changed,
        "of_track": of_track,
        "said_of_coverage": said_of_coverage,
    }
    return render("audit_packet.html.j2", story=story, **said)
