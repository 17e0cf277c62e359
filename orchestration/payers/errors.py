"""What the readers of answers raise."""

from __future__ import annotations


class NotReadableError(ValueError):
    """Something without which nothing can be posted cannot be read. Says which element, never its value."""
