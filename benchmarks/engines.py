"""`make bench-spark`: one night's models and tests on DuckDB and on Spark on this machine, from the same lake. Results are kept in benchmarks/results.

CPU seconds and memory are those of the process and all it started (Spark is a JVM beside it), read from /proc four times a second."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.lake import make_home
from benchmarks.night import RESULTS, SIZES
from orchestration.engine import open_warehouse
from orchestration.house import House

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def family(root: int) -> dict[int, tuple[float, int]]:
    """CPU seconds and resident bytes of a process and its descendants, by process id."""
    found, parents = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            found[int(entry.name)] = ((int(fields[11]) + int(fields[12])) / TICK, int(fields[21]) * PAGE)

    def belongs(pid: int) -> bool:
        while pid not in (0, 1):
            if pid == root:
                return True
            pid = parents.get(pid, 0)
        return False

    return {pid: used for pid, used in found.items() if belongs(pid)}


def night(home: House, engine: str) -> dict[str, Any]:
    """Builds and tests everything, in a process of its own: wall and CPU seconds, most memory in GiB."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.steps", "dbt", str(home.root)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "CCM_HOME": str(home.root), "CCM_ENGINE": engine},
    )  # fmt: skip
    seconds: dict[int, float] = {}
    most = 0
    while process.poll() is None:
        now = family(process.pid)
        seconds |= {pid: used for pid, (used, _) in now.items()}
        most = max(most, sum(size for _, size in now.values()))
        time.sleep(0.25)
    if process.returncode:
        raise RuntimeError(f"{engine}: {(process.stderr.read() if process.stderr else '')[-2000:]}")
    found = {
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(sum(seconds.values()), 1),
        "most_memory_gib": round(most / 2**30, 2),
    }
    print(f"  {engine}: {found}", flush=True)
    return found


def marts(home: House) -> dict[str, int]:
    with open_warehouse(home) as con:
        names = [
            row[0]
            for row in con.execute("select table_name from duckdb_tables() where schema_name = 'marts' order by all").fetchall()
        ]
        return {name: con.execute(f'select count(*) from marts."{name}"').fetchall()[0][0] for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", choices=list(SIZES))
    parser.add_argument("--folder", type=Path, default=Path("/tmp"))
    arguments = parser.parse_args()
    for size in arguments.sizes:
        patients, months = SIZES[size]
        with tempfile.TemporaryDirectory(prefix="ccm-bench-", dir=arguments.folder) as folder:
            print(f"{size}: {patients} patients, {months} months", flush=True)
            home = make_home(Path(folder) / "home", patients, months)
            found: dict[str, Any] = {"duckdb": night(home, "duckdb")}
            expected = marts(home)
            found["spark"] = night(home, "spark")
            if marts(home) != expected:
                raise RuntimeError("the marts have other numbers of rows")
            about = {
                "size": size, "patients": patients, "months": months, "at": datetime.now(UTC).isoformat(timespec="minutes"),
                "cores": os.cpu_count(), "load": round(os.getloadavg()[1], 1), "duckdb_version": duckdb.__version__,
            }  # fmt: skip
        (RESULTS / f"spark_{size}.json").write_text(json.dumps({**about, **found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
