"""What later facts make of claims that went out (interface.md section 6; data_contracts/marts/post_close_changes; ADR 37, 38 and 40)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from . import rules
from .calendars import days_of_month, first_of_month, last_of_month, one_year_after
from .judge import Candidate, Entry, Judge, day_reached, is_documented, read_entry
from .landing import KEY, WITHOUT_KEY
from .prices import to_cents

Row = dict[str, Any]
Codes = dict[str, int]


@dataclass(frozen=True)
class Claim:
    """A claim that went out: units and allowed dollars of each code. `alternatives`: the codes of each track that qualified when it was closed, the claimed
    one among them. `closed_on`: the newest night that its close knew. `settings`: the practice as it was then. `answer`: `paid`, `denied` or `rejected` (turned
    back unprocessed), with the day, what was paid, and what of the allowed amount the payer left to the patient's deductible."""

    practice_id: str
    patient_id: str
    month: date
    claim_id: str
    codes: Codes
    amounts: dict[str, Decimal]
    service_date: date
    alternatives: tuple[Codes, ...]
    closed_on: date
    settings: Row
    answer: str | None = None
    answered_on: date | None = None
    paid: Decimal = Decimal(0)
    deductible: Decimal = Decimal(0)

    @property
    def amount(self) -> Decimal:
        return sum(self.amounts.values(), Decimal(0))


@dataclass(frozen=True)
class Change:
    """A claim that is another by what is known now. `found_on`: the night that is called the first which showed it. `paid_too`: other claims of the
    month, turned back and paid after all."""

    claim: Claim
    codes: Codes
    amount: Decimal
    service_date: date | None
    reasons: list[str]
    found_on: date
    paid_too: tuple[Claim, ...] = ()

    @property
    def claimed(self) -> Decimal:
        return sum((one.amount for one in self.paid_too), self.claim.amount)

    @property
    def paid(self) -> Decimal:
        return sum((one.paid for one in self.paid_too), self.claim.paid)

    @property
    def deductible(self) -> Decimal:
        return sum((one.deductible for one in self.paid_too), self.claim.deductible)

    @property
    def is_of_another_day_alone(self) -> bool:
        return self.codes == self.claim.codes and not self.paid_too

    @property
    def kind(self) -> str:
        return "reopen" if self.amount > self.claimed or self.is_of_another_day_alone else "refund"


def claims_of(judge: Judge, month: date, but: Iterable[tuple[str, date]] = ()) -> Iterator[Claim]:
    """The claims that a close of the month sends by what the judge knows."""
    for patient_id in sorted(judge.landing.patients):
        decision, _, chosen, found = judge.decide(patient_id, month) if month in judge.months else ("", "", None, [])
        if decision != "claimable" or not chosen or (patient_id, month) in set(but):
            continue
        if any(chosen.unit_allowed[code] is None for code, _ in chosen.codes):
            continue  # without a price it stays in the house
        yield Claim(
            judge.practice["practice_id"],
            patient_id,
            month,
            f"{judge.practice['practice_id'].replace('-', 'X')}X{patient_id}X{month:%Y%m}".upper(),
            dict(chosen.codes),
            {code: (chosen.unit_allowed[code] or Decimal(0)) * units for code, units in chosen.codes},
            chosen.service_date,
            tuple(dict(one.codes) for one in found),
            judge.newest_night,
            judge.practice,
        )


