"""A run against a golden run, species by species: what differs, by how much, and whether chance explains it.

The golden run's values are laid under the run's at the same times. The differences are averaged in blocks of
neighbouring spectra, because a plasma's flicker makes neighbours alike; the scatter of the blocks' means is the
error (batch means: Law and Kelton, Simulation Modeling and Analysis), and never less than the noise of the values
themselves. With as many tests as species, some look different by chance: the probabilities are corrected by Holm's
method (Scand. J. Statist. 6 (1979) 65), which holds whatever the species have to do with each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from oesd.model import FloatArray
from oesd.watching.deviations import normal_of_t

BLOCKS = 10
FEWEST = 4
SURE = 0.01
LEAST_SHARE = 0.03
"""Differences below this share of the larger one are told and not called different: no two runs are equal."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One species in one run: times since it began, values and errors, (n,) float64; NaN where unusable."""

    times_s: FloatArray
    value: FloatArray
    sigma: FloatArray


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of a species.

    Attributes
    ----------
    run, golden : float
        Means over the time that both runs have.
    difference, sigma : float
        Run minus golden, and its standard deviation.
    ratio : float
        NaN where the golden run does not show the species.
    z : float
        The difference as a standard normal deviate; ``p`` its two-sided probability, ``p_corrected`` after Holm.
    different : bool
    """

    species: str
    run: float
    golden: float
    difference: float
    sigma: float
    ratio: float
    z: float
    p: float
    p_corrected: float
    different: bool
    sentence: str


def compared_runs(
    courses: Mapping[str, tuple[Course, Course]], shift_s: float, unit: str = "counts/s"
) -> list[Difference]:
    """Compare species by species; the most significant first.

    Parameters
    ----------
    courses : mapping
        Species to its course in the run and in the golden run.
    shift_s : float
        How much later the run is.
    """
    found = [one for name, pair in courses.items() if (one := _difference(name, *pair, shift_s)) is not None]
    corrected = holm([one.p for one in found])
    told = [_told(replace(one, p_corrected=p), unit) for one, p in zip(found, corrected, strict=True)]
    return sorted(told, key=lambda one: (not one.different, one.p_corrected, -abs(one.z)))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities corrected for their number; in the order given."""
    order = sorted(range(len(probabilities)), key=lambda k: probabilities[k])
    corrected = [0.0] * len(probabilities)
    worst = 0.0
    for rank, k in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - rank) * probabilities[k]))
        corrected[k] = worst
    return corrected


def paired(run: Course, golden: Course, shift_s: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Times, values of the run, values of the golden run at the same times, and the variance of their difference."""
    usable = np.isfinite(run.value) & np.isfinite(run.sigma)
    known = np.isfinite(golden.value) & np.isfinite(golden.sigma)
    if not usable.any() or known.sum() < 2:
        nothing = np.zeros(0)
        return nothing, nothing, nothing, nothing
    times, golden_s = run.times_s[usable], golden.times_s[known] + shift_s
    both = (times >= golden_s[0]) & (times <= golden_s[-1])
    times = times[both]
    expected = np.interp(times, golden_s, golden.value[known])
    doubt = np.interp(times, golden_s, golden.sigma[known] ** 2)
    return times, run.value[usable][both], expected, run.sigma[usable][both] ** 2 + doubt


def _difference(name: str, run: Course, golden: Course, shift_s: float) -> Difference | None:
    times, seen, expected, _ = paired(run, golden, shift_s)
    if len(seen) < FEWEST:
        return None
    off = seen - expected
    known = np.isfinite(golden.value) & np.isfinite(golden.sigma)
    laid = _weights(times, golden.times_s[known] + shift_s)
    own = run.sigma[np.isin(run.times_s, times) & np.isfinite(run.value) & np.isfinite(run.sigma)]
    number = min(
        BLOCKS, len(off) // 2, max(2, int(np.count_nonzero(laid)) // 2)
    )  # each of values of its own, on both sides
    blocks = np.array_split(off, number)
    means = np.array([block.mean() for block in blocks])
    scatter = float(means.std(ddof=1)) / math.sqrt(len(means))
    noise = math.sqrt(float((own**2).sum() + ((laid * golden.sigma[known]) ** 2).sum())) / len(off)
    difference, sigma = float(off.mean()), max(scatter, noise, 1e-300)
    deviate = difference / sigma
    z = normal_of_t(deviate, len(means) - 1) if scatter >= noise else deviate
    p = 2.0 * _NORMAL.cdf(-abs(z))
    level, base = float(seen.mean()), float(expected.mean())
    ratio = level / base if base > 3.0 * noise else math.nan
    return Difference(name, level, base, difference, sigma, ratio, z, p, p, False, "")


def _weights(times: FloatArray, golden_s: FloatArray) -> FloatArray:
    """How many of the times each golden value is laid under: few of them carry their errors into many differences."""
    left = np.clip(np.searchsorted(golden_s, times, side="right") - 1, 0, len(golden_s) - 2)
    share = (times - golden_s[left]) / np.maximum(golden_s[left + 1] - golden_s[left], 1e-9)
    laid = np.zeros(len(golden_s))
    np.add.at(laid, left, 1.0 - share)
    np.add.at(laid, left + 1, share)
    return laid


def _told(one: Difference, unit: str) -> Difference:
    larger = max(abs(one.run), abs(one.golden))
    different = one.p_corrected < SURE and abs(one.difference) > LEAST_SHARE * larger
    if not different:
        text = f"{one.species}: as in the golden run ({_percent(one.ratio)}{abs(one.z):.1f} sigma)"
    elif math.isnan(one.ratio):
        text = f"{one.species}: new, {one.run:.4g} {unit}; the golden run does not show it ({abs(one.z):.1f} sigma)"
    else:
        word = "more" if one.difference > 0 else "less"
        text = f"{one.species}: {100 * abs(one.ratio - 1):.1f} % {word} than in the golden run ({abs(one.z):.1f} sigma)"
    return replace(one, different=different, sentence=text)


def _percent(ratio: float) -> str:
    return "" if math.isnan(ratio) else f"{100 * (ratio - 1):+.1f} %, "
