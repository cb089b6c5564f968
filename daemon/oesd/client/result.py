"""What the API says of one entry, with its spectra as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from oesd.client.errors import ClientError
from oesd.model import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class OESResult:
    """An optical emission spectroscopy result, with the fields of GET /oes/{data_id}.

    Attributes
    ----------
    data_id, id : str
        Of the entry, and of the result: ``oes_001`` for the first.
    wavelengths : (pixels,) float64
        In air, ``wavelength_unit`` (nm).
    sample, scope_corrected : (pixels,) float64
        Mean raw counts of one scan, and what is left without dark; NaN where there is no value. The latter is
        linearised with the device's coefficients, less its stray light, and of the shorter exposure where the sample
        is saturated and one was taken: not ``sample - dark`` to the count.
    reference, dark : (pixels,) float64 or None
        None where none was captured.
    spectrum_type : str
    detected_peaks : list of dict
        ``peak_id``, ``wavelength_nm``, ``element`` (None where none is named), ``manual`` after a choice by hand;
        beside them, from oesd: ``wavelength_sigma_nm``, ``fwhm_nm``, ``snr``, ``intensity``, ``area``,
        ``probability``, ``candidates``.
    elements, molecules, ambiguous : list of dict
        Named ones with their probabilities; empty from a server that does not tell.
    constraint_mode, constrained_elements : str, list of str or None
    spectral_metadata : dict
        How it was measured; labels, device, exposure, warnings.
    last_updated : str
        ISO 8601.
    document : dict
        All of it as it came.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        if not isinstance(document, Mapping):
            raise ClientError("the answer is no OES result: no JSON object")
        self.document = dict(document)
        try:
            self.data_id = str(document["data_id"])
            self.id = str(document.get("id", ""))
            self.wavelengths = _array(document["wavelengths"], None)
            pixels = len(self.wavelengths)
            self.sample, self.scope_corrected, self.reference, self.dark = (
                None if document.get(name) is None else _array(document[name], pixels)
                for name in ("sample", "scope_corrected", "reference", "dark")
            )
            self.detected_peaks = _dicts(document.get("detected_peaks"))
            self.elements, self.molecules, self.ambiguous = (
                _dicts(document.get(name)) for name in ("elements", "molecules", "ambiguous")
            )
            self.spectral_metadata: dict[str, Any] = dict(document.get("spectral_metadata") or {})
        except (KeyError, TypeError, ValueError) as error:
            raise ClientError(f"the answer is no OES result: {type(error).__name__}: {error}") from None
        self.wavelength_unit = str(document.get("wavelength_unit", "nm"))
        self.spectrum_type = str(document.get("spectrum_type", "sample"))
        self.constraint_mode = str(document.get("constraint_mode", "auto"))
        self.constrained_elements: list[str] | None = document.get("constrained_elements")
        self.last_updated = str(document.get("last_updated", ""))

    def peak(self, peak_id: str) -> dict[str, Any]:
        """One of the detected peaks by its id."""
        for peak in self.detected_peaks:
            if peak.get("peak_id") == peak_id:
                return peak
        known = ", ".join(str(peak.get("peak_id")) for peak in self.detected_peaks[:20]) or "none"
        raise ClientError(f"{self.data_id} has no peak {peak_id!r}; it has {known}")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the corrected scope and the names of its peaks on an axes, a new one when None; needs matplotlib.

        Raises
        ------
        ClientError
            Without matplotlib: ``pip install 'oesd[plot]'``.
        """
        from oesd.pictures import PictureError, draw_on

        try:
            return draw_on(self.document, ax)
        except PictureError as error:
            raise ClientError(str(error)) from None

    def __repr__(self) -> str:
        named = ", ".join(str(found.get("element")) for found in self.elements) or "nothing named"
        simulated = ", SIMULATED" if self.spectral_metadata.get("simulated") else ""
        size = f"{len(self.wavelengths)} pixels, {len(self.detected_peaks)} peaks"
        return f"<OESResult {self.data_id} {self.id}: {size}, {named}{simulated}>"


def _array(values: Any, length: int | None) -> FloatArray:
    array = np.array(values, dtype=np.float64)  # None becomes NaN
    if array.ndim != 1 or (length is not None and len(array) != length):
        raise ValueError("a spectrum is not one value for each wavelength")
    return array


def _dicts(values: Any) -> list[dict[str, Any]]:
    if not all(isinstance(value, dict) for value in values or ()):
        raise TypeError("a list of findings holds something else")
    return list(values or ())
