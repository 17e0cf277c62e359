"""A FHIR bulk export becomes a landed night; what is not used is counted by resource and reason."""

from __future__ import annotations

import csv
import gzip
import json
import re
import stat
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml
from fhir_export import (
    ACT,
    CPT,
    ICD,
    MBI,
    MODE,
    NOT_DONE,
    NPI,
    NUCC,
    SNOMED,
    SOPT,
    STATUS,
    VERIFIED,
    at,
    care_plan,
    claim,
    concept,
    condition,
    consent,
    coverage,
    deletion,
    encounter,
    of,
    patient,
    practitioner,
    ref,
    write_export,
)  # fmt: skip

from orchestration.contracts import extract_contracts
from orchestration.house import House, HouseError
from orchestration.importers.fhir import FhirReport, import_fhir, land
from tests.holds.clinic import Clinic

CLINIC = Clinic("clinic", 1)
NIGHT = date(2026, 11, 3)
BASE = [
    practitioner("doc"), practitioner("nurse", "RN"),
    of("PractitionerRole", "doc-role", practitioner=ref("Practitioner/doc"), specialty=[concept(NUCC, "207Q00000X")]),
    patient("p1"),
]  # fmt: skip


def home(folder: Path, *clinics: Clinic) -> House:
    house = House(folder / "home").prepare()
    house.practices_yaml.write_text(yaml.safe_dump({"practices": [one.configuration() for one in clinics or (CLINIC,)]}))
    return house


