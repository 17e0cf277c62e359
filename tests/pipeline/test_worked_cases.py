"""The specification's worked cases, where the specification lies beside the checkout (as it does for whoever develops here)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestration.house import PROJECT_ROOT
from tests.pipeline.homes import ccm

SHARED = PROJECT_ROOT.parent / "shared"
CASES = SHARED / "spec" / "cases" / "cases.json"

pytestmark = [
    pytest.mark.xdist_group("worked"),
    pytest.mark.skipif(not CASES.exists(), reason="the specification is not beside this checkout"),
]


def test_every_worked_case_comes_out_as_the_specification_says(tmp_path):
    home = tmp_path / "home"
    subprocess.run(
        [sys.executable, str(SHARED / "tools" / "cases_to_landing.py"), str(CASES), str(home)], check=True, capture_output=True
    )
    assert ccm("nightly", home=home).code == 0
    checked = subprocess.run(
        [sys.executable, str(SHARED / "tools" / "check_cases.py"), str(CASES), str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0 and checked.stdout.rstrip().endswith(", 0 failed"), checked.stdout
