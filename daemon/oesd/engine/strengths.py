"""What each species would show: relative line strengths at several excitations.

Local equilibrium: ``gk Aki / lambda exp(-Ek / kT)`` (energy of an optically thin line; Griem, Principles of Plasma
Spectroscopy, 1997; its photons, without 1 / lambda, fit spectra of unknown response no better) at each kT of
``KT_EV``; without equilibrium (lamps): NIST's intensities, row ``LAMP``.
A line without Aki is *soft*: its strength is its NIST intensity put on the scale of the species' lines that have both,
lowered by ``SOFT_SHARE``, and its absence weighs less. Neutral and ion are kept apart, so no partition function and no
electron density is needed: each finds its own amount.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from oesd.engine.lines import IntArray, LineTable, line_table
from oesd.engine.windows import median
from oesd.model import FloatArray, MaskArray

KT_EV = (0.45, 0.75, 1.25)
THICK = ((0.6, 100.0), (1.0, 100.0))  # kT in eV and optical depth of the species' deepest line
LAMP = len(KT_EV)
EXCITATIONS = len(KT_EV) + 1 + len(THICK)
REFERENCE_KT_EV = 0.7
REFERENCE_ROW = 1  # the excitation nearest to it
SOFT_SHARE = 0.25
STAGES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Strengths:
    """Line strengths of every species; a species is ``element * STAGES + stage - 1``.

    Attributes
    ----------
    table : LineTable
    species : (lines,) int64
    relative : (EXCITATIONS, lines) float64
        Relative to the strongest line of the species under the same excitation, 0 .. 1.
    soft : (lines,) bool
        Strength known by intensity only.
    """

    table: LineTable
    species: IntArray
    relative: FloatArray
    soft: MaskArray

    @property
    def species_count(self) -> int:
        """Number of species, those without lines included."""
        return len(self.table.elements) * STAGES


@cache
def line_strengths() -> Strengths:
    """Strengths of the shipped table, computed once."""
    return strengths_of(line_table())


def strengths_of(table: LineTable) -> Strengths:
    """Strengths of any table."""
    species = table.element * STAGES + table.stage - 1
    count = len(table.elements) * STAGES
    firm = np.isfinite(table.aki_s1) & np.isfinite(table.ek_ev) & np.isfinite(table.gk)
    soft_scale = _soft_strengths(table, species, count, firm)
    rows = [_equilibrium(table, species, count, firm, soft_scale, kt) for kt in KT_EV]
    rows.append(_lamp(table, species, count, firm))
    rows += [_thick(table, species, count, firm, soft_scale, kt, depth) for kt, depth in THICK]
    return Strengths(table, species, np.stack(rows), ~firm)


def _boltzmann(table: LineTable, firm: MaskArray, kt_ev: float) -> FloatArray:
    strength = np.zeros(len(table))
    strength[firm] = table.gk[firm] * table.aki_s1[firm] / table.wl_air_nm[firm] * np.exp(-table.ek_ev[firm] / kt_ev)
    return strength


def _strongest(values: FloatArray, species: IntArray, count: int) -> FloatArray:
    top = np.zeros(count)
    np.maximum.at(top, species, values)
    return top


def _relative(values: FloatArray, species: IntArray, top: FloatArray) -> FloatArray:
    share: FloatArray = values / np.where(top > 0.0, top, 1.0)[species]
    return share


def _intensity(table: LineTable) -> FloatArray:
    return np.where(np.isfinite(table.intens) & (table.intens > 0.0), table.intens, 0.0)


def _soft_strengths(table: LineTable, species: IntArray, count: int, firm: MaskArray) -> FloatArray:
    """Strengths at the reference temperature from intensities, in units of the species' strongest firm line."""
    intensity = _relative(_intensity(table), species, _strongest(_intensity(table), species, count))
    reference = _boltzmann(table, firm, REFERENCE_KT_EV)
    reference = _relative(reference, species, _strongest(reference, species, count))
    both = (reference > 1e-4) & (intensity > 0.0)
    scale = np.full(count, 0.5)
    for number in np.flatnonzero(np.bincount(species[both])):
        mine = both & (species == number)
        if mine.sum() >= 4:
            scale[number] = min(float(np.exp(median(np.log(reference[mine] / intensity[mine])))), 1.6)
    soft: FloatArray = intensity * scale[species]
    return soft


def _equilibrium(
    table: LineTable, species: IntArray, count: int, firm: MaskArray, soft_scale: FloatArray, kt_ev: float
) -> FloatArray:
    strength = _boltzmann(table, firm, kt_ev)
    unit = _strongest(_boltzmann(table, firm, REFERENCE_KT_EV), species, count)[species]
    excitation = np.where(np.isfinite(table.ek_ev), table.ek_ev, 0.0) * (1.0 / kt_ev - 1.0 / REFERENCE_KT_EV)
    soft = SOFT_SHARE * soft_scale * np.exp(-excitation) * np.where(unit > 0.0, unit, 1.0)
    top = _strongest(np.where(firm | (unit == 0.0), np.where(firm, strength, soft), 0.0), species, count)
    return np.minimum(_relative(np.where(firm, strength, soft), species, top), 1.0)


def _thick(
    table: LineTable,
    species: IntArray,
    count: int,
    firm: MaskArray,
    soft_scale: FloatArray,
    kt_ev: float,
    deepest: float,
) -> FloatArray:
    """Equilibrium strengths of lines that absorb their own light: weaker by 1 / sqrt(1 + pi tau / 4).

    That is within 10 % the mean escape of a Lorentz line out of a slab, exp(-tau / 2) (I0(tau / 2) + I1(tau / 2))
    (Ladenburg and Reiche 1913). The depth tau goes with lambda^3 gk Aki exp(-Ei / kT): the lines that end in low
    levels are the deep ones. Lines without levels or Aki are taken as thin.
    """
    thin = _equilibrium(table, species, count, firm, soft_scale, kt_ev)
    lower = firm & np.isfinite(table.ei_ev)
    depth = np.zeros(len(table))
    depth[lower] = (table.wl_air_nm**3 * table.gk * table.aki_s1 * np.exp(-table.ei_ev / kt_ev))[lower]
    depth = deepest * _relative(depth, species, _strongest(depth, species, count))
    strength = thin / np.sqrt(1.0 + 0.25 * np.pi * depth)
    return _relative(strength, species, _strongest(strength, species, count))


def _lamp(table: LineTable, species: IntArray, count: int, firm: MaskArray) -> FloatArray:
    intensity = _intensity(table)
    reference = _boltzmann(table, firm, REFERENCE_KT_EV)
    fallback = 0.5 * _relative(reference, species, _strongest(reference, species, count))
    return np.where(intensity > 0.0, _relative(intensity, species, _strongest(intensity, species, count)), fallback)


@cache
def ion_energy_ev() -> FloatArray:
    """Energy above the neutral atom's ground state that the ion's brightest lines take, eV; 0 if unknown; (elements,).

    The least of the lines that are at least a tenth as strong as the strongest at the hottest excitation.
    """
    strengths = line_strengths()
    table = strengths.table
    energy = np.full(len(table.elements), np.inf)
    bright = (table.stage == STAGES) & (strengths.relative[LAMP - 1] > 0.1) & np.isfinite(table.ek_ev)
    np.minimum.at(energy, table.element[bright], table.ek_ev[bright])
    total: FloatArray = np.where(np.isfinite(energy), energy + table.ionization_ev[:, 0], 0.0)
    return np.nan_to_num(total)
