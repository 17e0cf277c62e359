"""The asset graph as a text that can be reviewed: `python -m tests.pipeline.graph` writes it anew (`make graph`)."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg

KEPT = Path(__file__).with_name("graph.txt")


def drawn(defs: dg.Definitions) -> str:
    """Assets by group with owners, kinds, tags, partitions and parents; checks; jobs; schedules; sensors. One line each."""
    graph = defs.resolve_asset_graph()
    lines = []
    keys = sorted(graph.get_all_asset_keys(), key=lambda key: (graph.get(key).group_name, key.path))
    for group in sorted({graph.get(key).group_name for key in keys}):
        lines += ["", f"# {group}"]
        for key in (key for key in keys if graph.get(key).group_name == group):
            lines.append(_asset(graph, key))
            lines += [
                f"    check {check.name}{_carries(graph.get_check_spec(check))}" for check in sorted(graph.get(key).check_keys)
            ]
    lines += ["", "# jobs"]
    for name in ("backfill", "month_end", "nightly", "respond"):
        job = defs.resolve_job_def(name)
        assets = sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
        groups = sorted({graph.get(dg.AssetKey(key.split("/"))).group_name for key in assets})
        lines.append(
            f"job {name}: {len(assets)} assets of {', '.join(groups)}; steps {', '.join(sorted(node.name for node in job.nodes))}"
        )
    lines += ["", "# schedules"]
    for one in sorted(defs.schedules or (), key=lambda one: one.name):
        lines.append(
            f"schedule {one.name}: {one.cron_schedule} {one.execution_timezone}, {one.job_name}, {one.default_status.value}"
        )
    lines += ["", "# sensors"]
    for one in sorted(defs.sensors or (), key=lambda one: one.name):
        job = one.job_name if one.has_jobs else "no job"
        lines.append(f"sensor {one.name}: every {one.minimum_interval_seconds} s, {job}, {one.default_status.value}")
    return "\n".join(lines).lstrip() + "\n"


def _asset(graph: Any, key: dg.AssetKey) -> str:
    node = graph.get(key)
    tags = [f"{name}={value}" for name, value in sorted(node.tags.items()) if not name.startswith("dagster/")]
    parts = [
        f"owners={','.join(owner.removeprefix('team:') for owner in node.owners) or '-'}",
        f"kinds={','.join(sorted(node.kinds)) or '-'}",
        *tags,
        *([f"partitions={type(node.partitions_def).__name__.removesuffix('PartitionsDefinition')}"] if node.partitions_def else []),
        *(["made elsewhere"] if not node.is_materializable else []),
    ]
    parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
    return f"{key.to_user_string()}: {' '.join(parts)}" + (f" <- {parents}" if parents else "")


def _carries(check: dg.AssetCheckSpec) -> str:
    return " (by partition)" if check.partitions_def else ""


def main() -> int:
    """Draws the graph of a home with the demo's practices."""
    from orchestration.demo.demo_practices import DEMO_PRACTICES, practices_yaml

    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "practices.yaml").write_text(practices_yaml(DEMO_PRACTICES), encoding="utf-8")
        os.environ["CCM_HOME"] = home
        from orchestration.definitions import defs

        KEPT.write_text(drawn(defs), encoding="utf-8")
    print(f"{KEPT.name}: {len(KEPT.read_text(encoding='utf-8').splitlines())} lines; read the difference before you commit it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
