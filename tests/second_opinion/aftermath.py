"""What later facts make of claims that went out (interface.md section 6; data_contracts/marts/post_close_changes; ADR 37, 38 and 40)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from . import rules
from .calendars import day_of, first_of_month, last_of_month, one_year_after
from .judge import Candidate, Entry, Judge, day_reached, read_entry
from .landing import KEY, WITHOUT_KEY
from .prices import to_cents

Row = dict[str, Any]
Codes = dict[str, int]


@dataclass(frozen=True)
class Claim:
    """A claim that went out: units and allowed dollars of each code. `alternatives`: the codes of each track that qualified when it was closed, the claimed
    one among them. `closed_on`: the newest night that its close knew. `answer`: `paid`, `denied` or `rejected` (turned back unprocessed), with the day,
    what was paid, and what of the allowed amount the payer left to the patient's deductible."""

    practice_id: str
    patient_id: str
    month: date
    claim_id: str
    codes: Codes
    amounts: dict[str, Decimal]
    service_date: date
    alternatives: tuple[Codes, ...]
    closed_on: date
    answer: str | None = None
    answered_on: date | None = None
    paid: Decimal = Decimal(0)
    deductible: Decimal = Decimal(0)

    @property
    def amount(self) -> Decimal:
        return sum(self.amounts.values(), Decimal(0))


