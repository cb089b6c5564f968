"""How much light a line has: a fit of the instrument's line on a sloping continuum, where the line must be.

The amplitude is a weighted linear least-squares fit, so that a line below the noise has a value with its error as well,
and scatters around what is there. Lines found beside it are fitted with it. Only where a line stands out by
five standard deviations may its place follow the spectrum, within what the axis may be off: where it does not, looking
for the highest place would find light in noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oesd.model import FloatArray
from oesd.watching.light import FWHM_PER_SIGMA, PIXEL_SIGMA, Light, device_nm, dispersion_nm, fwhm_nm, shape

REACH = 3.0  # of the window to each side, in full widths: enough beside the line to tell the continuum
LEAST_SIDE_PX = 6
CORE = 1.5  # standard deviations: here a saturated pixel spoils the line
SAME = 0.6  # of a full width: a peak found nearer is the line itself
FOLLOWS_SIGMAS = 5.0
AXIS_OFF = 0.15  # of a full width, that an uncorrected axis may be off
ROUNDS = 3
TINY = 1e-12
_FIVE = np.full(5, 0.2)


@dataclass(frozen=True, slots=True)
class Amount:
    """Height of a line, or light of a window, with its standard deviation; NaN where nothing is usable."""

    value: float
    sigma: float
    saturated: bool


NOTHING = Amount(np.nan, np.nan, False)


def line_height(light: Light, true_nm: float, others_nm: Sequence[float] = ()) -> Amount:
    """Height of a line above its continuum, counts of one scan.

    Parameters
    ----------
    true_nm : float
        Air wavelength of the line; on the device's axis it lies where its correction says.
    others_nm : sequence of float
        Air wavelengths of lines that are measured beside it, seen or not.
    """
    window = _window(light, true_nm, others_nm)
    if window is None:
        return NOTHING
    center = window.center_nm
    solved = window.solve(center)
    if solved is None:
        return NOTHING
    height, sigma, slope = solved
    for _ in range(ROUNDS):
        if height < FOLLOWS_SIGMAS * sigma:
            break
        moved = float(np.clip(center + slope / height, *window.bounds_nm))
        if abs(moved - center) < 1e-3 * window.sigma_nm:
            break
        center = moved
        solved = window.solve(center)
        if solved is None:
            return NOTHING
        height, sigma, slope = solved
    return Amount(height, sigma, window.spoiled(center))


def window_light(light: Light, low_nm: float, high_nm: float) -> Amount:
    """Light between two wavelengths of the device's axis, its continuum too, counts nm of one scan."""
    edges = _edges(light.wavelengths_nm)
    share = np.clip(np.minimum(edges[1:], high_nm) - np.maximum(edges[:-1], low_nm), 0.0, None)
    inside = share > 0.0
    value = float(share @ light.net)
    return Amount(value, float(np.sqrt((share * share) @ light.variance)), bool(light.saturated[inside].any()))


