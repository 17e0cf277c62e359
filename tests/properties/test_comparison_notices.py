"""A comparison that finds nothing must be one that would have found something."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from ..second_opinion import Opinion, differences, evaluate
from ..second_opinion.compare import KEYS
from .strategies import write_home

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
MONEY = ("_amount", "_payment", "dollars_at_stake")


def publish(opinion: Opinion, path: Path) -> None:
    """The opinion as a marts.duckdb of its own."""
    with duckdb.connect(str(path)) as connection:
        for table in KEYS:
            rows = [dict(row) for row in getattr(opinion, table)]
            types = {name: kind(name, [row[name] for row in rows]) for name in rows[0]}
            if table == "undocumented_time":
                types["item_id"] = "varchar"
                for row in rows:
                    row["item_id"] = f"{row['kind']} {row['entry_id'] or row['appointment_id']} {row['month']}"
            connection.execute(f"create table {table} ({', '.join(f'{n} {t}' for n, t in types.items())})")
            marks = ", ".join("?" * len(types))
            for row in rows:
                values = [json.dumps(row[n], default=str) if types[n] == "json" else row[n] for n in types]
                values = [sorted(value) if isinstance(value, set) else value for value in values]
                connection.execute(f"insert into {table} values ({marks})", values)


def kind(name: str, values: list[object]) -> str:
    if name == "alternatives":
        return "json"
    if name in ("flags", "condition_groups"):
        return "varchar[]"
    if name.endswith(MONEY):
        return "decimal(12,2)"
    value = next((value for value in values if value is not None), "")
    names = {"bool": "boolean", "int": "bigint", "date": "date", "Decimal": "decimal(9,4)"}
    return names.get(type(value).__name__, "varchar")


@pytest.fixture(scope="module")
def opinion(tmp_path_factory: pytest.TempPathFactory) -> Opinion:
    return evaluate(write_home(tmp_path_factory.mktemp("home"), 3, practices=12), SEEDS)


@pytest.fixture(scope="module")
def marts(opinion: Opinion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "marts.duckdb"
    publish(opinion, path)
    return path


def test_an_opinion_agrees_with_itself(opinion: Opinion, marts: Path) -> None:
    assert differences(opinion, marts) == []


@pytest.mark.parametrize(
    "change",
    [
        "update eligibility set has_initiating_visit = not has_initiating_visit where rowid = 5",
        "update eligibility set condition_groups = list_append(condition_groups, 'zz') where rowid = 5",
        "update minute_ledger set seconds = seconds + 1 where rowid = 5",
        "delete from minute_ledger where rowid = 5",
        "insert into minute_ledger select * replace ('voided?' as disposition) from minute_ledger where rowid = 5",
        "insert into minute_ledger select * from minute_ledger where rowid = 5",
        "update patient_month_minutes set minutes_to_next_unit = 99 where rowid = 5",
        "update patient_month_decisions set flags = list_append(flags, 'zz') where rowid = 5",
        "update patient_month_decisions set alternatives = '[]' where rowid = "
        "(select min(rowid) from patient_month_decisions where track is not null)",
        "update claimable_codes set expected_payment = expected_payment + 0.01 where rowid = 0",
        "update claimable_codes set service_date = service_date + 1 where rowid = 0",
        "update undocumented_time set dollars_at_stake = dollars_at_stake + 0.01 where rowid = 0",
        "update undocumented_time set found_on = found_on + 1 where rowid = 0",
        "update enrollment_funnel set patients = patients + 1 where rowid = 5",
    ],
)
def test_one_changed_value_is_one_difference(opinion: Opinion, marts: Path, tmp_path: Path, change: str) -> None:
    changed = tmp_path / "marts.duckdb"
    shutil.copy(marts, changed)
    with duckdb.connect(str(changed)) as connection:
        connection.execute(change)
    assert len(differences(opinion, changed)) == 1
