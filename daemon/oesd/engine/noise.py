"""How much each pixel may err: read noise from what alternates from pixel to pixel, photon noise from the counts.

sigma^2 = read^2 + slope * counts, the photon-transfer law (Janesick, Photon Transfer, SPIE 2007): read from the
quietest blocks, slope from the blocks whose noise rises with their level.
"""

from __future__ import annotations

import numpy as np

from oesd.engine.windows import blocks, median, quantile
from oesd.model import FloatArray, MaskArray

BLOCK_PX = 32
FULL_WELL_ELECTRONS = 1.5e5  # of the line CCDs in these spectrometers: 3e4 to 2e5; bounds the photon noise from below


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
    level, variance = _blocks(net, saturated)
    quiet = level <= quantile(level, 0.3)
    read2 = quantile(variance[quiet], 0.5) if quiet.any() else 0.0
    floor = full_scale / FULL_WELL_ELECTRONS / max(scans, 1)
    counts = np.clip(net, 0.0, None)
    slope = max(_slope(level, variance, read2), floor)
    read2 = max(read2 - slope * max(float(median(level[quiet])), 0.0), 0.05 * read2, 0.0)
    sigma = np.sqrt(read2 + slope * counts)
    return np.maximum(sigma, 1e-9 * max(float(np.abs(net).max()), 1e-30))


def _blocks(net: FloatArray, saturated: MaskArray) -> tuple[FloatArray, FloatArray]:
    """Median level and alternating variance of each block of pixels.

    The second difference (-1, 2, -1)/sqrt(6) leaves white noise as it is and takes slopes away; the median over a block
    ignores its lines unless they fill it.
    """
    if len(net) < 3:
        return np.zeros(1), np.zeros(1)
    second = np.abs(2.0 * net[1:-1] - net[:-2] - net[2:]) / np.sqrt(6.0)
    variance = (1.4826 * median(blocks(second, BLOCK_PX), axis=1)) ** 2
    level = median(blocks(net[1:-1], BLOCK_PX), axis=1)
    usable = blocks(saturated[1:-1].astype(np.float64), BLOCK_PX).mean(axis=1) < 0.25
    return (level[usable], variance[usable]) if usable.any() else (level, variance)


def _slope(level: FloatArray, variance: FloatArray, read2: float) -> float:
    """Lower-quartile slope of variance against level over the brighter blocks: lines only add, they never take away."""
    bright = level > max(quantile(level, 0.5), 0.0)
    if bright.sum() < 4:
        return 0.0
    rise = (variance[bright] - read2) / level[bright]
    return max(quantile(rise, 0.3), 0.0)
