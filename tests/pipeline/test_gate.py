"""Each check, made to fail, keeps the practice's claims in the house, and nobody else's."""

from __future__ import annotations

import json
from datetime import date

import duckdb
import pytest
import yaml

from orchestration.engine import held_open
from orchestration.gate import verdicts
from orchestration.gate.gate import rule_on, rule_on_all
from orchestration.gate.verdicts import Finding
from orchestration.house import House
from orchestration.judge.assets import judged_before, still
from orchestration.practices import Practice, load_practices
from orchestration.transform import dbt, project_files
from orchestration.transform.rebuild import findings_of
from tests.pipeline.homes import ccm, copy

pytestmark = pytest.mark.xdist_group("gate")

OCTOBER = date(2026, 10, 1)
AT_FAULT, INNOCENT = "hudson", "prairie"

# How to break what a test by name promises, for one practice.
BREAK = {
    "every_remittance_is_accounted_for_to_the_cent": "update marts.remittances set posted_amount = posted_amount + 1 where practice_id = '{p}'",
    "what_lines_and_claims_received_is_what_was_posted": (
        "update marts.claim_line_payments set paid_amount = paid_amount + 1 where practice_id = '{p}'"
    ),
    "what_a_claim_was_paid_is_the_sum_of_its_answers": "update marts.claim_answers set paid_amount = paid_amount + 1 where practice_id = '{p}'",
    "every_payment_of_an_answer_file_is_posted_unmatched_repeated_or_held": (
        "update marts.answer_files set claims_amount = claims_amount + 1 where practice_id = '{p}'"
    ),
    "seconds_of_every_entry_add_up_to_its_elapsed_time": "update marts.minute_ledger set seconds = seconds + 1 where practice_id = '{p}'",
    "credited_seconds_of_the_ledger_are_those_of_the_patient_month": (
        "update marts.patient_month_minutes set credited_seconds = credited_seconds + 1 where practice_id = '{p}'"
    ),
    "rows_received_are_accepted_quarantined_or_superseded": (
        "update marts.row_accounting set rows_received = rows_received + 1 where practice_id = '{p}'"
    ),
    "every_stage_of_the_funnel_is_a_subset_of_the_one_before": (
        "update marts.enrollment_funnel set patients = 1000000 where practice_id = '{p}' and stage_number = 9"
    ),
    "allowed_amount_of_a_patient_month_is_that_of_its_codes": (
        "update marts.patient_month_decisions set allowed_amount = allowed_amount + 1 where practice_id = '{p}'"
    ),
    "every_flag_in_use_is_in_the_rules": "update marts.patient_month_decisions set flags = ['nonsense'] where practice_id = '{p}'",
    "every_patient_month_is_decided_once": "delete from marts.patient_month_decisions where practice_id = '{p}'",
    "no_add_on_stands_without_its_base_code_and_no_code_above_its_cap": "update marts.claimable_codes set units = 11 where practice_id = '{p}'",
    "dollars_at_stake_add_up_to_what_crediting_the_time_would_bring": (
        "update marts.undocumented_time set dollars_at_stake = dollars_at_stake + 1 where practice_id = '{p}'"
    ),
    "causes_of_the_revenue_gap_add_up_to_eligible_patients_at_the_base_code": (
        "update marts.revenue_gap set patients = patients + 1 where practice_id = '{p}'"
    ),
    "stages_of_the_enrollment_status_are_those_of_the_funnel": "update marts.enrollment_status set stage = 'paid' where practice_id = '{p}'",
    "dollars_of_unresolved_time_add_up_to_what_resolving_it_would_bring": (
        "update intermediate.int_work_items set dollars_at_stake = dollars_at_stake + 1 where practice_id = '{p}'"
    ),
    "undocumented_time_of_open_months_is_on_the_work_list": "delete from marts.worklist where practice_id = '{p}'",
    "no_claim_has_what_an_auditor_would_object_to": (
        "insert into marts.claim_audit values ('{p}', 'orphan_add_on', 'x', '2026-10-01', 'c', 'l', 'd', 1, null)"
    ),
    "no_minute_is_credited_to_two_patients_of_one_member": (
        "insert into intermediate.int_time_segments select * replace (patient_number + 1 as patient_number, start_at + interval 1 second as start_at) "
        "from intermediate.int_time_segments where start_at is not null and disposition is null and not is_beside "
        "and patient_number in (select patient_number from intermediate.int_patients__current where practice_id = '{p}')"
    ),
}


