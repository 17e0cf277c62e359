"""The story of one patient-month as plain data. Nothing is judged here: every value comes from a mart or a rule row."""

from __future__ import annotations

import calendar
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from orchestration.answer.explain.source import (
    Row,
    Source,
    claim_lines,
    counted_dispositions,
    held_row,
    is_in_force,
    seconds_basis,
    since,
)
from orchestration.close.held_months import is_held
from orchestration.house import HouseError
from orchestration.mapping.sql import line_of
from orchestration.practices import fee_state

DAY_SETS = (
    ("fee_for_service_days", "Medicare Part B fee-for-service"),
    ("part_b_days", "Medicare Part B"),
    ("qmb_days", "qualified Medicare beneficiary"),
    ("other_primary_days", "another payer pays first"),
    ("facility_days", "in a facility"),
    ("hospice_days", "in hospice"),
    ("review_days", "in a nursing facility or assisted living"),
    ("alive_days", "alive"),
)
# What the payers' answers (271) say that a reason may rest on.
_ANSWERED = {
    "deceased": ("deceased",),
    "no_part_b": ("part_a", "part_b"),
    "medicare_advantage": ("medicare_advantage",),
    "facility_whole_month": ("hospice",),
    "hospice": ("hospice",),
    "medicare_secondary": ("other_primary",),
}
# The same of what a flag may rest on.
_ANSWERED_FLAGS = {
    "after_death_time": ("deceased",),
    "coverage_ended_time": ("part_a", "part_b", "medicare_advantage"),
    "facility_time": ("hospice",),
    "qmb_no_cost_share": ("qmb",),
}


def tell(source: Source, practice_id: str, patient_id: str, month: date) -> dict[str, Any]:
    """Everything there is to say of a patient-month, ready for JSON: gates in order with their evidence, every entry's seconds by
    disposition, candidates with their arithmetic, the claim. Money as Decimal dollars. HouseError when there is no such patient-month."""
    key = [practice_id, patient_id, month]
    decision = source.one("select * from patient_month_decisions where practice_id = ? and patient_id = ? and month = ?", key)
    if decision is None:
        raise HouseError(
            f"{source.name}: no patient-month {patient_id} {month:%Y-%m} of {practice_id}; months and patient ids are those of the extracts"
        )
    evidence = source.one("select * from patient_month_evidence where practice_id = ? and patient_id = ? and month = ?", key)
    minutes = source.one("select * from patient_month_minutes where practice_id = ? and patient_id = ? and month = ?", key)
    eligibility = source.one("select * from eligibility where practice_id = ? and patient_id = ? and month = ?", key)
    assert (
        evidence is not None and minutes is not None and eligibility is not None
    )  # one grid (every_patient_month_is_decided_once)
    files = _files(source, practice_id)
    facts = _facts(source, practice_id, patient_id, month, evidence, files)
    zone = ZoneInfo(source.practice["time_zone"])
    basis = seconds_basis(source.rows("select * from rule_bands"), decision["track"], month)
    said = _answers(source, key)
    nearest = _nearest(source, key, evidence, files)
    entries = _entries(source, key, zone, files, basis, evidence["billing_practitioner_id"])
    items = source.rows(
        """
        select item_id, kind, entry_id, appointment_id, member_id, minutes, dollars_at_stake, due_on from undocumented_time
        where practice_id = ? and patient_id = ? and month = ? order by dollars_at_stake desc, item_id
        """,
        key,
    )
    for item in items:
        item["subject"] = subject_of(item, month)
    return {
        "practice_id": practice_id,
        "patient_id": patient_id,
        "month": f"{month:%Y-%m}",
        "source": source.name,
        "facts_as_of": evidence["newest_night"],
        "rules_version": decision["rules_version"],
        "decision": decision["decision"],
        "reason": decision["reason"],
        "track": decision["track"],
        "allowed_amount": decision["allowed_amount"],
        "program": evidence["program"],
        "flags": _flags(source, decision["flags"], said),
        "gates": _gates(source, evidence, decision, facts, items, minutes, said, nearest),
        "days": {said: days_of(evidence[name], month) for name, said in DAY_SETS if evidence[name]},
        "coverage_answers": said,
        "condition_groups": eligibility["condition_groups"],
        "minutes": {name: minutes[name] for name in minutes if name not in ("practice_id", "patient_id", "month")},
        "entries": entries,
        "undocumented": items,
        "unresolved": _unresolved(source, key),
        "track_policy": source.practice["track_policy"],
        "service_date_policy": source.practice["service_date_policy"],
        "candidates": _candidates(source, practice_id, evidence, decision),
        "next_unit": _next_unit(minutes, items),
        "practitioner": {
            "member_id": evidence["billing_practitioner_id"],
            "credential": evidence["practitioner_credential"],
            "npi": evidence["practitioner_npi"],
            "payment_share": evidence["payment_share"],
            "place_of_service": source.practice["place_of_service"],
        },
        "practice": {
            "name": source.practice["name"],
            "npi": source.practice["npi"],
            "time_zone": source.practice["time_zone"],
            "attestations": source.practice["attestations"],
        },
        "claim": _claim(source, key),
        "kept_back": kept_back(source, key, decision),
        "answers": answers(source, key),
        "answers_since": _answers_since(source, key),
        "decided_now": _decided_now(source, key),
        "changed_since": _changed_since(source, key),
        "close": _close(source, patient_id),
        "holds": _holds(source, practice_id, patient_id, month),
    }


