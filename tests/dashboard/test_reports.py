"""The one-file reports: self-contained, without names, the same figures as the marts, the same bytes again."""

from __future__ import annotations

import csv
import json
import re
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.answer.report import write_reports
from orchestration.house import House
from tests.pipeline.homes import ccm, rows

pytestmark = pytest.mark.xdist_group("reports")


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory) -> Path:
    """What reports are made from: the demo's marts and packets."""
    folder = tmp_path_factory.mktemp("reports") / "home"
    shutil.copytree(demo[0] / "closes", folder / "closes", copy_function=shutil.copy2)
    for name in ("marts.duckdb", "practices.yaml"):
        shutil.copy2(demo[0] / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def reports(home) -> list[dict[str, object]]:
    ran = ccm("report", "--json", home=home)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_each_practice_has_a_report_of_its_night_and_of_every_close(home, reports):
    nights = {f"{row['practice_id']}/{row['newest_night']}.html" for row in rows(home, "select * from practice_nights")}
    closes = {
        f"{manifest.parents[2].name}/{manifest.parents[1].name}-{manifest.parents[0].name}.html"
        for manifest in (home / "closes").glob("*/*/v*/manifest.json")
    }
    assert {str(Path(str(one["path"])).relative_to(home / "reports")) for one in reports} == nights | closes
    assert all(one["is_new"] for one in reports)
    for one in reports:
        assert Path(str(one["path"])).stat().st_mode & 0o777 == 0o600


def test_nights_and_closes_write_their_reports_by_themselves(demo, home, reports):
    made = {path.relative_to(demo[0]) for path in (demo[0] / "reports").rglob("*.html")}
    for one in reports:
        path = Path(str(one["path"])).relative_to(home)
        assert path in made
        if one["close_version"] is None:
            assert (demo[0] / path).read_bytes() == (home / path).read_bytes()
        else:
            # Written when the close was made: it stays what was mailed, though the marts went on.
            assert (demo[0] / path).read_text(encoding="utf-8").count("facts as of night") == 1


def test_a_page_needs_nothing_from_anywhere_and_names_nobody(demo, reports):
    people = set()
    for path in (demo[0] / "lake" / "batches").glob("*/patients.parquet"):
        for row in pq.read_table(path, columns=["last_name", "phone", "practice_id"]).to_pylist():
            people |= {row["last_name"], row["phone"]}
    for path in (demo[0] / "lake" / "batches").glob("*/coverages.parquet"):
        people |= set(pq.read_table(path, columns=["member_id"]).column("member_id").to_pylist())
    people -= {None, ""}
    assert len(people) > 500
    for one in reports:
        page = Path(str(one["path"])).read_text(encoding="utf-8")
        assert not re.search(r"https?://|<script|<link|src=|@import|url\(", page)
        assert set(re.findall(r"[\w()' +.-]+", text(page))).isdisjoint(people)
        assert set(re.findall(r"[A-Za-z0-9']+", text(page))).isdisjoint(people)


def test_the_report_of_a_night_has_the_figures_of_the_marts(home, reports):
    for one in (one for one in reports if one["close_version"] is None):
        said = text(Path(str(one["path"])).read_text(encoding="utf-8"))
        where = f"practice_id = '{one['practice_id']}' and month = date '{one['month']}'"
        [wanted] = rows(
            home,
            f"""
            select
                (select patients from enrollment_funnel where stage = 'eligible' and {where}) as eligible,
                (select coalesce(sum(dollars_at_stake), 0) from undocumented_time where {where}) as stake,
                (select sum(dollars) from revenue_gap where {where}) as gap
            """,
        )
        assert f"Eligible {wanted['eligible']} patients" in said
        assert f"At stake {'-' if wanted['stake'] < 0 else ''}${abs(wanted['stake']):,.2f}" in said
        assert f"eligible Eligible patients at the base code {wanted['eligible']} ${wanted['gap']:,.2f}" in said
        for row in rows(
            home, f"select cause, patients, dollars from revenue_gap where {where} and patients > 0 and cause <> 'captured'"
        ):
            assert f"{row['cause'].replace('_', ' ')} -${row['dollars']:,.2f} ({row['patients']})" in said
        [item] = rows(
            home,
            f"""
            select item_id from worklist where practice_id = '{one["practice_id"]}' and dismissed_until is null
            order by abs(dollars_at_stake) desc, due_on, item_id limit 1
            """,
        )
        assert item["item_id"] in said


def test_the_report_of_a_close_has_the_figures_of_its_packet(home, reports):
    closes = [one for one in reports if one["close_version"] is not None]
    assert {1, 2} <= {one["close_version"] for one in closes}
    for one in closes:
        said = text(Path(str(one["path"])).read_text(encoding="utf-8"))
        packet = home / "closes" / str(one["practice_id"]) / str(one["month"])[:7] / f"v{one['close_version']}"
        totals = json.loads((packet / "manifest.json").read_text())["totals"]
        assert f"{totals['claims']} claims went out, ${Decimal(totals['allowed_amount']):,.2f} allowed" in said
        with (packet / "held.csv").open(newline="") as handle:
            held = list(csv.DictReader(handle))
        assert f"; {len(held)} held" in said
        assert all(row["patient_id"] in said for row in held)


def test_again_changes_nothing_a_change_rewrites_the_night_and_never_a_close(home, reports, tmp_path):
    again = shutil.copytree(home, tmp_path / "home", copy_function=shutil.copy2)
    before = {path.relative_to(again): path.read_bytes() for path in (again / "reports").rglob("*.html")}
    assert not any(one.is_new for one in write_reports(House(again)))
    # Deleted, a report comes back the same.
    gone = again / "reports" / "hudson" / "2026-09-v1.html"
    gone.unlink()
    ran = json.loads(ccm("report", "--json", "--month", "2026-09", "--practice", "hudson", home=again).out)
    assert [(Path(one["path"]).name, one["is_new"]) for one in ran] == [("2026-09-v1.html", True), ("2026-09-v2.html", False)]
    assert {path.relative_to(again): path.read_bytes() for path in (again / "reports").rglob("*.html")} == before
    with duckdb.connect(str(again / "marts.duckdb")) as con:
        con.execute("update patient_month_decisions set allowed_amount = allowed_amount + 1 where practice_id = 'hudson'")
        con.execute("update worklist set detail = '<b>bold</b>' where practice_id = 'hudson'")
    [new] = [one for one in write_reports(House(again)) if one.is_new]
    assert (new.practice_id, new.close_version) == ("hudson", None)
    assert "<b>bold" not in new.path.read_text() and "&lt;b&gt;bold" in new.path.read_text()


def test_without_marts_or_with_an_unknown_practice_it_says_what_to_do(home, tmp_path):
    ran = ccm("report", home=tmp_path)
    assert (ran.code, "run `ccm demo`" in ran.err) == (1, True)
    ran = ccm("report", "--practice", "nobody", home=home)
    assert (ran.code, "--practice nobody: is not published; there is" in ran.err) == (1, True)
