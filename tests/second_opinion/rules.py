"""The small rule tables, typed a second time from rules.md part A. The product has its own; neither reads the other."""

from datetime import date
from decimal import Decimal


def words(text: str) -> list[str]:
    return text.split()


# A4
MAY_BILL = {"MD", "DO", "NP", "PA", "CNS", "CNM"}
CLINICAL_STAFF = {"RN", "LPN", "MA", "PHARMD", "LCSW", "CNA", "RD"}
TIME_COUNTS = MAY_BILL | CLINICAL_STAFF
PAID_AT_85_PERCENT = {"NP", "PA", "CNS"}

# A3
RUNAWAY_SECONDS = 180 * 60
NON_COUNTABLE_ACTIVITIES = {"scheduling", "billing", "prior authorization", "travel", "voicemail"}

# A1: days in these are facility days; the other two only ask for a review
WHOLE_MONTH_STAYS = {"inpatient", "snf_part_a"}
FACILITY_STAYS = {"inpatient", "snf_part_a", "hospice"}
REVIEW_STAYS = {"nursing_facility", "assisted_living"}
CONDITIONS_NEEDED = {"ccm": 2, "pcm": 1, "apcm": 0}

# A2
INITIATING_VISITS = set(
    words(
        "99202 99203 99204 99205 99212 99213 99214 99215 99341 99342 99344 99345 99347 99348 99349 99350 "
        "G0402 G0438 G0439 99495 99496"
    )
)
ESTABLISHED_PATIENT_VISITS = {"99212", "99213", "99214", "99215", "99347", "99348", "99349", "99350", "G0439"}
VISIT_WINDOW_DAYS = 365
APCM_SEEN_WITHIN_DAYS = 1096
ANSWERS = {"callback", "declined", "agreed"}

# A5
CCM_CODES = {"99490", "99439", "99491", "99437", "99487", "99489"}
PCM_CODES = {"99424", "99425", "99426", "99427"}
APCM_CODES = {"G0556", "G0557", "G0558"}
APCM_SINCE = date(2025, 1, 1)  # rules.md B1: there are no such codes before
ESRD_CODES = {str(code) for code in range(90951, 90971)}
BUNDLED_IN_APCM = set(
    words("99495 99496 99421 99422 99423 98970 98971 98972 99446 99447 99448 99449 99451 99452 98016 G2010 G2012 G2250 G2251 G2252")
)
# program -> what the practice may not have billed itself in the month
CLAIMED_AGAIN = {
    "ccm": CCM_CODES,
    "pcm": CCM_CODES | PCM_CODES,
    "apcm": CCM_CODES | PCM_CODES | APCM_CODES | BUNDLED_IN_APCM,
}

Band = tuple[str, int, str, int, int]  # base code, minutes of the base, add-on, minutes of each add-on, most add-ons
# A6, B2.1: track -> the first day of each band, which holds until the next one's. A rule year adds the track's next band.
BANDS: dict[str, dict[date, Band]] = {
    "ccm": {date.min: ("99490", 20, "99439", 20, 2)},
    "ccm_practitioner": {date.min: ("99491", 30, "99437", 30, 2)},
    "ccm_complex": {date.min: ("99487", 60, "99489", 30, 10)},
    "pcm": {date.min: ("99426", 30, "99427", 30, 2)},
    "pcm_practitioner": {date.min: ("99424", 30, "99425", 30, 2)},
}


def band(track: str, day: date) -> Band:
    """The band of a track in the month whose last day this is."""
    bands = BANDS[track]
    return bands[max(first for first in bands if first <= day)]


STAFF_TRACK = {"ccm": "ccm", "pcm": "pcm"}
COMPLEX_LEVELS = {"moderate", "high"}

# A7
FACILITY_PLACES = set(words("02 06 08 19 21 22 23 24 26 31 34 41 42 51 52 53 56 61"))