def landed(house: House, table: str, night: date = NIGHT) -> list[dict[str, str]]:
    with (house.landing / "clinic" / night.isoformat() / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(folder: Path, resources: list, **settings) -> tuple[House, FhirReport]:
    write_export(folder / "bulk", [*BASE, *resources], manifest="2026-11-03T12:00:00Z")
    house = home(folder)
    report = import_fhir(folder / "bulk", house, **settings)
    for name, one in report.resources.items():
        assert one.unused == report.count(name) - sum(u.rows for u in report.lacking if u.what == name), name
    return house, report


def test_a_patient_is_landed_with_the_official_name_and_the_general_practitioner(tmp_path):
    house, report = run(tmp_path, [])
    [row] = landed(house, "patients")
    assert row == {
        "patient_id": "p1", "first_name": "Ann", "last_name": "Famp1", "middle_name": "B", "birth_date": "1948-03-02", "sex": "F",
        "address_line1": "1 Side St", "city": "Springfield", "state": "IL", "postal_code": "62701", "phone": "",
        "billing_practitioner_id": "doc", "deceased_date": "",
    }  # fmt: skip
    assert report.night == NIGHT
    assert not (house.landing / "clinic" / "2026-11-03" / "consents.csv").exists()  # the export says nothing of consents
    assert any("Consent" in text for text in report.assumptions)


def test_every_landed_file_has_the_columns_of_its_contract_and_is_private(tmp_path):
    house, report = run(tmp_path, [coverage("c", "p1"), consent("n", "p1"), encounter("e", "p1", "2026-09-02")])
    for table in report.rows:
        path = house.landing / "clinic" / "2026-11-03" / f"{table}.csv"
        assert path.read_text().splitlines()[0] == ",".join(extract_contracts()[table].names)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(house.landing.glob(".*"))


def test_members_of_the_care_team_have_their_credential_from_degree_role_or_specialty(tmp_path):
    others = [
        practitioner("aide", None), practitioner("arts", "MA"), practitioner("pharm", None),
        of("PractitionerRole", "r1", practitioner=ref("Practitioner/pharm"), code=[concept(text="Clinical pharmacist")]),
        of("PractitionerRole", "r2", practitioner=ref("Practitioner/nobody")),
    ]  # fmt: skip
    house, report = run(tmp_path, others)
    team = {row["member_id"]: row for row in landed(house, "care_team")}
    assert {key: row["credential"] for key, row in team.items()} == {"doc": "MD", "nurse": "RN", "pharm": "PHARMD"}
    assert (team["doc"]["npi"], team["doc"]["taxonomy_code"]) == ("1234567893", "207Q00000X")
    assert (
        report.count("Practitioner", "no qualification, role or specialty that fhir_words.csv knows") == 2
    )  # a Master of Arts is no assistant
    assert report.count("PractitionerRole") == 1


def test_coverage_kinds_come_from_type_class_and_payer(tmp_path):
    def named(key: str, text: str, **elements) -> dict:
        return coverage(key, "p1", kind={"text": text}, payor=[{"display": text}], **elements)

    house, report = run(tmp_path, [
        coverage("ffs", "p1"),
        named("b", "MEDICARE PART B"),
        coverage("ma", "p1", kind=concept(SOPT, "111"), payor=[{"display": "Humana"}], period={"start": "2025-01-01", "end": "2025-12-31"}),
        named("drug", "Medicare Part D"), named("odd", "Lodge fund", order=2), named("late", "Aetna", start=None),
        coverage("gone", "p1", kind=concept(SOPT, "2"), status="cancelled"),
        named("never", "QMB", status="entered-in-error"),
    ])  # fmt: skip
    rows = {(row["coverage_type"], row["effective_date"], row["termination_date"]) for row in landed(house, "coverages")}
    assert rows == {
        ("medicare_part_a", "2013-03-01", ""), ("medicare_part_b", "2013-03-01", ""),
        ("medicare_advantage", "2025-01-01", "2025-12-31"), ("commercial", "", ""), ("medicaid", "2013-03-01", "2026-10-01"),
    }  # fmt: skip
    assert report.count("Coverage", "type and payer that fhir_words.csv does not know, paying after another") == 1
    assert report.count("Coverage", "covers no care that is billed here") == 1
    assert report.count("Coverage", "status entered-in-error") == 1
    assert report.count("Coverage", "no first day: landed without one, to be quarantined") == 1


def test_a_payer_that_nobody_knows_is_landed_to_be_quarantined_unless_it_pays_after_another_or_is_long_over(tmp_path):
    def fund(key: str, **elements) -> dict:
        return coverage(key, key, kind={"text": "Teamsters Welfare Trust Fund"}, payor=[{"display": "Lodge"}], **elements)

    ended = {
        "late": {"start": "2024-01-01", "end": "2026-10-31"},
        "over": {"start": "2024-01-01", "end": "2025-10-31"},
    }
    people = ("first", "unsaid", "second", "late", "over", "gone", "draft")
    house, report = run(tmp_path, [
        *(patient(key) for key in people), *(fund(key, period=period) for key, period in ended.items()),
        fund("first", order=1), fund("unsaid"), fund("second", order=2), fund("gone", status="cancelled", order=1), fund("draft", status="draft"),
    ])  # fmt: skip
    rows = {row["patient_id"]: row for row in landed(house, "coverages")}
    assert set(rows) == {"first", "unsaid", "late", "gone"}
    assert {row["coverage_type"] for row in rows.values()} == {""}  # required: taking in quarantines it, and its claims wait
    assert rows["first"]["priority"] == "1" and rows["late"]["termination_date"] == "2026-10-31"
    assert (
        report.count("Coverage", "type and payer that fhir_words.csv does not know: landed without a kind, to be quarantined") == 4
    )
    assert report.count("Coverage", "type and payer that fhir_words.csv does not know, paying after another") == 1
    assert report.count("Coverage", "type and payer that fhir_words.csv does not know, over for a year") == 1


def kinds(folder, *plans):
    """What is landed of each plan, (type, payer), of a patient of its own."""
    house, _ = run(folder, [one for number, (kind, payer) in enumerate(plans) for one in
                            (patient(f"of{number}"), coverage(f"c{number}", f"of{number}", kind=kind, payor=[{"display": payer}]))])  # fmt: skip
    found: dict[tuple[str, str], set[str]] = {(str(kind), payer): set() for kind, payer in plans}
    for row in landed(house, "coverages"):
        kind, payer = plans[int(row["patient_id"].removeprefix("of"))]
        found[str(kind), payer].add(row["coverage_type"])
    return found


PART_C = [
    "Kaiser Permanente Senior Advantage HMO",
    "AARP MedicareComplete Choice",
    "Medicare+Choice plan",
    "UHC Dual Complete",
    "Blue MAPD",
    "Molina C-SNP",
]


def test_a_plan_of_part_c_is_one_by_the_names_that_such_plans_have(tmp_path):
    found = kinds(tmp_path, *((concept(text=name), name) for name in PART_C))
    assert len(found) == len(PART_C) and all(types == {"medicare_advantage"} for types in found.values()), found


THROUGH_AN_INSURER = [
    (concept(text="Medicare"), "Kaiser Foundation Health Plan"), (concept(text="Medicare"), "Molina Healthcare"),
    (concept(text="Medicare"), "WellCare Health Plans"), (concept(text="Medicare"), "Devoted Health"), (concept(text="Medicare"), "Clover Health"),
    (concept(text="Medicare"), "Alignment Health Plan"), (concept(text="Medicare"), "HealthSpring"), (concept(SOPT, "1"), "SCAN Health Plan"),
    (concept(ACT, "HMO"), "Medicare - Local Plan"), (concept(ACT, "PPO"), "Medicare"), (concept(ACT, "POS"), "Medicare"), (concept(SOPT, "123"), "CMS"),
]  # fmt: skip


def test_medicare_through_a_private_insurer_is_a_plan_of_part_c(tmp_path):
    found = kinds(tmp_path, *THROUGH_AN_INSURER)
    assert len(found) == len(THROUGH_AN_INSURER) and all(types == {"medicare_advantage"} for types in found.values()), found


CONTRACTORS = ["Railroad Medicare", "Palmetto GBA", "NGS Medicare", "First Coast Service Options", "Noridian JE Part B", "CMS"]


def test_medicare_through_its_own_contractor_is_original_medicare(tmp_path):
    found = kinds(tmp_path, *((concept(text="Medicare"), payer) for payer in CONTRACTORS))
    assert len(found) == len(CONTRACTORS)
    for payer, types in found.items():
        assert "medicare_advantage" not in types and "medicare_part_b" in types, payer


NO_MEDICARE = [
    "No Medicare", "Not Medicare eligible", "Medicare pending", "Medicare denied", "Medicare (denied)", "Medicare — denied", "Medicare Part B declined",
    "Medicare A and B pending", "Medicare Part A and Part B application is pending", "Applied for Medicare", "Not enrolled in Medicare",
    "Does not have Medicare", "Doesn't have Medicare", "Medicaid, no Medicare", "Medicare: No", "Medicare - none", "Medicare, no Part B",
    "No Part A, no Part B", "Declined Part B", "Not dual eligible", "Non-Medicare plan",
]  # fmt: skip
MEDICARE = [
    "Medicare (Non-managed Care)", "Medicare Nonpar", "Medicare - No supplement", "Medicare, Medicaid pending", "No copay; Medicare",
    "Medicare / Medicaid", "Medicare NGS", "Dual eligible", "Medicare A & B",
]  # fmt: skip


def test_medicare_that_is_said_not_to_be_or_not_yet_is_of_no_kind_and_waits(tmp_path):
    found = kinds(tmp_path, *((concept(text=name), "Payer") for name in NO_MEDICARE))
    assert len(found) == len(NO_MEDICARE) and all(types == {""} for types in found.values()), found


def test_a_no_about_something_else_leaves_medicare_as_it_is(tmp_path):
    found = kinds(tmp_path, *((concept(text=name), "Payer") for name in MEDICARE))
    assert len(found) == len(MEDICARE) and all("medicare_part_b" in types for types in found.values()), found


def test_part_a_stands_where_part_b_alone_was_declined_and_what_is_not_medicare_is_what_else_it_is(tmp_path):
    wanted = {
        "Medicare Part A only": "medicare_part_a", "Medicare Part A only, no Part B": "medicare_part_a",
        "Medicare Part A; Part B declined": "medicare_part_a", "Medicare Part A (no Part B)": "medicare_part_a",
        "Non-Medicare plan of Aetna": "commercial",
    }  # fmt: skip
    found = kinds(tmp_path, *((concept(text=name), "Payer") for name in wanted))
    assert list(found.values()) == [{kind} for kind in wanted.values()]


def test_the_hospice_benefit_of_medicare_is_no_part_b_and_waits(tmp_path):
    people = ("coded", "said", "long")
    house, report = run(tmp_path, [
        *(patient(key) for key in people), coverage("coded", "coded", kind=concept(SOPT, "13", "Medicare Hospice"), order=2),
        coverage("said", "said", kind=concept(text="Medicare Hospice Benefit")),
        coverage("long", "long", kind=concept(SOPT, "13"), period={"start": "2020-01-01", "end": "2025-06-30"}),
    ])  # fmt: skip
    kinds = {(row["patient_id"], row["coverage_type"]) for row in landed(house, "coverages")}
    assert kinds == {("coded", "hospice"), ("said", "hospice")}  # no kind of the contract: taking in quarantines it
    assert (
        report.count("Coverage", "the Medicare hospice benefit, no kind of the contract: landed as it is, to be quarantined") == 2
    )
    assert report.count("Coverage", "hospice, over for a year") == 1


def test_a_private_plan_beside_medicare_waits_where_nobody_says_which_of_them_pays_first(tmp_path):
    plan, over = {"kind": concept(ACT, "EHCPOL"), "payor": [{"display": "Aetna"}]}, {"start": "2020-01-01", "end": "2025-06-30"}
    people = ("unsaid", "after", "first", "second", "over", "alone", "advantage", "lapsed")
    house, report = run(tmp_path, [
        *(patient(key) for key in people), *(coverage(f"{key}-ab", key) for key in ("unsaid", "first", "second", "over")),
        coverage("after-ab", "after", order=1), *(coverage(key, key, **plan) for key in ("unsaid", "after", "alone", "advantage")),
        coverage("first", "first", order=1, **plan), coverage("second", "second", order=2, **plan), coverage("over", "over", period=over, **plan),
        coverage("advantage-ma", "advantage", kind=concept(SOPT, "111")),
        # what Medicare said of a time long over says nothing of today
        coverage("lapsed-ab", "lapsed", order=1, period=over), coverage("lapsed-ab2", "lapsed", order=2), coverage("lapsed", "lapsed", **plan),
    ])  # fmt: skip
    orders = {row["patient_id"]: row["priority"] for row in landed(house, "coverages") if row["coverage_type"] == "commercial"}
    assert orders == {
        "unsaid": "order not said", "after": "", "first": "1", "second": "2", "over": "", "alone": "", "advantage": "", "lapsed": "order not said",
    }  # fmt: skip
    reason = "a private plan beside Medicare, but not which of them pays first (order): landed without it, to be quarantined"
    assert report.count("Coverage", reason) == 2


def test_plans_for_teeth_and_what_supplements_medicare_are_so_by_their_codes(tmp_path):
    house, report = run(tmp_path, [
        coverage("ab", "p1"), coverage("gap", "p1", kind=concept(SOPT, "523"), payor=[{"display": "Aetna"}]),
        coverage("teeth", "p1", kind=concept(SOPT, "561"), payor=[{"display": "Aetna"}]),
    ])  # fmt: skip
    assert {row["coverage_type"] for row in landed(house, "coverages")} == {"medicare_part_a", "medicare_part_b", "medigap"}
    assert report.count("Coverage", "covers no care that is billed here") == 1


def test_every_payer_is_heard_contained_ones_too_and_those_that_cannot_be_found_are_counted(tmp_path):
    def medicare(key: str, *payers: dict, **elements) -> dict:
        return coverage(key, key, kind=concept(text="Medicare"), payor=list(payers), **elements)

    def inside(name: str, key: str = "p") -> list[dict]:
        return [{"resourceType": "Organization", "id": key, "name": name}]

    people = ("inside", "second", "shown", "plain", "lost", "astray", "holder", "drug", "gap", "coded")
    house, report = run(tmp_path, [
        *(patient(key) for key in people), of("Organization", "hum", name="Humana", active=True), of("Organization", "cms", name="CMS", active=True),
        medicare("inside", ref("#p"), contained=inside("Aetna Medicare Advantage PPO")),
        medicare("second", ref("Organization/cms"), ref("Organization/hum")),
        medicare("shown", {"display": "Humana Gold Plus"}), medicare("plain", {"display": "Medicare"}),
        medicare("lost", ref("Organization/nowhere")), medicare("astray", ref("#q"), contained=inside("Cigna", "p")),
        # the employer is who takes out the policy, not who pays
        medicare("holder", ref("Organization/cms"), policyHolder=ref("#h"), contained=inside("Employer of Ann", "h")),
        coverage("drug", "drug", kind=concept(text="Medicare Part D"), payor=[{"display": "Humana"}]),
        coverage("gap", "gap", kind=concept(text="Medicare Supplement"), payor=[{"display": "Aetna"}]),
        coverage("coded", "coded", kind=concept(SOPT, "121", "Medicare"), payor=[{"display": "Anthem"}]),
    ])  # fmt: skip
    kinds = {(row["patient_id"], row["coverage_type"]) for row in landed(house, "coverages")}
    original = {(who, f"medicare_part_{part}") for who in ("plain", "lost", "astray", "holder", "coded") for part in "ab"}
    assert kinds == original | {(who, "medicare_advantage") for who in ("inside", "second", "shown")} | {("gap", "medigap")}
    assert report.count("Coverage", "covers no care that is billed here") == 1
    assert report.count("references", "to a payer who is not in the export, or cannot be resolved") == 2
    assert report.count("Organization") == 0  # each of them pays


def test_consents_to_care_management_of_another_kind_are_about_no_program_of_ours(tmp_path):
    def about(key: str, text: str, **elements) -> dict:
        return consent(key, "p1", category=[concept(text=text)], policyRule=None, **elements)

    call = of("Appointment", "a1", status="booked", start=at("2026-11-09"), serviceType=[concept(text="Transitional care management call")],
              participant=[{"actor": ref("Patient/p1"), "status": "accepted"}, {"actor": ref("Practitioner/doc"), "status": "accepted"}])  # fmt: skip
    house, report = run(tmp_path, [
        about("tcm", "Transitional care management consent"), about("tcm2", "TCM"), about("bhi", "Behavioral health care management"),
        about("cocm", "Psychiatric collaborative care management"), about("cocm2", "Collaborative care management"),
        about("care", "Care management consent"), about("both", "Chronic care management and behavioral health integration"),
        about("pcm", "Principal care management"), call,
    ])  # fmt: skip
    assert {row["consent_id"]: row["program"] for row in landed(house, "consents")} == {"care": "ccm", "both": "ccm", "pcm": "pcm"}
    assert report.count("Consent", "about care management of another kind, none of the programs") == 5
    assert [row["visit_type"] for row in landed(house, "appointments")] == ["Transitional care management call"]


def test_conditions_prefer_icd10cm_then_the_dated_map_and_the_rest_is_counted(tmp_path):
    both = {"coding": [{"system": SNOMED, "code": "44054006"}, {"system": ICD, "code": "E11.22"}]}
    house, report = run(tmp_path, [
        condition("both", "p1", both), condition("map", "p1", concept(SNOMED, "59621000")),
        condition("odd", "p1", concept(SNOMED, "999999999")), condition("local", "p1", concept("urn:ehr", "HTN")),
        condition("over", "p1", concept(ICD, "I10"), clinicalStatus=concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved"),
                  abatementDateTime="2026-02"),
        condition("maybe", "p1", concept(ICD, "I50.9"), verificationStatus=concept(VERIFIED, "provisional")),
    ])  # fmt: skip
    rows = {row["condition_id"]: row for row in landed(house, "conditions")}
    assert {key: row["icd10_code"] for key, row in rows.items()} == {"both": "E1122", "map": "I10", "over": "I10"}
    assert (rows["over"]["clinical_status"], rows["over"]["resolved_date"]) == ("resolved", "2026-02-28")
    assert rows["both"]["onset_date"] == "2015-06-01"
    assert report.count("Condition", "SNOMED CT code without an ICD-10-CM code in rule_snomed_to_icd10cm.csv") == 1
    assert report.count("Condition", "coded in neither ICD-10-CM nor SNOMED CT") == 1
    assert report.count("Condition", "verification status provisional: not yet a diagnosis") == 1


def test_the_state_of_a_condition_is_the_coding_of_its_own_system_wherever_it_stands(tmp_path):
    def state(system: str, code: str, own: str = "7") -> dict:
        return {"coding": [{"system": "urn:oid:1.2.3.4", "code": own}, {"system": system, "code": code}]}

    local = "urn:oid:1.2.3.4"
    house, report = run(tmp_path, [
        condition("over", "p1", concept(ICD, "E119"), clinicalStatus=state(STATUS, "resolved", "active")),
        condition("on", "p1", concept(ICD, "I10"), clinicalStatus=state(STATUS, "active", "resolved")),
        condition("local", "p1", concept(ICD, "E785"), clinicalStatus=concept(local, "inactive")),
        condition("not", "p1", concept(ICD, "J449"), verificationStatus=state(VERIFIED, "refuted")),
        condition("maybe", "p1", concept(ICD, "I509"), verificationStatus=state(VERIFIED, "provisional", "confirmed")),
    ])  # fmt: skip
    assert {row["condition_id"]: row["clinical_status"] for row in landed(house, "conditions")} == {
        "over": "resolved", "on": "active", "local": "resolved",
    }  # fmt: skip
    assert report.count("Condition", "verification status refuted") == 1
    assert report.count("Condition", "verification status provisional: not yet a diagnosis") == 1


def test_references_are_resolved_in_every_form_and_counted_where_they_cannot_be(tmp_path):
    forms = {
        "relative": {"reference": "Patient/p1"}, "absolute": {"reference": "https://ehr.example/fhir/Patient/p1"},
        "versioned": {"reference": "Patient/p1/_history/4"}, "urn": {"reference": "urn:uuid:p1"},
        "conditional": {"reference": "Patient?identifier=urn:ehr|mrn-p1"}, "escaped": {"reference": "Patient?identifier=urn%3Aehr%7Cmrn-p1"},
        "logical": {"identifier": {"system": "urn:ehr", "value": "mrn-p1"}},
        "stranger": {"reference": "Patient/p9"}, "shared": {"reference": "Patient?identifier=urn:both|1"}, "words": {"display": "Ann"},
    }  # fmt: skip
    twins = [patient(key, identifier=[{"system": "urn:both", "value": "1"}]) for key in ("t1", "t2")]
    house, report = run(
        tmp_path, [*twins, *(condition(key, "p1", concept(ICD, "I10"), subject=form) for key, form in forms.items())]
    )
    assert {row["condition_id"] for row in landed(house, "conditions")} == set(list(forms)[:7])
    assert report.count("Condition", "its patient is not in the export, or the reference cannot be resolved") == 2
    assert report.count("Condition", "names no patient") == 1


def test_a_patient_who_was_merged_gives_their_facts_to_the_other(tmp_path):
    merged = patient("old", link=[{"other": ref("Patient/p1"), "type": "replaced-by"}])
    house, report = run(tmp_path, [merged, condition("c", "old", concept(ICD, "I10"))])
    assert [row["patient_id"] for row in landed(house, "patients")] == ["p1"]
    assert [row["patient_id"] for row in landed(house, "conditions")] == ["p1"]
    assert report.count("Patient", "replaced by another record of the same person") == 1


def test_the_newest_version_wins_and_what_was_deleted_is_gone(tmp_path):
    seen = of("Appointment", "a1", "2026-10-02T00:00:00Z", status="booked", start=at("2026-11-09"), minutesDuration=30, participant=[
        {"actor": ref("Patient/p1"), "status": "accepted"}, {"actor": ref("Practitioner/doc"), "status": "accepted"}])  # fmt: skip
    write_export(tmp_path / "bulk" / "full", [
        *BASE, patient("p2"), patient("p3"), coverage("c1", "p1"), claim("k1", "p1", "2026-09-02", "99214"), seen, encounter("e", "p1", "2026-09-02"),
    ])  # fmt: skip
    write_export(
        tmp_path / "bulk" / "since",
        [patient("p1", "2026-11-01T06:00:00Z", gender="male"), patient("p2", "2026-09-01T00:00:00Z", gender="male"), patient("p3", "2026-11-02T00:00:00Z")],
        deleted=[deletion("Coverage/c1"), deletion("Patient/p3"), deletion("Claim/k1"), deletion("https://ehr.example/Appointment/a1")],
    )  # fmt: skip
    house = home(tmp_path)
    report = import_fhir(tmp_path / "bulk", house)
    assert report.night == date(2026, 11, 1)  # 2026-11-02T00:00Z in Chicago
    # p2 came back older than it was; p3 was made again after it was deleted
    assert {row["patient_id"]: row["sex"] for row in landed(house, "patients", report.night)} == {"p1": "M", "p2": "F", "p3": "F"}
    assert landed(house, "coverages", report.night) == []
    [service] = landed(house, "services", report.night)
    assert (service["service_id"], service["procedure_code"], service["updated_at"]) == (
        "Claim-k1-1",
        "WITHDRAWN",
        "2026-10-30T00:00:00Z",
    )
    [appointment] = landed(house, "appointments", report.night)
    assert (appointment["status"], appointment["scheduled_end"]) == ("cancelled", "2026-11-09T15:30:00Z")
    assert (report.resources["Patient"].lines, report.resources["Patient"].older, report.resources["Patient"].deleted) == (6, 3, 0)
    assert report.resources["Coverage"].deleted == 1


def test_what_its_source_took_back_is_withdrawn_however_it_was_taken_back(tmp_path):
    newer = "2026-10-20T12:00:00Z"

    def again(resource: dict, **changes) -> dict:
        return {key: value for key, value in {**resource, "meta": {"lastUpdated": newer}, **changes}.items() if value is not None}

    def visit(key: str, day: int, **elements) -> dict:
        return encounter(key, "p1", f"2026-09-{day:02}", type_=concept(CPT, "99214"), **elements)

    def done(key: str, code: str, **elements) -> dict:
        return of("Procedure", key, **{"status": "completed", "subject": ref("Patient/p1"), "code": concept(CPT, code),
                                       "performedDateTime": "2026-09-02", **elements})  # fmt: skip

    visits = [visit("stands", 1), visit("off", 2), visit("bare", 3), visit("plan", 4)]
    performed = [done("kept", "36415"), done("undone", "93000"), done("back", "90471")]
    claims = [
        claim("k1", "p1", "2026-09-10", "99213", "36416"),
        claim("k2", "p1", "2026-09-11", "99215"),
        claim("k3", "p1", "2026-09-12", "99212"),
    ]
    write_export(tmp_path / "bulk" / "1-full", [*BASE, *visits, *performed, *claims], manifest="2026-10-02T12:00:00Z")
    write_export(
        tmp_path / "bulk" / "2-since",
        [again(visits[1], status="cancelled"), again(visits[2], status="entered-in-error", type=None, period=None, participant=None),
         again(visits[3], status="planned"), again(visits[0], reasonCode=[concept(text="Diabetes")]),
         visit("never", 20, status="cancelled", period=None), again(performed[1], status="not-done"), again(performed[2], status="in-progress"),
         again(claim("k1", "p1", "2026-09-10", "99213")), again(claims[1], use="predetermination"), again(claims[2], status="cancelled", item=None)],
        manifest="2026-11-03T12:00:00Z",
    )  # fmt: skip
    house = home(tmp_path)
    report = import_fhir(tmp_path / "bulk", house)
    services = {row["service_id"]: row for row in landed(house, "services")}
    assert {key: row["procedure_code"] for key, row in services.items()} == {
        "Encounter-stands": "99214", "Encounter-off": "WITHDRAWN", "Encounter-bare": "WITHDRAWN", "Encounter-plan": "WITHDRAWN",
        "Encounter-never": "WITHDRAWN", "Procedure-kept": "36415", "Procedure-undone": "WITHDRAWN", "Procedure-back": "WITHDRAWN",
        "Claim-k1-1": "99213", "Claim-k1-2": "WITHDRAWN", "Claim-k2-1": "WITHDRAWN", "Claim-k3-1": "WITHDRAWN",
    }  # fmt: skip
    for key, row in services.items():
        assert row["service_date"], key  # the contract requires one, of what is withdrawn too
        if row["procedure_code"] == "WITHDRAWN" and key != "Encounter-never":
            assert row["updated_at"] == newer, key  # of two rows of a key the newer wins
    assert report.count("services", "withdrawn by their source: landed with the procedure code WITHDRAWN") == 9
    appointments = {
        row["appointment_id"]: (row["status"], row["member_id"], row["scheduled_start"][:10])
        for row in landed(house, "appointments")
    }
    assert appointments == {
        "Encounter-stands": ("completed", "doc", "2026-09-01"), "Encounter-off": ("cancelled", "doc", "2026-09-02"),
        "Encounter-bare": ("cancelled", "doc", "2026-09-03"), "Encounter-plan": ("cancelled", "doc", "2026-09-04"),
    }  # fmt: skip


def test_an_appointment_that_is_only_proposed_again_is_cancelled(tmp_path):
    def planned(key: str, updated: str, **elements) -> dict:
        who = [{"actor": ref("Patient/p1"), "status": "accepted"}, {"actor": ref("Practitioner/doc"), "status": "accepted"}]
        return of("Appointment", key, updated, **{"status": "booked", "start": at("2026-11-09"), "end": at("2026-11-09", "15:20:00"),
                                                  "participant": who, **elements})  # fmt: skip

    first, then = "2026-10-01T12:00:00Z", "2026-10-20T12:00:00Z"
    write_export(
        tmp_path / "bulk" / "full", [*BASE, planned("a", first), planned("b", first, status="proposed"), planned("c", first)]
    )
    unsaid = [{"actor": {"display": "someone"}, "status": "needs-action"}]
    write_export(tmp_path / "bulk" / "since", [
        {key: value for key, value in planned("a", then, status="proposed", participant=unsaid).items() if key not in ("start", "end")},
        planned("c", then, status="fulfilled"),
    ])  # fmt: skip
    house = home(tmp_path)
    report = import_fhir(tmp_path / "bulk", house)
    rows = {
        row["appointment_id"]: (row["status"], row["scheduled_start"], row["updated_at"])
        for row in landed(house, "appointments", report.night)
    }
    assert rows == {"a": ("cancelled", "2026-11-09T15:00:00Z", then), "c": ("completed", "2026-11-09T15:00:00Z", then)}
    assert report.count("Appointment", "status proposed: not planned yet") == 1


@pytest.mark.long
def test_visits_become_appointments_only_where_the_export_has_none_of_its_own(tmp_path):
    visit = encounter("e1", "p1", "2026-09-02", type_=concept(CPT, "99213", "Office visit"))
    house, _ = run(tmp_path / "a", [visit])
    [row] = landed(house, "appointments")
    assert (row["appointment_id"], row["visit_type"], row["status"], row["member_id"]) == (
        "Encounter-e1",
        "Office visit",
        "completed",
        "doc",
    )
    [service] = landed(house, "services")
    assert (service["procedure_code"], service["appointment_id"], service["billed_by"]) == ("99213", "Encounter-e1", "own_practice")
    call = of("Appointment", "a1", status="fulfilled", start=at("2026-10-05"), end=at("2026-10-05", "15:20:00"),
              serviceType=[concept(text="CCM call")], participant=[{"actor": ref("Patient/p1"), "status": "accepted"},
              {"actor": ref("PractitionerRole/doc-role"), "status": "accepted"}])  # fmt: skip
    house, report = run(tmp_path / "b", [visit, encounter("e2", "p1", "2026-09-03"), call])
    assert [(row["appointment_id"], row["visit_type"], row["member_id"]) for row in landed(house, "appointments")] == [
        ("a1", "ccm_call", "doc")
    ]
    assert report.count("Encounter", "a visit without a procedure code; the export has Appointments of its own") == 1


def test_the_patient_of_an_appointment_is_the_actor_who_is_found_as_one(tmp_path):
    def call(key: str, *actors: dict) -> dict:
        return of("Appointment", key, status="fulfilled", start=at("2026-10-05"), end=at("2026-10-05", "15:20:00"),
                  participant=[{"actor": actor, "status": "accepted"} for actor in actors])  # fmt: skip

    who, number = ref("Patient/p1"), {"identifier": {"system": NPI, "value": "1987654328"}}
    room = {"identifier": {"system": "urn:rooms", "value": "2"}}
    np = practitioner("np", "NP", identifier=[{"system": NPI, "value": "1987654328"}])
    house, report = run(tmp_path, [
        np, call("plain", ref("Practitioner/np"), who), call("number", number, who), call("typed", {"type": "Practitioner", **number}, who),
        call("urn", ref("urn:uuid:np"), ref("urn:uuid:p1")), call("room", {"type": "Location", **room}, who, number), call("bare", room, who, number),
        call("lost", {"type": "Practitioner", **number}, ref("Patient/p9")),
    ])  # fmt: skip
    rows = landed(house, "appointments")
    assert {row["appointment_id"] for row in rows} == {"plain", "number", "typed", "urn", "room", "bare"}
    assert {(row["patient_id"], row["member_id"]) for row in rows} == {("p1", "np")}
    assert report.count("Appointment", "its patient is not in the export, or the reference cannot be resolved") == 1
    assert (
        report.count("references", "to a practitioner who is not in the export, or cannot be resolved") == 1
    )  # the room that says no type


def test_a_visit_of_ones_own_and_another_practices_claim_for_the_like_are_two_services(tmp_path):
    own, other = (of("Organization", key, name=key, active=True, identifier=[{"system": NPI, "value": number}])
                  for key, number in (("own", CLINIC.configuration()["npi"]), ("other", "1992999999")))  # fmt: skip
    untold = of(
        "Procedure",
        "untold",
        status="completed",
        subject=ref("Patient/p1"),
        code=concept(CPT, "99213"),
        performedDateTime="2026-10-06",
    )
    house, _ = run(tmp_path, [
        own, other, claim("theirs", "p1", "2026-10-05", "99214", provider=ref("Organization/other")),
        encounter("ours", "p1", "2026-10-05", type_=concept(CPT, "99214")),
        # told twice by the practice itself, and once by what does not say whose it is
        claim("mine", "p1", "2026-10-06", "99213"), encounter("again", "p1", "2026-10-06", type_=concept(CPT, "99213")), untold,
    ])  # fmt: skip
    assert {row["service_id"]: (row["billed_by"], row["member_id"]) for row in landed(house, "services")} == {
        "Claim-theirs-1": ("other_practice", ""), "Encounter-ours": ("own_practice", "doc"), "Claim-mine-1": ("own_practice", "doc"),
    }  # fmt: skip


def test_one_service_told_three_times_is_one(tmp_path):
    told = [
        claim("k1", "p1", "2026-09-02", "99214", "G0439"), claim("draft", "p1", "2026-09-02", "99214", use="preauthorization"),
        of("Procedure", "pr1", status="completed", subject=ref("Patient/p1"), code=concept(CPT, "99214"), performedDateTime="2026-09-02"),
        of("Procedure", "pr2", status="completed", subject=ref("Patient/p1"), code=concept(SNOMED, "73761001"), performedDateTime="2026-09-02"),
        encounter("e1", "p1", "2026-09-02", type_=concept(CPT, "99214")),
    ]  # fmt: skip
    house, report = run(tmp_path, told)
    assert [(row["service_id"], row["procedure_code"]) for row in landed(house, "services")] == [
        ("Claim-k1-1", "99214"),
        ("Claim-k1-2", "G0439"),
    ]
    assert report.count("Claim", "use preauthorization: nothing was billed") == 1
    assert report.count("Procedure", "coded in neither CPT nor HCPCS") == 1


def test_a_quantity_that_is_no_number_of_units_is_landed_to_be_quarantined_and_lands_all_the_rest(tmp_path):
    quantities = ("1", "2.0", "1e19", "1e400", '"two"', "null")
    bulk = write_export(tmp_path / "bulk", [
        *BASE, *(claim(f"c{n}", "p1", f"2026-09-0{n + 1}", "99490") for n in range(len(quantities))), claim("gone", "p1", "2026-09-20", "99490"),
    ], manifest="2026-11-03T12:00:00Z")  # fmt: skip
    path = bulk / "Claim.000.ndjson"
    # the models refuse such numbers, so that they are put in afterwards
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line, quantity in zip(lines, (*quantities, "1e19"), strict=True):
        line["item"][0]["quantity"]["value"] = f"<{quantity}>"
        line["status"] = "cancelled" if line["id"] == "gone" else "active"
    path.write_text("".join(json.dumps(line).replace('"<', "").replace('>"', "").replace('\\"', '"') + "\n" for line in lines))
    house = home(tmp_path)
    report = import_fhir(bulk, house)
    assert {row["service_id"]: row["units"] for row in landed(house, "services")} == {
        "Claim-c0-1": "1", "Claim-c1-1": "2", "Claim-c2-1": "quantity not readable: 10000000000000000000.0", "Claim-c3-1": "quantity not readable: 1e400",
        "Claim-c4-1": "quantity not readable: two", "Claim-c5-1": "",
        "Claim-gone-1": "",  # it means nothing of what is withdrawn
    }  # fmt: skip
    assert report.count("Claim", "items with a quantity that is no number of units: landed without one, to be quarantined") == 3


def test_stays_are_inpatient_skilled_nursing_or_hospice_and_an_emergency_is_none(tmp_path):
    def stay(key: str, kind: str, words: str, **elements) -> dict:
        return encounter(key, "p1", "2026-08-20", kind=kind, type_=concept(text=words), **elements)

    house, report = run(tmp_path, [
        stay("in", "IMP", "Admission", period={"start": "2026-08-20T23:30:00-05:00", "end": "2026-08-24T02:00:00Z"}),
        stay("snf", "NONAC", "Skilled nursing facility"), stay("end", "HH", "Hospice care", period={"start": "2026-08-01"}, status="in-progress"),
        stay("er", "EMER", "Emergency room"), stay("plan", "IMP", "Admission", status="planned"),
    ])  # fmt: skip
    assert [(row["stay_id"], row["stay_type"], row["admitted_on"], row["discharged_on"]) for row in landed(house, "stays")] == [
        ("end", "hospice", "2026-08-01", ""), ("in", "inpatient", "2026-08-20", "2026-08-23"), ("snf", "snf_part_a", "2026-08-20", "2026-08-20"),
    ]  # fmt: skip
    assert report.count("Encounter", "neither a visit in the office nor a stay, and without a procedure code") == 1
    assert report.count("Encounter", "status planned: has not taken place") == 1


def test_the_letters_of_hl7_version_2_say_what_kind_of_encounter_it_is(tmp_path):
    def lettered(letter: str, **elements) -> dict:
        return encounter(letter, "p1", "2026-10-01") | {
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v2-0004", "code": letter}, "type": [concept(text="Stay or visit")], **elements,
        }  # fmt: skip

    nursing = {"id": "nursing", "type": [concept(text="Skilled nursing facility")]}
    house, report = run(tmp_path, [*map(lettered, "IOEPU"), lettered("I", **nursing)])
    assert {(row["stay_id"], row["stay_type"]) for row in landed(house, "stays")} == {("I", "inpatient"), ("nursing", "snf_part_a")}
    assert [row["appointment_id"] for row in landed(house, "appointments")] == ["Encounter-O"]
    assert report.count("Encounter", "class that fhir_words.csv does not know") == 1


def test_consents_and_care_plans_say_only_what_the_resource_says(tmp_path):
    house, report = run(tmp_path, [
        consent("oral", "p1"), consent("bare", "p1", verification=None), consent("no", "p1", status="rejected"),
        consent("paper", "p1", sourceReference=ref("DocumentReference/1"), provision={"period": {"end": "2026-10-11"}}),
        consent("other", "p1", category=[concept(text="Research")], policyRule=concept(text="research")),
        care_plan("full", "p1"), care_plan("note", "p1", category=concept("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")),
    ])  # fmt: skip
    rows = {row["consent_id"]: (row["method"], row["documented"], row["consented_on"], row["obtained_by"], row["revoked_on"])
            for row in landed(house, "consents")}  # fmt: skip
    assert rows == {
        "oral": ("verbal", "true", "2026-06-03", "nurse", ""), "bare": ("verbal", "false", "2026-06-03", "nurse", ""),
        "paper": ("written", "true", "2026-06-03", "nurse", "2026-10-11"),
    }  # fmt: skip
    assert report.count("Consent") == 2 + 1  # refused, of another kind; and one that is landed as not documented
    assert [row["care_plan_id"] for row in landed(house, "care_plans")] == ["full"]
    assert report.count("CarePlan", "category assess-plan alone: the plan of one note, not a comprehensive one") == 1


def test_a_care_plan_that_was_established_counts_after_it_ended_and_one_that_never_was_does_not(tmp_path):
    house, report = run(tmp_path, [
        # the plan of a year, renewed in the first days of the month after
        care_plan("year", "p1", period={"start": "2025-11-01", "end": "2026-10-31"}), care_plan("next", "p1", period={"start": "2026-11-02"}),
        care_plan("done", "p1", status="completed"), care_plan("held", "p1", status="on-hold"),
        *(care_plan(status, "p1", status=status) for status in ("draft", "revoked", "entered-in-error", "unknown")),
        care_plan("meant", "p1", status="completed", intent="proposal"),
    ])  # fmt: skip
    assert {row["care_plan_id"]: row["established_on"] for row in landed(house, "care_plans")} == {
        "year": "2025-11-01", "next": "2026-11-02", "done": "2026-06-10", "held": "2026-06-10",
    }  # fmt: skip
    assert report.count("CarePlan") == 5


def test_a_planned_end_does_not_outlast_what_was_ended_before_it(tmp_path):
    planned = {"start": "2026-06-03", "end": "2030-12-31"}
    past = {"start": "2026-06-03", "end": "2026-08-31"}
    house, _ = run(tmp_path, [
        consent("over", "p1", status="inactive", provision={"type": "permit", "period": planned}),
        consent("past", "p1", status="inactive", provision={"type": "permit", "period": past}),
        consent("runs", "p1", provision={"type": "permit", "period": planned}),
        coverage("over", "p1", kind=concept(SOPT, "2"), status="cancelled", period=planned),
        coverage("past", "p1", kind=concept(SOPT, "2"), status="cancelled", period=past),
        practitioner("left", "RN", active=False), practitioner("moved", "RN"), practitioner("stays", "RN"),
        of("PractitionerRole", "r1", practitioner=ref("Practitioner/left"), period=planned),
        of("PractitionerRole", "r2", practitioner=ref("Practitioner/moved"), active=False, period=planned),
        of("PractitionerRole", "r3", practitioner=ref("Practitioner/stays"), period=planned),
    ])  # fmt: skip
    # over was never seen in force, so that nobody knows for how long it was
    assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents")} == {
        "over": "2026-06-03", "past": "2026-08-31", "runs": "2030-12-31",
    }  # fmt: skip
    assert [row["termination_date"] for row in landed(house, "coverages")] == ["2026-10-01", "2026-08-31"]
    assert {row["member_id"]: row["active_to"] for row in landed(house, "care_team")} == {
        "doc": "", "nurse": "", "left": "2026-10-01", "moved": "2026-10-01", "stays": "2030-12-31",
    }  # fmt: skip


