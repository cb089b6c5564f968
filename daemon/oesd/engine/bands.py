"""Molecular band heads that look like lines at low resolution: told from elements, so that none is claimed for them.

Air nm of the heads and rough relative intensities within each system; at 0.3-1.5 nm resolution the maximum lies up
to 0.1 nm inside the head, well within the tolerance of a match. N2+ and CN: maxima of bands synthesised from the line
lists of moose-spectra 0.3.1 at 0.2 nm. N2 C-B: typed from memory after Pearse and Gaydon (The Identification of
Molecular Spectra, 4th ed. 1976) and *not yet checked* against a second source; intensities are guesses. Nothing
here is ever reported: a wrong head can only fail to explain a band, or take a line's light from an element.
"""

from __future__ import annotations

import numpy as np

from oesd.model import FloatArray

SYSTEMS: dict[str, tuple[tuple[float, float], ...]] = {
    "N2": (
        (315.93, 0.5), (337.13, 1.0), (353.67, 0.3), (357.69, 0.8), (375.54, 0.45),
        (380.49, 0.55), (394.30, 0.12), (399.84, 0.2), (405.94, 0.2),
    ),
    "N2+": ((391.52, 1.0), (427.90, 0.3)),
    "CN": ((388.39, 1.0), (387.19, 0.4), (421.69, 0.1)),
}  # fmt: skip


def band_heads() -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.int64]], FloatArray]:
    """Wavelengths, system number and relative strength of every head, shape (heads,)."""
    rows = [(nm, number, share) for number, heads in enumerate(SYSTEMS.values()) for nm, share in heads]
    wavelength, system, strength = zip(*rows, strict=True)
    return np.array(wavelength), np.array(system, dtype=np.int64), np.array(strength)
