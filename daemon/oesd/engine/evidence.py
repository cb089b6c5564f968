"""How well a species' pattern fits what others have left: the log-likelihood gain of adding it.

At each site with observed height h (error e) and expected light m, both lifted by c = ``FLOOR_SIGMAS`` e, the
logarithmic misfit u = ln((h + c e) / (m + c e)) is compared with its spread v: line strengths, response and
self-absorption are known to ``STRENGTH_SPREAD`` in ln, and e/(h + c e) is noise. The loss k ln(1 + u^2 / (2 v k)) is
Student-like: quadratic near zero, logarithmic far out, so that neither one missing line nor one strong coincidence
decides. u > 0 is light nobody explains, u < 0 light that should be there and is not; a saturated peak cannot be too
low.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.scene import Scene
from oesd.engine.strengths import EXCITATIONS, LAMP
from oesd.model import FloatArray

STRENGTH_SPREAD = 0.5
FLOOR_SIGMAS = 2.0
UNEXPLAINED_SCALE = 3.0
MISSING_SCALE = 4.0
SOFT_ABSENCE = 0.6  # weight of an absent line known by intensity only
LAMP_ABSENCE = 0.7  # weight of absent lines when only lamp intensities speak
FAINT_SHARE = (
    0.005  # the absence of a line this faint beside the strongest says half as much: strengths are not known so far
)
MAX_ABSENCES = 300
AMOUNTS = 9


@dataclass(frozen=True, slots=True)
class Fit:
    """Best amount and excitation of one species, and what they gain (nats); no light, no gain: ``NO_FIT``."""

    gain: float
    amount: float
    excitation: int


NO_FIT = Fit(0.0, 0.0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """The sites of one species: its peaks first, its absences after; site arrays (sites,).

    ``expected`` is (EXCITATIONS, sites); ``missing`` the weight of too little light, (EXCITATIONS, sites).
    """

    peaks: np.ndarray[tuple[int], np.dtype[np.int64]]
    expected: FloatArray
    floor: FloatArray
    log_height: FloatArray
    variance: FloatArray
    unexplained: FloatArray
    missing: FloatArray
    amounts: FloatArray


def sites_of(scene: Scene, species: int) -> Sites | None:
    """Sites of a species, made once per scene; None when it has no line in any peak."""
    if species not in scene.cache:
        scene.cache[species] = _build_sites(scene, species)
    found = scene.cache[species]
    return found if isinstance(found, Sites) else None


def _build_sites(scene: Scene, species: int) -> Sites | None:
    into = scene.into_peaks[:, species]
    top = into.max(axis=0, initial=0.0)
    if not top.any():
        return None
    peaks = np.flatnonzero(top > 2e-3 * top.max())
    chosen = _strongest_absences(scene, species)
    seen = scene.observed
    height = np.concatenate([seen.height[peaks], scene.absent_upper[chosen]])
    error = np.concatenate([seen.height_sigma[peaks], scene.absent_noise[chosen]])
    expected = np.concatenate([into[:, peaks], scene.absent[:, chosen]], axis=1)
    floor = FLOOR_SIGMAS * error
    absence = (1.0 - scene.absent_soft[chosen]) + SOFT_ABSENCE * scene.absent_soft[chosen]
    missing = np.empty((EXCITATIONS, len(height)))
    missing[:, : len(peaks)] = np.where(seen.saturated[peaks], 1e-9, MISSING_SCALE)
    share = expected[:, len(peaks) :] / np.maximum(expected.max(axis=1, keepdims=True), 1e-12)
    missing[:, len(peaks) :] = MISSING_SCALE * absence * share / (share + FAINT_SHARE) + 1e-9
    missing[LAMP, len(peaks) :] *= LAMP_ABSENCE
    unexplained = np.full(len(height), 1e-9)
    unexplained[: len(peaks)] = UNEXPLAINED_SCALE * scene.surprise[peaks]
    return Sites(
        peaks=peaks,
        expected=expected,
        floor=floor,
        log_height=np.log(height + floor),
        variance=STRENGTH_SPREAD**2 + (error / (height + floor)) ** 2,
        unexplained=unexplained,
        missing=missing,
        amounts=_amounts(expected, height, error, len(peaks)),
    )


def _strongest_absences(scene: Scene, species: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    chosen = np.arange(scene.first[species], scene.first[species + 1])
    if len(chosen) <= MAX_ABSENCES:
        return chosen
    return chosen[np.argsort(-scene.absent[:, chosen].max(axis=0), kind="stable")[:MAX_ABSENCES]]


def _amounts(expected: FloatArray, height: FloatArray, error: FloatArray, peaks: int) -> FloatArray:
    """Amounts to try, from "hidden in the noise" to "alone makes the strongest peak": (EXCITATIONS, AMOUNTS)."""
    light = np.maximum(expected[:, :peaks], 1e-9)
    strong = light >= 0.03 * light.max(axis=1, keepdims=True)
    ratio = height[:peaks] / light
    high = np.log(2.0 * np.where(strong, ratio, 0.0).max(axis=1))
    hidden = 0.7 * error.min() / np.maximum(expected.max(axis=1), 1e-9)
    low = np.log(np.maximum(hidden, 0.1 * np.where(strong, ratio, np.inf).min(axis=1)))
    steps = np.linspace(0.0, 1.0, AMOUNTS)
    low = np.minimum(low, high - 1.0)
    amounts: FloatArray = np.exp(low[:, None] + (high - low)[:, None] * steps)
    return amounts


def best_fit(scene: Scene, species: int, others: FloatArray) -> Fit:
    """Best amount and excitation of a species beside the light of ``others`` (peaks,)."""
    sites = sites_of(scene, species)
    if sites is None:
        return NO_FIT
    background = np.zeros(len(sites.floor))
    background[: len(sites.peaks)] = others[sites.peaks]
    background += sites.floor
    before = float(_loss(sites, np.log(background)[None, None], sites.missing[:1, None])[0, 0])
    gain = before - _losses(sites, background, sites.amounts, slice(None))
    row, column = np.unravel_index(int(np.argmax(gain)), gain.shape)
    best = Fit(float(gain[row, column]), float(sites.amounts[row, column]), int(row))
    step = np.log(sites.amounts[row, 1] / sites.amounts[row, 0])
    finer = sites.amounts[row, column] * np.exp(step * np.array([[-0.5, -0.25, 0.25, 0.5]]))
    around = before - _losses(sites, background, finer, slice(row, row + 1))[0]
    better = int(np.argmax(around))
    if around[better] > best.gain:
        best = Fit(float(around[better]), float(finer[0, better]), int(row))
    return best if best.gain > 0.0 else NO_FIT


def _losses(sites: Sites, background: FloatArray, amounts: FloatArray, rows: slice) -> FloatArray:
    light = background + amounts[:, :, None] * sites.expected[rows, None, :]
    return _loss(sites, np.log(light), sites.missing[rows, None])


def _loss(sites: Sites, log_light: FloatArray, missing: FloatArray) -> FloatArray:
    misfit = sites.log_height - log_light
    scale = np.where(misfit > 0.0, sites.unexplained, missing)
    misfit *= misfit
    misfit /= 2.0 * sites.variance * scale
    misfit += 1.0
    scale *= np.log(misfit)
    total: FloatArray = scale.sum(axis=2)
    return total