def test_what_is_over_ended_when_it_first_was_and_not_when_a_server_last_stamped_it(tmp_path):
    first, then, stamped = "2026-09-10T12:00:00Z", "2026-10-05T12:00:00Z", "2026-11-02T12:00:00Z"

    def consents(key: str, *versions: tuple[str | None, str], **more) -> list[dict]:
        return [consent(key, "p1", updated=at, status=status, **more) for at, status in versions]

    def covers(key: str, code: str, *versions: tuple[str | None, str], **more) -> list[dict]:
        return [coverage(key, "p1", kind=concept(SOPT, code), updated=at, status=status, **more) for at, status in versions]

    def nurses(key: str, *versions: tuple[str, bool]) -> list[dict]:
        return [
            of("Practitioner", key, at, name=[{"family": key}], qualification=[{"code": concept(text="RN")}], active=active)
            for at, active in versions
        ]

    def roles(key: str, *versions: tuple[str, bool]) -> list[dict]:
        return [of("PractitionerRole", key, at, practitioner=ref(f"Practitioner/{key}"), active=active) for at, active in versions]

    on, off, cancelled = "active", "inactive", "cancelled"
    past, planned = ({"type": "permit", "period": {"end": end}} for end in ("2026-08-31", "2030-12-31"))
    told = [
        consents("told", (first, on), (then, off), (stamped, off)),
        consents("stamped", (first, off), (first, off), (stamped, off)),
        consents("bare", (None, off), (None, off), (None, off)),
        consents("seen", (None, on), (None, on), (None, off)),
        consents("again", (first, off), (then, off), (stamped, on)),
        consents("draft", (first, "proposed"), (then, off), (stamped, off)),
        consents("past", (first, off), (first, off), (stamped, off), provision=past),
        consents("plan", (None, off), (None, off), (stamped, off), provision=planned),
        covers("b", "121", (None, cancelled), (None, cancelled), (None, cancelled)),
        covers("b-told", "121", (first, on), (then, cancelled), (stamped, cancelled), start="2014-03-01"),
        covers("b-seen", "121", (None, on), (None, on), (None, cancelled), start="2015-03-01"),
        covers("ma", "111", (first, cancelled), (first, cancelled), (stamped, cancelled)),
        covers("ma-bare", "111", (None, cancelled), (None, cancelled), (None, cancelled), start="2014-03-01"),
        nurses("left", (first, True), (then, False), (stamped, False)),
        nurses("moved", (first, True), (first, True), (first, True)), roles("moved", (first, True), (then, False), (stamped, False)),
    ]  # fmt: skip
    for number, (name, day) in enumerate((("1-full", "2026-09-22"), ("2-next", "2026-10-20"), ("3-next", "2026-11-03"))):
        versions = [resource[number] for resource in told]
        write_export(tmp_path / "bulk" / name, [*(BASE if not number else []), *versions], manifest=f"{day}T12:00:00Z")
    house = home(tmp_path)
    report = import_fhir(tmp_path / "bulk", house)
    assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents")} == {
        "told": "2026-10-05", "again": "", "past": "2026-08-31",
        "seen": "2026-10-20",  # when it was last seen in force
        "stamped": "2026-06-03", "bare": "2026-06-03", "draft": "2026-06-03", "plan": "2026-06-03",  # never: on its own day
    }  # fmt: skip
    ends = {(row["coverage_type"][-1], row["effective_date"][:4]): row["termination_date"] for row in landed(house, "coverages")}
    assert ends == {
        ("a", "2013"): "2013-03-01", ("b", "2013"): "2013-03-01", ("a", "2014"): "2026-10-05", ("b", "2014"): "2026-10-05",
        ("a", "2015"): "2026-10-20", ("b", "2015"): "2026-10-20",
        ("e", "2013"): "2026-09-10", ("e", "2014"): "2026-09-22",  # it forbids a claim, so that the last day possible counts
    }  # fmt: skip
    assert {row["member_id"]: row["active_to"] for row in landed(house, "care_team")} == {
        "doc": "", "nurse": "", "left": "2026-10-05", "moved": "2026-10-05",
    }  # fmt: skip
    assert report.count("Consent", "inactive since a day that is not said: landed as over on the first day possible") == 5
    reason = "cancelled on a day that is not said: what pays is landed as over on the first day possible, what forbids a claim on the last"
    assert report.count("Coverage", reason) == 4
    assert report.resources["Consent"].older == 16


