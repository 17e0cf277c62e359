{{ answer_rows('remittances') }}
