"""`make browser-tests`: Dagster's pages in a real browser, on the demo, with the services of deploy/. Its pictures are docs/pictures/dagster-*.png."""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from orchestration.house import PROJECT_ROOT
from orchestration.signposts import Group
from orchestration.transform import site
from tests.operate.services import serving
from tests.pipeline.homes import copy, rows

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install Debian's package `chromium`")
PICTURES = Path(os.environ.get("CCM_PICTURES") or PROJECT_ROOT / "docs" / "pictures")
# The machine may be busy, and the first page waits for the code location.
PATIENCE = 240_000


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory) -> Path:
    """The demo; what has landed since is not there, so that the sensors have nothing to do."""
    home = copy(demo[0], tmp_path_factory.mktemp("pages") / "home")
    shutil.rmtree(home / "landing")
    return home


@pytest.fixture(scope="module")
def url(home) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(home, port) as services:
        until = time.monotonic() + PATIENCE / 1000
        while not _answers(port):
            assert time.monotonic() < until and all(one.poll() is None for one in services)
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=1)
    except OSError:
        return False
    return True


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that must ask nobody but this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 850})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        outside: list[str] = []
        page.on(
            "request",
            lambda request: (
                None
                if re.match(r"(https?://127\.0\.0\.1|ws://127\.0\.0\.1|data:|blob:|file:)", request.url)
                else outside.append(request.url)
            ),
        )
        yield page
        browser.close()
        assert outside == []


def picture(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # what still moves comes to rest
    page.screenshot(path=PICTURES / f"dagster-{name}.png")


def test_the_graph_opens_with_the_groups_in_the_order_of_the_way(page, url):
    page.goto(f"{url}/asset-groups")
    for group in Group.all():
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    # The list beside the picture comes first.
    seen = dict.fromkeys(text for text in page.get_by_text(re.compile(r"^\d\d_[a-z_]+$")).all_inner_texts() if text in Group.all())
    assert list(seen) == Group.all()
    picture(page, "graph")


def test_an_asset_shows_its_rows_owner_whom_it_speaks_of_its_columns_and_their_origins(page, url, home):
    page.goto(f"{url}/assets/marts/minute_ledger")
    [counted] = rows(home, "select count(*) as n from minute_ledger")
    for text in ("Row count", f"{counted['n']:,}", "06_minutes", "billing", "phi: patient_ids"):
        expect(page.get_by_text(text, exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^Open contract"))).to_be_visible()
    picture(page, "asset")
    page.goto(f"{url}/assets/marts/minute_ledger?view=lineage&column=seconds")
    for parent in ("int_time_segments", "int_time_slices"):
        expect(page.get_by_text(parent).first).to_be_visible()
    picture(page, "column")


def test_the_checks_of_an_asset_are_all_there_and_say_where_to_read(page, url):
    page.goto(f"{url}/assets/marts/minute_ledger?view=checks&checkDetail=seconds_of_every_entry_add_up_to_its_elapsed_time")
    expect(page.get_by_text("Checks (6)")).to_be_visible()
    expect(page.get_by_text("Red? docs/runbook/identities.md#seconds_of_every_entry_add_up_to_its_elapsed_time")).to_be_visible()
    expect(page.get_by_text("Passed", exact=True).first).to_be_visible()
    picture(page, "checks")


def test_the_grid_of_closes_shows_the_demos_months(page, url, home):
    months = rows(home, "select month, practice_id, state from close_calendar")
    closed = sum(row["state"] == "closed" for row in months)
    page.goto(f"{url}/assets/close/packets?view=partitions")
    expect(page.get_by_text(f"Materialized ({closed})")).to_be_visible()
    expect(page.get_by_text(f"Missing ({len(months) - closed})")).to_be_visible()
    for name in {f"{row['month']:%Y-%m}" for row in months} | {row["practice_id"] for row in months}:
        expect(page.get_by_text(str(name), exact=True).locator("visible=true").first).to_be_visible()
    picture(page, "closes")
    page.goto(f"{url}/assets/close/packets?view=partitions&partition=2026-09%7Chudson")
    expect(page.get_by_text("closed v2").first).to_be_visible()


def test_a_practice_month_is_materialized_from_the_page_and_its_refusal_is_red_on_the_asset(page, url):
    page.goto(f"{url}/assets/gate/rulings?view=partitions")
    expect(page.get_by_text("highpines", exact=True).locator("visible=true").first).to_be_visible()
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog").first
    for wanted in ("2026-10", "highpines"):
        dialog.get_by_text("Select a partition or create one").first.click()
        page.get_by_placeholder("Filter partitions").fill(wanted)
        page.get_by_text(wanted, exact=True).locator("visible=true").last.click()
        page.keyboard.press("Escape")
        expect(page.get_by_placeholder("Filter partitions")).to_have_count(0)
    dialog.get_by_role("button", name="Launch 1 run").click()
    expect(dialog).to_have_count(0)
    # The daemon takes it off the queue; the newest outcome of the check is this run's.
    page.goto(f"{url}/assets/gate/rulings?view=checks&checkDetail=may_close")
    expect(page.get_by_text("2026-10|highpines").first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(page.get_by_text(re.compile("time_entries: the newest accepted file is of 2026-10-30")).first).to_be_visible()
    picture(page, "refused")


def test_dbts_documentation_opens_without_a_server_and_has_nothing_of_this_machine(page, tmp_path):
    site.build(tmp_path / "dbt.html")
    assert str(PROJECT_ROOT) not in (tmp_path / "dbt.html").read_text(encoding="utf-8")
    page.goto(f"file://{tmp_path}/dbt.html#!/model/model.ccm.minute_ledger")
    expect(page.get_by_text("Every second of every time entry under exactly one disposition per month.").first).to_be_visible()
