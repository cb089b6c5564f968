"""What is before the spectrometer: families of plasmas as sources with their brightness, drawn at random, seeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from tests.support.plasma.laboratory import OTHER, THIN, THIN_LAMP, Knowledge
from tests.support.plasma.radiation import Zone

COMMON = (
    "Fe Ag Rb Be Cd W Sc Zn P Au Mn Si Cs V In Ba Hg S Ga Al Mg Ni Na Pb Pt Ti Sn C B K Y Cu Sr Bi Ca Cr Ge Mo Co Li Cl"
).split()
UNUSUAL = "Zr Nb Hf Ta Ru Rh Pd Ir Re Te Se As Sb Tl La Ce Nd Gd Er Lu F Br I".split()
GASES = "He Ne Ar Kr Xe Hg H N O".split()


@dataclass(frozen=True, slots=True)
class Source:
    """Elements with their atoms in one zone, or a band; ``brightness`` is that of its brightest pixel, relative."""

    brightness: float
    zone: Zone = field(default_factory=lambda: Zone(0.8))
    atoms: tuple[tuple[str, float], ...] = ()
    band: str = ""
    rotational_k: float = 600.0
    vibrational_k: float = 3000.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that shines; ``continua`` are (middle nm, width nm, brightness), or (kelvin, 0, brightness)."""

    family: str
    sources: tuple[Source, ...]
    knowledge: Knowledge
    continua: tuple[tuple[float, float, float], ...] = ()
    extra_spikes: float = 0.0


Maker = Callable[[np.random.Generator], Scene]


def some(rng: np.random.Generator, pool: Sequence[str], least: int, most: int) -> list[str]:
    """A few different elements of the pool."""
    return [str(x) for x in rng.choice(pool, int(rng.integers(least, most + 1)), replace=False)]


def shares(rng: np.random.Generator, elements: list[str], decades: float) -> tuple[tuple[str, float], ...]:
    """Numbers of atoms, spread over so many decades."""
    return tuple((e, float(10.0 ** rng.uniform(-decades, 0.0))) for e in elements)


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _continua(rng: np.random.Generator, chance: float) -> tuple[tuple[float, float, float], ...]:
    if rng.random() > chance:
        return ()
    broad = (float(rng.uniform(350.0, 800.0)), float(rng.uniform(80.0, 250.0)), _log(rng, 0.01, 0.4))
    return (broad, (float(rng.uniform(1500.0, 4500.0)), 0.0, _log(rng, 0.005, 0.3))) if rng.random() < 0.3 else (broad,)


def _thin_zone(rng: np.random.Generator) -> Zone:
    return Zone(float(rng.uniform(0.6, 1.05)), _log(rng, 1e16, 4e17), thickest=_log(rng, 0.05, 2.0))


def lte(rng: np.random.Generator) -> Scene:
    atoms = shares(rng, some(rng, COMMON, 1, 5), 1.2)
    return Scene("lte", (Source(1.0, _thin_zone(rng), atoms),), THIN, _continua(rng, 0.5))


def air(rng: np.random.Generator) -> Scene:
    atoms = shares(rng, some(rng, COMMON, 1, 3), 1.0)
    gas = [("Ar", 1.0)] if rng.random() < 0.4 else [("N", 1.0), ("O", 0.9), ("H", 0.3)]
    around = Source(_log(rng, 0.02, 0.5), Zone(float(rng.uniform(0.7, 1.1)), 1e17), tuple(gas))
    bands = _nitrogen(rng, _log(rng, 0.02, 0.3)) if rng.random() < 0.5 else ()
    return Scene("air", (Source(1.0, _thin_zone(rng), atoms), around, *bands), THIN, _continua(rng, 0.5))


def lamp(rng: np.random.Generator) -> Scene:
    gas = some(rng, GASES[:6], 1, 2)
    metal = some(rng, ["Hg", "Cd", "Zn", "Na", "Cs", "Rb", "K", "In", "Tl"], 0, 1)
    sources = [_glow(rng, e, _log(rng, 0.15, 1.0)) for e in dict.fromkeys(gas + metal)]
    return Scene("lamp", tuple(sources), THIN_LAMP, _continua(rng, 0.2))


