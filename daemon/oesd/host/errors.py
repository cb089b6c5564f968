"""What can go wrong with the machine; each error is one line for a person."""

from __future__ import annotations


class HostError(Exception):
    """The machine cannot be set up so; the text says what to do."""
