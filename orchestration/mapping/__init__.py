"""Mappings: how the exports of another system become rows of the contracts (docs/mappings.md)."""
