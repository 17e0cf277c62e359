"""Small FHIR R4 bulk exports, written by the tests; every resource is judged by fhir.resources before it is written.

The models are those of R4B, the nearest release that fhir.resources has: of the resources here nothing changed since R4.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

Resource = dict[str, Any]

CPT = "http://www.ama-assn.org/go/cpt"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
NPI = "http://hl7.org/fhir/sid/us-npi"
MBI = "http://hl7.org/fhir/sid/us-mbi"
SOPT = "https://nahdo.org/sopt"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
DEGREE = "http://terminology.hl7.org/CodeSystem/v2-0360"
NUCC = "http://nucc.org/provider-taxonomy"
STATUS = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
MODE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationMode"
NOT_DONE = "http://terminology.hl7.org/CodeSystem/communication-not-done-reason"
ASSESS_PLAN = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"


@cache
def _model(resource_type: str) -> Any:
    return getattr(import_module(f"fhir.resources.R4B.{resource_type.lower()}"), resource_type)


def judged(resource: Resource) -> str:
    """The resource as a line, as its model says it. Raises pydantic's ValidationError for what is no such resource."""
    line: str = _model(resource["resourceType"]).model_validate(resource).model_dump_json()
    return json.dumps(json.loads(line))


def write_export(
    folder: Path, resources: Iterable[Resource], *, manifest: str | None = None, deleted: Iterable[Resource] = ()
) -> Path:
    """One export: a file for each type; `deleted`: its Bundles; `manifest`: its transactionTime."""
    lines: dict[str, list[str]] = defaultdict(list)
    for resource in resources:
        lines[resource["resourceType"]].append(judged(resource))
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in lines.items():
        (folder / f"{name}.000.ndjson").write_text("\n".join(content) + "\n", encoding="utf-8")
    if bundles := [judged(bundle) for bundle in deleted]:
        (folder / "deleted").mkdir()
        (folder / "deleted" / "1.ndjson").write_text("\n".join(bundles) + "\n", encoding="utf-8")
    if manifest:
        (folder / "manifest.json").write_text(json.dumps({"transactionTime": manifest, "request": "x", "output": []}))
    return folder


def concept(system: str | None = None, code: str | None = None, text: str | None = None) -> Resource:
    made: Resource = {"coding": [{"system": system, "code": code}]} if code else {}
    return made | ({"text": text} if text else {})


def ref(target: str) -> Resource:
    return {"reference": target}


def at(day: str, clock: str = "15:00:00") -> str:
    return f"{day}T{clock}Z"


def of(resource_type: str, key: str, updated: str | None = "2026-10-01T12:00:00Z", **elements: Any) -> Resource:
    meta = {"meta": {"lastUpdated": updated}} if updated else {}
    return {"resourceType": resource_type, "id": key, **meta, **elements}


def deletion(url: str, updated: str = "2026-10-30T00:00:00Z") -> Resource:
    return of(
        "Bundle",
        "gone-" + url.rpartition("/")[2],
        updated,
        type="transaction",
        entry=[{"request": {"method": "DELETE", "url": url}}],
    )


def patient(key: str, updated: str | None = "2026-10-01T12:00:00Z", **elements: Any) -> Resource:
    given = {
        "name": [{"use": "old", "family": "Before"}, {"use": "official", "family": f"Fam{key}", "given": ["Ann", "B"]}],
        "gender": "female", "birthDate": "1948-03-02",
        "identifier": [{"system": "urn:ehr", "value": f"mrn-{key}"}, {"system": MBI, "value": "1EG4TE5MK73"}],
        "address": [{"line": ["1 Side  St"], "city": "Springfield", "state": "IL", "postalCode": "62701"}],
        "generalPractitioner": [ref("Practitioner/doc")],
    }  # fmt: skip
    return of("Patient", key, updated, **{name: value for name, value in {**given, **elements}.items() if value is not None})


def practitioner(key: str, degree: str | None = "MD", **elements: Any) -> Resource:
    qualification = {"qualification": [{"code": concept(DEGREE, degree)}]} if degree else {}
    given = {"name": [{"family": key.title(), "given": ["Sam"]}], "identifier": [{"system": NPI, "value": "1234567893"}]}
    return of("Practitioner", key, **{**given, **qualification, **elements})


def coverage(key: str, who: str, *, kind: Resource | None = None, start: str | None = "2013-03-01", **elements: Any) -> Resource:
    given = {
        "status": "active", "beneficiary": ref(f"Patient/{who}"), "payor": [{"display": "Medicare"}],
        "type": kind or concept(SOPT, "121"), "subscriberId": "1EG4TE5MK73",
    }  # fmt: skip
    period = {"period": {"start": start}} if start else {}
    return of("Coverage", key, **{**given, **period, **elements})


def condition(key: str, who: str, code: Resource, **elements: Any) -> Resource:
    given = {
        "clinicalStatus": concept(STATUS, "active"), "verificationStatus": concept(VERIFIED, "confirmed"),
        "code": code, "subject": ref(f"Patient/{who}"), "onsetDateTime": "2015-06", "recordedDate": "2015-06-20",
    }  # fmt: skip
    return of("Condition", key, **{**given, **elements})


def encounter(key: str, who: str, day: str, *, kind: str = "AMB", type_: Resource | None = None, **elements: Any) -> Resource:
    given = {
        "status": "finished", "class": {"system": ACT, "code": kind}, "subject": ref(f"Patient/{who}"),
        "period": {"start": at(day), "end": at(day, "15:20:00")}, "participant": [{"individual": ref("Practitioner/doc")}],
    }  # fmt: skip
    return of("Encounter", key, **{**given, **({"type": [type_]} if type_ else {}), **elements})


def consent(key: str, who: str, **elements: Any) -> Resource:
    given = {
        "status": "active", "scope": concept("http://terminology.hl7.org/CodeSystem/consentscope", "treatment"),
        "category": [concept(text="Chronic Care Management consent")], "patient": ref(f"Patient/{who}"),
        "dateTime": at("2026-06-03"), "performer": [ref("Practitioner/nurse")],
        "policyRule": concept(text="CCM"), "verification": [{"verified": True}],
    }  # fmt: skip
    return of("Consent", key, **{**given, **elements})


def care_plan(key: str, who: str, *, category: Resource | None = None, **elements: Any) -> Resource:
    given = {
        "status": "active", "intent": "plan", "subject": ref(f"Patient/{who}"), "period": {"start": "2026-06-10"},
        "category": [concept(ASSESS_PLAN, "assess-plan"), category or concept(SNOMED, "734163000")],
    }  # fmt: skip
    return of("CarePlan", key, **{**given, **elements})


def claim(key: str, who: str, day: str, *codes: str, system: str = CPT, **elements: Any) -> Resource:
    given = {
        "status": "active", "use": "claim", "type": concept("http://terminology.hl7.org/CodeSystem/claim-type", "professional"),
        "patient": ref(f"Patient/{who}"), "created": day, "provider": ref("Practitioner/doc"),
        "priority": concept("http://terminology.hl7.org/CodeSystem/processpriority", "normal"),
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "Medicare"}}],
        "item": [
            {"sequence": n, "productOrService": concept(system, code), "servicedDate": day, "quantity": {"value": 1}}
            for n, code in enumerate(codes, 1)
        ],
    }  # fmt: skip
    return of("Claim", key, **{**given, **elements})
