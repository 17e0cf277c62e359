-- The arithmetic of every amount in use: RVUs x GPCIs x conversion factor x the biller's share, rounded once.
select
    practice_id,
    procedure_code,
    service_date,
    cast(payment_share as decimal(3, 2)) as payment_share,
    work_rvu,
    practice_expense_rvu,
    malpractice_rvu,
    rvu_release,
    work_gpci,
    pe_gpci,
    malpractice_gpci,
    gpci_release,
    conversion_factor,
    unit_amount,
    national_unit_amount
from {{ ref('int_prices') }}
