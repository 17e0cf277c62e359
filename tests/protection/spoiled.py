"""`python -m tests.protection.spoiled FAULT -- COMMAND...`: runs a `ccm` command in which something breaks over a patient's values.

FAULT
  none            nothing breaks
  take-in         an exception of the reader quotes a row
  model           a dbt model converts a name to a number: DuckDB's message quotes it
  test            a dbt test's query converts a name to a number
  parse           dbt stops before it runs anything, with a name in its message
  judge           an expectation breaks over a value
  freeze          DuckDB breaks over a value while a packet is made
  validator       pyx12 raises with the segment it was reading
  answer          the posting of an answer breaks over its text
  publish         the copy of the marts breaks
  command         the command itself breaks, after the run
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

SAID = "Zqxlast, Zqxfirst born 1931-02-02, 7QX7QX7QX01"


def breaks(*_: Any, **__: Any) -> Any:
    # As libraries do: a value in the message, and another exception behind it.
    try:
        int(SAID)
    except ValueError as error:
        raise RuntimeError(f"could not convert {SAID!r}") from error


def duck(*_: Any, **__: Any) -> Any:
    import duckdb

    duckdb.execute(f"select cast('{SAID}' as integer)")


def main() -> None:
    fault, _, *command = sys.argv[1:]
    sys.argv = ["ccm", *command]
    if fault in ("model", "test", "parse"):
        own_project(fault)
    import orchestration.answer.publish
    import orchestration.answer.status
    import orchestration.close.packet
    import orchestration.close.x12.validate
    import orchestration.command.nights
    import orchestration.judge.expectations
    import orchestration.payers.inbox
    import orchestration.take_in.lake

    patches: dict[str, tuple[Any, str, Any]] = {
        "take-in": (orchestration.take_in.lake, "_totals", breaks),
        "judge": (orchestration.judge.expectations, "validate", breaks),
        "freeze": (orchestration.close.packet, "freeze", duck),
        "validator": (orchestration.close.packet, "judge", breaks),
        "answer": (orchestration.payers.inbox, "rows_of", breaks),
        "publish": (orchestration.answer.publish, "_literal", breaks),
        "command": (orchestration.command.nights, "_night_summary", breaks),
    }
    if fault in patches:
        module, name, instead = patches[fault]
        if not hasattr(module, name):
            raise AssertionError(f"{module.__name__} has no {name}: name what breaks now")
        setattr(module, name, instead)
    from orchestration.command.main import main as ccm

    ccm()


def own_project(fault: str) -> None:
    """A copy of the dbt project with a fault in it."""
    import orchestration.house as house

    copy = Path(tempfile.mkdtemp(prefix="spoiled-")) / "dbt_project"
    shutil.copytree(house.DBT_PROJECT, copy, ignore=shutil.ignore_patterns("target", "logs"))
    house.DBT_PROJECT = copy
    if fault == "model":
        model = next(copy.rglob("int_claim_subjects.sql"))
        spoilt = model.read_text(encoding="utf-8").replace(
            "    patients.first_name,", "    cast(patients.first_name as integer) as first_name,"
        )
        assert "as integer" in spoilt
        model.write_text(spoilt, encoding="utf-8")
    elif fault == "test":
        (copy / "tests" / "names_are_numbers.sql").write_text(
            "select practice_id, patient_id from {{ ref('int_claim_subjects') }} where cast(first_name as integer) > 0\n"
        )
    else:
        (copy / "models" / "broken.sql").write_text(f"select {{{{ ref('{SAID}') }}}}\n")


if __name__ == "__main__":
    main()
