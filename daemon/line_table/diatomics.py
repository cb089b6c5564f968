"""Band systems of diatomic molecules, synthesised from their constants: wavenumbers and strengths of rotational lines.

Vibration: term values from we, wexe, weye; Franck-Condon factors from Morse potentials (Morse, Phys. Rev. 34, 57
(1929)) on a grid (Colbert and Miller, J. Chem. Phys. 96, 1982 (1992)). Rotation: P, Q and R branches with the
Hoenl-London factors of singlets (Herzberg, Spectra of Diatomic Molecules, 1950, p. 208), one such band for every
spin-orbit component. That gives a head, its shading and its envelope to some 0.1 nm, and no line position.

``python daemon/line_table/constants.py`` prints the heads beside those of Pearse and Gaydon.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

HBAR2_2U_A2_CM = 16.857629206  # hbar^2 / (2 u A^2), in 1/cm: for reduced masses in u and distances in A
LEVELS = 13  # of the upper state at most, and 8 more of the lower
EMITTING = 8
J_MAX = 160
GRID = 320
LIKE_HARMONIC = 300.0  # we / wexe where wexe is not known


@dataclass(frozen=True)
class State:
    """Constants of one electronic state, 1/cm; ``terms`` are the offsets of its spin-orbit components."""

    te: float
    we: float
    wexe: float
    be: float
    alpha: float
    big_lambda: int
    weye: float = 0.0
    de: float = 0.0
    terms: tuple[float, ...] = (0.0,)
    higher: tuple[float, ...] = ()  # of the vibration, from (v + 1/2)^4 on
    turning: tuple[float, ...] = ()  # of B, from (v + 1/2)^2 on

    def vibration(self, v: np.ndarray) -> np.ndarray:
        """G(v)."""
        x = v + 0.5
        beyond = sum(c * x**n for n, c in enumerate(self.higher, 4))
        return self.we * x - self.wexe * x**2 + self.weye * x**3 + beyond

    def last_j(self) -> int:
        """Where the centrifugal term, of which only the first is known, has grown to a fifth of the rotation."""
        d = self.de or 4.0 * self.be**3 / self.we**2
        return int(np.sqrt(0.2 * self.be / d))

    def rotation(self, v: int, j: np.ndarray) -> np.ndarray:
        """B (J(J+1) - Lambda^2) - D J^2(J+1)^2, D after Kratzer where it is not given."""
        b = self.be - self.alpha * (v + 0.5) + sum(c * (v + 0.5) ** n for n, c in enumerate(self.turning, 2))
        d = self.de or 4.0 * self.be**3 / self.we**2
        return b * (j * (j + 1.0) - self.big_lambda**2) - d * (j * (j + 1.0)) ** 2


@dataclass(frozen=True)
class System:
    """A band system: upper and lower state, reduced mass in u, and heads (v', v'', nm in air) to check it with.

    ``falls``: e-foldings an Angstrom by which the transition moment falls with the distance of the nuclei.
    """

    upper: State
    lower: State
    mass: float
    heads: tuple[tuple[int, int, float], ...] = ()
    emitting: int = EMITTING
    source: str = ""
    shares: tuple[float, ...] = field(default=())
    falls: float = 0.0

    def components(self) -> list[tuple[float, float]]:
        """Offset in 1/cm and share of the light of every spin-orbit component."""
        count = max(len(self.upper.terms), len(self.lower.terms))
        upper, lower = (s.terms * count if len(s.terms) == 1 else s.terms for s in (self.upper, self.lower))
        shares = self.shares or (1.0 / count,) * count
        return [(u - low, share) for u, low, share in zip(upper, lower, shares, strict=True)]


def franck_condon(system: System) -> np.ndarray:
    """Franck-Condon factors, by the square of the transition moment, (upper v, lower v), (LEVELS, LEVELS + 8)."""
    distance = [np.sqrt(HBAR2_2U_A2_CM / (system.mass * s.be)) for s in (system.upper, system.lower)]
    low, high = 0.55 * min(distance), 1.9 * max(distance)
    r = np.linspace(low, high, GRID)
    upper, lower = (_waves(s, system.mass, d, r) for s, d in zip((system.upper, system.lower), distance, strict=True))
    moment = np.exp(-system.falls * (r - np.mean(distance)))
    return ((moment[:, None] * upper[:, :LEVELS]).T @ lower[:, : LEVELS + 8]) ** 2


def _waves(state: State, mass: float, distance: float, r: np.ndarray) -> np.ndarray:
    """Vibrational wave functions of a Morse potential on the grid, lowest first, shape (grid, levels)."""
    wexe = state.wexe or state.we / LIKE_HARMONIC
    depth = state.we**2 / (4.0 * wexe)
    steepness = np.sqrt(mass * wexe / HBAR2_2U_A2_CM)
    step = r[1] - r[0]
    apart = np.subtract.outer(np.arange(len(r)), np.arange(len(r)))
    with np.errstate(divide="ignore"):
        kinetic = np.where(apart == 0, np.pi**2 / 3.0, 2.0 * (-1.0) ** apart / np.where(apart == 0, 1, apart) ** 2)
    hamiltonian = HBAR2_2U_A2_CM / mass / step**2 * kinetic
    potential = np.minimum(depth * (1.0 - np.exp(-steepness * (r - distance))) ** 2, 40.0 * state.we + depth)
    return np.linalg.eigh(hamiltonian + np.diag(potential))[1]


def strengths(upper: int, lower: int, j: np.ndarray) -> dict[int, np.ndarray]:
    """Hoenl-London factors in emission by J' - J'' (1: R, 0: Q, -1: P), for Lambda' and Lambda''."""
    big = float(upper)
    safe = np.maximum(j, 0.5)
    if upper == lower:
        q = (2.0 * j + 1.0) * big**2 / (safe * (j + 1.0))
        return {1: (j + big) * (j - big) / safe, 0: q, -1: (j + 1.0 + big) * (j + 1.0 - big) / (j + 1.0)}
    if upper == lower + 1:
        r, p = (j + big) * (j - 1.0 + big) / (4.0 * safe), (j + 1.0 - big) * (j + 2.0 - big) / (4.0 * (j + 1.0))
        return {1: r, 0: (j + big) * (j + 1.0 - big) * (2.0 * j + 1.0) / (4.0 * safe * (j + 1.0)), -1: p}
    r, p = (j - big) * (j - 1.0 - big) / (4.0 * safe), (j + 1.0 + big) * (j + 2.0 + big) / (4.0 * (j + 1.0))
    return {1: r, 0: (j - big) * (j + 1.0 + big) * (2.0 * j + 1.0) / (4.0 * safe * (j + 1.0)), -1: p}


def band_lines(system: System, v_upper: int, v_lower: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wavenumbers, strengths and upper rotational energies of one band's lines, all components and branches."""
    up, low = system.upper, system.lower
    j = np.arange(up.big_lambda, min(J_MAX, up.last_j(), low.last_j()), dtype=np.float64)
    origin = up.te - low.te + float(up.vibration(np.array(v_upper)) - low.vibration(np.array(v_lower)))
    rotation = up.rotation(v_upper, j)
    found: list[np.ndarray] = []
    for step, strength in strengths(up.big_lambda, low.big_lambda, j).items():
        j_low = j - step
        wavenumber = origin + rotation - low.rotation(v_lower, j_low)
        used = (j_low >= low.big_lambda) & (strength > 0.0)
        for offset, share in system.components():
            found.append(np.stack([wavenumber + offset, share * strength, rotation])[:, used])
    return tuple(np.concatenate(found, axis=1))


def heads(system: System, v_upper: int, v_lower: int) -> list[float]:
    """Wavenumbers at which a branch of the band turns, all components; where none does, its first lines."""
    up, low = system.upper, system.lower
    j = np.arange(up.big_lambda, min(J_MAX, up.last_j(), low.last_j()), dtype=np.float64)
    origin = up.te - low.te + float(up.vibration(np.array(v_upper)) - low.vibration(np.array(v_lower)))
    found = []
    for step in strengths(up.big_lambda, low.big_lambda, j):
        branch = (origin + up.rotation(v_upper, j) - low.rotation(v_lower, j - step))[j - step >= low.big_lambda]
        turns = np.flatnonzero(np.diff(np.sign(np.diff(branch)))) + 1
        found += [
            float(branch[at]) + offset for at in (turns if len(turns) else [0]) for offset, _ in system.components()
        ]
    return found


def lines_of(system: System) -> np.ndarray:
    """As moose-spectra's tables: wavenumber, A, upper J, rotational and vibrational energy, 1/cm, shape (lines, 5).

    ``A`` times 2J + 1 is in proportion to the photons from a level at infinite temperature.
    """
    factor, rows = franck_condon(system), []
    for upper in range(system.emitting):
        lifted = float(system.upper.vibration(np.array(upper)))
        for lower in range(factor.shape[1]):
            if factor[upper, lower] < 2e-3:
                continue
            wavenumber, strength, rotation = band_lines(system, upper, lower)
            rate = factor[upper, lower] * strength * (wavenumber / 2e4) ** 3
            zero = np.zeros_like(rate)
            rows.append(np.stack([wavenumber, rate, zero, rotation, zero + lifted], axis=1))
    lines = np.concatenate(rows)
    return lines[lines[:, 0] > 9000.0]
