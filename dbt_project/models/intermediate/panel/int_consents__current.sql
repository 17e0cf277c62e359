{{ facts_as_of('consents') }}
