"""`make mutate`: takes away one rule row at a time and sees that something goes red.

Who may go red: a dbt unit test that reads the seed, a dbt data test on the home with a case for every rule, the marts of that home or of
generated ones against the second opinion, the specification's worked cases (where they lie beside the checkout), and the tests that
pin the reference seeds. Prints a table and writes it to docs/rules/mutation-report.md; exits 1 when a row of a seed that decides
survives.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.house import DBT_PROJECT, PROJECT_ROOT, House
from orchestration.rules.seeds import rules_version
from tests.mutation.bench import Bench, Row
from tests.mutation.every_rule_home import NO_CASE_HERE, RULE_CASES, groups_of, read_seed, write_figure_home, write_rule_home
from tests.mutation.judges import (
    READ_BY_THE_SECOND_OPINION,
    ReferencePins,
    SecondOpinion,
    WorkedCases,
    failing_data_tests,
    failing_unit_test,
)
from tests.pipeline.homes import ccm
from tests.properties.strategies import write_home
from tests.rules import test_reference_seeds

SEEDS = DBT_PROJECT / "seeds"
SHARED = PROJECT_ROOT.parent / "shared"
CASES = SHARED / "spec" / "cases" / "cases.json"
REPORT = PROJECT_ROOT / "docs" / "rules" / "mutation-report.md"
GENERATED = 1  # the seed of the generated population
PRACTICES = 40
# Seeds whose every row decides: none of theirs may survive.
DECIDING = frozenset(RULE_CASES)
# So many rows that those of different patients go in one change: each is still looked for on its own.
IN_BATCHES = "rule_ccir_chronic_codes"
NOT_READ = "read by no model yet"
ELSEWHERE = "no case here"
KILLERS = {
    "unit test": "dbt unit tests that read the seed",
    "data test": "dbt data tests on the home with a case for every rule",
    "every rule": "marts of that home against the second opinion",
    "generated": "marts of a generated population against the second opinion",
    "worked cases": "the specification's worked cases",
    "pins": "tests/rules/test_reference_seeds.py",
}


@dataclass
class Verdict:
    """What became of one row: who noticed, and what they said first. `reaches_a_mart`: some published value changes without it."""

    seed: str
    number: int
    row: Row
    noticed: dict[str, str] = field(default_factory=dict)
    reaches_a_mart: bool = False
    note: str = ""

    @property
    def survives(self) -> bool:
        return not self.noticed

    @property
    def name(self) -> str:
        """The row in short: its first values, without dates and citation."""
        values = [str(value) for column, value in self.row.items() if column != "citation" and not column.startswith("effective_")]
        return " ".join(value for value in values[:5] if value != "None")


@dataclass
class Stand:
    """A home on the bench, with who judges it."""

    name: str
    bench: Bench
    judge: SecondOpinion | WorkedCases

    @property
    def killer(self) -> str:
        return "every rule" if self.name == "figures" else self.name


def say(text: str) -> None:
    print(text, flush=True)


def land_worked_cases(home: Path) -> None:
    tool = SHARED / "tools" / "cases_to_landing.py"
    subprocess.run([sys.executable, str(tool), str(CASES), str(home)], check=True, capture_output=True)


def run_nights(folder: Path) -> dict[str, House]:
    """Lands each home that is not there yet, and runs the night on all, two at a time."""
    landers: dict[str, Callable[[Path], object]] = {
        "every rule": lambda home: write_rule_home(home, SEEDS),
        "figures": lambda home: write_figure_home(home, SEEDS),
        "generated": lambda home: write_home(home, GENERATED, practices=PRACTICES, defects=False),
    }
    if CASES.exists():
        landers["worked cases"] = land_worked_cases

    def run(name: str) -> House:
        home = folder / name.replace(" ", "-")
        if not home.exists():
            landers[name](home)
        ran = ccm("nightly", home=home)
        if ran.code:
            raise AssertionError(f"{home}: {ran.err or ran.out}")
        return House(home)

    with ThreadPoolExecutor(max_workers=2) as pool:
        return dict(zip(landers, pool.map(run, landers), strict=True))


def stand_on(name: str, house: House, *, with_unit_tests: bool = False) -> Stand:
    """A home whose marts and second opinion agree, whose data tests pass and whose models come out as the night built them."""
    judge = SecondOpinion(house, SEEDS)
    bench = Bench(house, with_unit_tests)
    sound(name, bench)
    return Stand(name, bench, judge)


def sound(name: str, bench: Bench) -> None:
    wrong = bench.control()
    if wrong:
        raise AssertionError(f"{name}: {', '.join(wrong)} come out otherwise than in the night, with nothing changed")


def set_up(folder: Path) -> list[Stand]:
    say("Building the homes: a case for every rule, the long reference seeds, a generated population, the worked cases")
    houses = run_nights(folder)
    stands = [stand_on(name, houses[name], with_unit_tests=name == "every rule") for name in ("every rule", "figures", "generated")]
    bench = stands[0].bench
    failing = failing_data_tests(bench, [node.name for node in bench.relations])
    if failing:
        raise AssertionError(f"dbt data tests fail before anything is changed: {', '.join(failing)}")
    if "worked cases" in houses:
        judge = WorkedCases(SHARED / "tools" / "check_cases.py", CASES, folder / "checked")
        bench = Bench(houses["worked cases"])
        sound("worked cases", bench)
        complaint = judge.complaint(bench)
        if complaint:
            raise AssertionError(f"a worked case fails before anything is changed: {complaint}")
        stands.append(Stand("worked cases", bench, judge))
    return stands


def judge_row(verdict: Verdict, stands: Iterable[Stand], pins: ReferencePins | None) -> Verdict:
    """Takes one row away everywhere and asks everybody."""
    seed = verdict.seed
    for stand in stands:
        bench = stand.bench
        with bench.changed(seed, bench.without(seed, [verdict.number])) as outcome:
            if stand.name == "every rule":
                note(verdict, "unit test", failing_unit_test(bench, seed))
                note(verdict, "data test", next(iter(failing_data_tests(bench, outcome.changed)), None))
            moved = outcome.error or stand.judge.reaches(bench, outcome)
            if not moved:
                continue
            verdict.reaches_a_mart = True
            if outcome.error:
                note(verdict, stand.killer, outcome.error)
            # An opinion that reads the same seed would go along with it.
            elif isinstance(stand.judge, WorkedCases) or seed not in READ_BY_THE_SECOND_OPINION:
                note(verdict, stand.killer, stand.judge.notices(bench, outcome))
    if pins and seed in pins.rows:
        note(verdict, "pins", pins.notices(seed, verdict.number))
    return verdict


def note(verdict: Verdict, killer: str, said: str | None) -> None:
    if said and killer not in verdict.noticed:
        verdict.noticed[killer] = said


def judge_in_batches(verdicts: list[Verdict], stands: list[Stand], pins: ReferencePins | None) -> None:
    """For rows that each speak of one code: at one time no two that the same patient has, and each row is looked for at its own patient.

    What one patient's code counts as moves no other patient's marts, so that a batch is as many changes of one row. The codes that a
    prefix covers, which a patient of the home has as well, go all at once: together they must change nothing.
    """
    stand = next(stand for stand in stands if stand.name == "figures")
    bench = stand.bench
    owner = {
        row["icd10_code"]: row["patient_id"]
        for row in bench.rows("select icd10_code, patient_id from intermediate.int_conditions__current")
    }
    prefixes = bench.rows("from unchanged.rules.rule_condition_prefixes")
    covered = {verdict.number for verdict in verdicts if groups_of(prefixes, verdict.row["icd10_code"])}
    with bench.changed(IN_BATCHES, bench.without(IN_BATCHES, covered)) as outcome:
        if outcome.changed != [IN_BATCHES]:
            raise AssertionError(
                f"{IN_BATCHES}: codes that a prefix covers matter after all: {', '.join(outcome.changed[1:])} changed"
            )
    of_patient: dict[object, list[Verdict]] = defaultdict(list)
    for verdict in (verdict for verdict in verdicts if verdict.number not in covered):
        of_patient[owner.get(verdict.row["icd10_code"], verdict.row["icd10_code"])].append(verdict)
    while of_patient:
        batch = {patient: waiting.pop() for patient, waiting in of_patient.items()}
        of_patient = defaultdict(list, {patient: waiting for patient, waiting in of_patient.items() if waiting})
        with bench.changed(IN_BATCHES, bench.without(IN_BATCHES, [verdict.number for verdict in batch.values()])) as outcome:
            moved = set()
            if "eligibility" in outcome.changed:
                before, now = (
                    {row["patient_id"]: row["condition_groups"] for row in rows} for rows in bench.differing("eligibility")
                )
                moved = {patient for patient in before.keys() | now.keys() if before.get(patient) != now.get(patient)}
            for patient, verdict in batch.items():
                verdict.reaches_a_mart = patient in moved
    for verdict in verdicts:
        if pins:
            note(verdict, "pins", pins.notices(verdict.seed, verdict.number))


def explanation(verdict: Verdict, bench: Bench) -> str:
    """Why a row reaches no mart: looked up in the seeds and the models' SQL; else who notices it all the same."""
    row = verdict.row
    if verdict.seed in ("rule_limits", "rule_office_limits") and not any(
        f"'{row['limit_name']}'" in node.sql for node in (*bench.models, *bench.tests)
    ):
        return NOT_READ
    elsewhere = NO_CASE_HERE.get(verdict.seed) or NO_CASE_HERE.get(str(row.get("limit_name")))
    if elsewhere:
        return f"{ELSEWHERE}: {elsewhere}"
    if not bench.readers(verdict.seed):
        return "read by no model"
    if verdict.seed == "rule_rvus" and not bench.rows(
        "select 1 from (select procedure_code from rules.rule_bands union all select procedure_code from rules.rule_apcm_levels) "
        f"where procedure_code = '{row['procedure_code']}'"
    ):
        return "no program pays the code, so that no model prices it"
    if verdict.seed == "rule_ccir_chronic_codes" and bench.rows(
        f"select 1 from rules.rule_condition_prefixes where starts_with('{row['icd10_code']}', icd10_prefix)"
    ):
        return "a prefix of a condition group covers the code"
    if verdict.seed == "rule_condition_prefixes" and bench.rows(
        f"select 1 from rules.rule_condition_groups where is_acute and condition_group = '{row['condition_group']}'"
    ):
        return "acute: without the row its codes would count for nothing more"
    return f"noticed by {', '.join(verdict.noticed)} alone" if verdict.noticed else "nobody notices"


