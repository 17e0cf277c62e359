"""The dbt tests that hold the rule seeds against each other, on the committed seeds and on those of somebody who forgot one: no warehouse, no night."""

from __future__ import annotations

import duckdb
import jinja2
import pytest
import yaml

from orchestration.house import DBT_PROJECT
from orchestration.rules.seeds import SEEDS

MACROS = "".join((DBT_PROJECT / "macros" / name).read_text(encoding="utf-8") for name in ("time.sql", "earned.sql", "programs.sql"))
CAPS, CONFLICTS, TRACKS, LIMITS, GAPS, TWICE = TESTS = (
    "every_code_has_its_cap_as_long_as_it_is_earned",
    "every_code_bars_what_the_codes_of_its_program_bar",
    "every_track_has_its_place_in_every_policy",
    "minutes_of_the_limits_are_those_of_the_bands",
    "every_limit_is_in_force_without_a_gap",
    "no_rule_is_said_twice_of_a_day",
)


@pytest.fixture
def seeds() -> duckdb.DuckDBPyConnection:
    """The rule seeds as tables, typed as dbt loads them."""
    con = duckdb.connect()
    described = yaml.safe_load((SEEDS / "rules" / "_rules.yml").read_text(encoding="utf-8"))["seeds"]
    for seed in described:
        types = seed.get("config", {}).get("column_types", {})
        read = f"read_csv('{SEEDS / 'rules' / seed['name']}.csv'{f', types = {types}' if types else ''})"
        con.execute(f"create table {seed['name']} as from {read}")
    return con


def failing(seeds: duckdb.DuckDBPyConnection, test: str) -> list[tuple[object, ...]]:
    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)  # SQL, not HTML
    environment.globals |= {"ref": lambda name: name, "config": lambda **_: ""}
    text = (DBT_PROJECT / "tests" / f"{test}.sql").read_text(encoding="utf-8")
    return [
        tuple(str(value) for value in row)
        for row in seeds.execute(f"from ({environment.from_string(MACROS + text).render()}) order by all").fetchall()
    ]


def with_99440(seeds: duckdb.DuckDBPyConnection, *, caps: str = "2026-09-01", conflicts: bool = True) -> None:
    """A made-up code in the place of 99439, from September 2026 on, with a cap from a day on and its conflicts."""
    seeds.execute("update rule_bands set effective_to = '2026-08-31' where procedure_code = '99439'")
    new = "* replace ('99440' as procedure_code, date '2026-09-01' as effective_from, cast(null as date) as effective_to)"
    seeds.execute(f"insert into rule_bands select {new} from rule_bands where procedure_code = '99439'")
    seeds.execute(
        f"insert into rule_caps by name select '99440' as procedure_code, 2 as max_units, date '{caps}' as effective_from"
    )
    if conflicts:
        seeds.execute(f"insert into rule_conflicts select {new} from rule_conflicts where procedure_code = '99439'")


@pytest.mark.parametrize("test", TESTS)
def test_the_committed_seeds_agree(seeds, test):
    assert failing(seeds, test) == []


@pytest.mark.parametrize("test", TESTS)
def test_a_new_code_with_all_of_its_rows_agrees(seeds, test):
    with_99440(seeds)
    assert failing(seeds, test) == []


def test_a_code_without_a_cap_is_found_and_one_whose_cap_begins_late_or_ends_early(seeds):
    with_99440(seeds, caps="2026-11-01")
    assert failing(seeds, CAPS) == [("99440", "2026-09-01")]
    seeds.execute("delete from rule_caps where procedure_code = '99440'")
    assert failing(seeds, CAPS) == [("99440", "2026-09-01")]
    seeds.execute("update rule_caps set effective_to = '2026-03-31' where procedure_code = '99490'")
    assert ("99490", "2026-04-01") in failing(seeds, CAPS)
    # The code of a level is earned without minutes.
    seeds.execute("delete from rule_caps where procedure_code = 'G0557'")
    assert ("G0557", "2025-01-01") in failing(seeds, CAPS)


def test_a_code_that_bars_no_second_bill_of_its_month_is_found_with_every_row_that_lacks(seeds):
    with_99440(seeds, conflicts=False)
    assert failing(seeds, CONFLICTS) == [
        ("99440", "apcm", "own_practice", "already_claimed", "2026-09-01"),
        ("99440", "ccm", "other_practice", "other_practitioner_billed", "2026-09-01"),
        ("99440", "ccm", "own_practice", "already_claimed", "2026-09-01"),
        ("99440", "pcm", "own_practice", "already_claimed", "2026-09-01"),
    ]


