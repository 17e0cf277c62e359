{{ landed_keys('appointments', 'appointment_id') }}
