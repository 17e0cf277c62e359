"""`make fuzz-aftermath`: what later facts make of claims that went out, against the second opinion.

Practices close a month, some of them a second time later on; then facts land that were not known (`later_facts.py`). The claims are those of the opinion at the
night of the close, told to the models as lines of a packet, and the models are run over the lake without dbt. Every row of `post_close_changes` is
compared, and every item of the work list about one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow.parquet

from orchestration.house import House
from orchestration.payers.inbox import take_in_answers
from orchestration.practices import fee_state, load_practices
from orchestration.rules import seeds
from orchestration.take_in.lake import take_in
from orchestration.transform import compiled
from tests.answers import letters
from tests.holds import bench
from tests.properties.later_facts import ClosedClinic, practices
from tests.properties.nights import tell_the_models
from tests.properties.strategies import configure, next_month
from tests.second_opinion import rules
from tests.second_opinion.aftermath import Aftermath, Change, Claim, claims_of, differences, shown_since, texts
from tests.second_opinion.judge import Judge, judges
from tests.second_opinion.landing import Landing
from tests.second_opinion.prices import Reference, to_cents

MARTS = ("post_close_changes", "worklist")
PRICED_BY = ("place_of_service", "mac", "locality")  # of a practice's settings, as claim lines have them
CHANGES, ITEMS = "from post_close_changes", "from worklist where kind in ('refund_due', 'reopening_due')"
Row = dict[str, Any]


@dataclass
class Compared:
    """What was compared, and what differed. `told`: the changes by kind; `found`: how often a change is dated on the night that shows it, or
    before, and how often its days are over by then."""

    practices: int = 0
    claims: int = 0
    told: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def add(self, other: Compared) -> None:
        for mine, more in ((self.told, other.told), (self.reasons, other.reasons), (self.found, other.found)):
            mine.update(more)
        self.practices += other.practices
        self.claims += other.claims
        self.differences += other.differences

    def __str__(self) -> str:
        told = ", ".join(f"{number} {kind}" for kind, number in sorted(self.told.items()))
        return f"{self.practices} practices, {self.claims} claims, {told or 'no change'}, {len(self.differences)} disagreements"


@cache
def reference() -> Reference:
    return Reference(seeds.SEEDS)


@contextmanager
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection like dbt's with the rules and no home."""
    with duckdb.connect() as con:
        compiled.prepare(con)
        for path in sorted(seeds.SEEDS.rglob("*.csv")):
            bench.load(con, "rules", path)
        bench.load_settings(con)
        yield con


# ---- closes


def before_and_after(clinics: list[ClosedClinic], rng: Random) -> tuple[dict[Path, bytes], dict[Path, bytes]]:
    """Files that lie there at the close, and those that come, or come again, after it: later nights, late ones, corrected ones."""
    first: dict[Path, bytes] = {}
    second: dict[Path, bytes] = {}
    for clinic in clinics:
        earlier, closed = clinic.earlier_versions(), clinic.close_night
        late = {
            number
            for number in range(len(clinic.nights))
            if number in clinic.later or (0 < number != closed and rng.random() < 0.1)
        }
        for path, content in clinic.files().items():
            number = clinic.nights.index(date.fromisoformat(path.parts[1]))
            if number in late:
                second[path] = content
            elif path in earlier and number != closed:
                first[path], second[path] = earlier[path], content
            else:
                first[path] = content
    return first, second


