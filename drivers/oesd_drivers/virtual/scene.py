"""What shines into the spectrometers: emitters, scenes by name, and their script in time.

Photon numbers are relative: 1 is the strongest line of a plasma or lamp of brightness 1. A bench's throughput turns
them into electrons.
"""

from __future__ import annotations

import functools
import importlib.resources
import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from . import lamps
from .atoms import ATOMS

FloatArray = NDArray[np.float64]

_FAINTEST = 1e-6
_HC_OVER_K_NM_K = 1.438777e7
_PEAK_WINDOW_NM = (200.0, 1100.0)


class Emitter(Protocol):
    """A source of light with a name to dim it by."""

    @property
    def name(self) -> str:
        """What the script and the control call it."""
        ...

    def lines(self) -> tuple[FloatArray, FloatArray]:
        """Air wavelengths in nm and photons per second of the lines."""
        ...

    def continuum(self, wavelengths_nm: FloatArray) -> FloatArray:
        """Photons per second and nm at each wavelength."""
        ...


@dataclass(frozen=True, slots=True)
class LineLamp:
    """Lines of fixed strength, and no continuum."""

    name: str
    table: tuple[tuple[float, float], ...]
    brightness: float = 1.0

    def lines(self) -> tuple[FloatArray, FloatArray]:
        """Return the table, brightened."""
        wavelengths_nm, photons = np.array(self.table, dtype=np.float64).T
        return wavelengths_nm, photons * self.brightness

    def continuum(self, wavelengths_nm: FloatArray) -> FloatArray:
        """None."""
        return np.zeros_like(wavelengths_nm)