# Marts that may have no row of the practice at fault, with one to plant.
PLANT = {
    "close_holds": (
        "insert into marts.close_holds by name (select '{p}' as practice_id, 'x' as hold_id, 'quarantined_row' as kind, 'claim' as holds_what, "
        "'stays' as table_name, date '2026-10-01' as extract_date, '' as measure, '' as column_name, 'd' as explanation, "
        "true as is_acceptable, false as is_accepted)"
    ),
    "claim_audit": BREAK["no_claim_has_what_an_auditor_would_object_to"],
    "post_close_changes": (
        "insert into marts.post_close_changes by name (select '{p}' as practice_id, 'x' as patient_id, date '2026-10-01' as month, 'c' as claim_id, "
        "1 as claimed_amount, 2 as amount_now, 'reopen' as kind, date '2026-11-01' as found_on, date '2026-12-01' as due_on, "
        "date '2026-10-31' as claimed_service_date)"
    ),
    # The demo has no phone system, and its payers were not asked about coverage.
    "call_log": (
        "insert into marts.call_log by name (select '{p}' as practice_id, date '2026-10-01' as month, 'm' as member_id, 1 as calls, 60 as call_seconds, "
        "0 as calls_without_entry, 0 as entries_without_call)"
    ),
    "coverage_answers": (
        "insert into marts.coverage_answers by name (select '{p}' as practice_id, 1 as transaction_id, 1 as position, 1 as subscriber_position, "
        "'x' as answer_patient, 'x' as patient_id, 'part_b' as meaning, true as is_covered, date '2026-10-01' as answered_on, true as is_in_force)"
    ),
}


def breaking_sql(node):
    """SQL that makes this dbt test fail for the practice at fault."""
    if node["name"] in BREAK:
        return BREAK[node["name"]].format(p=AT_FAULT)
    kind, given = node["test_metadata"]["name"], node["test_metadata"]["kwargs"]
    mart = node["attached_node"].split(".")[-1]
    if mart in PLANT:  # may be empty: a row to break comes first
        plant = PLANT[mart].format(p=AT_FAULT)
        column = given.get("column_name") or [c for c in given["columns"] if c != "practice_id"][-1]
        value = "null" if kind == "has_no_nulls" else "'nonsense'"
        return (
            f"{plant}; {plant}"
            if kind in ("is_unique_by", "is_whole")
            else f"{plant}; update marts.{mart} set {column} = {value} where practice_id = '{AT_FAULT}'"
        )
    if kind == "is_unique_by":
        return f"insert into marts.{mart} select * from marts.{mart} where practice_id = '{AT_FAULT}'"
    if kind == "has_no_nulls":
        column = [c for c in given["columns"] if c != "practice_id"][-1]
        return f"update marts.{mart} set {column} = null where practice_id = '{AT_FAULT}'"
    if kind in ("is_one_of", "is_in_the_rules"):
        schema = "marts" if "/marts/" in node["original_file_path"] else "intermediate"
        return f"update {schema}.{mart} set {given['column_name']} = 'nonsense' where practice_id = '{AT_FAULT}'"
    raise AssertionError(f"no way to break {node['name']}: add one")


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory):
    house = House(copy(demo[0], tmp_path_factory.mktemp("gate") / "home", without=["landing"]))
    (verdict,) = [verdicts.load(house, "dbt")]
    # Give every mart a row of the practice at fault.
    with duckdb.connect(str(house.warehouse)) as con:
        for (mart,) in con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall():
            if (
                mart not in PLANT
                and not con.execute(f"select 1 from marts.{mart} where practice_id = '{AT_FAULT}' limit 1").fetchall()
            ):
                pytest.fail(f"the demo has no row of {AT_FAULT} in {mart}")
    assert verdict
    return house, verdict.inputs


