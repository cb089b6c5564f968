"""Lines of an element and bands of a molecule as the engine knows them, for a page that lays them over a spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np

from oesd.engine.bands import SYSTEMS, light_of, molecule_of
from oesd.engine.lines import line_table

_MOST = 2000
_MIDDLE = 2  # of the five excitations that a band system is known at
_BIN_NM = 0.04  # its light is kept in such bins
_STEPS = 4  # points in a full width of a line
_DARK = 1e-3  # of a system's brightest: what is less is not drawn


def element_lines(symbol: str) -> list[dict[str, Any]] | None:
    """Lines of an element, the strongest first; None when there is no such element.

    ``strength`` is relative to the strongest line of the same ionisation stage, from 1 down: a rule of thumb, as the
    temperature decides.
    """
    table = line_table()
    number = table.index_of.get(symbol)
    if number is None:
        return None
    own = np.flatnonzero(table.element == number)
    strongest = own[np.argsort(-table.prom[own], kind="stable")][:_MOST]
    return [
        {
            "wavelength_nm": round(float(table.wl_air_nm[i]), 4),
            "ionization": int(table.stage[i]),
            "strength": float(f"{10.0 ** float(table.prom[i]):.3g}"),
        }
        for i in strongest
    ]


def molecule_bands(symbol: str, fwhm_nm: float) -> list[dict[str, Any]] | None:
    """Band systems of a molecule as a spectrometer with lines of this width shows them; None when it has none.

    ``relative`` is the light between the gaps, 1 at the brightest place, at the middle one of the temperatures that
    the engine knows; null where there is next to none.
    """
    systems = [number for number, name in enumerate(SYSTEMS) if symbol in (molecule_of(name), name)]
    return [{"system": SYSTEMS[number], **_contour(number, fwhm_nm)} for number in systems] or None


def _contour(system: int, fwhm_nm: float) -> dict[str, Any]:
    nm, light = light_of(system)
    width_nm = max(fwhm_nm, 2.0 * _BIN_NM)
    step_nm, reach = width_nm / _STEPS, 2 * _STEPS
    first_nm = float(nm[0]) - reach * step_nm
    places = np.round((nm - first_nm) / step_nm).astype(np.int64)
    binned = np.bincount(places, weights=light[_MIDDLE].astype(np.float64), minlength=int(places[-1]) + reach + 1)
    away = np.arange(-reach, reach + 1) / _STEPS  # in full widths at half maximum
    shown = np.convolve(binned, np.exp(-4.0 * np.log(2.0) * away**2), mode="same")
    relative = shown / shown.max()
    lit = relative > _DARK
    drawn = lit | np.roll(lit, 1) | np.roll(lit, -1)  # a point on each side of a gap, which is a break
    axis = first_nm + step_nm * np.arange(len(relative))
    return {
        "wavelengths_nm": np.round(axis[drawn], 3).tolist(),
        "relative": [
            float(f"{value:.3g}") if is_lit else None for value, is_lit in zip(relative[drawn], lit[drawn], strict=True)
        ],
    }
