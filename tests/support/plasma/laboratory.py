"""Atomic lines as another laboratory would have measured them: NIST's, made worse, seeded.

``data/lines.npz`` (see deep_lines.py) is deep and none of the engine's. What a case's plasma radiates with is not what
the engine knows either: strengths scatter with heavy tails, wavelengths jitter, lines are missing, lines without a
transition probability have one, and lines that no table lists stand among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TABLE = Path(__file__).parent / "data" / "lines.npz"
UNKNOWN_AT_MOST = 0.1  # of the species' strongest light: a line whose transition probability nobody published


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one species; ``ga_s1`` is gk * Aki, 1/s; ``upper`` numbers the upper level of each line."""

    element: str
    stage: int
    nm: Array
    ga_s1: Array
    upper_ev: Array
    lower_ev: Array
    upper_weight: Array
    intensity: Array
    upper: NDArray[np.intp]
    measured: NDArray[np.bool_]
    ionization_ev: float

    def __len__(self) -> int:
        return len(self.nm)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """How far this laboratory's lines are from the table's; ``unmeasured``: with lines that have no Aki."""

    scatter_dex: float = 0.08
    heavy_tails: bool = False
    jitter_nm: float = 0.0
    missing: float = 0.0
    unlisted: float = 0.0
    unmeasured: bool = True


PERFECT = Knowledge(scatter_dex=0.0)
THIN, THIN_LAMP = Knowledge(unmeasured=False), Knowledge()
OTHER = Knowledge(scatter_dex=0.2, heavy_tails=True, jitter_nm=0.006, missing=0.12, unlisted=0.25)


@cache
def table() -> dict[str, NDArray[np.generic]]:
    """The arrays of the line table, by name."""
    with np.load(TABLE, allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files}


@cache
def symbols() -> tuple[str, ...]:
    """All elements of the table."""
    return tuple(str(x) for x in table()["elements"])


def species(element: str, stage: int, knowledge: Knowledge, rng: np.random.Generator) -> Lines | None:
    """Lines of a species as this laboratory has them; None where nothing can be radiated with."""
    listed = _listed(element, stage)
    if listed is None:
        return None
    kept = rng.random(len(listed)) >= knowledge.missing
    if not knowledge.unmeasured:
        kept &= listed.measured
    if not kept.any():
        return None
    lines = _taken(listed, kept)
    deviate = rng.standard_t(3.0, len(lines)) / 1.3 if knowledge.heavy_tails else rng.standard_normal(len(lines))
    deviate = np.clip(deviate, -4.0, 4.0)
    nm = lines.nm + knowledge.jitter_nm * rng.standard_normal(len(lines))
    scattered = _with(lines, nm=nm, ga_s1=lines.ga_s1 * 10.0 ** (knowledge.scatter_dex * deviate))
    return _with_unlisted(scattered, knowledge.unlisted, rng)


@cache
def _listed(element: str, stage: int) -> Lines | None:
    arrays, index = table(), symbols().index(element)
    mine = (arrays["element"] == index) & (arrays["stage"] == stage)
    names = ("air_nm_e4", "log_ga", "weight", "upper_mev", "lower_mev", "log_intensity")
    nm, log_ga, weight, upper_ev, lower_ev, log_intensity = (arrays[n][mine].astype(np.float64) for n in names)
    nm, upper_ev, lower_ev = nm / 1e4, upper_ev / 1e3, lower_ev / 1e3
    ga_s1, intensity = 10.0**log_ga, 10.0**log_intensity
    measured = np.isfinite(ga_s1)
    ga_s1 = np.where(measured, ga_s1, _strength_from_intensity(nm, upper_ev, intensity, ga_s1))
    known = np.isfinite(ga_s1) & (ga_s1 > 0.0)
    if not known.any():
        return None
    upper = np.unique(upper_ev[known], return_inverse=True)[1].astype(np.intp)
    return Lines(
        element,
        stage,
        nm[known],
        ga_s1[known],
        upper_ev[known],
        lower_ev[known],
        np.maximum(weight, 1.0)[known],
        np.nan_to_num(intensity)[known],
        upper,
        measured[known],
        float(np.asarray(arrays["ionization_ev"], dtype=np.float64)[index][stage - 1]),
    )


def _strength_from_intensity(nm: Array, upper_ev: Array, intensity: Array, ga_s1: Array, kt_ev: float = 0.6) -> Array:
    """What gk * Aki would be where only an intensity is known, were the source of the intensities at 7000 K."""
    both = np.isfinite(ga_s1) & np.isfinite(intensity) & np.isfinite(upper_ev) & (intensity > 0.0) & (ga_s1 > 0.0)
    implied = np.where(intensity > 0.0, intensity, np.nan) * nm * np.exp(np.minimum(upper_ev, 25.0) / kt_ev)
    if both.sum() < 3:  # nothing but intensities is known: they are all there is, on a scale of their own
        return implied if not both.any() else np.full(len(nm), np.nan)
    scale = float(np.median(np.log(ga_s1[both] / implied[both])))
    # intensities of different wavelengths are on different scales: no such line may be a species' strongest
    light = np.where(both, ga_s1 * np.exp(-np.minimum(upper_ev, 25.0) / 0.8), 0.0)
    most = UNKNOWN_AT_MOST * light.max() * np.exp(np.minimum(upper_ev, 25.0) / 0.8)
    return np.asarray(np.minimum(implied * np.exp(scale), most))


def _with_unlisted(lines: Lines, share: float, rng: np.random.Generator) -> Lines:
    """The lines, and some more: between levels that exist, at places that nobody lists, faint as such lines are."""
    count = int(share * len(lines))
    if count == 0:
        return lines
    pattern = rng.integers(0, len(lines), count)
    nm = lines.nm[pattern] + rng.normal(0.0, 8.0, count)
    faint = 10.0 ** rng.uniform(-2.5, -0.7, count)
    more = _taken(lines, pattern)
    more = _with(more, nm=nm, ga_s1=more.ga_s1 * faint)
    return _with(lines, **{name: np.concatenate([getattr(lines, name), getattr(more, name)]) for name in PER_LINE})


PER_LINE = ("nm", "ga_s1", "upper_ev", "lower_ev", "upper_weight", "intensity", "upper", "measured")


def _taken(lines: Lines, chosen: NDArray[np.bool_] | NDArray[np.intp] | NDArray[np.int64]) -> Lines:
    return _with(lines, **{name: getattr(lines, name)[chosen] for name in PER_LINE})


def _with(lines: Lines, **changed: NDArray[np.generic]) -> Lines:
    values = {name: getattr(lines, name) for name in Lines.__dataclass_fields__}
    return Lines(**(values | changed))
