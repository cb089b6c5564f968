"""Spectra with known lines for the tests of this room."""

from __future__ import annotations

import numpy as np

from oesd.model import AxisCorrection, LineSpread
from oesd.watching.light import FWHM_PER_SIGMA, Light
from oesd.watching.plan import Instrument

AXIS_NM = np.linspace(200.0, 900.0, 2048)
SPREAD = LineSpread((300.0, 550.0, 800.0), (1.0, 1.0, 1.0), (0.01, 0.01, 0.01))
INSTRUMENT = Instrument(AXIS_NM, SPREAD)
SECONDS = 0.02


def mean_light(lines_nm: dict[float, float], continuum: float = 500.0) -> np.ndarray:
    """Expected counts: lines of these heights on a slope."""
    sigma_nm = np.hypot(1.0 / FWHM_PER_SIGMA, (AXIS_NM[1] - AXIS_NM[0]) / np.sqrt(12.0))
    light = continuum + 0.3 * (AXIS_NM - 200.0)
    for nm, height in lines_nm.items():
        light = light + height * np.exp(-0.5 * ((AXIS_NM - nm) / sigma_nm) ** 2)
    return light


def light(
    lines_nm: dict[float, float],
    rng: np.random.Generator | None = None,
    *,
    found_nm: tuple[float, ...] = (),
    saturated: np.ndarray | None = None,
    axis: AxisCorrection | None = None,
    seconds: float = SECONDS,
) -> Light:
    """A spectrum of two electrons a count and 4 counts of read noise; without noise when no generator is given."""
    mean = mean_light(lines_nm)
    noise = 0.0 if rng is None else rng.normal(0.0, np.sqrt(mean / 2.0 + 16.0))
    clipped = np.zeros(len(mean), dtype=np.bool_) if saturated is None else saturated
    return Light(
        AXIS_NM, mean + noise, mean / 2.0 + 16.0, clipped, seconds, np.array(found_nm), axis=axis, spread=SPREAD
    )
