"""Axis and elements together: the plasma's own axis first, then what is in the light.

Where the comb of lines allows several shifts, each is tried on the elements, and that at which they are worth most
stands. The peaks of what was found give shift and stretch; molecules do not calibrate: heads move with excitation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oesd.engine.assignment import expected_centers, in_play, infer
from oesd.engine.calibration import (
    LEAST_PEAKS,
    LEAST_SEARCH_NM,
    UNTOLD_NM,
    WIDEST_SEARCH_NM,
    Axis,
    Hypothesis,
    further_hypotheses,
    hypotheses,
    is_doubtful,
    refined_axis,
    sharpened,
    too_few,
    unsure,
    why_unsafe,
)
from oesd.engine.claims import Inference
from oesd.engine.combs import Shifts, Votes, shift_scores
from oesd.engine.ghosts import Ghosts, beyond_chance, ghosts_alone, possible_ghosts
from oesd.engine.kept import dispersion_of
from oesd.engine.measure import Light
from oesd.engine.observed import Observed
from oesd.engine.patterns import shipped_patterns
from oesd.engine.priors import Prior
from oesd.engine.scene import Scene, build_scene
from oesd.engine.suspects import BAND_PRICE_NATS
from oesd.model import FloatArray, MaskArray

WORTH_REPEATING_FWHM = 0.1
BLEND_FWHM = 0.15  # how far unseen neighbours pull a peak's centre
FURTHER_NATS = 5.0  # by which what is found at a shift that fits less well must be worth more: one element's price
OF_ELEMENTS = 0.5  # of a peak's explained light
OVERFULL = 1e3  # a full pixel may hide so much more: no line is missing there


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """What is in the light, on which axis, why that axis is not safe (empty where it is), and second orders."""

    axis: Axis
    unsafe: str
    scene: Scene
    inference: Inference
    ghosts: Ghosts


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One spectrum's peaks as the axis needs them."""

    device_nm: FloatArray
    light: Light
    center_nm: FloatArray
    center_sigma_nm: FloatArray
    fwhm_nm: float
    peak_fwhm_nm: FloatArray

    def on(self, axis: Axis, among: MaskArray | None = None) -> Scene:
        """Everything the inference asks, with the axis corrected."""
        light = self.light
        observed = Observed(
            center_nm=axis.true_nm(self.center_nm),
            center_sigma_nm=self.center_sigma_nm,
            height=light.peaks.height,
            height_sigma=light.peaks.height_sigma,
            saturated=light.peaks.saturated,
            true_nm=axis.true_nm(self.device_nm),
            net=self._net(),
            sigma=light.sigma,
            fwhm_nm=self.fwhm_nm,
            fwhm_px=light.fwhm_px,
            peak_fwhm_nm=self.peak_fwhm_nm,
            axis_sigma_nm=axis.sigma_nm,
            alike=light.alike,
        )
        return build_scene(observed, shipped_patterns(self.fwhm_nm), among)

    def _net(self) -> FloatArray:
        """Counts above the continuum."""
        net: FloatArray = self.light.corrected.net - self.light.floor
        full = self.light.corrected.saturated
        return np.where(full, OVERFULL * net, net) if full.any() else net


@dataclass(frozen=True, slots=True, eq=False)
class _Combed:
    """One spectrum's peaks held against the lines, at every shift."""

    seen: _Seen
    clarity: FloatArray
    reach_nm: float
    shifts: Shifts
    votes: Votes

    def near(self) -> list[Hypothesis]:
        """The shifts that fit best."""
        return [self._sharp(told) for told in hypotheses(self.shifts, self.seen.fwhm_nm, self.reach_nm)]

    def further(self, near: list[Hypothesis]) -> list[Hypothesis]:
        """The next best."""
        told = further_hypotheses(self.shifts, near, self.seen.fwhm_nm, self.reach_nm)
        return [self._sharp(each) for each in told]

    def _sharp(self, told: Hypothesis) -> Hypothesis:
        seen, voters = self.seen, self.votes.at(told.number)
        return replace(
            told, axis=sharpened(told.axis, seen.center_nm, self.clarity, seen.peak_fwhm_nm, seen.fwhm_nm, *voters)
        )


def line_width_nm(device_nm: FloatArray, light: Light) -> float:
    """Line width in nm at the axis' median dispersion."""
    return light.fwhm_px * dispersion_of(device_nm).median_nm_per_px


