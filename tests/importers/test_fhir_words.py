"""What a nurse or a template writes into consents and outreach: given, refused, or not to be told."""

from __future__ import annotations

import re
from string import ascii_lowercase

import duckdb
import pytest
from consent_words import AGREED, NOT_AGREED
from fhir_export import MODE, at, concept, consent, of, patient, ref
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_import_fhir import landed, run, worded

from orchestration.importers.fhir.resources import macros

GIVEN = """
CCM consent
CCM
Chronic Care Management (CCM) program
Discussed CCM, patient agreed
CCM offered and accepted
Consent to Chronic Care Management
Verbal consent for CCM obtained 3/4/2026 by RN
CCM consent. This consent will remain in effect until I revoke it in writing.
CCM consent. This consent shall remain in force until revoked by me in writing.
CCM: consent remains valid until the patient or caregiver withdraws it
CCM consent valid unless and until I cancel or revoke it
CCM consent stays in effect until such time as the patient decides to stop services
I agree to CCM services until I notify the practice in writing that I wish to stop
CCM consent, effective until discontinued
CCM consent is effective unless revoked in writing
If I decide to withdraw from CCM I will notify the practice. CCM consent signed.
CCM consent and revocation policy
CCM consent - cancellation policy
CCM consent; no-show and cancellation policy reviewed
CCM consent; opt-out process explained
CCM consent given; told how to revoke
CCM verbal consent; patient knows how he can opt out
CCM consent: right to cancel
Chronic care management consent. I understand I can stop this at any time.
You may cancel CCM at any time by calling the office
This CCM consent may be terminated
I may discontinue CCM services
Patient may stop CCM services at any time (effective at the end of the month)
Patient is free to opt out of CCM at any time without penalty
Patient given the opportunity to decline; CCM consent obtained
Told she could refuse or discontinue CCM whenever she likes
CCM consent. Only one practitioner can furnish CCM in a month. Right to stop services at any time (effective at the end of the calendar month).
CCM consent: patient has no objection
CCM consent, no objections
Chronic care management: no objections voiced to participating
Patient does not object to CCM
CCM: patient did not decline
CCM consent has not been revoked
CCM consent never withdrawn
Patient does not wish to stop CCM
Has not opted out of CCM
CCM consent on file, no revocation on file
CCM consent: patient not enrolled in CCM elsewhere
Patient not enrolled elsewhere; CCM consent signed
Not currently receiving CCM from another practice. CCM consent obtained.
Has not consented to CCM with any other provider
Consented to CCM; patient denies having another CCM provider
Patient denies having another CCM provider. Consented to CCM
Consent for care management services; patient denies other CCM provider
Denies enrollment in CCM with another practice; CCM consent
No other provider of CCM, consent obtained
Patient does not have another CCM provider; consent obtained
Enrolled in CCM elsewhere: No. CCM consent: Yes
CCM consent: Yes. Declined: No
CCM consent signed; does not want calls on weekends
CCM consent signed; declined a paper copy of the care plan
CCM consent obtained. Patient declined flu shot.
CCM consent obtained; patient does not want text messages
CCM consent obtained. Patient denies any questions or concerns.
CCM consent; risk of death, acute exacerbation/decompensation, or functional decline
CCM consent (cognitive decline, CKD)
CCM consent - alcohol withdrawal, hypertension
CCM consent (no copay waiver)
CCM consent - no cost share
CCM consent: no cost share
CCM consent, end stage renal disease
Patient agreed to CCM. My information will not be shared without my consent.
Not a home health patient; CCM consent signed
Patient agreed to CCM and wants to participate, does not want calls on weekends
The patient has the right to stop CCM services at any time (effective at the end of the calendar month).
CCM consent obtained verbally. Patient understands that CCM services may be declined or stopped at any time.
Consent may be withdrawn at any time by contacting our office. CCM
This authorization for CCM shall remain valid until withdrawn or terminated by either party
CCM consent stays in effect until the patient opts out
CCM consent, will be renewed annually unless patient declines
If you wish to stop receiving CCM services, call the office
To stop CCM services, call the office. CCM consent signed.
Instructions for opting out of CCM given; consent obtained
Declining CCM will not affect your care. Patient consents to CCM.
Patient denies receiving CCM from another provider
CCM consent; not enrolled in hospice
CCM consent obtained; patient declined to sign up for patient portal
CCM consent; does not want to be called at work
CCM consent still active, not withdrawn or revoked
CCM consent; completed enrollment process
CCM consent required elements reviewed; patient agrees
CCM consent form reviewed and signed, patient has no needs at present
CCM consent; form sent to PCP
CCM consent - exercises daily, stopped smoking
CCM consent. Revocation date: none
Patient is not enrolled in Chronic Care Management (CCM) with another provider. Chronic Care Management (CCM) consent obtained.
Patient may decline Chronic Care Management (CCM) services at any time
Patient may request termination of CCM services at any time; consent obtained
Consent for Chronic Care Management (CCM) remains in effect until I request its termination
"""

