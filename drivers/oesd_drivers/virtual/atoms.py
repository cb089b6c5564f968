"""Ionization energies and partition functions of the elements a plasma scene may hold, and Saha's equation.

Energies in eV from NIST ASD; partition functions of the neutral atom and the ion near 1 eV, rounded: they set the scale
between elements of a made-up plasma, no measurement rests on them.
"""

from __future__ import annotations

import math

#: element: (ionization energy in eV, U of the atom, U of the ion)
ATOMS: dict[str, tuple[float, float, float]] = {
    "Al": (5.986, 6.2, 1.05), "Ar": (15.760, 1.0, 5.6), "As": (9.789, 5.5, 7.5), "Ba": (5.212, 8.0, 4.5),
    "Ca": (6.113, 2.5, 2.4), "Cl": (12.968, 5.4, 8.0), "Cr": (6.767, 22.0, 12.0), "Cu": (7.726, 3.5, 1.9),
    "F": (17.423, 5.7, 8.6), "Fe": (7.902, 50.0, 55.0), "Ga": (5.999, 6.2, 1.0), "H": (13.598, 2.0, 1.0),
    "He": (24.587, 1.0, 2.0), "Hg": (10.438, 1.1, 2.0), "In": (5.786, 6.3, 1.05), "K": (4.341, 4.0, 1.0),
    "Kr": (14.000, 1.0, 5.0), "La": (5.577, 60.0, 40.0), "Mg": (7.646, 1.3, 2.0), "Mn": (7.434, 12.0, 9.0),
    "Mo": (7.092, 35.0, 25.0), "N": (14.534, 4.6, 9.2), "Na": (5.139, 3.0, 1.0), "Ne": (21.565, 1.0, 5.4),
    "O": (13.618, 9.4, 4.6), "Si": (8.152, 10.5, 6.0), "Sr": (5.695, 4.5, 2.4), "Ti": (6.828, 55.0, 70.0),
    "W": (7.864, 45.0, 50.0), "Xe": (12.130, 1.0, 4.6), "Zn": (9.394, 1.1, 2.0),
}  # fmt: skip

_SAHA_CM3_EV = 6.037e21  # 2 (2 pi m_e / h^2)^(3/2) for kT in eV


def saha_ion_fraction(element: str, temperature_ev: float, electrons_cm3: float) -> float:
    """Fraction of an element's particles that are singly ionized, by Saha's equation.

    Parameters
    ----------
    temperature_ev : float
        kT in eV.
    electrons_cm3 : float
        Electron density per cubic centimetre.

    Raises
    ------
    KeyError
        For an element without data.
    """
    energy_ev, atom, ion = ATOMS[element]
    ratio = _SAHA_CM3_EV * temperature_ev**1.5 * ion / atom * math.exp(-energy_ev / temperature_ev) / electrons_cm3
    return float(ratio / (1.0 + ratio))