def identify(
    device_nm: FloatArray, light: Light, fwhm_nm: float, prior: Prior, reach_nm: float, explain: bool = False
) -> Identified:
    """Shift, elements, the straight line through their peaks, and the elements again where it moves them."""
    center_nm = light.center_nm
    seen = _Seen(
        device_nm, light, center_nm, light.peaks.sigma_px * light.nm_per_px, fwhm_nm, light.fwhm_px * light.nm_per_px
    )
    reach_nm = min(max(reach_nm, LEAST_SEARCH_NM), WIDEST_SEARCH_NM)
    combed = _combed(seen, reach_nm)
    tried = combed.near() if combed else []
    if combed is None or not tried:
        axis = Axis(sigma_nm=min(UNTOLD_NM, reach_nm))
        scene = seen.on(axis)
        reason = "no line fits at any shift" if len(center_nm) >= LEAST_PEAKS else too_few(len(center_nm))
        return _without_ghosts(axis, reason, scene, infer(scene, prior, explain, doubted=True), prior, explain)
    best, found, scene, inference = _best(seen, tried, prior, explain)
    finer, worth, left = _through_its_peaks(seen, found, scene, inference)
    unsafe = why_unsafe(found, finer, worth, left, reach_nm)
    if (unsafe or is_doubtful(found, left)) and (further := combed.further(tried)):
        again = _best(seen, further, prior, explain)
        if again[0] > best + FURTHER_NATS:
            found, scene, inference = again[1:]
            finer, worth, left = _through_its_peaks(seen, found, scene, inference)
            unsafe = why_unsafe(found, finer, worth, left, reach_nm)
    axis = found.axis
    told = unsure(finer, seen.fwhm_nm, worth) if unsafe else finer
    moved = np.abs(finer.true_nm(center_nm) - axis.true_nm(center_nm))
    if moved.max() < WORTH_REPEATING_FWHM * seen.fwhm_nm:
        if unsafe:
            inference = infer(scene, prior, explain, inference, doubted=True)
        return _without_ghosts(told, unsafe, scene, inference, prior, explain)
    scene = seen.on(finer, in_play(inference, prior))
    return _without_ghosts(told, unsafe, scene, infer(scene, prior, explain, inference, bool(unsafe)), prior, explain)


def _without_ghosts(
    axis: Axis, unsafe: str, scene: Scene, inference: Inference, prior: Prior, explain: bool
) -> Identified:
    """Ask again without the elements that rest on nothing but second orders of the grating."""
    seen = scene.observed
    ghosts = possible_ghosts(seen)
    if not len(ghosts.peak):
        return Identified(axis, unsafe, scene, inference, ghosts)
    alone = ghosts_alone(ghosts, inference, seen.height)
    ghosts = beyond_chance(ghosts, inference, alone, seen)
    while alone := ghosts_alone(ghosts, inference, seen.height):
        prior = replace(prior, never=prior.never | alone)
        inference = infer(scene, prior, explain, doubted=bool(unsafe))
    return Identified(axis, unsafe, scene, inference, beyond_chance(ghosts, inference, frozenset(), seen))


def _through_its_peaks(
    seen: _Seen, found: Hypothesis, scene: Scene, inference: Inference
) -> tuple[Axis, float, FloatArray]:
    """The straight line through the found elements' peaks, what these gain, and what it leaves in line widths."""
    center, expected, sigma, width = _calibrating(seen.center_nm, scene, inference)
    finer = refined_axis(found.axis, center, expected, sigma) if len(center) else found.axis
    return finer, sum(inference.margin.values()), (finer.true_nm(center) - expected) / width


def _combed(seen: _Seen, reach_nm: float) -> _Combed | None:
    if len(seen.center_nm) < LEAST_PEAKS:
        return None
    peaks, low_nm, high_nm = seen.light.peaks, float(seen.device_nm[0]), float(seen.device_nm[-1])
    clarity = peaks.height / peaks.height_sigma
    shifts, votes = shift_scores(seen.center_nm, clarity, low_nm, high_nm, seen.fwhm_nm, reach_nm)
    return _Combed(seen, clarity, reach_nm, shifts, votes)


def _best(
    seen: _Seen, tried: list[Hypothesis], prior: Prior, explain: bool
) -> tuple[float, Hypothesis, Scene, Inference]:
    """The hypothesis at which what is found is worth most, and how much; one that nobody asked for must show a comb."""
    best: tuple[float, Hypothesis, Scene, Inference] | None = None
    for hypothesis in tried:
        scene = seen.on(hypothesis.axis)
        inference = infer(scene, prior, explain)
        worth = _worth(inference) + hypothesis.prior_nats
        if best is None or (worth > best[0] and (hypothesis.asked or _is_comb(seen, scene, inference))):
            best = worth, hypothesis, scene, inference
    assert best is not None
    return best


def _is_comb(seen: _Seen, scene: Scene, inference: Inference) -> bool:
    return len(_calibrating(seen.center_nm, scene, inference)[0]) > LEAST_PEAKS


def _worth(inference: Inference) -> float:
    """Nats that all claims gain beyond their prices."""
    return sum(inference.margin.values()) + sum(claim.gain - BAND_PRICE_NATS for claim in inference.bands.values())


def _calibrating(
    center_nm: FloatArray, scene: Scene, inference: Inference
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Peaks of found elements on the device's axis, where their light belongs, the errors of these, and line widths."""
    expected, trusted = expected_centers(scene, inference)
    light = np.zeros(len(center_nm))
    for claim in inference.claims.values():
        light += claim.light
    trusted &= light > OF_ELEMENTS * inference.light
    width = scene.observed.peak_fwhm_nm
    spread = np.hypot(scene.observed.center_sigma_nm, BLEND_FWHM * width)
    return center_nm[trusted], expected[trusted], spread[trusted], width[trusted]
