"""The contracts say what the public interface says."""

from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from orchestration.contracts import extract_contracts, lake_columns, mart_contracts
from orchestration.house import DATA_CONTRACTS

# Required columns bear a star, as in the interface.
EXTRACTS = {
    "patients": "patient_id* first_name* last_name* middle_name birth_date* sex* address_line1 city state postal_code phone "
    "billing_practitioner_id* deceased_date",
    "coverages": "patient_id* coverage_type* member_id priority effective_date* termination_date",
    "conditions": "condition_id* patient_id* icd10_code* clinical_status* onset_date recorded_date resolved_date",
    "consents": "consent_id* patient_id* program* consented_on* method* documented* obtained_by billing_practitioner_id revoked_on",
    "care_plans": "care_plan_id* patient_id* established_on* last_reviewed_on copy_given_on",
    "assessments": "assessment_id* patient_id* assessed_on* mdm_level* member_id*",
    "stays": "stay_id* patient_id* stay_type* admitted_on* discharged_on",
    "care_team": "member_id* name* credential* npi taxonomy_code active_from active_to",
    "outreach": "outreach_id* patient_id* attempted_at* channel* outcome* member_id",
    "appointments": "appointment_id* patient_id* member_id* visit_type* status* scheduled_start* scheduled_end* updated_at*",
    "services": "service_id* patient_id* member_id procedure_code* service_date* units "
    "appointment_id billed_by* ccm_discussed updated_at*",
    "time_entries": "entry_id* patient_id* member_id* program* activity* started_at ended_at duration_seconds entry_method* "
    "face_to_face* note_id note_text recorded_at* updated_at* voided*",
    "calls": "call_id* patient_id* member_id* started_at* duration_seconds*",  # no part of the interface: an extract of our own, optional
}
KEYS = {
    "patients": "patient_id", "conditions": "condition_id", "consents": "consent_id", "care_plans": "care_plan_id",
    "assessments": "assessment_id", "stays": "stay_id", "care_team": "member_id", "outreach": "outreach_id",
    "appointments": "appointment_id", "services": "service_id", "time_entries": "entry_id",
    "calls": "call_id",
}  # fmt: skip
GRAINS = {
    "eligibility": "practice_id patient_id month", "enrollment_status": "practice_id patient_id month",
    "enrollment_funnel": "practice_id month stage_number", "minute_ledger": "practice_id entry_id month disposition",
    "patient_month_minutes": "practice_id patient_id month", "patient_month_decisions": "practice_id patient_id month",
    "claimable_codes": "practice_id patient_id month procedure_code", "undocumented_time": "practice_id item_id",
    "worklist": "practice_id item_id", "revenue_gap": "practice_id month cause", "enrollment_projection": "practice_id month basis",
    "claim_line_payments": "practice_id claim_id line_id", "remittances": "remittance_id", "answer_files": "file_id",
    "claim_aging": "practice_id claim_id", "claim_denials": "practice_id claim_id line_id denial_code",
    "claims": "practice_id patient_id month", "claim_history": "practice_id claim_id",
    "claim_answers": "practice_id claim_id sha256 transaction_ordinal claim_position",
    "post_close_changes": "practice_id patient_id month",
    "patient_month_evidence": "practice_id patient_id month", "patient_facts": "practice_id patient_id table_name fact_id",
    "time_entry_facts": "practice_id entry_id", "member_facts": "practice_id member_id", "landed_files": "practice_id file_id",
    "fee_schedule_prices": "practice_id procedure_code service_date payment_share",
    "close_calendar": "practice_id month", "claim_audit": "practice_id finding claim_id line_id",
    "row_accounting": "practice_id extract_date table_name", "quarantine": "practice_id extract_date table_name line_number",
    "undocumented_trend": "practice_id month scope member_id", "enrollment_states": "practice_id month state",
    "stage_durations": "practice_id stage_number", "revenue_waterfall": "practice_id month step_number",
    "enrollment_benchmark": "practice_id month", "revenue_table": "practice_id patients",
    "capacity": "practice_id", "practice_nights": "practice_id", "capacity_plan": "practice_id patient_id",
    "call_log": "practice_id month member_id",
    "coverage_answers": "practice_id transaction_id position answer_patient",
    "extract_drift": "practice_id extract_date table_name measure column_name", "close_holds": "practice_id hold_id",
}  # fmt: skip
FILES = sorted(DATA_CONTRACTS.glob("*/*.odcs.yaml"))