def _glow(rng: np.random.Generator, element: str, brightness: float, kt_ev: float = 0.0) -> Source:
    """One element of a low-pressure discharge: levels far from equilibrium, few ions."""
    zone = Zone(kt_ev or float(rng.uniform(0.35, 0.8)), 1e17, departure_dex=0.3)
    return Source(brightness, zone, ((element, 1.0),))


def _nitrogen(rng: np.random.Generator, brightness: float) -> tuple[Source, ...]:
    rotational, vibrational = float(rng.uniform(300.0, 1500.0)), float(rng.uniform(2000.0, 6000.0))
    names = {
        "N2 second positive": 1.0,
        "N2+ first negative": _log(rng, 0.03, 0.5),
        "N2 first positive": _log(rng, 0.03, 0.5),
    }
    return tuple(
        Source(brightness * share, band=name, rotational_k=rotational, vibrational_k=vibrational)
        for name, share in names.items()
    )


def blank(rng: np.random.Generator) -> Scene:
    """No atom at all: continua, a phosphor, bands, spikes."""
    kind = int(rng.integers(4))
    bands: tuple[Source, ...] = ()
    continua = [(float(rng.uniform(2000.0, 4000.0)), 0.0, _log(rng, 0.05, 1.0))]
    if kind == 1:
        continua += [(float(rng.uniform(420, 800)), float(rng.uniform(8, 60)), _log(rng, 0.1, 1)) for _ in range(2)]
    if kind == 2:
        bands = _nitrogen(rng, _log(rng, 0.1, 1.0))
    if kind == 3:
        names = some(rng, ["OH", "CN", "C2", "NH", "CO", "CH", "N2 second positive"], 1, 3)
        bands = tuple(_warm_band(rng, n, _log(rng, 0.1, 1.0)) for n in names)
    return Scene("blank", bands, THIN, tuple(continua), extra_spikes=float(rng.choice([0.0, 4.0, 15.0])))


def _warm_band(rng: np.random.Generator, name: str, brightness: float) -> Source:
    return Source(brightness, Zone(0.5), (), name, float(rng.uniform(400, 3000)), float(rng.uniform(2000, 6000)))


def two_temperature(rng: np.random.Generator) -> Scene:
    """A hot core in a cool mantle that hold different shares of the same elements."""
    elements = some(rng, COMMON + UNUSUAL[:14], 2, 6)
    core = Zone(float(rng.uniform(0.9, 1.4)), _log(rng, 3e16, 5e17), thickest=_log(rng, 0.1, 3.0))
    mantle = Zone(float(rng.uniform(0.35, 0.55)), _log(rng, 1e15, 3e16), thickest=_log(rng, 0.1, 10.0))
    both = (
        Source(1.0, core, shares(rng, elements, 1.3)),
        Source(_log(rng, 0.2, 2), mantle, shares(rng, elements, 1.3)),
    )
    return Scene("two temperatures", both, OTHER, _continua(rng, 0.5))


def thick(rng: np.random.Generator) -> Scene:
    """A dense spark: resonance lines saturated, broad by Stark's effect, reversed by a cold boundary."""
    elements = some(rng, COMMON, 1, 5) + (some(rng, UNUSUAL, 1, 1) if rng.random() < 0.3 else [])
    return Scene("thick", _spark(rng, shares(rng, elements, 1.3)), OTHER, _continua(rng, 0.6))


def _spark(rng: np.random.Generator, atoms: tuple[tuple[str, float], ...]) -> tuple[Source, ...]:
    """The dense plasma of a spark or a laser pulse, in four of ten cases in air that shines too."""
    cold = float(rng.choice([0.0, 1.0])) * _log(rng, 0.003, 0.2)
    zone = Zone(
        float(rng.uniform(0.6, 1.2)), _log(rng, 5e16, 1e18), _log(rng, 5.0, 300.0), _log(rng, 0.01, 0.15), 0.35, cold
    )
    air_lines = Source(_log(rng, 0.02, 0.4), Zone(1.0, 3e17, 0.0, 0.1), (("N", 1.0), ("O", 0.9), ("H", 0.4)))
    return (Source(1.0, zone, atoms), air_lines) if rng.random() < 0.4 else (Source(1.0, zone, atoms),)


