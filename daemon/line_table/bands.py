"""Make ``daemon/oesd/engine/data/bands.npz``: what molecules' band systems would show.

::

    pip download --no-deps moose-spectra==0.3.1 -d WHEELS
    python daemon/line_table/bands.py WHEELS

Six systems from the line lists of moose-spectra, the others synthesised (``diatomics.py``, ``constants.py``). Needs
numpy; the wheel is read as a zip file and never imported. The same wheel gives the same bytes.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

import constants
import numpy as np
from diatomics import lines_of

VERSION = "moose-spectra 0.3.1 and synthesised systems, 3"
PACKAGED = {"N2": "N2CB", "N2+": "N2PlusBX", "CN": "CNBX", "OH": "OHAX", "NH": "NHAX", "C2": "C2_swan"}
# Of rotation and of vibration.
TEMPERATURES_K = ((300.0, 3000.0), (600.0, 4000.0), (1200.0, 5000.0), (2500.0, 6000.0), (800.0, 3000.0))
# Electrons lift N2 from its ground state into many levels of B at once, and atoms that meet again into the highest.
SHAKEN = {"N2 1+": ((300.0, 3000.0), (600.0, 5000.0), (1200.0, 8000.0), (2500.0, 6000.0), (800.0, 12000.0))}
K_CM = 0.6950348  # Boltzmann's constant in 1/cm per kelvin
BIN_NM = 0.04
FAINTEST = 4e-3
SHORTEST_NM, LONGEST_NM = 200.0, 1000.0
COLUMNS = "l.wavenumber, l.A, u.J, u.E_J, u.E_v"
WIDTHS_NM = 0.16 * 1.25 ** np.arange(15)  # of lines, for which the peaks of a band are worked out
PER_WIDTH = 8  # grid points in a line width
FAINTEST_PEAK = 1e-2
MOST_PEAKS = 120
CONTINUUM_WIDTHS = 8  # half the width of what the engine takes for continuum
ONE_PEAK = 0.5  # line widths: maxima at different temperatures as near as that are one peak


def air_nm(vacuum_nm: np.ndarray) -> np.ndarray:
    """Peck and Reeder, J. Opt. Soc. Am. 62, 958 (1972), standard air; as for the atomic lines."""
    sigma2 = (1e3 / vacuum_nm) ** 2
    return vacuum_nm / (1.0 + 1e-8 * (8060.51 + 2480990.0 / (132.274 - sigma2) + 17455.7 / (39.32957 - sigma2)))


def packaged_lines(database: Path) -> np.ndarray:
    """Wavenumber, A, upper J, rotational and vibrational energy in 1/cm of every line, shape (lines, 5).

    The wavenumbers are asked, not the wavelengths: but for C2, those called "air" are longer than those in vacuum.
    """
    with sqlite3.connect(database) as connection:
        query = f"SELECT {COLUMNS} FROM lines l JOIN upper_states u ON l.upper_state = u.id"
        return np.array(connection.execute(query).fetchall(), dtype=np.float64)


def spectrum(
    lines: np.ndarray, temperatures_k: tuple[tuple[float, float], ...] = TEMPERATURES_K
) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths of bins and the photons in each, (bins,) and (temperatures, bins), the strongest bin 1."""
    wavenumber, aki, j, rotation, vibration = lines.T
    wl = air_nm(1e7 / wavenumber)
    used = (wl > SHORTEST_NM) & (wl < LONGEST_NM) & np.isfinite(aki)
    place = np.round(wl[used] / BIN_NM).astype(np.int64)
    first = place.min()
    lifted = vibration - vibration.min()
    photons = [
        aki * (2.0 * j + 1.0) * np.exp(-rotation / (K_CM * hot) - lifted / (K_CM * shaken))
        for hot, shaken in temperatures_k
    ]
    light = np.stack([np.bincount(place - first, weights=row[used]) for row in photons])
    light /= light.max(axis=1, keepdims=True)
    kept = light.max(axis=0) > FAINTEST
    return (first + np.flatnonzero(kept)) * BIN_NM, light[:, kept]


