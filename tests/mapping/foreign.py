"""What a practice's systems would have exported: the facts of a demo practice as a task timer, a practice management system and a panel report write
them, and the same facts as the contracts want them. Both are landed, and everything that comes out must be the same.

    python -m tests.mapping.foreign DEMO_HOME FOLDER [--practice bayview]

writes FOLDER/plain and FOLDER/mapped, runs `ccm nightly` and every month's `ccm close` on both, and says what was mapped, what was not, and whether
marts and claims agree (exit 1 where they do not). DEMO_HOME is a home made by `ccm demo`.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import sys
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import yaml

from orchestration.contracts import extract_contracts
from orchestration.mapping.choice import SHIPPED, load
from tests.pipeline.homes import installed_ccm, rows

Row = dict[str, Any]
Facts = dict[str, list[Row]]  # table -> rows as text, of one night
CHOSEN = {
    "time_entries": "task_timer",
    **dict.fromkeys(("appointments", "services"), "practice_management"),
    **dict.fromkeys(("patients", "coverages", "conditions", "consents", "care_plans"), "panel_report"),
}
ACTIVITY = {
    to: word
    for word, to in (load(SHIPPED / "task_timer.yaml").mapping.tables["time_entries"].columns["activity"].words or {}).items()
}


def facts_of(home: Path, practice: str) -> dict[date, Facts]:
    """A practice's accepted rows, night by night, with instants in UTC; notes by their length alone, as the lake has them."""
    nights: dict[date, Facts] = defaultdict(dict)
    with duckdb.connect() as con:
        for table in extract_contracts():
            files = f"read_parquet('{home}/lake/batches/*/files.parquet', union_by_name = true)"
            cursor = con.execute(
                f"""
                select rows.* from read_parquet('{home}/lake/batches/*/{table}.parquet') as rows
                semi join (
                    select max_by(file_id, version) as file_id from {files}
                    where practice_id = ? and table_name = ? and outcome = 'accepted' group by extract_date
                ) as files using (file_id)
                order by extract_date, line_number
                """,
                [practice, table],
            )
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                nights[row["extract_date"]].setdefault(table, []).append(row)
    return dict(sorted(nights.items()))


def as_exported(nights: dict[date, Facts]) -> dict[date, Facts]:
    """The facts that the three exports have room for, in the contracts' columns: patients with one plan of a kind and one consent, charges of the own
    practice, time by its seconds."""
    spoiled = {one["patient_id"] for facts in nights.values() for one in facts.get("patients", []) if not _fits(one, facts)}
    made: dict[date, Facts] = {}
    for night, facts in nights.items():
        kept: Facts = {}
        for table, found in facts.items():
            kept[table] = [dict(row) for row in found if row.get("patient_id") not in spoiled]
        for row in kept.get("conditions", []):
            row |= {"condition_id": f"{row['patient_id']}-{row['icd10_code']}", "onset_date": None, "resolved_date": None}
        kept["conditions"] = [
            row for row in _unique(kept.get("conditions", []), "condition_id") if row["clinical_status"] == "active"
        ]
        for row in kept.get("consents", []):
            row["consent_id"] = f"{row['patient_id']}-ccm-{_us(row['consented_on'])}"
        for row in kept.get("care_plans", []):
            row["care_plan_id"] = f"{row['patient_id']}-{_us(row['established_on'])}"
        kept["services"] = [row for row in kept.get("services", []) if row["billed_by"] == "own_practice"]
        for row in kept["services"]:
            row["service_id"] += "-1"
        kept["time_entries"] = [row for row in kept.get("time_entries", []) if row["started_at"] and row["ended_at"]]
        for row in kept["time_entries"]:
            row["duration_seconds"] = int((row["ended_at"] - row["started_at"]).total_seconds())
            row |= {
                "ended_at": None,
                "activity": row["activity"].lower().replace(" ", "_"),
                "note_text": "n" * (row["note_length"] or 0),
            }
        kept["time_entries"] = [row for row in kept["time_entries"] if row["duration_seconds"] >= 0]
        made[night] = kept
    return made