def subject_of(item: Row, month: date) -> str:
    """The entry, appointment or call of an item of undocumented time."""
    # A call has no column of its own: the item's id has it.
    of_call = item["item_id"].removeprefix(f"{item['kind']}:").removesuffix(f":{month:%Y-%m}")
    return str(item["entry_id"] or item["appointment_id"] or of_call)


def _holds(source: Source, practice_id: str, patient_id: str, month: date) -> list[Row]:
    """What keeps this claim or the practice's close in the house, or did until somebody accepted it: rows in quarantine, drift, lost files."""
    told = ("kind", "table_name", "extract_date", "measure", "column_name", "line_number", "explanation")
    if source.packet is not None:  # with what stood open there would have been no close; the claims held then stand in held.csv
        rows = [row for row in source.manifest.get("accepted", ()) if row["patient_id"] in (None, patient_id)]
        return [{name: row[name] for name in (*told, "accepted_by", "accepted_why")} for row in rows]
    rows = source.rows(
        """
        select * from close_holds
        where practice_id = ? and (patient_id is null or patient_id = ?)
        order by kind, table_name, extract_date, measure, column_name, line_number
        """,
        [practice_id, patient_id],
    )
    return [
        {
            **{name: row[name] for name in told},
            **{
                name: source.acceptances.get(row["hold_id"], {}).get(name) if row["is_accepted"] else None
                for name in ("accepted_by", "accepted_why")
            },
        }
        for row in rows
        if is_held(row, month)
    ]


def days_of(bits: int, month: date) -> str:
    """'1-14, 20' of a set of days given as bits (bit 0 = the first)."""
    last = calendar.monthrange(month.year, month.month)[1]
    days = [day for day in range(1, last + 1) if bits >> (day - 1) & 1]
    spans: list[list[int]] = []
    for day in days:
        if spans and spans[-1][1] == day - 1:
            spans[-1][1] = day
        else:
            spans.append([day, day])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)


def _files(source: Source, practice_id: str) -> dict[int, Row]:
    return {
        row["file_id"]: row
        for row in source.rows(
            "select file_id, table_name, extract_date, landed_path, sha256 from landed_files where practice_id = ?", [practice_id]
        )
    }


def _landed(row: Row, files: dict[int, Row]) -> dict[str, Any]:
    file = files[row["file_id"]]
    return {
        "night": file["extract_date"],
        "file": file["landed_path"],
        "line": line_of(row["line_number"]),
        "sha256": file["sha256"],
    }


