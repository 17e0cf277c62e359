"""What the OIG found in others' claims is not in ours, and is found when somebody plants it."""

from __future__ import annotations

import csv
import json
import re
from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from orchestration.house import DBT_PROJECT, House
from orchestration.payers.eligibility import member_key
from orchestration.practices import load_practices
from orchestration.transform import compiled, dbt, project_files
from orchestration.transform.claim_lines import CLAIM_LINES
from orchestration.transform.configuration import write_configuration
from orchestration.transform.rebuild import findings_of
from tests.answers.office import load_rules
from tests.pipeline.homes import ccm, copy, rows
from tests.pipeline.planted import plant_bad_claims

pytestmark = pytest.mark.xdist_group("claim_audit")


def audit(house):
    """Builds the audit on the packets as they lie there now; its rows and what its tests say."""
    write_configuration(house, load_practices(house.practices_yaml))
    assert not [
        r
        for r in dbt.invoke(
            house,
            [
                "run",
                "--select",
                "int_claim_lines__sent",
                "int_claims__sent",
                "int_claims__history",
                "int_claims__identities",
                "int_claims__merged",
                "claim_audit",
            ],
        )
        if r.is_bad
    ]
    results = dbt.invoke(house, ["test", "--select", "claim_audit", "--exclude", "resource_type:unit_test"])
    manifest = project_files.load_manifest(project_files.target_folder(house) / "manifest.json")
    with duckdb.connect(str(house.warehouse), read_only=True) as con:
        found = {(r[0], r[1], r[2]) for r in con.execute("select practice_id, finding, claim_id from marts.claim_audit").fetchall()}
    return found, [f for f in findings_of(house, results, manifest) if not f.passed]


def test_no_claim_of_the_demo_has_what_an_auditor_would_object_to(demo):
    assert rows(demo[0], "from claim_audit") == []


def test_planted_duplicates_orphans_and_units_above_the_cap_are_found_and_stop_their_practice(demo, tmp_path):
    house = House(copy(demo[0], tmp_path / "home", without=["landing"]))
    plant_bad_claims(house.closes / "hudson" / "2026-09" / "v1")
    found, failed = audit(house)
    assert found == {
        ("hudson", "same_period_duplicate", "PLANTED1"),
        ("hudson", "same_period_duplicate", "PLANTED2"),
        ("hudson", "orphan_add_on", "PLANTED2"),
        ("hudson", "above_cap", "PLANTED2"),
    }
    stopping = [finding for finding in failed if finding.check == "no_claim_has_what_an_auditor_would_object_to"]
    assert stopping and all(finding.stops("hudson") and not finding.stops("prairie") for finding in stopping)


@pytest.mark.long
def test_one_beneficiary_at_two_practices_of_a_tax_id_is_claimed_once(next_night, tmp_path):
    home = copy(next_night, tmp_path / "home")
    content = yaml.safe_load((home / "practices.yaml").read_text())
    by_id = {entry["practice_id"]: entry for entry in content["practices"]}
    by_id["highpines"]["tax_id"] = by_id["bayview"]["tax_id"]
    (home / "practices.yaml").write_text(yaml.safe_dump(content))
    due = rows(home, "from claimable_codes where practice_id = 'highpines' and month = '2026-10-01' and decision = 'claimable'")
    patient = due[0]["patient_id"]
    subjects = pq.read_table(home / "closes" / "bayview" / "2026-10" / "v1" / "claim_subjects.parquet").to_pylist()
    taken = subjects[0]
    night = sorted((home / "landing" / "highpines").glob("*/coverages.csv"))[-1]
    with night.open(newline="") as handle:
        coverages = list(csv.DictReader(handle))
    for row in coverages:
        if row["patient_id"] == patient and row["coverage_type"].startswith("medicare_"):
            # As people write it: the claim would have it as the other has.
            row["member_id"] = f"{taken['mbi'][:4]}-{taken['mbi'][4:7]}-{taken['mbi'][7:]}".lower()
    with night.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(coverages[0]))
        writer.writeheader()
        writer.writerows(coverages)
    assert ccm("nightly", home=home).code == 0
    ran = ccm("close", "--month", "2026-10", "--practice", "highpines", "--approved-by", "Ann Lee", "--json", home=home)
    assert ran.code == 0, ran.out + ran.err
    packet = home / "closes" / "highpines" / "2026-10" / "v1"
    with (packet / "held.csv").open() as handle:
        held = {row["patient_id"]: row for row in csv.DictReader(handle)}
    assert held[patient]["reason"] == "claim_error" and f"bayview {taken['claim_id']}" in held[patient]["detail"]
    with (packet / "claims.csv").open() as handle:
        claimed = {row["patient_id"] for row in csv.DictReader(handle)}
    assert claimed and patient not in claimed
    # July went out before the two had one tax id.
    assert {(row["finding"], f"{row['month']:%Y-%m}") for row in rows(home, "from claim_audit")} == {
        ("other_tax_id_duplicate", "2026-07")
    }
    assert json.loads(ccm("rebuild", "--practice", "highpines", "--month", "2026-10", "--json", home=home).out)["is_same"]