def land(home: Path, clinics: list[ClosedClinic], files: dict[Path, bytes]) -> None:
    configure(home, list(clinics))
    for path, content in files.items():
        target = home / "landing" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def close(home: Path, seed: int, count: int) -> list[Claim]:
    """Lands everything; gives the claims as the opinion had them at each close: of the month, at times of the one before, and what a second close sends."""
    both, rng = list(practices(seed, count)), Random(seed)
    clinics = [clinic for clinic, _ in both]
    months, settings = {c.practice_id: c.month for c in clinics}, {c.practice_id: c.config for c in clinics}
    first, second = before_and_after(clinics, rng)
    for clinic, then in both:
        clinic.config = then
    land(home, clinics, first)
    claims: list[Claim] = []
    for judge in judges(home, reference()):
        month = months[judge.practice["practice_id"]]
        for one in (month, next_month(month, -1)) if rng.random() < 0.5 else (month,):
            claims += claims_of(judge, one)
    for clinic in clinics:
        clinic.config = settings[clinic.practice_id]
    land(home, clinics, second)
    for clinic in clinics:
        known = {(claim.patient_id, claim.month) for claim in claims if claim.practice_id == clinic.practice_id}
        if known and rng.random() < 0.3:
            until = clinic.nights[rng.choice(clinic.later)]
            landing = Landing(home / "landing" / clinic.practice_id, clinic.config["time_zone"], until)
            claims += claims_of(Judge(clinic.config, landing, reference(), known), clinic.month)
    claims = answered(claims, {clinic.practice_id: clinic.nights[-1] for clinic in clinics}, rng)
    return [*claims, *(again for clinic in clinics for again in sent_again(home, clinic, claims, rng))]


def sent_again(home: Path, clinic: ClosedClinic, claims: list[Claim], rng: Random) -> Iterator[Claim]:
    """Claims that went out once more after they had been turned back, and were; or were paid after all."""
    back = {(claim.patient_id, claim.month) for claim in claims if claim.practice_id == clinic.practice_id and claim.answer}
    if not back or rng.random() < 0.5:
        return
    until = clinic.nights[rng.choice(clinic.later)]
    judge = Judge(
        clinic.config, Landing(home / "landing" / clinic.practice_id, clinic.config["time_zone"], until), reference(), set()
    )
    for claim in claims:
        was_first = (claim.practice_id, claim.answer) in ((clinic.practice_id, "paid"), (clinic.practice_id, "rejected"))
        if was_first and claim.closed_on < until and rng.random() < 0.6:
            for again in claims_of(judge, claim.month):
                if again.patient_id == claim.patient_id:
                    is_paid = rng.random() < 0.5 and until + timedelta(days=5) <= clinic.nights[-1]
                    again = replace(again, claim_id=claim.claim_id + "B")
                    paid = sum((to_cents(amount * rules.MEDICARE_PART) for amount in again.amounts.values()), Decimal(0))
                    yield replace(again, answer="paid", answered_on=until + timedelta(days=5), paid=paid) if is_paid else again


def lines_of(claims: list[Claim]) -> list[Row]:
    """The claims as lines of packets; of a month's closes the later has the larger version."""
    nights: dict[tuple[str, date], list[date]] = {}
    for claim in claims:
        of_month = nights.setdefault((claim.practice_id, claim.month), [])
        of_month[:] = sorted({*of_month, claim.closed_on})
    return [
        {
            "practice_id": claim.practice_id, "patient_id": claim.patient_id, "month": claim.month, "claim_id": claim.claim_id,
            "line_id": line_id(claim, code), "close_version": 1 + nights[claim.practice_id, claim.month].index(claim.closed_on),
            "status": "submitted", "procedure_code": code, "units": units, "service_date": claim.service_date, "charge_amount": charge(claim, code),
            "allowed_amount": claim.amounts[code], "submitter_id": SUBMITTER, "control_number": 1, "transaction_number": 1, "tax_id": claim.practice_id,
            "beneficiary_key": claim.claim_id, "claimed_on": claim.closed_on, "alternatives": [", ".join(texts(one)) for one in claim.alternatives],
            **{name: claim.settings[name] for name in PRICED_BY}, "state": fee_state(claim.settings),
            "qualifying_apm_participant": claim.settings.get("qualifying_apm_participant", False),
        }
        for claim in claims
        for code, units in claim.codes.items()
    ]  # fmt: skip


# ---- answers

SUBMITTER = "NORTH01"


def line_id(claim: Claim, code: str) -> str:
    return f"{claim.claim_id}X{code}"


def charge(claim: Claim, code: str) -> Decimal:
    return 2 * claim.amounts[code]


