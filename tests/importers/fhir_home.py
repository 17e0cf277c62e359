"""`make fhir-home`: a full export and a `_since` export after it, imported, taken in, closed: who is claimed, who is not and why, and the counts."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest
from fhir_export import (
    ICD,
    SNOMED,
    SOPT,
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
    write_export,
)  # fmt: skip

from tests.holds.clinic import Clinic, configure, write
from tests.pipeline.homes import ccm, rows

NIGHT = "2026-11-04"
OWN = of(
    "Organization", "own", active=True, name="Clinic",
    identifier=[{"system": "http://hl7.org/fhir/sid/us-npi", "value": Clinic("clinic", 1).configuration()["npi"]}],
)  # fmt: skip


def chart(who: str) -> list[dict]:
    return [
        coverage(f"{who}-cov", who), care_plan(f"{who}-plan", who), consent(f"{who}-con", who), claim(f"{who}-claim", who, "2026-05-20", "99214"),
        condition(f"{who}-htn", who, concept(ICD, "I10")), condition(f"{who}-dm", who, concept(SNOMED, "44054006")),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("fhir")
    mbis = ("1EG4TE5MK73", "2EG4TE5MK73", "3EG4TE5MK73", "4EG4TE5MK73", "5EG4TE5MK73", "6EG4TE5MK73")
    people = dict(zip(("ann", "may", "con", "lee", "hos", "old"), mbis, strict=True))

    def person(key: str, updated: str = "2026-09-01T12:00:00Z", **more) -> dict:
        return patient(key, updated, identifier=[{"system": "http://hl7.org/fhir/sid/us-mbi", "value": people[key]}], **more)

    # a plan of a year, renewed after the month; a consent that was over before, and is only stamped anew after the month
    renewed = [
        care_plan("ann-plan", "ann", period={"start": "2025-11-01", "end": "2026-10-31"}),
        care_plan("ann-plan2", "ann", period={"start": "2026-11-02"}),
    ]
    stamped = consent("old-con", "old", status="inactive")
    charts = [one for key in people for one in chart(key) if one["id"] not in ("ann-plan", "old-con")]
    write_export(
        folder / "bulk" / "1-full",
        [OWN, practitioner("doc"), practitioner("nurse", "RN"), *(person(key) for key in people), *charts, *renewed, stamped,
         condition("odd", "ann", concept(SNOMED, "999999999")), encounter("office", "ann", "2026-08-03")],
        manifest="2026-09-22T05:00:00Z",
    )  # fmt: skip
    write_export(
        folder / "bulk" / "2-since",
        [coverage("may-ma", "may", kind=concept(SOPT, "112"), start="2026-10-01", payor=[{"display": "Sunshine Health"}]),
         person("lee", "2026-11-01T00:00:00Z", active=False, deceasedDateTime="2026-10-20"), {**stamped, "meta": {"lastUpdated": "2026-11-02T12:00:00Z"}},
         encounter("hos-stay", "hos", "2026-09-25", kind="HH", type_=concept(text="Hospice care"), status="in-progress", period={"start": "2026-09-25"})],
        manifest="2026-11-04T18:00:00Z", deleted=[deletion("Consent/con-con", "2026-10-20T00:00:00Z")],
    )  # fmt: skip
    home = folder / "home"
    configure(home, [Clinic("clinic", 1)])
    ran = ccm("import", "fhir", str(folder / "bulk"), "--json", home=home)
    assert ran.code == 0, ran.err
    log = [
        {
            "entry_id": f"{who}-{day}", "patient_id": who, "member_id": "nurse", "program": "ccm", "activity": "care_coordination",
            "started_at": f"2026-10-{day}T1{hour}:00:00Z", "ended_at": f"2026-10-{day}T1{hour}:12:00Z", "entry_method": "timer",
            "face_to_face": "false", "note_id": f"N-{who}-{day}", "recorded_at": f"2026-10-{day}T20:00:00Z", "updated_at": f"2026-10-{day}T20:00:00Z",
            "voided": "false",
        }
        for hour, who in enumerate(people) for day in ("06", "13")
    ]  # fmt: skip
    write(home, "clinic", NIGHT, "time_entries", log)  # from the time tracker, into the same night
    calls = [
        {
            "call_id": f"c{day}",
            "patient_id": "ann",
            "member_id": "nurse",
            "started_at": f"2026-10-{day}T16:00:00Z",
            "duration_seconds": "420",
        }
        for day in ("13", "20")
    ]
    write(home, "clinic", NIGHT, "calls", calls)  # and from the phone system
    return home, json.loads(ran.out)


def test_the_report_accounts_for_every_resource(landed):
    _, report = landed
    assert report["night"] == NIGHT
    lost = {}
    for one in report["unmapped"]:
        lost[one["what"]] = lost.get(one["what"], 0) + one["rows"]
    for name, one in report["resources"].items():
        assert one["lines"] == one["older"] + one["deleted"] + one["used"] + one["unused"]
        assert one["unused"] == lost.get(name, 0)
    assert report["resources"]["Consent"] == {
        "lines": 7,
        "older": 1,
        "deleted": 1,
        "used": 5,
        "unused": 0,
    }
    assert report["resources"]["Patient"] == {"lines": 7, "older": 1, "deleted": 0, "used": 6, "unused": 0}
    assert lost["Condition"] == 1


def test_a_night_and_a_close_claim_whom_the_export_lets_claim(landed):
    home, _ = landed
    for command in (("nightly",), ("close", "--month", "2026-10", "--approved-by", "Ann Lee")):
        ran = ccm(*command, home=home)
        assert ran.code == 0, ran.err + ran.out
    found = {
        row["patient_id"]: (row["decision"], row["reason"])
        for row in rows(home, "select * from patient_month_decisions where month = '2026-10-01'")
    }
    assert found == {
        "ann": ("claimed", "already_claimed"), "may": ("not_claimable", "medicare_advantage"), "con": ("not_claimable", "no_consent"),
        "hos": ("not_claimable", "hospice"), "old": ("not_claimable", "consent_revoked"),
        "lee": ("claimed", "already_claimed"),
    }  # fmt: skip
    # what nobody wrote down of the call would not change the claim: told, not held
    assert rows(home, "select kind, patient_id, member_id, minutes, found_on from undocumented_time") == [
        {"kind": "call_without_time", "patient_id": "ann", "member_id": "nurse", "minutes": 7, "found_on": date(2026, 11, 4)}
    ]
    assert rows(home, "select calls, calls_without_entry, entries_without_call from call_log") == [
        {"calls": 2, "calls_without_entry": 1, "entries_without_call": 11}
    ]
    assert rows(home, "select patient_id, status from claims order by 1") == [
        {"patient_id": who, "status": "submitted"} for who in ("ann", "lee")
    ]
    packet = home / "closes" / "clinic" / "2026-10" / "v1"
    # lee died on the 20th and is no longer active: claimed on the day on which the last minute was reached
    dates = {line["patient_id"]: line["service_date"] for line in csv.DictReader((packet / "claims.csv").open(encoding="utf-8"))}
    assert dates == {"ann": "2026-10-31", "lee": "2026-10-13"}
    text = (packet / "claims.837").read_text()
    assert "1EG4TE5MK73" in text and "SV1*HC:99490" in text and "ABK:" in text
    accounted = rows(home, f"select table_name, rows_received, rows_quarantined from row_accounting where extract_date = '{NIGHT}'")
    rebuilt = ccm("rebuild", "--practice", "clinic", "--month", "2026-10", home=home)
    assert rebuilt.code == 0, rebuilt.out + rebuilt.err
    assert all(row["rows_quarantined"] == 0 for row in accounted)
    assert {row["table_name"] for row in accounted} >= {
        "patients",
        "coverages",
        "consents",
        "care_plans",
        "conditions",
        "care_team",
        "services",
    }