REFUSED = """
Patient declined chronic care management
Patient declines CCM at this time
Patient declined CCM due to cost
Patient declines to participate in CCM
Pt declined enrollment in CCM program
Patient refused CCM
Patient refuses CCM services.
Patient refused to sign CCM consent
Refused to give consent for CCM
Patient adamantly refused CCM; will not be called again
CCM declined by patient
CCM: declined
CCM - Declined
CCM services declined
Chronic Care Management Services - patient declined
CCM offered; patient declined
CCM offered, declined
CCM program explained, patient declined.
CCM benefits and cost sharing explained. She declined due to copay.
Right to revoke CCM explained; patient declined
CCM consent valid until revoked, patient declined
CCM may be stopped at any time; patient has withdrawn consent
Patient can withdraw at any time and has withdrawn consent to CCM
In May patient declined CCM
Patient opted out of CCM
Pt opts out of chronic care management services
CCM opt-out form
CCM opt-out form signed 3/1/2026
CCM declination
CCM refusal form
Refusal of CCM services
Notice of withdrawal from CCM
Revocation of CCM consent
Revocation of consent to chronic care management, signed
CCM revocation letter received 3/1/2026
CCM consent revoked
CCM consent revoked 2026-03-01
CCM consent was revoked by the patient
I hereby revoke my consent to CCM
I withdraw my consent for chronic care management services effective immediately
Patient wishes to withdraw from CCM
Patient requested to be disenrolled from CCM
Patient wants to stop CCM services
Patient cancelled CCM
CCM consent terminated
Patient terminated CCM services effective 6/30/2026
Disenrolled from CCM
Patient unenrolled from chronic care management
Daughter (POA) declined CCM on his behalf
Declined CCM, right to change mind explained
CCM consent not obtained
CCM consent not given
CCM: no consent
CCM consent: No
CCM consent obtained (Y/N): N
Agrees to CCM: No
Consent denied: CCM
Patient denied consent to CCM
Does not want CCM
Doesn't agree to CCM
Patient doesn’t want chronic care management.
Patient is not interested in CCM
Not interested in CCM at this time
Patient does not wish to participate in CCM
Patient does not want to be enrolled in CCM
No longer wants CCM services
Will not participate in CCM
Has not consented to CCM
Patient rejected CCM
Patient dissents from CCM
Patient informed of right to decline and declined CCM
CCM enrollment status: Declined
Consent status: withdrawn. CCM
CCM disenrollment date 3/1/2026
Patient elects not to participate in CCM
Do not enroll in CCM
Declined CCM, may enroll later
CCM discontinued per patient request
Patient quit CCM
Chronic Care Management (CCM) consent declined
Declined Chronic Care Management (CCM) services
Does not consent to Chronic Care Management (CCM)
CCM discussed with patient; declines at this time
CCM declined at visit 3/1/2026
CCM consent status = declined
Patient called and withdrew consent to CCM
Patient requested discontinuation of CCM
Patient retracted CCM consent
Patient doesnt want CCM
No consent for CCM
CCM denied
CCM: denied
CCM services denied
CCM denied by patient
Not enrolled in CCM
Patient not enrolled in CCM
Patient never enrolled in CCM
Patient is not enrolled in the CCM program.
"""

