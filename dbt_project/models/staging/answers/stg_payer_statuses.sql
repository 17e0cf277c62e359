{{ answer_rows('claim_statuses') }}
