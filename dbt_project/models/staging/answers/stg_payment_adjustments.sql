{{ answer_rows('adjustments') }}
