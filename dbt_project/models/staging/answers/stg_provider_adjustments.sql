{{ answer_rows('provider_adjustments') }}
