"""That the demo is believable: enough care, and each mishap in its share."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, datetime
from itertools import pairwise

import pytest
from demo_home import Demo

from orchestration.code_forms import is_valid_npi
from orchestration.demo.demo_practices import DEMO_PRACTICES
from orchestration.demo.identifiers import mbi, npi

# Cases of a kind over all entries: from, to.
SHARES = {
    "note_never": (0.015, 0.035),
    "note_late": (0.01, 0.03),
    "note_after_close": (0.01, 0.03),
    "open_timer": (0.005, 0.02),
    "runaway_timer": (0.005, 0.02),
    "member_overlap": (0.02, 0.045),
    "second_staff": (0.02, 0.045),
    "duplicate": (0.005, 0.02),
    "recorded_late": (0.008, 0.02),
    "recorded_after_close": (0.001, 0.01),
    "voided": (0.005, 0.02),
    "corrected": (0.01, 0.03),
    "no_clock_times": (0.01, 0.03),
    "copied_note": (0.005, 0.02),
    "other_program": (0.01, 0.03),
    "not_countable": (0.015, 0.04),
    "not_clinical": (0.005, 0.02),
    "face_to_face": (0.005, 0.025),
}


KINDS = [
    "complex",
    "practitioner",
    "no_care_plan",
    "care_plan_late",
    "revoked",
    "renewed",
    "undocumented",
    "documented_later",
    "other_practitioner",
    "no_initiating_visit",
    "home_health_oversight",
    "billed_elsewhere",
    "pcm",
    "apcm",
    "qmb",
    "employer_plan_first",
    "joins_medicare_advantage",
    "joins_medicare_advantage_known_late",
    "joins_panel",
    "leaves_panel",
    "dies",
    "stay_inpatient",
    "stay_snf_part_a",
    "stay_hospice",
    "before_consent",
    "consent_ended",
    "no_consent",
    "month_split",
    "visit_without_time",
    "invalid_interval",
    "voided_after_close",
    "inactive_member",
    "unknown_member",
    "unknown_patient",
    "member_leaves_care_team",
    "service_corrected",
    "repeated_row",
]


@pytest.mark.parametrize("kind", SHARES)
def test_mishaps_have_believable_shares(demo: Demo, kind: str) -> None:
    entries = demo.newest("time_entries", "entry_id")
    low, high = SHARES[kind]
    assert low <= len(demo.items(kind)) / len(entries) <= high


@pytest.mark.parametrize(
    "kind",
    KINDS,
)
def test_every_kind_of_case_is_there(demo: Demo, kind: str) -> None:
    assert demo.items(kind)


def test_notes_that_came_late_are_blank_at_first_and_there_at_last(demo: Demo) -> None:
    final = demo.newest("time_entries", "entry_id")
    for month, night in demo.plan.closes[:-1]:
        then = demo.newest("time_entries", "entry_id", until=night)
        held = [item for item in demo.items("note_after_close") if then.get(item, {}).get("recorded_at", "") > str(month)]
        held = [item for item in held if not then[item]["note_text"]]
        assert len(held) >= 4
        assert all(final[item]["note_text"] for item in held)


def test_every_practice_has_notes_that_come_after_each_close(demo: Demo) -> None:
    entries = demo.newest("time_entries", "entry_id")
    months = Counter(
        (case.practice_id, entries[case.item_id]["started_at"][:7]) for case in demo.plan.cases if case.kind == "note_after_close"
    )
    assert all(months[practice, f"2026-{month:02d}"] for practice in demo.plan.practices for month in (7, 8, 9, 10))


def test_runaway_timers_run_into_the_next_workday(demo: Demo) -> None:
    entries = demo.newest("time_entries", "entry_id", until=date(2026, 11, 4))
    lengths = [
        datetime.fromisoformat(entries[item]["ended_at"]) - datetime.fromisoformat(entries[item]["started_at"])
        for item in demo.items("runaway_timer")
    ]
    assert sum(length.total_seconds() > 3 * 3600 for length in lengths) > len(lengths) / 2


def test_honest_entries_of_a_member_never_overlap(demo: Demo) -> None:
    planted = {case.item_id for case in demo.plan.cases if case.kind != "month_split"}
    busy: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for entry_id, row in demo.newest("time_entries", "entry_id").items():
        if entry_id not in planted and row["started_at"] and row["ended_at"]:
            busy[row["member_id"]].append((row["started_at"], row["ended_at"]))
    for spans in busy.values():
        spans.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_notes_are_alike_only_where_they_were_copied(demo: Demo) -> None:
    planted = set(demo.items("copied_note")) | set(demo.items("duplicate"))
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry_id, row in demo.newest("time_entries", "entry_id").items():
        if row["note_text"].strip() and entry_id not in planted:
            texts[entry_id[:2], row["note_text"]].append(entry_id)
    assert all(len(ids) == 1 for ids in texts.values())


def test_most_patients_in_care_get_a_quarter_hour_to_seventy_minutes(demo: Demo) -> None:
    seconds: Counter[tuple[str, str]] = Counter()
    for row in demo.newest("time_entries", "entry_id").values():
        if row["program"] == "ccm" and row["started_at"] and row["ended_at"] and row["started_at"] < "2026-11":
            length = (datetime.fromisoformat(row["ended_at"]) - datetime.fromisoformat(row["started_at"])).total_seconds()
            if 0 < length <= 10800:
                seconds[row["patient_id"], row["started_at"][:7]] += int(length)
    within = sum(900 <= total <= 4200 for total in seconds.values())
    assert within / len(seconds) > 0.6
    assert sum(total >= 1200 for total in seconds.values()) > 400
    assert 40 < sum(900 <= total < 1200 for total in seconds.values()) < 200


def test_a_call_that_never_reached_the_log_has_no_entry_that_day(demo: Demo) -> None:
    appointments = demo.newest("appointments", "appointment_id")
    entries = demo.newest("time_entries", "entry_id").values()
    worked = {(e["patient_id"], e["member_id"], e["started_at"][:10]) for e in entries}
    for item in demo.items("visit_without_time"):
        call = appointments[item]
        assert call["visit_type"] == "ccm_call" and call["status"] == "completed"
        assert (call["patient_id"], call["member_id"], call["scheduled_start"][:10]) not in worked


def test_those_who_leave_are_in_no_later_panel_file(demo: Demo) -> None:
    for case in demo.plan.cases:
        if case.kind == "leaves_panel":
            for table in ("patients", "coverages", "conditions", "consents"):
                last = demo.rows(case.practice_id, demo.plan.nights[-1], table)
                assert case.patient_id not in {row["patient_id"] for row in last}
            first = demo.rows(case.practice_id, demo.plan.nights[0], "patients")
            assert case.patient_id in {row["patient_id"] for row in first}


def test_medicare_numbers_belong_to_one_patient_each(demo: Demo) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for practice in demo.plan.practices:
        for row in demo.rows(practice, demo.plan.nights[-1], "coverages"):
            if row["coverage_type"] in ("medicare_part_a", "medicare_part_b"):
                owners[row["member_id"]].add(row["patient_id"])
    assert all(len(ids) == 1 for ids in owners.values())
    assert all(len(number) == 11 for number in owners)


def test_panels_have_sixty_to_ninety_patients(demo: Demo) -> None:
    for practice in demo.plan.practices:
        assert 55 <= len(list(demo.rows(practice, demo.plan.nights[-1], "patients"))) <= 90


def test_identifiers_pass_their_checks() -> None:
    npis = [npi(number) for number in (0, 1, 90_000_001, 99_999_999)]
    assert all(is_valid_npi(number) for number in npis)
    assert npi(23_456_789) == "1234567893"  # CMS's own example
    members = [member["npi"] for practice in DEMO_PRACTICES for member in practice.care_team if member["npi"]]
    assert len(members) == len(set(members)) and all(is_valid_npi(number) for number in members)
    numbers = [mbi(number) for number in range(5000)]
    assert len(set(numbers)) == len(numbers)
    assert all(number[0] in "123456789" and not set(number) & set("SLOIBZ") for number in numbers)
    with pytest.raises(ValueError, match="eight digits"):
        npi(123_456_789)