def test_the_gate_is_open_to_begin_with(home):
    house, inputs = home
    practices = load_practices(house.practices_yaml)
    assert rule_on(house, practices[AT_FAULT], OCTOBER, inputs).refusals == ()


@pytest.mark.long
def test_practices_asked_about_together_are_ruled_on_as_each_alone(home):
    house, inputs = home
    stranger = Practice(**{**load_practices(house.practices_yaml)[INNOCENT].model_dump(), "practice_id": "stranger"})
    practices = [*load_practices(house.practices_yaml).values(), stranger]
    refusals = set()
    for month in (OCTOBER, date(2026, 9, 1), date(2026, 11, 1), date(2020, 1, 1)):
        for of in (inputs, "other inputs"):
            together = rule_on_all(house, practices, month, of)
            assert together == [rule_on(house, practice, month, of) for practice in practices]
            assert [ruling.practice_id for ruling in together] == [practice.practice_id for practice in practices]
            refusals |= {reason for ruling in together for reason in ruling.refusals}
    for reason in ("no night", "none of the months", "may close from", "have not judged", "not after"):
        assert any(reason in one for one in refusals), reason


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.long)])
def test_every_dbt_check_made_to_fail_refuses_the_practice_at_fault_and_no_other(home, every):
    house, inputs = home
    practices = load_practices(house.practices_yaml)
    manifest = json.loads((project_files.target_folder(house) / "manifest.json").read_text())
    # The last night may have asked its own rows alone.
    assert not any(result.is_bad for result in dbt.invoke(house, ["compile"]))
    compiled = {
        path.stem: path.read_text()
        for path in (project_files.target_folder(house) / "compiled").rglob("*.sql")
        if "tests" in path.parts or ".yml" in str(path)
    }
    # A warning stops nobody, and what the rule seeds alone say is nobody's own (below).
    tests = [
        n
        for key, n in manifest["nodes"].items()
        if key.startswith("test.") and n["config"]["severity"].lower() == "error" and not of_seeds_alone(n)
    ]
    assert len(tests) > 35
    clean = house.warehouse.read_bytes()
    before = verdicts.load(house, "dbt")
    try:
        for node in tests[::every]:
            sql = compiled[node["alias"]] if node["alias"] in compiled else compiled[node["name"]]
            with duckdb.connect(str(house.warehouse)) as con:
                con.execute(breaking_sql(node))
                failing = con.execute(f"select count(*) from ({sql})").fetchall()[0][0]
            assert failing, f"{node['name']} does not notice"
            with held_open(house):
                found = findings_of(house, [dbt.NodeResult(node["unique_id"], "fail", 0.0, failing, None, sql)], manifest)
                verdicts.save(house, "dbt", inputs, found)
                refused, free = rule_on_all(house, [practices[AT_FAULT], practices[INNOCENT]], OCTOBER, inputs)
            assert any(node["name"] in refusal for refusal in refused.refusals), node["name"]
            assert free.may_close, node["name"]
            house.warehouse.write_bytes(clean)
    finally:
        house.warehouse.write_bytes(clean)
        verdicts.save(house, "dbt", inputs, before.findings)


def of_seeds_alone(node):
    return all(parent.startswith("seed.") for parent in node["depends_on"]["nodes"])