# Atoms in a hundred; each part is there in eight of ten pieces, within a factor of two
MATERIALS: dict[str, str] = {
    "steel": "Fe 70 Cr 18 Ni 9 Mn 1.5 Mo 1 Si 1",
    "tool steel": "Fe 85 W 3 Mo 3 V 2 Cr 4 C 3",
    "aluminium alloy": "Al 94 Mg 2 Cu 2 Zn 2 Si 1 Mn 0.5 Fe 0.4",
    "brass": "Cu 62 Zn 36 Pb 2 Sn 0.5 Fe 0.2",
    "solder": "Sn 95 Ag 4 Cu 1",
    "titanium alloy": "Ti 88 Al 8 V 4",
    "superalloy": "Ni 60 Cr 18 Co 12 Mo 3 Ti 3 Al 4",
    "feldspar": "O 61 Si 23 Al 8 K 4 Na 4 Ca 1",
    "limestone": "Ca 20 C 20 O 58 Mg 2 Sr 0.05 Si 0.5",
    "basalt": "O 60 Si 17 Al 6 Fe 4 Mg 4 Ca 4 Na 2 Ti 0.7 K 0.4",
    "perovskite": "Sr 20 Ti 20 O 60 La 0.5",
    "galena": "Pb 50 S 50 Ag 0.3 Zn 0.5",
    "gypsum": "Ca 10 S 10 O 60 H 20",
    "fluorite": "Ca 33 F 66 Sr 0.1",
    "salt": "Na 49 Cl 50 K 1",
    "glass": "Si 27 O 60 Na 9 Ca 4 B 2 Mg 1",
    "ITO": "In 36 Sn 4 O 60",
    "gallium arsenide": "Ga 50 As 50 Al 5",
}


def material(rng: np.random.Generator) -> Scene:
    """A metal or a mineral under a laser's pulse."""
    words = MATERIALS[str(rng.choice(list(MATERIALS)))].split()
    parts = [(e, float(share) * _log(rng, 0.5, 2.0)) for e, share in zip(words[::2], words[1::2], strict=True)]
    kept = [p for i, p in enumerate(parts) if i == 0 or rng.random() < 0.8]
    return Scene("material", _spark(rng, tuple(kept)), OTHER, _continua(rng, 0.6))


def discharge(rng: np.random.Generator) -> Scene:
    """Low-pressure gas with sputtered metal, levels far from equilibrium."""
    gas = some(rng, GASES, 1, 2)
    metals = some(rng, COMMON + UNUSUAL, 0, 2)
    sources = [_glow(rng, e, _log(rng, 0.2, 1.0)) for e in gas]
    sources += [_glow(rng, e, _log(rng, 0.05, 0.7), float(rng.uniform(0.35, 0.6))) for e in metals if e not in gas]
    return Scene("discharge", tuple(sources), OTHER, _continua(rng, 0.3))


def trace(rng: np.random.Generator) -> Scene:
    """A little of one or two elements beside much of another."""
    major, *minor = some(rng, COMMON, 2, 3)
    zone = _thin_zone(rng)
    sources = [Source(1.0, zone, ((major, 1.0),))]
    sources += [Source(_log(rng, 0.002, 0.05), zone, ((e, 1.0),)) for e in minor]
    return Scene("trace", tuple(sources), OTHER, _continua(rng, 0.5))


