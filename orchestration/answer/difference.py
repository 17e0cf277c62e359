"""What became of a practice's month between two states of it (packets, or the live marts), and which row did it.

Works on the tables that packets and marts share (explain.source). Nothing is judged again: both sides were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from orchestration.answer.claimed import changes_since, claims_that_stand, lines_that_stand, reasons_kept_back, waiver_of
from orchestration.answer.explain.source import Row, Source
from orchestration.answer.explain.story import subject_of
from orchestration.answer.explain.text import changed
from orchestration.answer.rule_rows import differing_rules
from orchestration.house import HouseError
from orchestration.mapping.sql import line_of
from orchestration.practices import next_month

# What of a fact or an entry is its content; the rest is where it landed.
_FACT = ("kind", "starts_on", "ends_on", "is_affirmed", "member_id", "condition_groups")
_ENTRY = (
    "patient_id", "member_id", "program", "activity", "is_face_to_face", "start_at", "end_at", "elapsed_seconds", "is_documented", "is_voided",
)  # fmt: skip
# What the care team says of whoever logged it.
_MEMBER = ("credential", "active_from", "active_to")


@dataclass(frozen=True)
class Change:
    """One patient-month that differs. `causes`: the entries, facts, rule rows and settings that differ and concern it."""

    patient_id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    causes: tuple[str, ...]

    @property
    def dollars(self) -> Decimal:
        return Decimal(self.after["allowed_amount"] or 0) - Decimal(self.before["allowed_amount"] or 0)


@dataclass(frozen=True)
class Difference:
    """All that differs between two states of one practice's month."""

    practice_id: str
    month: date
    before: str
    after: str
    changes: tuple[Change, ...]
    claimed_as_drafted: int
    rules: tuple[str, ...]
    settings: tuple[str, ...]
    nights: tuple[date, date]
    totals: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def compare(before: Source, after: Source, practice_id: str, month: date) -> Difference:
    """Patient-months whose decision, reason, minutes, codes, amount or claim differ, each with what did it."""
    old, new = _patient_months(before, practice_id, month), _patient_months(after, practice_id, month)
    pairs = {patient_id: (old.get(patient_id, _NONE), new.get(patient_id, _NONE)) for patient_id in sorted(old.keys() | new.keys())}
    claimed = [patient_id for patient_id, (one, other) in pairs.items() if _went_out(one, other)]
    differing = [patient_id for patient_id, (one, other) in pairs.items() if one != other and patient_id not in set(claimed)]
    entries = _entries(before, after, practice_id, month)
    facts = _facts(before, after, practice_id, month, differing)
    visits = _visits(before, after, practice_id, month)
    practitioners = _practitioners(before, after, practice_id, month)
    taxonomies = _taxonomies(before, after, practice_id, month)
    rules = differing_rules(before, after, month)
    codes = _codes(*old.values(), *new.values())
    settings = tuple(_settings(before.practice, after.practice))
    nights = _night(before, practice_id), _night(after, practice_id)
    past = _passed(before, after, nights, month)
    silent = [
        f"{source.name} has nothing of the month: no extract speaks of it"
        for source, rows in ((before, old), (after, new))
        if all(row["decision"] is None for row in rows.values())
    ]
    still = [_still_in_question(source, practice_id, month) for source in (before, after)]
    changes = []
    for patient_id in differing:
        one, other = pairs[patient_id]
        causes = [cause for found in (entries, visits, practitioners, taxonomies, facts) for cause in found.get(patient_id, ())]
        # What a close, a payer or a night's passing did, it did whatever else of the patient changed.
        states = _claiming(before, after, one, other, practice_id, month)
        if _is_released(one, other, past, [patient_id in side for side in still]):
            states += _elsewhere(nights)
        fees = rules.fees_of(_codes(one, other) or codes) if _is_priced_otherwise(one, other) else []
        if silent:
            causes = [*entries.get(patient_id, ()), *silent]
        # What no row of the patient explains was done by the passing of nights, a rule, a setting or another patient's row.
        if not causes and not (states and _is_same_work(one, other)):
            elsewhere = [*rules.rules, *fees, *settings] or list(rules.ended)
            if nights[0] == nights[1] or not _waited(one, other):
                causes = elsewhere or _elsewhere(nights)
            else:
                # What is too late is worth nothing, whatever its codes are worth.
                causes = _elsewhere(nights) + ([] if _is_late(one, other) or _is_same_work(one, other) else elsewhere)
        elif (
            one["codes"] == other["codes"] and one["allowed_amount"] != other["allowed_amount"] and patient_id not in practitioners
        ):
            causes += fees
        owed = [row["change"] for row in (one, other) if row["change"]]
        changes.append(Change(patient_id, one, other, tuple(dict.fromkeys([*causes, *states, *owed]))))
    return Difference(
        practice_id, month, before.name, after.name, tuple(changes), len(claimed), (*rules.rules, *rules.ended, *rules.fees_of(codes)), settings, nights,
        _totals(old.values(), new.values()),
    )  # fmt: skip


