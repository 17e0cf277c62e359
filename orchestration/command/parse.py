"""`python -m orchestration.command.parse`: parses the dbt project without a home, for `make check`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from orchestration.house import House
from orchestration.transform import dbt, project_files


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder)).prepare()
        nodes = project_files.load_manifest(dbt.ensure_manifest(house))["nodes"]
    print(f"dbt parses: {len(nodes)} nodes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
