"""The arithmetic of a difference, and what taking the rules of one day does to the rule tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import pytest

from orchestration.house import House, HouseError
from orchestration.what_if.compare import Side, compare
from orchestration.what_if.scratch import scratch_home, take_rules_as_of

DECISIONS = "(values {}) as t (practice_id, patient_id, decision, reason, track, allowed_amount)"
CODES = "(values {}) as t (practice_id, patient_id, procedure_code, units, service_date, allowed_amount, charge_amount)"


def side(decisions: list[str], codes: list[str]) -> Side:
    def table(form: str, rows: list[str], types: str):
        return duckdb.sql(f"select * replace ({types}) from {form.format(', '.join(rows))}").to_arrow_table()

    return Side(
        table(DECISIONS, decisions, "cast(allowed_amount as decimal(12, 2)) as allowed_amount"),
        table(
            CODES,
            codes,
            "cast(allowed_amount as decimal(12, 2)) as allowed_amount, cast(charge_amount as decimal(12, 2)) as charge_amount",
        ),
    )


BEFORE = side(
    [
        "('p', 'a', 'claimable', 'ok', 'ccm_complex', 144.29)", "('p', 'b', 'claimable', 'ok', 'ccm', 66.13)",
        "('p', 'c', 'not_claimable', 'below_threshold', null, 0)", "('q', 'd', 'held', 'month_open', 'ccm', null)",
    ],
    ["('p', 'a', '99487', 1, date '2026-10-31', 144.29, 200)", "('p', 'b', '99490', 1, date '2026-10-31', 66.13, 95)",
     "('q', 'd', '99490', 1, date '2027-01-31', null, null)"],
)  # fmt: skip
AFTER = side(
    [
        "('p', 'a', 'claimable', 'ok', 'ccm', 167.01)", "('p', 'b', 'not_claimable', 'below_threshold', null, 0)",
        "('p', 'c', 'not_claimable', 'below_threshold', null, 0)", "('q', 'd', 'held', 'month_open', 'ccm', null)",
    ],
    ["('p', 'a', '99490', 1, date '2026-10-31', 66.13, 95)", "('p', 'a', '99439', 2, date '2026-10-31', 100.88, 140)",
     "('q', 'd', '99490', 1, date '2027-01-31', null, null)"],
)  # fmt: skip


def test_a_difference_counts_patients_units_and_dollars_per_practice():
    found, untouched = compare(BEFORE, AFTER, ["p", "q"])
    assert (found["patient_months"], found["differing"]) == (3, 2)
    assert found["differing_in"] == {
        "decision": 1, "reason": 1, "track": 2, "codes": 2, "service_date": 1, "allowed_amount": 2, "charge_amount": 2,
    }  # fmt: skip
    assert found["dollars"] == {"before": Decimal("210.42"), "after": Decimal("167.01"), "difference": Decimal("-43.41")}
    assert [(row["procedure_code"], row["units_before"], row["units_after"]) for row in found["codes"]] == [
        ("99439", 0, 2), ("99487", 1, 0), ("99490", 1, 1),
    ]  # fmt: skip
    by_decision = {
        row["decision"]: (row["patients_before"], row["patients_after"], row["dollars_after"]) for row in found["decisions"]
    }
    assert by_decision == {"claimable": (2, 1, Decimal("167.01")), "not_claimable": (1, 2, Decimal("0.00"))}
    assert [(row["patient_id"], row["difference"]) for row in found["movers"]] == [
        ("b", Decimal("-66.13")),
        ("a", Decimal("22.72")),
    ]
    assert found["movers"][1]["codes_after"] == "99439 x 2, 99490 x 1"
    assert (untouched["patient_months"], untouched["differing"], untouched["movers"]) == (1, 0, [])


def test_the_same_on_both_sides_differs_by_nothing():
    both = compare(BEFORE, BEFORE, ["p", "q"])
    assert [found["practice_id"] for found in both] == ["p", "q"]
    for found in both:
        assert found["differing"] == 0 and not any(found["differing_in"].values()) and found["dollars"]["difference"] == 0


@pytest.fixture
def rules(tmp_path) -> House:
    house = House(tmp_path).prepare()
    with duckdb.connect(str(house.warehouse)) as con:
        con.execute("create schema rules")
        for table, column in (
            ("rule_rvus", "release"),
            ("rule_gpcis", "release"),
            ("rule_conversion_factors", "release"),
            ("rule_caps", "release"),
        ):
            con.execute(f"create table rules.{table} ({column} varchar, effective_from date, effective_to date)")
            con.execute(
                f"insert into rules.{table} values ('old', '2025-01-01', '2025-12-31'), ('new', '2026-01-01', '2026-12-31')"
            )
        con.execute("insert into rules.rule_caps values ('open', '2019-01-01', null)")
        con.execute("create table rules.rule_limits as select 'runaway_timer' as limit_name, 180 as amount")
    return house


def test_the_rules_of_a_day_hold_for_every_day_and_no_others_do(rules):
    take_rules_as_of(rules, date(2025, 12, 31))
    with duckdb.connect(str(rules.warehouse)) as con:
        assert con.execute("select * from rules.rule_caps order by 1").fetchall() == [
            ("old", date(1, 1, 1), None),
            ("open", date(1, 1, 1), None),
        ]
        assert con.execute("select release from rules.rule_rvus").fetchall() == [("old",)]
        assert con.execute("select * from rules.rule_limits").fetchall() == [("runaway_timer", 180)]


def test_a_day_that_no_fee_release_holds_is_refused(rules):
    with pytest.raises(HouseError, match="--rules-as-of 2027-02-01: no row of rule_rvus is in force on that day"):
        take_rules_as_of(rules, date(2027, 2, 1))


def test_the_scratch_shares_what_is_there_by_links_and_is_gone_afterwards_even_after_a_failure(tmp_path):
    house = House(tmp_path).prepare()
    batch = house.lake / "batches" / "000000"
    batch.mkdir(parents=True)
    (batch / "patients.parquet").write_bytes(b"rows")
    (house.lake / "configuration").mkdir()
    (house.lake / "configuration" / "rules.parquet").write_bytes(b"as it is")
    with pytest.raises(RuntimeError), scratch_home(house) as scratch:
        assert (scratch.lake / "batches" / "000000" / "patients.parquet").read_bytes() == b"rows"
        assert scratch.root.parent == house.state
        (scratch.lake / "configuration" / "rules.parquet").write_bytes(b"other")
        scratch.warehouse.write_bytes(b"scratch")
        raise RuntimeError
    assert not (house.state / "what-if").exists() and not house.warehouse.exists()
    assert (batch / "patients.parquet").read_bytes() == b"rows"
    assert (house.lake / "configuration" / "rules.parquet").read_bytes() == b"as it is"


def test_a_home_that_took_nothing_in_is_told_so(tmp_path):
    with (
        pytest.raises(HouseError, match="nothing is taken in yet; run `ccm nightly` first"),
        scratch_home(House(tmp_path).prepare()),
    ):
        pass
