{{ facts_as_of('care_plans') }}