def _went_out(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """A claim that went out as it was drafted: no difference but that a close claimed it."""
    is_claimed = one["decision"] == "claimable" and other["decision"] == "claimed" and one["claim_id"] == other["claim_id"]
    return is_claimed and other["change"] is None and _is_same_work(one, other)


def _is_same_work(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether minutes, track, codes and amount are the same, whatever is decided and claimed of them."""
    return all(one[name] == other[name] for name in ("track", "allowed_amount", "credited_seconds", "codes"))


def _codes(*rows: Mapping[str, Any]) -> set[str]:
    """The procedure codes of these patient-months, without their units."""
    return {code.partition(" ")[0] for row in rows for code in row["codes"]}


def _is_priced_otherwise(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether prices can have done it: another track, code or amount, or time in question that would change a claim on one side alone."""
    is_in_question = [row["reason"] in ("undocumented_time", "unresolved_time") for row in (one, other)]
    return is_in_question[0] != is_in_question[1] or any(one[name] != other[name] for name in ("track", "codes", "allowed_amount"))


def _waited(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether it is of those that the passing of nights decides."""
    return "held" in (one["decision"], other["decision"]) or _is_late(one, other)


def _is_late(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["reason"] == "timely_filing") != (other["reason"] == "timely_filing")


def _claiming(
    before: Source, after: Source, one: Mapping[str, Any], other: Mapping[str, Any], practice_id: str, month: date
) -> list[str]:
    """What a close that kept the claim back or sent it did, or a payer that turned it back. Nothing but a rejection takes a claim back (rules.md A5)."""
    said = []
    is_forward = _age(before) < _age(after)
    if one["claim_id"] != other["claim_id"]:
        earlier, later = (one, other) if is_forward else (other, one)
        if later["claim_id"] is None:
            said.append(
                "the payer turned its claim back unprocessed" if is_forward else "the payer had not yet turned its claim back"
            )
        else:
            version = later["close_version"]
            is_held = "held" in (one["decision"], other["decision"])
            waiver = waiver_of(before.house, practice_id, month, version) if is_held else None
            anew = f" anew, the payer had turned {earlier['claim_id']} back unprocessed" if earlier["claim_id"] else ""
            said.append(
                f"v{version} claimed it{anew}{f' under the waiver: {waiver}' if waiver else ''}"
                if is_forward
                else f"{after.name} is of before v{version} claimed it{anew}"
            )
    elif one["decision"] == "claimed" != other["decision"] and not is_forward:
        said.append(f"{after.name} is of before a close claimed it")
    for source, row in ((before, one), (after, other)):
        if row["kept_back"] and one["kept_back"] != other["kept_back"]:
            said.append(f"{source.name}: the close kept it back, {row['kept_back']}")
    return said


def _age(source: Source) -> float:
    """Versions in the order of their closes; the live marts are after all of them."""
    return float("inf") if source.packet is None else float(source.manifest["version"])


def _passed(before: Source, after: Source, nights: tuple[date, date], month: date) -> tuple[bool, bool]:
    """Whether a night between the two ended the month, and the time for which something of it is held (rules.md A6b)."""
    first_day = next_month(month)
    is_over = [night >= first_day for night in nights]
    is_final = [
        night >= first_day + timedelta(days=int(source.practice["close"]["final_day"]) - 1)
        for source, night in zip((before, after), nights, strict=True)
    ]
    return is_over[0] != is_over[1], is_final[0] != is_final[1]


def _is_released(one: Mapping[str, Any], other: Mapping[str, Any], past: tuple[bool, bool], still: list[bool]) -> bool:
    """Whether the night's passing let go what one side holds: the month ended, or the final day came and its time is in question as it was."""
    if (one["decision"] == "held") == (other["decision"] == "held"):
        return False
    reason = (one if one["decision"] == "held" else other)["reason"]
    return past[0] if reason == "month_open" else past[1] and all(still)


def _still_in_question(source: Source, practice_id: str, month: date) -> set[str]:
    """Patients with undocumented time that would change a claim, or with unresolved time, whatever day it is."""
    rows = source.rows(
        """
        select patient_id from undocumented_time where practice_id = ? and month = ? and dollars_at_stake <> 0
        union
        select patient_id from minute_ledger
        where practice_id = ? and month = ? and disposition in ('staff_overlap', 'runaway_timer') and seconds > 0
        """,
        [practice_id, month, practice_id, month],
    )
    return {row["patient_id"] for row in rows}


_NONE: Mapping[str, Any] = {
    "decision": None, "reason": None, "track": None, "allowed_amount": Decimal(0), "credited_seconds": 0, "codes": [], "claim_id": None,
    "close_version": None, "kept_back": None, "change": None,
}  # fmt: skip


def _patient_months(source: Source, practice_id: str, month: date) -> dict[str, Row]:
    """What each patient-month comes to, and its claim. Of the live marts the codes and amount of what went out are those of the claim, whatever prices and
    policies are by now, or where it no longer stands as it went out, what may be claimed now."""
    rows = source.rows(
        """
        select decisions.patient_id, decisions.decision, decisions.reason, decisions.track, decisions.allowed_amount, minutes.credited_seconds,
            coalesce(codes.codes, []) as codes
        from patient_month_decisions as decisions
        inner join patient_month_minutes as minutes using (practice_id, patient_id, month)
        left join (
            select practice_id, patient_id, month, list(procedure_code || ' x ' || units order by procedure_code) as codes
            from claimable_codes group by practice_id, patient_id, month
        ) as codes using (practice_id, patient_id, month)
        where practice_id = ? and month = ?
        """,
        [practice_id, month],
    )
    found = {row.pop("patient_id"): row for row in rows}
    claims, owed = claims_that_stand(source, practice_id, month), changes_since(source, practice_id, month)
    sent = lines_that_stand(source, practice_id, month)
    kept = reasons_kept_back(source, practice_id, month, found)
    # Of a patient-month that no extract speaks of any more the claim is left.
    for patient_id in claims.keys() | found.keys():
        row, claim, back, change = (
            found.setdefault(patient_id, {**_NONE}),
            claims.get(patient_id),
            kept.get(patient_id),
            owed.get(patient_id),
        )
        row |= {
            "claim_id": claim and claim["claim_id"],
            "close_version": claim and claim["close_version"],
            "kept_back": back and f"{back['reason']}: {back['detail']}",
            "change": change and changed(change),
        }
        if claim and claim["claim_id"] in sent:
            row |= {name: sent[claim["claim_id"]][name] for name in ("codes", "allowed_amount")}
        if change:
            row |= {"codes": change["codes_now"], "allowed_amount": change["amount_now"]}
    return found


def _entries(before: Source, after: Source, practice_id: str, month: date) -> dict[str, list[str]]:
    sql = """
        select entries.*, files.landed_path, files.sha256, seconds.seconds
        from time_entry_facts as entries
        inner join landed_files as files on entries.practice_id = files.practice_id and entries.file_id = files.file_id
        inner join (
            select practice_id, entry_id, map(list(disposition order by disposition), list(seconds order by disposition)) as seconds
            from minute_ledger where practice_id = ? and month = ? group by practice_id, entry_id
        ) as seconds on entries.practice_id = seconds.practice_id and entries.entry_id = seconds.entry_id
    """
    old, new = ({row["entry_id"]: row for row in source.rows(sql, [practice_id, month])} for source in (before, after))
    teams = _team(before, practice_id), _team(after, practice_id)
    found: dict[str, list[str]] = {}
    for entry_id in sorted(old.keys() | new.keys()):
        one, other = old.get(entry_id), new.get(entry_id)
        if one is None or other is None:
            row = other or one
            assert row is not None
            said = [f"entry {entry_id} {'is new' if one is None else 'is gone'}: {_seconds(row)}, {_where(row)}"]
        else:
            said = []
            if changed := ", ".join(f"{name} {one[name]} -> {other[name]}" for name in _ENTRY if one[name] != other[name]):
                said = [f"entry {entry_id}: {changed}, {_where(other)}"]
            elif one["seconds"] != other["seconds"]:
                said = [f"entry {entry_id} counts otherwise: {_seconds(one)} -> {_seconds(other)}"]
            said += _of_member(one, other, teams)
        for patient_id in {row["patient_id"] for row in (one, other) if row is not None}:
            found.setdefault(patient_id, []).extend(said)
    return found


def _of_member(one: Row, other: Row, teams: tuple[Mapping[str, Row], Mapping[str, Row]]) -> list[str]:
    """What the care team says otherwise of who logged an entry, where the entry counts otherwise or names another credential. What a side's care team does
    not say, its entry does."""
    member = one["member_id"]
    if member != other["member_id"] or (one["seconds"], one["credential"]) == (other["seconds"], other["credential"]):
        return []
    then, now = (team.get(member, {"credential": row["credential"]}) for row, team in zip((one, other), teams, strict=True))
    changed = ", ".join(
        f"{name} {then[name]} -> {now[name]}" for name in _MEMBER if name in then and name in now and then[name] != now[name]
    )
    return [f"care_team {member}: {changed}{_where_told(now)}"] if changed else []


def _team(source: Source, practice_id: str) -> dict[str, Row]:
    """member_id -> what the care team says, and the row that says so. Marts of an earlier release do not have it."""
    if not source.rows("select 1 from information_schema.tables where table_name = 'member_facts'"):
        return {}
    files = "" if source.packet else "inner join landed_files as files using (practice_id, file_id)"
    return {
        row["member_id"]: row for row in source.rows(f"select * from member_facts {files} where practice_id = ?", [practice_id])
    }


def _seconds(row: Row) -> str:
    return ", ".join(f"{disposition} {seconds} s" for disposition, seconds in row["seconds"].items())


def _where(row: Row) -> str:
    return f"{row['landed_path']} line {line_of(row['line_number'])} (sha256 {(row['sha256'] or 'none')[:12]})"


def _where_told(member: Row) -> str:
    return f", {_where(member)}" if "landed_path" in member else ""


def _visits(before: Source, after: Source, practice_id: str, month: date) -> dict[str, list[str]]:
    """Appointments and calls without time that only one side has: they are no facts, and stand in their items."""
    sql = """
        select patient_id, item_id, kind, entry_id, appointment_id, minutes from undocumented_time
        where practice_id = ? and month = ? and entry_id is null order by item_id
    """
    old, new = ({row["item_id"]: row for row in source.rows(sql, [practice_id, month])} for source in (before, after))
    found: dict[str, list[str]] = {}
    for item_id in sorted(old.keys() ^ new.keys()):
        row = old.get(item_id) or new[item_id]
        said = f"{row['kind']} {subject_of(row, month)} is {'gone' if item_id in old else 'new'}: {row['minutes']} minutes"
        found.setdefault(row["patient_id"], []).append(said)
    return found


_OF_A_PRACTITIONER = ("practitioner_credential", "practitioner_npi", "payment_share", "practitioner_gone_on")


def _practitioners(before: Source, after: Source, practice_id: str, month: date) -> dict[str, list[str]]:
    """What the care team says otherwise of the same billing practitioner."""
    sql = "select * from patient_month_evidence where practice_id = ? and month = ?"
    old, new = ({row["patient_id"]: row for row in source.rows(sql, [practice_id, month])} for source in (before, after))
    found = {}
    for patient_id in old.keys() & new.keys():
        one, other = old[patient_id], new[patient_id]
        # A packet of an earlier release does not say who left.
        changed_columns = [name for name in _OF_A_PRACTITIONER if name in one and name in other and one[name] != other[name]]
        if one["billing_practitioner_id"] == other["billing_practitioner_id"] and changed_columns:
            said = ", ".join(f"{name} {one[name]} -> {other[name]}" for name in changed_columns)
            found[patient_id] = [f"care_team {one['billing_practitioner_id']}: {said}"]
    return found


def _taxonomies(before: Source, after: Source, practice_id: str, month: date) -> dict[str, list[str]]:
    """What the care team says otherwise of the specialty of the billing practitioner, or of whoever made the initiating visit, where another visit is that,
    or none: a colleague's counts where both have one taxonomy."""
    then, now = _team(before, practice_id), _team(after, practice_id)
    # Marts of an earlier release do not say it.
    others = {
        member_id: f"care_team {member_id}: taxonomy_code {then[member_id]['taxonomy_code']} -> {row['taxonomy_code']}{_where_told(row)}"
        for member_id, row in now.items()
        if "taxonomy_code" in row
        and "taxonomy_code" in then.get(member_id, {})
        and then[member_id]["taxonomy_code"] != row["taxonomy_code"]
    }
    if not others:
        return {}
    sql = """
        select evidence.patient_id, evidence.initiating_service_id, evidence.initiated_on, evidence.billing_practitioner_id, visits.member_id
        from patient_month_evidence as evidence
        left join patient_facts as visits
            on
                evidence.practice_id = visits.practice_id and evidence.patient_id = visits.patient_id
                and visits.table_name = 'services' and evidence.initiating_service_id = visits.fact_id
        where evidence.practice_id = ? and evidence.month = ?
    """
    old, new = ({row["patient_id"]: row for row in source.rows(sql, [practice_id, month])} for source in (before, after))
    found = {}
    for patient_id in old.keys() & new.keys():
        sides = old[patient_id], new[patient_id]
        if all(len({side[name] for side in sides}) == 1 for name in ("initiating_service_id", "initiated_on")):
            continue
        concerned = {side[name] for side in sides for name in ("billing_practitioner_id", "member_id")}
        found[patient_id] = [said for member_id, said in others.items() if member_id in concerned]
    return found


def _facts(before: Source, after: Source, practice_id: str, month: date, patients: list[str]) -> dict[str, list[str]]:
    sql = """
        select facts.*, files.landed_path, files.sha256
        from patient_facts as facts
        inner join landed_files as files on facts.practice_id = files.practice_id and facts.file_id = files.file_id
        where facts.practice_id = ? and list_contains(?, facts.patient_id) and coalesce(facts.starts_on <= last_day(cast(? as date)), true)
    """

    def by_fact(source: Source) -> dict[tuple[str, ...], Row]:
        found: dict[tuple[str, ...], Row] = {}
        for row in source.rows(sql, [practice_id, patients, month]):
            # A coverage has no key: it is what it says.
            said = (
                [str(row[name]) for name in ("kind", "starts_on", "ends_on", "is_affirmed")]
                if row["table_name"] == "coverages"
                else [row["fact_id"]]
            )
            found[row["patient_id"], row["table_name"], *said] = row
        return found

    old, new = by_fact(before), by_fact(after)
    causes: dict[str, list[str]] = {}
    for key in sorted(old.keys() | new.keys()):
        one, other = old.get(key), new.get(key)
        row = other or one
        assert row is not None
        name = f"{row['table_name']} {row['kind'] if row['table_name'] == 'coverages' else row['fact_id']}"
        if one is None or other is None:
            said = f"{name} {'is new' if one is None else 'is gone'}: {row['kind']} {row['starts_on'] or '...'} to {row['ends_on'] or '...'}, {_where(row)}"
        elif any(one[column] != other[column] for column in _FACT):
            changed = ", ".join(f"{column} {one[column]} -> {other[column]}" for column in _FACT if one[column] != other[column])
            said = f"{name}: {changed}, {_where(other)}"
        else:
            continue
        causes.setdefault(key[0], []).append(said)
    return causes


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"practices.yaml {name}: {before.get(name)} -> {after.get(name)}"


def _night(source: Source, practice_id: str) -> date:
    """The newest night that a side knows, whether its extracts still speak of the month or not. Raises HouseError where the live marts have none."""
    if source.packet is not None:
        return date.fromisoformat(source.manifest["newest_night"])
    found = source.one("select newest_night from practice_nights where practice_id = ?", [practice_id])
    if found is None:
        raise HouseError(f"{practice_id}: no night of it is published; land one and run `ccm nightly`")
    night: date = found["newest_night"]
    return night


def _elsewhere(nights: tuple[date, date]) -> list[str]:
    if nights[0] != nights[1]:
        return [f"the newest night went from {nights[0]} to {nights[1]}, which moves what is held, open or filed in time"]
    return ["a row of another patient (a member's overlapping time, a shared note)"]


def _totals(old: Iterable[Row], new: Iterable[Row]) -> dict[str, tuple[Any, Any]]:
    def sums(rows: Iterable[Row]) -> dict[str, Any]:
        kept = list(rows)
        return {
            "claims": sum(row["claim_id"] is not None for row in kept),
            "patient-months with a code": sum(bool(row["codes"]) for row in kept),
            "credited minutes": sum(row["credited_seconds"] for row in kept) // 60,
            "allowed": sum((row["allowed_amount"] or Decimal(0) for row in kept), Decimal(0)),
        }

    one, other = sums(old), sums(new)
    return {name: (one[name], other[name]) for name in one}
