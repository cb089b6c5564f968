"""How much each pixel may err: read noise from what alternates from pixel to pixel, photon noise from the counts.

sigma^2 = read^2 + slope * counts + (uneven * counts)^2, the photon-transfer law (Janesick, Photon Transfer, SPIE 2007):
read from the quietest blocks, the others from blocks that are bright and smooth. Where lines stand dense and narrow
they alternate as noise does: the lower quartile of a block asks the pixels between them, and a spectrum of lines alone
tells no slope.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from oesd.engine.windows import blocks, median, quantile
from oesd.model import FloatArray, MaskArray

BLOCK_PX = 32
FULL_WELL_ELECTRONS = 1.5e5  # of the line CCDs in these spectrometers: 3e4 to 2e5; bounds the photon noise from below
FOURTH = np.array([1.0, -4.0, 6.0, -4.0, 1.0]) / np.sqrt(70.0)  # leaves white noise as it is
QUARTILE, MEDIAN = 0.31864, 0.67449  # of |x| for a Gaussian of unit sigma
QUIET_SHARE = 0.5  # of the blocks, the dimmest: they show the read noise
QUIET_QUANTILE = 0.4  # of their variances: lines only add
SMOOTH_SHARE, SMOOTH_SIGMAS = 0.15, 4.0  # by how much a block of continuum may differ within itself
TELLING_SHARE = 0.1  # of the read noise's variance that the photons' must reach to be told from it
FEWEST_BLOCKS = 3
CUT_PX = 3  # so many more than one of a block at the spectrum's lowest value: what lay below was cut off
GAUSSIAN = np.array([NormalDist().inv_cdf((n + 0.5) / BLOCK_PX) for n in range(BLOCK_PX)])  # a block's, sorted
LEAST_LEVEL = 1e-150  # counts; below it nothing can be divided by
SLOPE_QUANTILE = 0.4
TOLD_APART = 1.5  # of a brighter half of the blocks against the dimmer
MOST_UNEVEN = 0.05  # pixels of one detector differ by 0.2 to 2 %, etalon fringes of thinned ones by up to 5 %


def noise_sigma(net: FloatArray, saturated: MaskArray, full_scale: float, scans: int) -> FloatArray:
    """Standard deviation of every pixel, shape (pixels,), same counts as ``net``; never zero.

    Parameters
    ----------
    net : (pixels,) float64
    saturated : (pixels,) bool
        Clipped pixels: they show no noise and are not asked.
    full_scale : float
        Net counts of a full pixel (or the highest ones at hand).
    scans : int
        Averaged scans: both kinds of noise fall with their root.
    """
    level, spread, low, high = _blocks(net, saturated)
    quiet = level <= quantile(level, QUIET_SHARE)
    read2 = quantile(low[quiet], QUIET_QUANTILE)
    floor = min(full_scale, 1.0 / LEAST_LEVEL) / FULL_WELL_ELECTRONS / max(scans, 1)
    telling = (spread < SMOOTH_SHARE * level + SMOOTH_SIGMAS * np.sqrt(high)) & (spread < 0.5 * level)
    telling &= (floor * level > TELLING_SHARE * read2) & (level > LEAST_LEVEL)
    slope, uneven = floor, 0.0
    if np.count_nonzero(telling) >= FEWEST_BLOCKS:
        bright = level[telling]
        slope, uneven = _law(bright, (high[telling] - read2) / bright, floor)
    dark = quiet & (slope * level < TELLING_SHARE * read2)
    # so dim that photons add next to nothing, were they as many as they may be; what shows no noise is a file's filling
    told = quantile(low[dark], QUIET_QUANTILE) if dark.sum() >= FEWEST_BLOCKS else 0.0
    if told > 0.0:
        read2 = told
    else:
        read2 = max(read2 - slope * max(float(median(level[quiet])), 0.0), 0.05 * read2, 0.0)
    counts = np.maximum(net, 0.0)
    sigma = uneven * counts
    sigma += slope
    sigma *= counts
    sigma += read2
    np.sqrt(sigma, out=sigma)
    return np.maximum(sigma, 1e-9 * max(float(net.max()), -float(net.min()), 1e-30), out=sigma)


def _law(level: FloatArray, rise: FloatArray, floor: float) -> tuple[float, float]:
    """Slope of the photon noise, and the square of the share by which pixels differ in their response.

    Photons make variance rise with the level, uneven pixels with its square: what rises with the level after division
    by it is the latter. Levels that are all alike do not tell them apart.
    """
    order = level.argsort(kind="stable")
    level, rise = level[order], rise[order]
    dim = int(level.searchsorted(median(level), side="right"))
    if dim < FEWEST_BLOCKS or len(level) - dim < FEWEST_BLOCKS:
        return max(quantile(rise, SLOPE_QUANTILE), floor), 0.0
    low, high = float(median(level[:dim])), float(median(level[dim:]))
    if high < TOLD_APART * low:
        return max(quantile(rise, SLOPE_QUANTILE), floor), 0.0
    dim_rise, bright_rise = quantile(rise[:dim], SLOPE_QUANTILE), quantile(rise[dim:], SLOPE_QUANTILE)
    uneven = min(max((bright_rise - max(dim_rise, floor)) / (high - low), 0.0), MOST_UNEVEN**2)
    return max(dim_rise - uneven * low, floor), uneven


def _above_the_cut(levels: FloatArray) -> FloatArray:
    """Variance of blocks, (blocks, BLOCK_PX) sorted, whose lowest pixels were cut off: by the quantiles of the others.

    0 where fewer than a quarter of a block is left.
    """
    first = (levels == levels[:, :1]).sum(axis=1)
    last = np.minimum(first + (BLOCK_PX - first) * 3 // 4, BLOCK_PX - 1)
    told = first <= BLOCK_PX - BLOCK_PX // 4
    first = np.minimum(first, last - 1)
    row = np.arange(len(levels))
    sigma = (levels[row, last] - levels[row, first]) / (GAUSSIAN[last] - GAUSSIAN[first])
    return np.where(told, sigma * sigma, 0.0)


def _blocks(net: FloatArray, saturated: MaskArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Of each block of pixels: median level, quartiles' distance, alternating variance by quartile and by median.

    The fourth difference takes slopes and wide lines away.
    """
    if len(net) < 8:
        return np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1)
    fourth = np.correlate(net, FOURTH, mode="valid")
    quarter, half = BLOCK_PX // 4, BLOCK_PX // 2
    alternating, levels = blocks(np.abs(fourth, out=fourth), BLOCK_PX), blocks(net[2:-2], BLOCK_PX)
    alternating.sort(axis=1)
    levels.sort(axis=1)
    low, high = alternating[:, quarter] * (1.0 / QUARTILE), alternating[:, half] * (1.0 / MEDIAN)
    low, high = low * low, high * high
    low = np.where(low > 0.0, low, high)
    cut = (levels[:, CUT_PX] <= net.min()).nonzero()[0]
    if len(cut):
        low[cut] = high[cut] = _above_the_cut(levels[cut])
    spread = levels[:, BLOCK_PX - quarter] - levels[:, quarter]
    if not saturated.any():
        return levels[:, half], spread, low, high
    usable = blocks(saturated[2:-2].astype(np.float64), BLOCK_PX).mean(axis=1) < 0.25
    chosen = usable if usable.any() else np.ones(len(usable), dtype=np.bool_)
    return levels[chosen, half], spread[chosen], low[chosen], high[chosen]
