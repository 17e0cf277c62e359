"""`make bench`: what a month costs at several sizes, against the floor of the same machine in the same run. Results are kept in benchmarks/results,
and the table of docs/scale.md is made from them.

SIZE is patients x months: 10k, 100k, 1400k, 100kx36, or `small` (one practice of 500 patients, with the commands), or `2000-practices` (of 50 patients
each, with the commands: what a benchmark of rows does not see), or `nation` (2,000 of 700 patients, by the commands; one of them closes). Other work on
the machine lengthens the wall clock: ratios are of CPU seconds, and the wall clock stands beside them. Nothing here is timed by a test.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.lake import land_night, make_home
from benchmarks.steps import MEMORY_SAID, MINUTES
from orchestration.house import House

RESULTS = Path(__file__).parent / "results"
DOCUMENT = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- made by make bench: begin -->", "<!-- made by make bench: end -->"
SIZES = {"small": (500, 1), "10k": (10_000, 1), "100k": (100_000, 1), "1400k": (1_400_000, 1), "100kx36": (100_000, 36)}
# Nights over a history: two sizes that differ in their months, measured one after the other. Each has a whole build, as `--full` makes it, and two more nights.
HISTORIES = {"10kx12": (10_000, 12), "10kx36": (10_000, 36), "100kx36-nights": (100_000, 36)}
# Practices, and the patients of each. Of the nation one practice closes: pyx12 alone would take an hour or two for all.
PRACTICES = {"2000-practices": (2_000, 50), "nation": (2_000, 700)}


def step(name: str, home: House) -> dict[str, Any]:
    """One step of benchmarks.steps in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.steps", name, str(home.root)], capture_output=True, text=True, check=False,
        env={**os.environ, "CCM_HOME": str(home.root), "PYTHONDONTWRITEBYTECODE": ""},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {name}: {json.dumps({k: v for k, v in found.items() if not isinstance(v, dict)})}", flush=True)
    return found