def test_a_refusal_ends_the_consents_before_it(tmp_path):
    def refusal(key: str, who: str, **elements) -> dict:
        return consent(key, who, **{"provision": {"type": "deny"}, "dateTime": at("2026-09-15"), **elements})

    people = ("late", "soon", "again", "other", "void", "undated", "both")
    house, report = run(tmp_path, [
        *(patient(key) for key in people), *(consent(f"{key}-yes", key) for key in people),
        refusal("late-no", "late"), refusal("late-no2", "late", dateTime=at("2026-10-01")),
        refusal("soon-no", "soon", dateTime=at("2026-01-15")),
        refusal("again-no", "again"), consent("again-yes2", "again", dateTime=at("2026-10-01")),
        refusal("other-no", "other", category=[concept(text="Principal care management")], policyRule=concept(text="PCM")),
        refusal("void-no", "void", status="entered-in-error"),
        refusal("far-no", "other", category=[concept(text="Research")], policyRule=None),
        refusal("undated-no", "undated", dateTime=None),
        refusal("both-no", "both", dateTime=None), refusal("both-no2", "both"),
    ])  # fmt: skip
    assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents")} == {
        "late-yes": "2026-09-15", "soon-yes": "", "again-yes": "2026-09-15", "again-yes2": "", "other-yes": "", "void-yes": "",
        "undated-yes": "refused, day not said", "both-yes": "refused, day not said",
    }  # fmt: skip
    assert report.count("Consent", "a refusal (provision deny): it ends the consents before it") == 8
    assert report.count("Consent", "about no care management program that fhir_words.csv knows") == 1
    assert report.count("Consent", "refused on a day that is not said: landed without one, to be quarantined") == 2


