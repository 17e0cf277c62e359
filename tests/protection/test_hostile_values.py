"""Ids, names and paths of extracts and settings are text, and nothing else, wherever they come to stand."""

from __future__ import annotations

import csv
import io
import json
import re

import openpyxl
import pytest
import yaml

from orchestration.close.x12.reader import read
from orchestration.close.x12.validate import judge
from orchestration.command.common import Screen
from orchestration.house import House, HouseError, no_pattern
from orchestration.operate.instance import prepare_environment
from orchestration.practices import load_practices
from tests.pipeline.homes import ccm, rows
from tests.protection.conftest import MONTH, ODD
from tests.protection.hostile import HOSTILE_IDS, HOSTILE_NAMES

pytestmark = pytest.mark.xdist_group("protection")


def table(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture(scope="module")
def packet(scene):
    return scene.home / "closes" / "attack" / "2026-09" / "v1"


def test_every_hostile_id_is_claimed_under_exactly_itself(scene, packet):
    claimed = {row["patient_id"] for row in table(packet / "claims.csv")}
    assert set(HOSTILE_IDS) <= claimed
    decided = {
        row["patient_id"] for row in rows(scene.home, "select patient_id from patient_month_decisions where practice_id = 'attack'")
    }
    assert set(HOSTILE_IDS) | set(HOSTILE_NAMES) | {"=undocumented"} == decided
    # Nothing was dropped, and nobody else's tables were touched.
    assert rows(scene.home, "select count(*) as n from eligibility where practice_id = 'orderly'")[0]["n"] == 8


def test_what_no_night_takes_in_is_named_by_the_night(scene):
    said = scene.output("none", "nightly")
    assert "Not taken in landing/orderyl: no practice of practices.yaml; left alone" in said
    # Of one file the header is no header, of the other a column stands twice.
    assert "Rejected ruin 2026-10-25 coverages" in said and "Rejected ruin 2026-10-25 services" in said


def test_no_value_becomes_a_segment_of_the_claim_file(packet):
    content = (packet / "claims.837").read_bytes()
    assert judge(content) == []
    file = read(content)
    claims = len({row["claim_id"] for row in table(packet / "claims.csv")})
    keys = [segment.key for segment in file.segments]
    assert keys.count("NM1*IL") == keys.count("CLM") == claims and keys.count("ST") == keys.count("SE") == 1
    text = content.decode("ascii")  # the basic character set is all there is
    assert not re.search(r"[\x00-\x1f\x7f]", text)
    for wanted in (line for _, line in HOSTILE_NAMES.values() if line):
        assert wanted in text


def test_a_name_that_cannot_be_written_is_held_and_says_why(packet):
    (held,) = [row for row in table(packet / "held.csv") if row["patient_id"] == "name-other-script"]
    assert held["reason"] == "claim_error" and "NM103" in held["detail"] and "as on the Medicare card" in held["detail"]


def test_work_lists_hold_text_where_a_spreadsheet_would_see_a_formula(scene):
    texts = set()
    for path in scene.home.glob("worklists/*/*.xlsx"):
        for sheet in openpyxl.load_workbook(path):
            for cells in sheet.iter_rows():
                for cell in cells:
                    assert cell.data_type != "f", (path.name, cell.coordinate)
                    if isinstance(cell.value, str):
                        texts.add(cell.value)
                        assert not cell.value.startswith(("=", "+", "-", "@", "\t")) or cell.quotePrefix
    assert "=undocumented" in texts
    (path,) = scene.home.glob("worklists/attack/*-10-25.csv")
    assert "'=undocumented" in {row["Patient"] for row in table(path)}
    for line in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")):
        assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in line)


def test_pages_show_markup_as_text(scene):
    pages = [*scene.said.glob("*.html"), *scene.home.glob("reports/*/*.html")]
    assert len(pages) > 4
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script>alert" not in text and "<b>Sons" not in text, page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (scene.said / "script.html").read_text(encoding="utf-8")
    assert ODD in (scene.said / "odd.html").read_text(encoding="utf-8")


