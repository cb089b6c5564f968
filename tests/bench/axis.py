"""How often the plasma's own axis is right, and how often wrong and told to be sure, on spectra with known errors.

``python -m tests.bench.axis [--cases N] [--seed S]``: plasmas, lamps, few lines, bands alone and blanks, on several
ranges and line widths, shifted and stretched. *Wrong* is a median error of more than 0.3 line widths at the peaks.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from tests.engine.spectra import Array, continuum, lines, measured

import oesd
from oesd.engine.bands import LISTED, band_light
from oesd.engine.lines import line_table

RANGES_NM = ((200, 1000), (350, 1000), (300, 620), (190, 450), (520, 700), (640, 960))
KINDS = ("plasma", "plasma", "plasma", "lamp", "few", "band", "blank")
LAMPS = ("He", "Ne", "Ar", "Kr", "Xe", "Hg", "Cd", "Zn")
ELEMENTS = (
    "H He Li C N O F Ne Na Mg Al Si S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Kr Sr Y Zr Nb Mo Pd Ag Cd In "
    "Sn Sb Xe Cs Ba La Ce Hf Ta W Pt Au Hg Tl Pb Bi"
).split()
SETTINGS = ((0.1, 0.65), (0.5, 0.65), (2.0, 2.0), (3.0, 0.65), (3.0, 2.0))  # errors up to, searched, nm


@dataclass(frozen=True)
class Case:
    """A spectrum, what is in it, and how far its axis is off: shift at the middle, and stretch."""

    device_nm: Array
    sample: Array
    dark: Array
    fwhm_nm: float
    shift_nm: float
    stretch: float
    elements: frozenset[str]

    def error_nm(self, at_nm: Array) -> Array:
        """How far the device's axis is off at these places."""
        middle = 0.5 * (self.device_nm[0] + self.device_nm[-1])
        return self.shift_nm + self.stretch * (at_nm - middle)


def element_light(
    true_nm: Array, symbol: str, height: float, fwhm_nm: float, kt: float, rng: np.random.Generator
) -> Array:
    """Both stages of an element; ``kt`` in eV, 0 for a lamp's intensities; strengths scattered by 0.2 dex."""
    table, light = line_table(), np.zeros(len(true_nm))
    for stage, share in ((1, 1.0), (2, float(rng.choice([0.0, 0.3, 1.0])))):
        mine = (table.element == table.index_of[symbol]) & (table.stage == stage)
        mine &= (table.wl_air_nm > true_nm[0]) & (table.wl_air_nm < true_nm[-1])
        known = (table.intens > 0.0) if kt == 0.0 else np.isfinite(table.aki_s1 * table.ek_ev * table.gk)
        nm = table.wl_air_nm[mine & known]
        if kt == 0.0:
            strength = table.intens[mine & known].astype(np.float64)
        else:
            strength = (table.gk * table.aki_s1)[mine & known] / nm * np.exp(-table.ek_ev[mine & known] / kt)
        strength = strength * np.exp(0.45 * rng.standard_normal(len(strength)))
        if len(strength) and share > 0.0:
            strong = strength > 1e-4 * strength.max()
            light += lines(true_nm, nm[strong], share * height * (strength / strength.max())[strong], fwhm_nm)
    return light


def band_of(true_nm: Array, fwhm_nm: float, rng: np.random.Generator) -> Array:
    """One of the listed systems at one of its temperatures, its brightest point 1."""
    nm, system, share = band_light()
    mine = (system == rng.integers(len(LISTED))) & (nm > true_nm[0]) & (nm < true_nm[-1])
    shape = lines(true_nm, nm[mine], share[rng.integers(len(share))][mine], fwhm_nm)
    return shape / max(float(shape.max()), 1e-12)


