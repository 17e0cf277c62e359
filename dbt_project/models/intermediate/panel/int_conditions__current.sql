-- Problem list entries with the code in the form that codes compare in: upper case, no dot.
select
    * exclude (icd10_code),
    replace({{ as_code('icd10_code') }}, '.', '') as icd10_code
from (
    {{ facts_as_of('conditions') }}
) as facts