def test_the_dashboard_writes_no_html_but_escaped_tables():
    """One function writes tables, and it escapes; nothing else hands a value to the browser as HTML."""
    from orchestration.house import PROJECT_ROOT

    for path in sorted((PROJECT_ROOT / "orchestration" / "dashboard").rglob("*.py")):
        assert "unsafe_allow_html" not in path.read_text(encoding="utf-8"), path


def test_terminals_see_markup_and_control_characters_as_text(scene):
    step = ("none", "explain", "--practice", "attack", "--patient", ODD, *MONTH, "--html", "{folder}/odd.html")
    assert f"patient {ODD}, 2026-09" in scene.output(*step)
    assert "approved by Ann [red]Lee[/red]" in scene.output(*step)
    screen = Screen(file=io.StringIO(), width=200, force_terminal=True)
    screen.print("a\x1b[2J\x07b\u202ec [bold]d[/bold] :smile:")
    assert screen.file.getvalue() == "a\\x1b[2J\\x07b\\u202ec [bold]d[/bold] :smile:\n"
    listed = json.loads(scene.output("none", "worklist", "--json"))
    assert {"=undocumented", "P100"} <= {item["patient_id"] for item in listed}


def test_no_value_runs_a_command_or_names_a_file(scene):
    assert not list(scene.elsewhere.rglob("pwned")) and not list(scene.home.rglob("pwned"))
    known = {"orderly", "attack", "ruin"}
    for folder in ("closes", "worklists", "reports"):
        assert {path.name for path in (scene.home / folder).iterdir() if not path.name.startswith(".")} <= known | {"again"}


@pytest.mark.parametrize(
    "practice_id",
    [
        "../x",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "a\0b",
        "a\n",
        "a b",
        "ü",
        "a'; drop table patients; --",
        "[red]",
        "{{ x }}",
        "*",
        "a" * 65,
    ],
)
def test_a_practice_id_that_could_be_a_path_or_a_statement_is_refused(tmp_path, scene, practice_id):
    settings = yaml.safe_load((scene.home / "practices.yaml").read_text())
    settings["practices"][0]["practice_id"] = practice_id
    (tmp_path / "practices.yaml").write_text(json.dumps(settings))
    with pytest.raises(HouseError, match="key practice_id"):
        load_practices(tmp_path / "practices.yaml")


@pytest.mark.parametrize(
    "command",
    [
        ("rebuild", "--practice", "../../x", *MONTH),
        ("explain", "--practice", "attack", "--patient", "%", *MONTH),
        ("why", "' or '1'='1"),
        ("diff", *MONTH, "--from", "v1/../../x"),
        *(
            pytest.param(command, marks=pytest.mark.long)
            for command in (
                ("explain", "--practice", "../x", "--patient", "P000", *MONTH),
                ("explain", "--practice", "attack", "--patient", "*", *MONTH),
                ("explain", "--practice", "attack", "--patient", "../../../etc/passwd' or '1'='1", *MONTH),
                ("worklist", "--kind", "' or 1=1 --"),
                ("status", "--month", "2026-09' or 1"),
            )
        ),
    ],
)
def test_what_is_asked_for_is_looked_for_as_it_stands(scene, command):
    ran = ccm(*command, home=scene.home)
    assert ran.code == 1 and ran.err.startswith("ccm: ") and "defect" not in ran.err, ran.out + ran.err


def test_a_home_with_quotes_and_signs_in_its_name_works(scene):
    assert all(sign in str(scene.home) for sign in "'{}()& ")
    assert scene.codes["none", "nightly"] == 0 and (scene.home / "closes" / "orderly" / "2026-09" / "v1" / "claims.837").exists()
    assert no_pattern("/a[b]*?") == "/a[[]b][*][?]"


# Dagster would look for its settings in a, or in ab, or in none of them.
@pytest.mark.parametrize("name", ["what?", "two\nlines", "esc\x1b", "[a]", "a*"])
def test_a_home_whose_name_no_tool_can_take_is_refused(tmp_path, name):
    with pytest.raises(HouseError, match="name another folder"):
        prepare_environment(House(tmp_path / name))
    assert not list(tmp_path.iterdir())
