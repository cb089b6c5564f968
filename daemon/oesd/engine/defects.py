"""Pixels that cannot be believed: hot, dead and stuck ones, and those that a particle hit.

What is known of each comes with the measurement: the dark, the reference, the spread of the scans, a list by hand. No
judgement is taken from other measurements, so that the same measurement is always judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from oesd.engine.kept import KEPT, Kept
from oesd.engine.variance import NoiseLaw, chi2_limit
from oesd.engine.windows import blocks, grown, median, median_of_seven, reflected, robust_sigma
from oesd.model import FloatArray, MaskArray, Measurement

HOT_SIGMAS = 8.0
BLOCK_PX, QUARTER = 32, 8
QUARTERS_APART = 1.229  # median distance of the 9th lowest of 32 Gaussian values of unit sigma from the 9th highest
HIDDEN = 0.74  # of a count: noise below that leaves half of a block's values alike, and the quartiles show none
COARSEST_COUNT = 16.0  # of a converter of 12 bits, told in counts of 16
LINE_SHARE = (
    0.85  # of its height that a line of 1.8 px, the narrowest, leaves in both neighbours of its middle together
)
SPIKE_SHARE = 0.5
FLOOR_PX = 7  # to each side, of which the lowest pixel is the floor
BELOW_SIGMAS = 3.0  # three sigma of the difference, less what the low floor adds to two neighbours
HALF_SIGMAS = 4.5
SPIKE_SIGMAS = 7.75  # above the floor, which lies 1.75 sigma below the middle: 6 sigma of noise
HIT_SHARE = 0.25  # of the spread of a hit pixel that a neighbour may have
HIT_SIGMAS = 6.0  # the height of a hit, in the noise of one scan
CHANCE = 1e-6  # that noise makes one pixel look hit or noisy: one in some hundred spectra
ANSWER_SHARE = 0.5  # pixels of one detector answer alike within a few per cent: half of its neighbours is a defect
EVEN = 1.5  # of the highest to the lowest neighbour: a continuum, in which a gap of one pixel cannot be light
SPREAD_ROUNDED = 0.25 / np.sqrt(3.0)  # a stored spread is rounded to a quarter of its own statistical error
FLANK_BEND = 0.5  # how far a line's flank lies from the middle of its neighbours at most, in their difference
STUCK_CHANCE = 1e-3  # that the scans of any sound pixel of the spectrum are all equal


def untrusted(measurement: Measurement, full: MaskArray) -> MaskArray:
    """Hot, dead and stuck pixels and those that a person lists, shape (pixels,) bool; ``full`` ones are not stuck."""
    pixels = len(measurement.sample)
    bad = hot_pixels(measurement.dark, pixels)
    if measurement.dead_pixels:
        bad = bad | _listed(measurement.dead_pixels, pixels)
    if measurement.reference is not None:
        bad = bad | silent_pixels(measurement.reference, measurement.dark)
    if measurement.spread is not None:
        bad = bad | stuck_pixels(measurement.spread, measurement.scans) & ~full
    if measurement.dark_variance is not None and measurement.dark_scans > 1:
        bad = bad | stuck_pixels(np.sqrt(measurement.dark_variance * measurement.dark_scans), measurement.dark_scans)
    return bad


def hot_pixels(dark: FloatArray | None, pixels: int) -> MaskArray:
    """Pixels whose dark stands out: beyond 8 robust sigma above or below the median of its seven neighbours.

    Sigma is that of most blocks of 32 pixels; from the median of its block such a pixel is far off, too.

    A stored dark takes a hot pixel's mean away but leaves its larger shot noise and its drift with temperature, so
    such a pixel cannot carry a line alone. One far below the others lacks the offset that all have: it is dead.
    """
    if dark is None or pixels < 7:
        return np.zeros(pixels, dtype=np.bool_)
    return _hot(Kept(dark))


@lru_cache(maxsize=KEPT)
def _hot(of: Kept) -> MaskArray:
    dark, pixels = of.values, len(of.values)
    rows = blocks(dark, BLOCK_PX)
    ordered = rows.copy()
    ordered.sort(axis=1)
    least = 1e-12 * max(float(ordered[:, -1].max()), -float(ordered[:, 0].min()))
    sigma = float(median(ordered[:, -QUARTER - 1] - ordered[:, QUARTER])) / QUARTERS_APART or HIDDEN * _count(dark)
    limit = HOT_SIGMAS * sigma + least
    rows -= ordered[:, BLOCK_PX // 2, None]
    off = (np.abs(rows, out=rows) > 0.5 * limit).ravel()[:pixels].nonzero()[0]
    hot = np.zeros(pixels, dtype=np.bool_)
    hot[off] = np.abs(dark[off] - median_of_seven(dark, off)) > limit
    hot.flags.writeable = False
    return hot


def _count(dark: FloatArray) -> float:
    """One count of the converter: the smallest step between values; 0 where all are alike."""
    steps = np.diff(np.sort(dark))
    return float(min(steps[steps > 0.0].min(initial=COARSEST_COUNT), COARSEST_COUNT)) if steps.any() else 0.0


def silent_pixels(reference: FloatArray, dark: FloatArray | None) -> MaskArray:
    """Pixels that do not answer to the reference light though its continuum lies on all their neighbours alike."""
    pixels = len(reference)
    if pixels < 7:
        return np.zeros(pixels, dtype=np.bool_)
    light = reference if dark is None else reference - dark
    wide = reflected(light, 3)
    around = np.stack([wide[i : i + pixels] for i in (0, 1, 2, 4, 5, 6)])
    lowest, highest = around.min(axis=0), around.max(axis=0)
    noise = robust_sigma(light[1:-1] - 0.5 * (light[:-2] + light[2:])) / np.sqrt(1.5)
    even = (lowest > 0.0) & (highest < EVEN * lowest) & (lowest > HIT_SIGMAS / (1.0 - ANSWER_SHARE) * noise)
    silent: MaskArray = even & (light < ANSWER_SHARE * lowest)
    return silent


def stuck_pixels(spread: FloatArray, scans: int) -> MaskArray:
    """Pixels whose scans are all equal where noise makes that unbelievable (a full pixel, too, shows no noise).

    The chance that n normal numbers of standard deviation s, rounded, are all alike is (s sqrt(2 pi))^(1 - n) / sqrt(n)
    for s of one count and more; with less noise than that nothing can be told.
    """
    noise = float(median(spread))
    if scans < 2 or noise < 1.0:
        return np.zeros(len(spread), dtype=np.bool_)
    chance = (noise * np.sqrt(2.0 * np.pi)) ** (1.0 - scans) / np.sqrt(scans)
    if chance * len(spread) > STUCK_CHANCE:
        return np.zeros(len(spread), dtype=np.bool_)
    stuck: MaskArray = spread == 0.0
    return stuck


def spikes(net: FloatArray, sigma: FloatArray, saturated: MaskArray) -> MaskArray:
    """Pixels too narrow for any line spread: a cosmic hit of one pixel or two, or a hot pixel that the dark lacks.

    A pixel is one when it exceeds its floor by far more than the noise and its neighbours together keep less than
    ``SPIKE_SHARE`` of its height and come, noise and all, not near what the narrowest line leaves there. The floor is
    the lowest of fifteen pixels: a median lies on the flanks where lines stand close, and would make a spike of the top
    of a line between two others.
    """
    found = np.zeros(len(net), dtype=np.bool_)
    if len(net) < 2 * FLOOR_PX + 1:
        return found
    noise = np.maximum(sigma[:-2], sigma[2:])  # of the neighbours: its own is that of the spike's counts
    rise = net[:-2] + net[2:]
    rise *= -0.5
    rise += net[1:-1]
    pointed = (rise > (1.0 - 0.5 * SPIKE_SHARE) * SPIKE_SIGMAS * noise).nonzero()[0]
    around = reflected(net, FLOOR_PX)[pointed[:, None] + np.arange(1, 2 * FLOOR_PX + 2)]
    above = around - around.min(axis=1, keepdims=True)
    height, left, right = above[:, FLOOR_PX], above[:, FLOOR_PX - 1], above[:, FLOOR_PX + 1]
    noise = noise[pointed]
    too_low = np.minimum(SPIKE_SHARE * height, LINE_SHARE * height - BELOW_SIGMAS * noise)
    spike = (height > SPIKE_SIGMAS * noise) & (left + right < too_low)
    if not spike.any():
        return found
    above, at = above[spike], pointed[spike] + 1
    found[at] = True
    for side in (-1, 1):
        found[at[_half_of_a_hit(above, sigma[at + side], side)] + side] = True
    return found & ~grown(saturated, 1)


def _half_of_a_hit(above: FloatArray, sigma: FloatArray, side: int) -> MaskArray:
    """Whether the neighbour is the lesser part of the same hit: above the noise, with next to nothing beyond."""
    beside, beyond = above[:, FLOOR_PX + side], above[:, FLOOR_PX + 2 * side]
    half: MaskArray = (beside > HALF_SIGMAS * sigma) & (beyond < 0.5 * LINE_SHARE * beside)
    return half


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What the spread of the scans tells of single pixels; all arrays (pixels,).

    Attributes
    ----------
    excess, excess_sigma : float64
        Counts that one hit scan adds to the mean, 0 where there is none, and how well that is known.
    hit : bool
        Pixels of which one scan was hit.
    lost : bool
        Those of them where a line between the neighbours tells more than what is left without the hit.
    noisy : bool
        Pixels that scatter far more than the noise law says, and not by one hit.
    """

    excess: FloatArray
    excess_sigma: FloatArray
    hit: MaskArray
    lost: MaskArray
    noisy: MaskArray