def _fits(patient: Row, facts: Facts) -> bool:
    own = {table: [row for row in facts.get(table, []) if row["patient_id"] == patient["patient_id"]] for table in CHOSEN}
    kinds = [row["coverage_type"] for row in own["coverages"]]
    others = [kind for kind in kinds if kind in ("medicaid", "medigap", "commercial")]
    medicare = {row["member_id"] for row in own["coverages"] if row["coverage_type"] in ("medicare_part_a", "medicare_part_b")}
    priorities = {row["priority"] for row in own["coverages"] if row["coverage_type"] in ("medicare_part_a", "medicare_part_b")}
    plain = all(row["priority"] is None for row in own["coverages"] if row["coverage_type"] in ("medicare_advantage", "qmb"))
    return (
        len(set(kinds)) == len(kinds)
        and len(others) <= 1
        and len(medicare) <= 1
        and len(priorities) <= 1
        and plain
        and all(row["member_id"] is None for row in own["coverages"] if row["coverage_type"] == "qmb")
        and len(own["consents"]) <= 1
        and all(row["program"] == "ccm" and row["billing_practitioner_id"] for row in own["consents"])
        and all(row["billing_practitioner_id"] == patient["billing_practitioner_id"] for row in own["consents"])
        and len(own["care_plans"]) <= 1
        and not ("," in patient["last_name"] or " " in patient["first_name"] or "," in patient["first_name"])
    )


def _unique(found: list[Row], key: str) -> list[Row]:
    return list({row[key]: row for row in found}.values())


def _us(day: date | None) -> str:
    return f"{day:%m/%d/%Y}" if day else ""


def _iso(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.isoformat()}Z"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _csv(names: str, lines: list[list[str]], delimiter: str = ",", title: str = "") -> str:
    text = io.StringIO()
    text.write(title)
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows([names.split("|"), *lines])
    return text.getvalue()


def plain_files(facts: Facts) -> dict[str, bytes]:
    """One night as the contracts want it."""
    made = {}
    for table, contract in extract_contracts().items():
        if table in facts:
            lines = [[_iso(row.get(name)) for name in contract.names] for row in facts[table]]
            made[f"{table}.csv"] = _csv("|".join(contract.names), lines).encode()
    return made


def exported_files(night: date, facts: Facts, zone: ZoneInfo) -> dict[str, bytes]:
    """The same night as the three systems export it; what no system of theirs has is as the contracts want it."""
    made = plain_files({table: found for table, found in facts.items() if table not in CHOSEN})
    local = {True: zone}

    def at(value: datetime, form: str) -> str:
        return value.replace(tzinfo=UTC).astimezone(local[True]).strftime(form)

    made[f"task_timer_{night:%Y%m%d}.csv"] = _timer(facts["time_entries"], at).encode("windows-1252", "replace")
    made[f"Appointments_{night:%m-%d-%Y}.csv"] = _appointments(facts.get("appointments", []), at, night).encode(
        "windows-1252", "replace"
    )
    made[f"Charges_{night:%m-%d-%Y}.csv"] = _charges(facts["services"], at, night).encode("windows-1252", "replace")
    if facts.get("patients"):
        made[f"CCM_Panel_{night:%Y-%m-%d}.txt"] = _panel(facts).encode()
    return made


def _timer(found: list[Row], at: Any) -> str:
    names = (
        "Task ID|Chart No|Client Name|User|Team|Service Line|Task Type|Started|Billable Seconds|Source|Mode|Note Ref|Note|Created (UTC)|"
        "Modified (UTC)|Deleted At"
    )
    program = {"ccm": "Chronic Care Mgmt", "pcm": "PCM", "rpm": "RPM", "bhi": "CoCM", "tcm": "TCM", "other": "Wellness"}
    lines = []
    for row in found:
        lines.append(
            [
                row["entry_id"], row["patient_id"], "-", row["member_id"], "Care team", program[row["program"]], ACTIVITY[row["activity"]],
                at(row["started_at"], "%m/%d/%Y %I:%M:%S %p"), f"{row['duration_seconds']:,}",
                {"timer": "Auto", "manual": "Edited"}[row["entry_method"]], "In person" if row["face_to_face"] else "Phone",
                row["note_id"] or "", row["note_text"], f"{row['recorded_at']:%Y-%m-%d %H:%M:%S}Z", f"{row['updated_at']:%Y-%m-%d %H:%M:%S}Z",
                f"{row['updated_at']:%Y-%m-%d %H:%M:%S}" if row["voided"] else "",
            ]
        )  # fmt: skip
    # The team's own time is in the export too; and once in a while a kind of task that nobody has mapped yet.
    for number, row in enumerate(lines[:1]):
        lines.append([f"INT-{row[0]}-{number}", "", "-", row[3], "Care team", "Training", *row[6:]])
    if len(lines) > 8:
        lines.append([f"NEW-{lines[0][0]}", *lines[0][1:6], "Huddle", *lines[0][7:]])
    return _csv(names, lines, ";")


