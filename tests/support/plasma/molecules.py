"""Molecular bands from the constants of their electronic states (Huber and Herzberg 1979, rounded).

A diatomic's levels are T + G(v) + F(J), G = w(v+1/2) - wx(v+1/2)^2, F = B_v J(J+1) - D J^2(J+1)^2, B_v = B - a(v+1/2).
Lines of P and R branches, and Q where the orbital momentum changes; strengths J-wise after Hoenl and London with the
spin left out. Franck-Condon factors by overlap of the wave functions in Morse potentials. It shares no code with the
engine's bands; the constants are good for some 0.1 nm, 0.5 nm where high levels or spin matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
KELVIN_CM1 = 0.6950348
HBAR2_2U = 16.857629  # hbar^2 / 2 of a mass of 1 u, in 1/cm Angstrom^2
POINTS = 900


@dataclass(frozen=True, slots=True)
class State:
    """Electronic state: term, vibration, anharmonicity, rotation, coupling, all in 1/cm.

    ``higher`` powers of v + 1/2 from the third on, and the offsets of the ``components`` that the spin makes of it.
    """

    term: float
    vibration: float
    anharmonic: float
    rotation: float
    coupling: float
    higher: tuple[float, ...] = ()
    components: tuple[float, ...] = (0.0,)


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


# B and A after Laher and Gilmore (1991), who fit levels far up; the distance of B's components so that the 24 heads of
# Pearse and Gaydon are met within 0.25 nm, most within 0.1
_N2_B = State(59619.4, 1734.38, 14.558, 1.63802, 0.0183, (1.397e-2, -1.127e-3))
_N2_A = State(50203.76, 1460.48, 13.775, 1.45499, 0.0184, (-1.175e-2, 1.41e-4, -7.29e-5))
_N2_C = State(89136.9, 2047.18, 28.445, 1.82473, 0.01868)
SYSTEMS = {
    "N2 second positive": System("N2", _N2_C, _N2_B, 7.0015, False),
    "N2 first positive": System("N2", replace(_N2_B, components=(-23.1, 19.1, 61.3)), _N2_A, 7.0015, True),
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

# That of others falls, too, by so many e-foldings an Angstrom (N2: which meets the transition probabilities that
# Vallance Jones tabulates, Aurora, 1974, within 8 %)
FALLS = {"N2 first positive": 2.0}


def band_light(name: str, rotational_k: float, vibrational_k: float) -> tuple[Array, Array]:
    """Air wavelengths in nm and relative photons of every rotational line of a system."""
    system, levels = SYSTEMS[name], BOUND.get(name, 5)
    overlap = franck_condon(system, FALLS.get(name, 0.0))
    pairs = [(v, w) for v in range(levels) for w in range(levels + 4)]
    wanted = [_band(system, v, w, float(overlap[v, w]), rotational_k, vibrational_k) for v, w in pairs]
    nm, photons = (np.concatenate(parts) for parts in zip(*wanted, strict=True))
    return nm, photons / photons.sum()


def _band(
    system: System, v: int, w: int, overlap: float, rotational_k: float, vibrational_k: float
) -> tuple[Array, Array]:
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
        line = (origin + _rotation(upper, v, j) - _rotation(lower, w, below))[ok]
        for component in upper.components:
            per_cm.append(line + component)
            photons.append((strength * warm)[ok])
    wave = np.concatenate(per_cm)
    good = wave > 8000.0
    moment = LONGER[system.molecule] ** max(w - v, 0) if system.molecule in LONGER else 1.0
    light = hot * moment * overlap * np.concatenate(photons) * (np.abs(wave) / 3e4) ** 3
    return air_nm(1e7 / wave[good]), light[good]


def _vibration(state: State, v: int) -> float:
    beyond = sum(c * (v + 0.5) ** power for power, c in enumerate(state.higher, 3))
    return state.vibration * (v + 0.5) - state.anharmonic * (v + 0.5) ** 2 + beyond


def _rotation(state: State, v: int, j: Array) -> Array:
    rotation = state.rotation - state.coupling * (v + 0.5)
    stretching = 4.0 * state.rotation**3 / state.vibration**2
    return np.asarray(np.maximum(rotation * j * (j + 1.0) - stretching * (j * (j + 1.0)) ** 2, 0.0))


@cache
def franck_condon(system: System, falls: float = 0.0, levels: int = 18) -> Array:
    """Squared overlaps of the vibrational wave functions, by the transition moment, upper level by lower level."""
    lengths = np.array([4.10580 / np.sqrt(system.reduced_mass_u * s.rotation) for s in (system.upper, system.lower)])
    r = np.linspace(0.6 * lengths.min(), lengths.max() + 1.2, POINTS)  # Angstrom
    upper, lower = (
        _waves(r, length, system.reduced_mass_u, state, levels)
        for length, state in zip(lengths, (system.upper, system.lower), strict=True)
    )
    return np.asarray((np.exp(-falls * (r - lengths.mean())) * upper @ lower.T) ** 2)


def _waves(r: Array, length: float, mass_u: float, state: State, levels: int) -> Array:
    """Lowest wave functions in a Morse potential, by finite differences: (levels, distances), each of sum of squares 1.

    The potential is D (1 - exp(-b x))^2 with D = w^2 / 4wx and b^2 = m wx / 16.8576, 1/cm, u and Angstrom.
    """
    deep = state.vibration**2 / (4.0 * state.anharmonic)
    wall = 1.0 - np.exp(-np.sqrt(mass_u * state.anharmonic / HBAR2_2U) * (r - length))
    kinetic = HBAR2_2U / mass_u / (r[1] - r[0]) ** 2
    neighbours = np.full(len(r) - 1, -kinetic)
    hamiltonian = np.diag(deep * wall**2 + 2.0 * kinetic) + np.diag(neighbours, 1) + np.diag(neighbours, -1)
    return np.asarray(np.linalg.eigh(hamiltonian)[1].T[:levels])


def air_nm(vacuum_nm: Array) -> Array:
    """Wavelength in air after Edlen (1966)."""
    sigma2 = (1e3 / vacuum_nm) ** 2
    index = 1.0 + 1e-8 * (8342.13 + 2406030.0 / (130.0 - sigma2) + 15997.0 / (38.9 - sigma2))
    return np.asarray(vacuum_nm / index)