CLAIMS = [
    ("a", "one", "A1", 10, "1EG4TE5MK72"), ("b", "other", "B1", 10, "1EG4TE5MK73"), ("b", "other", "B2", 11, "1EG4TE5MK73"),
    ("c", "third", "C1", 10, "1EG4TE5MK74"),
]  # fmt: skip


@pytest.fixture
def con(tmp_path):
    """The claims, as the audit reads them, and nothing else."""
    con = duckdb.connect()
    compiled.prepare(con)
    con.execute("""
        create table rules.rule_bands (procedure_code varchar, track varchar, is_base boolean, effective_from date, effective_to date);
        insert into rules.rule_bands values ('99490', 'ccm', true, date '2015-01-01', null);
        create table rules.rule_caps as
            select '99490' as procedure_code, 1 as max_units, date '2015-01-01' as effective_from, cast(null as date) as effective_to;
        create table intermediate.int_claims__turned_back (claim_id varchar);
        create table intermediate.int_services__beside_claims (
            practice_id varchar, patient_id varchar, month date, finding varchar, service_id varchar
        );
        create table intermediate.int_coverages__current (practice_id varchar, patient_id varchar, coverage_type varchar, member_id varchar);
        create table staging.stg_coverages (practice_id varchar, patient_id varchar, coverage_type varchar, member_id varchar, extract_date date);
        create view staging.stg_files as
            select distinct practice_id, 'coverages' as table_name, extract_date, true as is_in_force from staging.stg_coverages;
        create view intermediate.int_patients__presence as select distinct practice_id, patient_id, extract_date from staging.stg_coverages;
    """)
    lines = [
        {
            "practice_id": practice, "patient_id": patient, "month": date(2026, month, 1), "claim_id": claim, "line_id": f"{claim}01", "close_version": 1,
            "status": "submitted", "procedure_code": "99490", "units": 1, "service_date": date(2026, month, 28), "charge_amount": Decimal(90),
            "allowed_amount": Decimal(66), "tax_id": "1", "beneficiary_key": member_key(number), "claimed_on": date(2026, 12, 3),
        }
        for practice, patient, claim, month, number in CLAIMS
    ]  # fmt: skip
    folder = tmp_path / "lake" / "configuration"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(lines, schema=CLAIM_LINES), folder / "claim_lines.parquet")
    con.execute(f"create table intermediate.int_claims__history as from '{folder}/claim_lines.parquet'")
    con.execute("alter table intermediate.int_claims__history add column paid_amount decimal(12, 2) default 0")
    return con


def audited(con, home) -> list[tuple]:
    compiled.run(con, home, [compiled.models()[name] for name in ("int_claims__identities", "int_claims__merged", "claim_audit")])
    return con.execute("select practice_id, finding, patient_id, claim_id, detail from marts.claim_audit order by all").fetchall()