def answered(claims: list[Claim], newest: dict[str, date], rng: Random) -> list[Claim]:
    """Some of them paid by the fee schedule or left to the patient's deductible as a whole, denied, or turned back unprocessed."""
    found = []
    for claim in claims:
        answer = rng.choice(["paid", "paid", "denied", "rejected"]) if rng.random() < 0.4 else None
        day = claim.closed_on + timedelta(days=rng.randint(5, 40))
        if answer and day <= newest[claim.practice_id]:
            paid = sum((to_cents(amount * rules.MEDICARE_PART) for amount in claim.amounts.values()), Decimal(0))
            claim = replace(claim, answer=answer, answered_on=day)
            if answer == "paid":
                claim = replace(claim, deductible=claim.amount) if day.day % 4 == 0 else replace(claim, paid=paid)
        found.append(claim)
    return found


def letters_of(claims: list[Claim], npis: dict[str, str]) -> Iterator[str]:
    """A 277CA or an 835 for each answer."""
    for number, claim in enumerate(claims):
        if not claim.answer or not claim.answered_on:
            continue
        on = f"{claim.answered_on:%Y%m%d}"
        if claim.answer == "rejected":
            yield letters.file(
                "277", letters.claim_statuses("1", [(claim.claim_id, "A7:164:QC", "U")], on=on), on=on[2:], number=number + 1
            )
            continue
        lines = []
        for code, amount in claim.amounts.items():
            asked, paid = charge(claim, code), to_cents(amount * rules.MEDICARE_PART)
            own = to_cents(amount * Decimal("0.20"))
            cuts = (("CO", "45", f"{asked - amount}"), ("PR", "2", f"{own}"), ("CO", "253", f"{amount - own - paid}"))
            if claim.deductible:
                paid, cuts = Decimal(0), (("CO", "45", f"{asked - amount}"), ("PR", "1", f"{amount}"))  # type: ignore[assignment]
            if claim.answer == "denied":
                paid, cuts = Decimal(0), (("CO", "50", f"{asked}"),)  # type: ignore[assignment]
            lines.append((line_id(claim, code), code, f"{asked}", f"{paid}", cuts, ()))
        pay = letters.Pay(
            claim.claim_id, f"{2 * claim.amount}", f"{claim.paid}", tuple(lines), status="4" if claim.answer == "denied" else "1"
        )
        body = letters.remittance(pay, check=f"EFT{number}", on=on, npi=npis[claim.practice_id])
        yield letters.file("835", body, on=on[2:], number=number + 1)


def claims_of_packets(home: Path) -> list[Claim]:
    """The claims that a home's own closes sent."""
    lines: dict[str, list[Row]] = {}
    for line in pyarrow.parquet.read_table(House(home).lake / "configuration" / "claim_lines.parquet").to_pylist():
        lines.setdefault(line["claim_id"], []).append(line)
    return [
        Claim(
            of[0]["practice_id"],
            of[0]["patient_id"],
            of[0]["month"],
            claim_id,
            {line["procedure_code"]: line["units"] for line in of},
            {line["procedure_code"]: line["allowed_amount"] for line in of},
            of[0]["service_date"],
            tuple({one.split(" x ")[0]: int(one.split(" x ")[1]) for one in track.split(", ")} for track in of[0]["alternatives"]),
            of[0]["claimed_on"],
            {
                **{name: of[0][name] for name in (*PRICED_BY, "qualifying_apm_participant")},
                "address": {"state": of[0]["state"]},
            },
        )
        for claim_id, of in lines.items()
    ]


# ---- compared


def built(home: Path, con: duckdb.DuckDBPyConnection, claims: list[Claim]) -> tuple[list[Row], list[Row]]:
    """The rows of the mart, and the items about them, as the models say them of these claims."""
    house = House(home).prepare()
    settings = load_practices(house.practices_yaml)
    take_in(house, {name: practice.time_zone for name, practice in settings.items()})
    tell_the_models(house, lines_of(claims))
    for number, text in enumerate(letters_of(claims, {name: practice.npi for name, practice in settings.items()})):
        (house.inbox / f"{number}.x12").write_text(text)
    take_in_answers(house)
    compiled.run(con, home, compiled.in_order(MARTS))
    con.execute("use marts")
    return bench.rows(con, CHANGES), bench.rows(con, ITEMS)


