"""What a build is: seeds where they changed, then models, then tests, of everything or of what is touched; damage in the warehouse makes it anew."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

import duckdb

from orchestration.engine import Damaged, discard, is_damage, refused, starved
from orchestration.house import House, HouseError, write_private
from orchestration.transform import dbt, standing
from orchestration.transform.dbt import NodeResult
from orchestration.transform.project_files import load_manifest, project_fingerprint, seeds_fingerprint

# Which engine builds the nights: duckdb, or spark (docs/spark.md).
ENGINE = "CCM_ENGINE"
LOG = logging.getLogger(__name__)
# Tests that ask of models which have a night's own rows alone (`meta: is_of_tonight`): only building everything asks them of every row.
OF_TONIGHT = frozenset({"test.ccm.no_minute_is_credited_to_two_patients_of_one_member"})
_NO_UNIT_TESTS = ("--exclude", "resource_type:unit_test")


def build(house: House, below: Sequence[str] = (), *, is_whole: bool = False) -> list[NodeResult]:
    """Builds the models (`build_models`), then tests them.

    Models and tests are two commands: inside one `dbt build` a failing test keeps everything downstream from being built, so that one
    practice's bad row would stop every practice's morning. Here everything is built, and the gate stops whom a test names.
    Where a row failed a test of what a night has for itself alone, the next builds everything, or it would not see the row.
    A whole build begins with a new file. So does a night that meets damage in the warehouse: whatever is in it comes from the lake.
    """
    if is_whole:
        discard(house.warehouse)
    try:
        results = _built(house, below, is_whole)
        is_sound = not any(result.is_bad and is_damage(result.message) for result in results)
    except (Damaged, duckdb.IOException) as error:
        if not is_damage(error):
            raise
        results, is_sound = [], False
    if full := next((said for result in results if result.is_bad and (said := refused(result.message))), None):
        raise HouseError(f"{full.filename}: {full.strerror}; make room or give access, then `ccm nightly`: nothing is lost")
    for result in results:
        if result.is_bad and (what := starved(result.message)):
            raise HouseError(f"{result.unique_id.split('.')[2]}: {what}, then `ccm nightly`: nothing is lost")
    if is_sound:
        return results
    if is_whole or below:
        raise Damaged(house.warehouse)
    LOG.warning("%s is damaged and is made anew from the lake; look after the disk", house.warehouse)
    discard(house.warehouse)
    return _built(house, (), True)


def _built(house: House, below: Sequence[str], is_whole: bool) -> list[NodeResult]:
    sound = standing.sound(house)
    results = build_models(house, below, is_whole=is_whole or not sound >= OF_TONIGHT)
    if not any(result.is_bad for result in results):
        results += _tested(house, below, sound)
    return results


def _tested(house: House, below: Sequence[str], sound: frozenset[str]) -> list[NodeResult]:
    """Runs the tests. Those that no row failed before a night of touched keys (`sound`) are asked of its rows alone; what fails one of these is asked of
    all, so that every row that fails is told."""
    is_touched = standing.is_touched(house)
    among = sound if is_touched else frozenset()
    results = dbt.invoke(house, ["test", *_NO_UNIT_TESTS, *_selection(house, below)], standing.SETS if among else "", among)
    again = [result.unique_id for result in results if result.status != "pass" and result.unique_id in among]
    if again:
        results = [result for result in results if result.unique_id not in again]
        results += dbt.invoke(house, ["test", *_NO_UNIT_TESTS, "--select", *(name.split(".")[2] for name in again)])
    tested = {result.unique_id for result in results}
    # What is only a part of the models was built again, and the tests of that part: the others' rows are as they were.
    untested = sound - tested if below or is_touched else frozenset()
    standing.keep_sound(house, untested | {result.unique_id for result in results if result.status == "pass"})
    return results


def build_models(house: House, below: Sequence[str] = (), *, is_whole: bool = False) -> list[NodeResult]:
    """Loads the seeds if they changed and builds the models. `below`: only what hangs on these sources and models (unique ids).

    Where a finished night left the warehouse, models are built for what has been touched since and for nothing else, unless `is_whole`. On Spark
    they are always built whole; what hangs on a close or an answer is DuckDB's work there as well.
    """
    results: list[NodeResult] = []
    project = project_fingerprint()
    upon = standing.stands(house, project)
    standing.begin(house)
    stamp = house.state / "dbt" / "seeds.sha256"
    wanted = seeds_fingerprint()
    if not house.warehouse.exists() or not stamp.exists() or stamp.read_text() != wanted:
        upon = None
        # A full refresh, because a plain seed keeps the old columns and types.
        results += dbt.invoke(house, ["seed", "--full-refresh"])
        if any(result.is_bad for result in results):
            return results
        write_private(stamp, wanted)
    if is_on_spark() and not below:
        from orchestration.transform.spark.build import build_models as build_on_spark

        results += build_on_spark(house)
        if not any(result.is_bad for result in results):
            # Under a name of its own: no night of DuckDB's recomputes only what it touches in what another engine made.
            standing.finish(house, f"spark {project}", "whole")
        return results
    is_touched = upon is not None and not below and not is_whole
    results += dbt.invoke(house, ["run", *_selection(house, below)], standing.SETS if is_touched else "")
    # Where no night had finished, a part that is built is no whole.
    if not any(result.is_bad for result in results) and (upon is not None or not below):
        standing.finish(house, project, "part" if below else "touched" if is_touched else "whole", upon)
    return results


def is_on_spark() -> bool:
    """Which engine builds the nights (CCM_ENGINE). Raises HouseError for a name that is none."""
    name = os.environ.get(ENGINE) or "duckdb"
    if name not in ("duckdb", "spark"):
        raise HouseError(f"{ENGINE}: is neither duckdb nor spark; correct it or unset it")
    return name == "spark"


def _selection(house: House, below: Sequence[str]) -> list[str]:
    return ["--select", *hanging_on(load_manifest(dbt.ensure_manifest(house)), below)] if below else []


def hanging_on(manifest: dict[str, Any], roots: Sequence[str]) -> list[str]:
    """Names of the models below these nodes, and of those among them that are models. The sets of touched keys are passed over: what they say of
    a night holds for that night alone."""
    children: dict[str, list[str]] = {}
    for name, node in manifest["nodes"].items():
        if node["resource_type"] == "model" and node["schema"] != standing.SETS:
            for parent in node["depends_on"]["nodes"]:
                children.setdefault(parent, []).append(name)
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += children.get(name, [])
    return sorted(name.split(".")[-1] for name in found if name.startswith("model."))
