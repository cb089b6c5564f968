"""Colours of names: the ten brightest are told apart, on white paper and by most who see red and green alike."""

from __future__ import annotations

from collections.abc import Sequence

TRACE, BASELINE, QUIET, UNSURE = "#1f2d3a", "#c08a2b", "#8a95a0", "#b8660b"
_NAMED = (
    "#0b62b8", "#c2255c", "#15803d", "#7c3aed", "#b45309", "#0f766e", "#be123c", "#4338ca", "#4d7c0f", "#9d174d",
)  # fmt: skip


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each name, in their order."""
    return {name: _NAMED[i % len(_NAMED)] for i, name in enumerate(names)}
