{{ landed_keys('services', 'service_id') }}
