"""The dashboard in a real browser: what it shows is what the marts say, and it asks nobody else for anything."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.pipeline.homes import CCM, ccm, rows

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.xdist_group("dashboard"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install Debian's package `chromium`"),
]

PAGES = {
    "Overview": "What became of the patient-months",
    "Enrollment funnel": "Projection",
    "Revenue gap": "From potential to paid",
    "Minutes": "15 to 19 minutes",
    "Undocumented time": "By care team member and age",
    "Work list": "By kind",
    "Close calendar": "Closed months",
    "Claims and denials": "Changes after the close",
    "Data quality": "Rows by table",
}
MONTH = "2026-09"


@dataclass
class Shown:
    """A browser page on a served home, and everything that it should not have done."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def go(self, title: str) -> None:
        self.page.get_by_role("link", name=title, exact=True).click()
        expect(self.page.locator("h1")).to_have_text(title)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_selector('[data-test-script-state="notRunning"]')

    def choose(self, label: str, value: str) -> None:
        box = self.page.locator('[data-testid="stSelectbox"]').filter(has_text=re.compile(rf"^{label}")).locator("input")
        box.click()
        box.fill(value)
        self.page.get_by_role("option", name=value, exact=True).click()

    def tile(self, label: str):
        tile = self.page.locator('[data-testid="stMetric"]').filter(has=self.page.get_by_text(label, exact=True))
        return tile.locator('[data-testid="stMetricValue"]')

    def table(self, number: int) -> list[list[str]]:
        """The cells of one of the page's tables, without its header."""
        found = self.page.locator("table.ccm").nth(number).locator("tbody tr")
        return found.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory) -> Path:
    """Only what the dashboard may read: the demo's published marts."""
    folder = tmp_path_factory.mktemp("dashboard") / "home"
    folder.mkdir()
    for name in ("marts.duckdb", "practices.yaml"):
        shutil.copy2(demo[0] / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def url(home) -> Iterator[str]:
    with served(home) as address:
        yield address


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`ccm dashboard` on that home, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [str(CCM), "dashboard", "--home", str(home), "--port", str(port)],
        env={**os.environ, "HOME": str(home.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(server, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(server: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server stopped"
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer within a minute")


def open_page(browser: Browser, url: str) -> Shown:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(20_000)
    shown = Shown(page, url)

    def only_here(route):
        if re.match(rf"({re.escape(url)}|data:|blob:)", route.request.url):
            route.continue_()
        else:
            shown.faults.append(f"asked {route.request.url}")
            route.abort()

    page.route("**/*", only_here)
    page.on("websocket", lambda ws: shown.faults.append(f"asked {ws.url}") if "://127.0.0.1:" not in ws.url else None)
    page.on("console", lambda said: shown.faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: shown.faults.append(str(error)))
    page.goto(url)
    page.wait_for_selector("h1")
    shown.settle()
    return shown


@pytest.fixture(scope="module")
def opened(browser, url) -> Iterator[Shown]:
    shown = open_page(browser, url)
    yield shown
    shown.page.close()


@pytest.fixture
def shown(opened) -> Iterator[Shown]:
    """The one page of these tests, back at the start; a test fails when anything was asked elsewhere or went wrong in the browser."""
    opened.go("Overview")
    if opened.page.get_by_text("all practices, ").count() == 0:
        opened.choose("Practice", "All practices")
        expect(opened.page.get_by_text("all practices, ")).to_be_visible()
    yield opened
    faults, opened.faults[:] = list(opened.faults), []
    assert faults == []


def as_of(home: Path) -> str:
    nights = [
        f"{row['newest_night']}" for row in rows(home, "select distinct newest_night from practice_nights order by newest_night")
    ]
    return f"As of night {nights[0]}" + (f" to {nights[-1]}" if len(nights) > 1 else "")


def until_equal(read: Callable[[], object], wanted: object) -> None:
    """What a page shows follows a choice after a moment."""
    for _ in range(100):
        if read() == wanted:
            return
        time.sleep(0.1)
    assert read() == wanted


def money(value) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def test_every_page_opens_without_an_error_or_a_request_to_anywhere_else(shown, home):
    for title, part in PAGES.items():
        shown.go(title)
        expect(shown.page.get_by_text(part, exact=True).first).to_be_visible()
        assert shown.page.locator("table.ccm tbody tr").count() > 0, title
        assert shown.page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0, title
        expect(shown.page.get_by_text(as_of(home), exact=True)).to_be_visible()


def test_the_overview_shows_what_the_marts_say_of_the_month_and_practice_asked_for(shown, home):
    shown.choose("Month", MONTH)
    shown.choose("Practice", "hudson")
    where = f"practice_id = 'hudson' and month = date '{MONTH}-01'"
    [wanted] = rows(
        home,
        f"""
        select
            (select patients from enrollment_funnel where stage = 'panel' and {where}) as panel,
            (select count(*) from eligibility where is_eligible and {where}) as eligible,
            (select count(*) from enrollment_status where state = 'enrolled' and {where}) as enrolled,
            (select sum(credited_seconds) // 60 from patient_month_minutes where {where}) as minutes,
            (select sum(allowed_amount) from patient_month_decisions where decision = 'claimed' and {where}) as claimed,
            (select coalesce(sum(dollars_at_stake), 0) from undocumented_time where {where}) as stake
        """,
    )
    expect(shown.tile("On the panel")).to_have_text(f"{wanted['panel']}")
    expect(shown.tile("Claimed")).to_have_text(money(wanted["claimed"]))
    expect(shown.tile("Eligible")).to_have_text(f"{wanted['eligible']}")
    expect(shown.tile("Enrolled")).to_have_text(f"{wanted['enrolled']}")
    expect(shown.tile("Minutes")).to_have_text(f"{int(wanted['minutes']):,}")
    expect(shown.tile("At stake")).to_have_text(money(wanted["stake"]))
    until_equal(lambda: [row[0] for row in shown.table(0)], ["hudson"])


def test_the_revenue_gap_and_the_funnel_show_the_marts_and_the_gap_adds_up(shown, home):
    shown.go("Revenue gap")
    shown.choose("Month", MONTH)
    expect(shown.page.get_by_text(f"all practices, {MONTH}; every")).to_be_visible()
    wanted = rows(
        home,
        f"""
        select cause, sum(patients) as patients, sum(dollars) as dollars from revenue_gap where month = date '{MONTH}-01'
        group by cause having sum(patients) > 0 or cause = 'captured'
        """,
    )
    causes = {row["cause"]: [f"{int(row['patients']):,}", money(row["dollars"])] for row in wanted}
    causes["eligible"] = [f"{int(sum(row['patients'] for row in wanted)):,}", money(sum(row["dollars"] for row in wanted))]
    until_equal(lambda: {row[0].replace(" ", "_"): row[2:] for row in shown.table(0)}, causes)
    steps = rows(home, f"select step, sum(dollars) as dollars from revenue_waterfall where month = date '{MONTH}-01' group by step")
    until_equal(lambda: {row[0]: row[3] for row in shown.table(1)}, {row["step"]: money(row["dollars"]) for row in steps})
    shown.go("Enrollment funnel")  # the month asked for stays
    expect(shown.page.get_by_text(f"all practices, {MONTH}; each stage")).to_be_visible()
    funnel = rows(
        home,
        f"select stage, sum(patients) as n from enrollment_funnel where month = date '{MONTH}-01' group by stage, stage_number order by stage_number",
    )
    stages = [[row["stage"].replace("_", " "), f"{int(row['n']):,}"] for row in funnel]
    until_equal(lambda: [row[1:3] for row in shown.table(0)], stages)
    assert all(row[4] for row in shown.table(0)), "every stage says what it counts"


def test_the_minutes_of_a_month_lie_on_the_right_side_of_the_line(shown, home):
    shown.go("Minutes")
    shown.choose("Month", MONTH)
    [wanted] = rows(
        home,
        f"""
        select count(*) filter (where credited_minutes >= 20) as reached, count(*) filter (where credited_minutes < 20) as below,
            count(*) filter (where logged_seconds = 0) as nothing
        from patient_month_minutes
        inner join enrollment_status using (practice_id, patient_id, month)
        inner join patient_month_evidence using (practice_id, patient_id, month)
        where program = 'ccm' and month = date '{MONTH}-01' and (state = 'enrolled' or logged_seconds > 0)
        """,
    )
    expect(shown.tile("20 minutes and more")).to_have_text(f"{wanted['reached']}")
    expect(shown.tile("Below 20 minutes")).to_have_text(f"{wanted['below']}")
    expect(shown.tile("Nothing logged")).to_have_text(f"{wanted['nothing']}")
    until_equal(lambda: sum(int(row[1]) for row in shown.table(0)), wanted["reached"] + wanted["below"])


def test_the_work_list_filters_and_downloads_what_it_shows(shown, home):
    shown.go("Work list")
    shown.choose("Kind", "missing note")
    shown.choose("Practice", "hudson")
    wanted = rows(
        home,
        """
        select item_id, dollars_at_stake from worklist where kind = 'missing_note' and practice_id = 'hudson' and dismissed_until is null
        order by abs(dollars_at_stake) desc, due_on, item_id
        """,
    )
    assert wanted
    expect(shown.tile("Items")).to_have_text(f"{len(wanted)}")
    expect(shown.tile("Worth")).to_have_text(money(sum(row["dollars_at_stake"] for row in wanted)))
    listed = [(money(row["dollars_at_stake"]), row["item_id"]) for row in wanted]
    until_equal(lambda: [(row[0], row[-1].replace("\n", "")) for row in shown.table(0)], listed)
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name=f"Download {len(wanted)} items as CSV").click()
    assert download.value.suggested_filename == "worklist-hudson.csv"
    lines = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert [(line["Item"], line["Worth"]) for line in lines] == [
        (row["item_id"], f"{row['dollars_at_stake']:.2f}") for row in wanted
    ]


def test_on_a_telephone_each_item_of_the_work_list_is_a_card_whose_words_have_the_whole_width(shown):
    shown.go("Work list")
    shown.page.set_viewport_size({"width": 390, "height": 844})
    try:
        until_equal(lambda: shown.page.locator(".wide").first.evaluate("box => box.scrollWidth > box.clientWidth"), False)
        widths = shown.page.locator("table.cards td.w").evaluate_all("cells => cells.map(cell => cell.clientWidth)")
        assert widths and min(widths) > 300
        said = shown.page.locator("table.cards td.n").first.evaluate("cell => getComputedStyle(cell, '::before').content")
        assert "data-header" in said or "Worth" in said
    finally:
        shown.page.set_viewport_size({"width": 1400, "height": 1000})


@pytest.mark.long
def test_the_work_list_of_all_practices_fits_a_small_screen_and_its_download_says_whose_each_item_is(shown, home):
    shown.page.set_viewport_size({"width": 1280, "height": 900})
    try:
        shown.go("Work list")
        shown.choose("Kind", "all")
        shown.choose("Month", "All months")
        expect(shown.page.get_by_text("all practices, all months; most dollars first.")).to_be_visible()
        until_equal(lambda: shown.page.locator(".wide").first.evaluate("box => box.scrollWidth > box.clientWidth"), False)
    finally:
        shown.page.set_viewport_size({"width": 1400, "height": 1000})
    wanted = rows(home, "select practice_id, item_id from worklist where dismissed_until is null order by all")
    with shown.page.expect_download() as download:
        shown.page.get_by_role("button", name=f"Download {len(wanted)} items as CSV").click()
    lines = csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8")))
    assert sorted((line["Practice"], line["Item"]) for line in lines) == [(row["practice_id"], row["item_id"]) for row in wanted]


@pytest.mark.long
def test_undocumented_time_claims_and_rows_are_those_of_the_marts(shown, home):
    shown.go("Undocumented time")
    [wanted] = rows(
        home, "select count(*) as items, sum(minutes) as minutes, sum(dollars_at_stake) as dollars from undocumented_time"
    )
    expect(shown.tile("Items")).to_have_text(f"{wanted['items']}")
    expect(shown.tile("Minutes")).to_have_text(f"{int(wanted['minutes']):,}")
    expect(shown.tile("At stake")).to_have_text(money(wanted["dollars"]))
    # Every item is in exactly one age: the last four columns.
    until_equal(lambda: sum(int(cell or 0) for row in shown.table(0) for cell in row[-4:]), wanted["items"])
    shown.go("Claims and denials")
    [wanted] = rows(home, "select count(*) as claims, sum(billed_amount) as billed, sum(paid_amount) as paid from claims")
    expect(shown.tile("Claims")).to_have_text(f"{wanted['claims']}")
    expect(shown.tile("Charged")).to_have_text(money(wanted["billed"]))
    expect(shown.tile("Paid")).to_have_text(money(wanted["paid"]))
    shown.go("Data quality")
    [wanted] = rows(home, "select sum(rows_received) as received, sum(rows_quarantined) as odd from row_accounting")
    expect(shown.tile("Rows received")).to_have_text(f"{int(wanted['received']):,}")
    expect(shown.tile("In quarantine")).to_have_text(f"{int(wanted['odd']):,}")
    [failed] = rows(
        home, "select count(distinct (practice_id, extract_date, table_name)) as files from landed_files where outcome = 'rejected'"
    )
    expect(shown.tile("Files that failed")).to_have_text(f"{failed['files']}")


def test_the_close_calendar_says_each_state_in_a_word(shown, home):
    shown.go("Close calendar")
    months = [f"{row['month']:%Y-%m}" for row in rows(home, "select distinct month from close_calendar order by month")]
    assert shown.page.locator("table.ccm").first.locator("thead th").all_inner_texts() == ["Practice", *months]
    cells = {(line[0], month): cell for line in shown.table(0) for month, cell in zip(months, line[1:], strict=True)}
    rejected = rows(home, "select practice_id, month, count(*) as n from claims where status = 'rejected' group by all")
    assert rejected
    for row in rejected:
        assert f"{row['n']} rejected" in cells[row["practice_id"], f"{row['month']:%Y-%m}"]
    for row in rows(home, "select practice_id, month, state, close_version from close_calendar"):
        said = cells[row["practice_id"], f"{row['month']:%Y-%m}"]
        assert row["state"] in said
        assert (f"v{row['close_version']}" in said) == (row["state"] == "closed")


@pytest.fixture
def replaceable(home, tmp_path) -> Iterator[Path]:
    """The served marts; they and practices.yaml are put back afterwards."""
    kept = shutil.copy2(home / "marts.duckdb", tmp_path / "kept.duckdb")
    described = (home / "practices.yaml").read_bytes()
    yield home / "marts.duckdb"
    Path(kept).replace(home / "marts.duckdb")
    (home / "practices.yaml").write_bytes(described)


def test_a_night_that_is_published_while_a_page_is_open_is_shown_by_the_next_look(shown, home, replaceable, tmp_path):
    expect(shown.page.get_by_text(as_of(home), exact=True)).to_be_visible()
    later = tmp_path / "later.duckdb"
    shutil.copy2(replaceable, later)
    with duckdb.connect(str(later)) as con:
        con.execute("update practice_nights set newest_night = date '2031-01-02'")
    # An open page holds nothing: the file can be locked for writing, and replaced.
    duckdb.connect(str(replaceable)).close()
    later.replace(replaceable)
    shown.go("Work list")
    expect(shown.page.get_by_text("As of night 2031-01-02", exact=True)).to_be_visible()


@pytest.mark.long
def test_without_marts_that_it_can_show_the_page_says_what_to_run(shown, home, replaceable):
    with duckdb.connect(str(replaceable)) as con:
        con.execute("drop table revenue_gap")
    look = shown.page.get_by_role("link", name="Revenue gap", exact=True)
    look.click()
    expect(shown.page.get_by_text("was published by another version (it has no revenue_gap)")).to_be_visible()
    replaceable.write_bytes(b"no database")
    look.click()
    expect(shown.page.get_by_text("cannot be read as a DuckDB file")).to_be_visible()
    replaceable.unlink()
    look.click()
    expect(shown.page.get_by_text("nothing is published yet; run")).to_be_visible()
    (home / "practices.yaml").unlink()
    shown.page.goto(shown.url)
    expect(shown.page.get_by_text("this home is empty; run")).to_be_visible()
    expect(shown.page.get_by_text("ccm demo")).to_be_visible()
    assert "Traceback" not in shown.page.content()


@pytest.mark.long
def test_the_first_page_has_an_address_as_the_others_have(shown):
    for path, title in (("overview", "Overview"), ("worklist", "Work list")):
        shown.page.goto(f"{shown.url}/{path}")
        expect(shown.page.locator("h1")).to_have_text(title)
        shown.settle()
        assert shown.page.get_by_text("Page not found").count() == 0
    # Streamlit looks for its server below the address first.
    shown.faults[:] = [fault for fault in shown.faults if "404" not in fault]


def test_of_a_home_whose_files_all_failed_the_page_data_quality_says_so(shown, replaceable):
    with duckdb.connect(str(replaceable)) as con:
        con.execute("delete from practice_nights")
    shown.page.get_by_role("link", name="Work list", exact=True).click()
    expect(shown.page.get_by_text("what came and was not accepted stands on the page Data quality")).to_be_visible()
    shown.go("Data quality")
    expect(shown.page.get_by_text("No night is taken in yet", exact=True)).to_be_visible()
    until_equal(lambda: [row[:3] for row in shown.table(0)], [["2026-08-19", "bayview", "conditions"]])


def test_payers_answers_are_shown_also_where_no_claim_went_out(shown, replaceable):
    with duckdb.connect(str(replaceable)) as con:
        con.execute("delete from claims")
        [(check,)] = con.execute("select min(check_number) from remittances").fetchall()
    shown.go("Claims and denials")
    expect(shown.page.get_by_text("No claim went out yet")).to_be_visible()
    expect(shown.page.get_by_text("Payments of the payers", exact=True)).to_be_visible()
    expect(shown.page.get_by_text(check, exact=True)).to_be_visible()
    assert shown.page.get_by_text("No payer has answered yet").count() == 0


@pytest.mark.long
@pytest.mark.parametrize(("width", "left"), [(1280, 0), (390, -300)])
def test_the_list_of_pages_stands_beside_them_on_a_wide_screen_and_out_of_the_way_on_a_narrow_one(browser, tmp_path, width, left):
    (tmp_path / "home").mkdir()
    with served(tmp_path / "home") as address:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(address)
        page.wait_for_selector('h1, [data-testid="stSidebarNavLink"]')
        page.wait_for_selector('[data-test-script-state="notRunning"]')
        page.wait_for_function(f"document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().left == {left}")
        page.close()


@pytest.mark.parametrize("command", [["dashboard"], ["ui"], ["serve", "webserver"]], ids=lambda command: command[0])
def test_a_port_that_is_taken_is_refused_with_what_to_do(tmp_path, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = ccm(*command, "--port", str(port), home=tmp_path)
    assert ran.code == 1
    assert f"--port {port}: cannot be used" in ran.err