UNCLEAR = """
CCM consent pending
CCM consent not yet signed
CCM accepted, BHI declined
CCM consent; BHI declined
Agreed to CCM; revoked 3/1/2026
CCM Consent/Declination Form
CCM consent or refusal
CCM: I agree / I decline
CCM consent form: [ ] I accept [ ] I decline
CCM enrollment and disenrollment form
CCM opt-out form given to patient
Discussed termination of CCM
Verbal consent to CCM - discussed cost, one practitioner, termination
CCM consent; patient denies CCM
Patient previously declined CCM
Declined CCM last year, now wants it
Patient revoked CCM consent with previous provider
CCM consent supersedes withdrawn consent
Disenrolled from CCM at another practice
Declines CCM with other provider
Husband declined CCM
Patient would decline CCM if there is a copay
Patient might decline CCM
Patient considering withdrawing from CCM
CCM claim denied by Medicare
CCM consent; patient declined home health
Home health services declined; CCM consent
CCM consent: photo consent declined
CCM; withdrew consent for text messages
Patient declined CCM calls on weekends
CCM consent; written copy offered, patient declined
CCM consent and written copy declined
CCM consent; declined written copy and CCM
CCM consent; does not want calls
CCM consent; discontinued metformin
CCM; cancelled appointment
Patient exercised her right to revoke CCM
Patient chose the option to decline CCM
Patient is in the process of disenrolling from CCM
CCM declination process complete
No objection to stopping CCM
No objection to ending CCM
CCM consent expired
CCM services ended 3/1/2026
CCM denied by Medicare
CCM consent; CCM denied
Not yet enrolled in CCM
Not enrolled in CCM, consent obtained
Patient not enrolled in CCM because seen elsewhere
Not interested in CCM from another practice
CCM consent not required
No CCM consent on file
CCM consent not signed
CCM consent: N/A
CCM - patient undecided
CCM - patient unwilling
Patient unable to consent to CCM
Patient explained refusal of CCM
Patient refused to sign, gave verbal consent to CCM
Consents to CCM; does not consent to email
CCM consent declined copy
Patient wants no CCM
Ask whether patient declines CCM
Patient may have declined CCM
Patient able to decline CCM and did so
Patient agrees to CCM but declines RPM
CCM consent: yes; RPM consent: no
PT services declined; CCM consent
Consent for CCM to cancel and reschedule appointments on my behalf
Patient was told CCM can be stopped at any time and stopped it
Patient called to cancel. CCM consent.
Patient wants out of CCM
Patient asked to be removed from CCM
Patient has decided against CCM
Patient no longer enrolled in CCM
Discharged from CCM
CCM: No
CCM terminated by practice
CCM consent; refused to be weighed
Nonconsent to CCM
Patient passed on CCM
Patient wishes to leave CCM
Patient left the CCM program
Patient taken off CCM
CCM - inactive
Patient wants to wait on CCM
Patient would like to hold off on CCM
Pt decl CCM
Patient backed out of CCM
Patient changed her mind about CCM
CCM suspended
CCM consent missing
CCM consent ☐ yes ☒ no
CCM: [ ] yes [x] no
Patient won't be enrolling in CCM
CCM consent - verbal: no
CCM verbal consent obtained - No
CCM consent - none
CCM consent status: Inactive
CCM consent required
CCM consent incomplete
CCM consent superseded
CCM consent form mailed
CCM consent form sent to patient
CCM consent form given to patient to review
Needs CCM consent
Missing CCM consent
Patient unreachable for CCM consent
w/o CCM consent
CCM not at this time
CCM: not now
CCM: no thanks
No thank you - CCM
Patient took back consent for CCM
Patient changed mind about CCM
Patient dropped CCM
Remove CCM
CCM hold
CCM consent - do not bill
CCM consent?
Discussed CCM
CCM offered
Offered CCM to patient
CCM consent discussed
CCM enrollment offered to patient
CCM education provided
CCM brochure
Patient interested in CCM
CCM initial visit
I understand that I have the right to revoke this CCM consent
I understand that I may withdraw my consent to CCM at any time, effective at the end of the calendar month
Patient was informed of the right to decline, stop or terminate CCM services at any time
CCM decilned
Pt refsued CCM
"""