class Aftermath:
    """One practice's claims, judged again by what it knows now."""

    def __init__(self, judge: Judge, claims: list[Claim]):
        self.judge = judge
        self.claims = claims

    def changes(self) -> Iterator[Change]:
        # What was turned back claims nothing; of a month that went out again the paid claim stands for as long as the other one is undecided.
        going = [claim for claim in self.claims if claim.answer != "rejected"]
        going.sort(key=lambda claim: (claim.answer == "paid", claim.closed_on))
        for claim in {(claim.patient_id, claim.month): claim for claim in going}.values():
            found = self.change(claim)
            if found:
                yield found

    def change(self, claim: Claim) -> Change | None:
        judge, key = self.judge, (claim.patient_id, claim.month)
        if claim.patient_id not in judge.landing.patients or claim.month not in judge.months:
            return self._changed(claim, {}, Decimal(0), None, [])  # no extract speaks of it any more
        found = judge.candidates(*key, judge.reached[key])
        reasons = self.reasons(claim, found)
        if reasons:
            return self._changed(claim, {}, Decimal(0), None, reasons)
        now = self._now(claim, found)
        day = self.service_date(claim, now)
        codes = dict(now.codes)
        if codes == claim.codes and day == claim.service_date and not self.paid_too(claim):
            return None
        return self._changed(claim, codes, self._amount(claim, now), day, [])

    def reasons(self, claim: Claim, found: list[Candidate]) -> list[str]:
        """All that stands against the claim, in order."""
        eligibility = self.judge.eligibility_by_facts(claim.patient_id, claim.month)
        return [
            *([eligibility] if eligibility != "eligible" else []),
            *(
                reason
                for reason in self.judge.findings(claim.patient_id, claim.month)
                if reason not in rules.REASONS_OF_SERVICES or reason in self.beside(claim)
            ),
            *(["below_threshold"] if not found else []),
        ]

    def beside(self, claim: Claim) -> dict[str, list[date]]:
        """Reasons that services of the month give, each with the nights since which they say so. As many units of a code as were claimed, those that the
        practice's own system listed first, are the claims themselves."""
        claimed: Counter[str] = Counter()
        for other in self.claims:
            if (other.patient_id, other.month) == (claim.patient_id, claim.month) and other.answer != "rejected":
                claimed.update(other.codes)
        found: dict[str, list[date]] = defaultdict(list)
        billed: Counter[str] = Counter()
        services = self.judge.conflicts_by_service(claim.patient_id, claim.month)
        dated = [(self._listed_on(row, reason), row["service_id"], row, reason) for row, reason in services if reason]
        for night, _, row, reason in sorted(dated, key=lambda one: one[:2]):
            if row["billed_by"] == "own_practice":
                code = row["procedure_code"]
                billed[code] += 1 if row["units"] is None else row["units"]
                if billed[code] <= claimed[code]:
                    continue
            found[reason].append(night)
        return found

    def _listed_on(self, service: Row, reason: str) -> date:
        """The first of the nights since which a service says what is said of it now; of what bars as the practitioner's own bill, since which the panel also
        names them."""
        is_own_bill = reason in rules.REASONS_OF_OWN_BILLS

        def said(row: Row) -> tuple[Any, ...]:
            units = 1 if row["units"] is None else row["units"]
            whose = row["member_id"] if is_own_bill else None
            return row["patient_id"], row["procedure_code"], units, first_of_month(row["service_date"]), row["billed_by"], whose

        versions = self.judge.landing.service_versions[service["service_id"]]
        then = {
            night: max((one for one in versions if one[0] <= night), key=lambda one: (one[1]["updated_at"], one[0]))[1]
            for night, _ in versions
        }
        listed_on = since({night: said(row) == said(service) for night, row in then.items()})
        if not is_own_bill:
            return listed_on
        named = {
            night: row["billing_practitioner_id"] == service["member_id"]
            for night, file in self.judge.landing.files["patients"].items()
            for row in file.rows
            if row["patient_id"] == service["patient_id"]
        }
        return max(listed_on, since(named))

    def _now(self, claim: Claim, found: list[Candidate]) -> Candidate:
        """What would be claimed now: what was claimed, where only the choice among what qualified then is another."""
        chosen = self.judge.choose(found)
        assert chosen
        same = [one for one in found if dict(one.codes) == claim.codes]
        return same[0] if same and dict(chosen.codes) in claim.alternatives else chosen

    def _amount(self, claim: Claim, now: Candidate) -> Decimal:
        """What the claim has keeps its price. Another code has that of the place of service, the locality and the participation that the claim went out with,
        for whoever bills by now."""
        credential = self.judge.credential(self.judge.practitioner_of(claim.patient_id))
        total = Decimal(0)
        for code, units in now.codes:
            if code in claim.codes:
                unit: Decimal | None = claim.amounts[code] / claim.codes[code]
            else:
                unit = self.judge.reference.unit_allowed(claim.settings, credential, code, now.service_date)
            total += (unit or Decimal(0)) * units
        return total

    def service_date(self, claim: Claim, now: Candidate) -> date:
        """The claimed day, where the service of now may be claimed on it."""
        key = (claim.patient_id, claim.month)
        may_be = self.judge.is_service_day(claim.patient_id, claim.service_date)
        if now.track == "apcm":
            start = self.judge.enrollment(*key).start_of_service
            is_reached = start is None or claim.service_date >= start
        else:
            _, minutes, add_on, step, _ = rules.band(now.track, last_of_month(claim.month))
            pool = self.judge.reached[key]
            moments = pool.practitioner if now.track.endswith("_practitioner") else pool.everybody
            seconds = (minutes + dict(now.codes).get(add_on, 0) * step) * 60
            is_reached = day_reached(moments, seconds) <= claim.service_date
        return claim.service_date if may_be and is_reached else now.service_date

    def _changed(self, claim: Claim, codes: Codes, amount: Decimal, day: date | None, reasons: list[str]) -> Change:
        return Change(claim, codes, amount, day, reasons, self.found_on(claim, reasons), self.paid_too(claim))

    def paid_too(self, claim: Claim) -> tuple[Claim, ...]:
        of_month = [one for one in self.claims if (one.patient_id, one.month) == (claim.patient_id, claim.month)]
        return tuple(one for one in of_month if one.answer == "paid" and one != claim)

    # ---- since when it could be seen

    def found_on(self, claim: Claim, reasons: list[str]) -> date:
        """The first night after the close on which what tells of it says something else of the month than the close knew, else the first night after it."""
        tells = {rules.EVIDENCE[reason] for reason in reasons}.union(*(rules.EVIDENCE_TOO.get(reason, ()) for reason in reasons))
        if not reasons or "below_threshold" in reasons:
            tells |= rules.EVIDENCE_OF_TIME
        if set(claim.codes) & rules.APCM_CODES:
            tells.add("conditions")
        of_services = self.beside(claim)
        nights = {night for reason in reasons for night in of_services.get(reason, []) if night > claim.closed_on}
        if "no_initiating_visit" in reasons:
            nights |= self._nights_of_keys(
                claim, "services", lambda row: self._visit(claim, row, "any service"), may_come=lambda _: False
            )
        views: dict[str, Callable[[date], Any]] = {
            "deaths": lambda night: self._last_death(claim, night),
            "practitioners": lambda night: self._named(claim, night),
            "care_team": lambda night: self._team(claim, self._billing(claim), night, ["credential", "npi"], may_leave=True),
            "taxonomies": lambda night: self._team(claim, self._colleagues(claim), night, ["taxonomy_code"]),
            "time_team": lambda night: self._team(claim, self._loggers(claim), night, ["credential", "active_from", "active_to"]),
            **{
                table: lambda night, table=table: self._of_the_month(claim, table, night, not reasons)  # type: ignore[misc]
                for table in ("coverages", "conditions", "consents", "care_plans", "assessments", "stays")
            },
        }
        for tell in tells & set(views):
            known = views[tell](claim.closed_on)
            nights |= {night for night in self._nights_after(claim) if views[tell](night) != known}
        if "time_entries" in tells:
            mine = self._entries_of(claim)
            nights |= self._nights_of_keys(claim, "time_entries", lambda row: self._time(claim, row))
            nights |= self._nights_of_keys(claim, "time_entries", lambda row: self._time_beside(claim, row, mine))
            if "no_initiating_visit" not in reasons:
                nights |= self._nights_of_keys(
                    claim,
                    "services",
                    lambda row: self._visit(claim, row, "before"),
                    may_come=lambda row: not reasons and self._visit(claim, row, ""),
                )
        twice = self.paid_too(claim)
        if twice:  # since the day by which both were paid
            nights.add(max(one.answered_on for one in (claim, *twice) if one.answered_on))
        return min(nights, default=min(self._nights_after(claim), default=self.judge.newest_night))

    def _nights_after(self, claim: Claim) -> list[date]:
        nights = {night for files in self.judge.landing.files.values() for night in files}
        return sorted(night for night in nights if night > claim.closed_on)

    def _nights_of_keys(
        self, claim: Claim, table: str, says: Callable[[Row], Any], may_come: Callable[[Row], Any] = lambda _: True
    ) -> set[date]:
        """Nights that made a row by its key say something else than it said at the close; where it said nothing then (None), what may come."""
        landing = self.judge.landing
        found = set()
        for versions in (landing.time_entry_versions if table == "time_entries" else landing.service_versions).values():
            if not any(says(row) for _, row in versions):
                continue
            known = as_of(versions, claim.closed_on)
            before = says(known) if known else None
            for night in {night for night, _ in versions if night > claim.closed_on}:
                row = as_of(versions, night)
                if row and says(row) != before and (before or may_come(row)):
                    found.add(night)
        return found

    # What is read of a row, as far as it is about the claim's month; None: nothing.

    def _time(self, claim: Claim, row: Row) -> Any:
        entry = read_entry(row, self.judge.zone)
        days = {entry.day, *(day for day, _ in entry.moments)}
        if row["voided"] or row["patient_id"] != claim.patient_id or not any(first_of_month(day) == claim.month for day in days):
            return None
        what = [row[name] for name in ("member_id", "program", "activity", "face_to_face")]
        return [*what, is_documented(row), entry.fault, entry.day, entry.start, entry.end, entry.seconds]

    def _entries_of(self, claim: Claim) -> list[Entry]:
        versions = self.judge.landing.time_entry_versions.values()
        return [read_entry(row, self.judge.zone) for of_key in versions for _, row in of_key if self._time(claim, row)]

    def _time_beside(self, claim: Claim, row: Row, mine: list[Entry]) -> Any:
        """Time by which a member was with somebody else while they were with the patient, which counts for neither."""
        if row["voided"] or row["patient_id"] == claim.patient_id:
            return None
        other = read_entry(row, self.judge.zone)
        is_so = any(one.entry_id != other.entry_id and are_beside(one, other) for one in mine)
        return [row["member_id"], other.start, other.end] if is_so else None

    def _visit(self, claim: Claim, row: Row, other: str) -> Any:
        """An initiating visit; of others, which show that the patient was known, their day: of `any service`, of those `before` the month, or of none."""
        day, code = row["service_date"], row["procedure_code"]
        is_own = row["billed_by"] == "own_practice" and code != "WITHDRAWN"
        if row["patient_id"] != claim.patient_id or not is_own or day > last_of_month(claim.month):
            return None
        if code in rules.INITIATING_VISITS:
            return [day, code, row["member_id"], bool(row["ccm_discussed"])]
        return day if other == "any service" or (other == "before" and day < claim.month) else None

    def _panel_row(self, claim: Claim, night: date) -> Row | None:
        rows = [
            row
            for when, file in sorted(self.judge.landing.files["patients"].items())
            for row in file.rows
            if when <= night and row["patient_id"] == claim.patient_id
        ]
        return rows[-1] if rows else None

    def _last_death(self, claim: Claim, night: date) -> Any:
        row = self._panel_row(claim, night)
        died = row and row["deceased_date"]
        return max(died, claim.month - timedelta(days=1)) if died and died < last_of_month(claim.month) else None

    def _named(self, claim: Claim, night: date) -> Any:
        row = self._panel_row(claim, night)
        return row and row["billing_practitioner_id"]

    def _billing(self, claim: Claim) -> set[str]:
        """Whoever has been the patient's billing practitioner since the close."""
        return {name for night in (claim.closed_on, *self._nights_after(claim)) if (name := self._named(claim, night))}

    def _loggers(self, claim: Claim) -> set[str]:
        return {entry.member_id for entry in self._entries_of(claim)}

    def _colleagues(self, claim: Claim) -> set[str]:
        """Of visits that the close knew of and that somebody else than the billing practitioner of then or later made: both."""
        found: set[str] = set()
        for versions in self.judge.landing.service_versions.values():
            for night, row in versions:
                if night <= claim.closed_on and self._visit(claim, row, ""):
                    for practitioner in self._billing(claim) - {row["member_id"]}:
                        found |= {practitioner, row["member_id"]}
        return found

    def _team(self, claim: Claim, whose: set[str], night: date, columns: list[str], may_leave: bool = False) -> Any:
        """What the care team last said of some of its members by that night; who has left it for good is nobody, if they may not."""
        teams = {when: file for when, file in sorted(self.judge.landing.files["care_team"].items()) if when <= night}
        last = {row["member_id"]: row for file in teams.values() for row in file.rows if row["member_id"] in whose}
        gone = {name for name in last if may_leave and self._has_left(name, night)}
        return {name: None if name in gone else [row[column] for column in columns] for name, row in last.items()}

    def _has_left(self, member_id: str, night: date) -> bool:
        landing = self.judge.landing
        return any(
            landing.last_seen[member_id] < when <= night and file.rows and not file.bad_member_ids & {member_id, ""}
            for when, file in landing.files["care_team"].items()
        )

    def _of_the_month(self, claim: Claim, table: str, night: date, is_of_level: bool) -> Any:
        """What the patient's rows of a snapshot say of the month: of the newest one, or of who has left the panel of the newest while they were on it."""
        landing, month = self.judge.landing, set(days_of_month(claim.month))
        here = [when for when, ids in landing.snapshots.items() if when <= night and claim.patient_id in ids]
        panels = [when for when in landing.snapshots if when <= night]
        until = night if here and max(here) == max(panels) else max(here, default=date.min)
        files = [when for when in landing.files[table] if when <= until]
        rows = landing.files[table][max(files)].rows if files else []
        if table not in WITHOUT_KEY:
            rows = list({row[KEY[table]]: row for row in rows}.values())
        found = set()
        for row in rows:
            if row["patient_id"] == claim.patient_id:
                said = self._said(table, row, month)
                # QMB makes a level of APCM, and stands against nothing.
                if said is not None and (
                    row.get("coverage_type") != "qmb" or (is_of_level and set(claim.codes) & rules.APCM_CODES)
                ):
                    found.add(tuple(said))
        return found

    @staticmethod
    def _said(table: str, row: Row, month: set[date]) -> Iterable[Any] | None:
        end = max(month)
        if table == "coverages":
            kind = row["coverage_type"]
            pays_first = row["priority"] == 1 and kind in rules.MAY_PAY_FIRST
            days = {day for day in month if row["effective_date"] <= day <= (row["termination_date"] or end)}
            is_read = pays_first or kind in ("medicare_part_b", "medicare_advantage", "qmb")
            return (
                [kind if kind in ("medicare_part_b", "medicare_advantage", "qmb") else "", pays_first, frozenset(days)]
                if is_read and days
                else None
            )
        if table == "stays":
            days = {day for day in month if row["admitted_on"] <= day <= (row["discharged_on"] or end)}
            is_read = row["stay_type"] in rules.FACILITY_STAYS
            return [row["stay_type"] == "hospice", frozenset(days)] if is_read and days else None
        if table == "conditions":
            listed_on = row["recorded_date"] or row["onset_date"] or date.min
            is_active = row["resolved_date"] > end if row["resolved_date"] else row["clinical_status"] == "active"
            return [row["icd10_code"].strip().upper().replace(".", "")] if listed_on <= end and is_active else None
        if table == "consents":
            revoked_on = row["revoked_on"] if row["revoked_on"] and row["revoked_on"] <= end else None
            what = [row[name] for name in ("consent_id", "program", "consented_on", "documented")]
            return [*what, revoked_on] if row["consented_on"] <= end else None
        if table == "assessments":
            is_of_month = row["assessed_on"] in month
            return [row["assessed_on"], row["mdm_level"], row["member_id"]] if is_of_month else None
        return [] if row["established_on"] <= end else None  # a care plan: any will do


