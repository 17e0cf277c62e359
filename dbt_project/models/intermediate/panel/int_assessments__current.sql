{{ facts_as_of('assessments') }}