def verdicts_on(seed: str, stands: list[Stand], pins: ReferencePins | None) -> list[Verdict]:
    bench = stands[0].bench
    found = []
    for row in bench.rows(f"select rowid, * from unchanged.{bench.seeds[seed].relation} order by rowid"):
        found.append(Verdict(seed, row.pop("rowid"), row))
    in_file = [next(iter(row.values())).lower() for row in read_seed(SEEDS, seed)]
    if in_file != [str(next(iter(verdict.row.values()))).lower() for verdict in found]:
        raise AssertionError(f"{seed}: the warehouse has not the rows of the file in their order")
    if seed == IN_BATCHES:
        judge_in_batches(found, stands, pins)
    else:
        for verdict in found:
            judge_row(verdict, stands, pins)
    for verdict in found:
        if not verdict.reaches_a_mart:
            verdict.note = explanation(verdict, bench)
    return found


def table(verdicts: dict[str, list[Verdict]]) -> Iterator[list[str]]:
    yield ["seed", "rows", "reach a mart", *KILLERS, "survive"]
    for seed, rows in verdicts.items():
        counts = Counter(killer for verdict in rows for killer in verdict.noticed)
        reach, survive = sum(v.reaches_a_mart for v in rows), sum(v.survives for v in rows)
        yield [
            seed,
            f"{len(rows):,}",
            f"{reach:,}",
            *(f"{counts[killer]:,}" if counts[killer] else "" for killer in KILLERS),
            f"{survive:,}",
        ]


