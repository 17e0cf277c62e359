"""Draws architecture.svg: `python docs/pictures/architecture.py`."""

from __future__ import annotations

from html import escape
from pathlib import Path

WIDTH, HEIGHT, TALL = 1240, 660, 72
# (x, y, width, title, lines, colour)
BOXES = [
    (20, 170, 160, "landing/", ["panel, scheduling,", "time log: every night"], "#eef3f8"),
    (230, 170, 170, "01 take in", ["contracts, quarantine,", "row accounting"], "#dbe9f6"),
    (450, 170, 160, "lake/", ["one batch a run,", "immutable Parquet"], "#eef3f8"),
    (680, 170, 290, "03 to 09 transform, decide", ["dbt in DuckDB: staging, rules, panel,", "minutes, decisions, payments, office"], "#dbe9f6"),
    (1040, 170, 180, "13 publish", ["marts.duckdb, replaced", "by one rename"], "#dbe9f6"),
    (680, 60, 290, "rules, settings", ["dated and cited seeds; practices.yaml"], "#eef3f8"),
    (450, 300, 160, "02 judge", ["Great Expectations,", "drift of the files"], "#fdf0d5"),
    (680, 300, 290, "checks", ["dbt tests and identities, on the asset", "they judge, naming the practices"], "#fdf0d5"),
    (1040, 300, 180, "office", ["work lists, reports,", "dashboard, ccm status"], "#e3f1e1"),
    (680, 430, 125, "10 gate", ["per practice:", "may close?"], "#f9dcdc"),
    (845, 430, 125, "11 close", ["packets with", "claims.837"], "#dbe9f6"),
    (1040, 430, 180, "payer", ["999, 277CA, 835", "into inbox/"], "#eef3f8"),
    (845, 550, 125, "12 answers", ["taken in once,", "posted"], "#dbe9f6"),
    (20, 430, 380, "Dagster", ["nights at 2, month-end at 5 in each practice's zone;",
     "sensors on landing/ and inbox/, retries, the grid of closes"], "#f3eef8"),
]  # fmt: skip
WAYS = [
    "M180 206 H228", "M400 206 H448", "M610 206 H678", "M970 206 H1038", "M825 132 V168", "M530 242 V298", "M825 242 V298", "M1130 242 V298",
    "M740 372 V428", "M530 372 V466 H678", "M805 466 H843", "M970 466 H1038", "M1130 502 V586 H972",
]  # fmt: skip
# What went out and what the payer said of it come back as facts of the next build.
BACK = "M845 586 H645 V222 H678"


def drawn() -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="12.5">',
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 10 5 0 10z" fill="#555"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        '<text x="20" y="38" font-size="19" fill="#222">Data walks through the house once, room by room, and never back</text>',
    ]
    parts += [f'<path d="{way}" fill="none" stroke="#555" stroke-width="1.4" marker-end="url(#tip)"/>' for way in WAYS]
    parts.append(f'<path d="{BACK}" fill="none" stroke="#555" stroke-width="1.4" stroke-dasharray="5 4" marker-end="url(#tip)"/>')
    parts.append('<text x="450" y="606" fill="#555">claims sent and answers are facts of the next build</text>')
    for x, y, width, title, lines, colour in BOXES:
        parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{TALL}" rx="7" fill="{colour}" stroke="#8a97a5"/>')
        parts.append(f'<text x="{x + 10}" y="{y + 22}" font-weight="bold" fill="#1b2a38">{escape(title)}</text>')
        parts += [f'<text x="{x + 10}" y="{y + 42 + 17 * n}" fill="#333">{escape(line)}</text>' for n, line in enumerate(lines)]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawn(), encoding="utf-8")
