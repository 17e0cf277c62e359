{#- The fee schedule: which release prices a day, and what a unit comes to. Also read by `ccm rules load-fees`, which shows with them what a new
    release would change, and by `ccm diff`; so nothing of dbt's but ref() may stand here. -#}

{#- Rows of a fee seed for each key and service date asked for: of the releases whose dates hold the date, the newest (rules.md A7). Releases
    are named so that they sort by age. The days relation holds the key columns and service_date, distinct. -#}
{% macro newest_release(seed, days, key) -%}
    select
        days.service_date,
        fees.*
    from {{ days }} as days
    inner join {{ ref(seed) }} as fees
        on
            days.service_date between fees.effective_from and coalesce(fees.effective_to, date '9999-12-31')
            {%- for column in key %}
            and days.{{ column }} = fees.{{ column }}
            {%- endfor %}
    qualify row_number() over (
        partition by days.service_date{% for column in key %}, days.{{ column }}{% endfor %}
        order by fees.release desc, fees.effective_from desc
    ) = 1
{%- endmacro %}

{#- Common tables of the fee schedule, each as of its day: rvus of the codes wanted, gpcis and factors of the places (with their service_date). -#}
{% macro fees_on(wanted, places) -%}
    codes_on as (select distinct procedure_code, service_date from {{ wanted }}),

    localities_on as (select distinct mac, state, locality, service_date from {{ places }}),

    participation_on as (select distinct qualifying_apm_participant, service_date from {{ places }}),

    rvus as (
        {{ newest_release('rule_rvus', 'codes_on', ['procedure_code']) }}
    ),

    gpcis as (
        {{ newest_release('rule_gpcis', 'localities_on', ['mac', 'state', 'locality']) }}
    ),

    factors as (
        {{ newest_release('rule_conversion_factors', 'participation_on', ['qualifying_apm_participant']) }}
    )
{%- endmacro %}

{#- Of rvus: where the place of service is a facility's, its own practice expense. -#}
{% macro practice_expense_rvu() -%}
    case when facility.place_of_service is null then rvus.nonfacility_pe_rvu else rvus.facility_pe_rvu end
{%- endmacro %}

{#- Dollars of one unit, rounded half up once and last. Without indices: the national amount. All arguments are DECIMAL. -#}
{% macro unit_amount(practice_expense, share='1', gpcis=none) -%}
    {%- set indices = [gpcis ~ '.work_gpci', gpcis ~ '.pe_gpci', gpcis ~ '.malpractice_gpci'] if gpcis else ['1', '1', '1'] -%}
    cast(round(
        (
            rvus.work_rvu * {{ indices[0] }}
            + {{ practice_expense }} * {{ indices[1] }}
            + rvus.malpractice_rvu * {{ indices[2] }}
        ) * factors.conversion_factor * {{ share }},
        2
    ) as decimal(12, 2))
{%- endmacro %}