def _appointments(found: list[Row], at: Any, night: date) -> str:
    names = "Appt Id|Patient MRN|Resource|Appt Type|Appt Status|Appt Date|Start|End|Location|Last Changed"
    status = {"scheduled": "Confirmed", "completed": "Checked Out", "cancelled": "Canceled by patient", "no_show": "No Show"}
    lines = [
        [
            row["appointment_id"], row["patient_id"], f"Somebody ({row['member_id']})",
            "CCM Monthly Call" if row["visit_type"] == "ccm_call" else row["visit_type"], status[row["status"]],
            at(row["scheduled_start"], "%m/%d/%Y"), at(row["scheduled_start"], "%I:%M %p"), at(row["scheduled_end"], "%I:%M %p"), "Main",
            at(row["updated_at"], "%m/%d/%Y %I:%M:%S %p %Z"),
        ]
        for row in found
    ]  # fmt: skip
    lines.append([f"BLK-{night}", "", "Room 1", "Lunch", "Scheduled", f"{night:%m/%d/%Y}", "12:00 PM", "01:00 PM", "Main", ""])
    return _csv(names, lines, title=f'"Appointment report, {night:%m/%d/%Y}"\r\n\r\n')


def _charges(found: list[Row], at: Any, night: date) -> str:
    names = "Charge No|Line|Line Type|Patient MRN|Rendering|CPT/Mods|DOS|Units|Appt Id|CCM Discussed|Fee|Posted"
    lines = []
    for row in found:
        charge = row["service_id"].removesuffix("-1")
        discussed = {True: "Y", False: "N", None: ""}[row["ccm_discussed"]]
        code = f"{row['procedure_code']}-25" if row["procedure_code"].startswith("99") else row["procedure_code"]
        lines.append(
            [
                charge, "1", "Charge", row["patient_id"], f"Somebody ({row['member_id']})" if row["member_id"] else "", code,
                _us(row["service_date"]), "" if row["units"] is None else f"{row['units']}.00", row["appointment_id"] or "", discussed, "120.00",
                at(row["updated_at"], "%m/%d/%Y %I:%M:%S %p %Z"),
            ]
        )  # fmt: skip
        lines.append(
            [charge, "2", "Payment", row["patient_id"], "", "", _us(row["service_date"]), "", "", "", "-40.00", lines[-1][-1]]
        )
    return _csv(names, lines, title=f'"Charge report, {night:%m/%d/%Y}"\r\n\r\n')


def _panel(facts: Facts) -> str:
    names = (
        "MRN|Name|DOB|Age|Sex|Address 1|Address 2|City|State|Zip|Phone|CCM Provider|Deceased|MBI|Medicare Priority|Part A Eff|Part A Term|"
        "Part B Eff|Part B Term|MA Plan|MA Member Id|MA Eff|MA Term|QMB|QMB Eff|QMB Term|Other Plan|Other Member Id|Other Priority|Other Eff|"
        "Other Term|Active Problems|CCM Consent|Consent Method|Consent Doc|Consent By|Consent Revoked|Care Plan|Plan Reviewed|Plan Copy Given"
    )
    by_patient: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for table in ("coverages", "conditions", "consents", "care_plans"):
        for row in facts.get(table, []):
            by_patient[row["patient_id"]][table].append(row)
    plan = {"medicaid": "Medi-Cal", "medigap": "Medigap Plan G", "commercial": "Employer group plan"}
    lines = []
    for row in facts["patients"]:
        own = by_patient[row["patient_id"]]
        cover = {one["coverage_type"]: one for one in own["coverages"]}
        a, b = cover.get("medicare_part_a", {}), cover.get("medicare_part_b", {})
        advantage, qmb = cover.get("medicare_advantage", {}), cover.get("qmb", {})
        other: Row = next((cover[kind] for kind in plan if kind in cover), {})
        consent: Row = own["consents"][0] if own["consents"] else {}
        care: Row = own["care_plans"][0] if own["care_plans"] else {}
        problems = "; ".join(
            one["icd10_code"] + (f" ({_us(one['recorded_date'])})" if one["recorded_date"] else "") for one in own["conditions"]
        )
        medicare = a or b
        name = f"{row['last_name']}, {row['first_name']}{' ' + row['middle_name'] if row['middle_name'] else ''}"
        phone = row["phone"] and f"({row['phone'][:3]}) {row['phone'][3:6]}-{row['phone'][6:]}"
        lines.append(
            [
                row["patient_id"], name, _us(row["birth_date"]), "", {"F": "Female", "M": "Male", "U": "Unknown"}[row["sex"]],
                row["address_line1"] or "", "", row["city"] or "", row["state"] or "", row["postal_code"] or "", phone or "",
                f"Somebody MD ({row['billing_practitioner_id']})", _us(row["deceased_date"]), medicare.get("member_id") or "",
                _iso(medicare.get("priority")), _us(a.get("effective_date")), _us(a.get("termination_date")), _us(b.get("effective_date")),
                _us(b.get("termination_date")), "Advantage HMO" if advantage else "", advantage.get("member_id") or "",
                _us(advantage.get("effective_date")), _us(advantage.get("termination_date")), "Y" if qmb else "N", _us(qmb.get("effective_date")),
                _us(qmb.get("termination_date")), plan.get(other.get("coverage_type", ""), ""), other.get("member_id") or "",
                _iso(other.get("priority")), _us(other.get("effective_date")), _us(other.get("termination_date")), problems,
                _us(consent.get("consented_on")), {"verbal": "Phone", "written": "Signed"}.get(consent.get("method", ""), ""),
                "D-1" if consent.get("documented") else "", consent.get("obtained_by") or "", _us(consent.get("revoked_on")),
                _us(care.get("established_on")), _us(care.get("last_reviewed_on")), _us(care.get("copy_given_on")),
            ]
        )  # fmt: skip
    return _csv(names, lines, "\t")