def test_two_charts_that_turn_out_to_be_one_beneficiary_are_found_by_the_numbers_that_they_have_now(con, tmp_path):
    for practice, patient, _, _, number in CLAIMS[:2] + CLAIMS[3:]:
        con.execute(
            "insert into intermediate.int_coverages__current values (?, ?, 'medicare_part_b', ?)", [practice, patient, number]
        )
    assert audited(con, tmp_path) == []
    con.execute("update intermediate.int_coverages__current set member_id = '1eg4-te5-mk72' where patient_id = 'other'")
    assert audited(con, tmp_path) == [("b", "merged_beneficiary", "other", "B1", "a A1")]
    # Both charts have another number by now.
    con.execute("update intermediate.int_coverages__current set member_id = '9EG4TE5MK99' where patient_id in ('one', 'other')")
    assert audited(con, tmp_path) == [("b", "merged_beneficiary", "other", "B1", "a A1")]


def under_tax_ids(home, tax_ids: dict[str, str]) -> None:
    """The claims of these practices go out under tax ids of their own."""
    path = home / "lake" / "configuration" / "claim_lines.parquet"
    lines = pq.read_table(path).to_pylist()
    pq.write_table(
        pa.Table.from_pylist([{**line, "tax_id": tax_ids[line["practice_id"]]} for line in lines], schema=CLAIM_LINES), path
    )


def test_a_beneficiarys_month_that_is_claimed_under_two_tax_ids_is_found_with_both_claims_by_any_number(con, tmp_path):
    under_tax_ids(tmp_path, {"a": "1", "b": "2", "c": "3"})
    assert audited(con, tmp_path) == []
    # The chart of b has by now the number that a claimed under, too; November was claimed by b alone.
    con.execute("insert into intermediate.int_coverages__current values ('b', 'other', 'medicare_part_a', '1eg4-te5-mk72')")
    found = [
        ("a", "other_tax_id_duplicate", "one", "A1", "b B1"),
        ("b", "other_tax_id_duplicate", "other", "B1", "a A1"),
    ]
    assert audited(con, tmp_path) == found
    # A chart with several numbers in common has one row, and of three tax ids each is told of another.
    con.execute("insert into intermediate.int_coverages__current values ('a', 'one', 'medicare_part_b', '1EG4TE5MK73')")
    assert audited(con, tmp_path) == found
    con.execute("insert into intermediate.int_coverages__current values ('c', 'third', 'medicare_part_b', '1EG4TE5MK72')")
    assert audited(con, tmp_path) == [
        ("a", "other_tax_id_duplicate", "one", "A1", "b B1"),
        ("b", "other_tax_id_duplicate", "other", "B1", "a A1"),
        ("c", "other_tax_id_duplicate", "third", "C1", "a A1"),
    ]


def told_by(con, check: str) -> list[str]:
    """The practices that a singular test of the project names, by the tables of this connection."""
    text = (DBT_PROJECT / "tests" / f"{check}.sql").read_text(encoding="utf-8")
    schemas = {"claim_audit": "marts", "claims": "marts", "stg_practices": "staging"}
    text = re.sub(r"\{\{ config\(.*?\) \}\}", "", text)
    text = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", lambda found: f"{schemas.get(found[1], 'intermediate')}.{found[1]}", text)
    text = re.sub(r"\{\{ beneficiary_key\('([\w.]+)'\) \}\}", r"upper(\1)", text)
    text = re.sub(r"\{\{ is_medicare\('([\w.]+)'\) \}\}", r"starts_with(\1, 'medicare_')", text)
    text = re.sub(r"\{\{ is_mbi\('([\w.]+)'\) \}\}", r"\1 ~ '1EG4TE5MK[0-9]{2}'", text)
    limits = "(select amount from rules.rule_office_limits where limit_name = '{}')"
    text = re.sub(r"\{\{ office_limit\('(\w+)'\) \}\}", lambda found: limits.format(found[1]), text)
    return [row[0] for row in con.execute(f"select distinct * from ({text}) order by all").fetchall()]