def command(home: House, *arguments: str) -> dict[str, float]:
    """A `ccm` command: wall and CPU seconds of the process and its children, and the memory of the largest of them."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        started = subprocess.Popen(
            [str(Path(sys.executable).with_name("ccm")), *arguments], stdout=said, stderr=subprocess.STDOUT,
            env={**os.environ, **MEMORY_SAID, "CCM_HOME": str(home.root), "PYTHONDONTWRITEBYTECODE": ""},
        )  # fmt: skip
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            said.seek(0)
            raise RuntimeError(f"ccm {arguments[0]}: {said.read()[-4000:]}")
    found = {
        "wall_s": round(time.perf_counter() - began, 2), "cpu_s": round(used.ru_utime + used.ru_stime, 2), "peak_gib": round(used.ru_maxrss / 2**20, 2),
    }  # fmt: skip
    print(f"  ccm {arguments[0]}: {found}", flush=True)
    return found


def land(home: House, into: House) -> int:
    """The time log of a home as landed files, one for each practice; gives the rows."""
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        rows = con.execute(f"""
            select practice_id, extract_date, entry_id, patient_id, member_id, program, activity, strftime(started_at, '%Y-%m-%dT%H:%M:%SZ') as started_at,
                strftime(ended_at, '%Y-%m-%dT%H:%M:%SZ') as ended_at, duration_seconds, entry_method, face_to_face, note_id,
                repeat('Called about the readings at home. ', 1 + note_length // 100) as note_text,
                strftime(recorded_at, '%Y-%m-%dT%H:%M:%SZ') as recorded_at, strftime(updated_at, '%Y-%m-%dT%H:%M:%SZ') as updated_at, voided
            from '{home.lake}/batches/000001/time_entries.parquet' order by practice_id
        """).to_arrow_table()  # noqa: F841 - DuckDB reads it by its name
        count = 0
        for practice, night in con.execute("select distinct practice_id, cast(extract_date as varchar) from rows").fetchall():
            path = into.landing / practice / night / "time_entries.csv"
            path.parent.mkdir(parents=True)
            con.execute(
                f"copy (select * exclude (practice_id, extract_date) from rows where practice_id = '{practice}') to '{path}' (header, delimiter ',')"
            )
            count += 1
    return count


def measure(size: str, folder: Path) -> dict[str, Any]:
    patients, months = SIZES[size]
    found: dict[str, Any] = {
        "patients": patients, "months": months, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
    }  # fmt: skip
    began = time.perf_counter()
    home = make_home(folder / "home", patients, months, 500 if size == "small" else 700)
    with duckdb.connect() as con:
        found["entries"] = con.execute(f"select count(*) from '{home.lake}/batches/000001/time_entries.parquet'").fetchall()[0][0]
    print(f"{size}: {found['entries']:,} entries, made in {time.perf_counter() - began:.0f} s", flush=True)
    steps: dict[str, Any] = found.setdefault("steps", {})

    def run(name: str, where: House, kept_as: str | None = None) -> None:
        steps[kept_as or name] = step(name, where)
        keep(size, found)

    if size == "small":
        land_night(home, patients, months, 500)
        steps["nightly, the first"] = command(home, "nightly")  # makes Dagster's instance, loads the seeds
        steps["nightly --full"] = command(home, "nightly", "--full")
        for name in ("imports", "dbt"):
            run(name, home)
        # The first night of touched keys of a checkout renders its SQL and keeps it, as `dbt build` above has its own from the first night (ADR 33).
        for number in (1, 2):
            land_night(home, patients, months, 500, number=number)
            steps["nightly, the next"] = command(home, "nightly")
        steps["status"] = command(home, "status")
        steps["explain"] = command(home, "explain", "--practice", "bench-0000", "--patient", "P7", "--month", "2026-10")
        return found
    for name in ("models", "raw", "pandas", "polars", "publish"):
        run(name, home)
    if months == 1:
        landed = House(folder / "landed").prepare()
        found["files_landed"] = land(home, landed)
        run("take_in", landed)
        run("copy", landed)
        home.warehouse.unlink()
        (home.state / "dbt" / "seeds.sha256").unlink(missing_ok=True)
        run("dbt", home)
    return found


def _apart(what: Callable[..., Any], *given: Any) -> Any:
    """In a process of its own: a command's memory, as the system tells it, begins with that of the process which starts it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        return processes.submit(what, *given).result()


def measure_practices(size: str, folder: Path) -> dict[str, Any]:
    """An installation of many practices by its commands: a first night, another one, what is asked of the marts, a month's end."""
    practices, each = PRACTICES[size]
    patients = practices * each
    found: dict[str, Any] = {
        "practices": practices, "patients": patients, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"), "steps": {},
    }  # fmt: skip
    home = _apart(make_home, folder / "home", patients, 1, each)
    for number, name in enumerate(("the first night", "the next night")):
        _apart(land_night, home, patients, 1, each, number)
        found["steps"][f"nightly, {name}"] = command(home, "nightly")
        keep(size, found)
    found["steps"]["status"] = command(home, "status")
    found["steps"]["explain"] = command(home, "explain", "--practice", "bench-0000", "--patient", "P7", "--month", "2026-10")
    keep(size, found)
    which = ["--practice", "bench-0000"] if size == "nation" else []
    found["steps"]["close"] = command(home, "close", *which, "--month", "2026-10", "--approved-by", "Bench")
    found["claim files"] = sum(1 for _ in home.closes.glob("*/2026-10/v1/claims.837"))
    return found


def measure_history(patients: int, months: int, folder: Path) -> dict[str, Any]:
    """A night over one month and over `months`, of the same patients and with as many rows; the whole build is that of all there was before it."""
    if shutil.disk_usage(folder).free < patients * months * 13_000:
        raise SystemExit(f"{folder}: {patients * months * 13_000 / 1e9:.0f} GB wanted; name another folder with --folder")
    found: dict[str, Any] = {
        "patients": patients, "months": months, "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"), "nights": {},
    }  # fmt: skip
    homes = {length: make_home(folder / f"{length}", patients, length) for length in (months, 1)}
    # Step by step over both: a machine is not as fast in one quarter of an hour as in the next, and what is divided is of the same minutes.
    # The first night behind a whole build moves the rows of open months to the end of every table; those behind it find them there.
    for number, (name, run) in enumerate((("whole night", "whole night"), ("first night", "night"), ("night", "night"))):
        for length, home in homes.items():
            land_night(home, patients, length, number=number)
            found["nights"].setdefault(str(length), {})[name] = step(run, home)
    for home in homes.values():
        shutil.rmtree(home.root)
    return found


