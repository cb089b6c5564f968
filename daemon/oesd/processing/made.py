"""A result that was just stored, as those are told who show or watch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oesd.model import Analysis, Measurement, Result


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What the engine made of an entry.

    Attributes
    ----------
    device_name : str
        The spectrometer; for a file what its header tells.
    result : Result
        As it is stored, overrides applied.
    analysis : Analysis
        As the engine gave it: with its baseline and its noise, which are not stored.
    first : bool
        Whether the entry had no result before: the spectrum is new.
    """

    device_name: str
    result: Result
    analysis: Analysis
    first: bool


Measure = Callable[[str, Measurement, Analysis], bytes]
"""Measures the named traces of a spectrometer's spectrum, as the store takes them with its result."""


def no_readings(_: str, __: Measurement, ___: Analysis) -> bytes:
    """Measure no traces."""
    return b""