# Per process: (element, brightness from, to) that glow, and bands (name, from, to, chance)
Glows = tuple[tuple[str, float, float], ...]
Bands = tuple[tuple[str, float, float, float], ...]
PROCESSES: dict[str, tuple[Glows, Bands]] = {
    "GaAs MBE": ((("Ga", 0.3, 1.0), ("As", 0.05, 0.3), ("In", 0.01, 0.5), ("Al", 0.02, 0.5), ("H", 0.1, 0.6)), ()),
    "GaN PA-MBE": (
        (("N", 0.2, 1.0), ("Ga", 0.02, 0.3), ("H", 0.01, 0.05)),
        (
            ("N2 second positive", 0.1, 1.0, 1.0),
            ("N2 first positive", 0.1, 0.7, 1.0),
            ("N2+ first negative", 0.02, 0.3, 0.7),
        ),
    ),
    "oxide MBE": ((("O", 0.3, 1.0), ("Sr", 0.05, 0.5), ("Ti", 0.03, 0.4), ("Ba", 0.02, 0.4), ("La", 0.02, 0.4)), ()),
    "sputter": ((("Ar", 0.4, 1.0), ("Ti", 0.05, 0.6), ("Cu", 0.05, 0.6), ("Cr", 0.03, 0.4), ("O", 0.02, 0.3)), ()),
    "sputter 2": ((("Ar", 0.4, 1.0), ("Zn", 0.05, 0.6), ("In", 0.05, 0.6), ("Mo", 0.03, 0.4), ("W", 0.03, 0.4)), ()),
    "etch": (
        (("F", 0.2, 1.0), ("Ar", 0.1, 1.0), ("Si", 0.02, 0.4), ("O", 0.02, 0.4), ("Cl", 0.02, 0.5)),
        (("CO", 0.02, 0.4, 0.7), ("CN", 0.02, 0.3, 0.4), ("C2", 0.02, 0.2, 0.2)),
    ),
    "air leak": (
        (("Ar", 0.2, 1.0), ("N", 0.01, 0.2), ("O", 0.03, 0.3), ("H", 0.03, 0.4)),
        (
            ("N2 second positive", 0.1, 0.8, 1.0),
            ("OH", 0.05, 0.5, 0.8),
            ("NH", 0.02, 0.3, 0.5),
            ("NO", 0.02, 0.3, 0.3),
            ("N2 first positive", 0.02, 0.4, 0.5),
        ),
    ),
    "plume": (
        (("Al", 0.3, 1.0), ("O", 0.05, 0.4), ("La", 0.05, 0.5), ("Sr", 0.05, 0.5)),
        (("AlO", 0.05, 0.6, 0.8),),
    ),
}


def process(rng: np.random.Generator) -> Scene:
    """One of the processes of growth, coating and etching laboratories: not all of its elements are always there."""
    glows, bands = PROCESSES[str(rng.choice(list(PROCESSES)))]
    kept = [g for i, g in enumerate(glows) if i == 0 or rng.random() < 0.65]
    sources = [_glow(rng, e, _log(rng, low, high), float(rng.uniform(0.4, 0.9))) for e, low, high in kept]
    sources += [_warm_band(rng, n, _log(rng, low, high)) for n, low, high, chance in bands if rng.random() < chance]
    return Scene("process", tuple(sources), OTHER, _continua(rng, 0.4))


def hard_blank(rng: np.random.Generator) -> Scene:
    scene = blank(rng)
    return Scene("hard blank", scene.sources, OTHER, scene.continua + _continua(rng, 0.5), scene.extra_spikes)


THIN_FAMILIES: tuple[tuple[Maker, float], ...] = ((lte, 0.5), (air, 0.25), (lamp, 0.125), (blank, 0.125))
HARD_FAMILIES: tuple[tuple[Maker, float], ...] = (
    (thick, 0.2),
    (material, 0.17),
    (two_temperature, 0.13),
    (discharge, 0.13),
    (process, 0.17),
    (trace, 0.1),
    (hard_blank, 0.1),
)
# With their shares, by whether they are hard and whether there is no atom in them
FAMILIES: dict[tuple[bool, bool], tuple[tuple[Maker, float], ...]] = {
    (False, False): THIN_FAMILIES,
    (True, False): HARD_FAMILIES,
    (False, True): ((blank, 1.0),),
    (True, True): ((hard_blank, 1.0),),
}


def every_element() -> tuple[str, ...]:
    """All elements that any scene may hold."""
    of_materials = {word for text in MATERIALS.values() for word in text.split()[::2]}
    of_processes = {glow[0] for glows, _ in PROCESSES.values() for glow in glows}
    return tuple(sorted({*COMMON, *UNUSUAL, *GASES, *of_materials, *of_processes}))
