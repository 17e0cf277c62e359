"""What each row of the rules that read the payers' answers makes of a claim or of a coverage, said by hand, row by row. A new row wants its line here.

One home for all: a claim of its own for each row, answered in as few files as can be. Whichever row is taken away, its claim comes out otherwise, but for
those that say what is so without them: 97 and B15 with a remark, CLP02 1 and 19, and AK9's P.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.house import DBT_PROJECT
from orchestration.transform import compiled
from tests.answers.coverage import Answer, Member
from tests.answers.letters import Pay, Sent, acknowledgment, claim_statuses, denied, file, paid_in_full, remittance, taken_back
from tests.answers.office import Office, load_rules

pytestmark = pytest.mark.xdist_group("answers")

Key = tuple[str, ...]

# --- 835: why it was adjusted -----------------------------------------------------------------------------------------

# Group and reason of a normal posting -> where 20 of a line stand, and whether 10 more than the fee are beside the fee schedule.
NORMAL: dict[Key, tuple[tuple[str, ...], bool]] = {
    ("CO", "45", ""): (("contractual",), False),
    ("CO", "253", ""): (("sequestration",), False),
    ("PR", "1", ""): (("patient", "deductible"), False),
    ("PR", "2", ""): (("patient",), False),
    ("PR", "3", ""): (("patient",), False),
    ("OA", "23", ""): (("other",), True),
    ("CO", "144", ""): (("other",), True),
    ("CO", "161", ""): (("other",), True),
    ("CO", "225", ""): (("other",), True),
    ("CO", "237", ""): (("other",), True),
}
# Reason and remark, of whatever group -> what becomes of the claim, what cause is told, whether it may be appealed.
DENIED: dict[Key, tuple[str, str, bool]] = {
    ("", "16", "MA130"): ("rejected", "the claim was not processed", False),
    ("", "16", "N290"): ("denied", "NPI is missing", True),
    ("", "16", "M76"): ("denied", "a diagnosis is missing", True),
    ("", "16", ""): ("denied", "data missing or invalid", True),
    ("", "18", ""): ("denied", "exact duplicate", True),
    ("", "97", "M15"): ("denied", "included in another service", True),
    ("", "97", "N20"): ("denied", "included in another service", True),
    ("", "97", ""): ("denied", "included in another service", True),
    ("", "B20", ""): ("denied", "another practice was paid", True),
    ("", "119", ""): ("denied", "the most units of the month", True),
    ("", "151", "N362"): ("denied", "more units than the payer allows", True),
    ("", "151", ""): ("denied", "frequency or units", True),
    ("", "B15", "N122"): ("denied", "without its base code", True),
    ("", "B15", ""): ("denied", "without its base code", True),
    ("", "236", ""): ("denied", "NCCI", True),
    ("", "109", ""): ("denied", "another payer or contractor", True),
    ("", "24", ""): ("denied", "Medicare Advantage", True),
    ("", "26", ""): ("denied", "before the coverage began", True),
    ("", "27", ""): ("denied", "after the coverage ended", True),
    ("", "31", ""): ("denied", "not known under this MBI", True),
    ("", "13", ""): ("denied", "after the date of death", True),
    ("", "B9", ""): ("denied", "hospice", True),
    ("", "B7", ""): ("denied", "not enrolled", True),
    ("", "29", ""): ("denied", "later than a year", False),
    ("", "22", ""): ("denied", "another insurer pays first", True),
    ("", "50", ""): ("denied", "medical necessity", True),
}

# --- 835: what kind of decision it is ---------------------------------------------------------------------------------

# CLP02 of a claim whose lines were paid in full, if any were -> what becomes of the claim, and what Medicare paid.
CLAIM_STATUSES: dict[Key, tuple[str, str]] = {
    ("1",): ("paid", "91.39"),
    ("2",): ("submitted", "0"),  # the next payer's: Medicare has yet to answer
    ("3",): ("submitted", "0"),
    ("4",): ("denied", "0"),  # of a claim that was left to the patient whole
    ("19",): ("paid", "91.39"),
    ("20",): ("submitted", "0"),
    ("21",): ("submitted", "0"),
    ("22",): ("reopened", "0"),  # behind the payment that it takes back
    ("23",): ("submitted", "0"),  # not theirs, and not passed on
    ("25",): ("submitted", "0"),  # of a claim that is yet to come
}
# CLP06 of a claim that was paid in full -> what becomes of it, and what Medicare paid, where another payer pays 10 with a code that is none of Medicare's.
FILED_AS: dict[Key, tuple[str, str]] = {
    ("MA",): ("paid", "91.39"),
    ("MB",): ("paid", "91.39"),
    ("MC",): ("paid", "10.00"),  # the other one's alone: Medicaid is never first
}

# --- 277CA ------------------------------------------------------------------------------------------------------------

TAKEN_IN, NOT_FOUND, PASSED_ON = ("accepted", None), ("submitted", "cannot find"), ("submitted", None)
TWICE, FILE_TWICE = ("submitted", "a duplicate of a claim"), ("submitted", "a duplicate of a file")
# Category and status -> what becomes of the claim, and what cause is told.
CATEGORIES: dict[Key, tuple[str, str | None]] = {
    ("A0", ""): PASSED_ON,
    ("A1", ""): TAKEN_IN,
    ("A2", ""): TAKEN_IN,
    ("A3", ""): ("rejected", "returned as unprocessable"),
    ("A4", ""): NOT_FOUND,
    ("A5", ""): TAKEN_IN,
    ("A6", ""): ("rejected", "missing information"),
    ("A7", ""): ("rejected", "invalid information"),
    ("A8", ""): ("rejected", "do not fit each other"),
    **{(category, status): TWICE for category in ("A3", "A6", "A7", "A8") for status in ("54", "78")},
    **{(category, "746"): FILE_TWICE for category in ("A3", "A6", "A7", "A8")},
}

# --- 999 and TA1 ------------------------------------------------------------------------------------------------------

# Level, outcome and error -> what becomes of a claim. What was taken in is turned back afterwards (by a TA1: before), which it stands.
ACKNOWLEDGED: dict[Key, str] = {
    ("interchange", "A", ""): "submitted",
    ("interchange", "E", ""): "submitted",
    ("interchange", "R", ""): "rejected",
    ("interchange", "R", "025"): "submitted",
    ("group", "A", ""): "submitted",
    ("group", "E", ""): "submitted",
    ("group", "P", ""): "submitted",
    ("group", "R", ""): "rejected",
    ("group", "R", "19"): "submitted",
    ("group", "M", ""): "rejected",
    ("group", "W", ""): "rejected",
    ("group", "X", ""): "rejected",
    ("transaction", "A", ""): "submitted",
    ("transaction", "E", ""): "submitted",
    ("transaction", "R", ""): "rejected",
    ("transaction", "R", "23"): "submitted",
    ("transaction", "M", ""): "rejected",
    ("transaction", "W", ""): "rejected",
    ("transaction", "X", ""): "rejected",
}

# --- 271 --------------------------------------------------------------------------------------------------------------

# Benefit, service and insurance -> what the payer says of, and whether the patient has it.
BENEFITS: dict[Key, tuple[str, bool]] = {
    **{(benefit, "*", "MA"): ("part_a", True) for benefit in "12345"},
    **{(benefit, "*", "MB"): ("part_b", True) for benefit in "12345"},
    **{(benefit, "30", "MA"): ("part_a", False) for benefit in "678"},
    **{(benefit, "30", "MB"): ("part_b", False) for benefit in "678"},
    **{(benefit, "30", "none"): ("part_b", False) for benefit in "678"},
    **{(benefit, "none", "none"): ("part_b", False) for benefit in "678"},
    **{(benefit, "*", "QM"): ("qmb", True) for benefit in "1R"},
    **{(benefit, "*", "HN"): ("medicare_advantage", True) for benefit in "1R"},
    **{("R", "*", insurance): ("medicare_advantage", True) for insurance in ("HM", "PR", "PS", "IN")},
    **{("R", "*", insurance): ("other_primary", True) for insurance in ("12", "13", "14", "15", "16", "41", "42", "43", "47")},
    ("X", "45", "*"): ("hospice", True),
    ("X", "42", "*"): ("home_health", True),
}  # fmt: skip

BY_HAND: dict[str, tuple[tuple[str, ...], Iterable[Key]]] = {
    "rule_denials": (("group_code", "reason_code", "remark_code"), [*NORMAL, *DENIED]),
    "rule_remittance_claim_statuses": (("claim_status_code",), CLAIM_STATUSES),
    "rule_claim_filing_codes": (("filing_code",), FILED_AS),
    "rule_claim_status_categories": (("category_code", "status_code"), CATEGORIES),
    "rule_acknowledgment_codes": (("level", "outcome_code", "error_code"), ACKNOWLEDGED),
    "rule_benefit_codes": (("benefit_code", "service_type", "insurance_type"), BENEFITS),
}


def ids(seed: str) -> dict[Key, str]:
    """The claim of each row."""
    letter = "ABCDEF"[list(BY_HAND).index(seed)]
    return {key: f"CCM2609{letter}{place:02d}" for place, key in enumerate(BY_HAND[seed][1])}


def named(key: Key) -> str:
    return "-".join(filter(None, key))


DENIALS, STATUSES, FILINGS, SAID, ARRIVED = (ids(seed) for seed in list(BY_HAND)[:5])
NUMBERS = {key: 100 + place for place, key in enumerate(ARRIVED)}  # each file that went out has a control number of its own


@dataclass(frozen=True)
class Told:
    """What the marts say, by claim id."""

    claims: dict[str, dict[str, Any]]
    lines: dict[str, list[dict[str, Any]]]
    denials: dict[str, list[dict[str, Any]]]


def answered(root: Path) -> Office:
    """Every claim with its answer."""
    sent = [Sent(claim) for group in (DENIALS, STATUSES, FILINGS, SAID) for claim in group.values()]
    sent += [Sent(claim, control_number=NUMBERS[key]) for key, claim in ARRIVED.items()]
    office = Office(root, sent)
    medicare = [*map(_normal, NORMAL), *map(_denied, DENIED)]
    unpaid = {"4": ("PR", "1"), "23": ("CO", "B20"), "25": ("CO", "B20")}
    medicare += [denied(STATUSES[status,], *why, status=status) for status, why in unpaid.items()]
    medicare += [
        replace(paid_in_full(claim), status=status) for (status,), claim in STATUSES.items() if status not in unpaid | {"22": ()}
    ]
    back = paid_in_full(STATUSES["22",])
    medicare += [replace(paid_in_full(claim), filing=code) for (code,), claim in FILINGS.items()]
    other = [Pay(claim, "170", "10", adjustments=(("OA", "23", "160"),), filing="15") for claim in FILINGS.values()]
    office.deliver(
        file("835", remittance(*medicare, back), number=901),
        file("835", remittance(taken_back(back), check="EFT2", on="20261021", total="-91.39"), number=902),
        file("835", [one.replace("1512345678", "1998877665") for one in remittance(*other, check="EFT3")], number=903),
        file("277", claim_statuses("0000000070001", [(claim, _status(*key), "U") for key, claim in SAID.items()]), number=904),
        *_acknowledgments(),
    )
    return office


def _normal(key: Key) -> Pay:
    group, reason, _ = key
    claim = DENIALS[key]
    lines = (
        (f"{claim}01", "99490", "95", "75", ((group, reason, "20"),), ()),
        (f"{claim}02", "99439", "75", "85", ((group, reason, "-10"),), ()),
    )
    return Pay(claim, "170", "160", lines)


def _denied(key: Key) -> Pay:
    _, reason, remark = key
    return denied(DENIALS[key], "CO", reason, remarks=(remark,) if remark else ())


def _status(category: str, status: str) -> str:
    return f"{category}:{status or '21'}:85"


def _acknowledgments() -> list[str]:
    """999s and TA1s of two days."""
    taken_in = {key for key in ARRIVED if key[1] in "AE"}
    first: list[list[str]] = []
    then: list[list[str]] = []
    first_ta1: list[str] = []
    then_ta1: list[str] = []
    for key, number in NUMBERS.items():
        level, outcome, error = key
        if level == "interchange":
            first_ta1 += [f"TA1*{number:09d}*261003*0900*R*006"] if key in taken_in else []
            then_ta1 += [f"TA1*{number:09d}*261003*0900*{outcome}*{error or ('000' if key in taken_in else '006')}"]
            continue
        if level == "group":
            said = [f"AK1*HC*{number}*005010X222A1", f"AK9*{outcome}*1*1*1" + (f"*{error}" if error else "")]
        else:
            said = acknowledgment(number, {1: outcome + (f"*{error}" if error else "")}, "P")
        first.append(said)
        if key in taken_in:
            then.append(acknowledgment(number, {1: "R*5"}, "R"))
    return [
        file("999", *first, on="261005", number=905),
        file("999", *then, on="261006", number=906),
        file("999", extra=first_ta1, on="261005", number=907),
        file("999", extra=then_ta1, on="261006", number=908),
    ]


def told(office: Office) -> Told:
    by_claim: list[dict[str, list[dict[str, Any]]]] = []
    for table in ("int_claims__history", "claim_line_payments", "claim_denials"):
        found: dict[str, list[dict[str, Any]]] = {}
        order = "claim_id" if table == "int_claims__history" else "claim_id, line_id"
        for row in office.see(f"select * from {table} order by {order}"):
            found.setdefault(row["claim_id"], []).append(row)
        by_claim.append(found)
    claims, lines, denials = by_claim
    return Told({claim: row for claim, (row,) in claims.items()}, lines, denials)


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return told(answered(tmp_path_factory.mktemp("answers") / "home"))


@pytest.mark.parametrize("seed", BY_HAND)
def test_what_each_row_makes_of_an_answer_is_said_here_by_hand(seed):
    columns, by_hand = BY_HAND[seed]
    chosen = ", ".join(f"coalesce({column}, '')" for column in columns)
    path = DBT_PROJECT / "seeds" / "rules" / f"{seed}.csv"
    rows = duckdb.sql(f"select distinct {chosen} from read_csv('{path}', header = true, all_varchar = true)").fetchall()
    assert set(rows) == set(by_hand)


def amounts(line: dict[str, Any]) -> dict[str, Decimal]:
    """The parts of a line that are not 0, by name."""
    names = ("patient", "deductible", "contractual", "sequestration", "other", "denied", "added")
    return {name: line[f"{name}_amount"] for name in names if line[f"{name}_amount"]}


@pytest.mark.parametrize(("key", "outcome"), NORMAL.items(), ids=map(named, NORMAL))
def test_a_normal_posting_stands_where_it_belongs_and_denies_nothing(marts, key, outcome):
    stands_in, is_beside = outcome
    first, second = marts.lines[DENIALS[key]]
    assert amounts(first) == dict.fromkeys(stands_in, Decimal("20.00"))
    assert amounts(second).get("added", 0) == (10 if is_beside else 0)
    assert marts.claims[DENIALS[key]]["status"] == "paid" and DENIALS[key] not in marts.denials


@pytest.mark.parametrize(("key", "outcome"), DENIED.items(), ids=map(named, DENIED))
def test_a_denial_is_told_with_its_likely_cause(marts, key, outcome):
    status, cause, is_appealable = outcome
    assert marts.claims[DENIALS[key]]["status"] == status
    assert [cause in row["likely_cause"] for row in marts.denials[DENIALS[key]]] == [True, True]
    assert {row["is_appealable"] for row in marts.denials[DENIALS[key]]} == {is_appealable}


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        *((claim, CLAIM_STATUSES[key]) for key, claim in STATUSES.items()),
        *((claim, FILED_AS[key]) for key, claim in FILINGS.items()),
    ],
    ids=[f"{name} {key[0]}" for name, group in (("CLP02", STATUSES), ("CLP06", FILINGS)) for key in group],
)
def test_whose_decision_an_835_says_and_what_kind_of_one(marts, claim, outcome):
    status, paid = outcome
    assert (marts.claims[claim]["status"], marts.claims[claim]["paid_amount"]) == (status, Decimal(paid))


@pytest.mark.parametrize(("key", "outcome"), CATEGORIES.items(), ids=map(named, CATEGORIES))
def test_a_status_of_a_277ca_takes_in_turns_back_or_asks_for_work(marts, key, outcome):
    status, cause = outcome
    assert marts.claims[SAID[key]]["status"] == status
    causes = [row["likely_cause"] for row in marts.denials.get(SAID[key], [])]
    assert [cause is not None and cause in one for one in causes] == ([] if cause is None else [True, True])


@pytest.mark.parametrize(("key", "status"), ACKNOWLEDGED.items(), ids=map(named, ACKNOWLEDGED))
def test_a_999_or_a_ta1_takes_in_turns_back_or_says_nothing(marts, key, status):
    assert marts.claims[ARRIVED[key]]["status"] == status


def benefits(root: Path, *changes: str) -> dict[Key, tuple[str | None, bool]]:
    """What is made of each benefit in a 271, each said of another patient. `changes`: SQL, behind the seeds."""
    members = {key: f"1EG4TE5MK{place:02d}" for place, key in enumerate(BENEFITS)}
    office = Office(root, [])
    said = (Member(mbi, (_benefit(*key),)) for key, mbi in members.items())
    office.deliver(Answer(tuple(said)).text(is_judged=False))
    con = duckdb.connect()
    con.execute("set threads = 1")
    compiled.prepare(con)
    models = compiled.in_order(("int_coverage_answers__matched",), given=("int_coverages__current",))
    load_rules(con, " ".join(model.sql for model in models))
    for change in changes:
        con.execute(change)
    con.execute(
        "create table intermediate.int_coverages__current as "
        "select 'north' as practice_id, mbi as patient_id, 'medicare_part_b' as coverage_type, mbi as member_id from (select unnest(?) as mbi)",
        [list(members.values())],
    )
    compiled.run(con, office.house.root, models)
    rows = con.execute("select patient_id, meaning, is_covered from intermediate.int_coverage_answers__matched").fetchall()
    meant = {mbi: (meaning, is_covered) for mbi, meaning, is_covered in rows}
    return {key: meant[mbi] for key, mbi in members.items()}


def _benefit(benefit: str, service: str, insurance: str) -> str:
    service, insurance = ("" if one == "none" else one for one in (service, insurance))
    return f"EB*{benefit}**{service.replace('*', '30')}*{insurance.replace('*', '26')}".rstrip("*") + "|DTP*291*D8*20261001"


@pytest.fixture(scope="module")
def meanings(tmp_path_factory: pytest.TempPathFactory) -> dict[Key, tuple[str | None, bool]]:
    return benefits(tmp_path_factory.mktemp("benefits") / "home")


@pytest.mark.parametrize(("key", "outcome"), BENEFITS.items(), ids=map(named, BENEFITS))
def test_a_benefit_of_a_271_says_what_the_patient_has(meanings, key, outcome):
    assert meanings[key] == outcome