@dataclass(frozen=True, slots=True)
class Thermal:
    """A black body's continuum, 1 at its brightest wavelength in 200-1100 nm times ``brightness``."""

    name: str
    temperature_k: float
    brightness: float = 1.0

    def lines(self) -> tuple[FloatArray, FloatArray]:
        """None."""
        return np.empty(0), np.empty(0)

    def continuum(self, wavelengths_nm: FloatArray) -> FloatArray:
        """Planck's law in photons."""
        peak = float(np.max(self._planck(np.linspace(*_PEAK_WINDOW_NM, 901))))
        return self._planck(wavelengths_nm) * (self.brightness / peak)

    def _planck(self, wavelengths_nm: FloatArray) -> FloatArray:
        exponent = _HC_OVER_K_NM_K / (wavelengths_nm * self.temperature_k)
        return np.asarray(wavelengths_nm**-4.0 / np.expm1(exponent), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Species:
    """One element of an optically thin plasma: neutral and singly charged, Boltzmann populations at one temperature.

    The photons of a line are ``particles (1 - ion_fraction) g A exp(-E/kT) / U`` for the atom, the same with
    ``ion_fraction`` for the ion.

    Attributes
    ----------
    name : str
        Element symbol.
    particles : float
    temperature_ev : float
        Excitation temperature kT.
    ion_fraction : float
        0..1; :func:`~oesd_drivers.virtual.atoms.saha_ion_fraction` gives that of an equilibrium.
    """

    name: str
    particles: float
    temperature_ev: float
    ion_fraction: float = 0.0

    def lines(self) -> tuple[FloatArray, FloatArray]:
        """All lines within six decades of the strongest one."""
        wavelengths_nm, stage, ga, energy_ev = _element_lines(self.name)
        _, atom, ion = ATOMS[self.name]
        population = np.where(stage == 1, (1 - self.ion_fraction) / atom, self.ion_fraction / ion)
        photons = self.particles * population * ga * np.exp(-energy_ev / self.temperature_ev)
        seen = photons > _FAINTEST * np.max(photons)
        return wavelengths_nm[seen], photons[seen]

    def continuum(self, wavelengths_nm: FloatArray) -> FloatArray:
        """None."""
        return np.zeros_like(wavelengths_nm)


def plasma(
    composition: Mapping[str, float],
    temperature_ev: float,
    *,
    ion_fractions: Mapping[str, float] | None = None,
    brightness: float = 1.0,
) -> tuple[Species, ...]:
    """Return the species of a plasma whose strongest line has ``brightness`` photons.

    Parameters
    ----------
    composition : mapping of element to ratio of particles
    temperature_ev : float
        Excitation temperature kT, common to all.
    ion_fractions : mapping of element to fraction of ions, 0 where it is not named

    Raises
    ------
    KeyError
        For an element that the scenes have no data for.
    """
    fractions = ion_fractions or {}
    raw = [Species(name, part, temperature_ev, fractions.get(name, 0.0)) for name, part in composition.items()]
    strongest = max(float(np.max(species.lines()[1])) for species in raw)
    return tuple(
        Species(species.name, species.particles * brightness / strongest, temperature_ev, species.ion_fraction)
        for species in raw
    )


@functools.cache
def _line_arrays() -> tuple[NDArray[np.str_], NDArray[np.int8], FloatArray, FloatArray, FloatArray]:
    """Lines with a transition probability and an upper level; see ``daemon/line_table/README.md``."""
    data = (importlib.resources.files("oesd_drivers.virtual") / "data" / "scene_lines.npz").read_bytes()
    with np.load(io.BytesIO(data), allow_pickle=False) as table:
        ga, energy_ev = table["ga_s1"].astype(np.float64), table["ek_ev"].astype(np.float64)
        known = np.isfinite(ga) & np.isfinite(energy_ev)
        return table["element"][known], table["stage"][known], table["wl_air_nm"][known], ga[known], energy_ev[known]


def _element_lines(element: str) -> tuple[FloatArray, NDArray[np.int8], FloatArray, FloatArray]:
    elements, stage, wavelengths_nm, ga, energy_ev = _line_arrays()
    own = elements == element
    if not own.any():
        raise KeyError(element)
    return wavelengths_nm[own], stage[own], ga[own], energy_ev[own]


@dataclass(frozen=True, slots=True)
class Script:
    """How bright an emitter is over time: straight lines between (s, level) points, the ends held."""

    points: tuple[tuple[float, float], ...]

    def level(self, seconds: float) -> float:
        """Return the level ``seconds`` after the light began."""
        times_s, levels = zip(*self.points, strict=True)
        return float(np.interp(seconds, times_s, levels))


@dataclass(frozen=True)
class Scene:
    """Emitters, and scripts for those that change."""

    name: str
    emitters: tuple[Emitter, ...] = ()
    scripts: Mapping[str, Script] | None = None


class Light:
    """A scene that burns: begun at a moment, dimmed by hand. Thread safe.

    Parameters
    ----------
    scene : Scene
    clock : callable
        Seconds, monotonic.
    """

    def __init__(self, scene: Scene, clock: Callable[[], float]) -> None:
        self.scene = scene
        self._clock = clock
        self._began_s = clock()
        self._lock = threading.Lock()
        self._dimmed = dict.fromkeys((emitter.name for emitter in scene.emitters), 1.0)

    def dim(self, level: float, emitter: str = "") -> None:
        """Set one emitter's own factor, or everyone's; ``KeyError`` for an unknown one. It multiplies the script."""
        with self._lock:
            if emitter and emitter not in self._dimmed:
                raise KeyError(emitter)
            for name in [emitter] if emitter else list(self._dimmed):
                self._dimmed[name] = level

    def levels(self) -> FloatArray:
        """Return the level of each emitter now, in the scene's order."""
        seconds = self._clock() - self._began_s
        scripts = self.scene.scripts or {}
        with self._lock:
            dimmed = dict(self._dimmed)
        return np.array(
            [dimmed[name] * (scripts[name].level(seconds) if name in scripts else 1.0) for name in dimmed],
            dtype=np.float64,
        )


def _argon_metals(name: str, scripts: Mapping[str, Script] | None = None) -> Scene:
    """Argon sputtering copper and aluminium: 1 eV, a hundred ppm of metal vapour, a faint continuum."""
    species = plasma(
        {"Ar": 1.0, "Cu": 1e-4, "Al": 5e-5}, 1.0, ion_fractions={"Ar": 1e-3, "Cu": 0.02, "Al": 0.02}, brightness=1.6
    )
    return Scene(name, (*species, Thermal("continuum", 5000.0, 2e-3)), scripts)


_SCRIPTED = {
    "Ar": Script(((0.0, 0.0), (5.0, 0.0), (5.5, 1.3), (8.0, 1.0))),
    "Cu": Script(((0.0, 0.0), (6.0, 0.0), (20.0, 1.0), (600.0, 0.7))),
    "Al": Script(((0.0, 0.0), (6.0, 0.0), (60.0, 1.0))),
    "continuum": Script(((0.0, 0.0), (5.0, 0.0), (5.5, 1.0))),
}

SCENES: dict[str, Callable[[], Scene]] = {
    "argon-metals": lambda: _argon_metals("argon-metals"),
    "argon-metals-ignition": lambda: _argon_metals("argon-metals-ignition", _SCRIPTED),
    "hg-ar-lamp": lambda: Scene("hg-ar-lamp", (LineLamp("hg-ar", lamps.HG_AR),)),
    "neon-lamp": lambda: Scene("neon-lamp", (LineLamp("neon", lamps.NEON),)),
    "halogen": lambda: Scene("halogen", (Thermal("filament", 2960.0, 0.55),)),
    "dark": lambda: Scene("dark"),
}


def scene(name: str) -> Scene:
    """Return a scene by name; ``ValueError`` with the known names for another one."""
    if name not in SCENES:
        raise ValueError(f"unknown scene {name!r}; known: {', '.join(SCENES)}")
    return SCENES[name]()