def test_a_month_claimed_under_two_tax_ids_is_told_as_long_as_both_claims_wait_or_are_paid_and_bars_no_claim(con, tmp_path):
    under_tax_ids(tmp_path, {"a": "1", "b": "2", "c": "3"})
    con.execute("""
        insert into intermediate.int_coverages__current values ('b', 'other', 'medicare_part_a', '1EG4TE5MK72');
        update intermediate.int_claims__history set status = 'accepted' where claim_id = 'A1';
        update intermediate.int_claims__history set status = 'paid', paid_amount = 51.85 where claim_id in ('B2', 'C1');
    """)
    audited(con, tmp_path)
    assert told_by(con, "no_claim_has_what_an_auditor_would_object_to") == []
    assert told_by(con, "no_month_of_a_beneficiary_is_claimed_under_two_tax_ids") == ["a", "b"]
    con.execute("update intermediate.int_claims__history set status = 'paid', paid_amount = 51.85 where practice_id = 'a'")
    audited(con, tmp_path)
    assert told_by(con, "no_month_of_a_beneficiary_is_claimed_under_two_tax_ids") == ["a", "b"]
    con.execute("update intermediate.int_claims__history set status = 'denied' where claim_id = 'B1'")
    audited(con, tmp_path)
    assert told_by(con, "no_month_of_a_beneficiary_is_claimed_under_two_tax_ids") == []


def test_of_three_tax_ids_two_that_still_claim_a_month_are_told_of_each_other_whatever_became_of_the_third(con, tmp_path):
    under_tax_ids(tmp_path, {"a": "1", "b": "2", "c": "3"})
    for practice, patient in (("b", "other"), ("c", "third")):
        con.execute(
            "insert into intermediate.int_coverages__current values (?, ?, 'medicare_part_b', '1EG4TE5MK72')", [practice, patient]
        )
    # b and c have another number in common, by which a is no third.
    con.execute("insert into intermediate.int_coverages__current values ('b', 'other', 'medicare_part_a', '1EG4TE5MK74')")
    for settled, told in (("A1", {"b B1", "c C1"}), ("B1", {"a A1", "c C1"}), ("C1", {"a A1", "b B1"})):
        con.execute(
            "update intermediate.int_claims__history set status = case when claim_id = ? then 'denied' else 'paid' end", [settled]
        )
        audited(con, tmp_path)
        found = con.execute("select practice_id || ' ' || claim_id, detail from marts.claim_audit where is_unsettled").fetchall()
        assert set(found) == {(one, other) for one in told for other in told - {one}}
        practices = sorted(claim[0] for claim in told)
        assert told_by(con, "no_month_of_a_beneficiary_is_claimed_under_two_tax_ids") == practices


def test_a_panel_that_is_mostly_listed_under_another_tax_id_is_told_and_a_few_shared_patients_are_not(con):
    con.execute("""
        create table staging.stg_practices as select * from (values
            ('a', '1', date '2026-11-23'), ('b', '2', date '2026-11-23'), ('c', '3', date '2026-11-22'), ('d', '1', date '2026-11-23'),
            ('old', '9', date '2026-10-01')
        ) as practices (practice_id, tax_id, newest_night);
        -- a: 1 to 9; b: the same; c: 5 to 30; d: 40 to 49, of which old had all.
        create table shown as select 'a' as practice_id, unnest(range(1, 10)) as number union all select 'b', unnest(range(1, 10))
            union all select 'c', unnest(range(5, 31)) union all select 'd', unnest(range(40, 50)) union all select 'old', unnest(range(40, 50));
        create table intermediate.int_patients__current as
            select practice_id, practice_id || number as patient_id, true as is_on_panel from shown;
        insert into intermediate.int_coverages__current
            select practice_id, practice_id || number, kind, '1EG4TE5MK' || lpad(number::varchar, 2, '0')
            from shown cross join (values ('medicare_part_a'), ('medicare_part_b')) as kinds (kind)
            union all select practice_id, practice_id || number, 'commercial', 'ONE' from shown;
    """)  # fmt: skip
    load_rules(con, "rule_office_limits")
    check = "no_panel_is_listed_under_other_tax_ids_as_well"
    assert told_by(con, check) == ["a", "b"]
    # How much of a panel, and how long without a night, are rules.
    con.execute("update rules.rule_office_limits set amount = 19 where limit_name = 'shared_panel'")
    assert told_by(con, check) == ["a", "b", "c"]  # 5 of its 26
    con.execute("update rules.rule_office_limits set amount = 50 where limit_name = 'shared_panel'")
    con.execute("update rules.rule_office_limits set amount = 53 where limit_name = 'shared_panel_nights'")
    assert told_by(con, check) == ["a", "b", "d", "old"]
    con.execute("update rules.rule_office_limits set amount = 31 where limit_name = 'shared_panel_nights'")
    con.execute("update intermediate.int_patients__current set is_on_panel = false where practice_id = 'b' and patient_id > 'b3'")
    assert told_by(con, check) == ["a", "b"]  # 5 to 9 are still shared with c, 1 to 3 with b
    con.execute("update intermediate.int_patients__current set is_on_panel = false where practice_id = 'b'")
    assert told_by(con, check) == ["a"]
    con.execute("update staging.stg_practices set tax_id = '1'")
    assert told_by(con, check) == []  # the close sees to these
    # Two panels without a number have none in common.
    con.execute(
        "update staging.stg_practices set tax_id = practice_id; update intermediate.int_patients__current set is_on_panel = true"
    )
    assert told_by(con, check) == ["a", "b"]
    con.execute("update intermediate.int_coverages__current set member_id = 'UNKNOWN'")
    assert told_by(con, check) == []


