"""The home with a case for every rule row, and the machinery of `make mutate` on it: it must notice, and must notice when nobody does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.gate import verdicts
from orchestration.house import House
from tests.mutation.bench import Bench, Node
from tests.mutation.every_rule_home import Rule, month_for, read_seed, write_rule_home
from tests.mutation.judges import READ_BY_THE_SECOND_OPINION, ReferencePins, SecondOpinion, failing_data_tests, passes
from tests.mutation.mutate import SEEDS, Stand, Verdict, as_markdown, judge_row
from tests.pipeline.homes import ccm
from tests.rules import test_reference_seeds
from tests.second_opinion.prices import Reference

pytestmark = pytest.mark.xdist_group("mutation")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    home = write_rule_home(tmp_path_factory.mktemp("rules") / "home", SEEDS)
    ran = ccm("nightly", home=home)
    assert ran.code == 0, ran.err
    return House(home)


@pytest.fixture(scope="module")
def stand(house: House) -> Stand:
    """Made only where the marts and the second opinion agree on every case."""
    judge = SecondOpinion(house, SEEDS)
    return Stand("every rule", Bench(house), judge)


def verdict_on(stand: Stand, seed: str, **key: str) -> Verdict:
    where = " and ".join(f"{column} = '{value}'" for column, value in key.items())
    (row,) = stand.bench.rows(f"select rowid, * from unchanged.rules.{seed} where {where}")
    return judge_row(Verdict(seed, row.pop("rowid"), row), [stand], None)


def test_the_marts_agree_with_the_second_opinion_on_a_case_for_every_rule_row(stand: Stand) -> None:
    decided = stand.bench.rows("select count(*) as patient_months from marts.patient_month_decisions")
    assert decided[0]["patient_months"] > 800


def test_every_dbt_test_passes_on_a_case_for_every_rule_row(house: House) -> None:
    verdict = verdicts.load(house, "dbt")
    assert verdict and len(verdict.findings) > 40
    assert [finding.check for finding in verdict.findings if not finding.passed] == []


@pytest.mark.long
def test_every_model_comes_out_of_the_bench_as_the_night_built_it(stand: Stand) -> None:
    assert stand.bench.control() == []


@pytest.mark.parametrize(
    ("seed", "key", "killer", "said"),
    [
        (
            "rule_conflicts",
            {"program": "ccm", "procedure_code": "G0181", "kind": "reason"},
            "every rule",
            "ccm-g0181-billing-practitioner",
        ),
        ("rule_bands", {"procedure_code": "99427"}, "every rule", "practice=bands"),
        ("rule_track_choice", {"track_policy": "documented", "track": "ccm_complex"}, "every rule", "band-99487"),
        ("rule_credentials", {"credential": "CHW"}, "data test", "every_credential_in_use_is_in_the_rules"),
    ],
)
def test_a_row_taken_away_is_noticed(stand: Stand, seed: str, key: Rule, killer: str, said: str) -> None:
    assert said in verdict_on(stand, seed, **key).noticed[killer]


# Seeds with dates whose rows decide minutes, codes and claims.
DATED = [
    "rule_apcm_levels", "rule_bands", "rule_caps", "rule_ccir_chronic_codes", "rule_complex_mdm_levels", "rule_condition_groups",
    "rule_condition_prefixes", "rule_conflicts", "rule_conversion_factors", "rule_coverage_types", "rule_credentials", "rule_facility_places", "rule_gpcis",
    "rule_initiating_visits", "rule_limits", "rule_non_countable_activities", "rule_programs", "rule_rvus", "rule_stay_types", "rule_track_choice",
]  # fmt: skip


@pytest.mark.parametrize("seed", DATED)
def test_a_rule_that_ends_with_a_successor_that_says_the_same_changes_nothing(stand: Stand, seed: str) -> None:
    """docs/how-to/rule-year.md: the old row gets its end, the new one its beginning."""
    rows, last = f"unchanged.rules.{seed}", "date '2026-09-15'"
    split = f"""
        select * replace (least(effective_to, {last}) as effective_to) from {rows}
        union all by name
        select * replace ({last} + 1 as effective_from) from {rows}
        where effective_from <= {last} and coalesce(effective_to, date '9999-12-31') > {last}
    """
    with stand.bench.changed(seed, split) as outcome:
        # By which days a code falls into its groups is a column of this one alone.
        assert outcome.error is None and set(outcome.changed) <= {seed, "int_condition_codes__grouped"}, outcome
        assert (
            failing_data_tests(
                stand.bench, [seed, "claimable_codes", "claims", "claim_audit", "patient_month_decisions", "minute_ledger"]
            )
            == []
        )


@pytest.mark.parametrize("seed", [DATED[0], *(pytest.param(seed, marks=pytest.mark.long) for seed in DATED[1:])])
def test_a_rule_that_has_ended_decides_nothing_any_more(stand: Stand, seed: str) -> None:
    bench, rows = stand.bench, f"unchanged.rules.{seed}"
    marts = [f"marts.{name}" for name in ("eligibility", "minute_ledger", "claimable_codes", "undocumented_time")]

    def decided() -> list[object]:
        return [bench.rows(f"select count(*) as rows, sum(hash(t)) as number from {mart} as t") for mart in marts]

    with bench.changed(seed, f"select * from {rows} where false") as without:
        nothing, error = decided(), without.error
    with bench.changed(
        seed, f"select * replace (date '2001-01-01' as effective_from, date '2001-12-31' as effective_to) from {rows}"
    ) as ended:
        assert (decided(), ended.error) == (nothing, error)


@pytest.mark.long
def test_a_row_without_a_case_survives_and_is_reported(stand: Stand) -> None:
    """Planted: a conflict on a code that nobody bills, and a limit that no model asks for."""
    con = stand.bench.con
    con.execute(
        "insert into unchanged.rules.rule_conflicts select * replace ('00000' as procedure_code) from rules.rule_conflicts limit 1"
    )
    con.execute("insert into unchanged.rules.rule_limits select * replace ('planted' as limit_name) from rules.rule_limits limit 1")
    try:
        found = [
            verdict_on(stand, "rule_conflicts", procedure_code="00000"),
            verdict_on(stand, "rule_limits", limit_name="planted"),
            verdict_on(stand, "rule_limits", limit_name="runaway_timer"),
        ]
    finally:
        con.execute("delete from unchanged.rules.rule_conflicts where procedure_code = '00000'")
        con.execute("delete from unchanged.rules.rule_limits where limit_name = 'planted'")
    assert [verdict.survives for verdict in found] == [True, True, False]
    report = as_markdown({"rule_conflicts": found[:1], "rule_limits": found[1:]}, [stand])
    assert "## Survivors: 2" in report and "- `rule_limits`, 1: planted" in report and "runaway_timer" not in report


def test_a_rule_that_the_second_opinion_does_not_know_is_red(stand: Stand) -> None:
    added = (
        "select * from unchanged.rules.rule_non_countable_activities "
        "union all by name select 'voicemail and more' as activity, date '2019-01-01' as effective_from"
    )
    with stand.bench.changed("rule_non_countable_activities", added) as outcome:
        assert "activities" in str(stand.judge.notices(stand.bench, outcome))


def test_what_was_taken_away_is_back_afterwards(stand: Stand) -> None:
    bench = stand.bench
    with bench.changed("rule_programs", bench.without("rule_programs", [0])) as outcome:
        assert "patient_month_decisions" in outcome.changed
    assert bench.control() == []
    assert failing_data_tests(bench, [node.name for node in bench.relations]) == []
    with bench.changed("rule_programs", "from unchanged.rules.rule_programs") as outcome:
        assert outcome.changed == ["rule_programs"]


def test_a_unit_test_passes_only_where_actual_and_expected_rows_are_the_same(stand: Stand) -> None:
    def sides(*rows: tuple[str, int]) -> Node:
        values = ", ".join(f"('{side}', {value})" for side, value in rows)
        return Node("", "", "", (), f"from (values {values}) as t (actual_or_expected, value)")

    assert passes(stand.bench, sides(("actual", 1), ("actual", 2), ("expected", 2), ("expected", 1)))
    assert not passes(stand.bench, sides(("actual", 1), ("actual", 1), ("expected", 1)))
    assert not passes(stand.bench, sides(("actual", 1), ("expected", 2)))


def test_the_second_opinion_reads_only_these_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    read = set()

    def recording(seeds: Path, name: str) -> list[Rule]:
        read.add(name)
        return read_seed(seeds, name)

    monkeypatch.setattr(Reference, "_read", staticmethod(recording))
    Reference(SEEDS)
    assert read == READ_BY_THE_SECOND_OPINION


def test_the_pins_of_the_reference_seeds_notice_a_row_that_is_gone() -> None:
    pins = ReferencePins(test_reference_seeds, ["rule_facility_places", "rule_condition_prefixes"])
    assert pins.notices("rule_facility_places", 4) == "test_facility_places_are_those_of_the_rules"
    numbers = [number for number, row in enumerate(pins.rows["rule_condition_prefixes"]) if row["icd10_prefix"] == "F25"]
    assert pins.notices("rule_condition_prefixes", *numbers) == "test_the_prefixes_of_a_group_are_those_of_the_rules"


def test_a_seed_or_a_named_situation_without_a_case_is_refused(tmp_path: Path) -> None:
    seeds = shutil.copytree(SEEDS, tmp_path / "seeds")
    with (seeds / "rules" / "rule_limits.csv").open("a", encoding="utf-8") as file:
        file.write("no_case_yet,1,minutes,nowhere\n")
    with pytest.raises(AssertionError, match="rule_limits: no case for `no_case_yet`"):
        write_rule_home(tmp_path / "one", seeds)
    (seeds / "rules" / "rule_new.csv").write_text("name,citation\n")
    with pytest.raises(AssertionError, match="rule seeds without cases: rule_new"):
        write_rule_home(tmp_path / "two", seeds)


def test_a_rule_that_has_ended_or_has_yet_to_begin_has_its_case_in_a_month_in_which_it_holds() -> None:
    assert f"{month_for({'effective_from': '2024-01-01', 'effective_to': '2024-03-08'}):%Y-%m}" == "2024-02"
    assert f"{month_for({'effective_from': '2027-01-01', 'effective_to': '2027-12-31'}):%Y-%m}" == "2027-01"
    assert f"{month_for({'effective_from': '2026-11-15'}):%Y-%m}" == "2026-11"
    with pytest.raises(AssertionError, match="no month on whose last day"):
        month_for({"effective_from": "2024-03-01", "effective_to": "2024-03-08"})
