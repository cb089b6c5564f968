"""Why an element is claimed, or nearly was: its lines seen and missing, and one sentence. Made only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from oesd.engine.claims import Claim, Inference
from oesd.engine.darkness import lonely
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.strengths import line_strengths
from oesd.model import Evidence, FloatArray, LineEvidence

SHOWN_LINES = 30
SHOWN_MISSING = 10
LEAST_SHARE = 0.05  # of a peak: less light there is no corroboration
SHARED_SHARE = 0.2
MISSING_SIGMAS = 4.0  # a missing line would stand out by so much ...
MISSING_FACTOR = 3.0  # ... and what is seen is weaker than expected by this factor
AGREES_FACTOR = 2.0
RATIO_SPREAD = 0.2  # relative: line strengths and response over a short way, from one source


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """A scene, the peaks' wavelengths on the device's axis, and what one unit of height is in counts."""

    scene: Scene
    device_nm: FloatArray
    counts: float


def explained(scene: Scene, inference: Inference, device_nm: FloatArray, counts: float) -> tuple[Evidence, ...]:
    """Evidence for every claimed element, surest first, then for contests and near misses.

    Parameters
    ----------
    scene, inference
    device_nm : (peaks,) float64
        The scene's peaks on the device's axis, as they are reported.
    counts : float
        Counts that one unit of height is.
    """
    view = _View(scene, device_nm, counts)
    told = [
        _evidence(view, inference, name, claim, inference.probability[name], inference.margin[name], True)
        for name, claim in inference.claims.items()
    ]
    told.sort(key=lambda e: (-e.probability, -e.margin_nats, e.element))
    for contest in inference.contests:
        for name, claim in contest.claims.items():
            rivals = tuple(other for other in contest.claims if other != name)
            told.append(
                _evidence(view, inference, name, claim, contest.share[name], contest.worth[name], False, rivals)
            )
    missed = sorted(inference.near_misses.items(), key=lambda item: (-item[1].margin, item[0]))
    contested = {name for contest in inference.contests for name in contest.claims}
    told += [
        _evidence(view, inference, name, miss.claim, 0.0, miss.margin, False)
        for name, miss in missed
        if name not in contested
    ]
    return tuple(told)


def _evidence(
    view: _View,
    inference: Inference,
    name: str,
    claim: Claim,
    probability: float,
    margin: float,
    claimed: bool,
    rivals: tuple[str, ...] = (),
) -> Evidence:
    lines = _seen_lines(view, inference, name, claim)[:SHOWN_LINES]
    missing = tuple(_missing_lines(view, claim))
    rivals = rivals or inference.rivals.get(name, ())
    verdict = "" if claimed else _why_not(margin, rivals)
    return Evidence(
        element=name,
        probability=round(probability, 4),
        claimed=claimed,
        margin_nats=round(margin, 3),
        lines=lines,
        missing=missing,
        rivals=rivals,
        sentence=_sentence(name, lines, missing) + verdict,
    )


def _seen_lines(view: _View, inference: Inference, name: str, claim: Claim) -> tuple[LineEvidence, ...]:
    """One entry per peak that the element has light in, under the name of its strongest line there; brightest first."""
    seen, counts = view.scene.observed, view.counts
    claims = inference.claims | inference.bands
    shown = []
    for peak, line in _strongest_lines(view.scene, claim).items():
        height = seen.height[peak]
        sharing = tuple(n for n, other in claims.items() if n != name and other.light[peak] > SHARED_SHARE * height)
        table = line_strengths().table
        shown.append(
            LineEvidence(
                wavelength_nm=round(float(table.wl_air_nm[line]), 4),
                ionization=int(table.stage[line]),
                peak_nm=round(float(view.device_nm[peak]), 4),
                expected=_rounded(claim.light[peak] * counts),
                seen=_rounded(height * counts),
                seen_sigma=_rounded(seen.height_sigma[peak] * counts),
                shared_with=sharing,
            )
        )
    return tuple(sorted(shown, key=lambda e: (-e.expected, e.wavelength_nm)))


def _strongest_lines(scene: Scene, claim: Claim) -> dict[int, int]:
    """Peak -> the claim's strongest line in it, where the claim has a share in the peak."""
    seen, strengths = scene.observed, line_strengths()
    peak, line = peak_lines(seen.center_nm, REACH * scene.tolerance_nm, strengths.table.wl_air_nm)
    z = (strengths.table.wl_air_nm[line] - seen.center_nm[peak]) / scene.tolerance_nm[peak]
    light = _line_heights(claim, line) * np.exp(-0.5 * z * z)
    bright = (claim.light > LEAST_SHARE * seen.height)[peak] & (light > 0.0)
    order = np.lexsort((-light[bright], peak[bright]))
    strongest: dict[int, int] = {}
    for number, its in zip(peak[bright][order].tolist(), line[bright][order].tolist(), strict=True):
        strongest.setdefault(number, its)
    return strongest