def test_a_program_whose_codes_bar_nothing_at_all_is_found(seeds):
    seeds.execute("delete from rule_conflicts where procedure_code like '9942_'")
    assert {row[:4] for row in failing(seeds, CONFLICTS)} == {
        (code, "pcm", "own_practice", "already_claimed") for code in ("99424", "99425", "99426", "99427")
    }


def test_a_track_that_a_policy_does_not_place_is_found(seeds):
    seeds.execute(
        "insert into rule_bands select * replace ('pcm_short' as track, '99428' as procedure_code, 10 as first_unit_minutes, "
        "date '2026-10-01' as effective_from) from rule_bands where procedure_code = '99426'"
    )
    found = [(policy, "pcm", "pcm_short", "2026-10-01") for policy in ("documented", "highest_allowed")]
    assert failing(seeds, TRACKS) == found
    seeds.execute("delete from rule_track_choice where track = 'apcm' and track_policy = 'documented'")
    assert failing(seeds, TRACKS)[0][:3] == ("documented", "apcm", "apcm")


def test_a_first_unit_that_the_bands_alone_or_the_limits_alone_lower_is_found(seeds):
    seeds.execute("update rule_bands set effective_to = '2026-09-30' where procedure_code = '99490'")
    seeds.execute(
        "insert into rule_bands select * replace (15 as first_unit_minutes, date '2026-10-01' as effective_from, null as effective_to) "
        "from rule_bands where procedure_code = '99490'"
    )
    found = [("near_threshold_from", "99490", "2026-10-01"), ("near_threshold_to", "99490", "2026-10-01")]
    assert failing(seeds, LIMITS) == found
    for name, amount in (("near_threshold_from", 10), ("near_threshold_to", 15)):
        seeds.execute(f"update rule_limits set effective_to = '2026-09-30' where limit_name = '{name}'")
        seeds.execute(
            f"insert into rule_limits select * replace ({amount} as amount, date '2026-10-01' as effective_from, null as effective_to) "
            f"from rule_limits where limit_name = '{name}'"
        )
    assert failing(seeds, LIMITS) == []
    seeds.execute("update rule_limits set amount = 45 where limit_name = 'complex_first_unit'")
    assert {row[:2] for row in failing(seeds, LIMITS)} == {("complex_first_unit", "99487")}


def test_a_limit_that_ends_before_its_successor_begins_is_found(seeds):
    seeds.execute("update rule_limits set effective_to = '2026-12-31' where limit_name = 'runaway_timer'")
    assert failing(seeds, GAPS) == [("runaway_timer", "2027-01-01")]
    seeds.execute(
        "insert into rule_limits select * replace (date '2027-01-01' as effective_from, null as effective_to) "
        "from rule_limits where limit_name = 'runaway_timer'"
    )
    assert failing(seeds, GAPS) == []


@pytest.mark.parametrize(
    ("seed", "said_of"),
    [
        ("rule_apcm_levels", "G0557"),
        ("rule_bands", "ccm, ccm, 99439"),
        ("rule_caps", "99439"),
        ("rule_coverage_types", "commercial"),
        ("rule_credentials", "NP"),
        ("rule_initiating_visits", "99204"),
        ("rule_limits", "after_sequestration"),
        ("rule_programs", "apcm"),
        ("rule_stay_types", "hospice"),
        ("rule_track_choice", "documented, ccm, ccm"),
    ],
)
def test_a_rule_whose_new_row_begins_before_the_old_one_ended_is_found(seeds, seed, said_of):
    columns = [name for name, *_ in seeds.execute(f"describe {seed}").fetchall()]
    key = columns[: said_of.count(",") + 1] if seed != "rule_bands" else ["program", "track", "procedure_code"]
    row = f"concat_ws(', ', {', '.join(key)}) = '{said_of}'"
    new = "* replace (date '2027-01-01' as effective_from, cast(null as date) as effective_to)"
    seeds.execute(f"insert into {seed} select {new} from {seed} where {row}")
    assert failing(seeds, TWICE) == [(seed, said_of, "2027-01-01")]
    ended = f"update {seed} set effective_to = date '{{}}' where {row} and effective_from < date '2027-01-01'"
    seeds.execute(ended.format("2027-01-01"))
    assert failing(seeds, TWICE) == [(seed, said_of, "2027-01-01")], "the first day belongs to both"
    seeds.execute(ended.format("2026-12-31"))
    assert failing(seeds, TWICE) == []