def peaks(nm: np.ndarray, light: np.ndarray, width_nm: float) -> tuple[np.ndarray, np.ndarray]:
    """Peaks that a spectrometer with lines so wide shows of a band, above its own continuum, the brightest 1.

    Returns wavelengths (peaks,) and heights (temperatures, peaks).
    """
    step = width_nm / PER_WIDTH
    first = nm.min() - 10.0 * width_nm
    place = (nm - first) / step
    size = int(place.max()) + 10 * PER_WIDTH
    shown = np.stack([_shown(place, row, size) for row in light])
    top = shown.max(axis=1, keepdims=True)
    found = shown / np.where(top > 0.0, top, 1.0)
    inner = found[:, 1:-1]
    is_top = (inner > found[:, :-2]) & (inner >= found[:, 2:]) & (inner > FAINTEST_PEAK)
    candidates = np.flatnonzero(is_top.any(axis=0)) + 1
    chosen: list[int] = []
    for at in candidates[np.argsort(-found[:, candidates].max(axis=0), kind="stable")]:
        if len(chosen) < MOST_PEAKS and all(abs(at - other) > ONE_PEAK * PER_WIDTH for other in chosen):
            chosen.append(int(at))
    places = np.array(sorted(chosen), dtype=np.int64)
    return first + places * step, found[:, places]


def _shown(place: np.ndarray, row: np.ndarray, size: int) -> np.ndarray:
    """One band on a grid, convolved with a line and less what the engine would take for continuum (SNIP)."""
    grid = np.zeros(size)
    low = np.floor(place).astype(np.int64)
    np.add.at(grid, low, row * (1.0 - (place - low)))
    np.add.at(grid, low + 1, row * (place - low))
    offset = np.arange(-2 * PER_WIDTH, 2 * PER_WIDTH + 1) / PER_WIDTH
    seen = np.convolve(grid, np.exp(-4.0 * np.log(2.0) * offset**2), mode="same")
    floor = seen.copy()
    for reach in range(CONTINUUM_WIDTHS * PER_WIDTH, PER_WIDTH // 2, -2):
        beside = 0.5 * (np.roll(floor, reach) + np.roll(floor, -reach))
        floor = np.minimum(floor, beside)
    return seen - floor


def all_spectra(wheel: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Bins and light of every system."""
    found = {}
    with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(wheel) as packed:
        for name, table in PACKAGED.items():
            found[name] = spectrum(packaged_lines(Path(packed.extract(f"Moose/data/{table}.db", directory))))
    return found | {
        name: spectrum(lines_of(system), SHAKEN.get(name, TEMPERATURES_K)) for name, system in constants.SYSTEMS.items()
    }


def main() -> None:
    """Write the package's file from the wheel in the directory given."""
    spectra = all_spectra(next(Path(sys.argv[1]).glob("moose_spectra-*.whl")))
    number = {name: np.uint8(i) for i, name in enumerate(spectra)}
    found = [[(name, *peaks(nm, light, float(width))) for name, (nm, light) in spectra.items()] for width in WIDTHS_NM]
    flat = [entry for of_width in found for entry in of_width]
    for name, (nm, light) in spectra.items():
        print(f"{name}: {len(nm)} bins, brightest at", nm[np.argsort(-light[1])[:4]].round(2))
    np.savez_compressed(
        Path(__file__).resolve().parents[1] / "oesd" / "engine" / "data" / "bands.npz",
        version=np.array(VERSION),
        systems=np.array(list(spectra)),
        wl_air_nm=np.concatenate([nm for nm, _ in spectra.values()]).round(2).astype(np.float64),
        system=np.concatenate([np.full(len(nm), number[name]) for name, (nm, _) in spectra.items()]),
        relative=np.concatenate([light for _, light in spectra.values()], axis=1).astype(np.float16),
        width_nm=WIDTHS_NM,
        peak_first=np.cumsum([0, *(sum(len(nm) for _, nm, _ in of_width) for of_width in found)]),
        peak_nm=np.concatenate([nm for _, nm, _ in flat]).round(3),
        peak_system=np.concatenate([np.full(len(nm), number[name]) for name, nm, _ in flat]),
        peak_relative=np.concatenate([height for _, _, height in flat], axis=1).astype(np.float16),
    )


if __name__ == "__main__":
    main()