def _edges(wavelengths_nm: FloatArray) -> FloatArray:
    middle = 0.5 * (wavelengths_nm[1:] + wavelengths_nm[:-1])
    first, last = 2.0 * wavelengths_nm[0] - middle[0], 2.0 * wavelengths_nm[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Pixels around a line, with what else is there."""

    nm: FloatArray
    net: FloatArray
    weight: FloatArray
    saturated: FloatArray
    center_nm: float
    sigma_nm: float
    off_nm: float
    wing: float
    fixed: FloatArray

    @property
    def bounds_nm(self) -> tuple[float, float]:
        return self.center_nm - 3.0 * self.off_nm, self.center_nm + 3.0 * self.off_nm

    def solve(self, center_nm: float) -> tuple[float, float, float] | None:
        """Height, its standard deviation, and height times the shift that the light asks for; None when singular."""
        z = (self.nm - center_nm) / self.sigma_nm
        line = shape(z, self.wing)
        slope = z * np.exp(-0.5 * z * z) / self.sigma_nm
        basis = np.empty((len(line), self.fixed.shape[1] + 1))
        basis[:, 0], basis[:, 1:] = line, self.fixed
        weighted = basis * self.weight[:, None]
        system = weighted.T @ basis
        scale = np.sqrt(np.maximum(np.diag(system), TINY))
        system = system / scale / scale[:, None]
        try:
            inverse = np.linalg.inv(system + TINY * np.eye(len(system)))
        except np.linalg.LinAlgError:
            return None
        found = inverse @ ((weighted.T @ self.net) / scale) / scale
        variance = inverse[0, 0] / scale[0] ** 2
        if not (np.isfinite(found[0]) and 0.0 < variance < np.inf):
            return None
        height, sigma = float(found[0]), float(np.sqrt(variance))
        return height, sigma, self._shift(height, center_nm, slope, self.net - basis @ found)

    def _shift(self, height: float, center_nm: float, slope: FloatArray, left: FloatArray) -> float:
        """One step of Gauss and Newton towards the line's place, drawn to where the axis says it is."""
        pull = max(height, TINY) ** -2 * self.off_nm**-2
        free = float((self.weight * slope) @ slope) + pull
        return float((self.weight * slope) @ left + pull * height * (self.center_nm - center_nm)) / free

    def spoiled(self, center_nm: float) -> bool:
        near = np.abs(self.nm - center_nm) < CORE * self.sigma_nm
        return bool((self.saturated[near] > 0.0).any())


def _window(light: Light, true_nm: float, others_nm: Sequence[float]) -> _Window | None:
    center = device_nm(true_nm, light.axis)
    width = fwhm_nm(light.wavelengths_nm, light.spread or light.own_spread, center)
    pixel = dispersion_nm(light.wavelengths_nm, center)
    sigma = float(np.hypot(width / FWHM_PER_SIGMA, PIXEL_SIGMA * pixel))
    side = max(REACH * sigma * FWHM_PER_SIGMA, LEAST_SIDE_PX * pixel)
    first, last = np.searchsorted(light.wavelengths_nm, [center - side, center + side])
    at = slice(int(first), int(last))
    nm = light.wavelengths_nm[at]
    saturated = light.saturated[at]
    # a pixel's own noise must not decide how much it counts, or pixels that are low by chance would count more
    weight = np.where(saturated & (np.abs(nm - center) >= CORE * sigma), 0.0, 1.0 / _smooth(light.variance, at))
    core = np.abs(nm - center) < CORE * sigma
    if not core.any() or (weight > 0.0).sum() < 6:
        return None
    wing = light.spread.wing if light.spread else 0.0
    beside = _beside(light, center, sigma, side, others_nm)
    columns = [np.ones(len(nm)), (nm - center) / side, *(shape((nm - b) / sigma, wing) for b in beside)]
    sure = light.axis is not None and light.axis.sure
    off = max(light.axis.sigma_nm if sure and light.axis else AXIS_OFF * width, 0.02 * width)
    return _Window(
        nm, light.net[at], weight, saturated.astype(np.float64), center, sigma, off, wing, np.column_stack(columns)
    )


def _beside(light: Light, center: float, sigma: float, side: float, others_nm: Sequence[float]) -> list[float]:
    """Where other lines lie in the window: those that are measured too, and those that were found; each once."""
    width = sigma * FWHM_PER_SIGMA
    asked = [device_nm(nm, light.axis) for nm in others_nm]
    beside: list[float] = []
    found = light.peaks_nm[np.abs(light.peaks_nm - center) < side + width]
    for nm in (*asked, *found.tolist()):
        far_enough = abs(nm - center) >= SAME * width and all(abs(nm - other) >= SAME * width for other in beside)
        if far_enough and abs(nm - center) < side + width:
            beside.append(nm)
    return beside


def _smooth(variance: FloatArray, at: slice) -> FloatArray:
    """Variance in a window, as the mean over five pixels."""
    places = np.clip(np.arange(at.start - 2, at.stop + 2), 0, len(variance) - 1)
    sums = np.convolve(variance[places], _FIVE, mode="valid")
    return np.maximum(sums, TINY)
