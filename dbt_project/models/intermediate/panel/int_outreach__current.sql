{{ facts_as_of('outreach') }}