# A communication's reason to what is landed as its outcome; None where it is not used.
OUTCOMES = {
    "patient agreed; did not want written copy": "agreed", "Agreed, does not want calls on weekends": "agreed", "Agreed. Declined flu shot": "agreed",
    "agrees but not interested in texting": "agreed", "Accepted, told she may decline at any time": "agreed", "Enrolled, no objections": "agreed",
    "Agreed, not enrolled with another practice": "agreed", "Patient denies having another CCM provider, agreed": "agreed",
    "Verbal consent obtained": "agreed", "not enrolled in CCM elsewhere; agreed": "agreed", "Patient consented": "agreed",
    "Declined": "declined", "Patient declined CCM": "declined", "Pt refuses at this time": "declined", "Declined due to cost": "declined",
    "Patient declined, too expensive": "declined", "Does not want CCM": "declined", "does not want it": "declined", "doesn't want to enroll": "declined",
    "Not interested at this time": "declined", "Does not want to be called again": "declined", "Patient wants to stop CCM": "declined",
    "Patient withdrew": "declined", "Wife answered; not interested": "declined", "patient objected": "declined", "Did not enroll": "declined",
    "not home wants a call back tomorrow": "callback", "Not home, spouse will have patient call back": "callback", "Not ready, call back": "callback",
    "Patient did not decline, asked to call back": "callback", "Patient not available, agreed to call back": "callback",
    "Not home": "no_answer", "Not at home": "no_answer", "Patient not available": "no_answer", "Did not pick up": "no_answer",
    "Call declined": "no_answer", "Mailbox full, not accepting messages": "no_answer", "Unable to accept calls": "no_answer",
    "Not home, left voicemail": "left_message", "Did not answer, left message": "left_message", "Hasn't agreed yet": "left_message",
    # nobody knows what was refused, or by whom
    "Agreed; declined RPM": None, "accepted; spouse not interested": None, "Husband declined": None, "previously declined, now agrees": None,
    "no longer declined, agreed": None, "Declined to talk": None, "Patient would decline if there is a copay": None,
}  # fmt: skip


# Words of four letters and more that stand beside a program's name and say nothing.
NEUTRAL = {
    "principal", "management", "coordination", "medicare", "treatment", "privacy", "service", "services", "patient", "member", "beneficiary", "does",
    "active", "verbal", "written", "oral", "telephone", "phone", "copy", "effective", "calendar", "month", "time", "your", "calling", "call", "office",
    "they", "could", "whenever", "likes", "wish", "receiving", "told",
}  # fmt: skip


def sentences(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.parametrize(("texts", "sort"), [(GIVEN, ""), (UNCLEAR, "given or refused, not said"), (REFUSED, None)])
def test_a_consent_is_given_refused_or_neither_as_its_words_say(tmp_path, texts, sort):
    rows, _ = worded(tmp_path, sentences(texts))
    revoked = {int(row["consent_id"][1:]): row["revoked_on"] for row in rows}
    assert {text: revoked.get(n) for n, text in enumerate(sentences(texts))} == dict.fromkeys(sentences(texts), sort)


def test_a_consent_that_is_renewed_until_it_is_revoked_ends_none_and_neither_does_one_that_is_unclear(tmp_path):
    later = {
        "renewed": "CCM consent, renewed. It will remain in effect until I revoke it in writing.",
        "unclear": "CCM consent; patient declined home health",
    }
    house, _ = run(tmp_path, [
        one for key, text in later.items() for one in (
            patient(key), consent(f"{key}-first", key, dateTime=at("2026-01-05")),
            consent(f"{key}-then", key, dateTime=at("2026-06-10"), category=[concept(text=text)]))
    ])  # fmt: skip
    assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents")} == {
        "renewed-first": "", "renewed-then": "", "unclear-first": "", "unclear-then": "given or refused, not said",
    }  # fmt: skip


def test_words_that_nobody_knows_for_an_agreement_count_where_a_provision_permits_and_not_behind_another_text_that_says_consent(
    tmp_path,
):
    house, _ = run(tmp_path, [
        patient("permitted"), patient("told"), patient("coded"),
        consent("permitted", "permitted", category=[concept(text="CCM brochure")], provision={"type": "permit"}),
        consent("told", "told", category=[concept(text="CCM brochure")], policyRule=concept(text="consent document")),
        consent("coded", "coded", category=[concept("http://loinc.org", "59284-0"), concept(text="CCM")], policyRule=concept(text="CCM")),
    ])  # fmt: skip
    assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents")} == {
        "permitted": "", "told": "given or refused, not said", "coded": "",
    }  # fmt: skip


KNOWN = re.compile(
    "consent|agree|accept|authori|enrol|optin|sign|yes|permi|approv|elect|participat|join|want|inform|underst|care|chronic|form|program|file"
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12), min_size=1, max_size=5), min_size=20, max_size=40
    )
)
def test_words_of_no_language_are_never_an_agreement(said, drawn):
    texts = [
        f"CCM {' '.join(words)}" for words in drawn if not any(KNOWN.search(word) for word in words) and not set(words) <= NEUTRAL
    ]
    assert [text for text, value in refusals(said, texts).items() if value is None] == []


