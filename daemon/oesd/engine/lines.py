"""The atomic lines the engine knows: NIST ASD, shipped as one compact file and read once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LineTable:
    """Lines sorted by air wavelength; every line array has shape (lines,).

    Attributes
    ----------
    elements : tuple of str
        Symbols; ``element`` indexes them.
    stage : int64
        1 = neutral, 2 = singly ionised.
    wl_air_nm, wl_vac_nm : float64
    aki_s1, gk, ek_ev, ei_ev : float64
        Transition probability, upper weight, level energies; NaN where NIST gives none.
    intens : float64
        NIST relative intensity, not on one scale over elements; NaN where none.
    prom : float64
        log10 of the strength relative to the strongest line of the species (a heuristic).
    """

    version: str
    elements: tuple[str, ...]
    element: IntArray
    stage: IntArray
    wl_air_nm: FloatArray
    wl_vac_nm: FloatArray
    aki_s1: FloatArray
    gk: FloatArray
    ek_ev: FloatArray
    ei_ev: FloatArray
    intens: FloatArray
    prom: FloatArray
    ionization_ev: FloatArray

    def __len__(self) -> int:
        return len(self.wl_air_nm)

    @cached_property
    def index_of(self) -> dict[str, int]:
        """Element symbol -> its number in ``elements``."""
        return {symbol: number for number, symbol in enumerate(self.elements)}

    def window(self, low_nm: FloatArray, high_nm: FloatArray) -> tuple[IntArray, IntArray]:
        """Half-open ranges [first, last) of the lines within each [low, high]; any shape."""
        first = np.searchsorted(self.wl_air_nm, low_nm, side="left")
        last = np.searchsorted(self.wl_air_nm, high_nm, side="right")
        return first, last

    def subset(self, keep: NDArray[Any]) -> LineTable:
        """Table of the chosen lines only (mask or indices in ascending order), same elements and version."""
        arrays = {name: getattr(self, name)[keep] for name in _ARRAYS}
        return LineTable(version=self.version, elements=self.elements, ionization_ev=self.ionization_ev, **arrays)


_ARRAYS = ("element", "stage", "wl_air_nm", "wl_vac_nm", "aki_s1", "gk", "ek_ev", "ei_ev", "intens", "prom")
_INTEGERS = ("element", "stage")


@cache
def line_table() -> LineTable:
    """Read the shipped table; read from disk at the first call only."""
    with (
        resources.files("oesd.engine").joinpath("data/lines.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as packed,
    ):
        arrays = {name: packed[name].astype(np.int64 if name in _INTEGERS else np.float64) for name in _ARRAYS}
        return LineTable(
            version=str(packed["version"]),
            elements=tuple(str(symbol) for symbol in packed["elements"]),
            ionization_ev=packed["ionization_ev"].astype(np.float64),
            **arrays,
        )