REFUSED = [
    "Patient declined chronic care management", "CCM consent refused", "CCM declination", "Consent withdrawn - chronic care management",
    "CCM opt-out form", "CCM consent not obtained", "CCM: no consent", "CCM consent: No", "Does not want CCM", "Doesn't agree to CCM", "CCM consent revoked",
    "CCM consent terminated", "Disenrolled from CCM", "Patient in May declined CCM", "Right to revoke CCM explained; patient declined",
    "Has not consented to CCM",
]  # fmt: skip
GIVEN = [
    "CCM consent; may be revoked at any time", "Told of the right to stop, decline or withdraw from CCM at any time", "CCM consent, valid until revoked",
    "CCM. Patient can withdraw consent or opt out at any time", "CCM consent has not been revoked", "CCM consent - no cost share", "Agreed to CCM",
    "CCM consent, end stage renal disease", "CCM consent may be revoked or withdrawn.",
]  # fmt: skip
UNSAID = ["CCM consent pending", "CCM consent not yet signed", "CCM accepted, BHI declined", "Right of refusal explained: CCM"]


def worded(folder: Path, texts: list[str], **elements) -> tuple[list[dict[str, str]], FhirReport]:
    """What is landed of a consent of each text, of a patient of its own."""
    house, report = run(folder, [
        one for number, text in enumerate(texts)
        for one in (patient(f"of{number}"),
                    consent(f"c{number}", f"of{number}", category=[concept(text=text)], policyRule=concept(text="consent"), **elements))
    ])  # fmt: skip
    return landed(house, "consents"), report


def test_a_consent_whose_words_refuse_is_a_refusal(tmp_path):
    rows, report = worded(tmp_path, REFUSED)
    assert [REFUSED[int(row["consent_id"][1:])] for row in rows] == []
    assert report.count("Consent", "a refusal (by its words): it ends the consents before it") == len(REFUSED)


