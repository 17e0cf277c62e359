"""What staff write in the time log: short plain sentences, no two alike but for the copied ones."""

from __future__ import annotations

import random

CALLS = ("phone_call", "monthly_check_in", "caregiver_call", "medication_review", "patient_education")
DESK = (
    "care_plan_update",
    "lab_review",
    "refill_management",
    "care_coordination",
    "chart_review",
    "referral_follow_up",
)
PRACTITIONER_WORK = ("care_plan_review", "medication_review", "lab_review", "care_coordination", "phone_call")
NOT_COUNTABLE = ("prior_authorization", "Scheduling", "billing", "Prior Authorization", "voicemail", "travel")

COPIED = (
    "Called patient. No concerns. Continue plan.",
    "Monthly check-in done, patient doing well.",
    "Reviewed chart, no changes needed.",
)

_OPENINGS = {
    "phone_call": ("Spoke with patient by phone about {topic}.", "Called patient, talked through {topic}."),
    "monthly_check_in": ("Monthly check-in call, mostly about {topic}.", "Check-in by phone: {topic}."),
    "caregiver_call": ("Talked with {kin} about {topic}.", "{Kin} called back; went over {topic}."),
    "medication_review": (
        "Went through the medication list line by line; {topic}.",
        "Compared home bottles with our list.",
    ),
    "patient_education": ("Explained {topic} and mailed a leaflet.", "Taught about {topic}, patient repeated it back."),
    "care_plan_update": ("Updated goals in the care plan: {topic}.", "Care plan revised after talk about {topic}."),
    "care_plan_review": (
        "Read the care plan with the nurse, changed the goal for {topic}.",
        "Care plan reviewed: {topic}.",
    ),
    "lab_review": ("Looked over new labs, {lab}.", "Lab results in: {lab}. Patient told."),
    "refill_management": ("Renewed three prescriptions, checked interactions.", "Refill request from {shop} settled."),
    "care_coordination": ("Faxed records to {office} and got their plan.", "Called {office} about the next steps."),
    "chart_review": ("Read the hospital and specialist letters since last month.", "Chart reviewed before the call."),
    "referral_follow_up": ("{Office} confirmed the appointment.", "Chased the referral to {office}; they have it now."),
}
_TOPICS = (
    "blood pressure at home", "sugar readings before breakfast", "swelling of the ankles", "sleep and mood",
    "short breath on the stairs", "knee pain and walking", "salt in ready meals", "inhaler use",
    "dizziness in the morning",
    "weight over the last weeks", "foot care", "the new water pill", "falls at home", "help with meals", "a flu shot",
    "missed evening doses", "a pill box", "rides to the clinic",
)  # fmt: skip
_KIN = ("daughter", "son", "wife", "husband", "sister", "niece", "neighbor who helps out")
_OFFICES = ("cardiology", "the kidney clinic", "the eye doctor", "home health", "physical therapy", "the lung clinic")
_SHOPS = ("the pharmacy", "the mail-order pharmacy", "the corner drugstore")
_CLOSINGS = (
    "Next call in {weeks} weeks.", "Home pressure was {top}/{low}.", "Reading today {sugar}.",
    "Weight {weight} pounds.",
    "No new symptoms since the {day}th.", "Will ask again on the {day}th.", "Patient agrees.", "Told to call if worse.",
    "Message left with the doctor.", "Visit booked for the {day}th.", "Took {steps} steps on a good day.",
)  # fmt: skip


def note(rng: random.Random, activity: str, used: set[str]) -> str:
    """A note for an activity that is not in `used` yet; adds it there."""
    while True:
        kin, office = rng.choice(_KIN), rng.choice(_OFFICES)
        words = {
            "topic": rng.choice(_TOPICS), "kin": kin, "Kin": kin.capitalize(), "office": office,
            "Office": office.capitalize(), "shop": rng.choice(_SHOPS), "weeks": rng.randint(2, 6),
            "lab": f"A1c {rng.randint(58, 94) / 10}" if rng.random() < 0.5 else f"creatinine {rng.randint(8, 21) / 10}",
            "top": rng.randint(108, 168), "low": rng.randint(58, 94), "sugar": rng.randint(92, 244),
            "weight": rng.randint(112, 264), "day": rng.randint(4, 20),
            "steps": rng.randint(4, 70) * 100,
        }  # fmt: skip
        openings = _OPENINGS.get(activity, ("Worked on {topic}.", "Settled a question about {topic}."))
        sentences = [rng.choice(openings), *rng.sample(_CLOSINGS, rng.randint(1, 2))]
        text = " ".join(sentences).format(**words)
        if text not in used:
            used.add(text)
            return text
