"""Claim files written and scrubbed, and pyx12's reading of them: `make bench-claims` (or python -m benchmarks.claim_files --claims 1000000).

Made-up claims (seeded) with lower-case and accented names, 1 to 4 diagnoses, 1 or 2 service lines; one in a hundred has a fault that the scrub must
find. They are written and scrubbed as one file, and as files of 500 claims, one practice after the other, as a close does it; beside them the writer
that goes claim by claim (tests/x12/reference_writer.py) and the scrub that reads every segment. pyx12 judges 50,000 claims in files of 500, in as
many processes as there are cores; what it costs for the nation's month is extrapolated from that, and said to be.
The result is kept as benchmarks/results/claim_files.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.close.x12.model import CLAIMS, BillingProvider, ClaimFile, Payer, Receiver, Submitter
from orchestration.close.x12.reader import read
from orchestration.close.x12.scrub import _scrubbed, scrub
from orchestration.close.x12.validate import pyx12_faults
from orchestration.close.x12.writer import write_837p

RESULT = Path(__file__).parent / "results" / "claim_files.json"
GOAL, PER_FILE, NATION, RUNS = 50_000, 500, 1_400_000, 3
LETTERS = "ACDEFGHJKMNPQRTUVWXY"

_CLAIMS = f"""
with people as (
    select n, hash(n, 1) % 1000 as die, hash(n, 2) % 1000 as second, hash(n, 3) % 1000 as third from range($count) as t (n)
),
codes as (select ['E11.9', 'I10', 'N18.31', 'J44.9', 'I50.22', 'F33.1', 'M17.0', 'E78.5'] as icd10)
select
    'CCM2610' || lpad(cast(n as varchar), 12, 'A') as claim_id,
    case when die % 50 = 7 then 'Núñez' when die % 50 = 8 then 'O’Brien' else 'Patient' end || ' ' || chr(cast(65 + second % 26 as integer)) as last_name,
    'Name' || chr(cast(65 + third % 26 as integer)) as first_name,
    case when second % 3 = 0 then 'Q' end as middle_name,
    case when die >= 990 then '' else
        cast(1 + n % 9 as varchar) || 'EG' || cast(n // 9 % 10 as varchar) || 'TE' || cast(n // 90 % 10 as varchar)
        || '{LETTERS}'[cast(1 + n // 900 % 20 as integer)] || '{LETTERS}'[cast(1 + n // 18000 % 20 as integer)]
        || lpad(cast(n // 360000 % 100 as varchar), 2, '0')
    end as member_id,
    date '1930-01-01' + cast(hash(n, 4) % 10000 as integer) as birth_date,
    case when second % 2 = 0 then 'F' else 'M' end as sex,
    (n % 9000) || ' Elm St' as line1,
    'Springfield' as city,
    'IL' as state,
    lpad(cast(62701 + third % 100 as varchar), 5, '0') as postal_code,
    '1245319599' as rendering_npi,
    'Doe' as rendering_last_name,
    'Jane' as rendering_first_name,
    '207Q00000X' as rendering_taxonomy_code,
    '11' as place_of_service,
    list_slice(icd10, 1 + cast(third % 5 as integer), 1 + cast(third % 5 + second % 4 as integer)) as diagnoses,
    list_transform(
        case when second % 3 = 0 then ['99490', '99439'] else ['99490'] end,
        lambda code, i: {{
            line_id: 'CCM2610' || lpad(cast(n as varchar), 12, 'A') || '0' || i, procedure_code: code, units: 1,
            charge_amount: cast(case i when 1 then 95 else 72.5 end as decimal(18, 2)), service_date: date '2026-10-01' + cast(10 + die % 21 as integer),
            diagnosis_pointers: range(1, 2 + cast(second % 4 as integer))
        }}
    ) as lines
from people cross join codes order by n
"""


def made(count: int) -> ClaimFile:
    """One file of `count` claims."""
    with duckdb.connect() as con:
        claims = con.execute(_CLAIMS, {"count": count}).to_arrow_table().select(CLAIMS.names).cast(CLAIMS)
    return ClaimFile(
        Submitter("CCMBENCH", "Bench Family Practice", "5555550100"),
        Receiver("RECEIVERID", "Example Clearinghouse"),
        Payer("06102", "Medicare Part B"),
        BillingProvider(
            "Bench Family Practice", "1234567893", "123456789", "207Q00000X", "100 Main St", "Springfield", "IL", "627010001"
        ),
        claims,
        date(2026, 11, 2),
        1,
    )


def seconds(what: Callable[[], Any], runs: int = RUNS) -> tuple[float, float, Any]:
    """(wall, CPU, result): the medians of some runs."""
    wall, cpu, result = [], [], None
    for _ in range(runs):
        began, used = time.perf_counter(), time.process_time()
        result = what()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return statistics.median(wall), statistics.median(cpu), result


def one_by_one(claims: pa.Table) -> list[Any]:
    """The same claims as records."""
    from tests.x12.reference_writer import claim_records

    return claim_records(claims)


def measured(count: int, judged: int) -> dict[str, Any]:
    file = made(count)
    parts = [replace(file, claims=file.claims.slice(start, PER_FILE)) for start in range(0, count, PER_FILE)]
    found: dict[str, Any] = {"claims": count, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1), "steps": {}}

    def step(name: str, claims: int, what: Callable[[], Any], runs: int = RUNS) -> Any:
        wall, cpu, result = seconds(what, runs)
        found["steps"][name] = {
            "claims": claims,
            "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 3),
            "claims_per_wall_s": round(claims / wall),
            "claims_per_cpu_s": round(claims / cpu),
        }
        print(f"{name:45}{claims:>10,} claims{wall:9.2f} s{cpu:9.2f} s CPU{claims / cpu:>12,.0f} claims per CPU second", flush=True)
        return result

    def both(files: list[ClaimFile]) -> tuple[list[bytes], list[list[Any]]]:
        contents = [write_837p(one) for one in files]
        return contents, [scrub(content) for content in contents]

    _, [faults] = step("one file: written and scrubbed", count, lambda: both([file]))
    contents, of_parts = step(f"files of {PER_FILE}: written and scrubbed", count, lambda: both(parts))
    held = {fault.claim_id for fault in faults}
    found["held"] = len(held)
    if held != {fault.claim_id for one in of_parts for fault in one} or None in held:
        raise RuntimeError("one file and many do not hold the same claims")
    some = min(count, 50_000)
    few, records = replace(file, claims=file.claims.slice(0, some)), one_by_one(file.claims.slice(0, some))
    from tests.x12.reference_writer import write_837p as write_one_by_one

    step("one file: written", some, lambda: write_837p(few))
    before = step("one file: written claim by claim", some, lambda: write_one_by_one(few, records), 1)
    if before != write_837p(few):
        raise RuntimeError("the two writers do not write the same bytes")
    step("one file: scrubbed", some, lambda: scrub(before))
    read_all = step("one file: scrubbed, every segment read", some, lambda: _scrubbed(read(before)), 1)
    if read_all != scrub(before):
        raise RuntimeError("the scrub does not say the same with the sieve and without it")

    sample = contents[: judged // PER_FILE]
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        list(pool.map(pyx12_faults, sample))
    wall, ended = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = ended.ru_utime + ended.ru_stime - used.ru_utime - used.ru_stime
    number = len(sample) * PER_FILE
    found["pyx12"] = {
        "claims": number, "processes": os.cpu_count(), "wall_s": round(wall, 1), "cpu_s": round(cpu, 1),
        "claims_per_wall_s": round(number / wall), "claims_per_cpu_s": round(number / cpu),
        "extrapolated_hours_for_the_nation": round(wall / number * NATION / 3600, 2),
        "extrapolated_cpu_hours_for_the_nation": round(cpu / number * NATION / 3600, 2),
    }  # fmt: skip
    print(
        f"pyx12, {os.cpu_count()} processes: {number:,} claims in {wall:.0f} s, {cpu:.0f} s of CPU; "
        f"extrapolated to {NATION:,} claims: {wall / number * NATION / 60:.0f} min"
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claims", type=int, default=50_000)
    parser.add_argument("--judged", type=int, default=50_000, help="claims that pyx12 reads")
    asked = parser.parse_args()
    found = measured(asked.claims, asked.judged)
    RESULT.parent.mkdir(exist_ok=True)
    kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    RESULT.write_text(json.dumps({**kept, str(asked.claims): found}, indent=1, sort_keys=True) + "\n")
    step = found["steps"][f"files of {PER_FILE}: written and scrubbed"]
    return 0 if step["claims_per_cpu_s"] >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
