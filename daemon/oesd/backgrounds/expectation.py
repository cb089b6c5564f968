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
from oesd.backgrounds.dark_model import UNKNOWN_TEMPERATURE_SIGMA_K, DarkModel
from oesd.backgrounds.fitting import Noise
from oesd.backgrounds.scatter import alternating_sigma, robust_sigma
from oesd.model import FloatArray, MaskArray

ITSELF = "the spectrum itself"
TEMPERATURE_SIGMA_K = 0.3
OFFSET_DRIFT = 0.1  # of the read noise, from one dark to the next
OFFSET_STEP = 100.0  # read noises that it may move where black pixels tell it from light: a power cycle, years
ENOUGH_BLACK = 8
_DOUBLING_K = 7.0
_RISE_PER_K = math.log(2.0) / _DOUBLING_K
_EVEN_TO_TEXTURE = 4.0  # of a dark current: its level to the robust sigma of its pattern
_HOT_FROM_SIGMA = 8.0
_PAIR_SHARE = 0.15  # beside two hot pixels; a line 2 px wide leaves 0.25 of the two highest
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


def offset_drift(black: Sequence[int]) -> float:
    """How far the offset may have moved since it was learned, in read noises.

    Without optically black pixels an offset that moves looks as an even light does, and a small one must do. With them
    it may move as it likes: light that falls on all the others leaves them dark.
    """
    return OFFSET_STEP if tells_offset(black) else OFFSET_DRIFT


def tells_offset(black: Sequence[int]) -> bool:
    """Whether there are enough optically black pixels to tell an offset that moved from light."""
    return len(black) >= ENOUGH_BLACK


def from_model(model: DarkModel, dark: Dark, black: Sequence[int] = ()) -> Expectation:
    """Expect what the learned model predicts for this exposure and temperature."""
    predicted = model.predict(dark.integration_us, dark.temperature_c, dark.scans)
    current = predicted.counts - model.offset_counts
    hot = np.where(model.hot, _HOT_DOUBT * current, 0.0)
    drift = np.full_like(current, offset_drift(black) * model.noise.read_counts)
    warmer = _RISE_PER_K * TEMPERATURE_SIGMA_K * current
    shared = np.vstack([predicted.shared, drift, warmer])
    own2 = predicted.noise**2 + predicted.own_sigma**2 + hot**2
    share = (float(np.median(predicted.own_sigma)) / max(robust_sigma(current), 1e-9)) ** 2
    if share * float(np.median(current)) > OFFSET_DRIFT * model.noise.read_counts:
        # The model knows the pattern badly: the noise in it fits the residual, for the same noise is in the prediction,
        # and would take level and hot pixels along. So the level alone is shared, and the pattern is each pixel's own.
        levels = np.median(shared, axis=1, keepdims=True)
        own2 = own2 + np.sum((shared - levels) ** 2, axis=0)
        shared = np.full((1, current.size), math.sqrt(float(np.sum(levels**2))))
    own = np.sqrt(own2)
    own[predicted.saturated] = np.inf
    return Expectation("the dark model", predicted.counts, own, shared, model.noise.read_counts)


def from_darks(
    earlier: Sequence[Dark],
    dark: Dark,
    noise: Noise,
    offset_counts: float | None = None,
    black: Sequence[int] = (),
) -> Expectation:
    """Expect the mean of earlier darks of the same exposure, grown with the temperature.

    Parameters
    ----------
    earlier : sequence of Dark
        At least one, of the same integration time.
    dark : Dark
        The one to be judged.
    noise : Noise
        Of one scan; :func:`~oesd.backgrounds.photon_transfer.photon_transfer` learns it from repeated darks.
    offset_counts : float, optional
        Counts of no exposure; tells how much of the dark is current and may change with temperature. Without it the
        even part of the current is guessed from its pattern, and a change of temperature may hide an even light.
    black : sequence of int
        Optically black pixels, which tell an offset that moved from light.
    """
    scans = sum(one.scans for one in earlier)
    mean = np.asarray(np.sum([one.scans * one.counts for one in earlier], axis=0) / scans)
    warmer_k = 0.0 if dark.temperature_c is None else dark.celsius - sum(o.scans * o.celsius for o in earlier) / scans
    texture = _texture(mean, noise, scans)
    even = _EVEN_TO_TEXTURE * robust_sigma(texture)
    if offset_counts is not None:
        even = max(float(np.median(mean)) - offset_counts, 0.0)
    current = np.maximum(even + texture, 0.0)
    growth = 2.0 ** (warmer_k / _DOUBLING_K) - 1.0
    unknown_k = UNKNOWN_TEMPERATURE_SIGMA_K if dark.temperature_c is None else TEMPERATURE_SIGMA_K + 0.3 * abs(warmer_k)
    doubt = _RISE_PER_K * unknown_k
    level = (offset_drift(black) * noise.read_counts, doubt * even, 0.0 if offset_counts is not None else growth * even)
    own2 = noise.variance(current) * (1.0 / scans + 1.0 / dark.scans) + (doubt * texture) ** 2
    source = "the earlier dark" if len(earlier) == 1 else f"{len(earlier)} earlier darks"
    shared = np.full((1, mean.size), math.hypot(*level))  # as for a model that knows the pattern badly
    return Expectation(source, mean + growth * current, np.sqrt(own2), shared, noise.read_counts)


def _texture(mean: FloatArray, noise: Noise, scans: int) -> FloatArray:
    """The pattern of the dark current, as far as it is more than noise: shrunk by the noise's share of its variance.

    Else the noise of the earlier dark would be taken for a pattern that warmth makes grow. Hot pixels stay as they are.
    """
    deviation = mean - np.median(mean)
    seen = max(robust_sigma(deviation), 1e-9)
    share = max(1.0 - noise.read_counts**2 / scans / seen**2, 0.0)
    return np.where(deviation > _HOT_FROM_SIGMA * seen, deviation, share * deviation)


def from_itself(dark: Dark, read_counts: float) -> Expectation:
    """Expect an even level: all that is known of a detector never seen dark before.

    The pixels' own pattern counts as noise, so only light well above it is found; an even glow is found only where the
    detector has optically black pixels.
    """
    level = float(np.median(dark.counts))
    scatter = max(alternating_sigma(dark.counts), read_counts / math.sqrt(dark.scans))
    own = np.where(_standing_out(dark.counts - level, scatter), np.inf, 1.15 * scatter)
    shared = np.full((1, dark.counts.size), 1e3 * read_counts)
    return Expectation(ITSELF, np.full_like(dark.counts, level), own, shared, read_counts)


def _standing_out(above: FloatArray, scatter: float) -> MaskArray:
    """Likely hot pixels, single or in pairs: high, with too little beside them for a line, which leaves 0.84 of one."""
    found = np.zeros(above.size, dtype=np.bool_)
    found[1:-1] = (above[1:-1] > 3.5 * scatter) & (above[:-2] + above[2:] < 0.5 * above[1:-1] + scatter)
    two, beside = above[1:-2] + above[2:-1], above[:-3] + above[3:]
    pair = (np.minimum(above[1:-2], above[2:-1]) > 3.5 * scatter) & (beside < _PAIR_SHARE * two + scatter)
    found[1:-2] |= pair
    found[2:-1] |= pair
    return found