def test_a_consent_that_tells_of_the_right_to_end_it_is_one(tmp_path):
    rows, _ = worded(tmp_path, GIVEN)
    assert {row["patient_id"]: (row["documented"], row["revoked_on"]) for row in rows} == {
        f"of{n}": ("true", "") for n in range(len(GIVEN))
    }


@pytest.mark.long
def test_words_that_say_neither_yes_nor_no_or_another_thing_than_the_provision_are_landed_to_be_quarantined(tmp_path):
    rows, report = worded(tmp_path / "said", UNSAID)
    assert {row["revoked_on"] for row in rows} == {"given or refused, not said"} and len(rows) == len(UNSAID)
    reason = "given or refused, its words and provisions do not say: landed to be quarantined"
    assert report.count("Consent", reason) == len(UNSAID)
    rows, _ = worded(tmp_path / "permit", REFUSED[:2], provision={"type": "permit"})
    assert [row["revoked_on"] for row in rows] == ["given or refused, not said"] * 2
    # R4 has no type at the root of a provision: what denies stands within
    within = {"provision": [{"type": "permit", "provision": [{"type": "deny", "code": [concept(text="notes")]}]}]}
    rows, _ = worded(tmp_path / "within", GIVEN[:1], provision=within)
    assert [row["revoked_on"] for row in rows] == ["given or refused, not said"]


def test_words_of_refusal_end_the_consents_before_them_and_one_that_was_in_force_ends_when_they_came(tmp_path):
    def no(key: str, who: str, **elements) -> dict:
        return consent(key, who, category=[concept(text="CCM declined")], **elements)

    withdrawn = {"category": [concept(text="CCM consent withdrawn")]}
    write_export(tmp_path / "bulk" / "1", [
        *BASE, *(patient(key) for key in ("before", "after", "undated", "same", "bare", "off", "two")),
        *(consent(f"{key}-yes", key, updated="2026-09-01T12:00:00Z") for key in ("before", "after", "undated", "same", "off", "two")),
        consent("bare-yes", "bare", updated=None), consent("two-other", "two"),
        no("before-no", "before", dateTime=at("2026-09-15")), no("after-no", "after", dateTime=at("2026-01-15")), no("undated-no", "undated", dateTime=None),
    ], manifest="2026-09-22T12:00:00Z")  # fmt: skip
    write_export(tmp_path / "bulk" / "2", [
        consent("same-yes", "same", updated="2026-10-05T12:00:00Z", **withdrawn), consent("bare-yes", "bare", updated=None, **withdrawn),
        consent("off-yes", "off", updated="2026-10-05T12:00:00Z", status="inactive", **withdrawn),
        consent("two-yes", "two", updated="2026-10-05T12:00:00Z", **withdrawn),
    ], manifest="2026-11-03T12:00:00Z")  # fmt: skip
    house = home(tmp_path)
    report = import_fhir(tmp_path / "bulk", house)
    assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents")} == {
        "before-yes": "2026-09-15", "after-yes": "", "undated-yes": "refused, day not said",
        "same-yes": "2026-10-05", "off-yes": "2026-10-05", "two-yes": "2026-10-05", "two-other": "2026-10-05",
        "bare-yes": "2026-09-22",  # when it was last seen in force
    }  # fmt: skip
    assert report.count("Consent", "inactive since a day that is not said: landed as over on the first day possible") == 1


def test_a_consent_is_in_force_from_the_later_of_its_day_and_its_provisions_first(tmp_path):
    house, _ = run(tmp_path, [
        consent("later", "p1", provision={"period": {"start": "2026-09-01"}}), consent("before", "p1", provision={"period": {"start": "2026-01-01"}}),
        consent("undated", "p1", dateTime=None, provision={"period": {"start": "2026-01-01"}}),
    ])  # fmt: skip
    assert {row["consent_id"]: row["consented_on"] for row in landed(house, "consents")} == {
        "later": "2026-09-01", "before": "2026-06-03", "undated": "",
    }  # fmt: skip


def test_communications_about_care_management_are_outreach(tmp_path):
    def told(key: str, **elements) -> dict:
        given = {"status": "completed", "subject": ref("Patient/p1"), "sent": at("2026-10-02"), "medium": [concept(MODE, "PHONE")],
                 "category": [concept(text="Chronic care management")], "sender": ref("Practitioner/nurse")}  # fmt: skip
        return of("Communication", key, **{**given, **elements})

    house, report = run(tmp_path, [
        told("sent"), told("no", status="not-done", statusReason=concept(NOT_DONE, "patient-objection")),
        told("yes", statusReason=concept(text="Agreed to enroll")), told("bill", category=[concept(text="Billing")]),
        told("theirs", sender=ref("Patient/p1")), told("drum", medium=[concept(text="drums")]),
    ])  # fmt: skip
    assert {row["outreach_id"]: (row["channel"], row["outcome"], row["attempted_at"], row["member_id"]) for row in landed(house, "outreach")} == {
        "sent": ("phone", "left_message", "2026-10-02T15:00:00Z", "nurse"), "no": ("phone", "declined", "2026-10-02T15:00:00Z", "nurse"),
        "yes": ("phone", "agreed", "2026-10-02T15:00:00Z", "nurse"),
    }  # fmt: skip
    assert report.count("Communication") == 3


OUTCOMES = {
    "Patient agreed": "agreed", "Enrolled in CCM": "agreed", "Accepted": "agreed", "Left voicemail": "left_message",
    "Patient does not agree": "declined", "Doesn't agree": "declined", "Disagreed": "declined", "not accepted": "declined", "did not accept": "declined",
    "Patient is unenrolled": "declined", "disenrolled": "declined", "opted out": "declined", "no longer interested": "declined",
    "not interested": "declined", "does not want to be enrolled": "declined", "won't participate": "declined",
    # nothing is decided yet, so that they are asked again
    "not enrolled yet": "left_message", "has not agreed yet": "left_message", "not enrolled, call back Monday": "callback",
    "agreed to call back": "callback",
}  # fmt: skip


def test_an_outcome_that_denies_is_not_agreed(tmp_path):
    house, _ = run(tmp_path, [
        of("Communication", f"c{n}", status="completed", subject=ref("Patient/p1"), sent=at("2026-10-02"), medium=[concept(MODE, "PHONE")],
           category=[concept(text="Chronic care management")], statusReason=concept(text=text))
        for n, text in enumerate(OUTCOMES)
    ])  # fmt: skip
    assert {row["outreach_id"]: row["outcome"] for row in landed(house, "outreach")} == {
        f"c{n}": outcome for n, outcome in enumerate(OUTCOMES.values())
    }


def test_a_care_team_or_most_visits_name_the_billing_practitioner(tmp_path):
    team = of("CareTeam", "t", status="active", subject=ref("Patient/p2"), participant=[
        {"member": ref("Practitioner/nurse"), "role": [concept(text="Nurse")]},
        {"member": ref("Practitioner/doc"), "role": [concept(SNOMED, "446050000")]},
    ])  # fmt: skip
    lonely = [patient(key, generalPractitioner=None) for key in ("p2", "p3", "p4")]
    visits = [encounter(f"e{n}", "p3", f"2026-09-0{n}", participant=[{"individual": ref("Practitioner/np")}]) for n in (1, 2)]
    house, report = run(tmp_path, [*lonely, team, practitioner("np", "NP"), *visits, encounter("e9", "p3", "2026-09-20")])
    assert {row["patient_id"]: row["billing_practitioner_id"] for row in landed(house, "patients")} == {
        "p1": "doc", "p2": "doc", "p3": "np", "p4": "",
    }  # fmt: skip
    assert report.count("Patient") == 1


def test_only_what_is_the_practices_own_is_landed_where_organizations_tell(tmp_path):
    own, other = (of("Organization", key, name=key, active=True, identifier=[{"system": NPI, "value": number}])
                  for key, number in (("own", CLINIC.configuration()["npi"]), ("other", "1992999999")))  # fmt: skip
    site = of("Organization", "site", name="Branch", active=True, partOf=ref("Organization/own"))
    house, report = run(tmp_path, [
        own, other, site, patient("mine", managingOrganization=ref("Organization/site")), patient("theirs", managingOrganization=ref("Organization/other")),
        practitioner("far"), of("PractitionerRole", "r", practitioner=ref("Practitioner/far"), organization=ref("Organization/other")),
        claim("k", "mine", "2026-09-02", "99490", provider=ref("Organization/other"), careTeam=None),
    ])  # fmt: skip
    assert {row["patient_id"] for row in landed(house, "patients")} == {"p1", "mine"}
    assert {row["member_id"] for row in landed(house, "care_team")} == {"doc", "nurse"}
    assert [(row["billed_by"], row["member_id"]) for row in landed(house, "services")] == [("other_practice", "")]
    assert report.count("Patient", "of another organization") == 1
    with pytest.raises(HouseError, match="--organization nowhere"):
        import_fhir(tmp_path / "bulk", house, organizations=["nowhere"])


def test_the_dead_without_a_day_are_landed_to_be_quarantined(tmp_path):
    house, report = run(tmp_path, [patient("d", deceasedBoolean=True), patient("e", deceasedDateTime="2026-10-02T03:00:00Z")])
    assert {row["patient_id"]: row["deceased_date"] for row in landed(house, "patients")} == {
        "p1": "", "d": "dead, date not said", "e": "2026-10-01",
    }  # fmt: skip
    assert report.count("Patient") == 1


GONE = "no longer active, or of another organization: landed once more, for the months of before; consents are over on that day"


def gone(folder: Path, night: str, *later: dict, before: tuple = ()) -> tuple[House, FhirReport]:
    """Exports of 5 October, of 4 November and of `night` (bare), of patients who are active in the first of them and have a consent."""
    people = sorted({one["id"] for one in later if one["resourceType"] == "Patient"})
    charts = [
        one
        for key in people
        for one in (patient(key, "2026-09-01T12:00:00Z"), coverage(f"{key}-ab", key), consent(f"{key}-c", key))
    ]
    write_export(folder / "bulk" / "1", [*BASE, *charts, *before], manifest="2026-10-05T12:00:00Z")
    write_export(folder / "bulk" / "2", later, manifest="2026-11-04T12:00:00Z")
    house = home(folder)
    return house, import_fhir(folder / "bulk", house, night=date.fromisoformat(night))