@pytest.mark.parametrize(("status", "named"), [("fail", "select 1"), ("warn", "select 1"), ("pass", None)])
def test_a_yellow_check_names_the_practices_as_a_red_one_does(status, named):
    node = SimpleNamespace(unique_id="test.ccm.one", compiled_code="select 1")
    result = SimpleNamespace(node=node, status=status, execution_time=0.1, failures=2, message=None)
    (found,) = dbt.node_results(SimpleNamespace(result=SimpleNamespace(results=[result]), success=True), "test")
    assert found.failing_sql == named


@pytest.mark.parametrize("said", ["unknown", "-", "N/A", "123456789A", "H1234567890"])
def test_what_stands_in_the_place_of_a_number_makes_one_beneficiary_of_nobody(con, tmp_path, said):
    for practice, patient, _, _, number in CLAIMS[:2]:
        for kind, member_id in (("medicare_part_a", said), ("medicare_part_b", number)):
            con.execute("insert into intermediate.int_coverages__current values (?, ?, ?, ?)", [practice, patient, kind, member_id])
    assert audited(con, tmp_path) == []


def test_another_bill_of_the_practice_is_an_overlapping_service_and_another_practices_is_none(con, tmp_path):
    con.execute(
        "insert into intermediate.int_services__beside_claims values ('c', 'third', date '2026-10-01', 'other_practitioner_billed', 'V0')"
    )
    assert audited(con, tmp_path) == []
    for finding, service in (("already_claimed", "V1"), ("conflict_apcm", "V2")):
        con.execute(
            "insert into intermediate.int_services__beside_claims values ('c', 'third', date '2026-10-01', ?, ?)",
            [finding, service],
        )
    assert audited(con, tmp_path) == [("c", "overlapping_service", "third", "C1", "already_claimed V1, conflict_apcm V2")]


PAYMENTS = "create table marts.claim_line_payments (claim_id varchar, paid_amount decimal(12, 2), deductible_amount decimal(12, 2))"
NIGHTS = [date(2026, 11, 1), date(2026, 12, 4), date(2026, 12, 20)]


def items(con, home) -> list[tuple]:
    compiled.run(
        con,
        home,
        [compiled.models()[name] for name in ("int_claims__identities", "int_claims__merged", "int_claims__merged_unsettled")],
    )
    told = "practice_id, patient_id, claim_id, kind, due_on, last_day, dollars, fact"
    return con.execute(f"select {told} from intermediate.int_claims__merged_unsettled order by all").fetchall()