def as_text(lines: list[list[str]]) -> str:
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def as_markdown(verdicts: dict[str, list[Verdict]], stands: list[Stand]) -> str:
    head, *lines = table(verdicts)
    count = sum(len(rows) for rows in verdicts.values())
    lost = [verdict for rows in verdicts.values() for verdict in rows if verdict.survives]
    silent = [verdict for rows in verdicts.values() for verdict in rows if verdict.note and not verdict.survives]
    text = [
        "# Every rule row has a case",
        "",
        f"Made by `make mutate`, never by hand. Rules: `{rules_version()}`. Each of {count:,} rows of the rule seeds was taken away, the "
        "models that read it were computed again, and somebody should notice.",
        "",
        "Who may notice:",
        "",
        *(f"- **{name}**: {what}" for name, what in KILLERS.items()),
        "",
        f"Homes: {', '.join(stand.name for stand in stands)}. Before anything is changed the marts of each agree with the second opinion, the data "
        "tests of the first pass, and each model comes out of its own SELECT as the night built it.",
        "",
        f"The second opinion types the rules a second time, but reads {', '.join(f'`{s}`' for s in sorted(READ_BY_THE_SECOND_OPINION))} from the "
        "seeds: a row taken away there moves marts and opinion alike. For these seeds *reach a mart* says that a home has a case whose published "
        "values change; only the other judges count as red.",
        "",
        f"`{IN_BATCHES}` is taken away in batches in which no two codes are of one patient, and each code is looked for at its own patient.",
        "",
        f"| {' | '.join(head)} |",
        f"|{'|'.join(['---', *['---:'] * (len(head) - 1)])}|",
        *(f"| {' | '.join(line)} |" for line in lines),
        "",
        f"## Survivors: {len(lost)}",
        "",
        *(listed(lost) or ["None."]),
        "",
        "## Noticed, but in no mart",
        "",
        "No published value of any home depends on these rows today:",
        "",
        *(listed(silent) or ["None."]),
    ]
    return "\n".join(text) + "\n"