def as_of(versions: list[tuple[date, Row]], night: date) -> Row | None:
    """The row in force on a night."""
    known = [one for one in versions if one[0] <= night]
    return max(known, key=lambda one: (one[1]["updated_at"], one[0]))[1] if known else None


def are_beside(one: Entry, other: Entry) -> bool:
    """One member's time that runs at the same moment."""
    if one.member_id != other.member_id or one.start is None or one.end is None or other.start is None or other.end is None:
        return False
    return one.start < other.end and other.start < one.end


def since(is_so: dict[date, bool]) -> date:
    """The first of the nights from which on it is so, as it is on the last of them."""
    otherwise = [night for night, so in is_so.items() if not so]
    return min(night for night in is_so if not otherwise or night > max(otherwise))


def shown_since(until: Callable[[date], Judge | None], change: Change, nights: Iterable[date]) -> date | None:
    """The first of the nights from which on every one shows the change as it is now, from the close on; None: the close itself shows it by now (a setting,
    a night that was landed late)."""
    since = None
    for night in sorted({change.claim.closed_on, *nights}, reverse=True):
        judge = until(night)
        then = judge and Aftermath(judge, [change.claim]).change(change.claim)
        if not then or (then.codes, then.reasons, then.service_date) != (change.codes, change.reasons, change.service_date):
            return since
        since = night
    return None