def opinion(home: Path, claims: list[Claim]) -> tuple[list[Judge], list[Change]]:
    found = list(judges(home, reference(), [(claim.practice_id, claim.patient_id, claim.month) for claim in claims]))
    changes = [
        change
        for judge in found
        for change in Aftermath(judge, [claim for claim in claims if claim.practice_id == judge.practice["practice_id"]]).changes()
    ]
    return found, changes


def judged(home: Path, claims: list[Claim], rows: list[Row], items: list[Row]) -> Compared:
    """The opinion beside what is published."""
    of_practices, changes = opinion(home, claims)
    compared = Compared(len(of_practices), len(claims))
    published = {(row["practice_id"], row["patient_id"], row["month"]): row for row in rows}
    for judge in of_practices:
        mine = [change for change in changes if change.claim.practice_id == judge.practice["practice_id"]]
        compared.differences += late(home, judge, mine, published, compared.found)
    newest = {judge.practice["practice_id"]: judge.newest_night for judge in of_practices}
    compared.differences += differences(changes, rows, items, newest)
    for change in changes:
        compared.told[
            change.kind + (" of the day" if change.is_of_another_day_alone else " of a month paid twice" if change.paid_too else "")
        ] += 1
        compared.reasons.update(change.reasons or ["-"])
    return compared


def late(
    home: Path, judge: Judge, changes: Iterable[Change], published: dict[tuple[str, str, date], Row], found: Counter[str]
) -> Iterator[str]:
    """No change is called found later than on the night that shows it: the days to pay it back run from there."""
    practice = judge.practice
    nights = {night for files in judge.landing.files.values() for night in files}

    @cache
    def until(night: date) -> Judge:
        landing = Landing(home / "landing" / practice["practice_id"], practice["time_zone"], night)
        return Judge(practice, landing, reference(), judge.claimed)

    for change in changes:
        key = (change.claim.practice_id, change.claim.patient_id, change.claim.month)
        since = shown_since(until, change, {night for night in nights if night > change.claim.closed_on})
        if key in published and since:
            found_on = published[key]["found_on"]
            found["before" if found_on < since else "on the night"] += 1
            found["overdue at first sight"] += published[key]["due_on"] < since
            if found_on > since:
                yield f"post_close_changes practice={key[0]} patient={key[1]} month={key[2]}: found on {found_on}, shown since {since}: {change}"


def compare(home: Path, seed: int, count: int) -> Compared:
    """Practices of a seed in a home of their own."""
    claims = close(home, seed, count)
    with warehouse() as con:
        return judged(home, claims, *built(home, con, claims))


def of_closes(home: Path) -> Compared:
    """A home in which the close itself wrote packets, as it is published."""
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as con:
        return judged(home, claims_of_packets(home), bench.rows(con, CHANGES), bench.rows(con, ITEMS))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--practices", type=int, default=25)
    parser.add_argument("--shown", type=int, default=20, help="disagreements shown of each seed")
    asked = parser.parse_args()
    total = Compared()
    for seed in range(asked.first, asked.last + 1):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            compared = compare(Path(folder), seed, asked.practices)
        total.add(compared)
        print(f"seed {seed}: {compared}, {time.monotonic() - began:.0f} s")
        print(*(f"   {message}" for message in compared.differences[: asked.shown]), sep="\n", flush=True)
    print(f"in all: {total}")
    print("   reasons:", ", ".join(f"{reason} {number}" for reason, number in total.reasons.most_common()))
    print("   dated:", ", ".join(f"{number} {when}" for when, number in total.found.items()))
    return 1 if total.differences else 0


if __name__ == "__main__":
    sys.exit(main())