def _facts(
    source: Source, practice_id: str, patient_id: str, month: date, evidence: Row, files: dict[int, Row]
) -> dict[str, list[dict[str, Any]]]:
    """Facts by table: those that touch the month, and those that the decision names whenever they are."""
    month_end = month.replace(day=calendar.monthrange(month.year, month.month)[1])
    named = {evidence["consent_id"], evidence["initiating_service_id"], *evidence["conflict_service_ids"]}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in source.rows(
        "select * from patient_facts where practice_id = ? and patient_id = ? order by table_name, starts_on nulls first, fact_id",
        [practice_id, patient_id],
    ):
        table = row["table_name"]
        begins_in_time = row["starts_on"] is None or row["starts_on"] <= month_end
        is_of_month = begins_in_time and (row["ends_on"] is None or row["ends_on"] >= month)
        if table == "services":
            is_of_month = row["starts_on"] is not None and month <= row["starts_on"] <= month_end
        elif table in ("consents", "care_plans", "conditions"):
            is_of_month = begins_in_time
        elif table == "assessments":
            is_of_month = month <= row["starts_on"] <= month_end
        if table != "patients" and not is_of_month and row["fact_id"] not in named:
            continue
        found.setdefault(table, []).append(_fact(row, files, is_decisive=row["fact_id"] in named))
    return found


def _fact(row: Row, files: dict[int, Row], *, is_decisive: bool = False, short_of: Sequence[str] = ()) -> dict[str, Any]:
    """A row of patient_facts as it is told; `short_of` says why it does not do, where it nearly would."""
    return {
        "table": row["table_name"],
        "fact_id": row["fact_id"],
        "kind": row["kind"],
        "from": row["starts_on"],
        "to": row["ends_on"],
        "affirmed": row["is_affirmed"],
        "member_id": row["member_id"],
        "condition_groups": row["condition_groups"],
        "is_decisive": is_decisive,
        "short_of": list(short_of),
        "landed": _landed(row, files),
    }


# The farthest that any program looks back for a visit (rule_programs), and enough to see the others.
_LOOKED_BACK = timedelta(days=3 * 366)
_MOST_VISITS = 10
_NEAREST = {
    "no_part_b": ("coverages", "medicare_part_b"),
    "fewer_than_two_conditions": ("conditions", None),
    "no_consent": ("consents", None),
    "no_care_plan": ("care_plans", None),
}