def test_an_agreement_to_something_else_is_no_consent_beside_a_program_that_was_talked_about(said):
    verbs = ["agreed to", "agrees to", "consented to", "consents to", "accepted", "enrolled in", "signed up for", "opted in to", "authorized", "joined",
             "participates in", "will consent to CCM after", "may enroll in CCM after", "asked to join"]  # fmt: skip
    things = ["the portal", "a call back", "hospice", "RPM", "telehealth", "cardiac rehab", "a flu shot", "labs", "the appointment", "a research study",
              "text messages", "the brochure", "surgery", "physical therapy"]  # fmt: skip
    found = refusals(
        said,
        [
            f"Patient {verb} {thing}{behind}"
            for verb in verbs
            for thing in things
            for behind in ("; CCM discussed", ". CCM", " (CCM)")
        ],
    )
    assert [text for text, value in found.items() if value is None] == []


def test_texts_of_a_consent_are_judged_each_by_itself_whatever_blanks_are_in_them(tmp_path):
    house, _ = run(tmp_path, [
        patient("two"), patient("blanks"),
        # declined is not the copy of the form
        consent("two", "two", category=[concept(text="CCM: declined")], policyRule=concept(text="copy of the form")),
        consent("blanks", "blanks", category=[concept(text="CCM consent, valid  until\u00a0I\nrevoke it")]),
    ])  # fmt: skip
    assert [(row["consent_id"], row["revoked_on"]) for row in landed(house, "consents")] == [("blanks", "")]


@pytest.fixture(scope="module")
def said() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("load icu")
    con.execute(macros())
    return con


def refusals(con: duckdb.DuckDBPyConnection, texts: list[str]) -> dict[str, str | None]:
    return dict(con.execute("select text, answer_of(lower(text)) from (select unnest(?) as text)", [texts]).fetchall())


def test_an_agreement_is_given_and_what_only_sounds_like_one_is_quarantined(said):
    agreed, other = sentences(AGREED), sentences(NOT_AGREED)
    assert min(len(agreed), len(other)) >= 40
    assert {text: value for text, value in refusals(said, agreed).items() if value is not None} == {}
    assert {text: value for text, value in refusals(said, other).items() if value not in ("unsaid", "unclear")} == {}


def test_an_agreement_stays_one_with_a_date_a_name_or_a_diagnosis_behind_it_and_none_asked_for_is_one(said):
    agreed = [text for text in sentences(AGREED) if "?" not in text]
    behind = ["; 3/4/2026", " (Mary Jones)", ". I10, E11.9", "; CKD stage 3, COPD"]
    assert [
        text
        for text, value in refusals(said, [one.rstrip(".") + more for one in agreed for more in behind]).items()
        if value is not None
    ] == []
    assert [text for text, value in refusals(said, [one.rstrip(".") + "?" for one in agreed]).items() if value is None] == []


TOLD = [
    "informed of",
    "told about",
    "educated on",
    "aware of",
    "counselled on",
    "given information about",
    "notified of",
    "reminded of",
    "introduced to",
]
MATTERS = [
    "CCM",
    "CCM consent",
    "chronic care management",
    "CCM enrollment",
    "the CCM program",
    "CCM services and cost share",
    "participation in CCM",
]
ACTS = [
    "agree to CCM",
    "consent to CCM",
    "enroll in CCM",
    "sign the CCM consent",
    "join the CCM program",
    "participate in chronic care management",
]
NOT_DONE = ["will", "would", "might", "plans to", "intends to", "was asked to", "was invited to", "was encouraged to", "has yet to", "failed to", "needs to",
            "is eligible to", "hopes to", "did nto", "dosent", "is scheduled to"]  # fmt: skip
OTHERS = ["Daughter", "Her son", "His wife", "Neighbor", "Brother-in-law", "Dr. Smith", "The PCP", "Home health aide", "Insurance"]


