"""Synthetic spectra for the engine's tests: Gaussian lines, continuum, shot and read noise, all seeded."""

import numpy as np
from numpy.typing import NDArray

from oesd.engine.lines import line_table

Array = NDArray[np.float64]
SIGMA_OF_FWHM = 1.0 / 2.3548200450309493


def axis(first_nm: float = 250.0, last_nm: float = 900.0, pixels: int = 2048) -> Array:
    return np.linspace(first_nm, last_nm, pixels)


def lines(wavelengths: Array, centers_nm: Array, heights: Array, fwhm_nm: float) -> Array:
    light = np.zeros(len(wavelengths))
    for center, height in zip(centers_nm, heights, strict=True):
        near = slice(*np.searchsorted(wavelengths, [center - 4 * fwhm_nm, center + 4 * fwhm_nm]))
        light[near] += height * np.exp(-0.5 * ((wavelengths[near] - center) / (fwhm_nm * SIGMA_OF_FWHM)) ** 2)
    return light


def plasma(
    wavelengths: Array,
    amounts: dict[str, float],
    fwhm_nm: float = 1.0,
    kt_ev: float = 0.8,
    scatter: float = 0.0,
    seed: int = 0,
    stage: int = 1,
) -> Array:
    """Lines of one stage of each element in local equilibrium; ``amounts``: height of its strongest line there."""
    table, rng = line_table(), np.random.default_rng(seed)
    light = np.zeros(len(wavelengths))
    for symbol, height in amounts.items():
        mine = (
            (table.element == table.index_of[symbol])
            & (table.stage == stage)
            & np.isfinite(table.aki_s1 * table.ek_ev * table.gk)
        )
        mine &= (table.wl_air_nm > wavelengths[0]) & (table.wl_air_nm < wavelengths[-1])
        strength = (table.gk * table.aki_s1 / table.wl_air_nm)[mine] * np.exp(-table.ek_ev[mine] / kt_ev)
        strength *= np.exp(scatter * rng.standard_normal(len(strength)))
        strong = strength > 1e-4 * strength.max()
        light += lines(
            wavelengths, table.wl_air_nm[mine][strong], height * (strength / strength.max())[strong], fwhm_nm
        )
    return light


def measured(
    light: Array, seed: int = 0, read: float = 8.0, gain: float = 0.15, dark: float = 400.0
) -> tuple[Array, Array]:
    """Sample and dark in integer counts: photon noise of ``gain`` counts per electron, read noise, a stored dark."""
    rng = np.random.default_rng(seed)
    noisy = rng.poisson(np.clip(light, 0.0, None) / gain) * gain + rng.normal(0.0, read, len(light))
    return np.round(noisy + dark), np.round(dark + rng.normal(0.0, read / 5.0, len(light)))


def continuum(wavelengths: Array, height: float = 2000.0) -> Array:
    return height * np.exp(-(((wavelengths - 600.0) / 180.0) ** 2))
