{{ facts_as_of('conditions') }}
