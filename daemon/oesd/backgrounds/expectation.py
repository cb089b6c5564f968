"""What a dark ought to show, and how far it may stray: from the learned model, from earlier darks, or from itself.

The covariance of ``dark - counts`` is ``diag(own^2) + sum over k of shared[k] shared[k]'``: noise and the pixels' own
doubts, and a few shapes common to all pixels (the dark current's pattern for a temperature not quite known, the offset
for its drift). A shape that light could have as well makes light of that shape harder to prove, as it must.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oesd.backgrounds.cells import Dark
from oesd.backgrounds.dark_model import DarkModel
from oesd.backgrounds.fitting import Noise
from oesd.model import FloatArray, MaskArray

TEMPERATURE_SIGMA_K = 0.3
OFFSET_DRIFT = 0.1  # of the read noise, from one dark to the next
_RISE_PER_K = math.log(2.0) / 7.0
_HOT_DOUBT = 0.03  # a hot pixel's current need not follow the others' law


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """A dark as it ought to be.

    Attributes
    ----------
    source : str
        Where it is from, for the reason: "the dark model".
    counts, own : (pixels,) float64
    shared : (k, pixels) float64
    read_counts : float
        Read noise of one scan.
    """

    source: str
    counts: FloatArray
    own: FloatArray
    shared: FloatArray
    read_counts: float


def from_model(model: DarkModel, dark: Dark) -> Expectation:
    """Expect what the learned model predicts for this exposure and temperature."""
    predicted = model.predict(dark.integration_us, dark.temperature_c, dark.scans)
    current = predicted.counts - model.offset_counts
    hot = np.where(model.hot, _HOT_DOUBT * current, 0.0)
    drift = np.full_like(current, OFFSET_DRIFT * model.noise.read_counts)
    warmer = _RISE_PER_K * TEMPERATURE_SIGMA_K * current
    own = np.sqrt(predicted.noise**2 + predicted.own_sigma**2 + hot**2)
    own[predicted.saturated] = np.inf
    return Expectation(
        "the dark model", predicted.counts, own, np.vstack([predicted.shared, drift, warmer]), model.noise.read_counts
    )


def from_darks(earlier: Sequence[Dark], dark: Dark, noise: Noise, offset_counts: float | None = None) -> Expectation:
    """Expect the mean of earlier darks of the same exposure.

    Parameters
    ----------
    earlier : sequence of Dark
        At least one, of the same integration time.
    dark : Dark
        The one to be judged.
    noise : Noise
        Of one scan; :func:`~oesd.backgrounds.dark_model.photon_transfer` learns it from repeated darks.
    offset_counts : float, optional
        Counts of no exposure; tells how much of the dark is current and may change with temperature. Without it the
        even part of the current is taken for offset, and a change of temperature may look like even light.
    """
    scans = sum(one.scans for one in earlier)
    mean = np.sum([one.scans * one.counts for one in earlier], axis=0) / scans
    celsius = sum(one.scans * one.celsius for one in earlier) / scans
    offset = float(np.quantile(mean, 0.01)) if offset_counts is None else offset_counts
    current = np.maximum(mean - offset, 0.0)
    variance = noise.variance(current) * (1.0 / scans + 1.0 / dark.scans)
    unknown_k = 3.0 if dark.temperature_c is None else TEMPERATURE_SIGMA_K + 0.3 * abs(dark.celsius - celsius)
    drift = np.full_like(mean, OFFSET_DRIFT * noise.read_counts)
    hot = np.maximum(mean - np.median(mean) - 8.0 * _robust_sigma(mean), 0.0)
    shared = np.vstack([drift, _RISE_PER_K * unknown_k * current])
    own = np.sqrt(variance + (_RISE_PER_K * unknown_k * hot) ** 2)
    source = "the earlier dark" if len(earlier) == 1 else f"{len(earlier)} earlier darks"
    return Expectation(source, np.asarray(mean), own, shared, noise.read_counts)


def from_itself(dark: Dark, read_counts: float) -> Expectation:
    """Expect an even level: all that is known of a detector never seen dark before.

    The pixels' own pattern counts as noise, so only light well above it is found; an even glow is found only where the
    detector has optically black pixels.
    """
    level = float(np.median(dark.counts))
    scatter = max(_alternating_sigma(dark.counts), read_counts / math.sqrt(dark.scans))
    own = np.where(_standing_out(dark.counts - level, scatter), np.inf, 1.15 * scatter)
    shared = np.full((1, dark.counts.size), 1e3 * read_counts)
    return Expectation("the spectrum itself", np.full_like(dark.counts, level), own, shared, read_counts)


def _standing_out(above: FloatArray, scatter: float) -> MaskArray:
    """Likely hot pixels: high, and with less than half of it beside them; a line leaves at least 0.84."""
    found = np.zeros(above.size, dtype=np.bool_)
    found[1:-1] = (above[1:-1] > 3.5 * scatter) & (above[:-2] + above[2:] < 0.5 * above[1:-1])
    return found


def _robust_sigma(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _alternating_sigma(values: FloatArray) -> float:
    """Robust sigma of what changes from pixel to pixel; slopes drop out of the second difference."""
    return _robust_sigma((2.0 * values[1:-1] - values[:-2] - values[2:]) / math.sqrt(6.0))
