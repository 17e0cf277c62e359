"""`make contracts-check`: datacontract-cli, a reader of ODCS that is not ours, lints every contract and tests data against it.

It lives in an environment of its own (.venv-datacontract), because it pins typer below ours. The data: accepted extracts and marts of a few
made-up practices, as Parquet in a temporary folder (it reads CSV through DuckDB's sniffer, which gives up on good files with commas in quotes).
Each contract is copied there with a `servers` entry that names its file, and without the physical type of lists and JSON, whose names it does
not know, and without the vocabulary of a list's items; nothing else of it is changed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from orchestration.house import DATA_CONTRACTS
from tests.properties.orders import Kitchen, all_at_once, deliveries_of, loaded_seeds
from tests.properties.strategies import population

SEED, PRACTICES = 3, 4
# It looks for a newer self and, told so, sends its results; neither is wanted.
QUIET = {"DATACONTRACT_MANAGER_API_KEY": "", "ENTROPY_DATA_API_KEY": "", "NO_COLOR": "1", "COLUMNS": "200"}


def write_data(folder: Path) -> dict[str, Path]:
    """Contract -> its Parquet file."""
    clinics = population(SEED, PRACTICES, defects=False)
    kitchen = Kitchen(folder / "homes", loaded_seeds(folder / "seeds"))
    return kitchen.published(clinics, all_at_once(deliveries_of(clinics)), folder / "data")


def with_server(contract: Path, target: Path, data: Path) -> Path:
    """A copy of the contract that says where its data lies."""
    told = yaml.safe_load(contract.read_text(encoding="utf-8"))
    for column in told["schema"][0]["properties"]:
        if column.get("physicalType") == "JSON":  # which Parquet holds as text
            column["logicalType"] = "string"
            del column["physicalType"], column["items"]
        elif column.get("physicalType", "").endswith("[]"):
            del column["physicalType"]  # the logical type says as much
            column.pop("quality", None)  # it would hold the list itself, not its items, against the vocabulary
    told["servers"] = [{"server": "here", "type": "local", "path": str(data), "format": "parquet"}]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return target


def ask(command: Path, *arguments: str) -> tuple[int, list[str], int]:
    """How many checks it made, those that did not pass, and how many it says it cannot make. Its JSON is read, not its exit code alone."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        done = subprocess.run(
            [str(command), *arguments, "--output", str(result), "--output-format", "json"],
            env={**os.environ, **QUIET}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not result.exists():
            return 0, [(done.stderr or done.stdout).strip()[-600:]], 0
        told = json.loads(result.read_text(encoding="utf-8"))
    unable = [c for c in told["checks"] if c["result"] == "warning" and "not supported" in (c.get("reason") or "")]
    bad = [c for c in told["checks"] if c["result"] != "passed" and c not in unable]
    # Where one check broke off all the others, it comes first.
    bad.sort(key=lambda c: c["result"] != "error")
    return len(told["checks"]) - len(unable), [f"{c['result']}: {c['name']}: {c.get('reason') or ''}" for c in bad], len(unable)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", type=Path, default=Path(".venv-datacontract/bin/datacontract"))
    parser.add_argument("--only", help="contracts whose name has this")
    asked = parser.parse_args()
    contracts = {
        f"{path.parent.name}/{path.name.removesuffix('.odcs.yaml')}": path for path in sorted(DATA_CONTRACTS.glob("*/*.odcs.yaml"))
    }
    wanted = {name: path for name, path in contracts.items() if not asked.only or asked.only in name}
    failed, checks, unable = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        data = write_data(Path(folder))

        def judge(name: str) -> list[tuple[int, list[str], int]]:
            copy = with_server(wanted[name], Path(folder) / "contracts" / f"{name}.odcs.yaml", data[name])
            return [ask(asked.command, "lint", str(wanted[name])), ask(asked.command, "test", str(copy))]

        with ThreadPoolExecutor(2) as pool:
            for name, results in zip(wanted, pool.map(judge, wanted), strict=True):
                bad = [line for _, lines, _ in results for line in lines]
                checks += sum(count for count, _, _ in results)
                unable += sum(count for _, _, count in results)
                failed += [name] if bad else []
                print(f"{name}: {'FAILED' if bad else 'passed'}, {sum(count for count, _, _ in results)} checks", flush=True)
                print(*(f"   {line}" for line in bad[:6]), sep="\n", end="\n" if bad else "")
    print(
        f"{len(wanted)} contracts, {checks} checks, {len(failed)} contracts failed; {unable} checks of a Parquet column's type it cannot make"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