def hits(light: FloatArray, spread: FloatArray, scans: int, law: NoiseLaw, full: MaskArray) -> Hits:
    """Tell pixels hit in one of n scans, also within lines, from the spread of the scans.

    One scan of n that is higher by A makes (n - 1) s^2 = (sum of squares of the others) + A^2 (n - 1) / n, and the mean
    too high by A / n. Light that fluctuates does so over a whole line width; a hit does it in one pixel.

    Parameters
    ----------
    light : (pixels,) float64
        Counts above the dark.
    spread : (pixels,) float64
        Standard deviation of the scans.
    scans : int
        Two or more.
    law : NoiseLaw
    full : (pixels,) bool
        Saturated pixels: what the spread tells there is no noise.
    """
    expected = law.of_scan(light)
    surplus = np.maximum(spread * spread - expected, 0.0)
    alone = np.zeros(len(light), dtype=np.bool_)
    neighbours = np.maximum(surplus[:-2], surplus[2:])
    alone[1:-1] = (neighbours < HIT_SHARE**2 * surplus[1:-1]) & (
        surplus[1:-1] > (chi2_limit(scans - 1, CHANCE) - 1.0) * expected[1:-1]
    )
    alone &= ~grown(full, 1)
    others = expected * (scans - 2) / (scans - 1)
    height = np.sqrt(scans * np.maximum(spread * spread - others, 0.0))
    rises = np.zeros(len(light), dtype=np.bool_)
    left, right = light[:-2], light[2:]
    bend = FLANK_BEND * np.abs(right - left) + 3.0 * np.sqrt(1.5 * expected[1:-1] / scans)
    rises[1:-1] = light[1:-1] - 0.5 * (left + right) > 0.5 * height[1:-1] / scans - bend
    hit = alone & rises & (height > HIT_SIGMAS * np.sqrt(expected))
    excess = np.where(hit, height / scans, 0.0)
    sigma = excess * SPREAD_ROUNDED / np.sqrt(2.0 * (scans - 1))
    lost = np.zeros(len(light), dtype=np.bool_)
    lost[1:-1] = hit[1:-1] & (sigma[1:-1] > 0.5 * np.abs(right - left) + np.sqrt(expected[1:-1] / scans))
    return Hits(excess, sigma, hit, lost, alone & ~hit)


def _listed(numbers: tuple[int, ...], pixels: int) -> MaskArray:
    listed = np.zeros(pixels, dtype=np.bool_)
    listed[[i for i in numbers if 0 <= i < pixels]] = True
    return listed
