"""The office's marts (interface.md section 5): enrollment status, work list, revenue gap, projection.

Where the specification leaves a reading open, the opinion says what is allowed (`OneOf`, `Between`, rows that may be
there) instead of choosing: a mart disagrees only when no reading of the specification gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from . import rules
from .calendars import day_of, day_start, days_of_month, first_of_month, last_of_month, next_month

if TYPE_CHECKING:
    from .judge import Candidate, Judge, Opinion

Row = dict[str, Any]


class OneOf(frozenset):  # type: ignore[type-arg]
    """Any of these will do."""


class Between(NamedTuple):
    """A number of rows; both ends included."""

    low: int
    high: int


@dataclass
class Verdict:
    """What the judge found of one patient-month. `stage`: number of the furthest funnel stage, 0 for none."""

    eligibility: str
    decision: str
    reason: str
    chosen: Candidate | None
    stage: int

    @property
    def is_eligible(self) -> bool:
        return self.eligibility == "eligible"

    @property
    def is_captured(self) -> bool:
        return self.decision in ("claimable", "claimed") or self.reason == "month_open"


class Office:
    """One practice's office marts."""

    def __init__(self, judge: Judge, verdicts: dict[tuple[str, date], Verdict]):
        self.judge = judge
        self.verdicts = verdicts
        self.newest_night = judge.newest_night
        self.newest_month = first_of_month(judge.newest_night)
        self.practice_id = judge.practice["practice_id"]

    def write(self, opinion: Opinion) -> None:
        opinion.enrollment_status += [self.status(patient_id, month) for patient_id, month in self.verdicts]
        for patient_id, month in self.verdicts:
            opinion.worklist += self.worklist(patient_id, month)
        for month in self.judge.months:
            opinion.revenue_gap += self.revenue_gap(month)
        opinion.enrollment_projection.append(self.projection())
        landing = self.judge.landing
        opinion.members_there += [
            {"practice_id": self.practice_id, "member_id": member_id}
            for member_id in landing.members
            if landing.can_be_asked(member_id)
        ]

    def base_amount(self, day: date) -> Decimal | None:
        """The base code's value: 99490 without the 85%."""
        return self.judge.reference.unit_allowed(self.judge.practice, None, "99490", day)

    # ---- facts

    def answers(self, patient_id: str, month: date) -> list[Row]:
        """Outreach attempts of the patient up to the month's end, oldest first."""
        ends = day_start(self.judge.zone, next_month(month))
        rows = [row for row in self.judge.of("outreach", patient_id) if row["attempted_at"] < ends]
        return sorted(rows, key=lambda row: (row["attempted_at"], row["outreach_id"]))

    def day(self, instant: int) -> date:
        return day_of(self.judge.zone, instant)

    def plans(self, patient_id: str, month: date) -> list[Row]:
        return [row for row in self.judge.of("care_plans", patient_id) if row["established_on"] <= last_of_month(month)]

    def is_declined(self, patient_id: str, month: date) -> bool:
        attempts = self.answers(patient_id, month)
        return bool(attempts) and attempts[-1]["outcome"] == "declined"

    def has_documented_consent(self, patient_id: str, month: date) -> bool:
        return any(row["documented"] for row in self.judge.enrollment(patient_id, month).in_force)

    def logged_seconds(self, patient_id: str, month: date) -> int:
        return self.judge._logged_seconds(patient_id, month)

    def has_minutes_of(self, disposition: str, patient_id: str, month: date) -> bool:
        return any(
            entry.patient_id == patient_id and self.judge.ledger.get((entry.entry_id, month, disposition), 0) > 0
            for entry in self.judge.entries
        )

    # ---- enrollment_status

    def status(self, patient_id: str, month: date) -> Row:
        verdict = self.verdicts[patient_id, month]
        return {
            "practice_id": self.practice_id,
            "patient_id": patient_id,
            "month": month,
            "state": self.state(patient_id, month),
            "stage": rules.STAGES[verdict.stage - 1] if verdict.stage else None,
            "stage_since": self.stage_since(patient_id, month),
            "stalled_reason": self.stalled_reason(patient_id, month),
        }

    def state(self, patient_id: str, month: date) -> str:
        if not self.verdicts[patient_id, month].is_eligible:
            return "ineligible"
        for row in self.judge.services_of(patient_id):
            is_ccm = row["procedure_code"] in rules.CCM_CODES and row["billed_by"] == "other_practice"
            if is_ccm and first_of_month(row["service_date"]) == month:
                return "enrolled_elsewhere"
        if self.has_documented_consent(patient_id, month):
            return "enrolled"
        enrollment = self.judge.enrollment(patient_id, month)
        if enrollment.consent and not enrollment.in_force:
            return "unenrolled"
        return "declined" if self.is_declined(patient_id, month) else "not_enrolled"

    def run_begins(self, patient_id: str, month: date) -> date:
        """First day of the unbroken run of months in the month's stage."""
        stage = self.verdicts[patient_id, month].stage
        while (before := self.verdicts.get((patient_id, next_month(month, -1)))) and before.stage == stage:
            month = next_month(month, -1)
        return month

    def stage_since(self, patient_id: str, month: date) -> OneOf | None:
        """The dates that can be called evidence of the stage. The spec does not say which of several it is."""
        verdict = self.verdicts[patient_id, month]
        enrollment = self.judge.enrollment(patient_id, month)
        run = self.run_begins(patient_id, month)
        credited = self.judge.reached[patient_id, month].everybody.values()
        if verdict.stage == 0:
            return None
        name = rules.STAGES[verdict.stage - 1]
        if name in ("panel", "medicare_part_b", "eligible"):
            return OneOf({run})
        if name == "contacted":
            attempts = [self.day(r["attempted_at"]) for r in self.answers(patient_id, month) if r["outcome"] in rules.ANSWERS]
            consents = [r["consented_on"] for r in self.judge.of("consents", patient_id)]
            return OneOf(day for day in [*attempts, *consents] if day <= last_of_month(month))
        if name == "consented":
            consents = [row["consented_on"] for row in enrollment.in_force if row["documented"]]
            return OneOf([*consents, *enrollment.visit_days])
        if name == "care_plan":
            return OneOf(row["established_on"] for row in self.plans(patient_id, month))
        if name == "active":
            return OneOf(credited) if credited else OneOf({run})
        service_date = [verdict.chosen.service_date] if verdict.chosen else []
        if name == "claimable":
            return OneOf([*credited, *service_date, run, month])
        # claimed: the day of the close, which is not before the month ended
        return OneOf([*credited, *service_date, run, month, *self._nights_after(month)])

    def _nights_after(self, month: date) -> Iterator[date]:
        day = last_of_month(month)
        while day <= self.newest_night:
            yield day
            day += timedelta(days=1)

    def stalled_reason(self, patient_id: str, month: date) -> OneOf | None:
        """Work-list kinds that bar the next stage."""
        verdict = self.verdicts[patient_id, month]
        enrollment = self.judge.enrollment(patient_id, month)
        if verdict.stage < 3:
            return None  # no kind speaks of a plan's coverage or a patient's conditions
        name = rules.STAGES[verdict.stage - 1]
        items = {item.kind for item in self.judge.items[patient_id, month].values()}
        if name == "eligible":
            return OneOf({"stalled_outreach", None} if self.answers(patient_id, month) else {"eligible_not_contacted"})
        if name == "contacted":
            allowed: set[str | None] = set()
            if enrollment.in_force and enrollment.consent and not enrollment.consent["documented"]:
                allowed.add("undocumented_consent")  # the month's, though one of another program may be documented
            if not enrollment.has_initiating_visit:
                allowed.add("missing_initiating_visit")
            if not self.has_documented_consent(patient_id, month):
                allowed |= {"undocumented_consent"} if enrollment.in_force else {"stalled_outreach", None}
            return OneOf(allowed)
        # where something else bars the claim anyway, a kind need not be named
        if name == "consented":
            return OneOf({"missing_care_plan", *({None} if verdict.reason != "no_care_plan" else ())})
        if name == "care_plan":
            if not self.logged_seconds(patient_id, month):
                return OneOf({"no_time_yet", *items, *({None} if verdict.reason != "below_threshold" else ())})
            return OneOf({"no_time_yet", "staff_overlap", "runaway_timer", None, *items})
        if name == "active":
            return OneOf({"near_threshold", "staff_overlap", "runaway_timer", "undocumented_consent", "no_time_yet", None, *items})
        if name == "claimable":
            return OneOf({"claim_error", None})
        return OneOf({"denied_claim", None})

    # ---- worklist

    def worklist(self, patient_id: str, month: date) -> Iterator[Row]:
        """Kinds that may stand on the list for a patient-month; `must`: on every reading it has to."""
        due_on = next_month(month) + timedelta(days=self.judge.close["first_day"] - 2)
        # By the night that told of it: what follows a claim, and a row of the log that may take back what was claimed.
        dated_by_night = {
            *rules.AFTER_THE_CLAIM,
            *(["quarantined_time"] if self.verdicts[patient_id, month].decision == "claimed" else []),
        }
        for kind, must in self._kinds(patient_id, month):
            yield {
                "practice_id": self.practice_id,
                "patient_id": patient_id,
                "month": month,
                "kind": kind,
                "due_on": None if kind in dated_by_night else due_on,
                "must": must and month == self.newest_month,
            }

    def _kinds(self, patient_id: str, month: date) -> Iterator[tuple[str, bool]]:
        verdict = self.verdicts[patient_id, month]
        enrollment = self.judge.enrollment(patient_id, month)
        eligible = verdict.is_eligible
        passes = verdict.is_captured or verdict.decision == "held" or verdict.reason == "below_threshold"
        minutes = len(self.judge.reached[patient_id, month].everybody) // 60
        if enrollment.program == "ccm" and 15 <= minutes < 20:
            yield "near_threshold", verdict.reason == "below_threshold"
        if not self.logged_seconds(patient_id, month) and enrollment.program != "apcm":
            yield "no_time_yet", verdict.reason == "below_threshold"
        if not self.plans(patient_id, min(month, self.newest_month)):
            yield "missing_care_plan", verdict.reason == "no_care_plan"
        if not enrollment.has_initiating_visit:
            yield "missing_initiating_visit", eligible and self.has_documented_consent(patient_id, month)
        if any(not row["documented"] for row in enrollment.in_force):
            yield "undocumented_consent", verdict.reason == "consent_undocumented"
        practitioner = self.judge.practitioner_of(patient_id)
        renewed = any(
            row["documented"] and row["program"] == enrollment.program and row["billing_practitioner_id"] == practitioner
            for row in enrollment.in_force
        )
        if enrollment.consent and enrollment.consent["billing_practitioner_id"] not in (None, practitioner) and not renewed:
            yield "consent_renewal", passes
        yield from self._outreach(patient_id, month, eligible)
        # Of a row of the log that nobody could read: tests/holds/test_quarantined_time.py, test_time_taken_back_unreadably.py.
        if (eligible and enrollment.in_force) or verdict.decision in ("held", "claimable", "claimed"):
            yield "quarantined_time", False
        if verdict.decision == "not_claimable":
            yield "quarantined_row", False
            if (
                verdict.reason == "practitioner_not_eligible"
            ):  # where the minutes would bring a claim: tests/holds/test_left_the_team.py
                yield "practitioner_cannot_bill", False
        for kind in ("staff_overlap", "runaway_timer"):
            if self.has_minutes_of(kind, patient_id, month):
                yield kind, False
        yield from self._plan_kinds(patient_id, month, passes)
        if verdict.is_captured:
            yield "claim_error", False
            codes = self.judge.problem_list(patient_id, month)
            listed = {code for code in codes if self.judge.reference.chronic_groups(code)} or codes
            if any(self.judge.reference.is_category(code, last_of_month(month)) for code in listed):
                yield "diagnosis_category", verdict.decision != "claimed" and len(listed) <= 12
        if verdict.decision == "claimable":  # where its month has been closed: tests/properties/staging.py
            yield "late_claim", False
        if verdict.decision in ("claimable", "not_claimable"):  # where it was turned back: tests/office/test_rejected_claims.py
            yield "rejected_claim", False
        if verdict.decision == "claimed":
            yield from ((kind, False) for kind in rules.AFTER_THE_CLAIM)

    def _outreach(self, patient_id: str, month: date, eligible: bool) -> Iterator[tuple[str, bool]]:
        every = self.judge.of("outreach", patient_id)
        so_far = [row for row in self.answers(patient_id, month) if self.day(row["attempted_at"]) <= self.newest_night]
        consents = self.judge.of("consents", patient_id)
        if eligible and not so_far:
            yield "eligible_not_contacted", not every and not consents
        if so_far and so_far[-1]["outcome"] not in ("declined", "agreed"):
            days = (self.newest_night - self.day(so_far[-1]["attempted_at"])).days
            no_answer_ever = not any(row["outcome"] in ("declined", "agreed") for row in every)
            if days >= 30:
                yield (
                    "stalled_outreach",
                    eligible and days > 30 and no_answer_ever and not consents and so_far == self.answers(patient_id, month),
                )

    def _plan_kinds(self, patient_id: str, month: date, passes: bool) -> Iterator[tuple[str, bool]]:
        plans = self.plans(patient_id, month)
        seen_on = [max(row["established_on"], row["last_reviewed_on"] or row["established_on"]) for row in plans]
        due = [day for day in seen_on if _a_year_later(day) <= last_of_month(month)]
        if due:
            yield "care_plan_review_due", passes and all(_a_year_later(day) < self.newest_night for day in seen_on)
        uncopied = [row for row in plans if not row["copy_given_on"]]
        if uncopied:
            yield "care_plan_copy_missing", passes and len(uncopied) == len(plans)

    # ---- revenue_gap

    def causes(self, patient_id: str, month: date) -> set[str]:
        """The causes that some reading gives an eligible patient-month; mostly one."""
        verdict = self.verdicts[patient_id, month]
        enrollment = self.judge.enrollment(patient_id, month)
        if verdict.is_captured:
            return {"captured"}
        if self.is_declined(patient_id, month) and not enrollment.consent:
            return {"declined"}
        attempts = self.answers(patient_id, month)
        if not enrollment.consent and not any(row["outcome"] in rules.ANSWERS for row in attempts):
            return {"not_contacted"}
        # a consent that no longer holds: whether the last "declined" is then without a consent is left open
        or_declined = {"declined"} if self.is_declined(patient_id, month) and not enrollment.in_force else set()
        if not self.has_documented_consent(patient_id, month) or not enrollment.has_initiating_visit:
            return {"contacted_not_consented"} | or_declined
        # a documented consent of another program than the month's: "in force" is read either way
        either = {"contacted_not_consented"} if verdict.reason == "consent_undocumented" else set()
        if not self.plans(patient_id, month):
            return {"no_care_plan"} | either
        conflicts, _ = self.judge.conflicts(patient_id, month)
        barred_earlier = verdict.reason in ("practitioner_not_eligible", "medicare_secondary")
        if conflicts and not barred_earlier:
            return {"conflict"} | either
        if conflicts:  # by the fact it is a conflict, by the decision's reason it is something else
            either.add("conflict")
        if not self.logged_seconds(patient_id, month):
            return {"no_time"} | either
        if verdict.reason in ("undocumented_time", "unresolved_time"):
            return {"undocumented_time"}
        if verdict.reason == "below_threshold":
            return {"below_threshold"}
        # practitioner_not_eligible, medicare_secondary, timely_filing, consent_undocumented of the month's program
        by_fact = {"undocumented_time"} if self.judge.undocumented[patient_id, month].everybody else set()
        by_fact |= {"undocumented_time"} if self.judge.unresolved[patient_id, month].everybody else set()
        found = self.judge.candidates(patient_id, month, self.judge.reached[patient_id, month])
        by_fact |= set() if found else {"below_threshold"}
        return {"other"} | either | by_fact

    def revenue_gap(self, month: date) -> Iterator[Row]:
        found = [
            self.causes(patient_id, month)
            for (patient_id, of_month), verdict in self.verdicts.items()
            if of_month == month and verdict.is_eligible
        ]
        for cause in rules.CAUSES:
            yield {
                "practice_id": self.practice_id,
                "month": month,
                "cause": cause,
                "patients": Between(sum(causes == {cause} for causes in found), sum(cause in causes for causes in found)),
                "eligible": len(found),
                "base_amount": self.base_amount(last_of_month(month)),
            }

    # ---- enrollment_projection

    def projection(self) -> Row:
        """What every reading of the projection has in common."""
        enrolled = {
            month: sum(self.state(patient_id, month) == "enrolled" for patient_id, of_month in self.verdicts if of_month == month)
            for month in self.judge.months
        }
        return {
            "practice_id": self.practice_id,
            "newest_month": self.newest_month,
            "enrolled": enrolled,
            "base_amounts": self.amounts_ahead(),
        }

    def amounts_ahead(self) -> dict[date, Decimal | None]:
        """The base code in the newest month and the 24 after it: its own amount, else the last one known, else the first (None: no release at all)."""
        around = [next_month(self.newest_month, step) for step in range(-120, 121)]
        own = {month: amount for month in around if (amount := self.base_amount(last_of_month(month))) is not None}
        return {
            month: own[max((known for known in own if known <= month), default=min(own))] if own else None
            for month in [next_month(self.newest_month, step) for step in range(25)]
        }


def _a_year_later(day: date) -> date:
    month = next_month(first_of_month(day), 12)
    return days_of_month(month)[min(day.day, last_of_month(month).day) - 1]
