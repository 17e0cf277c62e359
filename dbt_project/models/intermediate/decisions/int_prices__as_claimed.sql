-- Prices of int_prices under the settings that claims went out with, where the practice has others since: place of service, locality and participation are
-- those of the claimed day. One row per practice, these settings, code, service date and share.
with places as (
    select distinct
        lines.practice_id,
        lines.place_of_service,
        lines.mac,
        lines.state,
        lines.locality,
        lines.qualifying_apm_participant
    from {{ from_configuration('claim_lines') }} as lines
    inner join {{ ref('stg_practices') }} as practices on lines.practice_id = practices.practice_id
    where
        lines.place_of_service is not null
        and (lines.place_of_service, lines.mac, lines.state, lines.locality, lines.qualifying_apm_participant)
        <> (practices.place_of_service, practices.mac, practices.state, practices.locality, practices.qualifying_apm_participant)
),

wanted as (
    select
        places.*,
        prices.procedure_code,
        prices.service_date,
        prices.payment_share
    from places
    inner join {{ ref('int_prices') }} as prices on places.practice_id = prices.practice_id
),

{{ fees_on('wanted', 'wanted') }}

select
    wanted.practice_id,
    wanted.place_of_service,
    wanted.mac,
    wanted.state,
    wanted.locality,
    wanted.qualifying_apm_participant,
    wanted.procedure_code,
    wanted.service_date,
    wanted.payment_share,
    {{ unit_amount(practice_expense_rvu(), 'wanted.payment_share', 'gpcis') }} as unit_amount
from wanted
left join {{ ref('rule_facility_places') }} as facility
    on wanted.place_of_service = facility.place_of_service and {{ in_force('facility', 'wanted.service_date') }}
inner join rvus on wanted.procedure_code = rvus.procedure_code and wanted.service_date = rvus.service_date
inner join gpcis
    on
        wanted.mac = gpcis.mac
        and wanted.state = gpcis.state
        and wanted.locality = gpcis.locality
        and wanted.service_date = gpcis.service_date
inner join factors
    on wanted.qualifying_apm_participant = factors.qualifying_apm_participant and wanted.service_date = factors.service_date