# ---- compared with what is published

ITEMS = {"refund_due", "reopening_due"}


def texts(codes: Codes) -> list[str]:
    return sorted(f"{code} x {units}" for code, units in codes.items())


def differences(changes: list[Change], published: list[Row], items: list[Row], newest: dict[str, date]) -> list[str]:
    """A message for each row and column in which the mart, or the work list about it, is another than the opinion. `items`: the list's rows of these kinds."""
    found: list[str] = []
    wanted = {(c.claim.practice_id, c.claim.patient_id, c.claim.month): c for c in changes}
    rows = {(row["practice_id"], row["patient_id"], row["month"]): row for row in published}
    if len(rows) != len(published):
        found.append("post_close_changes: published twice")
    listed: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for item in items:
        listed[item["practice_id"], item["patient_id"], item["month"]].append(item)
    for key in sorted(wanted.keys() | rows.keys() | listed.keys(), key=str):
        name = f"post_close_changes practice={key[0]} patient={key[1]} month={key[2]}"
        if key not in wanted:
            found.append(f"{name}: published, not expected: {rows.get(key) or listed[key]}")
            continue
        change = wanted[key]
        if key not in rows:
            found.append(f"{name}: expected, not published: {change}")
            continue
        row = rows[key]
        expected = row_of(change, row["found_on"])
        row = {**row, "claimed_codes": sorted(row["claimed_codes"])}
        found += [f"{name}: {c}: expected {v}, actual {row[c]}" for c, v in expected.items() if row[c] != v]
        if row["found_on"] != change.found_on:
            found.append(f"{name}: found_on: expected {change.found_on}, actual {row['found_on']}")
        found += [f"{name}: {text}" for text in _of_items(change, expected, listed[key], newest[key[0]])]
    return found


