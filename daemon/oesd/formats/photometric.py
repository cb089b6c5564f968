"""Photometric spectra as text: what was measured, by what, and columns of wavelength, value and error."""

from __future__ import annotations

import codecs
from collections.abc import Mapping

import numpy as np

from oesd.formats.spreadsheet import cell, name_cell
from oesd.model import Photometric


def photometric_columns(spectrum: Photometric, about: Mapping[str, str]) -> bytes:
    """Comma separated columns below ``# name,"text"`` lines, LF; the same for the same input.

    Laid out as the export form CSV is: no foreign text begins a cell as a formula does. A pixel without a value has
    empty cells and the reason in the last column.

    Parameters
    ----------
    spectrum : Photometric
    about : mapping
        Where it comes from: entry, files, calibration.
    """
    head = [f"# {name_cell(name)},{cell(text)}" for name, text in _described(spectrum, about).items()]
    reasons = _reasons(spectrum)
    rows = [
        f"{wavelength!r},{_cell(value, 9)},{_cell(sigma, 4)},{reason}"
        for wavelength, value, sigma, reason in zip(
            spectrum.wavelengths_nm.tolist(), spectrum.values.tolist(), spectrum.sigma.tolist(), reasons, strict=True
        )
    ]
    unit = "" if spectrum.unit == "1" else f"_{spectrum.unit.replace('/', '_per_')}"
    heading = f"wavelength_nm,{spectrum.quantity}{unit},sigma{unit},masked"
    text = "\n".join([*head, heading, *rows, ""])
    return (b"" if text.isascii() else codecs.BOM_UTF8) + text.encode("utf-8")


def _cell(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}g}"


def _described(spectrum: Photometric, about: Mapping[str, str]) -> dict[str, str]:
    own = {"Quantity": str(spectrum.quantity), "Unit": spectrum.unit, **about}
    if spectrum.scale_sigma:
        own["Common Scale Sigma"] = f"{spectrum.scale_sigma:.3g}"
    return own | {f"Warning {number}": text for number, text in enumerate(spectrum.warnings, start=1)}


def _reasons(spectrum: Photometric) -> list[str]:
    texts = [""] * len(spectrum.values)
    for reason, where in spectrum.masked.items():
        for pixel in np.flatnonzero(where).tolist():
            texts[pixel] = f"{texts[pixel]}; {reason}" if texts[pixel] else reason
    return texts
