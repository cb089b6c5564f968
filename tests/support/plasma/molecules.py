"""Molecular bands from the constants of their electronic states (Huber and Herzberg 1979, rounded).

A diatomic's levels are T + G(v) + F(J), G = w(v+1/2) - wx(v+1/2)^2, F = B_v J(J+1) - D J^2(J+1)^2, B_v = B - a(v+1/2).
Lines of P and R branches, and Q where the orbital momentum changes; strengths J-wise after Hoenl and London with the
spin left out. Franck-Condon factors by overlap of harmonic wave functions. It shares nothing with the engine's bands;
the constants are good for some 0.1 nm, 0.5 nm where high levels or spin matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
KELVIN_CM1 = 0.6950348


@dataclass(frozen=True, slots=True)
class State:
    """Electronic state: term, vibration, anharmonicity, rotation, coupling, all in 1/cm."""

    term: float
    vibration: float
    anharmonic: float
    rotation: float
    coupling: float


@dataclass(frozen=True, slots=True)
class System:
    """Transition between two states; ``q_branch`` where the orbital momentum along the axis changes."""

    molecule: str
    upper: State
    lower: State
    reduced_mass_u: float
    q_branch: bool


def _system(name: str, mass_u: float, q_branch: bool, upper: tuple[float, ...], lower: tuple[float, ...]) -> System:
    return System(name, State(*upper), State(*lower), mass_u, q_branch)


_N2_B = State(59619.4, 1733.39, 14.122, 1.63745, 0.01791)
_N2_C = State(89136.9, 2047.18, 28.445, 1.82473, 0.01868)
SYSTEMS = {
    "N2 second positive": System("N2", _N2_C, _N2_B, 7.0015, False),
    "N2 first positive": System("N2", _N2_B, State(50203.6, 1460.64, 13.87, 1.4546, 0.0180), 7.0015, True),
    "N2+ first negative": _system(
        "N2+", 7.0014, False, (25461.5, 2419.84, 23.19, 2.07456, 0.024), (0.0, 2207.0, 16.1, 1.93176, 0.01881)
    ),
    "OH": _system("OH", 0.9481, True, (32684.1, 3178.86, 92.92, 17.358, 0.786), (0.0, 3737.76, 84.88, 18.911, 0.724)),
    "NH": _system("NH", 0.9402, True, (29807.4, 3231.2, 98.6, 16.6745, 0.745), (0.0, 3282.27, 78.35, 16.6993, 0.649)),
    "CN": _system("CN", 6.4622, False, (25752.0, 2163.9, 20.2, 1.973, 0.023), (0.0, 2068.59, 13.087, 1.8997, 0.01736)),
    "C2": _system("C2", 6.0, False, (20022.5, 1788.22, 16.44, 1.7527, 0.0161), (716.2, 1641.35, 11.67, 1.6324, 0.0166)),
    "CO": _system("CO", 6.8562, True, (86945.2, 2112.7, 15.22, 1.9612, 0.026), (65075.8, 1518.2, 19.4, 1.6115, 0.0233)),
    "NO": _system(
        "NO", 7.4664, True, (43965.7, 2374.31, 16.106, 1.9965, 0.019), (60.0, 1904.2, 14.075, 1.7049, 0.0178)
    ),
    "AlO": _system("AlO", 10.0418, False, (20688.9, 870.05, 3.52, 0.60408, 0.0045), (0, 979.23, 6.97, 0.64136, 0.0058)),
    "CH": _system("CH", 0.9297, True, (23189.8, 2930.7, 96.65, 14.934, 0.697), (0.0, 2858.5, 63.02, 14.457, 0.534)),
}


# Upper levels that shine; above them the molecule falls apart before it does (predissociation)
BOUND = {"OH": 2, "NH": 2, "CH": 2, "CO": 2, "NO": 4, "N2 first positive": 12}

# The transition moment of hydrides falls with the distance of the nuclei: bands to higher lower levels are fainter by
# so much each than overlap has it (OH 0-1: 0.6 % of 0-0, Luque and Crosley 1998)
LONGER = {"OH": 0.08, "NH": 0.1, "CH": 0.1}


def band_light(name: str, rotational_k: float, vibrational_k: float) -> tuple[Array, Array]:
    """Air wavelengths in nm and relative photons of every rotational line of a system."""
    system, levels = SYSTEMS[name], BOUND.get(name, 5)
    pairs = [(v, w) for v in range(levels) for w in range(levels + 4)]
    wanted = [_band(system, v, w, rotational_k, vibrational_k) for v, w in pairs]
    nm, photons = (np.concatenate(parts) for parts in zip(*wanted, strict=True))
    return nm, photons / photons.sum()


def _band(system: System, v: int, w: int, rotational_k: float, vibrational_k: float) -> tuple[Array, Array]:
    upper, lower = system.upper, system.lower
    origin = upper.term - lower.term + _vibration(upper, v) - _vibration(lower, w)
    j = np.arange(0.0, 90.0)
    branches = [(1.0, j), (-1.0, j + 1.0)] + ([(0.0, 2.0 * j + 1.0)] if system.q_branch else [])
    energy = _rotation(upper, v, j)
    bound = np.arange(len(j)) <= min(int(np.argmax(energy)), int(np.argmax(_rotation(lower, w, j))) - 1)
    warm = np.where(bound, np.exp(-energy / (KELVIN_CM1 * rotational_k)), 0.0)
    hot = float(np.exp(-(_vibration(upper, v) - _vibration(upper, 0)) / (KELVIN_CM1 * vibrational_k)))
    per_cm, photons = [], []
    for change, strength in branches:
        below = j - change  # R: J'' = J' - 1, P: J'' = J' + 1
        ok = below >= 0.0
        per_cm.append((origin + _rotation(upper, v, j) - _rotation(lower, w, below))[ok])
        photons.append((strength * warm)[ok])
    wave = np.concatenate(per_cm)
    good = wave > 8000.0
    moment = LONGER[system.molecule] ** max(w - v, 0) if system.molecule in LONGER else 1.0
    light = hot * moment * franck_condon(system)[v, w] * np.concatenate(photons) * (np.abs(wave) / 3e4) ** 3
    return air_nm(1e7 / wave[good]), light[good]


def _vibration(state: State, v: int) -> float:
    return state.vibration * (v + 0.5) - state.anharmonic * (v + 0.5) ** 2


def _rotation(state: State, v: int, j: Array) -> Array:
    rotation = state.rotation - state.coupling * (v + 0.5)
    stretching = 4.0 * state.rotation**3 / state.vibration**2
    return np.asarray(np.maximum(rotation * j * (j + 1.0) - stretching * (j * (j + 1.0)) ** 2, 0.0))


@cache
def franck_condon(system: System, levels: int = 16) -> Array:
    """Squared overlaps of the vibrational wave functions, upper level by lower level."""
    lengths = np.array([4.10580 / np.sqrt(system.reduced_mass_u * s.rotation) for s in (system.upper, system.lower)])
    r = np.linspace(lengths.min() - 0.8, lengths.max() + 0.8, 1200)  # Angstrom
    upper, lower = (
        _harmonic(r - length, system.reduced_mass_u * state.vibration, levels)
        for length, state in zip(lengths, (system.upper, system.lower), strict=True)
    )
    return np.asarray((upper @ lower.T * (r[1] - r[0])) ** 2)


def _harmonic(x: Array, mass_times_vibration: float, levels: int) -> Array:
    """Wave functions of the oscillator; alpha^2 = 4 pi^2 c m w / h, which is 0.0296601 m w per square Angstrom."""
    alpha = np.sqrt(0.0296601 * mass_times_vibration)
    y = alpha * x
    waves = [np.sqrt(alpha) * np.pi**-0.25 * np.exp(-0.5 * y**2)]
    waves.append(np.sqrt(2.0) * y * waves[0])
    for n in range(1, levels - 1):
        waves.append(np.sqrt(2.0 / (n + 1)) * y * waves[n] - np.sqrt(n / (n + 1)) * waves[n - 1])
    return np.array(waves)


def air_nm(vacuum_nm: Array) -> Array:
    """Wavelength in air after Edlen (1966)."""
    sigma2 = (1e3 / vacuum_nm) ** 2
    index = 1.0 + 1e-8 * (8342.13 + 2406030.0 / (130.0 - sigma2) + 15997.0 / (38.9 - sigma2))
    return np.asarray(vacuum_nm / index)