def test_rule_seeds_that_do_not_go_together_refuse_everybody(home):
    house, inputs = home
    practices = load_practices(house.practices_yaml)
    manifest = json.loads((project_files.target_folder(house) / "manifest.json").read_text())
    tests = {n["name"] for key, n in manifest["nodes"].items() if key.startswith("test.") and of_seeds_alone(n)}
    name = "every_code_has_its_cap_as_long_as_it_is_earned"
    assert name in tests and len(tests) >= 4
    clean, before = house.warehouse.read_bytes(), verdicts.load(house, "dbt")
    try:
        with duckdb.connect(str(house.warehouse)) as con:
            con.execute("delete from rules.rule_caps where procedure_code = '99439'")
        results = dbt.invoke(house, ["test", "--select", *sorted(tests)])
        assert [result.unique_id.split(".")[2] for result in results if result.status != "pass"] == [name]
        with held_open(house):
            verdicts.save(house, "dbt", inputs, findings_of(house, results, manifest))
            for ruling in rule_on_all(house, list(practices.values()), OCTOBER, inputs):
                assert any(name in refusal for refusal in ruling.refusals)
    finally:
        house.warehouse.write_bytes(clean)
        verdicts.save(house, "dbt", inputs, before.findings)


@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
def test_every_great_expectations_rule_of_every_contract_notices_and_refuses(home, every):
    from orchestration.contracts import extract_contracts
    from orchestration.judge.expectations import contract_rules, profile, validate

    house, inputs = home
    practices = load_practices(house.practices_yaml)
    before = verdicts.load(house, "great_expectations")
    for table, contract in list(extract_contracts().items())[::every]:
        frame = profile(house, contract, 1)
        assert frame.empty is contract.is_optional  # nobody landed calls
        if contract.is_optional:
            continue
        rules = contract_rules(contract)
        clean = validate(table, f"lake/{table}", frame, rules)
        assert all(finding.passed for finding in clean if finding.severity == "error"), table
        broken = frame.copy()
        for rule in rules:
            broken[rule.column] = broken[rule.column].astype(float)
            broken.loc[broken["practice_id"] == AT_FAULT, rule.column] = rule.at_most + 1
        found = validate(table, f"lake/{table}", broken, rules)
        assert {finding.check for finding in found if not finding.passed} == {rule.column for rule in rules}
        assert {finding.practice_ids for finding in found if finding.severity == "error"} == {(AT_FAULT,)}
        for finding in found:
            if finding.severity == "error":
                verdicts.save(house, "great_expectations", before.inputs, [finding], before.batches)
                refused, free = rule_on_all(house, [practices[AT_FAULT], practices[INNOCENT]], OCTOBER, inputs)
                assert not refused.may_close and free.may_close
    verdicts.save(house, "great_expectations", before.inputs, before.findings, before.batches)


def test_a_verdict_on_extracts_is_none_on_a_batch_that_is_another_than_was_judged(tmp_path):
    house, lake = House(tmp_path), {0: "00", 1: "aa", 2: "bb"}
    verdicts.save(house, "great_expectations", verdicts.fingerprint_of(lake), [], [1, 2])
    assert judged_before(house, lake) == judged_before(house, {**lake, 3: "cc"}) == verdicts.load(house, "great_expectations")
    assert judged_before(house, {**lake, 2: "cc"}) is judged_before(house, {0: "00", 1: "aa"}) is None


def test_a_practice_that_landed_its_file_again_is_not_refused_for_those_that_did_not():
    finding = Finding(
        "quarantine__share",
        "lake/time_logs",
        "great_expectations",
        "error",
        False,
        ("lakeside", "prairie"),
        "",
        (1_000_007, 1_000_011),
    )
    left = still(finding, {1_000_011: "prairie", 2_000_001: "lakeside"})
    assert left and (left.practice_ids, left.file_ids, left.passed) == (("prairie",), (1_000_011,), False)
    assert still(finding, {}) is None
    passed = Finding("quarantine__share", "lake/time_logs", "great_expectations", "error", True)
    assert still(passed, {}) == passed


