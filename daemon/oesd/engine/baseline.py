"""The continuum under the lines.

SNIP peak clipping (Ryan et al., Nucl. Instrum. Methods B 34, 396 (1988); shrinking window: Morhac, ibid. A 600, 478
(2009)) on the spectrum averaged over one line width, then lifted by the offset that clipping noise leaves behind.
Clipping works on v = sqrt(y), which makes shot noise uniform and lets a strong line fall as fast as a weak one.
"""

from __future__ import annotations

import numpy as np

from oesd.engine.windows import median, moving_mean, reflected, robust_sigma
from oesd.model import FloatArray

REACH_FWHM = 8.0  # structures narrower than about twice this many line widths are lines, wider ones are continuum


def windows_of(fwhm_px: float) -> tuple[int, int]:
    """Pixels of one block, and blocks that the clipping reaches out."""
    step = max(1, round(fwhm_px / 2.0))
    return step, int(np.ceil(REACH_FWHM * fwhm_px / step))


def baseline(net: FloatArray, fwhm_px: float) -> FloatArray:
    """Smooth curve under the lines, shape (pixels,), in the counts of ``net``."""
    step, reach = windows_of(fwhm_px)
    coarse = _averaged(net, step)
    if len(coarse) < 12:
        return np.full(len(net), float(median(net)))
    reach = min(reach, (len(coarse) - 1) // 4)
    low = _clipped(coarse, reach)
    low = moving_mean(low, max(1, reach // 4))
    low = low + _offset(coarse - low)
    centres = (np.arange(len(coarse)) + 0.5) * step - 0.5
    return np.interp(np.arange(len(net)), centres, low)


def _averaged(values: FloatArray, step: int) -> FloatArray:
    whole = len(values) // step
    return values[: whole * step].reshape(whole, step).mean(axis=1) if step > 1 else values.copy()


def _clipped(values: FloatArray, reach: int) -> FloatArray:
    """SNIP with the window shrinking from ``reach`` to 1; each pass takes the lower of a point and the curve over it.

    That curve is the higher of the chord through two neighbours and the parabola-true mean of four (clipping order 2
    and 4, Morhac): a dome of continuum stays whole, a line has nothing to lean on either way.
    """
    floor = values.min()
    root = np.sqrt(values - floor)
    margin = 2 * reach
    v = reflected(root, margin)
    for p in range(reach, 0, -1):
        middle = v[2 * p : -2 * p]
        near, far = v[p : -3 * p] + v[3 * p : len(v) - p], v[: -4 * p] + v[4 * p :]
        v[2 * p : -2 * p] = np.minimum(middle, np.maximum(0.5 * near, (4.0 * near - far) / 6.0))
    v = v[margin : len(v) - margin]
    clipped: FloatArray = v * v + floor
    return clipped


def _offset(above: FloatArray) -> FloatArray:
    """Noise lies on both sides of a continuum, SNIP follows its lower edge: the local median of what is not line."""
    spread = robust_sigma(above[above <= median(above)])
    quiet = above < median(above) + 3.0 * spread
    weights = moving_mean(quiet.astype(np.float64), 20)
    values = moving_mean(np.where(quiet, above, 0.0), 20)
    return np.where(weights > 0.05, values / np.maximum(weights, 0.05), float(median(above)))