@dataclass(frozen=True)
class Change:
    """A claim that is another by what is known now. `found_on`: the nights that can be called the first which showed it. `paid_too`: other claims of the
    month, turned back and paid after all."""

    claim: Claim
    codes: Codes
    amount: Decimal
    service_date: date | None
    reasons: list[str]
    found_on: frozenset[date]
    paid_too: tuple[Claim, ...] = ()

    @property
    def claimed(self) -> Decimal:
        return sum((one.amount for one in self.paid_too), self.claim.amount)

    @property
    def paid(self) -> Decimal:
        return sum((one.paid for one in self.paid_too), self.claim.paid)

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

    @staticmethod
    def _amount(claim: Claim, now: Candidate) -> Decimal:
        """What the claim has keeps its price."""
        total = Decimal(0)
        for code, units in now.codes:
            unit = claim.amounts[code] / claim.codes[code] if code in claim.codes else now.unit_allowed[code]
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

    def found_on(self, claim: Claim, reasons: list[str]) -> frozenset[date]:
        """The first night after the close that brought another row of the patient, or of their practitioner, in an extract that tells of it, or time of a
        member with somebody else at the same time; else the first night after it."""
        tables = {rules.EVIDENCE[reason] for reason in reasons}.union(*(rules.EVIDENCE_TOO.get(reason, ()) for reason in reasons))
        is_of_time = not reasons or "below_threshold" in reasons
        if is_of_time:
            tables |= rules.EVIDENCE_OF_TIME
        if set(claim.codes) & rules.APCM_CODES:
            tables.add("conditions")
        surely: set[date] = set()
        perhaps: set[date] = set()
        if is_of_time:
            for nights, around in ((surely, 0), (perhaps, 2)):
                nights.update(self._nights_of_time(claim, around))
            surely |= set(self._nights_of_visits(claim, may_come=not reasons))
        for table in tables - {"time_entries"}:
            if table == "services":
                of_services = self.beside(claim)
                surely |= {night for reason in reasons for night in of_services.get(reason, []) if night > claim.closed_on}
                if "no_initiating_visit" not in reasons:
                    continue
                versions = self.judge.landing.service_versions
                surely |= set(self._nights_of_rows(claim, versions, lambda row: row["service_date"] <= last_of_month(claim.month)))
            elif table == "care_team":
                surely |= set(self._nights_that_say_otherwise(claim, table, "member_id", self._practitioners(claim)))
            elif table == "taxonomies":
                whose = self._practitioners(claim) | self._visited(claim)
                surely |= set(
                    self._nights_that_say_otherwise(claim, "care_team", "member_id", whose, ["member_id", "taxonomy_code"])
                )
            else:
                surely |= set(self._nights_that_say_otherwise(claim, table, "patient_id", {claim.patient_id}))
        twice = self.paid_too(claim)
        if twice:  # since the day by which both were paid
            surely.add(max(one.answered_on for one in (claim, *twice) if one.answered_on))
        later = self._nights_after(claim)
        first = min(surely, default=min(later, default=self.judge.newest_night))
        return frozenset({first, *(night for night in perhaps if night < first or not surely)})

    def _practitioners(self, claim: Claim) -> set[str]:
        """Whoever the panel has named as the patient's billing practitioner."""
        rows = (row for file in self.judge.landing.files["patients"].values() for row in file.rows)
        return {row["billing_practitioner_id"] for row in rows if row["patient_id"] == claim.patient_id}

    def _visited(self, claim: Claim) -> set[str]:
        """Whoever has been named as the one who saw the patient."""
        versions = self.judge.landing.service_versions.values()
        return {row["member_id"] for of_key in versions for _, row in of_key if row["patient_id"] == claim.patient_id}

    def _nights_of_time(self, claim: Claim, around: int) -> Iterator[date]:
        """Nights that tell of the patient's time in the month, and so many days around it."""
        versions = self.judge.landing.time_entry_versions
        yield from self._nights_of_rows(claim, versions, lambda row: self._lies_in(row, claim.month, around))
        yield from self._nights_of_time_beside(claim, around)
        rows = [row for of_key in versions.values() for _, row in of_key if row["patient_id"] == claim.patient_id]
        members = {row["member_id"] for row in rows if self._lies_in(row, claim.month, around)}
        yield from self._nights_that_say_otherwise(claim, "care_team", "member_id", members)

    def _nights_of_visits(self, claim: Claim, may_come: bool) -> Iterator[date]:
        """Nights that tell of a visit from which on time counts, or of what shows before the month that the patient was known: of those that the close knew,
        and where time may be more, of visits that come."""
        for of_key in self.judge.landing.service_versions.values():
            mine = [
                (night, row["procedure_code"] in rules.INITIATING_VISITS)
                for night, row in of_key
                if row["patient_id"] == claim.patient_id
                and row["service_date"] <= last_of_month(claim.month)
                and (row["service_date"] < claim.month or row["procedure_code"] in rules.INITIATING_VISITS)
            ]
            told_on = min((night for night, _ in mine), default=date.max)
            if told_on <= claim.closed_on or (may_come and any(is_visit for _, is_visit in mine)):
                yield from (night for night, _ in of_key if night >= told_on and night > claim.closed_on)

    def _nights_after(self, claim: Claim) -> list[date]:
        nights = {night for files in self.judge.landing.files.values() for night in files}
        return sorted(night for night in nights if night > claim.closed_on)

    @staticmethod
    def _nights_of_rows(claim: Claim, versions: dict[str, list[tuple[date, Row]]], tells: Callable[[Row], bool]) -> Iterator[date]:
        """Nights with a row that tells of the patient-month, or takes the place of one that did."""
        for of_key in versions.values():
            told = False
            for night, row in sorted(of_key, key=lambda version: version[0]):
                told = told or (row["patient_id"] == claim.patient_id and tells(row))
                if told and night > claim.closed_on:
                    yield night

    def _nights_of_time_beside(self, claim: Claim, around: int) -> Iterator[date]:
        """Nights that tell of an entry by which a member was with somebody else while they were with the patient, which counts for neither; or of what has
        become of such an entry."""
        entries = {
            key: [(night, read_entry(row, self.judge.zone)) for night, row in sorted(of_key, key=lambda version: version[0])]
            for key, of_key in self.judge.landing.time_entry_versions.items()
        }
        mine = [
            one
            for of_key in entries.values()
            for _, one in of_key
            if one.patient_id == claim.patient_id and self._lies_in(one.row, claim.month, around)
        ]
        for of_key in entries.values():
            told = False
            for night, other in of_key:
                is_another = other.patient_id != claim.patient_id and not other.voided
                told = told or (is_another and any(one.entry_id != other.entry_id and are_beside(one, other) for one in mine))
                if told and night > claim.closed_on:
                    yield night

    def _lies_in(self, row: Row, month: date, around: int) -> bool:
        at = next(row[name] for name in ("started_at", "ended_at", "recorded_at") if row[name] is not None)
        day = day_of(self.judge.zone, at)
        return month - timedelta(days=around) <= day <= last_of_month(month) + timedelta(days=around)

    def _nights_that_say_otherwise(
        self, claim: Claim, table: str, column: str, whose: set[str], telling: list[str] | None = None
    ) -> Iterator[date]:
        """Snapshots after the close in which somebody's rows are others than in the last one the close knew."""

        def said(night: date) -> list[str]:
            rows = [row for row in self.judge.landing.files[table][night].rows if row[column] in whose]
            if table not in WITHOUT_KEY:
                rows = list({row[KEY[table]]: row for row in rows}.values())
            return sorted(str([row[name] for name in telling or rules.TELLING_COLUMNS[table]]) for row in rows)

        nights = sorted(self.judge.landing.files[table])
        known = [said(night) for night in nights if night <= claim.closed_on]
        for night in nights:
            if night > claim.closed_on and said(night) != (known[-1] if known else []):
                yield night


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
        if row["found_on"] not in change.found_on:
            found.append(f"{name}: found_on: expected {sorted(map(str, change.found_on))}, actual {row['found_on']}")
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
    missing = to_cents(max(change.amount - claim.deductible, Decimal(0)) * rules.MEDICARE_PART) - change.paid
    of_the_patient = claim.deductible - change.amount
    is_done = {
        None: False,
        "denied": True,
        "paid": not change.is_of_another_day_alone and max(abs(missing), of_the_patient) < rules.TOO_LITTLE_TO_ASK,
    }[claim.answer]
    if is_done or (kind == "reopening_due" and newest_night > last_day):
        wanted = []
    else:
        wanted = [(kind, f"{kind}:{claim.claim_id}", expected["due_on"], last_day, dollars)]
    listed = [(i["kind"], i["item_id"], i["due_on"], i["last_day"], i["dollars_at_stake"]) for i in items]
    if listed != wanted:
        yield f"on the work list: expected {wanted}, actual {listed}"
