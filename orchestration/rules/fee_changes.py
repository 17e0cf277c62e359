"""Which amounts a loading changes: the models' own macros, on the seeds before and after."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.macros import project_macros
from orchestration.rules.fee_rows import FACTORS, GPCIS, RVUS, AmountChange, FeeSeeds, LocalityChange, claimable_codes

_CHANGED_AMOUNTS = """
{%- from 'fees.sql' import newest_release, unit_amount with context -%}
with codes_on as (select distinct codes.procedure_code, days.service_date from codes cross join days),
participation_on as (
    select both_kinds.qualifying_apm_participant, days.service_date
    from days cross join (values (false), (true)) as both_kinds (qualifying_apm_participant)
),
rvus as ({{ newest_release('rule_rvus', 'codes_on', ['procedure_code']) }}),
factors as ({{ newest_release('rule_conversion_factors', 'participation_on', ['qualifying_apm_participant']) }})
select rvus.procedure_code, rvus.service_date,
    case when factors.qualifying_apm_participant then 'office, qualifying participant' else 'office' end as amount,
    {{ unit_amount('rvus.nonfacility_pe_rvu') }} as dollars
from rvus inner join factors using (service_date)
union all
select rvus.procedure_code, rvus.service_date, 'facility', {{ unit_amount('rvus.facility_pe_rvu') }}
from rvus inner join factors using (service_date) where not factors.qualifying_apm_participant
"""

_CHANGED_LOCALITIES = """
{%- from 'fees.sql' import newest_release, unit_amount with context -%}
{%- from 'programs.sql' import base_codes with context -%}
with codes_on as (
    select base.procedure_code, days.service_date
    from days inner join ({{ base_codes() }}) as base on days.service_date between base.effective_from and base.effective_to
),
participation_on as (select false as qualifying_apm_participant, days.service_date from days),
localities_on as (
    select distinct known.mac, known.state, known.locality, days.service_date
    from {{ ref('rule_gpcis') }} as known cross join days
),
rvus as ({{ newest_release('rule_rvus', 'codes_on', ['procedure_code']) }}),
gpcis as ({{ newest_release('rule_gpcis', 'localities_on', ['mac', 'state', 'locality']) }}),
factors as ({{ newest_release('rule_conversion_factors', 'participation_on', ['qualifying_apm_participant']) }})
select gpcis.mac, gpcis.state, gpcis.locality, gpcis.service_date, rvus.procedure_code,
    {{ unit_amount('rvus.nonfacility_pe_rvu', '1', 'gpcis') }} as dollars
from gpcis inner join rvus using (service_date) inner join factors using (service_date)
"""


def changes_of(seeds: FeeSeeds, years: set[int]) -> tuple[list[AmountChange], list[LocalityChange]]:
    """Amounts of the claimable codes before and after, on every day of the years on which some price may begin."""
    codes = sorted({code for year in years for code in claimable_codes(seeds.folder, date(year, 1, 1), date(year, 12, 31))})
    begins = {row["effective_from"] for seed in (RVUS, GPCIS, FACTORS) for row in seeds.rows[seed]}
    days = sorted({f"{year}-01-01" for year in years} | {day for day in begins if int(day[:4]) in years})
    with duckdb.connect() as con:
        con.register("given_codes", pa.table({"procedure_code": codes}))
        con.register("given_days", pa.table({"service_date": days}))
        con.execute("create table codes as from given_codes")
        con.execute("create table days as select cast(service_date as date) as service_date from given_days")
        for schema, rows_of in (("before", seeds.before), ("after", seeds.rows)):
            con.execute(f"create schema {schema}")
            for rule in ("rule_bands", "rule_programs"):
                dates = ", ".join(f"cast({name} as date) as {name}" for name in ("effective_from", "effective_to"))
                con.execute(
                    f"create table {schema}.{rule} as select * replace ({dates}) from read_csv(?, header = true, all_varchar = true)",
                    [str(seeds.folder / "rules" / f"{rule}.csv")],
                )
            for seed in (RVUS, GPCIS, FACTORS):
                con.register(
                    "given", pa.Table.from_pylist(rows_of[seed], schema=pa.schema([(c, pa.string()) for c in seeds.types[seed]]))
                )
                columns = ", ".join(f"cast(nullif({name}, '') as {kind}) as {name}" for name, kind in seeds.types[seed].items())
                con.execute(f"create table {schema}.{seed} as select {columns} from given")
                con.unregister("given")

        def compared(query: str, key: str) -> list[tuple[Any, ...]]:
            before, after = (project_macros(schema).from_string(query).render() for schema in ("before", "after"))
            return con.execute(
                f"select {key}, before.dollars, after.dollars from ({before}) as before full join ({after}) as after using ({key}) "
                f"where before.dollars is distinct from after.dollars order by {key}"
            ).fetchall()

        amounts = [AmountChange(*row) for row in compared(_CHANGED_AMOUNTS, "procedure_code, service_date, amount")]
        localities = [
            LocalityChange(*row) for row in compared(_CHANGED_LOCALITIES, "mac, state, locality, service_date, procedure_code")
        ]
    return amounts, localities
