"""Second orders of the grating: a strong line at one wavelength shows again, faintly, at twice that wavelength.

Diffraction gratings send order m of lambda where order 1 of m lambda goes (Palmer, Diffraction Grating Handbook, 2005);
a filter that sorts the orders takes it away, and not every compact spectrometer has one. A peak is taken for such an
image only where a much stronger line stands at half its wavelength, and where lines as strong as that and near it have
images too: a grating does not choose. What an element explains with lines elsewhere is left to the element.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.claims import Inference
from oesd.engine.lines import IntArray
from oesd.engine.observed import Observed
from oesd.model import FloatArray, MaskArray

CLEAR_SNR = 50.0  # of a line whose image could be seen at all
BRIGHTEST = 0.3  # of the line: a second order that bright has no filter and a grating blazed for it
APART_SIGMAS = 3.0
CENTER_FWHM = 0.08  # 1 sigma of a peak's centre: unseen neighbours pull it
NEAR_NM = 60.0  # within which the share that goes into the second order is alike ...
ALIKE = 5.0  # ... but for this factor
EXPLAINED = 0.3  # of a peak: what an element makes is no image
CHANCE = 0.02  # that so many peaks stand at twice others' wavelengths by accident
BRIGHT = 0.1  # of a peak: what a claim rests on


@dataclass(frozen=True, slots=True, eq=False)
class Ghosts:
    """Peaks that may be second orders, by number, and those of which they would be; arrays (ghosts,)."""

    peak: IntArray
    of: IntArray


def possible_ghosts(seen: Observed) -> Ghosts:
    """Peaks at twice the wavelength of a far stronger one, where other strong lines do not contradict it."""
    center, height = seen.center_nm, seen.height
    clear = (height > CLEAR_SNR * seen.height_sigma).nonzero()[0]
    source = clear[2.0 * center[clear] < seen.true_nm[-1]]
    if not len(source) or len(center) < 2:
        return Ghosts(source[:0], source[:0])
    image, apart = _nearest(center, 2.0 * center[source])
    error = np.hypot(seen.center_sigma_nm, CENTER_FWHM * seen.fwhm_nm)
    error = np.sqrt(error[image] ** 2 + (2.0 * error[source]) ** 2 + seen.axis_sigma_nm**2)
    met = (apart < APART_SIGMAS * error) & (height[image] < BRIGHTEST * height[source])
    if not met.any():
        return Ghosts(source[:0], source[:0])
    share = np.where(met, height[image] / height[source], 0.0)
    kept = met & ~_contradicted(seen, source, share)
    return Ghosts(image[kept], source[kept])


def _nearest(center_nm: FloatArray, wanted_nm: FloatArray) -> tuple[IntArray, FloatArray]:
    """The peak nearest to each wavelength, and how far it is."""
    after = np.minimum(np.maximum(center_nm.searchsorted(wanted_nm), 1), len(center_nm) - 1)
    nearer = after - (wanted_nm - center_nm[after - 1] < center_nm[after] - wanted_nm)
    return nearer, np.abs(center_nm[nearer] - wanted_nm)


def _contradicted(seen: Observed, source: IntArray, share: FloatArray) -> MaskArray:
    """Sources whose image would be stronger than what a neighbour, as strong or stronger, shows of its own."""
    nm, height = seen.center_nm[source], seen.height[source]
    last = len(seen.net) - 1
    pixel = np.minimum(np.maximum(seen.true_nm.searchsorted(2.0 * nm), 2), max(last - 2, 2))
    around = np.minimum(np.maximum(pixel[:, None] + np.arange(-2, 3), 0), last)
    shown = seen.net[around].max(axis=1) + 2.0 * seen.sigma[pixel]
    near = (np.abs(nm[:, None] - nm) < NEAR_NM) & (height >= height[:, None])
    missing = near & (shown * ALIKE < share[:, None] * height)
    contradicted: MaskArray = missing.any(axis=1)
    return contradicted


def ghosts_alone(ghosts: Ghosts, inference: Inference, height: FloatArray) -> frozenset[str]:
    """Elements that rest on nothing but peaks that may be second orders."""
    may_be = np.zeros(len(height), dtype=np.bool_)
    may_be[ghosts.peak] = True
    bright = {name: claim.light > BRIGHT * height for name, claim in inference.claims.items()}
    return frozenset(name for name, mine in bright.items() if bool(mine.any()) and not bool((mine & ~may_be).any()))


def beyond_chance(ghosts: Ghosts, inference: Inference, alone: frozenset[str], seen: Observed) -> Ghosts:
    """Those that no other element explains; none where so many would be met by chance (Poisson)."""
    light = inference.light - sum((inference.claims[name].light for name in sorted(alone)), np.zeros(len(seen.height)))
    unexplained = light < EXPLAINED * seen.height
    left = unexplained[ghosts.peak]
    sources = np.flatnonzero((seen.height > CLEAR_SNR * seen.height_sigma) & (2.0 * seen.center_nm < seen.true_nm[-1]))
    window_nm = 4.0 * APART_SIGMAS * np.hypot(seen.center_sigma_nm[sources], CENTER_FWHM * seen.fwhm_nm).sum()
    expected = window_nm * unexplained.sum() / (seen.true_nm[-1] - seen.true_nm[0])
    below = np.cumsum(np.concatenate([[1.0], expected / np.arange(1.0, left.sum() + 1.0)]).cumprod())
    chance = 1.0 - float(np.exp(-expected)) * below[max(int(left.sum()) - 1, 0)]
    kept = left if chance < CHANCE else np.zeros_like(left)
    return Ghosts(ghosts.peak[kept], ghosts.of[kept])