def keep(size: str, found: dict[str, Any]) -> None:
    """What was measured so far: a run that is cut off has not been for nothing."""
    (RESULTS / f"night_{size}.json").write_text(json.dumps(found, indent=1) + "\n")


def total(measured: dict[str, Any], names: Any = None) -> float:
    return sum(one["cpu_s"] for name, one in measured.items() if names is None or name in names)


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """What the goals are about, in CPU seconds."""
    steps = found["steps"]
    models, five = steps["models"]["models"], total(steps["raw"]["raw"])
    minutes, union = total(models, MINUTES), steps["raw"]["union"]["cpu_s"]
    made = {
        "minutes_s": minutes,
        "five_s": five,
        "union_s": union,
        "minutes_of_five": minutes / five,
        "minutes_of_union": minutes / union,
        "transform_s": total(models),
        "transform_of_floor": (total(models) + steps["publish"]["cpu_s"]) / (five + total(steps["raw"]["marts"])),
        "pandas_of_union": steps["pandas"]["cpu_s"] / union,
        "polars_of_union": steps["polars"]["cpu_s"] / union,
        "peak_gib": steps["models"]["peak_gib"],
        "microseconds_per_entry": minutes / found["entries"] * 1e6,
    }
    if "take_in" in steps:
        made["take_in_of_copy"] = steps["take_in"]["cpu_s"] / steps["copy"]["cpu_s"]
    return {name: round(value, 2) for name, value in made.items()}


def document(results: dict[str, dict[str, Any]]) -> str:
    """The tables of docs/scale.md."""
    nights = {size: (found, ratios(found)) for size, found in results.items() if size != "small"}

    def row(name: str, cell: Any, goal: str) -> str:
        cells = []
        for found, made in nights.values():
            try:
                cells.append(cell(found, made))
            except KeyError:
                cells.append("not measured")
        return f"| {name} | " + " | ".join(cells) + f" | {goal} |"

    lines = [
        "| | " + " | ".join(f"{found['patients']:,} patients, {found['months']} month{'s' if found['months'] > 1 else ''}" for found, _ in nights.values())
        + " | goal |",
        "|---|" + "---|" * (len(nights) + 1),
        row("time entries", lambda f, r: f"{f['entries']:,}", ""),
        row("minutes step, CPU s (wall s)", lambda f, r: f"{r['minutes_s']:.1f} ({_wall(f['steps']['models']['models'], MINUTES):.1f})", ""),
        row("its five raw queries, CPU s", lambda f, r: f"{r['five_s']:.1f}", ""),
        row("minutes step / five raw queries", lambda f, r: f"**{r['minutes_of_five']:.1f}**", "1.5"),
        row("minutes step / one-window union", lambda f, r: f"**{r['minutes_of_union']:.1f}**", "12"),
        row("all models, CPU s (wall s)", lambda f, r: f"{r['transform_s']:.1f} ({_wall(f['steps']['models']['models']):.1f})", ""),
        row("all models and publishing / raw queries and marts", lambda f, r: f"**{r['transform_of_floor']:.1f}**", "2.0"),
        row("most memory, GiB (memory_limit 6 GB)", lambda f, r: f"{r['peak_gib']:.1f}", "8"),
        row("minutes step, microseconds an entry", lambda f, r: f"{r['microseconds_per_entry']:.1f}", "1.1x at 14 M"),
        row("pandas / one-window union", lambda f, r: f"{r['pandas_of_union']:.1f}", ""),
        row("polars / one-window union", lambda f, r: f"{r['polars_of_union']:.1f}", ""),
        row("`dbt build` alone, CPU s (wall s)", lambda f, r: f"{f['steps']['dbt']['cpu_s']:.0f} ({f['steps']['dbt']['wall_s']:.0f})", ""),
        row("most memory of it, GiB", lambda f, r: f"{f['steps']['dbt']['peak_gib']:.1f}", "8"),
        row("taking in / CSV-to-Parquet copy", lambda f, r: f"**{r['take_in_of_copy']:.1f}**", "3"),
        row("publishing, CPU s", lambda f, r: f"{f['steps']['publish']['cpu_s']:.1f}", ""),
        "",
        "Where the time goes: the models that cost most, in CPU seconds.",
        "",
    ]  # fmt: skip
    largest = max(nights.values(), key=lambda one: one[0]["entries"])[0]
    models = sorted(largest["steps"]["models"]["models"].items(), key=lambda one: -one[1]["cpu_s"])[:15]
    lines += [f"| model ({largest['entries']:,} entries) | rows | CPU s | of all |", "|---|---|---|---|"]
    whole = total(largest["steps"]["models"]["models"])
    lines += [f"| {name} | {one['rows']:,} | {one['cpu_s']:.1f} | {one['cpu_s'] / whole:.0%} |" for name, one in models]
    lines += _before_and_now(results)
    if "small" in results:
        lines += _small(results["small"]["steps"])
    for size in PRACTICES:
        if (path := RESULTS / f"night_{size}.json").exists():
            lines += _practices(json.loads(path.read_text()))
    histories = {size: json.loads(path.read_text()) for size in HISTORIES if (path := RESULTS / f"night_{size}.json").exists()}
    if histories:
        lines += _history(list(histories.values()))
    lines += [
        "",
        "Measured with "
        + "; ".join(f"load {found['load_before']} ({size}, {found['measured_at']})" for size, found in results.items())
        + ".",
    ]
    return "\n".join(lines)