def test_what_was_told_is_to_come_or_was_said_by_somebody_else_is_no_agreement(said):
    texts = [f"Patient {verb} {matter}" for verb in TOLD for matter in MATTERS]
    texts += [f"{how} {matter}" for how in ("Patient understands", "Verbalized understanding of", "Patient wants to think about", "Wants to hear more about",
                                            "Wants information on", "Questions about") for matter in MATTERS]  # fmt: skip
    texts += [f"{who} {verb} {act}" for who in ("Patient", "Pt", "She") for verb in NOT_DONE for act in ACTS]
    texts += [
        f"{who} {verb} CCM" for who in OTHERS for verb in ("agrees to", "accepts", "approved", "wants", "is in agreement with")
    ]
    texts += [
        f"Patient agrees to CCM {on}"
        for on in ("if free", "as long as covered", "only if no copay", "provided that it is free", "unless it costs")
    ]
    assert [text for text, value in refusals(said, texts).items() if value is None] == []


def slips(word: str) -> set[str]:
    """The word with one slip of the keys within it: a letter lost, added, changed, or two turned round."""
    made = set()
    for n in range(1, len(word) - 1):
        made |= {word[:n] + word[n + 1 :], word[:n] + word[n + 1] + word[n] + word[n + 2 :]}
        made |= {word[:n] + key + rest for key in ascii_lowercase for rest in (word[n:], word[n + 1 :])}
    return made - {word}


@pytest.mark.parametrize(
    "word", ["declined", "refused", "revoked", "rejected", "withdrawn", "cancelled", "terminated", "disenrolled", "rescinded"]
)
def test_a_refusal_with_one_slip_of_the_keys_is_never_an_agreement(said, word):
    texts = [
        f"{before} {slip}"
        for slip in sorted(slips(word))
        for before in ("CCM consent", "CCM consent:", "Patient signed CCM form then")
    ]
    assert [text for text, value in refusals(said, texts).items() if value is None] == []


def test_two_sentences_of_which_none_is_an_agreement_make_none(said):
    other = sentences(NOT_AGREED)
    pairs = [(one, other[(n * 7 + step) % len(other)]) for n, one in enumerate(other) for step in range(0, len(other), 29)]
    texts = [f"{one}{between}{two}" for one, two in pairs for between in (". ", " | ", "; ")]
    assert [text for text, value in refusals(said, texts).items() if value is None] == []


def test_no_word_that_says_nothing_hides_a_refusal_behind_it(said):
    after = ["; patient declined", ". Patient refuses CCM.", ", declines", " and declined CCM", " but declines CCM", " withdrew consent", ": revoked",
             "; no consent", ". Patient does not want CCM", ", not interested"]  # fmt: skip
    found = refusals(said, [one.rstrip(".") + more for one in sentences(GIVEN) for more in after])
    assert [text for text, value in found.items() if value is None] == []


def test_two_sentences_that_refuse_nothing_are_no_refusal(said):
    found = refusals(said, [f"{one.rstrip('.')}. {two}" for one in sentences(GIVEN) for two in sentences(GIVEN)])
    assert [text for text, value in found.items() if value == "refused"] == []


def test_a_refusal_of_something_else_ends_no_consent(said):
    things = ["calls", "home visits", "labs", "PT services", "transportation services", "the diabetes program", "portal enrollment", "a research study",
              "consent for surgery", "consent to release records", "a copy", "her statin", "hospice", "any other services", "CCM calls on weekends",
              "the CCM appointment", "to sign", "BHI", "remote monitoring", "metformin"]  # fmt: skip
    verbs = [
        "declined",
        "refuses",
        "does not want",
        "is not interested in",
        "discontinued",
        "cancelled",
        "withdrew from",
        "denies",
        "rejected",
    ]
    found = refusals(said, [f"CCM consent obtained. Patient {verb} {thing}." for verb in verbs for thing in things])
    assert [text for text, value in found.items() if value == "refused"] == []


def test_an_outcome_is_what_the_patient_said_of_care_management(tmp_path):
    house, report = run(tmp_path, [
        of("Communication", f"c{n}", status="completed", subject=ref("Patient/p1"), sent=at("2026-10-02"), medium=[concept(MODE, "PHONE")],
           category=[concept(text="Chronic care management")], statusReason=concept(text=text))
        for n, text in enumerate(OUTCOMES)
    ])  # fmt: skip
    outcomes = {int(row["outreach_id"][1:]): row["outcome"] for row in landed(house, "outreach")}
    assert {text: outcomes.get(n) for n, text in enumerate(OUTCOMES)} == OUTCOMES
    assert report.count("Communication", "outcome that fhir_words.csv does not know") == list(OUTCOMES.values()).count(None)