# interface.md section 5, in order
DISPOSITIONS = words(
    "voided invalid_interval open_timer runaway_timer duplicate_entry unknown_patient unknown_member inactive_member "
    "staff_overlap other_program nonclinical_staff non_countable_activity face_to_face undocumented before_consent "
    "consent_ended no_coverage facility_stay after_death concurrent credited"
)
ELIGIBILITY_REASONS = words(
    "left_panel deceased no_part_b medicare_advantage facility_whole_month hospice fewer_than_two_conditions eligible"
)
DECISION_REASONS = words(
    "left_panel deceased no_part_b medicare_advantage facility_whole_month hospice fewer_than_two_conditions "
    "no_initiating_visit no_consent consent_undocumented consent_revoked no_care_plan practitioner_not_eligible "
    "medicare_secondary already_claimed other_practitioner_billed conflict_g0181 conflict_g0182 conflict_esrd "
    "conflict_apcm conflict_pcm timely_filing undocumented_time unresolved_time below_threshold month_open ok"
)
FLAGS = words(
    "near_threshold units_capped complex_below_60 nonclinical_time face_to_face_time concurrent_staff staff_overlap "
    "duplicate_entry runaway_timer open_timer other_program_time undocumented_time late_entry month_split "
    "before_consent_time revoked_this_month after_death_time facility_time facility_review coverage_ended_time "
    "qmb_no_cost_share other_practitioner_overlap_review initiating_visit_by_colleague consent_other_practitioner "
    "no_clock_times cloned_note"
)
TRACKS = words("ccm ccm_practitioner ccm_complex pcm pcm_practitioner apcm")
ITEM_KINDS = words("missing_note open_timer visit_without_time")
WORKLIST_KINDS = [
    *ITEM_KINDS,
    *words(
        "near_threshold no_time_yet missing_care_plan missing_initiating_visit undocumented_consent consent_renewal eligible_not_contacted "
        "practitioner_cannot_bill "
        "stalled_outreach staff_overlap runaway_timer denied_claim care_plan_review_due care_plan_copy_missing claim_error diagnosis_category "
        "late_claim unanswered_claim refund_due reopening_due"
    ),
]
# These have a day of their own: tests/pipeline/test_close_states.py, tests/pipeline/test_after_the_close.py.
AFTER_THE_CLAIM = {
    "unanswered_claim",
    "taken_back_claim",
    "overpaid_claim",
    "refund_due",
    "reopening_due",
    "duplicate_claim",
    "merged_beneficiary",
}
# docs/rules/conflicts-and-reasons.md: the extract that tells of a reason against a claim. What is not here undoes no claim: leaving the panel, the passing
# of the filing limit, time that waits for a note.
EVIDENCE = {
    "deceased": "deaths", "no_part_b": "coverages", "medicare_advantage": "coverages", "facility_whole_month": "stays", "hospice": "stays",
    "fewer_than_two_conditions": "conditions", "no_initiating_visit": "services", "no_consent": "consents", "consent_undocumented": "consents",
    "consent_revoked": "consents", "no_care_plan": "care_plans", "practitioner_not_eligible": "care_team", "medicare_secondary": "coverages",
    "already_claimed": "services", "other_practitioner_billed": "services", "conflict_g0181": "services", "conflict_g0182": "services",
    "conflict_esrd": "services", "conflict_apcm": "services", "conflict_pcm": "services", "below_threshold": "time_entries",
}  # fmt: skip
REASONS_OF_SERVICES = {reason for reason, table in EVIDENCE.items() if table == "services"} - {"no_initiating_visit"}
# What bars a claim only as a bill of the billing practitioner's own.
REASONS_OF_OWN_BILLS = {"conflict_g0181", "conflict_g0182", "conflict_esrd", "conflict_pcm"}
# What else decides it: whose visits and bills count goes by the billing practitioner, by which rules and since when by the consent; a colleague's visit by
# the taxonomies of both; a month's days end with a death; whose time counts is said by the team.
EVIDENCE_TOO = {
    "no_initiating_visit": {"practitioners", "consents", "taxonomies"}, "practitioner_not_eligible": {"practitioners"},
    "conflict_g0181": {"practitioners"}, "conflict_g0182": {"practitioners"}, "conflict_esrd": {"practitioners"},
    "conflict_pcm": {"practitioners", "consents"}, "conflict_apcm": {"consents"}, "already_claimed": {"consents"},
    "other_practitioner_billed": {"consents"}, "fewer_than_two_conditions": {"consents"}, "facility_whole_month": {"deaths"}, "hospice": {"deaths"},
}  # fmt: skip
# Where other minutes, codes or days come from.
EVIDENCE_OF_TIME = {"time_entries", "time_team", "deaths", "practitioners", "consents", "coverages", "stays", "assessments"}
MAY_PAY_FIRST = {"commercial"}
MEDICARE_PART = Decimal("0.80") * Decimal("0.98")
TOO_LITTLE_TO_ASK = Decimal(1)
REFUND_DAYS = 60
INVESTIGATION_DAYS = 180
STATES = words("ineligible enrolled_elsewhere enrolled unenrolled declined not_enrolled")
CAUSES = words(
    "captured declined not_contacted contacted_not_consented no_care_plan conflict no_time undocumented_time below_threshold other"
)
BASES = ["history", "pace"]
PACE = 10
STAGES = words("panel medicare_part_b eligible contacted consented care_plan active claimable claimed paid")
# a flag that only says that the patient-month has seconds of a disposition
FLAG_OF_DISPOSITION = {
    "nonclinical_staff": "nonclinical_time",
    "face_to_face": "face_to_face_time",
    "concurrent": "concurrent_staff",
    "staff_overlap": "staff_overlap",
    "duplicate_entry": "duplicate_entry",
    "runaway_timer": "runaway_timer",
    "other_program": "other_program_time",
    "undocumented": "undocumented_time",
    "before_consent": "before_consent_time",
    "after_death": "after_death_time",
    "facility_stay": "facility_time",
    "no_coverage": "coverage_ended_time",
}
