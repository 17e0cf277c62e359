"""Names, Medicare numbers, birth dates, phones, addresses and notes stay where they belong, whatever a run meets and however it ends."""

from __future__ import annotations

import ast
import stat
import struct
from fnmatch import fnmatch

import pytest

from orchestration.house import PROJECT_ROOT
from tests.protection.conftest import STEPS
from tests.protection.marked import SAID_IN_NOTES, found_in, markers_in
from tests.protection.spoiled import SAID

pytestmark = pytest.mark.xdist_group("protection")

# Where a patient's values may be, and why. Everything else of a home has none.
ALLOWED = {
    "landing/*": "the extracts as the practice dropped them",
    "inbox/*": "the payers' answers as they came",
    "lake/batches/*/patients.parquet": "the accepted rows, typed",
    "lake/batches/*/coverages.parquet": "the accepted rows with their MBIs",
    "lake/batches/*/quarantine.parquet": "patient ids of rows that were not accepted: what stands in that column of a shifted row may be a name",
    "lake/answers/originals/*": "the payers' answers, kept for ever",
    "warehouse.duckdb": "the pipeline's own database: staging and claim subjects",
    "closes/*/*/v*/claims.837": "the claims themselves",
    "closes/*/*/v*/inputs.zip": "the frozen rows that a claim is made from again",
    "closes/*/*/v*/claim_subjects.parquet": "whose month was claimed, by MBI: a second claim is refused by it",
    "closes/again/claims.837": "a packet rebuilt on request",
    "closes/again/inputs.zip": "a packet rebuilt on request",
    "closes/again/claim_subjects.parquet": "a packet rebuilt on request",
    "worklists/*/*-with-names.*": "`ccm worklist --with-names`: asked for, written nowhere else",
}


def test_every_step_ended_as_it_should(scene):
    expected = {"none": (None, 0), "model": (["error"],)}
    for step, code in scene.codes.items():
        if step[1] == "scrub":
            assert code == 1, scene.output(*step)
        elif step[1] == "close" and step[0] in ("none", "freeze", "validator"):
            # A practice in ruins is refused, and so is one whose rows bring out a defect of ours.
            assert code == 3, scene.output(*step)
            assert (step[0] == "none") != ("this is a defect of ccm" in scene.output(*step)), scene.output(*step)
        else:
            assert code in expected.get(step[0], (1,)), (step, scene.output(*step))


@pytest.fixture(scope="module")
def found(scene):
    """What stands in each file of the home, looked through once."""
    return found_in(scene.home)


def test_what_identifies_a_patient_stands_only_where_it_is_allowed(found):
    outside = {name: hits for name, hits in found.items() if not any(fnmatch(name, pattern) for pattern in ALLOWED)}
    assert not outside
    # An allowance that nothing needs is taken away.
    assert not [pattern for pattern in ALLOWED if not any(fnmatch(name, pattern) for name in found)]


def test_note_texts_never_go_past_taking_in(found):
    said = [name for name, hits in found.items() if any(SAID_IN_NOTES.lower() in hit for hit in hits)]
    assert any(fnmatch(name, "landing/*/*/time_entries.csv") for name in said)
    assert [name for name in said if not name.startswith(("landing/", "inbox/"))] == []


def test_nothing_is_left_in_temporary_folders_the_users_home_or_where_a_command_was_started(scene):
    assert not found_in(scene.elsewhere)
    assert not list((scene.elsewhere / "tmp").iterdir()) and not list((scene.elsewhere / "here").iterdir())


def test_no_command_prints_them_also_not_when_it_fails(scene):
    assert len(list(scene.said.glob("[0-9]*.txt"))) == len(STEPS)
    assert not found_in(scene.said, but=("steps.json",))
    assert "Traceback" not in "".join(path.read_text(encoding="utf-8") for path in scene.said.glob("[0-9]*.txt"))


def test_a_failing_run_says_its_kind_and_where_its_frames_are(scene):
    for step in (("take-in", "nightly"), ("answer", "respond"), ("command", "status")):
        assert "RuntimeError" in scene.output(*step) and "ccm-errors.log" in scene.output(*step)
    frames = (scene.home / ".state" / "ccm-errors.log").read_text(encoding="utf-8")
    assert "in breaks" in frames and "ValueError" in frames and SAID not in frames


def test_a_broken_model_says_in_which_line_without_the_value(scene):
    log = (scene.home / ".state" / "dbt" / "logs" / "dbt.log").read_text(encoding="utf-8")
    assert "ConversionException at line" in log


def test_files_are_for_their_owner_alone_whatever_the_umask(scene):
    for path in scene.home.rglob("*"):
        name = path.relative_to(scene.home)
        if name.parts[0] in ("landing", "inbox") or str(name) == "practices.yaml" or path.is_symlink():
            continue  # whoever drops extracts says who may read them
        assert stat.S_IMODE(path.stat().st_mode) in ((0o700,) if path.is_dir() else (0o600,)), path


def test_every_asset_and_check_tells_its_errors_without_their_message():
    bodies = 0
    for path in sorted((PROJECT_ROOT / "orchestration").glob("*/assets.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [ast.unparse(one).split("(")[0] for one in getattr(node, "decorator_list", [])]
            if names and names[0].split(".")[-1] in ("asset", "multi_asset", "multi_asset_check", "asset_check", "dbt_assets"):
                bodies += 1
                assert names[-1] == "discreet", f"{path.name}: {node.name}"
    assert bodies > 10


def test_the_search_finds_what_is_packed_away(tmp_path):
    import gzip
    import zipfile

    import duckdb

    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inner.csv.gz", gzip.compress(b"a,Zqxvjkname"))
    with duckdb.connect(str(tmp_path / "opened.duckdb")) as con:
        con.execute("create table t as select date '1931-02-02' as born, repeat('x', 2000) || 'ZQXVJK' as name from range(3000)")
        con.execute(f"copy (select * from t) to '{tmp_path / 'rows.parquet'}' (format parquet, compression zstd)")
    assert found_in(tmp_path) == {
        "packed.zip": {"zqxvjk"},
        "opened.duckdb": {"zqxvjk", "1931-02-02"},
        "rows.parquet": {"zqxvjk", "1931-02-02"},
    }
    assert markers_in("born Feb 2, 1931, (309) 555-0001") == {"feb 2, 1931", "309) 555-0001"}


def test_the_search_takes_no_bytes_of_a_number_for_a_name():
    assert not markers_in(struct.pack(">d", struct.unpack(">d", b"\x41\xdazqX\x10\x02\x03")[0]))
