"""What a plasma radiates: Saha and Boltzmann, escape through a slab, a cold boundary, departures from equilibrium.

A zone in local equilibrium is a slab of temperature T. The light of a line of depth tau is B(T) (1 - exp(-tau)),
Kirchhoff's law, so thin lines are those of Boltzmann and thick ones saturate at Planck's curve. A colder layer before
it takes light out of the middle of the lines (self-reversal).
Photons, not energy: detectors count them. Scales are relative throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tests.support.plasma.laboratory import Lines

Array = NDArray[np.float64]
HC_EV_NM = 1239.841984
ELECTRON_VOLT_K = 11604.518
# 2 (2 pi m k / h^2)^1.5 in 1/cm^3 at 1 eV
SAHA_CM3 = 6.037e21


@dataclass(frozen=True, slots=True)
class Zone:
    """One slab: temperature, electrons, depth of its thickest line, width of lines, a colder layer before it."""

    kt_ev: float
    electrons_cm3: float = 1e16
    thickest: float = 0.0
    stark_nm: float = 0.0
    cold_kt_ev: float = 0.0
    cold_share: float = 0.0
    departure_dex: float = 0.0


@dataclass(frozen=True, slots=True)
class Emission:
    """Light of one species, line by line: photons when thin, depth at the middle, Lorentz half widths in nm."""

    element: str
    stage: int
    nm: Array
    photons: Array
    depth: Array
    cold_depth: Array
    half_width_nm: Array


def ion_over_neutral(neutral: Lines, ion: Lines | None, zone: Zone) -> float:
    """Saha's n(ion)/n(neutral), ionization lowered by the plasma (Debye)."""
    lowering_ev = 2.1e-10 * np.sqrt(zone.electrons_cm3 / zone.kt_ev) * 10.0
    barrier_ev = max(neutral.ionization_ev - float(lowering_ev), 1.0)
    ratio = partition(ion, zone.kt_ev) / partition(neutral, zone.kt_ev)
    return float(SAHA_CM3 * zone.kt_ev**1.5 / zone.electrons_cm3 * ratio * np.exp(-barrier_ev / zone.kt_ev))


def partition(lines: Lines | None, kt_ev: float) -> float:
    """Partition function over the levels that the lines show: rough, as their weights below are a mean."""
    if lines is None:
        return 2.0
    upper_ev, first = np.unique(lines.upper_ev, return_index=True)
    lower_ev = np.unique(lines.lower_ev)
    upper = (lines.upper_weight[first] * np.exp(-upper_ev / kt_ev)).sum()
    return 1.0 + float(upper) + 3.0 * float(np.exp(-lower_ev / kt_ev).sum())


def amounts(neutral: Lines, ion: Lines | None, zone: Zone) -> tuple[float, float]:
    """Shares of an element's atoms that are neutral and singly charged."""
    ratio = ion_over_neutral(neutral, ion, zone)
    return 1.0 / (1.0 + ratio), ratio / (1.0 + ratio)


def emission(lines: Lines, amount: float, zone: Zone, rng: np.random.Generator) -> Emission:
    """Light of one species in a zone, thin, with the depths on the scale where photons = B * depth * width."""
    kt = zone.kt_ev
    population = amount / partition(lines, kt) * _departures(lines, zone.departure_dex, rng)
    photons = population * lines.ga_s1 * np.exp(-lines.upper_ev / kt)
    width = zone.stark_nm * (lines.nm / 500.0) ** 2 * np.exp(0.5 * rng.standard_normal(len(lines)))
    width = np.maximum(width, 2e-6 * lines.nm)
    # B in photons: nm^-4 / (exp - 1), on an arbitrary scale that `thickest` fixes
    depth = photons / (planck_photons(lines.nm, kt) * width)
    return Emission(lines.element, lines.stage, lines.nm, photons, depth, _cold(lines, zone, width), width)


def _departures(lines: Lines, dex: float, rng: np.random.Generator) -> Array:
    """Overpopulation of each upper level: lines of one level depart together."""
    levels = int(lines.upper.max()) + 1
    return np.asarray(10.0 ** (dex * rng.standard_normal(levels))[lines.upper])


def _cold(lines: Lines, zone: Zone, width: Array) -> Array:
    """Depth of the boundary layer on the same scale; neutral atoms, for it is too cold for ions."""
    if zone.cold_share == 0.0 or lines.stage != 1:
        return np.zeros(len(lines))
    kt = zone.cold_kt_ev
    photons = zone.cold_share / partition(lines, kt) * lines.ga_s1 * np.exp(-lines.upper_ev / kt)
    return np.asarray(photons / (planck_photons(lines.nm, kt) * width * COLD_WIDTH))


COLD_WIDTH = 0.4


def planck_photons(nm: Array, kt_ev: float) -> Array:
    """Planck's curve in photons per wavelength, relative."""
    return np.asarray((500.0 / nm) ** 4 / np.expm1(np.minimum(HC_EV_NM / (nm * kt_ev), 600.0)))


def thickened(all_light: list[Emission], zone: Zone, first_nm: float, last_nm: float) -> list[Emission]:
    """Depths scaled so that the deepest line within the range has the zone's depth; photons stay as they are."""
    seen = [e.depth[(e.nm > first_nm) & (e.nm < last_nm)] for e in all_light]
    deepest = max((float(d.max()) for d in seen if len(d)), default=0.0)
    scale = zone.thickest / deepest if deepest > 0.0 else 0.0
    return [
        Emission(e.element, e.stage, e.nm, e.photons, scale * e.depth, scale * e.cold_depth, e.half_width_nm)
        for e in all_light
    ]


# Half widths from the middle at which a profile is sampled: dense within, out to 120 where a thick line ends
OFFSETS = np.sinh(np.linspace(-5.5, 5.5, 141))
STEPS = np.gradient(OFFSETS)


def profiles(light: Emission, kt_ev: float, cold_kt_ev: float) -> tuple[Array, Array]:
    """Wavelengths and photons of thick lines, sampled over their profiles: both of shape (lines, samples).

    Lorentz profiles; what leaves is [B (1 - exp(-tau))] exp(-tau cold) + B cold (1 - exp(-tau cold)).
    """
    shape = 1.0 / (1.0 + OFFSETS**2)
    depth = light.depth[:, None] * shape
    cold = light.cold_depth[:, None] / (1.0 + (OFFSETS / COLD_WIDTH) ** 2)
    # thin: the integral over the profile must be the thin photons
    source = (light.photons / np.maximum(light.depth, 1e-300))[:, None] / (shape * STEPS).sum()
    leaves = -source * np.expm1(-depth) * np.exp(-cold)
    if cold_kt_ev > 0.0:
        ratio = planck_photons(light.nm, cold_kt_ev) / planck_photons(light.nm, kt_ev)
        leaves -= source * ratio[:, None] * np.expm1(-cold)
    return light.nm[:, None] + light.half_width_nm[:, None] * OFFSETS, leaves * STEPS
