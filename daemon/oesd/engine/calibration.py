"""The plasma calibrates the axis: which shift, which stretch, how well known, and whether that is safe.

The shift at which the comb of lines fits best (:mod:`oesd.engine.combs`) is a hypothesis; where several do nearly as
well the elements decide (:mod:`oesd.engine.identify`), and a straight line through their peaks gives shift and stretch.
It is *sure* only where chance could hardly do the same; where it cannot be told the tolerance is widened and said why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, pi, sqrt

import numpy as np

from oesd.engine.combs import Shifts
from oesd.engine.windows import median
from oesd.model import AxisCorrection, FloatArray, MaskArray

REACH_NM = 0.65
LEAST_SEARCH_NM, WIDEST_SEARCH_NM = 1e-3, 2.5
TYPICAL_ERROR = 0.7  # of the reach
MOST_HYPOTHESES = 3
MOST_FURTHER = 8  # shifts tried beside these where what is found is doubtful
RIVAL_NATS = 2.5  # a shift that fits worse than the best by more is no hypothesis
BEYOND_NATS = 1.0  # by which a shift beyond the reach must fit better than all within it to be tried, ...
UNASKED_NATS = 5.0  # ... and what its elements must be worth more: as much as one of them costs
FURTHER_WIDTHS = 0.3  # less than a bin of the comb: as far as a shift read off line by line finds its way
APART_WIDTHS = 1.2  # shifts closer than this many line widths are one hypothesis
COARSE_FWHM = 0.08  # 1 sigma of a shift read off the comb
LEAST_WORTH_NATS = 10.0  # elements that may be there by chance calibrate nothing
LEAST_PEAKS = 3  # two lines at the right distance are met by chance
STANDS_OUT_NATS = 1.0  # by which the comb must fit better than at any other shift within 3 nm, asked for or not
RIGHT_FWHM, CHANCE_FWHM = 0.1, 0.6  # right lines scatter so much about the correction (1 sigma), others up to that
WITNESS = 0.05  # of the evidence of one line: those of one element are not independent, and they were chosen to fit
RESIDUAL_FWHM = 0.2  # rms of right lines about the straight line is 0.06; of lines met by chance 0.25 and more
DOUBTED_NATS, DOUBTED_FWHM = 1.5, 0.12  # less clear, or more scattered: in a forest of lines many shifts do so well
SEARCHED = "nm searched"
EDGE = 0.9  # of the reach: a shift this far out may only be the nearest that was looked at
UNTOLD_NM = 0.2  # tolerance of an axis that cannot be told at all: what a device is off by on an ordinary day
UNKNOWN_FWHM, UNKNOWN_NM = 0.15, 0.1  # tolerance where the axis could not be told
MET_FWHM = 0.4  # farther from the comb's shift no line is met
MOST_CLARITY = 5.0  # ln(1 + height / noise) beyond which a peak's centre is as well known as it gets
SHIFT_FWHM = 0.3  # how far the comb's bins may be off
VOTED_STRETCH_NM = 0.05  # half of STRETCH_NM: some of the lines that voted are not there
VOTED_FWHM = 0.05  # 1 sigma of a shift read off line by line, against that of the lines found in the end: measured
STRETCH_OVER_NM = 300.0
SHIFT_NM, STRETCH_NM = 0.3, 0.1  # 1 sigma of what is still to be found, the stretch over so much of the axis
LEAST_FOR_STRETCH = 6
ROUNDS = 5
SETTLED_NM = 1e-6  # no further round where the line moves by less


@dataclass(frozen=True, slots=True)
class Axis:
    """Correction of the axis: true = device - shift_nm - stretch * (device - pivot_nm)."""

    shift_nm: float = 0.0
    stretch: float = 0.0
    pivot_nm: float = 0.0
    sigma_nm: float = UNKNOWN_NM

    def true_nm(self, device_nm: FloatArray) -> FloatArray:
        """Air wavelengths of positions on the device's axis."""
        return device_nm - self.shift_nm - self.stretch * (device_nm - self.pivot_nm)

    def device_nm(self, true_nm: FloatArray) -> FloatArray:
        """Positions on the device's axis of air wavelengths."""
        return (true_nm + self.shift_nm - self.stretch * self.pivot_nm) / (1.0 - self.stretch)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A shift of the axis.

    ``prior_nats`` speaks against large ones; ``clear_nats`` is by how much it fits better than the best of all others,
    ``rival_nm``, which may lie outside the reach; ``number`` is that of the shift. ``asked`` is False for a shift
    beyond the reach.
    """

    axis: Axis
    prior_nats: float
    clear_nats: float
    rival_nm: float
    asked: bool = True
    number: int = 0


def hypotheses(shifts: Shifts, fwhm_nm: float, reach_nm: float) -> list[Hypothesis]:
    """Shifts that fit about as well as the best one, the best first; none if nothing fits anywhere.

    They lie within the reach, but for one beyond it that fits clearly better than all of them.
    """
    if shifts.score.max() <= 0.0:
        return []
    fit, prior, asked = _fit(shifts, reach_nm)
    left = np.where(asked, fit + prior, -np.inf)
    best = float(fit[asked].max())
    found: list[Hypothesis] = []
    for _ in range(MOST_HYPOTHESES):
        at = int(left.argmax())
        if found and left[at] < best - RIVAL_NATS:
            break
        apart = _apart(shifts, at)
        found.append(_hypothesis(shifts, fit, prior, at, apart, fwhm_nm))
        left = np.where(apart, left, -np.inf)
    beyond = np.where(asked | (np.abs(shifts.nm) > WIDEST_SEARCH_NM), -np.inf, fit)
    at = int(beyond.argmax())
    if beyond[at] > best + BEYOND_NATS:
        unasked = np.full_like(fit, -UNASKED_NATS)
        found.append(replace(_hypothesis(shifts, fit, unasked, at, _apart(shifts, at), fwhm_nm), asked=False))
    return found


def further_hypotheses(shifts: Shifts, near: Sequence[Hypothesis], fwhm_nm: float, reach_nm: float) -> list[Hypothesis]:
    """The next best within the reach: also close to ``near``, for in a forest of lines the comb does not come down."""
    fit, prior, asked = _fit(shifts, reach_nm)
    left = np.where(asked, fit + prior, -np.inf)
    taken = [hypothesis.number for hypothesis in near]
    further: list[Hypothesis] = []
    while True:
        for at in taken:
            left[np.abs(shifts.nm - shifts.nm[at]) <= FURTHER_WIDTHS * shifts.width_nm] = -np.inf
        best = int(left.argmax())
        if left[best] == -np.inf or len(further) == MOST_FURTHER:
            return further
        further.append(_hypothesis(shifts, fit, prior, best, _apart(shifts, best), fwhm_nm))
        taken = [best]


def _fit(shifts: Shifts, reach_nm: float) -> tuple[FloatArray, FloatArray, MaskArray]:
    """Log score of each shift, log prior, and whether it was asked for."""
    prior: FloatArray = -0.5 * (shifts.nm / (TYPICAL_ERROR * reach_nm)) ** 2
    return np.log(shifts.score + 1e-30), prior, np.abs(shifts.nm) <= reach_nm


def _hypothesis(
    shifts: Shifts, fit: FloatArray, prior: FloatArray, at: int, apart: MaskArray, fwhm_nm: float
) -> Hypothesis:
    step = shifts.nm[1] - shifts.nm[0]
    axis = Axis(float(shifts.nm[at] + _vertex(fit, at) * step), sigma_nm=COARSE_FWHM * fwhm_nm)
    rival = int(np.where(apart, fit, -np.inf).argmax())
    clear = float(fit[at] - fit[rival]) if apart.any() else 0.0
    return Hypothesis(axis, float(prior[at]), clear, float(shifts.nm[rival]), number=at)


def _apart(shifts: Shifts, at: int) -> MaskArray:
    apart: MaskArray = np.abs(shifts.nm - shifts.nm[at]) > APART_WIDTHS * shifts.width_nm
    return apart


def _vertex(score: FloatArray, best: int) -> float:
    """Where between its neighbours the top lies, steps; at most half a step off."""
    if not 0 < best < len(score) - 1:
        return 0.0
    left, top, right = score[best - 1 : best + 2].tolist()
    bend = left - 2.0 * top + right
    return min(max(0.5 * (left - right) / bend, -0.5), 0.5) if bend < 0.0 else 0.0


def sharpened(
    coarse: Axis,
    center_nm: FloatArray,
    clarity: FloatArray,
    peak_fwhm_nm: FloatArray,
    fwhm_nm: float,
    line_nm: FloatArray,
    weight: FloatArray,
) -> Axis:
    """The shift of the comb, read off line by line: a straight line through the nearest peaks of those that voted.

    Most of the offsets are right or chance, spread evenly: Tukey's weights (Beaton and Tukey 1974) about the comb's
    shift. ``center_nm`` are on the device's axis, ``line_nm`` the true positions of the lines, each with a ``weight``;
    ``peak_fwhm_nm`` is the line width at each peak, ``fwhm_nm`` that of the axis' middle.
    """
    wanted = line_nm + coarse.shift_nm
    after = np.minimum(np.maximum(center_nm.searchsorted(wanted), 1), len(center_nm) - 1)
    peak = after - (wanted - center_nm[after - 1] < center_nm[after] - wanted)
    offset = center_nm[peak] - wanted
    reach = MET_FWHM * peak_fwhm_nm[peak]
    met = (np.abs(offset) < reach).nonzero()[0]
    if len(met) < LEAST_PEAKS:
        return coarse
    offset, peak, weight, reach = offset[met], peak[met], weight[met], reach[met]
    weight = weight * np.minimum(np.log1p(clarity[peak]), MOST_CLARITY)
    pivot = float(weight @ center_nm[peak] / weight.sum())
    line = _Line((center_nm[peak] - pivot) / STRETCH_OVER_NM, offset, (SHIFT_FWHM * fwhm_nm, VOTED_STRETCH_NM))
    weight *= 1.0 / float(weight.max())
    weight *= (reach * (RIGHT_FWHM / MET_FWHM)) ** -2.0
    left, solution = offset, (0.0, 0.0, 0.0)
    for _ in range(ROUNDS):
        near = np.maximum(1.0 - (left / reach) ** 2, 0.0)
        solution = line.through(near * near * weight)
        left = line.left(*solution)
    shift, stretch, _ = solution
    return Axis(coarse.shift_nm + shift, stretch / STRETCH_OVER_NM, pivot, VOTED_FWHM * fwhm_nm)


def refined_axis(coarse: Axis, center_nm: FloatArray, expected_nm: FloatArray, sigma_nm: FloatArray) -> Axis:
    """Shift and stretch from identified peaks: weighted straight line, outliers losing their weight (Huber).

    ``center_nm`` are on the device's axis, ``expected_nm`` the true positions of the light there. The stretch needs at
    least six peaks and is held back by a prior of 0.1 nm over 300 nm.
    """
    if len(center_nm) < 2:
        return coarse
    pivot = float(center_nm.sum()) / len(center_nm)
    offset = center_nm - expected_nm - coarse.shift_nm
    line = _Line((center_nm - pivot) / STRETCH_OVER_NM, offset, (SHIFT_NM, STRETCH_NM))
    left, solution, sharp = offset, (0.0, 0.0, 0.0), 1.0 / sigma_nm
    for _ in range(ROUNDS):
        before, solution = solution, line.through(_huber_weight(left, sharp))
        if abs(solution[0] - before[0]) + abs(solution[1] - before[1]) < SETTLED_NM:
            break
        left = line.left(*solution)
    shift, stretch, variance = solution
    return Axis(coarse.shift_nm + shift, stretch / STRETCH_OVER_NM, pivot, float(np.sqrt(variance)))


class _Line:
    """A straight line through offsets, both its numbers held back by a prior: (sigma of the shift, of the stretch).

    The stretch, nm over ``STRETCH_OVER_NM``, needs ``LEAST_FOR_STRETCH`` offsets.
    """

    def __init__(self, arm: FloatArray, offset: FloatArray, prior: tuple[float, float]) -> None:
        self._arm, self._offset = arm, offset
        self._terms = np.array([np.ones(len(arm)), arm, arm * arm, offset, arm * offset])
        self._of_shift = prior[0] ** -2.0
        self._of_stretch = prior[1] ** -2.0 if len(arm) >= LEAST_FOR_STRETCH else 1e12

    def through(self, weight: FloatArray) -> tuple[float, float, float]:
        """Shift, stretch, and the variance of the shift."""
        one, arm, square, offset, moment = (self._terms @ weight).tolist()
        one, square = one + self._of_shift, square + self._of_stretch
        determinant = one * square - arm * arm
        shift, stretch = square * offset - arm * moment, one * moment - arm * offset
        return shift / determinant, stretch / determinant, square / determinant

    def left(self, shift: float, stretch: float, _variance: float) -> FloatArray:
        """What a line leaves of the offsets."""
        left: FloatArray = self._offset - shift - stretch * self._arm
        return left


def _huber_weight(residual: FloatArray, sharp: FloatArray) -> FloatArray:
    """Inverse variances by what the residuals scatter, less of outliers; ``sharp``: 1 / their errors."""
    off = np.abs(residual * sharp)
    scale = max(1.4826 * float(median(off)), 1.0)
    weight: FloatArray = (sharp / scale) ** 2 / np.maximum(off * (1.0 / (1.5 * scale)), 1.0)
    return weight


def why_unsafe(found: Hypothesis, axis: Axis, worth_nats: float, offset: FloatArray, reach_nm: float) -> str:
    """One sentence why the correction must not be relied on; empty when it is safe.

    ``worth_nats`` is what the found elements gain beyond their prices; ``offset``, (peaks,), what is left on the
    corrected axis between their peaks and their lines, in line widths.
    """
    if len(offset) < LEAST_PEAKS:
        return too_few(len(offset))
    if worth_nats < LEAST_WORTH_NATS:
        return "the elements found are too weakly there to calibrate the axis"
    if abs(axis.shift_nm) > EDGE * reach_nm:
        where = "outside" if abs(axis.shift_nm) > reach_nm else "at the edge of"
        return f"{axis.shift_nm:+.2f} nm is {where} the {reach_nm:g} {SEARCHED}{_wider(reach_nm, axis.shift_nm)}"
    if found.clear_nats + WITNESS * _agreement_nats(offset) < STANDS_OUT_NATS:
        better = "better" if found.clear_nats < 0.0 else "nearly as well"
        return f"the lines fit {better} at {found.rival_nm:+.2f} nm" + _outside(found.rival_nm, reach_nm)
    if sqrt(float(offset @ offset) / len(offset)) > RESIDUAL_FWHM:
        return "the lines scatter about the correction as lines do that were met by chance"
    return ""


def is_doubtful(found: Hypothesis, offset: FloatArray) -> bool:
    """Whether other shifts are worth a try though nothing is said against this one; ``offset`` as above."""
    return found.clear_nats < DOUBTED_NATS or float(offset @ offset) > DOUBTED_FWHM**2 * len(offset)


def too_few(peaks: int) -> str:
    """That so few peaks cannot tell the axis."""
    of = {0: "no peak is", 1: "only one peak is"}.get(peaks, f"only {peaks} peaks are")
    return f"{of} a found element's: chance could put so few lines anywhere"


def _agreement_nats(offset: FloatArray) -> float:
    """How much likelier offsets (line widths) are of right lines (Gaussian) than of lines met by chance (uniform)."""
    peak = log(2.0 * CHANCE_FWHM / (RIGHT_FWHM * sqrt(2.0 * pi)))
    return float((peak - 0.5 * np.minimum((offset / RIGHT_FWHM) ** 2, 9.0)).sum())


def _outside(shift_nm: float, reach_nm: float) -> str:
    return f", outside the {reach_nm:g} {SEARCHED}{_wider(reach_nm, shift_nm)}" if abs(shift_nm) > reach_nm else ""


def _wider(reach_nm: float, shift_nm: float) -> str:
    """What to do about it, as far as anything can be done."""
    if max(reach_nm, abs(shift_nm)) < WIDEST_SEARCH_NM:
        return ": search wider, with search_nm"
    return f", and {WIDEST_SEARCH_NM:g} nm are the most: the device's axis needs calibration"


def unsure(axis: Axis, fwhm_nm: float, worth_nats: float) -> Axis:
    """The same correction with the tolerance that it needs where it could not be told.

    Where no element confirms it that is what a device may be off by: the comb of all lines has met some by chance.
    """
    unknown_nm = UNTOLD_NM if worth_nats < LEAST_WORTH_NATS else min(UNKNOWN_FWHM * fwhm_nm, UNKNOWN_NM)
    return replace(axis, sigma_nm=float(np.hypot(axis.sigma_nm, unknown_nm)))


def correction(axis: Axis, reason: str) -> AxisCorrection:
    """What is told of the axis."""
    return AxisCorrection(
        shift_nm=round(axis.shift_nm, 4),
        stretch=round(axis.stretch, 9),
        pivot_nm=round(axis.pivot_nm, 4),
        sigma_nm=round(axis.sigma_nm, 5),
        sure=not reason,
        reason=reason,
    )