def listed(verdicts: Iterable[Verdict]) -> list[str]:
    """A line for each seed and reason: all rows by name, or of many the first and the last."""
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verdict in verdicts:
        together[verdict.seed, verdict.note].append(verdict.name)
    lines = []
    for (seed, why), names in together.items():
        shown = "; ".join(names) if len(names) <= 30 else f"{'; '.join(names[:10])}; ... {names[-1]}"
        lines.append(f"- `{seed}`, {len(names):,}{f' ({why})' if why else ''}: {shown}")
    return lines


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.mutate", description="Takes away one rule row at a time.")
    parser.add_argument("--seed", action="append", metavar="NAME", help="only this seed (may be repeated); writes no report")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="build the homes there, or take those built there before")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report goes (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        stands = set_up(chosen.keep or Path(scratch))
        reference = sorted(path.stem for path in (SEEDS / "reference").glob("*.csv"))
        pins = ReferencePins(test_reference_seeds, reference)
        say(f"Homes ready after {time.monotonic() - began:.0f} s")
        verdicts: dict[str, list[Verdict]] = {}
        # The settings of the house (drift_limits) are no rules: no mart of the rules rests on them.
        rules = [seed for seed in stands[0].bench.seeds if seed.startswith("rule_")]
        known = sorted(rules, key=lambda seed: (seed in reference, seed))
        for seed in chosen.seed or known:
            started = time.monotonic()
            verdicts[seed] = verdicts_on(seed, stands, pins)
            lost = [verdict for verdict in verdicts[seed] if verdict.survives]
            say(f"{seed}: {len(verdicts[seed]):,} rows, {len(lost)} survive ({time.monotonic() - started:.0f} s)")
        say("\n" + as_text(list(table(verdicts))) + "\n")
        lost = [verdict for rows in verdicts.values() for verdict in rows if verdict.survives]
        for line in listed(lost):
            say(f"survive: {line.removeprefix('- ')}")
        if not chosen.seed:
            chosen.report.parent.mkdir(parents=True, exist_ok=True)
            chosen.report.write_text(as_markdown(verdicts, stands), encoding="utf-8")
            say(f"Written: {chosen.report}")
    bad = [verdict for verdict in lost if verdict.seed in DECIDING and not verdict.note.startswith((NOT_READ, ELSEWHERE))]
    say(
        f"{sum(map(len, verdicts.values())):,} rows, {len(lost)} survive, {len(bad)} of them decide ({time.monotonic() - began:.0f} s)"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
