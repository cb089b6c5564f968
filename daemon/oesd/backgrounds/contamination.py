"""Whether a capture that claims to be dark really is.

The capture minus what is expected is put through matched filters: a Gaussian of each width at each pixel, light over
the whole detector, and every light known beforehand. For a shape f and the covariance C of the expectation::

    amplitude = f' C^-1 r / f' C^-1 f        significance = f' C^-1 r / sqrt(f' C^-1 f)

(the best linear filter: Turin, IRE Trans. Inf. Theory 6, 1960). Thresholds share one false-alarm rate over all places
and widths (Bonferroni). Light only adds, so only excesses count. Single pixels that stand alone are hot or were hit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from oesd.backgrounds.expectation import Expectation
from oesd.backgrounds.shapes import Scale, highest_one, scales
from oesd.model import FloatArray, MaskArray

_NEIGHBOURS_SHARE = 0.84  # of the highest pixel: what both neighbours hold together of a line 1.8 px wide
MANY_SCANS = 10_000
_ANY_READ_NOISES = 100.0
_CERTAIN_SIGMA = 3.0  # light at the limit stays below the threshold once in 700


@dataclass(frozen=True, slots=True)
class Strictness:
    """How a dark is judged.

    Attributes
    ----------
    false_alarms : float
        Share of clean darks that may be refused.
    limit_read_noises : float
        Light of this height, in read noises of one scan, must not pass.
    harmless_read_noises : float
        Light that is certainly weaker is found but let pass.
    require_proof : bool
        Refuse a dark whose own noise would hide light at the limit.
    """

    false_alarms: float = 2e-3
    limit_read_noises: float = 2.0
    harmless_read_noises: float = 0.5
    require_proof: bool = True


STRICT = Strictness()
FIRST = Strictness(require_proof=False)  # for the first darks of a spectrometer: nothing is there to prove them by


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a dark.

    Attributes
    ----------
    accepted : bool
    reason : str
        A sentence for a person.
    light : str
        "line", "glow", "even", the name of a known light; "" when none was found.
    contamination_counts : float
        Height of the strongest light found, counts of one scan; 0 when none.
    significance : float
        Of the strongest excess over its threshold: above 1 it is light.
    limit_counts : float
        Any line, glow or even light higher than this would have been found.
    scans_needed : int
        Scans with which such a dark would prove itself; the scans it has when it does, ``MANY_SCANS`` or more when it
        never will.
    darker_counts : float
        How far the dark is below the expectation, beyond chance: light was in what it was held against. 0 when not.
    """

    accepted: bool
    reason: str
    light: str
    contamination_counts: float
    significance: float
    limit_counts: float
    scans_needed: int
    darker_counts: float = 0.0


@dataclass(frozen=True, slots=True)
class _Excess:
    """The best place of one shape: height, its sigma, significance over the threshold, and where."""

    light: str
    height: float
    sigma: float
    ratio: float
    place: int


def judge(
    counts: FloatArray,
    expected: Expectation,
    *,
    scans: int = 1,
    wavelengths_nm: FloatArray | None = None,
    black: Sequence[int] = (),
    known_light: Mapping[str, FloatArray] | None = None,
    line_fwhm_px: float | None = None,
    strictness: Strictness = STRICT,
) -> Verdict:
    """Judge a dark.

    Parameters
    ----------
    counts : (pixels,) float64
        Mean raw counts of one scan.
    expected : Expectation
    scans : int
        Of the capture; says how many more it would take.
    wavelengths_nm : (pixels,) float64, optional
        Names the place of a line in the reason.
    black : sequence of int
        Optically black pixels: no light falls on them, so they hold the even level.
    known_light : mapping of name to (pixels,) float64, optional
        Light that may have come in: the last sample without its dark, room light. Found at far lower levels.
    line_fwhm_px : float, optional
        Width of a line; three widths are tried without it.
    """
    lines = scales(line_fwhm_px)
    whole = {"even": np.ones_like(counts), **highest_one(known_light or {})}
    chance = strictness.false_alarms / (len(lines) + len(whole))
    search = _Search(counts, expected, tuple(black))
    excesses = search.excesses(lines, whole, chance)
    limit = max([search.limit(scale, chance) for scale in lines] + [_hidden(excesses[len(lines)], chance)])
    verdict = _verdict(excesses, limit, scans, expected, strictness, wavelengths_nm)
    if not verdict.accepted:
        return verdict
    mirrored = _Search(2.0 * expected.counts - counts, expected, tuple(black))
    return _with_doubt(verdict, mirrored.excesses(lines, whole, chance), expected, strictness)