@pytest.mark.long
def test_who_is_gone_is_landed_with_the_newest_facts_until_the_months_of_before_can_be_closed(tmp_path):
    left = "2026-10-20T15:00:00Z"
    elsewhere = of("Organization", "other", name="Other", active=True)
    own = of("Organization", "own", name="Own", active=True, identifier=[{"system": NPI, "value": CLINIC.configuration()["npi"]}])
    later = [
        patient("moved", left, active=False), patient("untold", None, active=False), patient("sold", left, managingOrganization=ref("Organization/other")),
        coverage("ma", "moved", kind=concept(SOPT, "111"), start="2026-10-01"),
    ]  # fmt: skip
    before = (own, elsewhere, patient("never", active=False), patient("theirs", managingOrganization=ref("Organization/other")))
    for night, landed_ones in (
        ("2026-11-04", {"p1", "moved", "untold", "sold"}), ("2026-11-30", {"p1", "moved", "untold", "sold"}),
        ("2026-12-01", {"p1", "untold"}), ("2026-12-31", {"p1", "untold"}), ("2027-01-01", {"p1"}),
    ):  # fmt: skip
        house, report = gone(tmp_path / night, night, *later, before=before)
        day = date.fromisoformat(night)
        assert {row["patient_id"] for row in landed(house, "patients", day)} == landed_ones, night
        assert report.count("Patient", GONE) == len(landed_ones) - 1
        if "moved" in landed_ones:
            kinds = {(row["patient_id"], row["coverage_type"]) for row in landed(house, "coverages", day)}
            assert ("moved", "medicare_advantage") in kinds
            # since when the version says; where it does not, since they were last seen
            assert {row["consent_id"]: row["revoked_on"] for row in landed(house, "consents", day)} == {
                "moved-c": "2026-10-20", "sold-c": "2026-10-20", "untold-c": "2026-10-05",
            }  # fmt: skip
    assert report.count("Patient", "no longer active") == 3 and report.count("Patient", "of another organization") == 2


def test_who_is_gone_from_the_first_export_on_has_never_been_here(tmp_path):
    house, report = run(tmp_path, [patient("long", active=False), coverage("c", "long")])
    assert [row["patient_id"] for row in landed(house, "patients")] == ["p1"]
    assert report.count("Patient", "no longer active") == 1 and report.count("Coverage", "its patient is not landed") == 1


@pytest.mark.long
def test_a_death_is_landed_though_the_record_is_no_longer_active(tmp_path):
    newer = "2026-11-02T12:00:00Z"
    later = [
        patient("day", newer, active=False, deceasedDateTime="2026-10-20"), patient("bare", newer, active=False, deceasedBoolean=True),
        patient("alive", newer, active=False, deceasedBoolean=False),
    ]  # fmt: skip
    dead = {"day": "2026-10-20", "bare": "dead, date not said"}
    for night, others in (("2026-11-04", {"p1": "", "alive": ""}), ("2027-06-01", {"p1": ""})):
        house, _ = gone(tmp_path / night, night, *later)
        assert {
            row["patient_id"]: row["deceased_date"] for row in landed(house, "patients", date.fromisoformat(night))
        } == others | dead


def test_a_death_of_which_one_export_alone_tells_is_landed_while_its_claims_can_be_filed(tmp_path):
    dead = {"active": False, "deceasedBoolean": True}
    house, report = run(tmp_path, [
        patient("late", active=False, deceasedDateTime="2025-12"), patient("long", active=False, deceasedDateTime="2025-10-30"),
        patient("bare", **dead), patient("far", "2025-10-01T12:00:00Z", **dead), *(coverage(f"{key}-ab", key) for key in ("late", "long", "bare")),
    ])  # fmt: skip
    assert {row["patient_id"]: row["deceased_date"] for row in landed(house, "patients")} == {
        "p1": "", "late": "2025-12-01", "bare": "dead, date not said",
    }  # fmt: skip
    # of whom nobody knows nothing is landed that could be quarantined as nobody's
    assert {row["patient_id"] for row in landed(house, "coverages")} == {"late"}
    assert report.count("Patient", "no longer active") == 2


def test_a_diagnosis_of_one_visit_is_on_the_problem_list_only_where_no_condition_says_that_it_is(tmp_path):
    def listed(key: str, *categories: str) -> dict:
        system = "http://terminology.hl7.org/CodeSystem/condition-category"
        return condition(
            key, "p1", concept(ICD, "I10"), **({"category": [concept(system, one) for one in categories]} if categories else {})
        )

    visit = listed("visit", "encounter-diagnosis")
    house, report = run(tmp_path / "a", [visit, listed("bare")])
    assert {row["condition_id"] for row in landed(house, "conditions")} == {"visit", "bare"}
    assert any("problem-list-item" in text for text in report.assumptions)
    house, report = run(tmp_path / "b", [
        visit, listed("bare"), listed("list", "problem-list-item"), listed("both", "encounter-diagnosis", "problem-list-item"),
        listed("concern", "health-concern"),
    ])  # fmt: skip
    assert {row["condition_id"] for row in landed(house, "conditions")} == {"bare", "list", "both", "concern"}
    assert report.count("Condition", "diagnosis of one visit, not on the problem list") == 1
    assert not any("problem-list-item" in text for text in report.assumptions)


def test_what_ended_on_a_day_that_cannot_be_read_is_not_taken_as_open(tmp_path):
    def lines(name: str, **changes: dict) -> None:
        # the models refuse these texts, so that they are put in afterwards
        path = tmp_path / "bulk" / f"{name}.000.ndjson"
        read = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({**one, **changes.get(one["id"], {})}) + "\n" for one in read))

    absent = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    write_export(tmp_path / "bulk", [
        *BASE, patient("d"), patient("e"), patient("f"), coverage("c", "p1"), consent("n", "p1"), condition("o", "p1", concept(ICD, "I10")),
        encounter("s", "p1", "2026-08-20", kind="IMP", type_=concept(text="Admission")),
    ])  # fmt: skip
    odd = {"start": "2026-06-10", "end": "10/31/2026"}
    never = {"extension": [{**absent["extension"][0], "valueCode": "not-applicable"}]}
    lines("Patient", d={"_deceasedDateTime": absent}, e={"deceasedDateTime": "09/14/2026"}, f={"_deceasedDateTime": never})
    lines("Coverage", c={"period": odd})
    lines("Consent", n={"provision": {"period": odd}})
    lines("Condition", o={"abatementDateTime": "10/31/2026", "clinicalStatus": None})
    lines("Encounter", s={"period": odd})
    house = home(tmp_path)
    report = import_fhir(tmp_path / "bulk", house, night=NIGHT)
    assert {row["patient_id"]: row["deceased_date"] for row in landed(house, "patients")} == {
        "p1": "", "d": "dead, date not said", "e": "dead, date not said", "f": "",
    }  # fmt: skip
    assert report.count("Patient", "dead, but the day is not said: landed without one, to be quarantined") == 2
    said = "day not readable: 10/31/2026"
    assert {row["termination_date"] for row in landed(house, "coverages")} == {said}
    assert [row["revoked_on"] for row in landed(house, "consents")] == [said]
    assert [row["discharged_on"] for row in landed(house, "stays")] == [said]
    assert [row["clinical_status"] for row in landed(house, "conditions")] == ["resolved"]
    for name in ("Coverage", "Consent", "Encounter"):
        assert report.count(name, "over on a day that cannot be read: landed without one, to be quarantined") == 1


def test_an_identifier_of_old_is_not_preferred_to_that_of_now(tmp_path):
    def known(system: str, *given: tuple) -> list[dict]:
        made = ({"system": system, "value": value, "use": use, "period": {k: v for k, v in (("start", start), ("end", end)) if v}}
                for value, use, start, end in given)  # fmt: skip
        return [{key: value for key, value in one.items() if value} for one in made]

    old = ("9AA9AA9AA99", "old", None, "2026-01-31")
    house, _ = run(tmp_path, [
        patient("a", identifier=known(MBI, old, ("1EG4TE5MK71", "official", None, None))),
        patient("b", identifier=known(MBI, ("1EG4TE5MK70", None, "2018-01-01", "2025-12-31"), ("1EG4TE5MK72", None, "2026-01-01", None))),
        patient("c", identifier=known(MBI, ("1EG4TE5MK70", None, "2018-01-01", None), ("1EG4TE5MK73", None, "2026-01-01", None))),
        patient("d", identifier=known(MBI, ("1EG4TE5MK74", None, None, None), ("1EG4TE5MK75", None, None, None))),
        *(coverage(who, who) for who in "abcd"),
        practitioner("moved", identifier=known(NPI, ("1999999992", "old", None, None), ("1234567893", "official", None, None))),
    ])  # fmt: skip
    assert {(row["patient_id"], row["member_id"]) for row in landed(house, "coverages")} == {
        ("a", "1EG4TE5MK71"), ("b", "1EG4TE5MK72"), ("c", "1EG4TE5MK73"), ("d", "1EG4TE5MK74"),
    }  # fmt: skip
    assert {row["npi"] for row in landed(house, "care_team")} == {"1234567893"}


def test_gzip_long_lines_other_types_and_error_files(tmp_path):
    bulk = write_export(tmp_path / "bulk", BASE)
    lines = (bulk / "Patient.000.ndjson").read_bytes()
    (bulk / "Patient.000.ndjson").unlink()
    photo = json.dumps({"resourceType": "Patient", "id": "wide", "photo": [{"data": "A" * 20_000_000}]}).encode()
    with gzip.open(bulk / "1.ndjson.gz", "wb") as file:
        file.write(lines + b"\r\n" + photo)
    (bulk / "Observation.ndjson").write_text('{"resourceType":"Observation","id":"o"}\n{"resourceType":"Observation","id":"q"}\n')
    (bulk / "error").mkdir()
    (bulk / "error" / "e.ndjson").write_text('{"resourceType":"OperationOutcome"}\n')
    house = home(tmp_path)
    report = import_fhir(bulk, house, night=NIGHT)
    assert {row["patient_id"] for row in landed(house, "patients")} == {"p1", "wide"}
    assert report.count("Observation", "resource type that is not read") == 2
    assert report.count("errors") == 1


