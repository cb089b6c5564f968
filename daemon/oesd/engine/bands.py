"""Molecular bands: what their rotational lines look like to a spectrometer, so that no element is claimed for them.

Band systems as ``line_table/bands.py`` makes them: six from the line lists of moose-spectra 0.3.1 (N2 second positive,
N2+ first negative, CN violet, OH, NH, C2 Swan), the others synthesised from molecular constants and checked against
Pearse and Gaydon's heads (The Identification of Molecular Spectra, 4th ed. 1976). Each is there at five pairs of
rotational and vibrational temperature in place of the atoms' excitations: in bins of 0.04 nm, and as the peaks that a
spectrometer shows of it, above its own continuum, for lines of several widths. They name peaks and are no elements.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from oesd.engine.lines import IntArray
from oesd.model import FloatArray

LISTED = ("N2", "N2+", "CN", "OH", "NH", "C2")  # line by line, and so good to 0.05 nm; the others to 0.2 nm
SYNTHESISED = (
    *("N2 1+", "CO", "CO 3+", "NO", "CH", "CH B", "AlO"),
    *("TiO g", "TiO g'", "TiO a", "SiH", "SiF", "SiF B-A", "SiF B"),
)
SYSTEMS = LISTED + SYNTHESISED


@dataclass(frozen=True, slots=True, eq=False)
class _Bands:
    """The package's file as it is."""

    wl_air_nm: FloatArray
    system: NDArray[np.uint8]
    relative: NDArray[np.float16]
    width_nm: FloatArray
    peak_first: IntArray
    peak_nm: FloatArray
    peak_system: IntArray
    peak_relative: NDArray[np.float16]


@cache
def _bands() -> _Bands:
    with (
        resources.files("oesd.engine").joinpath("data/bands.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as packed,
    ):
        return _Bands(
            packed["wl_air_nm"].astype(np.float64),
            packed["system"],
            packed["relative"],
            packed["width_nm"].astype(np.float64),
            packed["peak_first"].astype(np.int64),
            packed["peak_nm"].astype(np.float64),
            packed["peak_system"].astype(np.int64),
            packed["peak_relative"],
        )


def band_light() -> tuple[FloatArray, IntArray, FloatArray]:
    """Air wavelengths (bins,) in nm, number of the system (bins,), relative light (excitations, bins)."""
    bands = _bands()
    return bands.wl_air_nm, bands.system.astype(np.int64), bands.relative.astype(np.float64)


def light_of(system: int) -> tuple[FloatArray, NDArray[np.float16]]:
    """Air wavelengths (bins,) of one system by its number, and its light as it is kept: (excitations, bins)."""
    bands = _bands()  # in the order of systems, then of wavelength
    mine = slice(*np.searchsorted(bands.system, [system, system + 1]))
    return bands.wl_air_nm[mine], bands.relative[:, mine]


def width_number(fwhm_nm: float) -> int:
    """Which of the widths that the peaks are known for is nearest to this line width."""
    return int(np.abs(np.log(_bands().width_nm / fwhm_nm)).argmin())


def band_peaks(width: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Air wavelengths (peaks,) in nm, systems and heights (excitations, peaks) of all peaks at one of the widths."""
    bands = _bands()
    mine = slice(int(bands.peak_first[width]), int(bands.peak_first[width + 1]))
    return bands.peak_nm[mine], bands.peak_system[mine], bands.peak_relative[:, mine].astype(np.float64)


def molecule_of(system: str) -> str:
    """The molecule of a band system: "N2" of "N2 1+"."""
    return system.split(" ")[0]


def charge_stage(system: str) -> int:
    """1 for a neutral molecule, 2 for its ion."""
    return 2 if molecule_of(system).endswith("+") else 1
