"""What a person asked for and cannot have."""

from __future__ import annotations


class WatchError(ValueError):
    """A trace, an alarm or a rule that cannot be: one line, what is wrong and what is there instead."""
