-- What 271s say of each subscriber to whoever asked, once however often it came.
select lake.*
from {{ from_coverage_answers() }} as lake
qualify
    lake.transaction_id
    = min(lake.transaction_id) over (partition by lake.beneficiary_key, lake.content_sha256, lake.receiver_npi)