def write_homes(demo: Path, folder: Path, practice: str, newest: int | None = None) -> tuple[Path, Path]:
    """The two homes: the contracts' files, and the exports with the mappings chosen; of the newest so many nights, or of all."""
    entry = next(
        one for one in yaml.safe_load((demo / "practices.yaml").read_text())["practices"] if one["practice_id"] == practice
    )
    nights = as_exported(facts_of(demo, practice))
    plain, mapped = folder / "plain", folder / "mapped"
    for home in (plain, mapped):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        chosen = {"mappings": CHOSEN} if home is mapped else {}
        (home / "practices.yaml").write_text(json.dumps({"practices": [{**entry, **chosen}]}, default=str))
    for night, facts in list(nights.items())[-newest if newest else 0 :]:
        for home, files in ((plain, plain_files(facts)), (mapped, exported_files(night, facts, ZoneInfo(entry["time_zone"])))):
            into = home / "landing" / practice / night.isoformat()
            into.mkdir(parents=True)
            for name, content in files.items():
                (into / name).write_bytes(content)
    return plain, mapped


MARTS = {
    "patient_month_decisions": "practice_id, patient_id, month, decision, reason, flags, track, alternatives, allowed_amount",
    "claimable_codes": "*",
    "minute_ledger": "*",
    "eligibility": "*",
    "enrollment_status": "*",
    "revenue_gap": "*",
    "claims": "practice_id, patient_id, month, status, billed_amount",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--practice", default="bayview")
    given = parser.parse_args(arguments)
    plain, mapped = write_homes(given.demo, given.folder, given.practice)
    months = sorted(path.name for path in (given.demo / "closes" / given.practice).iterdir() if path.is_dir())
    for home in (plain, mapped):
        for command in (("nightly",), *(("close", "--month", month, "--approved-by", "Office") for month in months)):
            ran = installed_ccm(*command, home=home)
            print(home.name, *command, "->", ran.code)
            if ran.code:
                print(ran.out + ran.err)
    print("\nlines, rows and what became of them (mapped home)")
    counted = """
        select mapping, table_name, count(*) as files, sum(lines_read)::bigint as lines, sum(rows_filtered)::bigint as filtered,
            sum(rows_received)::bigint as received, sum(rows_accepted)::bigint as accepted, sum(rows_quarantined)::bigint as quarantined,
            sum(rows_superseded)::bigint as superseded
        from read_parquet(?, union_by_name = true) where mapping is not null group by all order by all
    """
    with duckdb.connect() as con:
        print(con.execute(counted, [f"{mapped}/lake/batches/*/files.parquet"]).df().to_string(index=False))
        told = "select table_name, column_name, reason, count(*) as lines from read_parquet(?) group by all order by lines desc"
        print(con.execute(told, [f"{mapped}/lake/batches/*/quarantine.parquet"]).df().to_string(index=False))
    differences = 0
    for mart, columns in MARTS.items():
        asked = f"select {columns} from {mart} order by all"
        left, right = rows(plain, asked), rows(mapped, asked)
        differences += left != right
        print(f"{mart}: {len(left)} rows, {'the same' if left == right else 'DIFFERENT'}")
    for month in months:
        packets = [sorted((home / "closes" / given.practice / month).glob("v*/claims.csv")) for home in (plain, mapped)]
        same = [path.read_bytes() for path in packets[0]] == [path.read_bytes() for path in packets[1]]
        claims = sum(len(path.read_text().splitlines()) - 1 for path in packets[1])
        differences += not same
        print(f"{month}: {claims} claim lines, {'the same' if same else 'DIFFERENT'}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