def _before_and_now(results: dict[str, dict[str, Any]]) -> list[str]:
    """The profile of before what ADR 31 tells of, beside that of now, at the largest size of which there is one (before_<size>.json)."""
    sizes = [size for size in results if size != "small" and (RESULTS / f"before_{size}.json").exists()]
    if not sizes:
        return []
    now = results[sizes[-1]]
    before = json.loads((RESULTS / f"before_{sizes[-1]}.json").read_text())
    then, there = before["steps"]["models"]["models"], now["steps"]["models"]["models"]
    costliest = sorted(then, key=lambda name: -then[name]["cpu_s"])[:15]
    # Three tables of all entries that are no more.
    minutes_then = {*MINUTES, "int_time_entries__timed", "int_time_entries__screened", "int_time_pieces"}
    return [
        "",
        f"Before and now ({now['entries']:,} entries): where the time went, in CPU seconds (of all).",
        "",
        "| | before | now |",
        "|---|---|---|",
        *(
            f"| {name} | {then[name]['cpu_s']:.1f} ({then[name]['cpu_s'] / total(then):.0%}) "
            + (f"| {there[name]['cpu_s']:.1f} ({there[name]['cpu_s'] / total(there):.0%}) |" if name in there else "| gone |")
            for name in costliest
        ),
        f"| the minutes step | {total(then, minutes_then):.1f} | {total(there, MINUTES):.1f} |",
        f"| all models | {total(then):.1f} | {total(there):.1f} |",
    ]


def _history(histories: list[dict[str, Any]]) -> list[str]:
    """What is said of a night over a long history beside one over a single month, in CPU seconds."""

    def cost(night: dict[str, Any], is_published: bool) -> float:
        parts = [night["take_in"], night["build"], *([night["publish"]] if is_published else [])]
        return float(sum(part["cpu_s"] for part in parts))

    def row(name: str, cell: Any, goal: str = "") -> str:
        cells = []
        for found in histories:
            one, long = found["nights"]["1"], found["nights"][str(found["months"])]
            cells.append(cell(one, long))
        return f"| {name} | " + " | ".join(cells) + f" | {goal} |"

    def ratio(one: float, other: float) -> str:
        return f"**{one / other:.2f}**"

    return [
        "",
        "One more night, taken in, judged, built, tested and published, over a history beside one over a single month (the second behind a `--full`):",
        "",
        "| | " + " | ".join(f"{found['patients']:,} patients, {found['months']} months (load {found['load_before']})" for found in histories) + " | goal |",
        "|---|" + "---|" * (len(histories) + 1),
        row("patient-months decided again, of all", lambda o, n: f"{n['night']['patient_months']:,} of {n['night']['of_patient_months']:,}"),
        row("over a month, CPU s (wall s); publishing", lambda o, n: _told(o["night"], cost)),
        row("over the history, CPU s (wall s); publishing", lambda o, n: _told(n["night"], cost)),
        row("over the history, the first behind a `--full`", lambda o, n: _told(n["first night"], cost)),
        row("everything built (`--full`), CPU s (wall s); publishing", lambda o, n: _told(n["whole night"], cost)),
        row("the history / a month, publishing apart", lambda o, n: ratio(cost(n["night"], False), cost(o["night"], False)), "1.25"),
        row("the history / a month, with publishing", lambda o, n: ratio(cost(n["night"], True), cost(o["night"], True)), "1.75"),
        row("the night / `--full`", lambda o, n: ratio(cost(n["night"], True), cost(n["whole night"], True)), "0.4"),
        row(
            "most memory of the night and of `--full`, GiB (memory_limit 6 GB)",
            lambda o, n: f"{n['night']['peak_gib']:.1f}, {n['whole night']['peak_gib']:.1f}",
            "8",
        ),
    ]  # fmt: skip