def test_a_files_type_is_its_first_resources_own_and_not_that_of_one_contained_in_it(tmp_path):
    bulk = write_export(tmp_path / "bulk", [*BASE, encounter("s", "p1", "2026-08-20", kind="IMP", type_=concept(text="Admission"))])
    path = bulk / "Encounter.000.ndjson"
    stay = json.loads(path.read_text())
    path.write_text(
        json.dumps({"contained": [{"resourceType": "Practitioner", "id": "x", "name": [{"family": "X"}]}], **stay}) + "\n"
    )
    house = home(tmp_path)
    report = import_fhir(bulk, house, night=NIGHT)
    assert [row["stay_id"] for row in landed(house, "stays")] == ["s"]
    assert report.resources["Encounter"].used == 1
    path.write_text(json.dumps({"resourceType": "Practitioner"})[:-1] + "\n" + path.read_text())
    with pytest.raises(HouseError, match=r"Encounter\.000\.ndjson, line 1: is no JSON"):
        import_fhir(bulk, house, night=date(2026, 11, 4))
    assert not (house.landing / "clinic" / "2026-11-04").exists()


def test_a_time_without_a_zone_is_the_practices(tmp_path):
    # the models refuse such times, so that they are put in afterwards; 01:30 of 1 November came twice in Chicago: the first is meant
    bulk = write_export(tmp_path / "bulk", [*BASE, *(encounter(f"e{n}", "p1", "2026-09-02") for n in range(4))])
    path = bulk / "Encounter.000.ndjson"
    times = ("2026-09-02T20:30:00", "2026-11-01T01:30:00", "2026-09-02T20:30:00-04:00", "2026-09-02 20:30:00.5+0100")
    visits = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text(
        "".join(json.dumps({**one, "period": {"start": start}}) + "\n" for one, start in zip(visits, times, strict=True))
    )
    house = home(tmp_path)
    import_fhir(bulk, house, night=NIGHT)
    assert [row["scheduled_start"] for row in landed(house, "appointments")] == [
        "2026-09-03T01:30:00Z", "2026-11-01T06:30:00Z", "2026-09-03T00:30:00Z", "2026-09-02T19:30:00Z",
    ]  # fmt: skip


def test_a_line_that_is_no_json_lands_nothing_and_is_not_quoted(tmp_path):
    bulk = write_export(tmp_path / "bulk", [*BASE, patient("p2")])
    path = bulk / "Patient.000.ndjson"
    path.write_text(path.read_text()[:-40].replace("Springfield", "Secrettown"))
    house = home(tmp_path)
    with pytest.raises(HouseError, match=r"Patient\.000\.ndjson, line 2: is no JSON") as caught:
        import_fhir(bulk, house)
    assert "Secret" not in str(caught.value)
    assert list(house.landing.iterdir()) == []


NO_RESOURCES = [
    # what a server or a proxy says instead of a file, the end of a line whose beginning was lost, one resource on many lines
    ("Coverage.001.ndjson", "<html>\n<head><title>502 Bad Gateway</title></head>\n</html>\n", 1),
    ("Coverage.001.ndjson", '"period":{"start":"2026-01-01"}}\n{"resourceType":"Coverage","id":"c"}\n', 1),
    ("Patient.001.ndjson", '\n{\n "resourceType": "Patient",\n "id": "Secret"\n}\n', 2),
    ("Patient.001.ndjson", '[{"resourceType":"Patient","id":"Secret"}]\n', 1),
    ("Patient.001.ndjson", '{"resourceType":"Patient","id":"a"}\n[1,2]\n', 2),
    ("Patient.001.ndjson", '{"resourceType":"Patient","id":"a"}\n\n{"resourceType":"Patient","id":"Secret\\ud800"}\n', 3),
]


def test_a_line_that_is_no_resource_lands_nothing_wherever_it_stands(tmp_path):
    bulk = write_export(tmp_path / "bulk", [*BASE, coverage("c1", "p1")])
    (bulk / "Observation.ndjson").write_text("\n")  # an empty file says nothing, and does no harm
    house = home(tmp_path)
    import_fhir(bulk, house, night=NIGHT)
    for name, text, line in NO_RESOURCES:
        (bulk / name).write_text(text)
        with pytest.raises(HouseError, match=rf"{name}, line {line}: is no JSON") as caught:
            import_fhir(bulk, house, night=date(2026, 11, 4))
        (bulk / name).unlink()
        assert "Secret" not in str(caught.value)
        assert not (house.landing / "clinic" / "2026-11-04").exists()


@pytest.mark.long
def test_the_same_import_writes_nothing_and_another_is_refused_until_it_replaces(tmp_path):
    house, report = run(tmp_path, [])
    night = house.landing / "clinic" / "2026-11-03"
    (night / "time_entries.csv").write_text("from the tracker\n")
    before = {path: path.stat().st_mtime_ns for path in night.iterdir()}
    assert import_fhir(tmp_path / "bulk", house).was_there and not report.was_there
    assert {path: path.stat().st_mtime_ns for path in night.iterdir()} == before
    write_export(tmp_path / "bulk" / "more", [patient("p2")])
    with pytest.raises(HouseError, match=r"patients\.csv: is there already with other content"):
        import_fhir(tmp_path / "bulk", house)
    assert len(landed(house, "patients")) == 1
    import_fhir(tmp_path / "bulk", house, replace=True)
    assert len(landed(house, "patients")) == 2
    assert (night / "time_entries.csv").read_text() == "from the tracker\n"


def test_what_a_user_can_mend_is_said(tmp_path):
    house = home(tmp_path, CLINIC, Clinic("other", 2))
    bulk = write_export(tmp_path / "bulk", [patient("p1", None), practitioner("doc", updated=None)])
    with pytest.raises(HouseError, match="say whose export it is, one of clinic, other"):
        import_fhir(bulk, house)
    with pytest.raises(HouseError, match="say it with --date"):
        import_fhir(bulk, house, practice_id="clinic")
    with pytest.raises(HouseError, match="no NDJSON file with Patient"):
        import_fhir(house.landing, house, practice_id="clinic")
    (bulk / "export.json").write_text('{"transactionTime": "yesterday"}')
    with pytest.raises(HouseError, match=r"export\.json: no manifest"):
        import_fhir(bulk, house, practice_id="clinic")


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (duckdb.OutOfMemoryException("out of memory"), r"check free disk and memory \(CCM_TAKE_IN_MEMORY\)"),
        (duckdb.ConversionException("Secret is no number"), r"nothing was landed: ConversionException .*this is a defect of ccm"),
    ],
)
def test_memory_is_blamed_for_what_memory_does_alone(tmp_path, monkeypatch, error, what):
    def fail(*_given: object) -> None:
        raise error

    monkeypatch.setattr(land, "judge", fail)
    with pytest.raises(HouseError, match=what) as caught:
        run(tmp_path, [])
    assert "Secret" not in str(caught.value)


FAR_DAYS = ["294247-01-10T04:00:54Z", "290309-12-22 (BC) 00:00:00Z"]


@pytest.mark.long
def test_a_day_of_no_year_of_ours_is_no_day_and_lands_all_the_rest(tmp_path):
    resources = [
        coverage("c", "p1"), coverage("over", "p1", status="cancelled"), consent("n", "p1", provision={"type": "permit", "period": {"end": "2026-01-01"}}),
        condition("o", "p1", concept(ICD, "I10"), abatementDateTime="2026-01-01"), encounter("e", "p1", "2026-09-02"),
        encounter("s", "p1", "2026-08-20", kind="IMP", type_=concept(text="Admission")), care_plan("f", "p1"), claim("b", "p1", "2026-09-02", "99490"),
    ]  # fmt: skip
    for number, far in enumerate(FAR_DAYS):
        bulk = write_export(tmp_path / str(number), [*BASE, *resources], manifest="2026-11-03T12:00:00Z")
        for path in bulk.glob("[!P]*.ndjson"):
            path.write_text(re.sub(r'"(?!lastUpdated)(\w+)": "\d{4}-\d\d(-\d\d[^"]*)?"', rf'"\1": "{far}"', path.read_text()))
        house = home(tmp_path / f"home{number}")
        import_fhir(bulk, house)
        assert [row["patient_id"] for row in landed(house, "patients")] == ["p1"], far


def test_the_report_has_no_values_of_patients(tmp_path):
    _, report = run(tmp_path, [condition("odd", "p1", concept(SNOMED, "999999999"))])
    for text in (report.to_text(), json.dumps(report.to_json())):
        assert "Fam" not in text and "1EG4" not in text and "1948" not in text
    assert "Condition" in report.to_text()


def test_a_status_that_fhir_does_not_have_makes_nothing_billable_and_is_told(tmp_path):
    verified = {"verificationStatus": concept(VERIFIED, "suspected")}
    house, report = run(tmp_path, [
        patient("p1"), coverage("b", "p1"), coverage("odd", "p1", status="pending-termination"), coverage("next", "p1", status="pending", order=2),
        condition("sure", "p1", concept(ICD, "E11.9")), condition("maybe", "p1", concept(ICD, "I10"), **verified),
        condition("odd", "p1", concept(ICD, "J44.9"), clinicalStatus=concept(text="x") | {"coding": [{"code": "ruled-out"}]}),
        consent("yes", "p1"), *(consent(status, "p1", status=status) for status in ("not-done", "unknown", "pending")),
        care_plan("plan", "p1"), care_plan("odd", "p1", status="superseded"),
    ])  # fmt: skip
    for table, known in (("conditions", "sure"), ("consents", "yes"), ("care_plans", "plan")):
        assert [row[f"{table[:-1]}_id"] for row in landed(house, table)] == [known]
    # Medicare Advantage, or another payer, may be behind it: its row is quarantined, and the patient's claims wait.
    assert sorted({row["coverage_type"] for row in landed(house, "coverages")}) == ["", "medicare_part_a", "medicare_part_b"]
    for resource, why in (
        ("Coverage", "of a status that says neither that it is in force nor that it ended: landed without a kind, to be quarantined"),
        ("Coverage", "status pending, paying after another"), ("Condition", "verification status suspected"), ("Condition", "clinical status ruled-out"),
        ("Consent", "status not-done"), ("Consent", "status unknown"), ("Consent", "status pending"),
        ("CarePlan", "status superseded"),
    ):  # fmt: skip
        assert report.count(resource, why) == 1, (resource, why)
