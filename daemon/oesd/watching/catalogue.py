"""What can be named: lines of elements and heads of band systems, as the engine knows them, handed in as arrays."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray
from oesd.watching.errors import WatchError

KEY_NM = 0.06
"""A key names a wavelength to one decimal: half of its last digit, and what was rounded before."""
HEAD_NM = 0.8
"""How far from a band's head as it is listed the peak lies that a spectrometer shows of it: 0.1 to 0.6 nm."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Lines and band heads, each sorted by air wavelength.

    Attributes
    ----------
    elements, systems : tuple of str
        Symbols of elements and names of band systems; ``element`` and ``system`` index them.
    line_nm, strength, stage : (lines,) float64, float64, int64
        Air wavelength; log10 of the strength relative to the species' strongest; 1 for the neutral atom.
    head_nm, brightness : (heads,) float64
        Peaks that a spectrometer shows of a band system; relative to the system's brightest.
    """

    elements: tuple[str, ...]
    line_nm: FloatArray
    element: NDArray[np.int64]
    strength: FloatArray
    stage: NDArray[np.int64]
    systems: tuple[str, ...]
    head_nm: FloatArray
    system: NDArray[np.int64]
    brightness: FloatArray

    def line(self, symbol: str, nm: float) -> float:
        """Air wavelength of the line or head that a key means.

        Raises
        ------
        WatchError
            When there is none; names the nearest.
        """
        if symbol in self.systems and symbol not in self.elements:
            return self.head(symbol, nm)
        mine = self.lines_of(symbol)
        near = mine[np.abs(self.line_nm[mine] - nm) <= KEY_NM]
        if not len(near):
            closest = self.line_nm[mine[int(np.abs(self.line_nm[mine] - nm).argmin())]]
            raise WatchError(f"{symbol} has no line at {nm:g} nm; the nearest is {symbol}_{closest:.1f}")
        return float(self.line_nm[near[int(self.strength[near].argmax())]])

    def lines_of(self, symbol: str) -> NDArray[np.int64]:
        """Numbers of an element's lines."""
        if symbol not in self.elements:
            raise self.unknown(symbol)
        return np.flatnonzero(self.element == self.elements.index(symbol))

    def head(self, system: str, nm: float | None) -> float:
        """Air wavelength of the brightest head of a band system, or of the one near ``nm``."""
        mine = self.heads_of(system)
        if nm is not None:
            off = np.abs(self.head_nm[mine] - nm)
            if off.min() > HEAD_NM:
                closest = self.head_nm[mine[int(off.argmin())]]
                raise WatchError(f"{system} has no band head at {nm:g} nm; the nearest is {system}_{closest:.1f}")
            mine = mine[off <= HEAD_NM]
        return float(self.head_nm[mine[int(self.brightness[mine].argmax())]])

    def heads_of(self, system: str) -> NDArray[np.int64]:
        """Numbers of a band system's heads."""
        if system not in self.systems:
            near = difflib.get_close_matches(system, self.systems, n=1, cutoff=0.0)[0]
            raise WatchError(f"unknown band system {system!r}; did you mean {near!r}? Known: {', '.join(self.systems)}")
        return np.flatnonzero(self.system == self.systems.index(system))

    def unknown(self, symbol: str) -> WatchError:
        """The refusal of a symbol that is neither an element nor a molecule, with the nearest that is."""
        names = (*self.elements, *self.systems)
        capital = next((name for name in names if name.lower() == symbol.lower()), None)
        near = capital or difflib.get_close_matches(symbol, names, n=1, cutoff=0.0)[0]
        return WatchError(f"unknown element or molecule {symbol!r}; did you mean {near!r}?")