def scans_to_prove(noise_counts: float, read_counts: float, line_fwhm_px: float, pixels: int) -> int:
    """Scans a dark needs so that a line at the limit cannot hide in its noise.

    Parameters
    ----------
    noise_counts : float
        Standard deviation of one scan of the dark, read noise and dark current's.
    read_counts : float
        Read noise of one scan.
    """
    scale = Scale("line", line_fwhm_px)
    norm = float(np.sqrt(np.sum(scale.kernel(pixels) ** 2)))
    needed = _threshold(STRICT.false_alarms / 6.0, scale.places(pixels)) + _CERTAIN_SIGMA
    return max(math.ceil((1.1 * needed * noise_counts / (norm * STRICT.limit_read_noises * read_counts)) ** 2), 1)


class _Search:
    """Matched filters over the residual of one capture, each in the metric of the expectation's covariance."""

    def __init__(self, counts: FloatArray, expected: Expectation, black: tuple[int, ...]) -> None:
        residual = counts - expected.counts
        self._light = np.ones_like(counts)
        self._light[[i for i in black if 0 <= i < counts.size]] = 0.0
        self._weights = 1.0 / np.maximum(expected.own, 1e-9) ** 2
        alone = _alone(residual - self._fit_shared(residual, expected) @ expected.shared, expected.own)
        self._weights[alone] = 0.0
        pulled = self._fit_shared(residual, expected)
        self._whitened = self._weights * residual - pulled @ self._weighted

    def _fit_shared(self, residual: FloatArray, expected: Expectation) -> FloatArray:
        """How much of each shared shape the residual shows, shape (k,), with the weights at present."""
        self._weighted = self._weights * expected.shared
        self._inner = np.linalg.inv(np.eye(len(expected.shared)) + self._weighted @ expected.shared.T)
        return np.asarray(self._inner @ (self._weighted @ residual), dtype=np.float64)

    def excesses(self, lines: Sequence[Scale], whole: Mapping[str, FloatArray], chance: float) -> list[_Excess]:
        """Excesses of all shapes: those that may stand anywhere, then the fixed ones."""
        found = [self.anywhere(scale, chance) for scale in lines]
        return found + [self.whole(name, shape, chance) for name, shape in whole.items()]

    def anywhere(self, scale: Scale, chance: float) -> _Excess:
        """Find the most significant place of a shape that may stand anywhere."""
        kernel = scale.kernel(self._light.size)
        overlap, information = self._filtered(kernel)
        z = np.where(information > 0, overlap / np.sqrt(np.maximum(information, 1e-300)), 0.0)
        place = int(np.argmax(z))
        sigma = 1.0 / math.sqrt(max(float(information[place]), 1e-300))
        ratio = float(z[place]) / _threshold(chance, scale.places(z.size))
        return _Excess(scale.name, float(z[place]) * sigma, sigma, ratio, place)

    def whole(self, name: str, shape: FloatArray, chance: float) -> _Excess:
        """Return the excess of one fixed shape."""
        seen = shape * self._light
        pulled = self._weighted @ seen
        information = max(float(self._weights @ seen**2 - pulled @ self._inner @ pulled), 1e-300)
        z = float(seen @ self._whitened) / math.sqrt(information)
        sigma = 1.0 / math.sqrt(information)
        return _Excess(name, z * sigma, sigma, z / _threshold(chance, 1.0), int(np.argmax(seen)))

    def limit(self, scale: Scale, chance: float) -> float:
        """Height that a line must have to be found almost surely, at 95 of 100 places."""
        _, information = self._filtered(scale.kernel(self._light.size))
        lit = information[self._light > 0]
        needed = _threshold(chance, scale.places(self._light.size)) + _CERTAIN_SIGMA
        return needed / math.sqrt(max(float(np.quantile(lit, 0.05)), 1e-300))

    def _filtered(self, kernel: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return f' C^-1 r and f' C^-1 f with f at each pixel in turn."""
        overlap = np.convolve(self._light * self._whitened, kernel, mode="same")
        information = np.convolve(self._light * self._weights, kernel**2, mode="same")
        pulled = np.zeros_like(self._weighted)
        for row, weighted in zip(pulled, self._weighted, strict=True):
            row[:] = np.convolve(self._light * weighted, kernel, mode="same")
        information -= np.einsum("ip,ij,jp->p", pulled, self._inner, pulled)
        return overlap, np.maximum(information, 0.0)


def _alone(residual: FloatArray, own: FloatArray) -> MaskArray:
    """Pixels too narrow for light: what both neighbours show is too little for the narrowest line, beyond its noise."""
    found = np.zeros(residual.size, dtype=np.bool_)
    if residual.size < 3:
        return found
    known = np.isfinite(own)
    values, variance = np.where(known, residual, 0.0), np.where(known, own, 0.0) ** 2
    height, beside = values[1:-1], values[:-2] + values[2:]
    doubt = np.sqrt(variance[:-2] + variance[2:] + _NEIGHBOURS_SHARE**2 * variance[1:-1])
    found[1:-1] = (height > 0) & (beside < _NEIGHBOURS_SHARE * height - _CERTAIN_SIGMA * doubt)
    return found & known


def _hidden(excess: _Excess, chance: float) -> float:
    """Height at which one fixed shape is found almost surely."""
    return excess.sigma * (_threshold(chance, 1.0) + _CERTAIN_SIGMA)


def _threshold(chance: float, places: float) -> float:
    return NormalDist().inv_cdf(1.0 - chance / places)


def _verdict(
    excesses: Sequence[_Excess],
    limit: float,
    scans: int,
    expected: Expectation,
    strictness: Strictness,
    wavelengths_nm: FloatArray | None,
) -> Verdict:
    allowed = strictness.limit_read_noises * expected.read_counts
    harmless = strictness.harmless_read_noises * expected.read_counts
    best = max(excesses, key=lambda excess: excess.ratio)
    needed = scans if limit <= allowed else math.ceil(scans * min((limit / allowed) ** 2, MANY_SCANS))
    found = [excess for excess in excesses if excess.ratio > 1.0]
    worrying = [excess for excess in found if excess.height + _CERTAIN_SIGMA * excess.sigma > harmless]
    if worrying:
        worst = max(worrying, key=lambda excess: excess.ratio)
        return Verdict(
            False, _light_found(worst, expected, wavelengths_nm), worst.light, worst.height, best.ratio, limit, needed
        )
    if limit > allowed and strictness.require_proof:
        cure = f"{needed} scans would show it" if needed < MANY_SCANS else "more scans would not help"
        reason = f"not proven dark: {_hiding(limit, expected)}, {allowed:.1f} are allowed; {cure}"
        return Verdict(False, reason, "", 0.0, best.ratio, limit, needed)
    height = max((excess.height for excess in found), default=0.0)
    light = max(found, key=lambda excess: excess.ratio).light if found else ""
    trace = f"harmless light of {height:.1f} counts ({light})" if found else "no light"
    if limit <= allowed:
        reason = f"dark: {trace} against {expected.source}; {limit:.1f} counts would have been seen"
    else:
        reason = f"perhaps dark: {trace}, but {_hiding(limit, expected)}"
    return Verdict(True, reason, light, height, best.ratio, limit, needed)


def _with_doubt(verdict: Verdict, missing: Sequence[_Excess], expected: Expectation, strictness: Strictness) -> Verdict:
    """Say so when it is the expectation that holds light."""
    harmless = strictness.harmless_read_noises * expected.read_counts
    found = [one for one in missing if one.ratio > 1.0 and one.height + _CERTAIN_SIGMA * one.sigma > harmless]
    if not found:
        return verdict
    worst = max(found, key=lambda one: one.ratio)
    doubt = f"{verdict.reason}; {worst.height:.1f} counts darker than {expected.source}, which may have seen light"
    return replace(verdict, reason=doubt, darker_counts=worst.height)


def _hiding(limit: float, expected: Expectation) -> str:
    if limit > _ANY_READ_NOISES * expected.read_counts:
        return f"against {expected.source} an even light of any height could hide"
    return f"against {expected.source} light of {limit:.1f} counts could hide"


def _light_found(excess: _Excess, expected: Expectation, wavelengths_nm: FloatArray | None) -> str:
    where = f"pixel {excess.place}" if wavelengths_nm is None else f"{wavelengths_nm[excess.place]:.1f} nm"
    what = {
        "line": f"a line at {where}",
        "glow": f"a glow round {where}",
        "even": "light over the whole detector",
    }.get(excess.light, excess.light)
    return f"not dark: {what}, {excess.height:.1f} counts above {expected.source}"