def test_a_packet_that_is_gone_or_was_changed_refuses_its_practice_and_no_other(home, tmp_path):
    house, inputs = home
    practices = load_practices(house.practices_yaml)
    packet = house.closes / AT_FAULT / "2026-08" / "v1"
    manifest = packet / "manifest.json"
    before = manifest.read_bytes()

    def refusals():
        return [
            [one for one in ruling.refusals if "another than was closed" in one]
            for ruling in rule_on_all(house, [practices[AT_FAULT], practices[INNOCENT]], OCTOBER, inputs)
        ]

    assert refusals() == [[], []]
    try:
        manifest.write_bytes(before.replace(b'"claims": ', b'"claims": 1'))
        changed, others = refusals()
        assert f"closes/{AT_FAULT}/2026-08/v1 is gone" in changed[0] and others == []
    finally:
        manifest.write_bytes(before)
    for lost in (packet, house.closes / AT_FAULT):  # the whole folder takes its transitions along
        aside = lost.rename(tmp_path / "aside")
        try:
            assert changed[0] in refusals()[0] and refusals()[1] == []
        finally:
            aside.rename(lost)
    assert refusals() == [[], []]


def test_a_packet_that_is_gone_refuses_its_month_at_the_other_practices_of_its_tax_id(home, tmp_path):
    house = House(copy(home[0].root, tmp_path / "home"))
    content = yaml.safe_load(house.practices_yaml.read_text())
    by_id = {entry["practice_id"]: entry for entry in content["practices"]}
    by_id[INNOCENT]["tax_id"] = by_id[AT_FAULT]["tax_id"]
    house.practices_yaml.write_text(yaml.safe_dump(content))
    (house.closes / AT_FAULT / "2026-10" / "v1").rename(tmp_path / "aside")
    practices = load_practices(house.practices_yaml)
    others = [name for name in practices if name not in (AT_FAULT, INNOCENT)]

    def refused(month):
        rulings = rule_on_all(house, list(practices.values()), month, home[1])
        return {one.practice_id for one in rulings if any(f"closes/{AT_FAULT}/2026-10/v1 is gone" in text for text in one.refusals)}

    assert others and refused(OCTOBER) == {AT_FAULT, INNOCENT}
    assert refused(date(2026, 9, 1)) == {AT_FAULT}


def test_a_failed_check_that_names_nobody_stops_everybody(home):
    house, inputs = home
    practices = load_practices(house.practices_yaml)
    before = verdicts.load(house, "dbt")
    verdicts.save(house, "dbt", inputs, [Finding("could not build x", "x", "dbt", "error", False)])
    assert not any(rule_on(house, practice, OCTOBER, inputs).may_close for practice in practices.values())
    verdicts.save(house, "dbt", inputs, before.findings)


def test_without_a_verdict_on_the_present_data_nothing_leaves_the_house(home, tmp_path):
    house, _ = home
    other = House(copy(house.root, tmp_path / "home", without=["landing"]))
    before = sorted(path for path in other.closes.rglob("*"))
    for verdict in (other.state / "verdicts").glob("*.json"):
        verdict.unlink()
    ran = ccm("close", "--month", "2026-10", "--approved-by", "Ann Lee", home=other.root)
    assert ran.code == 3 and "run `ccm nightly`" in ran.out
    assert sorted(path for path in other.closes.rglob("*")) == before


@pytest.mark.long
def test_a_home_without_its_warehouse_is_told_to_run_a_night_whatever_was_judged_before(home, tmp_path):
    house, inputs = home
    restored = House(
        copy(house.root, tmp_path / "home", without=["landing", "warehouse.duckdb", "warehouse.duckdb.wal"])
    )  # as `ccm restore` gives it
    practice = load_practices(house.practices_yaml)[INNOCENT]
    for month in (OCTOBER, date(2026, 11, 1)):
        (refusal,) = rule_on(restored, practice, month, inputs).refusals
        assert "warehouse.duckdb is not there; run `ccm nightly`" in refusal
    for how in (("--approved-by", "Ann Lee"), ("--propose",)):
        ran = ccm("close", "--month", "2026-10", *how, home=restored.root)
        assert ran.code == 3 and "run `ccm nightly`" in ran.out and "defect" not in ran.out + ran.err
