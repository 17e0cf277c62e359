{{ landed_keys('time_entries', 'entry_id') }}
