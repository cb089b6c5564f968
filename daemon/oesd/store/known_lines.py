"""The lines that stored results refer to by number: a list that is part of the stored form, and never edited.

Lines in the order of species (element and stage of ionisation), and of air wavelength within a species. Made once from
the engine's table by ``line_table/known_lines.py``; a line that is not in it is stored by name.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from oesd.store.encoding import from_planes, unpack_bytes

Integers = NDArray[np.int64]
_SPECIES_BITS = 24  # from here on; before them the wavelength in tenths of a pm
FURTHEST = 1 << _SPECIES_BITS
"""The first wavelength that no line here can have, in tenths of a pm."""
_STAGE_BITS = 2
_STAGES = 1 << _STAGE_BITS


class Line(NamedTuple):
    """A candidate without its probability."""

    candidate_key: str
    element: str
    ionization: int
    wavelength_nm: float


@dataclass(frozen=True, slots=True, eq=False)
class KnownLines:
    """The list.

    Attributes
    ----------
    symbols : tuple of str
    numbers : dict
        Of the symbols: their places.
    lines : (lines,) int64
        Species and wavelength of each, ascending.
    """

    symbols: tuple[str, ...]
    numbers: dict[str, int]
    lines: Integers

    def species(self, element: str, stage: int) -> int:
        """Number of a species; that of one which has no lines when it is none that can have any."""
        number = self.numbers.get(element)
        return (
            len(self.symbols) * _STAGES if number is None or not 1 <= stage <= _STAGES else number * _STAGES + stage - 1
        )

    def element_of(self, species: Integers) -> Integers:
        """Numbers of the elements of species."""
        return species >> _STAGE_BITS

    def places(self, species: Integers, tenths_pm: Integers) -> Integers:
        """Where lines of these species and wavelengths are, or would be."""
        places: Integers = self.lines.searchsorted(species << _SPECIES_BITS | tenths_pm)
        return places

    def known(self, places: Integers, species: Integers, tenths_pm: Integers) -> NDArray[np.bool_]:
        """Whether there are such lines at these places."""
        found = self.lines[np.minimum(places, len(self.lines) - 1)]
        same: NDArray[np.bool_] = found == (species << _SPECIES_BITS | tenths_pm)
        return same


@cache
def known_lines() -> KnownLines:
    """Return the list, read once."""
    data = resources.files("oesd.store").joinpath("known_lines.bin").read_bytes()
    (head,) = struct.unpack_from("<I", data)
    symbols, lines = json.loads(data[4 : 4 + head])
    steps = from_planes(unpack_bytes(data[4 + head :]), "<u8", lines)
    numbers = {symbol: number for number, symbol in enumerate(symbols)}
    return KnownLines(tuple(symbols), numbers, np.cumsum(steps).astype(np.int64))


@lru_cache(maxsize=4096)
def line_at(place: int) -> Line:
    """A line by its place; a plasma asks for the same few hundred for days."""
    known = known_lines()
    if place == len(known.lines):
        return Line("", "", 0, 0.0)  # the place of what is not in the list
    species, tenths_pm = divmod(int(known.lines[place]), FURTHEST)
    number, stage = divmod(species, _STAGES)
    element, wavelength_nm = known.symbols[number], tenths_pm / 1e4
    return Line(usual_key(element, wavelength_nm), element, stage + 1, wavelength_nm)


def opening(line: Line) -> bytes:
    """The JSON of a candidate up to its probability."""
    return orjson.dumps({**line._asdict(), "probability": 0})[: -len(b"0}")]


@lru_cache(maxsize=4096)
def opening_at(place: int) -> bytes:
    """The same of a line by its place."""
    return opening(line_at(place))


def usual_key(element: str, wavelength_nm: float) -> str:
    """The key that a candidate has unless another one of its peak has it."""
    return f"{element}_{wavelength_nm:.1f}"
