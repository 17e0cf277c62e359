"""Delivery: what a vendor puts on a server is fetched into landing/ before a night (docs/delivery.md)."""
