"""What `ccm nightly` says and does where nothing, or little, is new."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.command.nights import (
    LISTED_TWICE,
    _charged_below,
    _claimed_by_two,
    _claimed_twice,
    _counts,
    _listed_twice,
    _wrong_npis,
)
from orchestration.gate import verdicts
from orchestration.house import DBT_PROJECT, House
from tests.holds.clinic import FIRST_NIGHT, Clinic, configure
from tests.pipeline.homes import Ran, ccm, copy
from tests.properties.staging import same_marts

pytestmark = pytest.mark.xdist_group("nightly_command")

SECOND_NIGHT = date(2026, 10, 6)


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A home of two nights, and what the run said that took them in. Never changed by a test: copy it first."""
    home, clinic = tmp_path_factory.mktemp("taken_in") / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    for night in (FIRST_NIGHT, SECOND_NIGHT):
        clinic.land_night(home, night)
    return home, ccm("nightly", home=home)


@pytest.fixture
def home(taken_in: tuple[Path, Ran], tmp_path: Path) -> Path:
    return copy(taken_in[0], tmp_path / "home")


def clear_landing(home: Path) -> None:
    shutil.rmtree(home / "landing")
    (home / "landing").mkdir()


@pytest.mark.long
def test_a_night_says_what_it_took_in_beside_what_there_is_in_all_and_with_nothing_new_claims_no_deed(
    taken_in: tuple[Path, Ran], home: Path
) -> None:
    def told(ran: Ran) -> list[str]:
        assert ran.code == 0, ran.err
        return [
            line for line in ran.out.splitlines() if line.startswith(("Taken in", "In all", "Nothing new", "Decided", "Published"))
        ]

    first = told(taken_in[1])
    files = len(list(home.glob("landing/*/*/*.csv")))
    assert first[0].startswith(f"Taken in: {files} files of 1 practices up to {SECOND_NIGHT}, ")
    assert [line.partition(":")[0] for line in first] == ["Taken in", "Decided again", "Published"]

    again = told(ccm("nightly", home=home))
    assert again == ["Nothing new: everything is published already.", first[0].replace("Taken in:", "In all:")]

    clinic, night = Clinic("alpha", 1), date(2026, 10, 8)
    clinic.land_night(home, night, spoil={"time_entries": lambda rows: [{**rows[0], "program": "none"}, *rows[1:]]})
    third = told(ccm("nightly", home=home))
    good = len(clinic.log(night)) - 1
    assert third[0] == f"Taken in: 1 files of 1 practices up to {night}, {good} rows accepted, 1 in quarantine, 0 superseded."
    assert third[1].startswith(f"In all: {files + 1} files of 1 practices up to {night}, ")
    assert [line.partition(":")[0] for line in third[2:]] == ["Decided again", "Published"]

    said = json.loads(ccm("nightly", "--json", home=home).out)
    assert said["files"] == files + 1 and said["rows_quarantined"] == 1 and said["decided_again"] is not None
    assert said["this_run"] == {
        "files": 0, "practices": 0, "rows_accepted": 0, "rows_quarantined": 0, "rows_superseded": 0, "rows_filtered": 0,
        "newest_night": None, "is_published": False,
    }  # fmt: skip


@pytest.mark.long
def test_with_landing_cleared_and_the_warehouse_gone_a_night_builds_everything_from_the_lake(
    taken_in: tuple[Path, Ran], home: Path
) -> None:
    clear_landing(home)
    (home / "warehouse.duckdb").unlink()
    ran = ccm("nightly", home=home)
    assert ran.code == 0, ran.err
    assert (home / "warehouse.duckdb").exists() and same_marts(taken_in[0], home) == []


def test_a_night_that_there_is_nothing_for_says_whether_nothing_landed_or_only_nothing_up_to_its_date(
    next_night: Path, tmp_path: Path
) -> None:
    home = copy(next_night, tmp_path / "home")

    def said(*asked: str) -> str:
        ran = ccm("nightly", *asked, home=home)
        assert ran.code == 1, ran.out
        return ran.err

    before = ("--date", "2020-01-01")
    assert "no landed night up to 2020-01-01" in said(*before)
    clear_landing(home)
    assert "no landed night up to 2020-01-01" in said(*before)
    shutil.rmtree(home / "lake")
    (home / "warehouse.duckdb").unlink()
    assert "nothing has landed" in said()
    assert "nothing has landed" in said("--date", "2026-10-06")


def test_an_npi_that_is_none_is_told_of_the_newest_care_team_alone() -> None:
    with duckdb.connect() as marts:
        marts.execute(
            """
            create table extract_drift as select * from (values
                ('alpha', date '2026-10-01', 'wrong_npi', 'of before'), ('alpha', date '2026-10-02', 'wrong_npi', '1 members'),
                ('alpha', date '2026-10-02', 'who_may_bill', '50%'), ('beta', date '2026-10-01', 'wrong_npi', 'mended since')
            ) as found (practice_id, extract_date, measure, explanation);
            create table row_accounting as select * from (values
                ('alpha', 'care_team', date '2026-10-01', 2), ('alpha', 'care_team', date '2026-10-02', 2), ('alpha', 'care_team', date '2026-10-03', 0),
                ('alpha', 'patients', date '2026-10-04', 9), ('beta', 'care_team', date '2026-10-01', 2), ('beta', 'care_team', date '2026-10-02', 2)
            ) as counted (practice_id, table_name, extract_date, rows_accepted)
            """
        )
        assert _wrong_npis(marts) == ["alpha 2026-10-02 care_team: 1 members"]


