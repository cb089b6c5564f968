"""What a claim owes where no comb of lines confirms the axis: bands, steps and hits put light on lines, too.

In nine of ten spectra the lines that are found fit at one shift of the axis and at no other, which chance cannot do.
Where they do not, nothing but a claim's own fit speaks for it, and the peaks that it rests on must look like lines of
this instrument. The head of a band is shaded to one side, rotational lines run into each other, a step of the
detector's gain does not come down again: what the instrument's line leaves of them is two to three times what it
leaves of lines (medians 0.34 and 0.18 of doubtful claims, false and true; area under the curve 0.86).
"""

from __future__ import annotations

import numpy as np

from oesd.engine.centroids import centroids
from oesd.engine.claims import Claim
from oesd.engine.distances import distance_nats
from oesd.engine.observed import Observed
from oesd.engine.scene import Scene
from oesd.engine.windows import FWHM_PER_SIGMA, median
from oesd.model import FloatArray, MaskArray

SHARED = 0.1  # of a peak's light: a claim rests on the peaks of which it makes more
UNCONFIRMED_NATS = 1.0
# Logistic regression of 147 claims without a sure axis (hard seeds 301 to 304 and blanks, practice cases) on their
# margin and this shape: one unit of it weighs as much as 18 to 22 nats. On 7,200 plasmas and 6,300 blanks that nothing
# was fitted to, 18 and no UNCONFIRMED_NATS name 51 more elements rightly, 12 wrongly, and 41 out of nothing, not 26
SHAPE_NATS = 22.0
REACH_FWHM = 1.0  # to each side of a peak's middle, where its shape is looked at
FAR_FWHM = 3.0  # beyond it a line puts no light
LEAST_REACH_PX = 1.5
UNTOLD = 0.26  # misfit where no peak shows its shape: midway between those of lines and of others
SERIES = 8  # peaks as evenly spaced as these are no atom's: by chance, one in some hundred crowded spectra has them
EVEN = 1.2  # of each distance to the next: rotational lines draw together by a few per cent from one to the next


class Doubt:
    """What claims owe on one spectrum whose axis is not sure.

    Parameters
    ----------
    observed : Observed
    expected : frozenset of str
        Elements that a person expects: his word stands in for the comb.

    Attributes
    ----------
    series : (peaks,) float64
        Light of rotational lines, as :func:`in_series` tells them: no atom's.
    undecided : set of str
        Who is worth his price but for the doubt, on a peak or two that others might be: they owe none, and are told
        as ambiguous.
    """

    def __init__(self, observed: Observed, expected: frozenset[str]) -> None:
        self._height, self._misfit, self._expected = observed.height, line_misfit(observed), expected
        self.series: FloatArray = np.where(in_series(observed.center_nm), observed.height, 0.0)
        self.undecided: set[str] = set()
        self._agreed: dict[Claim, float] = {}

    def nats(self, name: str, claimed: FloatArray) -> float:
        """What the claim of an element with this light, (peaks,), owes by the median shape of the peaks it rests on."""
        if name in self._expected or name in self.undecided:
            return 0.0
        told = self._misfit[(claimed > SHARED * self._height) & np.isfinite(self._misfit)]
        return UNCONFIRMED_NATS + SHAPE_NATS * (float(median(told)) if len(told) else UNTOLD)

    def agreement(self, scene: Scene, claim: Claim) -> float:
        """What the distances between a claim's lines speak for it, nats (:mod:`oesd.engine.distances`)."""
        if claim not in self._agreed:
            centre, total = centroids(scene, claim.fits)
            mine = (claim.light > SHARED * self._height) & (total > 0.0)
            width = scene.observed.peak_fwhm_nm[mine]
            misfit = np.where(np.isfinite(self._misfit), self._misfit, UNTOLD)[mine]
            sigma = scene.observed.center_sigma_nm[mine] / width
            self._agreed[claim] = distance_nats(centre[mine] / width, sigma, misfit)
        return self._agreed[claim]


def line_misfit(observed: Observed) -> FloatArray:
    """Root mean square of what lines of the instrument's width leave around each peak, of the lines' own; (peaks,).

    The noise is taken off. A clipped peak does not show its shape: NaN.
    """
    pixels, fwhm = len(observed.net), observed.fwhm_px
    center = np.interp(observed.center_nm, observed.true_nm, np.arange(pixels))
    far = np.arange(-int(FAR_FWHM * fwhm), int(FAR_FWHM * fwhm) + 2)
    where = center.astype(np.int64)[:, None] + far
    z = (where - center[:, None]) * (FWHM_PER_SIGMA / fwhm)
    light = observed.height[:, None] * np.exp(-0.5 * z * z) * ((where >= 0) & (where < pixels))
    where = np.minimum(np.maximum(where, 0), pixels - 1)
    model = np.bincount(where.ravel(), light.ravel(), pixels)
    reach = max(REACH_FWHM * fwhm, LEAST_REACH_PX)
    near = (np.abs(z) <= reach * (FWHM_PER_SIGMA / fwhm)) & (light > 0.0)
    left = ((observed.net - model) ** 2 - observed.sigma**2).take(where) * near
    whole = (model * model).take(where) * near
    misfit: FloatArray = np.sqrt(np.maximum(left.sum(axis=1), 0.0) / np.maximum(whole.sum(axis=1), 1e-300))
    return np.where(observed.saturated, np.nan, misfit)


def in_series(center_nm: FloatArray) -> MaskArray:
    """Peaks of a series whose distances hardly change: the rotational lines of a band, or fringes; (peaks,)."""
    found = np.zeros(len(center_nm), dtype=np.bool_)
    if len(center_nm) < SERIES:
        return found
    gap = np.maximum(center_nm[1:] - center_nm[:-1], 1e-12)
    even = (gap[1:] < EVEN * gap[:-1]) & (gap[:-1] < EVEN * gap[1:])  # of three peaks
    run = np.lib.stride_tricks.sliding_window_view(even, SERIES - 2).all(axis=1)
    for begin in np.flatnonzero(run).tolist():
        found[begin : begin + SERIES] = True
    return found