def row_of(change: Change, found_on: date) -> Row:
    """The mart's row, the days of the night that showed it counted on."""
    claim = change.claim
    reopened_by = one_year_after(claim.answered_on if claim.answered_on and claim.answer in ("paid", "denied") else claim.closed_on)
    refunded_by = found_on + timedelta(days=rules.REFUND_DAYS)
    is_refund = change.kind == "refund"
    investigated = found_on + timedelta(days=rules.INVESTIGATION_DAYS) if is_refund else None
    due_on = refunded_by if is_refund else min(refunded_by, reopened_by) if change.is_of_another_day_alone else reopened_by
    return {
        "claim_id": claim.claim_id,
        "claimed_amount": change.claimed,
        "amount_now": change.amount,
        "kind": change.kind,
        "due_on": due_on,
        "claimed_codes": sorted(text for one in (claim, *change.paid_too) for text in texts(one.codes)),
        "codes_now": texts(change.codes),
        "reasons": change.reasons,
        "claimed_service_date": claim.service_date,
        "service_date_now": change.service_date,
        "investigation_until_on": investigated,
        "latest_due_on": investigated + timedelta(days=rules.REFUND_DAYS) if investigated else reopened_by,
    }


def _of_items(change: Change, expected: Row, items: list[Row], newest_night: date) -> Iterator[str]:
    """A refund is on the list until no more is paid, or left to the deductible, than may be billed now, a reopening until that is paid or its year is over;
    neither of a claim that was denied. Of another day alone what was paid is lost."""
    claim = change.claim
    kind = "refund_due" if change.kind == "refund" else "reopening_due"
    last_day = expected["due_on"] if change.kind == "refund" else expected["latest_due_on"]
    dollars = -claim.paid if change.is_of_another_day_alone else change.amount - change.claimed
    missing = to_cents(max(change.amount - change.deductible, Decimal(0)) * rules.MEDICARE_PART) - change.paid
    # What is still owed back, or still to be asked for.
    open_amount = max(-missing, change.deductible - change.amount) if change.kind == "refund" else missing
    is_done = {
        None: False,
        "denied": True,
        "paid": not change.is_of_another_day_alone and open_amount < rules.TOO_LITTLE_TO_ASK,
    }[claim.answer]
    if is_done or (kind == "reopening_due" and newest_night > last_day):
        wanted = []
    else:
        wanted = [(kind, f"{kind}:{claim.claim_id}", expected["due_on"], last_day, dollars)]
    listed = [(i["kind"], i["item_id"], i["due_on"], i["last_day"], i["dollars_at_stake"]) for i in items]
    if listed != wanted:
        yield f"on the work list: expected {wanted}, actual {listed}"
