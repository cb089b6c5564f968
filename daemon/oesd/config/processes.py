"""Named process sets: what a process makes likely in its light, so that a configuration need not list elements.

A set is a prior and no more unless the constraint is "include". Its elements are those whose lines are watched in that
process; gases are written as their formulas and stand for their elements.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oesd.model import ConstraintMode, Recipe


@dataclass(frozen=True, slots=True)
class ProcessSet:
    """What a process puts into its light.

    Attributes
    ----------
    elements : tuple of str
        What is deposited, etched or evaporated.
    gases : tuple of str
        Formulas of the gases in the chamber: ``N2``, ``CF4``.
    reason : str
        The lines that are watched there, and why each member is in the set.
    """

    name: str
    elements: tuple[str, ...]
    gases: tuple[str, ...]
    reason: str


_TARGETS = ("Ti", "Al", "Cu", "Zn", "In", "Mo", "W", "Cr", "Ta", "Nb", "Zr", "Hf", "V", "Ru", "Ir")

# The lines (air, nm) are those that process engineers watch; of the metals, Ar, O, F and H they were compared with the
# NIST Atomic Spectra Database.
PROCESSES: tuple[ProcessSet, ...] = (
    ProcessSet(
        "GaAs MBE", ("Ga", "In", "Al", "As"), ("H2",),
        "AlGaAs and InGaAs: Ga 403.30 417.20, In 410.18 451.13, Al 394.40 396.15, As 228.81 234.98; "
        "H 656.28 of the hydrogen clean",
    ),
    ProcessSet(
        "GaN PA-MBE", ("Ga", "Al", "In"), ("N2",),
        "nitrogen source: N 746.83 821.6 868.0, N2 337.1-380.5 and 580-760, N2+ 391.4 427.8; Ga 417.20 and the alloys",
    ),
    ProcessSet(
        "oxide MBE", ("Sr", "Ba", "La", "Ti", "Mn"), ("O2",),
        "oxygen source: O 777.19 844.64; perovskites: Sr 460.73 407.77, Ba 553.55 455.40, La 408.67, Ti 499.95, "
        "Mn 403.08",
    ),
    ProcessSet(
        "PLD oxide", ("Sr", "Ba", "La", "Ti", "Mn", "Al"), ("O2",),
        "the plume: atoms and ions of the cations of oxide MBE, bands of TiO, AlO, LaO, MnO",
    ),
    ProcessSet(
        "sputter Ar", _TARGETS, ("Ar",),
        "Ar 696.54 706.72 750.39 763.51 811.53, Ar II 434.8 480.6, and one of the usual targets",
    ),
    ProcessSet(
        "reactive sputter", _TARGETS, ("Ar", "O2", "N2"),
        "as sputter Ar, with the gas that poisons the target: O 777 goes up as the metal goes down",
    ),
    ProcessSet(
        "CIGS", ("Cu", "Ga", "In"), ("Ar",),
        "a web coater: Cu 324.75 327.40, Ga 417.20, In 451.13 against Ar 763.51 811.53",
    ),
    ProcessSet(
        "etch F", ("F", "Si", "C", "N"), ("CF4", "O2", "Ar"),
        "F 703.75 685.60 with Ar 750.39 as actinometer (Coburn and Chen 1980); products SiF 440.1, CF2 251.9, "
        "CO 483.5 519.8, CN 387 of nitrides",
    ),
    ProcessSet(
        "etch Cl", ("Cl", "Al", "Si"), ("Cl2", "Ar"),
        "Cl 837.59; Al 396.15 falls at the end point of aluminium; Ar as actinometer",
    ),
    ProcessSet(
        "PECVD Si", ("Si",), ("SiH4", "H2", "Ar", "He"),
        "SiH 412-414, H 656.28 486.13, Si 288.16; Ar or He as tracer",
    ),
    ProcessSet(
        "ICP rare gas", (), ("Ar", "He"),
        "electron density and temperature from Ar 419.83 420.07 and He 667.8 706.5 728.1",
    ),
    ProcessSet(
        "air leak", ("Na", "K", "C"), ("N2", "O2", "H2O", "Ar"),
        "N2 337.1, OH 309, H 656.28, O 777; CN 388 of organic dirt; Na 589.0 and K 766.5 of hands and glass; "
        "air is 0.9 % Ar",
    ),
    ProcessSet("room light", ("Hg",), (), "Hg 404.66 435.83 546.07 of fluorescent lamps"),
)  # fmt: skip

_AIR = ("N2", "O2", "Ar", "H2O")


def process_set(name: str) -> ProcessSet:
    """Process set of a name, in any case.

    Raises
    ------
    ValueError
        When there is none; names the nearest and lists all.
    """
    by_name = {_plain(one.name): one for one in PROCESSES}
    found = by_name.get(_plain(name))
    if found is None:
        near = by_name[difflib.get_close_matches(_plain(name), by_name, n=1, cutoff=0.0)[0]]
        known = ", ".join(one.name for one in PROCESSES)
        raise ValueError(f"process: unknown process {name!r}; did you mean {near.name!r}? Known: {known}")
    return found


def elements_of(gas: str) -> tuple[str, ...]:
    """Elements of a gas: of its formula (``H2O``), or of ``air``.

    Raises
    ------
    ValueError
        When it is neither.
    """
    if gas.strip().lower() == "air":
        return _distinct(element for part in _AIR for element in elements_of(part))
    formula = gas.strip()
    if re.fullmatch(r"(?:[A-Z][a-z]?[0-9]{0,2})+", formula) is None:
        raise ValueError(f'ambient: {gas!r} is no formula of a gas: write such as "Ar", "N2", "CF4", or "air"')
    return _distinct(re.findall(r"[A-Z][a-z]?", formula))


def recipe_of(
    constraint: ConstraintMode = ConstraintMode.AUTO,
    elements: Sequence[str] = (),
    *,
    process: Sequence[str] = (),
    ambient: Sequence[str] = (),
    fwhm_nm: float | None = None,
    search_nm: float | None = None,
) -> Recipe:
    """Recipe of what a person chose.

    With "auto" and "exclude" the sets and the ambient gases are expected, which forbids nothing; with "include" only
    ``elements`` and the sets' elements are let in, and the gases of both besides.

    Parameters
    ----------
    process : sequence of str
        Names of process sets; several are laid together.
    ambient : sequence of str
        Gases in the chamber besides, as formulas.

    Raises
    ------
    ValueError
        ``key: what is wrong``.
    """
    sets = [process_set(name) for name in process]
    made = _distinct(element for one in sets for element in one.elements)
    gases = _distinct(element for gas in (*_gases(sets), *ambient) for element in elements_of(gas))
    _check(constraint, elements, [*made, *gases] if sets else [])
    if constraint is ConstraintMode.INCLUDE:
        chosen = _distinct((*elements, *made))
        return Recipe(constraint, chosen, fwhm_nm, ambient=gases, search_nm=search_nm)
    expected = tuple(element for element in _distinct((*made, *gases)) if element not in elements)
    return Recipe(constraint, tuple(elements), fwhm_nm, expected=expected, search_nm=search_nm)


def _check(constraint: ConstraintMode, elements: Sequence[str], of_sets: Sequence[str]) -> None:
    if constraint is ConstraintMode.AUTO and elements:
        raise ValueError('elements: go with constraint = "include" or "exclude", not with "auto"')
    if constraint is ConstraintMode.EXCLUDE and not elements:
        raise ValueError('elements: constraint = "exclude" needs at least one element')
    if constraint is ConstraintMode.INCLUDE and not (elements or of_sets):
        raise ValueError('elements: constraint = "include" needs at least one element, or a process')


def _gases(sets: Iterable[ProcessSet]) -> list[str]:
    return [gas for one in sets for gas in one.gases]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _plain(name: str) -> str:
    return " ".join(name.lower().split())
