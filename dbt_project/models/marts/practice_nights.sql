select
    practice_id,
    time_zone,
    first_night,
    newest_night,
    (select rules.rules_version from {{ from_configuration('rules') }} as rules) as rules_version
from {{ ref('stg_practices') }}
