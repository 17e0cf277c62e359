"""What a month would be under other dated rules or another policy, beside what it is; nothing of the home is touched."""
