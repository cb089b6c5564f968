"""Spectra that are none: every shape of nonsense, seeded, as keyword arguments of ``oesd.analyze``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import Analysis

Array = NDArray[np.float64]
Shape = Callable[[np.random.Generator, int], Array]


def _constant(rng: np.random.Generator, pixels: int) -> Array:
    return np.full(pixels, rng.choice([0.0, 1.0, -1.0, 500.0, 65535.0, 1e-12, 1e12]))


def _noise(rng: np.random.Generator, pixels: int) -> Array:
    return rng.normal(500.0, 10.0 ** rng.uniform(-3, 4), pixels)


def _heavy(rng: np.random.Generator, pixels: int) -> Array:
    return np.asarray(1e3 * rng.standard_cauchy(pixels))


def _counts(rng: np.random.Generator, pixels: int) -> Array:
    return rng.poisson(10.0 ** rng.uniform(-2, 4), pixels).astype(np.float64)


def _spikes(rng: np.random.Generator, pixels: int) -> Array:
    light = np.full(pixels, 100.0)
    light[rng.integers(0, pixels, int(rng.integers(1, 20)))] += 10.0 ** rng.uniform(0, 5)
    return light


def _steps(rng: np.random.Generator, pixels: int) -> Array:
    return np.asarray(np.cumsum(rng.normal(0.0, 1e3, pixels) * (rng.random(pixels) < 0.03)))


def _walk(rng: np.random.Generator, pixels: int) -> Array:
    return np.asarray(np.cumsum(rng.normal(0.0, 30.0, pixels)))


def _comb(rng: np.random.Generator, pixels: int) -> Array:
    period = int(rng.integers(2, 12))
    return np.where(np.arange(pixels) % period == 0, 10.0 ** rng.uniform(1, 4.8), 0.0)


def _waves(rng: np.random.Generator, pixels: int) -> Array:
    return np.asarray(1e4 * (1.0 + np.sin(np.arange(pixels) * rng.uniform(0.01, 3.1))))


def _lines(rng: np.random.Generator, pixels: int) -> Array:
    px, light = np.arange(pixels), rng.normal(500.0, rng.uniform(0.0, 30.0), pixels)
    for _ in range(int(rng.integers(0, 60))):
        place, width = rng.uniform(-5, pixels + 5), rng.uniform(0.3, 8.0)
        light += rng.uniform(-1e4, 6e4) * np.exp(-0.5 * ((px - place) / width) ** 2)
    return np.asarray(light)


def _clipped(rng: np.random.Generator, pixels: int) -> Array:
    return np.asarray(np.clip(_lines(rng, pixels), 0.0, rng.uniform(500.0, 2e4)))


def _negative(rng: np.random.Generator, pixels: int) -> Array:
    return -_lines(rng, pixels)


def _scaled(rng: np.random.Generator, pixels: int) -> Array:
    return np.asarray(_lines(rng, pixels) * 10.0 ** rng.uniform(-300, 295))


def _wide(rng: np.random.Generator, pixels: int) -> Array:
    return rng.choice([-1.0, 1.0], pixels) * 10.0 ** rng.uniform(-12, 12, pixels)


def _two_values(rng: np.random.Generator, pixels: int) -> Array:
    return np.where(rng.random(pixels) < rng.uniform(0.01, 0.99), 0.0, 65535.0)


SHAPES: tuple[Shape, ...] = (_constant, _noise, _heavy, _counts, _spikes, _steps, _walk, _comb, _waves, _lines)
SHAPES += (_clipped, _negative, _scaled, _wide, _two_values)


def axis(rng: np.random.Generator) -> Array:
    """Axes short and long, even and not, in and far out of the table."""
    pixels = int(rng.choice([2, 5, 9, 12, 33, 64, 200, 300, 500, 700]))
    kind = rng.integers(5)
    if kind == 0:
        return np.asarray(np.sort(rng.uniform(150.0, 1200.0, pixels)) + 1e-6 * np.arange(pixels))
    if kind == 1:
        return np.asarray(np.cumsum(10.0 ** rng.uniform(-3, 1, pixels)) + 200.0)
    if kind == 2:
        return np.geomspace(1e-3, 1e7, pixels)
    first = rng.uniform(150.0, 900.0)
    return np.linspace(first, first + pixels * 10.0 ** rng.uniform(-3, 0.3), pixels)


def nonsense(seed: int, number: int) -> dict[str, Any]:
    """Arguments for ``oesd.analyze``, the same for the same numbers."""
    rng = np.random.default_rng([seed, number])
    wavelengths = axis(rng)
    pixels = len(wavelengths)
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    return {
        "wavelengths_nm": wavelengths,
        "sample": shape(rng, pixels),
        "dark": SHAPES[int(rng.integers(len(SHAPES)))](rng, pixels) if rng.random() < 0.4 else None,
        "saturation_counts": float(10.0 ** rng.uniform(0, 5)) if rng.random() < 0.4 else None,
        "nonlinearity": tuple(rng.normal(0.0, 10.0 ** -(3.0 * np.arange(4)))) if rng.random() < 0.2 else None,
        "fwhm_nm": float(10.0 ** rng.uniform(-3, 2)) if rng.random() < 0.4 else None,
        "scans_averaged": int(rng.choice([1, 7])),
        "search_nm": 2.0 if rng.random() < 0.05 else None,
        "explain": bool(rng.random() < 0.2),
    }


def numbers_of(result: Analysis) -> Array:
    """Every number that an analysis says, in one array."""
    said: list[Any] = [result.scope_corrected]
    said += [a for a in (result.baseline, result.noise) if a is not None]
    for p in result.detected_peaks:
        said.append([p.wavelength_nm, p.wavelength_sigma_nm, p.center_px, p.fwhm_nm, p.snr, p.intensity, p.area])
        said.append([p.probability, *(c.probability for c in p.candidates)])
    said.append([e.probability for e in (*result.elements, *result.molecules)])
    if result.axis is not None:
        said.append([result.axis.shift_nm, result.axis.stretch, result.axis.pivot_nm, result.axis.sigma_nm])
    for why in result.evidence:
        said.append([why.probability, why.margin_nats])
        said.append([x for line in (*why.lines, *why.missing) for x in (line.expected, line.seen, line.seen_sigma)])
    return np.concatenate([np.asarray(one, dtype=np.float64).ravel() for one in said])
