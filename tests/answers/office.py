"""A home with claims that went out and an inbox, and the models over them in memory: what an answer makes of a claim, without a whole night."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from orchestration.house import DBT_PROJECT, House
from orchestration.payers.inbox import Taken, ensure_tables, take_in_answers
from orchestration.practices import Practice
from orchestration.transform import compiled, identities
from orchestration.transform.claim_lines import CLAIM_LINES
from orchestration.transform.closes import Closes
from orchestration.transform.configuration import configuration_tables
from tests.answers.letters import NORTH, SOUTH, Sent

# Whatever the payers say, these hold.
IDENTITIES = (
    "every_payment_of_an_answer_file_is_posted_unmatched_repeated_or_held",
    "every_remittance_is_accounted_for_to_the_cent",
    "what_lines_and_claims_received_is_what_was_posted",
    "what_a_claim_was_paid_is_the_sum_of_its_answers",
)
WANTED = (
    "claims",
    "claim_line_payments",
    "remittances",
    "answer_files",
    "claim_answers",
    "claim_denials",
    "claim_history",
    "int_claims__history",
    "int_claims__denials",
    "int_claims__doubled",
    "int_claims__lines_denied",
    "int_lines__noticed",
)


class Office:
    """`deliver` puts files into inbox/ and takes them in; `see` asks the models."""

    def __init__(self, root: Path, sent: Iterable[Sent]) -> None:
        self.house = House(root).prepare()
        self.rule_changes: list[str] = []  # SQL, behind the seeds
        lines = [row for claim in sent for row in claim.rows()]
        self._closes = Closes(claim_lines=pa.Table.from_pylist(lines, schema=CLAIM_LINES))
        self.configure(NORTH, SOUTH)
        ensure_tables(self.house)

    def configure(self, *practices: Practice) -> None:
        """From now on practices.yaml has these."""
        folder = self.house.lake / "configuration"
        folder.mkdir(parents=True, exist_ok=True)
        tables = configuration_tables(
            {p.practice_id: p for p in practices}, "rules", self._closes, known_as=identities.recorded(self.house)
        )
        for name, table in tables.items():
            pq.write_table(table, folder / f"{name}.parquet")
        self._con: duckdb.DuckDBPyConnection | None = None

    def deliver(self, *texts: str | bytes, **named: str | bytes) -> Taken | None:
        files = {f"{len(list(self.house.inbox.iterdir()))}_{place}": text for place, text in enumerate(texts)} | named
        for name, text in files.items():
            (self.house.inbox / name).write_bytes(text.encode("latin-1") if isinstance(text, str) else text)
        self._con = None
        return take_in_answers(self.house)

    def see(self, sql: str) -> list[dict[str, Any]]:
        if self._con is None:
            self._con = duckdb.connect()
            self._con.execute("set threads = 1")  # there is nothing to share
            compiled.prepare(self._con)
            models = _models()
            load_rules(self._con, " ".join(model.sql for model in models))
            for change in self.rule_changes:
                self._con.execute(change)
            compiled.run(self._con, self.house.root, models)
            self._con.execute("set search_path = 'warehouse.marts,warehouse.intermediate,warehouse.staging'")
            for identity in IDENTITIES:
                text = (DBT_PROJECT / "tests" / f"{identity}.sql").read_text(encoding="utf-8")
                query = re.sub(r"\{\{ ref\('(\w+)'\) \}\}", r"\1", re.sub(r"\{\{ config.*?\}\}\n", "", text, count=1))
                assert self._con.execute(query).fetchall() == [], identity
        cursor = self._con.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def claim(self, claim_id: str) -> dict[str, Any]:
        return self.see(f"select * from int_claims__history where claim_id = '{claim_id}'")[0]

    def statuses(self) -> dict[str, str]:
        return {
            row["claim_id"]: row["status"] for row in self.see("select claim_id, status from int_claims__history order by claim_id")
        }


def load_rules(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """The rule seeds that this SQL reads, with the types that dbt gives them."""
    for name, seed in _seeds().items():
        if name in sql:
            con.register("seed", seed)
            con.execute(f"create table rules.{name} as from seed")
            con.unregister("seed")


@cache
def _models() -> list[compiled.Model]:
    """Read once: the project does not change while its tests run."""
    return compiled.in_order(WANTED)


@cache
def _seeds() -> dict[str, pa.Table]:
    """Each seed's rows, with its types."""
    found, con = {}, duckdb.connect()
    for yml in DBT_PROJECT.glob("seeds/*/_*.yml"):
        for seed in yaml.safe_load(yml.read_text())["seeds"]:
            path = next(DBT_PROJECT.glob(f"seeds/*/{seed['name']}.csv"))
            typed = (seed.get("config") or {}).get("column_types", {})
            with path.open(encoding="utf-8", newline="") as handle:
                columns = next(csv.reader(handle))
            types = ", ".join(f"'{name}': '{typed[name]}'" for name in columns if name in typed)
            given = f", types = {{{types}}}" if types else ""
            found[seed["name"]] = con.execute(f"select * from read_csv('{path}', header = true{given})").to_arrow_table()
    return found
