"""Molecular bands: what their rotational lines look like to a spectrometer, so that no element is claimed for them.

Six systems as synthesised from the line lists of moose-spectra 0.3.1 by ``line_table/bands.py``: N2 C-B (second
positive), N2+ B-X (first negative), CN B-X (violet), OH A-X, NH A-X, C2 d-a (Swan), in bins of 0.04 nm, each at five
pairs of rotational and vibrational temperature in place of the atoms' excitations. Their heads agree to 0.05 nm with
Pearse and Gaydon, The Identification of Molecular Spectra (4th ed. 1976). Molecules name peaks; they are no elements.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np

from oesd.engine.lines import IntArray
from oesd.model import FloatArray

SYSTEMS = ("N2", "N2+", "CN", "OH", "NH", "C2")


@cache
def band_light() -> tuple[FloatArray, IntArray, FloatArray]:
    """Air wavelengths (bins,) in nm, number of the system (bins,), relative light (excitations, bins)."""
    with (
        resources.files("oesd.engine").joinpath("data/bands.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as packed,
    ):
        relative: FloatArray = packed["relative"].astype(np.float64)
        return packed["wl_air_nm"].astype(np.float64), packed["system"].astype(np.int64), relative


def charge_stage(system: str) -> int:
    """1 for a neutral molecule, 2 for its ion."""
    return 2 if system.endswith("+") else 1