def test_every_extract_has_the_columns_of_the_interface_in_its_order():
    said = {t: " ".join(c.name + "*" * c.required for c in contract.columns) for t, contract in extract_contracts().items()}
    assert said == EXTRACTS


def test_every_extract_has_its_key_and_only_coverages_has_none():
    assert {t: c.key for t, c in extract_contracts().items() if c.key} == {t: (key,) for t, key in KEYS.items()}


def test_change_extracts_are_ordered_by_updated_at_and_snapshots_by_nothing():
    changes = {t for t, c in extract_contracts().items() if c.delivery == "changes"}
    assert changes == {"appointments", "services", "time_entries", "calls"}
    ordered = {t: c.ordered_by for t, c in extract_contracts().items()}
    assert ordered.pop("calls") == "started_at"  # a call is over when it is logged
    assert all(column == ("updated_at" if t in changes else None) for t, column in ordered.items())
    assert sum(c.extract == "panel" for c in extract_contracts().values()) == 9


def test_columns_have_the_kinds_and_vocabularies_of_the_interface():
    kinds = {(t, c.name): c.kind for t, contract in extract_contracts().items() for c in contract.columns}
    assert {key for key, kind in kinds.items() if kind == "boolean"} == {
        ("consents", "documented"), ("services", "ccm_discussed"), ("time_entries", "face_to_face"), ("time_entries", "voided"),
    }  # fmt: skip
    assert {key for key, kind in kinds.items() if kind == "integer"} == {
        ("coverages", "priority"), ("services", "units"), ("time_entries", "duration_seconds"),
        ("calls", "duration_seconds"),
    }  # fmt: skip
    assert all(kind == "instant" for (_, name), kind in kinds.items() if name.endswith(("_at", "_start", "_end")))
    assert all(kind == "date" for (_, name), kind in kinds.items() if name.endswith(("_on", "_date")) or name.startswith("active_"))
    words = {(t, c.name): c.vocabulary for t, contract in extract_contracts().items() for c in contract.columns if c.vocabulary}
    assert len(words) == 14
    assert words["patients", "sex"] == ("F", "M", "U")
    assert words["stays", "stay_type"] == ("inpatient", "snf_part_a", "nursing_facility", "assisted_living", "hospice")


def test_what_identifies_a_patient_is_marked_phi():
    phi = {(t, c.name) for t, contract in extract_contracts().items() for c in contract.columns if c.phi}
    assert {("patients", n) for n in ("first_name", "last_name", "birth_date", "address_line1", "phone")} < phi
    assert {("coverages", "member_id"), ("time_entries", "note_text")} < phi
    assert all((t, "patient_id") in phi for t, c in extract_contracts().items() if "patient_id" in c.names)
    assert ("time_entries", "member_id") not in phi


def test_the_lake_stores_a_note_only_as_length_and_hash():
    stored = dict(lake_columns(extract_contracts()["time_entries"]))
    assert "note_text" not in stored
    assert (stored["note_length"], stored["note_sha256"], stored["started_at"]) == ("BIGINT", "VARCHAR", "TIMESTAMP")


def test_every_mart_has_its_grain():
    assert {m: " ".join(sorted(c.grain, key=GRAINS[m].split().index)) for m, c in mart_contracts().items()} == GRAINS


def test_marts_keep_money_in_cents_and_name_nobody():
    for contract in mart_contracts().values():
        for column in contract.columns:
            assert "name" not in column.name.split("_") or column.name in ("table_name", "column_name")
            if (
                column.name.endswith(("_amount", "_payment", "dollars", "dollars_at_stake", "revenue"))
                or column.name == "amount_now"
            ):
                assert column.type == "DECIMAL(12,2)", column
    assert len(next(c for c in mart_contracts()["minute_ledger"].columns if c.name == "disposition").vocabulary) == 21
    assert len(next(c for c in mart_contracts()["patient_month_decisions"].columns if c.name == "reason").vocabulary) == 27


@pytest.fixture(scope="module")
def schema():
    return Draft201909Validator(json.loads(OpenDataContractStandard.json_schema()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".odcs.yaml"))
def test_a_contract_is_valid_odcs_with_owner_freshness_and_a_description_of_each_column(path, schema):
    schema.validate(yaml.safe_load(path.read_text()))
    contract = OpenDataContractStandard.from_file(str(path))
    assert contract.team.name and contract.slaProperties
    assert all(column.description and column.classification in ("phi", "internal") for column in contract.schema_[0].properties)