def _nearest(source: Source, key: list[Any], evidence: Row, files: dict[int, Row]) -> dict[str, list[dict[str, Any]]]:
    """Of gates that apply for want of a row: the rows that come nearest, and what each is short of. A gate without such a row has none."""
    month = key[2]
    month_end = month.replace(day=calendar.monthrange(month.year, month.month)[1])
    rows = source.rows(
        "select * from patient_facts where practice_id = ? and patient_id = ? order by starts_on nulls first, fact_id", key[:2]
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for reason in evidence["findings"]:
        if reason == "no_initiating_visit":
            found[reason] = _visits(source, evidence, rows, files, month_end)
        elif reason in _NEAREST:
            table, kind = _NEAREST[reason]
            own = [row for row in rows if row["table_name"] == table and kind in (None, row["kind"])]
            ended = [row for row in own if row["ends_on"] is not None and row["ends_on"] < month]
            ahead = [row for row in own if row["starts_on"] is not None and row["starts_on"] > month_end]
            found[reason] = [
                *(
                    _fact(row, files, short_of=["ended before the month"])
                    for row in sorted(ended, key=lambda row: row["ends_on"])[-1:]
                ),
                *(_fact(row, files, short_of=["begins after the month"]) for row in ahead[:1]),
            ]
    return found


def _visits(source: Source, evidence: Row, rows: list[Row], files: dict[int, Row], month_end: date) -> list[dict[str, Any]]:
    """The practice's own visits of the last years and the next to come, or its other services where there was none, and what each is short of
    (int_patient_months__visits decides)."""
    day = evidence["consented_on"] or month_end
    codes = source.rows("select * from rule_initiating_visits")
    programs = source.rows("select * from rule_programs where program = ?", [evidence["program"]])
    # Packets of an earlier release may lack the columns.
    looked_back = [
        row.get(name)
        for row in programs
        if is_in_force(row, month_end)
        for name in ("visit_days_before_consent", "service_days_before_consent")
    ]
    most = max((int(days) for days in looked_back if days is not None), default=None)
    services = [row for row in rows if row["table_name"] == "services" and row["kind"].endswith(" own_practice")]
    own = [row for row in services if not row["kind"].startswith("WITHDRAWN ")]
    told = []
    for row in own:
        procedure = row["kind"].split()[0]
        listed = [code for code in codes if code["procedure_code"] == procedure and is_in_force(code, row["starts_on"])]
        is_established = any(code["is_established_patient"] for code in listed) or row["starts_on"] > own[0]["starts_on"]
        if day - row["starts_on"] <= _LOOKED_BACK and row["starts_on"] <= month_end:
            short_of = [] if listed else [f"{procedure} is no code of an initiating visit"]
            short_of += _short_of(row, evidence, day, most, is_established)
            told.append((bool(listed), _fact(row, files, short_of=short_of)))
    is_any_listed = any(is_listed for is_listed, _ in told)
    shown = [fact for is_listed, fact in told if is_listed or not is_any_listed][-_MOST_VISITS:]
    listed_codes = {code["procedure_code"] for code in codes}
    ahead = [row for row in own if row["starts_on"] > month_end and row["kind"].split()[0] in listed_codes]
    return [*shown, *(_fact(row, files, short_of=["after the month"]) for row in ahead[:1])]


def _short_of(row: Row, evidence: Row, day: date, most: int | None, is_established: bool) -> list[str]:
    """What a service lacks to begin care management, whatever its code. `day`: the consent's, or the month's last; `most`: days that it may lie before."""
    since_when = f"the consent of {day}" if evidence["consented_on"] else "the month's end (there is no consent)"
    practitioner = evidence["billing_practitioner_id"]
    lacking = []
    if most is not None and (day - row["starts_on"]).days > most:
        lacking.append(f"more than {most} days before {since_when}")
    if practitioner is None or row["member_id"] != practitioner:
        lacking.append(
            f"by {row['member_id'] or 'nobody named'}, where {practitioner or 'nobody named'} bills (a colleague of the same specialty may do)"
        )
    if not row["is_affirmed"] and row["starts_on"] > day:
        lacking.append(f"after {since_when}, and care management was not discussed at it")
    elif not row["is_affirmed"] and not is_established:
        lacking.append("of a patient new to the practice, and care management was not discussed at it")
    return lacking


def _flags(source: Source, flags: list[str], answers: list[Row]) -> list[Row]:
    rows = source.rows("select flag, meaning, citation from rule_flags where list_contains(?, flag) order by flag", [flags])
    return [row | {"answers": [one for one in answers if one["meaning"] in _ANSWERED_FLAGS.get(row["flag"], ())]} for row in rows]


def _answers(source: Source, key: list[Any]) -> list[Row]:
    """What the payers say of the patient's coverage that touches the month and still stands, with the file that says it; of a packet: stood at the close."""
    told = "answers.meaning, answers.is_covered, answers.starts_on, answers.ends_on, answers.answered_on"
    where = """
        where answers.practice_id = $practice and answers.patient_id = $patient
            and (answers.starts_on is null or answers.starts_on < cast($month as date) + interval 1 month)
    """
    sql = f"""
        select {told}, files.sha256 as file_sha256
        from coverage_answers as answers
        inner join answer_files as files on answers.transaction_id // 100000 = files.file_id
        {where} and answers.is_in_force order by answers.answered_on, answers.transaction_id, answers.position
    """
    if source.packet is not None:
        sql = f"select {told}, answers.file_sha256 from coverage_answers as answers {where} order by all"
    cursor = source.connection.execute(sql, {"practice": key[0], "patient": key[1], "month": key[2]})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _gates(
    source: Source,
    evidence: Row,
    decision: Row,
    facts: dict[str, list[dict[str, Any]]],
    items: list[Row],
    minutes: Row,
    answers: list[Row],
    nearest: Mapping[str, list[dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Every reason in order: whether it applies, whether it is the one that decides, and the facts to look at."""
    gates = []
    applying = set(evidence["findings"])
    for rule in source.rows("select * from rule_decision_reasons order by precedence"):
        # A packet of an earlier release may lack the columns that only explain.
        looked_at = rule.get("evidence") or ""
        seen: list[Any] = facts.get(looked_at, [])
        if looked_at == "nights":
            seen = [{"newest night": evidence["newest_night"]}]
        elif looked_at == "care_team":
            named = ("billing_practitioner_id", "practitioner_credential", "practitioner_npi")
            seen = [{name: evidence[name] for name in named} | _departure(source, evidence)]
        elif looked_at == "time_entries":
            seen = [{"credited minutes": minutes["credited_minutes"], "undocumented items": len(items)}]
        near = {fact["fact_id"]: fact for fact in nearest.get(rule["reason"], ())}
        seen = [*(near.pop(one.get("fact_id"), one) for one in seen), *near.values()]
        applies = rule["reason"] in applying
        gates.append(
            {
                "reason": rule["reason"],
                "applies": applies,
                "decides": rule["reason"] == decision["reason"],
                "decision": rule["decision"],
                "meaning": rule.get("meaning") or "",
                "remedy": rule.get("remedy") or "",
                "citation": rule["citation"],
                "evidence": seen,
                "answers": [row for row in answers if row["meaning"] in _ANSWERED.get(rule["reason"], ())] if applies else [],
            }
        )
    return gates


def _departure(source: Source, evidence: Row) -> dict[str, Any]:
    """Of a practitioner who left the care team before the month: the last team that had them and the first without them, with its file where that is known."""
    # Marts and packets of an earlier release do not say.
    if evidence.get("practitioner_gone_on") is None:
        return {}
    nights = {"last_seen": evidence["practitioner_seen_on"], "gone": evidence["practitioner_gone_on"]}
    sql = "select landed_path from landed_files where practice_id = ? and table_name = 'care_team' and extract_date = ? and is_in_force"
    files = {name: source.one(sql, [evidence["practice_id"], night]) for name, night in nights.items()}
    return {name: {"night": night, "file": (files[name] or {}).get("landed_path")} for name, night in nights.items()}


def _entries(
    source: Source, key: list[Any], zone: ZoneInfo, files: dict[int, Row], basis: str | None, practitioner_id: str | None
) -> list[dict[str, Any]]:
    """Each entry with its seconds of the month by disposition, and whether the chosen track counts them, in the order of the clock."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in source.rows(
        """
        select ledger.entry_id, ledger.disposition, ledger.seconds, rules.meaning, rules.citation, rules.step
        from minute_ledger as ledger inner join rule_dispositions as rules on ledger.disposition = rules.disposition
        where ledger.practice_id = ? and ledger.patient_id = ? and ledger.month = ? order by ledger.entry_id, rules.precedence
        """,
        key,
    ):
        parts.setdefault(row["entry_id"], []).append({name: row[name] for name in row if name != "entry_id"})
    rows = source.rows(
        "select * from time_entry_facts where practice_id = ? and list_contains(?, entry_id) order by coalesce(start_at, end_at, recorded_at), entry_id",
        [key[0], list(parts)],
    )
    entries = []
    for row in rows:
        counted = counted_dispositions(basis, row["member_id"] == practitioner_id)
        entries.append(
            {
                "entry_id": row["entry_id"],
                "member_id": row["member_id"],
                "credential": row["credential"],
                "program": row["program"],
                "activity": row["activity"],
                "entry_method": row["entry_method"],
                "start": _local(row["start_at"], zone),
                "end": _local(row["end_at"], zone),
                "local_day": row["local_day_on"],
                "elapsed_seconds": row["elapsed_seconds"],
                "note_id": row["note_id"],
                "note_length": row["note_length"],
                "note_sha256": row["note_sha256"],
                "recorded_at": _local(row["recorded_at"], zone),
                "updated_at": _local(row["updated_at"], zone),
                "versions": row["versions"],
                "first_landed_on": row["first_landed_on"],
                "landed": _landed(row, files),
                "seconds": [part | {"is_counted": part["disposition"] in counted} for part in parts[row["entry_id"]]],
            }
        )
    return entries


def _local(instant: Any, zone: ZoneInfo) -> str | None:
    """The wall clock of the practice at a UTC instant, with its offset; as it is where no clock of Python's reaches (a null date of 0001 elsewhere)."""
    if instant is None:
        return None
    try:
        return str(instant.replace(tzinfo=UTC).astimezone(zone).isoformat(sep=" "))
    except (OverflowError, TypeError):  # an instant of before the year 1 comes as text
        return f"{instant} UTC"


def _candidates(source: Source, practice_id: str, evidence: Row, decision: Row) -> list[dict[str, Any]]:
    """The tracks that the minutes reach, in the order of the practice's policy, each code with the arithmetic of its price."""
    share = evidence["payment_share"] if evidence["payment_share"] is not None else Decimal("1.00")
    month = decision["month"]
    last_day = month.replace(day=calendar.monthrange(month.year, month.month)[1])
    tracks: dict[str, dict[str, Any]] = {}
    for code in json.loads(evidence["candidates"], parse_float=Decimal):
        rules = source.rows(
            "select * from rule_track_choice where track_policy = ? and program = ? and track = ?",
            [source.practice["track_policy"], evidence["program"], code["track"]],
        )
        (rule,) = (rule for rule in rules if is_in_force(rule, last_day))  # int_tracks__chosen joins it
        basis = "national amount" if rule["amount_basis"] == "national" else "practice's own amount"
        track = tracks.setdefault(
            code["track"],
            {
                "track": code["track"],
                "place": code["place"],
                "minutes": code["minutes"],
                "service_date": code["service_date"],
                "is_chosen": code["track"] == decision["track"],
                "why": f"group {rule['choice_group']} of policy {rule['track_policy']}, then the dearest at the {basis}, ties to rank {rule['tie_rank']}",
                "citation": rule["citation"],
                "codes": [],
                "allowed_amount": Decimal(0),
                "national_amount": Decimal(0),
            },
        )
        price = source.one(
            """
            select * from fee_schedule_prices
            where practice_id = ? and procedure_code = ? and service_date = ? and payment_share = ?
            """,
            [practice_id, code["procedure_code"], code["service_date"], share],
        )
        cap = source.one(
            "select max_units, citation from rule_caps where procedure_code = ? and ? between effective_from and coalesce(effective_to, date '9999-12-31')",
            [code["procedure_code"], last_day],  # int_candidates joins it
        )
        track["codes"].append(
            {
                "code": code["procedure_code"],
                "units": code["units"],
                "is_capped": code["is_capped"],
                "cap": cap and cap["max_units"],
                "unit_amount": _money(code["unit_amount"]),
                "allowed_amount": _money(code["allowed_amount"]),
                "arithmetic": _arithmetic(price, source.practice) if price else "no fee schedule release covers this date",
                "releases": price and {"rvu": price["rvu_release"], "gpci": price["gpci_release"]},
                "citation": cap and cap["citation"],
            }
        )
        for total in ("allowed_amount", "national_amount"):
            track[total] = None if code[total] is None or track[total] is None else track[total] + _money(code[total])
    return sorted(tracks.values(), key=lambda track: track["place"])


def _money(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value)).quantize(Decimal("0.01"))


def _arithmetic(price: Row, practice: Mapping[str, Any]) -> str:
    if price["unit_amount"] is None:
        place = f"the GPCIs of MAC {practice['mac']} {fee_state(practice)} {practice['locality']}"
        parts = {"work_rvu": "its RVUs", "work_gpci": place, "conversion_factor": "the conversion factor"}
        lacking = " and ".join(name for part, name in parts.items() if price[part] is None)
        return f"no fee schedule release covers this date: {lacking} lack"
    share = f" x {price['payment_share']}" if price["payment_share"] != 1 else ""
    return (
        f"({price['work_rvu']} x {price['work_gpci']} + {price['practice_expense_rvu']} x {price['pe_gpci']} + "
        f"{price['malpractice_rvu']} x {price['malpractice_gpci']}) x {price['conversion_factor']}{share} = {price['unit_amount']}"
    )


def _unresolved(source: Source, key: list[Any]) -> list[Row]:
    """Items of the work list for time that is in question: overlapping entries of a member and timers that ran too long. A packet has no work list."""
    if source.packet is not None:
        return []
    return source.rows(
        """
        select item_id, kind, minutes, dollars_at_stake, detail, last_day from worklist
        where practice_id = ? and patient_id = ? and month = ? and kind in ('staff_overlap', 'runaway_timer') order by item_id
        """,
        key,
    )


def _next_unit(minutes: Row, items: list[Row]) -> dict[str, Any] | None:
    """How many minutes are missing for the next unit of the staff track, and what lies undocumented; None at the cap."""
    if minutes["minutes_to_next_unit"] is None:
        return None
    return {
        "minutes_missing": minutes["minutes_to_next_unit"],
        "undocumented_minutes": sum(item["minutes"] for item in items),
        "dollars_at_stake": sum((item["dollars_at_stake"] for item in items), Decimal(0)),
    }


def _claim(source: Source, key: list[Any]) -> dict[str, Any] | None:
    if source.packet is not None:
        lines = claim_lines(source.packet, key[1])
        return {"claim_id": lines[0]["claim_id"], "close_version": source.manifest["version"], "lines": lines} if lines else None
    claim = source.one("select * from claims where practice_id = ? and patient_id = ? and month = ?", key)
    return claim and {name: claim[name] for name in claim if name not in ("practice_id", "patient_id", "month")}


def kept_back(source: Source, key: list[Any], decision: Row) -> Row | None:
    """Why a close does not send a claim that the rules let through; None where it does. Live: by the newest close of the month."""
    from orchestration.transform.office import held_of

    practice_id, patient_id, month = key
    if decision["decision"] != "claimable":
        return None
    if source.packet is not None:
        row: Any = held_row(source.packet, patient_id)
        version = source.manifest["version"]
    else:
        row = next((one for one in held_of(source.house, practice_id, month) if one["patient_id"] == patient_id), None)
        version = row and row["close_version"]
    if row is None or row["reason"] not in ("claim_error", "quarantined_facts"):
        return None
    if source.packet is None and row["reason"] == "quarantined_facts" and not _is_hidden(source, *key):
        return None  # mended or accepted since: the next close sends it
    at_stake = Decimal(row["dollars_at_stake"])
    return {"close_version": version, "reason": row["reason"], "detail": row["detail"], "dollars_at_stake": at_stake}


def _is_hidden(source: Source, practice_id: str, patient_id: str, month: date) -> bool:
    holds = source.rows(
        "select * from close_holds where practice_id = ? and patient_id = ? and kind = 'quarantined_row' and not is_accepted",
        [practice_id, patient_id],
    )
    return any(is_held(hold, month) for hold in holds)


# What is told of a claim that went out; a packet's history has further columns.
_TOLD_OF_A_CLAIM = (
    "claim_id", "close_version", "status", "submitted_on", "answered_on", "billed_amount", "paid_amount", "denial_codes", "remark_codes",
    "rejection_codes",
)  # fmt: skip


NOTHING_LEFT: Row = {"patient_amount": None, "deductible_amount": None}  # a packet, or marts of an earlier release, do not say it


def left_to_the_patient(source: Source, practice_id: str, claim_id: str) -> Row:
    """Dollars of a claim that its payer left to the patient or the next payer, and what of these is the deductible; none where nothing stands of it."""
    found = source.one(
        """
        select sum(patient_amount) as patient_amount, sum(deductible_amount) as deductible_amount
        from claim_line_payments where practice_id = ? and claim_id = ?
        """,
        [practice_id, claim_id],
    )
    return found or NOTHING_LEFT


def answers(source: Source, key: list[Any]) -> list[Row]:
    """What payers said of each claim of the patient-month that went out; of the one that stands also the likely causes and what helps. Of a packet: of
    the claims before it, as it was known then."""
    tables = {row["name"] for row in source.rows("select table_name as name from information_schema.tables")}
    # Marts of an earlier release have the claims that stand alone.
    claims = "claim_history" if "claim_history" in tables else "claims"
    # What decides nothing is no answer, and has its cause all the same.
    is_told = "answered_on is not null" + (
        " or claim_id in (select claim_id from claim_denials)" if "claim_denials" in tables else ""
    )
    told = source.rows(
        f"""
        select {", ".join(_TOLD_OF_A_CLAIM)} from {claims}
        where practice_id = ? and patient_id = ? and month = ? and ({is_told}) order by close_version, claim_id
        """,
        key,
    )
    for claim in told:
        claim.update(left_to_the_patient(source, key[0], claim["claim_id"]) if "claim_line_payments" in tables else NOTHING_LEFT)
        claim["causes"] = (
            source.rows(
                """
                select denial_code, likely_cause, fix, bool_or(is_appealable) as is_appealable, sum(amount) as amount
                from claim_denials where practice_id = ? and claim_id = ? group by denial_code, likely_cause, fix order by all
                """,
                [key[0], claim["claim_id"]],
            )
            if "claim_denials" in tables
            else []
        )
    return told


def _answers_since(source: Source, key: list[Any]) -> list[Row] | None:
    """Of a packet: what payers have said since of this and later claims of the patient-month. None where that is not known; nothing of the live marts."""
    if source.packet is None:
        return []
    known = [(claim["claim_id"], claim["status"], claim["answered_on"]) for claim in answers(source, key)]
    with since(source) as live:
        if live is None:
            return None
        return [claim for claim in answers(live, key) if (claim["claim_id"], claim["status"], claim["answered_on"]) not in known]


def _decided_now(source: Source, key: list[Any]) -> Row | None:
    """Where the claim that stands was turned back: the decision by the marts as they are published now, which alone says whether another goes out, and
    what the close keeps back of it. None otherwise, and where no marts can be read."""
    with nullcontext(source) if source.packet is None else since(source) as live:
        row = (
            live.one(
                """
                select decisions.decision, decisions.reason, rules.meaning, rules.remedy, rules.citation
                from patient_month_decisions as decisions
                inner join claims using (practice_id, patient_id, month)
                inner join rule_decision_reasons as rules on decisions.reason = rules.reason
                where practice_id = ? and patient_id = ? and month = ? and claims.status = 'rejected'
                """,
                key,
            )
            if live
            else None
        )
        return row and row | {"kept_back": kept_back(live, key, row)}


TOLD_OF_A_CHANGE = (
    "claim_id", "kind", "claimed_codes", "claimed_service_date", "claimed_amount", "codes_now", "service_date_now", "amount_now", "reasons", "found_on",
    "due_on", "latest_due_on",
)  # fmt: skip


def _changed_since(source: Source, key: list[Any]) -> Row | None:
    """What would be claimed by what is known now, where it is not what went out; of a packet, too, by the marts as they are published now."""
    with nullcontext(source) if source.packet is None else since(source) as live:
        row = (
            live.one("select * from post_close_changes where practice_id = ? and patient_id = ? and month = ?", key)
            if live
            else None
        )
        # Marts of an earlier release have no dates.
        return {name: row.get(name) for name in TOLD_OF_A_CHANGE} if row else None


def _close(source: Source, patient_id: str) -> dict[str, Any] | None:
    """What a frozen packet says of its own close; None for the live marts."""
    if source.packet is None:
        return None
    return {
        "version": source.manifest["version"],
        "control_number": source.manifest["control_number"],
        "claim_file": "claims.837" if "claims.837" in source.manifest["outputs"] else None,
        "claim_file_sha256": source.manifest["outputs"].get("claims.837"),
        "inputs_sha256": source.manifest["outputs"]["inputs.zip"],
        "approved_by": source.approval["approved_by"],
        "approved_at": source.approval["approved_at"],
        "waiver": source.approval["waiver"],
        "held": held_row(source.packet, patient_id),
        "software": source.manifest["software"],
        "retention_until": _retention(date.fromisoformat(source.manifest["newest_night"])),
    }


def _retention(night: date) -> date:
    """Ten years, the longer of the retention periods of rules.md B7."""
    try:
        return night.replace(year=night.year + 10)
    except ValueError:
        return night.replace(year=night.year + 10, day=28) + timedelta(days=1)
