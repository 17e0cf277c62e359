"""dbt's own documentation of the project as one file that needs no server: site/dbt.html (`make dbt-docs`).

It is made from the project alone: no warehouse is opened, so that nothing of any home is in it, and it asks nobody outside.

    python -m orchestration.transform.site
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from orchestration.house import DBT_PROJECT, PROJECT_ROOT, House, HouseError
from orchestration.transform import dbt

PAGE = PROJECT_ROOT / "site" / "dbt.html"


def build(page: Path) -> None:
    """Writes the page. HouseError when dbt could not."""
    from dbt.cli.main import dbtRunner

    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder)).prepare()
        target = dbt.ensure_manifest(house).parent
        outcome = dbtRunner().invoke(
            [
                "--quiet", "--no-version-check", "docs", "generate", "--static", "--no-compile", "--empty-catalog",
                "--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(target), "--log-path", folder,
            ]
        )  # fmt: skip
        if not outcome.success:
            raise HouseError(f"dbt docs did not run: {type(outcome.exception).__name__}: {outcome.exception}")
        text = (target / "static_index.html").read_text(encoding="utf-8")
    page.parent.mkdir(parents=True, exist_ok=True)
    # dbt keeps where the project lies on this machine.
    page.write_text(text.replace(str(DBT_PROJECT), DBT_PROJECT.name), encoding="utf-8")


def main() -> int:
    build(PAGE)
    print(f"{PAGE.relative_to(PROJECT_ROOT)}: {PAGE.stat().st_size / 1e6:.1f} MB, open it in a browser")
    return 0


if __name__ == "__main__":
    sys.exit(main())
