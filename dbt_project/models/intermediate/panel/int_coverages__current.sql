{{ facts_as_of('coverages') }}
