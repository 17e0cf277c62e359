{{ facts_as_of('stays') }}
