"""What a spectrometer shows without light, learned from its darks: offset + rate(temperature) * time, per pixel.

The law of temperature is ``rate(T) = rate * exp(slope v + bend v^2)`` with v = T - anchor: bend 0 is a doubling every
ln 2 / slope kelvins, bend -slope / T Arrhenius' law. A line CCD lies between (Widenhorn et al., Proc. SPIE 4669, 2002).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oesd.backgrounds.cells import UNKNOWN_TEMPERATURE_C, Cell, DarkStatistics
from oesd.backgrounds.fitting import Fitted, Noise, Problem
from oesd.backgrounds.linearity import Linearity
from oesd.backgrounds.photon_transfer import Undetermined, photon_transfer
from oesd.model import FloatArray, MaskArray

LAW = "2"  # changes with what a model predicts from the same darks
LEAST_DARKS = 6
LEAST_SPAN = 4.0
UNKNOWN_TEMPERATURE_SIGMA_K = 3.0
_HOT_SIGMA = 8.0
_OUTLOOKS = 64


@dataclass(frozen=True, slots=True)
class Extrapolation:
    """How far a prediction lies beyond the darks that were learned from.

    Attributes
    ----------
    exposure_factor : float
        Times shorter or longer than any of them; 1 inside.
    temperature_k : float
        Kelvins colder (negative) or warmer than any of them; 0 inside.
    """

    exposure_factor: float = 1.0
    temperature_k: float = 0.0

    def __str__(self) -> str:
        parts = []
        if self.exposure_factor > 1.0:
            parts.append(f"exposure {self.exposure_factor:.2g} times beyond the darks learned from")
        if self.temperature_k:
            warmer = "warmer" if self.temperature_k > 0 else "colder"
            parts.append(f"{abs(self.temperature_k):.1f} K {warmer} than the darks learned from")
        return ", ".join(parts) or "within the darks learned from"


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """A dark that was not taken; arrays (pixels,), counts of one scan.

    Attributes
    ----------
    counts, sigma : float64
        The mean of many darks, and how far that may be off.
    own_sigma : float64
        The part of ``sigma`` that is each pixel's own.
    shared : (k, pixels) float64
        The rest: shapes that may be added with a factor of standard deviation 1.
    noise : float64
        Standard deviation of a real dark of so many scans about its mean.
    saturated : bool
        Pixels that dark current alone would fill.
    """

    counts: FloatArray
    sigma: FloatArray
    own_sigma: FloatArray
    shared: FloatArray
    noise: FloatArray
    saturated: MaskArray
    extrapolation: Extrapolation


class DarkModel:
    """A learned dark of one spectrometer; made by :func:`learn`.

    Attributes
    ----------
    noise : Noise
        Read noise of one scan in counts, and variance per count of signal.
    hot : (pixels,) bool
        Pixels whose dark current stands out.
    captures : int
        Darks learned from.
    """

    def __init__(
        self, statistics: DarkStatistics, fitted: Fitted, noise: Noise, linearity: Linearity, anchor_c: float,
        saturation_counts: float,
    ) -> None:  # fmt: skip
        cells = statistics.cells
        self.noise = noise
        self.captures = statistics.captures
        self.temperatures_known = statistics.temperatures_known
        self.hot = _hot(fitted.rate)
        self._fitted, self._linearity, self._anchor_c, self._saturation = (
            fitted, linearity, anchor_c, saturation_counts,
        )  # fmt: skip
        self._outlooks: dict[tuple[int, float | None], tuple[float, Extrapolation]] = {}
        self._last: tuple[tuple[int, float | None, int] | None, Prediction | None] = None, None
        self._roots = np.linalg.cholesky(fitted.common_cov + 1e-30 * np.eye(3))
        self._typical = float(np.median(fitted.rate))
        self._strength = math.sqrt(float(np.mean(fitted.rate[~self.hot] ** 2)))
        self._times_s = min(c.time_s for c in cells), max(c.time_s for c in cells)
        self._range_c = min(c.temperature_c for c in cells), max(c.temperature_c for c in cells)

    @property
    def offset_counts(self) -> FloatArray:
        """Counts of no exposure at all, shape (pixels,)."""
        return self._fitted.offset

    @property
    def doubling_k(self) -> float:
        """Kelvins in which the dark current doubles, at the middle of the temperatures learned from."""
        return math.log(2.0) / float(self._fitted.common[0])

    @property
    def scale_sigma(self) -> float:
        """Relative scatter of a dark's current about the law."""
        return self._fitted.scale_sigma

    def rate(self, temperature_c: float) -> FloatArray:
        """Dark current in linear counts per second, shape (pixels,)."""
        return self._fitted.rate * self._growth(temperature_c)

    def predict(self, integration_us: int, temperature_c: float | None, scans: int = 1) -> Prediction:
        """Return the dark of an exposure.

        Parameters
        ----------
        integration_us : int
        temperature_c : float or None
            None for a device without a sensor: 3 K of doubt.
        scans : int
            Averaged scans of the dark whose noise is asked for; the prediction itself does not depend on it.
        """
        key = (integration_us, temperature_c, scans)
        asked, last = self._last
        if asked == key and last is not None:
            return last
        last = self._predicted(integration_us, temperature_c, scans)
        self._last = key, last
        return last

    def _predicted(self, integration_us: int, temperature_c: float | None, scans: int) -> Prediction:
        celsius = self._celsius(temperature_c)
        linear = self.rate(celsius) * (integration_us / 1e6)
        linear = linear - self._fitted.common[2] * linear**2
        above = self._linearity.to_counts(linear)
        gain = self._linearity.to_counts(linear + 0.5) - self._linearity.to_counts(linear - 0.5)
        own = self._own_sigma(integration_us / 1e6, celsius) * gain
        shared = self._shared(integration_us / 1e6, celsius, temperature_c is None) * gain
        counts = self._fitted.offset + above
        return Prediction(
            counts=np.minimum(counts, self._saturation),
            sigma=np.sqrt(own**2 + np.sum(shared**2, axis=0)),
            own_sigma=own,
            shared=shared,
            noise=np.sqrt(self.noise.variance(above) / scans),
            saturated=counts >= self._saturation,
            extrapolation=self._extrapolation(integration_us / 1e6, celsius),
        )

    def outlook(self, integration_us: int, temperature_c: float | None) -> tuple[float, Extrapolation]:
        """Return the typical sigma of a prediction in counts and how far it extrapolates; quick when asked again."""
        key = (integration_us, temperature_c)
        found = self._outlooks.get(key)
        if found is None:
            predicted = self.predict(integration_us, temperature_c)
            if len(self._outlooks) >= _OUTLOOKS:
                self._outlooks.clear()
            found = self._outlooks[key] = float(np.median(predicted.sigma)), predicted.extrapolation
        return found

    def learned_at(self, integration_us: int, temperature_c: float | None) -> bool:
        """Whether darks on both sides of this exposure and temperature were learned from."""
        return self._extrapolation(integration_us / 1e6, self._celsius(temperature_c)) == Extrapolation()

    def noise_counts(self, integration_us: int, temperature_c: float | None, scans: int = 1) -> float:
        """Noise of a typical pixel in a dark of so many scans."""
        level = self._typical * self._growth(self._celsius(temperature_c)) * (integration_us / 1e6)
        return math.sqrt(float(self.noise.variance(np.array(level))) / scans)

    def change_counts(self, integration_us: int, one_c: float, other_c: float) -> float:
        """How much a dark differs between two temperatures, root mean square over the pixels, hot ones left out."""
        return self._strength * abs(self._growth(one_c) - self._growth(other_c)) * (integration_us / 1e6)

    def _celsius(self, temperature_c: float | None) -> float:
        if temperature_c is not None and self.temperatures_known:
            return temperature_c
        return UNKNOWN_TEMPERATURE_C if not self.temperatures_known else self._anchor_c

    def _growth(self, celsius: float) -> float:
        v = celsius - self._anchor_c
        return math.exp(float(self._fitted.common[0]) * v + float(self._fitted.common[1]) * v * v)

    def _own_sigma(self, time_s: float, celsius: float) -> FloatArray:
        x = time_s * self._growth(celsius)
        offset, both, rate = self._fitted.line_cov
        return np.asarray(np.sqrt(np.maximum(offset + 2.0 * x * both + x * x * rate, 0.0)), dtype=np.float64)

    def _shared(self, time_s: float, celsius: float, unknown: bool) -> FloatArray:
        """Errors common to all pixels: slope, bend and curve, the scatter of the current, drift of the offset."""
        fitted, v = self._fitted, celsius - self._anchor_c
        x = time_s * self._growth(celsius)
        current = fitted.rate * x
        direct = np.array([current * v, current * v * v, -(current**2)])
        following = fitted.drag[0] + fitted.drag[1] * x
        common = self._roots.T @ (direct + following)
        doubt = fitted.scale_sigma + (UNKNOWN_TEMPERATURE_SIGMA_K * float(fitted.common[0]) if unknown else 0.0)
        return np.vstack([common, doubt * current, np.full_like(current, fitted.floor_counts)])

    def _extrapolation(self, time_s: float, celsius: float) -> Extrapolation:
        shortest, longest = self._times_s
        coldest, warmest = self._range_c
        beyond_k = celsius - min(max(celsius, coldest - 0.5), warmest + 0.5)
        return Extrapolation(max(shortest / time_s, time_s / longest, 1.0), beyond_k)