def _told(night: dict[str, Any], cost: Any) -> str:
    wall = sum(night[part]["wall_s"] for part in ("take_in", "build"))
    return f"{cost(night, False):.0f} ({wall:.0f}); {night['publish']['cpu_s']:.0f}"


def _small(steps: dict[str, Any]) -> list[str]:
    """What is said of a small practice's commands."""
    base = steps["dbt"]["cpu_s"] + steps["imports"]["cpu_s"]
    return [
        "",
        "A practice of 500 patients, each command a process of its own:",
        "",
        "| | CPU s (wall s) | goal |",
        "|---|---|---|",
        f"| `dbt build` of everything, and the imports of a night | {base:.1f} | |",
        *(
            f"| `ccm {said} | {steps[name]['cpu_s']:.1f} ({steps[name]['wall_s']:.1f}): **{steps[name]['cpu_s'] / base:.2f}** | 1.3 |"
            for name, said in (("nightly --full", "nightly --full`"), ("nightly, the next", "nightly` with one more night in"))
        ),
        *(
            f"| `ccm {name}` | **{steps[name]['cpu_s']:.1f}** ({steps[name]['wall_s']:.1f}) | 1.5 |"
            for name in ("status", "explain")
        ),
    ]


def _practices(found: dict[str, Any]) -> list[str]:
    """What is said of an installation of many practices."""
    said = {
        "nightly, the first night": "`ccm nightly`, the first: 13 files of each practice, everything built, a workbook and a report each",
        "nightly, the next night": "`ccm nightly` with one more night in, in which every patient's open month moves",
        "status": "`ccm status` (of all)",
        "explain": "`ccm explain`",
        "close": f"`ccm close` of a month of {'all' if found['claim files'] > 1 else 'one practice'}: "
        f"{found['claim files']:,} packet{'s' if found['claim files'] > 1 else ''}, frozen, scrubbed, read by pyx12, posted",
    }
    return [
        "",
        f"{found['practices']:,} practices of {found['patients'] // found['practices']} patients, each command a process of its own "
        f"(load {found['load_before']}, {found['measured_at']}):",
        "",
        "| | CPU s (wall s) | most memory of a process, GiB |",
        "|---|---|---|",
        *(
            f"| {said[name]} | {one['cpu_s']:.1f} ({one['wall_s']:.1f}) | {one.get('peak_gib', 'not measured')} |"
            for name, one in found["steps"].items()
        ),
    ]


def _wall(measured: dict[str, Any], names: Any = None) -> float:
    return sum(one["wall_s"] for name, one in measured.items() if names is None or name in names)


def write_document() -> None:
    kept = {size: json.loads(path.read_text()) for size in SIZES if (path := RESULTS / f"night_{size}.json").exists()}
    results = {size: found for size, found in kept.items() if ("explain" if size == "small" else "polars") in found["steps"]}
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{document(results)}\n\n{END}{rest.split(END, 1)[1]}", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", choices=[*SIZES, *HISTORIES, *PRACTICES, []], help="none: only the table is made again")
    parser.add_argument("--folder", type=Path, help="where there is room; else the system's temporary folder")
    asked = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    for size in asked.sizes:
        with tempfile.TemporaryDirectory(dir=asked.folder, prefix="ccm-bench-") as folder:
            if size in HISTORIES:
                keep(size, measure_history(*HISTORIES[size], Path(folder)))
            elif size in PRACTICES:
                keep(size, measure_practices(size, Path(folder)))
            else:
                keep(size, measure(size, Path(folder)))
    write_document()
    return 0


if __name__ == "__main__":
    sys.exit(main())