def test_the_later_claim_of_a_beneficiary_with_two_charts_is_work_from_the_night_on_that_shows_it(con, tmp_path):
    con.execute(
        "create table intermediate.int_claim_lines__sent as select *, 51.85 as expected_payment from intermediate.int_claims__history"
    )
    con.execute(PAYMENTS)
    load_rules(con, "rule_limits")
    number = {"one": "1EG4TE5MK72", "other": "1EG4TE5MK73"}
    for night in NIGHTS:
        # The second snapshot behind the claims has the first one's number in the other chart.
        number["other"] = "1EG4-TE5-MK72" if night == NIGHTS[-1] else number["other"]
        for practice, patient in (("a", "one"), ("b", "other")):
            row = [practice, patient, "medicare_part_b", number[patient], night]
            con.execute("insert into staging.stg_coverages values (?, ?, ?, ?, ?)", row)
    con.execute(
        f"insert into intermediate.int_coverages__current select * exclude (extract_date) from staging.stg_coverages where extract_date = date '{NIGHTS[1]}'"
    )
    assert items(con, tmp_path) == []
    con.execute("update intermediate.int_coverages__current set member_id = '1EG4-TE5-MK72' where patient_id = 'other'")
    due = NIGHTS[-1] + timedelta(60)
    expected = ("b", "other", "B1", "merged_beneficiary", due, due)
    assert items(con, tmp_path) == [(*expected, Decimal("-51.85"), "B1 of 2026-12-03 and a A1")]
    con.execute("update intermediate.int_claims__history set status = 'paid', paid_amount = 50 where claim_id = 'B1'")
    con.execute("insert into marts.claim_line_payments values ('B1', 50, 0)")
    assert items(con, tmp_path) == [(*expected, Decimal("-50.00"), "B1 of 2026-12-03 and a A1")]
    # Or all of it was left to the patient's deductible.
    con.execute("update intermediate.int_claims__history set paid_amount = 0 where claim_id = 'B1'")
    con.execute("update marts.claim_line_payments set paid_amount = 0, deductible_amount = 64.81")
    fact = "B1 of 2026-12-03, $64.81 of it left to the deductible, and a A1"
    assert items(con, tmp_path) == [(*expected, Decimal("-64.81"), fact)]
    con.execute("update intermediate.int_claims__history set status = 'reopened', paid_amount = 0 where claim_id = 'B1'")
    assert items(con, tmp_path) == []


@pytest.mark.parametrize("last", ["1EG4TE5MK72", None], ids=["", "and the patient has left the panel since"])
def test_a_number_that_a_chart_had_by_slip_once_dates_no_claims_of_one_beneficiary(con, tmp_path, last):
    """Nor does it where the chart had no number in between."""
    own = "1EG4TE5MK73"
    for month, number in (
        (1, "1EG4TE5MK72"),
        (2, own),
        (3, "1EG4TE5MK72"),
        (4, None),
        (12, own),
        (13, "1EG4TE5MK72"),
        (14, "1EG4-TE5-MK72"),
        (15, last),
    ):
        night = date(2026 + month // 13, (month - 1) % 12 + 1, 5)
        for practice, patient, listed in (("a", "one", "1EG4TE5MK72"), ("b", "other", number), ("b", "third", own)):
            if listed or month != 15:
                con.execute(
                    "insert into staging.stg_coverages values (?, ?, 'medicare_part_b', ?, ?)", [practice, patient, listed, night]
                )
    con.execute("insert into intermediate.int_coverages__current values ('b', 'other', 'medicare_part_b', '1EG4TE5MK72')")
    assert audited(con, tmp_path) == [("b", "merged_beneficiary", "other", "B1", "a A1")]
    assert con.execute("select found_on from intermediate.int_claims__merged").fetchall() == [(date(2027, 1, 5),)]


def test_where_the_earlier_of_two_charts_claims_was_paid_nothing_the_later_one_owes_nothing(con, tmp_path):
    con.execute(
        "create table intermediate.int_claim_lines__sent as select *, 51.85 as expected_payment from intermediate.int_claims__history"
    )
    con.execute(PAYMENTS)
    load_rules(con, "rule_limits")
    con.execute("insert into intermediate.int_coverages__current values ('b', 'other', 'medicare_part_b', '1EG4-TE5-MK72')")
    con.execute("update intermediate.int_claims__history set status = 'paid', paid_amount = 50 where claim_id = 'B1'")
    assert [row[2:4] for row in items(con, tmp_path)] == [("B1", "merged_beneficiary")]
    con.execute("update intermediate.int_claims__history set status = 'denied' where claim_id = 'A1'")
    assert items(con, tmp_path) == []
    # A finding it remains.
    assert audited(con, tmp_path) == [("b", "merged_beneficiary", "other", "B1", "a A1")]
    assert con.execute("select is_unsettled from marts.claim_audit").fetchall() == [(False,)]
