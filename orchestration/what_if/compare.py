"""A month's decisions and codes on two sides, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.engine import open_database

MOVERS = 10

# In what a patient-month may differ, and the condition on the joined rows. `is distinct from` so that null equals null.
KINDS = {
    "decision": "a.decision is distinct from b.decision",
    "reason": "a.reason is distinct from b.reason",
    "track": "a.track is distinct from b.track",
    "codes": "a.codes is distinct from b.codes",
    "service_date": "a.service_dates is distinct from b.service_dates",
    "allowed_amount": "a.allowed_amount is distinct from b.allowed_amount",
    "charge_amount": "a.charge_amount is distinct from b.charge_amount",
}


@dataclass(frozen=True)
class Side:
    """One side of the comparison: a row per patient-month, a row per code."""

    decisions: pa.Table
    codes: pa.Table


def read_side(database: Path, schema: str, month: date, practice_ids: list[str]) -> Side:
    """The month of the practices out of a warehouse or marts file."""
    with open_database(database, "warehouse") as con:
        where = "where month = ? and list_contains(?, practice_id)"
        decisions = con.execute(
            f"select practice_id, patient_id, decision, reason, track, allowed_amount from {schema}.patient_month_decisions {where}",
            [month, practice_ids],
        ).to_arrow_table()
        codes = con.execute(
            "select practice_id, patient_id, procedure_code, units, service_date, allowed_amount, charge_amount "
            f"from {schema}.claimable_codes {where}",
            [month, practice_ids],
        ).to_arrow_table()
    return Side(decisions, codes)


_MONTHS = """
create table {side}_months as
select decisions.*, coalesce(codes.codes, '') as codes, codes.service_dates, codes.charge_amount
from {side}_decisions as decisions
left join (
    select practice_id, patient_id,
        string_agg(procedure_code || ' x ' || units, ', ' order by procedure_code) as codes,
        string_agg(distinct cast(service_date as varchar), ', ' order by cast(service_date as varchar)) as service_dates,
        sum(charge_amount) as charge_amount
    from {side}_codes
    group by practice_id, patient_id
) as codes using (practice_id, patient_id)
"""


def compare(actual: Side, other: Side, practice_ids: list[str]) -> list[dict[str, Any]]:
    """Per practice: patient-months that differ and in what, units and dollars by code, dollars by decision, and who moves most.

    `before` is the actual side, `after` the other. Dollars are allowed amounts of claimable, held and claimed patient-months; a patient-month of
    one side only counts as differing, with nulls on the other. Movers by the size of the change, then by patient_id; at most ten.
    """
    with duckdb.connect() as con:
        for side, given in (("actual", actual), ("other", other)):
            con.register(f"{side}_decisions", given.decisions)
            con.register(f"{side}_codes", given.codes)
            con.execute(_MONTHS.format(side=side))
        differs = " or ".join(KINDS.values())
        kinds = ", ".join(f"({condition}) as differs_in_{kind}" for kind, condition in KINDS.items())
        con.execute(
            f"""
            create table joined as
            select practice_id, patient_id, {kinds}, ({differs}) as differs,
                a.decision as decision_before, b.decision as decision_after, a.reason as reason_before, b.reason as reason_after,
                a.track as track_before, b.track as track_after, coalesce(a.codes, '') as codes_before, coalesce(b.codes, '') as codes_after,
                a.service_dates as service_date_before, b.service_dates as service_date_after,
                a.allowed_amount as amount_before, b.allowed_amount as amount_after
            from actual_months as a full join other_months as b using (practice_id, patient_id)
            """
        )
        return [_of_practice(con, practice_id) for practice_id in practice_ids]


def _of_practice(con: duckdb.DuckDBPyConnection, practice_id: str) -> dict[str, Any]:
    def rows(query: str) -> list[dict[str, Any]]:
        cursor = con.execute(query, {"practice": practice_id})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    counts = ", ".join(f"count(*) filter (where differs_in_{kind}) as {kind}" for kind in KINDS)
    (totals,) = rows(
        f"""select count(*) as patient_months, count(*) filter (where differs) as differing, {counts},
            coalesce(sum(amount_before), 0) as before, coalesce(sum(amount_after), 0) as after
        from joined where practice_id = $practice"""
    )
    dollars = {"before": _money(totals.pop("before")), "after": _money(totals.pop("after"))}
    decisions = rows(
        """select decision,
            count(*) filter (where side = 'before') as patients_before, count(*) filter (where side = 'after') as patients_after,
            coalesce(sum(amount) filter (where side = 'before'), 0) as dollars_before,
            coalesce(sum(amount) filter (where side = 'after'), 0) as dollars_after
        from (
            select 'before' as side, decision_before as decision, amount_before as amount from joined where practice_id = $practice
            union all
            select 'after', decision_after, amount_after from joined where practice_id = $practice
        ) where decision is not null group by decision order by decision"""
    )
    codes = rows(
        """select procedure_code,
            coalesce(sum(units) filter (where side = 'before'), 0) as units_before, coalesce(sum(units) filter (where side = 'after'), 0) as units_after,
            coalesce(sum(allowed_amount) filter (where side = 'before'), 0) as dollars_before,
            coalesce(sum(allowed_amount) filter (where side = 'after'), 0) as dollars_after
        from (
            select 'before' as side, procedure_code, units, allowed_amount from actual_codes where practice_id = $practice
            union all
            select 'after', procedure_code, units, allowed_amount from other_codes where practice_id = $practice
        ) group by procedure_code order by procedure_code"""
    )
    movers = rows(
        f"""select * exclude (practice_id, differs, {", ".join(f"differs_in_{kind}" for kind in KINDS)}),
            coalesce(amount_after, 0) - coalesce(amount_before, 0) as difference
        from joined where practice_id = $practice and differs order by abs(difference) desc, patient_id limit {MOVERS}"""
    )
    for row in [*decisions, *codes]:
        for name in ("dollars_before", "dollars_after"):
            row[name] = _money(row[name])
        for name in ("units_before", "units_after"):
            if name in row:
                row[name] = int(row[name])
    return {
        "practice_id": practice_id,
        "patient_months": totals.pop("patient_months"),
        "differing": totals.pop("differing"),
        "differing_in": totals,
        "dollars": {**dollars, "difference": dollars["after"] - dollars["before"]},
        "decisions": decisions,
        "codes": codes,
        "movers": movers,
    }


def _money(amount: Any) -> Decimal:
    return Decimal(amount).quantize(Decimal("0.01"))