def make(seed: int, number: int, largest_nm: float) -> Case:
    """One case; the same numbers give the same case."""
    rng = np.random.default_rng([seed, number])
    kind, (first, last) = str(rng.choice(KINDS)), RANGES_NM[rng.integers(len(RANGES_NM))]
    device_nm = np.linspace(first, last, int(rng.choice([1024, 2048, 3648])))
    fwhm_nm = max(0.15, float((device_nm[1] - device_nm[0]) * rng.uniform(1.8, 5.0)))
    case = Case(
        device_nm,
        device_nm,
        device_nm,
        fwhm_nm,
        rng.uniform(-1, 1) * largest_nm,
        rng.uniform(-1, 1) / 3000.0,
        frozenset(),
    )
    true_nm = device_nm - case.error_nm(device_nm)
    count = {"plasma": int(rng.integers(1, 5)), "lamp": int(rng.integers(1, 3)), "few": 1}.get(kind, 0)
    chosen = [str(e) for e in rng.choice(LAMPS if kind == "lamp" else ELEMENTS, count, replace=False)]
    light, kt = np.zeros(len(device_nm)), 0.0 if kind == "lamp" else float(rng.uniform(0.4, 1.1))
    for symbol in chosen:
        height = 10.0 ** rng.uniform(*((1.8, 2.8) if kind == "few" else (2.0, 4.4)))
        light += element_light(true_nm, symbol, height, fwhm_nm, kt, rng)
    if kind == "band" or rng.random() < 0.1:
        light += 10.0 ** rng.uniform(2.5, 4.0) * band_of(true_nm, fwhm_nm, rng)
    light += rng.choice([0.0, 0.15, 0.45]) * continuum(device_nm)
    sample, dark = measured(np.minimum(light, 60000.0), int(rng.integers(1 << 30)))
    if kind == "blank" or rng.random() < 0.2:
        sample[rng.integers(5, len(sample) - 5, rng.integers(1, 6))] += 10.0 ** rng.uniform(2.0, 3.5)
    return Case(device_nm, sample, dark, fwhm_nm, case.shift_nm, case.stretch, frozenset(chosen))


@dataclass(slots=True)
class Tally:
    """Counts of one setting."""

    sure: int = 0
    wrong_and_sure: int = 0
    right_and_unsure: int = 0
    right: int = 0
    false: int = 0
    missed: int = 0
    ms: float = 0.0

    def add(self, case: Case, search_nm: float) -> None:
        """Analyse one case."""
        start = time.process_time()
        result = oesd.analyze(case.device_nm, case.sample, case.dark, saturation_counts=65535.0, search_nm=search_nm)
        self.ms += 1e3 * (time.process_time() - start)
        told = result.axis
        assert told is not None
        at_nm = np.array([p.wavelength_nm for p in result.detected_peaks if p.snr > 8.0] or [case.device_nm.mean()])
        left = told.shift_nm + told.stretch * (at_nm - told.pivot_nm) - case.error_nm(at_nm)
        wrong = bool(np.median(np.abs(left)) > max(0.3 * case.fwhm_nm, 0.08))
        self.sure += told.sure
        self.wrong_and_sure += told.sure and wrong
        self.right_and_unsure += not told.sure and not wrong
        found = {e.element for e in result.elements}
        self.right += len(found & case.elements)
        self.false += len(found - case.elements)
        self.missed += len(case.elements - found)


def main() -> None:
    """Print one line for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for largest_nm, search_nm in SETTINGS:
        tally = Tally()
        for number in range(asked.cases):
            tally.add(make(asked.seed, number, largest_nm), search_nm)
        f1 = 2.0 * tally.right / max(2 * tally.right + tally.false + tally.missed, 1)
        print(
            f"errors up to {largest_nm} nm, {search_nm} searched: sure {tally.sure / asked.cases:.2f}, of these wrong "
            f"{tally.wrong_and_sure}, right but not sure {tally.right_and_unsure / asked.cases:.2f}; element F1 "
            f"{f1:.3f} (false {tally.false}); {tally.ms / asked.cases:.1f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