def learn(statistics: DarkStatistics, *, nonlinearity: tuple[float, ...] = (), saturation_counts: float) -> DarkModel:
    """Learn a model from the darks of one spectrometer.

    Parameters
    ----------
    statistics : DarkStatistics
    nonlinearity : tuple of float
        As the device describes itself; without it a slight common curve is learned as well.
    saturation_counts : float

    Raises
    ------
    Undetermined
        With what is missing: fewer than 6 darks, exposures of less than a factor of 4, offsets unknown beyond the read
        noise.
    """
    cells = statistics.cells
    _require_span(statistics)
    linearity = Linearity(nonlinearity, saturation_counts)
    noise = photon_transfer(cells)
    anchor_c = _anchor(cells)
    try:
        fitted = Problem(cells, linearity, noise, anchor_c).solve()
        np.linalg.cholesky(fitted.common_cov + 1e-30 * np.eye(3))
    except np.linalg.LinAlgError:
        raise Undetermined("the darks do not agree on any law: their numbers are too strange") from None
    if not np.isfinite(fitted.offset).all() or not np.isfinite(fitted.rate).all():
        raise Undetermined("some pixels were saturated in all but one kind of dark")
    offset_sigma = float(np.median(np.sqrt(fitted.line_cov[0])))
    if offset_sigma > noise.read_counts:
        raise Undetermined(
            f"the offset is known to {offset_sigma:.1f} counts only, read noise {noise.read_counts:.1f}: "
            "darks of short exposure are missing"
        )
    return DarkModel(statistics, fitted, noise, linearity, anchor_c, saturation_counts)


def _require_span(statistics: DarkStatistics) -> None:
    if statistics.captures < LEAST_DARKS:
        raise Undetermined(f"{statistics.captures} darks learned from, {LEAST_DARKS} are needed")
    times_s = [cell.time_s for cell in statistics.cells]
    if max(times_s) < LEAST_SPAN * min(times_s):
        raise Undetermined(
            f"all darks have integration times of {min(times_s) * 1e3:g} to {max(times_s) * 1e3:g} ms: "
            f"a factor of {LEAST_SPAN:g} is needed to tell offset from dark current"
        )


def _anchor(cells: tuple[Cell, ...]) -> float:
    """Temperature at which the dark current is known best."""
    charge = np.array([cell.time_s * cell.scans for cell in cells])
    return float(charge @ np.array([cell.temperature_c for cell in cells]) / charge.sum())


def _hot(rate: FloatArray) -> MaskArray:
    excess = rate - np.median(rate)
    sigma = max(1.4826 * float(np.median(np.abs(excess))), 1e-9)
    return np.asarray(excess > _HOT_SIGMA * sigma, dtype=np.bool_)
