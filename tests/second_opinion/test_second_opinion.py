"""The second opinion's own arithmetic, against figures worked out by hand."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from . import rules
from .aftermath import Aftermath, Claim
from .calendars import by_day, instant, next_month, one_year_after
from .judge import Candidate, day_reached, is_npi, minutes_to_next_unit, split_dollars
from .landing import read_file
from .prices import Reference
from .releases import seeds_up_to

OCTOBER = date(2026, 10, 31)

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
NEW_YORK = "America/New_York"
NATIONAL = {
    "practice_id": "any",
    "mac": "13202",
    "locality": "01",
    "address": {"state": "NY"},
    "place_of_service": "11",
}


def test_a_local_time_that_occurs_twice_is_the_first_of_the_two() -> None:
    assert instant(NEW_YORK, "2026-11-01T01:30:00") == instant(NEW_YORK, "2026-11-01T01:30:00-04:00")


def test_a_local_time_that_does_not_occur_is_moved_forward_by_the_gap() -> None:
    assert instant(NEW_YORK, "2026-03-08T02:30:00") == instant(NEW_YORK, "2026-03-08T03:30:00-04:00")


def test_fractions_of_a_second_are_dropped() -> None:
    assert instant(NEW_YORK, "2026-10-01T10:00:00.999Z") == instant(NEW_YORK, "2026-10-01T10:00:00Z")


@pytest.mark.parametrize("text", ["2026-10-01", "2026-02-30T10:00:00", "10:00", "2026-10-01T25:00:00"])
def test_what_is_no_timestamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        instant(NEW_YORK, text)


def test_an_interval_over_the_autumn_change_has_its_elapsed_seconds() -> None:
    start, end = instant(NEW_YORK, "2026-10-31T23:50:00"), instant(NEW_YORK, "2026-11-02T00:10:00")
    pieces = [(day, len(seconds)) for day, seconds in by_day(NEW_YORK, start, end)]
    assert pieces == [(date(2026, 10, 31), 600), (date(2026, 11, 1), 25 * 3600), (date(2026, 11, 2), 600)]


def test_months_and_years_are_calendar_ones() -> None:
    assert next_month(date(2026, 12, 1)) == date(2027, 1, 1)
    assert next_month(date(2026, 1, 1), -24) == date(2024, 1, 1)
    assert one_year_after(date(2024, 2, 29)) == date(2025, 2, 28)


def test_national_amounts_are_those_of_the_fee_schedule(tmp_path: Path) -> None:
    reference = Reference(seeds_up_to(2026, SEEDS, tmp_path / "seeds"))

    def amount(code: str, day: date, **changes: object) -> Decimal | None:
        return reference.unit_allowed({**NATIONAL, **changes}, "MD", code, day, national=True)

    october = date(2026, 10, 31)
    assert amount("99490", october) == Decimal("66.13")
    assert amount("99439", october) == Decimal("50.44")
    assert amount("G0558", october) == Decimal("117.24")
    assert amount("99490", october, practice_id="qp", qualifying_apm_participant=True) == Decimal("66.46")
    assert amount("99490", october, practice_id="opd", place_of_service="19") == Decimal("43.76")
    assert amount("99490", date(2025, 10, 31)) == Decimal("60.49")
    assert amount("99490", date(2027, 1, 31)) is None
    assert reference.unit_allowed(NATIONAL, "NP", "99490", october, national=True) == Decimal("56.21")


def test_a_practice_across_the_border_of_its_localitys_state_has_the_prices_of_that_locality() -> None:
    reference = Reference(SEEDS)
    place = {"practice_id": "suburb", "mac": "12202", "place_of_service": "11"}
    suburb, district = {**place, "address": {"state": "VA"}, "gpci_state": "DC"}, {**place, "address": {"state": "DC"}}
    amounts = [
        reference.unit_allowed({**one, "practice_id": str(number), "locality": "01"}, "MD", "99490", date(2026, 10, 31))
        for number, one in enumerate((suburb, district))
    ]
    assert amounts[0] == amounts[1] is not None


def test_a_code_that_a_claim_had_not_has_the_price_of_the_place_where_the_claim_went_out() -> None:
    reference = Reference(SEEDS)
    moved: Any = SimpleNamespace(
        reference=reference,
        practice={**NATIONAL, "place_of_service": "19"},
        practitioner_of=lambda _: "DR",
        credential=lambda _: "NP",
    )
    base, add_on = ("99490", 1), ("99439", 2)
    paid = {"99490": Decimal("70.00")}
    claim = Claim("any", "P", OCTOBER.replace(day=1), "C", dict([base]), paid, OCTOBER, (), OCTOBER, NATIONAL)
    units = {code: reference.unit_allowed(moved.practice, "NP", code, OCTOBER) for code, _ in (base, add_on)}
    now = Candidate("ccm", 60, [base, add_on], False, OCTOBER, units, units)
    there = reference.unit_allowed(NATIONAL, "NP", "99439", OCTOBER)
    assert there and there != units["99439"]
    assert Aftermath(moved, [claim])._amount(claim, now) == Decimal("70.00") + 2 * there


def test_conditions_count_by_group() -> None:
    reference = Reference(SEEDS)
    assert reference.chronic_groups("e11.65") == reference.chronic_groups("E119")
    assert len(reference.chronic_groups("I13.2")) == 3
    assert reference.chronic_groups("M10.9") == {"M10"}
    assert reference.chronic_groups("I21.4") == set()
    assert reference.chronic_groups("J06.9") == set()


def test_shares_add_up_to_the_cent() -> None:
    assert split_dollars(Decimal("50.44"), [7, 7, 7]) == [Decimal("16.82"), Decimal("16.81"), Decimal("16.81")]
    assert split_dollars(Decimal("-22.73"), [10, 5]) == [Decimal("-15.16"), Decimal("-7.57")]
    assert split_dollars(Decimal("66.13"), [0, 0]) == [Decimal("66.13"), Decimal("0")]


def test_the_day_a_threshold_is_reached_is_that_of_its_last_second() -> None:
    days = {second: date(2026, 10, 1 + second // 1000) for second in range(3000)}
    assert day_reached(days, 1000) == date(2026, 10, 1)
    assert day_reached(days, 1001) == date(2026, 10, 2)


def test_the_next_unit_is_null_at_the_cap() -> None:
    assert [minutes_to_next_unit("ccm", minutes, OCTOBER) for minutes in (0, 19, 20, 59, 60)] == [20, 1, 20, 1, None]
    assert [minutes_to_next_unit("pcm", minutes, OCTOBER) for minutes in (29, 89, 90)] == [1, 1, None]
    assert minutes_to_next_unit("apcm", 5, OCTOBER) is None


def test_a_band_of_a_later_year_holds_from_the_month_on_whose_last_day_it_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.BANDS, "ccm", {**rules.BANDS["ccm"], date(2026, 10, 15): ("99490", 15, "99440", 20, 2)})
    assert [rules.band("ccm", day)[1] for day in (date(2026, 9, 30), OCTOBER)] == [20, 15]
    assert minutes_to_next_unit("ccm", 14, OCTOBER) == 1


def test_a_practitioner_number_has_a_check_digit() -> None:
    assert is_npi("1234567893")
    assert not is_npi("1234567890")
    assert not is_npi(None)


def test_bad_rows_are_left_out_and_a_readable_patient_is_remembered(tmp_path: Path) -> None:
    header = "patient_id,first_name,last_name,birth_date,sex,billing_practitioner_id"
    lines = ["P1,Ada,Lee,1940-01-01,F,DR1", "P2,Bo,Lee,1940-02-30,F,DR1", "P3,Bo,Lee", "", "P4,Bo,Lee,1940-01-01,X,DR1"]
    path = tmp_path / "patients.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    file = read_file(path, "patients", NEW_YORK)
    assert file is not None
    assert [row["patient_id"] for row in file.rows] == ["P1"]
    assert file.bad_patient_ids == {"P2", "P4"}
    path.write_text("patient_id,first_name\nP1,Ada\n", encoding="utf-8")
    assert read_file(path, "patients", NEW_YORK) is None