def _line_heights(claim: Claim, line: np.ndarray) -> FloatArray:
    """Height that the claim lets expect of each of these lines."""
    strengths = line_strengths()
    height = np.zeros(len(line))
    for species, fit in claim.fits.items():
        mine = strengths.species[line] == species
        height[mine] = fit.amount * strengths.relative[fit.excitation, line[mine]]
    return height


def _missing_lines(view: _View, claim: Claim) -> Iterator[LineEvidence]:
    """Lines that should stand out where no peak is, and do not; the most missed first."""
    seen, table = view.scene.observed, line_strengths().table
    line = np.flatnonzero(np.isin(line_strengths().species, list(claim.fits)))
    line = line[lonely(seen, table.wl_air_nm[line])]
    expected = _line_heights(claim, line)
    pixel = np.rint(np.interp(table.wl_air_nm[line], seen.true_nm, np.arange(len(seen.net)))).astype(np.int64)
    height, sigma = np.maximum(seen.net[pixel], 0.0), seen.sigma[pixel]
    absent = (expected > MISSING_SIGMAS * sigma) & (expected > MISSING_FACTOR * height)
    told: list[float] = []
    for number in np.flatnonzero(absent)[np.argsort(-expected[absent], kind="stable")].tolist():
        nm = float(table.wl_air_nm[line[number]])
        if len(told) < SHOWN_MISSING and all(abs(nm - other) > seen.fwhm_nm for other in told):
            told.append(nm)
            yield LineEvidence(
                wavelength_nm=round(nm, 4),
                ionization=int(table.stage[line[number]]),
                peak_nm=None,
                expected=_rounded(float(expected[number]) * view.counts),
                seen=_rounded(float(height[number]) * view.counts),
                seen_sigma=_rounded(float(sigma[number]) * view.counts),
            )


def _sentence(name: str, lines: tuple[LineEvidence, ...], missing: tuple[LineEvidence, ...]) -> str:
    if not lines:
        return f"{name}: no line seen"
    told = f"{name}: {_told(lines)}"
    if missing:
        told += f"; missing: {_list(missing[:3])} nm"
    return told


def _told(lines: tuple[LineEvidence, ...]) -> str:
    if len(lines) == 1:
        return f"{lines[0].wavelength_nm:.2f} nm alone"
    if len(lines) == 2:
        first, second = sorted(lines, key=lambda line: line.wavelength_nm)
        expected = first.expected / max(second.expected, 1e-300)
        return (
            f"{_list((first, second))} nm seen in the ratio {first.seen / max(second.seen, 1e-300):.2g}, "
            f"expected {expected:.2g} +- {RATIO_SPREAD * expected:.1g}"
        )
    agree = sum(max(e.seen, e.expected) <= AGREES_FACTOR * min(e.seen, e.expected) for e in lines)
    return (
        f"{len(lines)} lines seen, the brightest at {_list(lines[:3])} nm; {agree} within a factor of two "
        "of what they let expect together"
    )


def _list(lines: tuple[LineEvidence, ...]) -> str:
    names = [f"{line.wavelength_nm:.2f}" for line in lines]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _why_not(margin: float, rivals: tuple[str, ...]) -> str:
    if rivals:
        return f"; not claimed: {' or '.join(rivals)} would explain it as well"
    if margin >= 0.0:
        return "; not claimed: it gains enough only since others, who took its light, were given up"
    return f"; not claimed: {-margin:.1f} nats short of what an element must gain"


def _rounded(counts: float) -> float:
    return float(f"{counts:.6g}")
