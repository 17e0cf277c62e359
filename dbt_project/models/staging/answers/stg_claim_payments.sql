{{ answer_rows('claim_payments') }}
