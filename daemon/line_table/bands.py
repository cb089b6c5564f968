"""Make ``daemon/oesd/engine/data/bands.npz``: what molecules' band systems would show, from moose-spectra.

::

    pip download --no-deps moose-spectra==0.3.1 -d WHEELS
    python daemon/line_table/bands.py WHEELS

Needs numpy; the wheel is read as a zip file and never imported. The same wheel gives the same bytes.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

VERSION = "moose-spectra 0.3.1, 1"
SYSTEMS = {"N2": "N2CB", "N2+": "N2PlusBX", "CN": "CNBX", "OH": "OHAX", "NH": "NHAX", "C2": "C2_swan"}
# Of rotation and of vibration.
TEMPERATURES_K = ((300.0, 3000.0), (600.0, 4000.0), (1200.0, 5000.0), (2500.0, 6000.0), (800.0, 3000.0))
K_CM = 0.6950348  # Boltzmann's constant in 1/cm per kelvin
BIN_NM = 0.04
FAINTEST = 4e-3
SHORTEST_NM, LONGEST_NM = 200.0, 1000.0
COLUMNS = "l.wavenumber, l.A, u.J, u.E_J, u.E_v"


def air_nm(vacuum_nm: np.ndarray) -> np.ndarray:
    """Peck and Reeder, J. Opt. Soc. Am. 62, 958 (1972), standard air; as for the atomic lines."""
    sigma2 = (1e3 / vacuum_nm) ** 2
    return vacuum_nm / (1.0 + 1e-8 * (8060.51 + 2480990.0 / (132.274 - sigma2) + 17455.7 / (39.32957 - sigma2)))


def lines_of(database: Path) -> np.ndarray:
    """Wavenumber, A, upper J, rotational and vibrational energy in 1/cm of every line, shape (lines, 5).

    The wavenumbers are asked, not the wavelengths: but for C2, those called "air" are longer than those in vacuum.
    """
    with sqlite3.connect(database) as connection:
        query = f"SELECT {COLUMNS} FROM lines l JOIN upper_states u ON l.upper_state = u.id"
        return np.array(connection.execute(query).fetchall(), dtype=np.float64)


def spectrum(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths of bins and the photons in each, (bins,) and (temperatures, bins), the strongest bin 1."""
    wavenumber, aki, j, rotation, vibration = lines.T
    wl = air_nm(1e7 / wavenumber)
    used = (wl > SHORTEST_NM) & (wl < LONGEST_NM) & np.isfinite(aki)
    place = np.round(wl[used] / BIN_NM).astype(np.int64)
    first = place.min()
    lifted = vibration - vibration.min()
    photons = [
        aki * (2.0 * j + 1.0) * np.exp(-rotation / (K_CM * hot) - lifted / (K_CM * shaken))
        for hot, shaken in TEMPERATURES_K
    ]
    light = np.stack([np.bincount(place - first, weights=row[used]) for row in photons])
    light /= light.max(axis=1, keepdims=True)
    kept = light.max(axis=0) > FAINTEST
    return (first + np.flatnonzero(kept)) * BIN_NM, light[:, kept]


def main() -> None:
    """Write the package's file from the wheel in the directory given."""
    wheel = next(Path(sys.argv[1]).glob("moose_spectra-*.whl"))
    target = Path(__file__).resolve().parents[1] / "oesd" / "engine" / "data" / "bands.npz"
    wl, system, relative = [], [], []
    with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(wheel) as packed:
        for number, name in enumerate(SYSTEMS.values()):
            nm, light = spectrum(lines_of(Path(packed.extract(f"Moose/data/{name}.db", directory))))
            wl.append(nm)
            relative.append(light)
            system.append(np.full(len(nm), number, dtype=np.uint8))
            print(f"{list(SYSTEMS)[number]}: {len(nm)} bins, brightest at", nm[np.argsort(-light[1])[:6]].round(2))
    np.savez_compressed(
        target,
        version=np.array(VERSION),
        systems=np.array(list(SYSTEMS)),
        wl_air_nm=np.concatenate(wl).round(2).astype(np.float64),
        system=np.concatenate(system),
        relative=np.concatenate(relative, axis=1).astype(np.float16),
    )


if __name__ == "__main__":
    main()
