{{ answer_rows('service_payments') }}
