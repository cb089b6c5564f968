"""The continuum under the lines.

SNIP peak clipping (Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988); shrinking window: Morhac, ibid. A 600, 478
(2009)) on the spectrum averaged over half a line width, then lifted by the offset that clipping noise leaves behind.
Clipping works on v = sqrt(y), which makes shot noise uniform and lets a strong line fall as fast as a weak one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.windows import averaged, blocks, median, moving_mean, reflected, robust_sigma, spread_out
from oesd.model import FloatArray

REACH_FWHM = 8.0  # structures narrower than about twice this many line widths are lines, wider ones are continuum
SHRINK = 0.8  # of the window from pass to pass: as good as one by one, in half the time
ROUGH_PX = 64
FEWEST_BLOCKS = 12
QUIET_SIGMAS = 4.0  # above the clipped edge
USUAL_OFFSET = 1.3  # of the noise of a block, above the clipped edge: measured on noise
UNEVEN = 0.003  # pixels differ in response by this share
OFFSET_BLOCKS = 20  # to each side, over which the offset is taken
GROUP = 4  # blocks taken together for that
LEAST_SHARE = 0.05  # of them that must be quiet for a local offset
_FOUR, _SIXTH = np.array(4.0), np.array(1.0 / 6.0)  # numpy takes an array sooner than a number
DOUBT = (
    2.5  # the offset's error by its scatter, against measured errors: blocks are not independent, clipping is not even
)


@dataclass(frozen=True, slots=True, eq=False)
class Continuum:
    """Light under the lines and its error, both (pixels,) float64."""

    level: FloatArray
    sigma: FloatArray


def continuum(net: FloatArray, variance: FloatArray, fwhm_px: float) -> Continuum:
    """Smooth curve under the lines, in the counts of ``net``, whose pixels err by ``variance``; all (pixels,)."""
    step, reach = _windows_of(fwhm_px)
    coarse = averaged(net, step)
    if len(coarse) < FEWEST_BLOCKS:
        return Continuum(np.full(len(net), float(median(net))), np.full(len(net), robust_sigma(net)))
    reach = min(reach, (len(coarse) - 1) // 4)
    low = moving_mean(_clipped(coarse, reach), max(1, reach // 4))
    noise = np.maximum(low, 0.0)
    noise *= noise
    noise *= UNEVEN * UNEVEN
    noise += averaged(variance, step) * (1.0 / step)
    np.sqrt(noise, out=noise)
    level = spread_out(low, step, len(net))
    lift, sigma = spread_out(_offset(coarse - low, noise), GROUP * step, len(net))
    level += lift
    return Continuum(level, sigma)


def rough_floor(net: FloatArray) -> FloatArray:
    """Something below the lines, good enough to measure their widths above: low quantiles of blocks."""
    if len(net) < 2 * ROUGH_PX:
        return np.full(len(net), float(net.min()))
    parts = blocks(net, ROUGH_PX)[: len(net) // ROUGH_PX]
    parts.sort(axis=1)
    return spread_out(parts[:, ROUGH_PX // 5], ROUGH_PX, len(net))


def _windows_of(fwhm_px: float) -> tuple[int, int]:
    """Pixels of one block, and blocks that the clipping reaches out."""
    step = max(1, round(fwhm_px / 2.0))
    return step, int(np.ceil(REACH_FWHM * fwhm_px / step))


def _clipped(values: FloatArray, reach: int) -> FloatArray:
    """SNIP with the window shrinking from ``reach`` to 1; each pass takes the lower of a point and the curve over it.

    That curve is the higher of the chord through two neighbours and the parabola-true mean of four (clipping order 2
    and 4, Morhac): a dome of continuum stays whole, a line has nothing to lean on either way.
    """
    floor = values.min()
    margin = 2 * reach
    v = reflected(np.sqrt(values - floor), margin)
    near_room, far_room = np.empty_like(v), np.empty_like(v)
    p = reach
    while p >= 1:
        inner = len(v) - 4 * p
        near = np.add(v[p : -3 * p], v[3 * p : len(v) - p], out=near_room[:inner])
        far = np.add(v[: -4 * p], v[4 * p :], out=far_room[:inner])
        np.minimum(far, near, out=far)  # (4 near - far) / 6 with far = near is the chord, near / 2
        near *= _FOUR
        near -= far
        near *= _SIXTH
        middle = v[2 * p : -2 * p]
        np.minimum(middle, near, out=middle)
        p = min(int(SHRINK * p + 0.5), p - 1)
    v = v[margin : len(v) - margin]
    clipped: FloatArray = v * v
    clipped += floor
    return clipped


def _offset(above: FloatArray, noise: FloatArray) -> FloatArray:
    """Noise lies on both sides of a continuum, SNIP follows its lower edge: the local mean of what is not line.

    What is not line lies no further above that edge than noise does; where lines stand so dense that nothing does, the
    edge is lifted by what noise alone would have. And the error of it: large where little but lines is near. Both, in
    two rows, for every ``GROUP`` blocks: they are means over many more.
    """
    fine = np.empty((4, len(above)))
    quiet, unit, square, fine[3] = *fine[:3], noise
    np.divide(above, np.maximum(noise, 1e-30), out=unit)
    np.less(unit, QUIET_SIGMAS, out=quiet)
    unit -= USUAL_OFFSET
    unit *= quiet
    np.multiply(unit, unit, out=square)
    rows = averaged(fine, GROUP)
    half = min(OFFSET_BLOCKS // GROUP, rows.shape[1] - 1)
    share, mean, square = _running(rows[:3], half)
    enough, known = share > LEAST_SHARE, np.maximum(share, LEAST_SHARE)
    result = np.empty((2, rows.shape[1]))
    np.multiply(mean / known, enough, out=result[0])
    scatter = np.where(enough, np.maximum(square / known - result[0] * result[0], 0.0), 1.0)
    result[0] += USUAL_OFFSET
    np.sqrt(scatter / known, out=result[1])
    result[1] *= DOUBT / np.sqrt(GROUP * (2 * half + 1))
    result *= rows[3]
    return result


def _running(rows: FloatArray, half: int) -> FloatArray:
    """Mean of the 2 h + 1 values around each one, along rows, with mirrored ends."""
    wide = np.concatenate([rows[:, half:0:-1], rows, rows[:, -2 : -half - 2 : -1]], axis=1)
    every = np.full(2 * half + 1, 1.0 / (2 * half + 1))
    means = np.correlate(wide.ravel(), every, mode="same")  # all rows at once: what crosses their ends is cut off
    return means.reshape(wide.shape)[:, half : wide.shape[1] - half]
