{{ answer_rows('remarks') }}