def test_a_fee_below_what_medicare_allows_is_told_with_what_it_gives_away() -> None:
    with duckdb.connect() as marts:
        marts.execute(
            """
            create table claimable_codes as select * from (values
                ('alpha', '99490', 'claimable', 1, 55.00::decimal(12, 2), 64.81::decimal(12, 2)),
                ('alpha', '99439', 'claimable', 2, 80.00::decimal(12, 2), 98.86::decimal(12, 2)),
                ('alpha', '99439', 'held', 1, 40.00::decimal(12, 2), 49.43::decimal(12, 2)),
                ('alpha', '99487', 'claimed', 1, 10.00::decimal(12, 2), 144.29::decimal(12, 2)),
                ('beta', '99490', 'claimable', 1, 64.81::decimal(12, 2), 64.81::decimal(12, 2))
            ) as codes (practice_id, procedure_code, decision, units, charge_amount, allowed_amount)
            """
        )
        assert _charged_below(marts) == [
            "alpha 99439: $40.00 where up to $49.43 is allowed, $28.29 given away in months that have yet to be claimed",
            "alpha 99490: $55.00 where up to $64.81 is allowed, $9.81 given away in months that have yet to be claimed",
        ]


def test_a_claim_whose_patient_turned_out_to_be_claimed_already_is_told_until_nothing_is_paid_for_it() -> None:
    with duckdb.connect() as marts:
        marts.execute(
            """
            create table claim_audit as select * from (values
                ('beta', 'merged_beneficiary', date '2026-10-01', 'B1', 'alpha A1', true),
                ('beta', 'merged_beneficiary', date '2026-10-01', 'B2', 'alpha A2', true),
                ('beta', 'merged_beneficiary', date '2026-11-01', 'B3', 'alpha A3', false),
                ('beta', 'overlapping_service', date '2026-11-01', 'B5', 'conflict_apcm V2', null)
            ) as found (practice_id, finding, month, claim_id, detail, is_unsettled)
            """
        )
        assert _claimed_twice(marts) == [
            "beta 2026-10: B1 and alpha A1; if it is one person, pay the first of these back and merge the charts (docs/runbook/identities.md)",
            "beta 2026-10: B2 and alpha A2; if it is one person, pay the first of these back and merge the charts (docs/runbook/identities.md)",
        ]


def test_months_that_practices_of_two_tax_ids_claimed_are_told_by_practices_until_one_of_each_is_settled() -> None:
    with duckdb.connect() as marts:
        marts.execute(
            """
            create table claim_audit as select * from (values
                ('alpha', 'other_tax_id_duplicate', date '2026-10-01', 'A1', 'beta B1', true),
                ('beta', 'other_tax_id_duplicate', date '2026-10-01', 'B1', 'alpha A1', true),
                ('alpha', 'other_tax_id_duplicate', date '2026-10-01', 'A2', 'beta B2', true),
                ('beta', 'other_tax_id_duplicate', date '2026-10-01', 'B2', 'alpha A2', true),
                ('alpha', 'other_tax_id_duplicate', date '2026-10-01', 'A3', 'beta B3', false),
                ('beta', 'other_tax_id_duplicate', date '2026-10-01', 'B3', 'alpha A3', false),
                ('gamma', 'other_tax_id_duplicate', date '2026-11-01', 'G1', 'beta B4', true)
            ) as found (practice_id, finding, month, claim_id, detail, is_unsettled)
            """
        )
        what_to_do = (
            "Medicare pays one of each: settle whose they are, and pay the others back (claim_audit, docs/runbook/identities.md)"
        )
        assert _claimed_by_two(marts) == [
            f"alpha and beta 2026-10: 2 under both tax ids; {what_to_do}",
            f"beta and gamma 2026-11: 1 under both tax ids; {what_to_do}",
        ]


def test_a_panel_that_is_listed_twice_is_told_with_its_practices_and_is_no_failed_check(tmp_path) -> None:
    assert (DBT_PROJECT / "tests" / f"{LISTED_TWICE}.sql").exists()
    house = House(tmp_path)
    assert _listed_twice(house) == []
    finding = verdicts.Finding(
        LISTED_TWICE, "int_coverages__current", "dbt", "warn", False, ("alpha", "beta"), "2 rows fail (warn)"
    )
    verdicts.save(house, "dbt", "inputs", [finding])
    (line,) = _listed_twice(house)
    assert line.startswith("alpha, beta: practices of other tax ids list most of the same Medicare numbers")
    assert verdicts.failed(house) == [] and not finding.stops("alpha")


def test_a_home_of_which_nothing_could_be_taken_in_is_told_without_a_newest_night() -> None:
    of = {"files": 12, "practices": 1, "newest_night": None, "rows_accepted": 0, "rows_quarantined": 1411, "rows_superseded": 0}
    assert _counts(of) == "12 files of 1 practices, 0 rows accepted, 1,411 in quarantine, 0 superseded"
