"""Make ``data/lines.npz``: the atomic lines that the simulator's plasmas shine with, deeper than the engine's table.

    pip download --no-deps libskit==0.2 -d WHEELS
    python -m tests.support.plasma.deep_lines WHEELS

The same NIST Atomic Spectra Database as the engine's (A. Kramida, Yu. Ralchenko, J. Reader and NIST ASD Team; as dumped
in the wheel libskit 0.2, MIT), read by other code, every component for itself, with all lines that a plasma between
0.35 and 1.4 eV could show. It is frozen: when the engine's table changes, the cases do not.
"""

from __future__ import annotations

import csv
import io
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.support.plasma.molecules import air_nm
from tests.support.plasma.scenes import every_element

HERE = Path(__file__).parent / "data" / "lines.npz"
TEMPERATURES_EV = (0.35, 0.7, 1.4)
FAINTEST, FAINTEST_INTENSITY = 1e-4, 2e-3
MORE_OF = ("He", "Ne", "Ar", "Kr", "Xe", "Hg")
HIGHEST_EV = 60.0  # beyond are levels of an excited core
LEVELS_UNKNOWN = {(e, s) for e in ("Zr", "Nb", "Re", "Se") for s in ("1", "2")}
WINDOWS_NM = (300.0, 450.0, 700.0)
Row = tuple[str, int, float, float, float, float, float, float]


def rows_of(wheel: Path) -> Iterator[Row]:
    """(element, stage, vacuum nm, gk Aki, gk, upper eV, lower eV, intensity) of every usable line; NaN unknown."""
    wanted = set(every_element())
    with zipfile.ZipFile(wheel) as archive, archive.open("libskit/data/nist_asd_lines_vacuum.csv") as stream:
        for line in csv.DictReader(io.TextIOWrapper(stream, "utf-8")):
            usable = line["element"] in wanted and line["sp_num"] in ("1", "2") and not line["Type"]
            if usable:
                weight = _number(line["g_k"])
                nm = _number(line["ritz_wl_vac(nm)"] or line["obs_wl_vac(nm)"])
                energies = _number(line["Ek(eV)"]), _number(line["Ei(eV)"])
                if energies[0] > HIGHEST_EV:
                    continue
                strength = weight * _number(line["Aki(s^-1)"])
                if not np.isfinite(energies).all():
                    if (line["element"], line["sp_num"]) not in LEVELS_UNKNOWN:
                        continue
                    energies = _invented(nm)
                yield (line["element"], int(line["sp_num"]), nm, strength, weight, *energies, _number(line["intens"]))


def _invented(nm: float) -> tuple[float, float]:
    """Levels for species that have none at all in the database: the lower one within 1.5 eV."""
    lower_ev = 1.5 * (nm * 1e3 % 1.0)
    return lower_ev + 1239.841984 / nm, lower_ev


def _number(text: str) -> float:
    found = re.search(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", text)
    return float(found.group()) if found else float("nan")


def bright_enough(element: str, nm: NDArray[np.float64], strength: NDArray[np.float64], upper_ev: NDArray[np.float64],
                  intensity: NDArray[np.float64]) -> NDArray[np.bool_]:  # fmt: skip
    """Lines of one species that are not too faint, by strength at some temperature or by intensity in their window."""
    kept = np.zeros(len(nm), dtype=bool)
    for kt in TEMPERATURES_EV:
        light = np.nan_to_num(strength / nm * np.exp(-(upper_ev - upper_ev.min()) / kt))
        kept |= light > FAINTEST * light.max()
    least = FAINTEST_INTENSITY * (0.1 if element in MORE_OF else 1.0)
    window = np.digitize(nm, WINDOWS_NM)
    for w in range(len(WINDOWS_NM) + 1):
        mine = np.where(window == w, np.nan_to_num(intensity), 0.0)
        kept |= mine > least * max(float(mine.max()), 1.0)
    return kept


def table(wheel: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of data/lines.npz."""
    rows = sorted(set(rows_of(wheel)))
    symbols = np.array([r[0] for r in rows])
    stage = np.array([r[1] for r in rows])
    nm, strength, weight, upper, lower, intensity = (np.array([r[i] for r in rows]) for i in range(2, 8))
    kept = np.zeros(len(rows), dtype=bool)
    for key in sorted(set(zip(symbols.tolist(), stage.tolist(), strict=True))):
        mine = np.flatnonzero((symbols == key[0]) & (stage == key[1]))
        kept[mine] = bright_enough(key[0], nm[mine], strength[mine], upper[mine], intensity[mine])
    kept &= np.isfinite(strength) | np.isfinite(intensity)
    elements = np.unique(symbols)
    return {
        "elements": elements,
        "ionization_ev": _ionization(wheel, elements.tolist()),
        "element": np.searchsorted(elements, symbols[kept]).astype(np.uint8),
        "stage": stage[kept].astype(np.uint8),
        "air_nm_e4": np.round(1e4 * air_nm(nm[kept])).astype(np.uint32),
        "log_ga": np.log10(strength[kept]).astype(np.float16),
        "weight": np.nan_to_num(weight[kept]).astype(np.uint8),
        "upper_mev": np.round(1e3 * upper[kept]).astype(np.uint16),
        "lower_mev": np.round(1e3 * lower[kept]).astype(np.uint16),
        "log_intensity": np.log10(np.where(intensity[kept] > 0, intensity[kept], np.nan)).astype(np.float16),
    }


def _ionization(wheel: Path, elements: list[str]) -> NDArray[np.float64]:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("libskit/data/ionization_energies_processed.csv").decode()
    energy = {name: _number(value) for name, value in csv.reader(text.splitlines()[1:])}
    return np.array([[energy[f"{e} I"], energy.get(f"{e} II", np.nan)] for e in elements])


def main() -> None:
    wheel = next(Path(sys.argv[1]).glob("libskit-0.2-*.whl"))
    arrays = table(wheel)
    HERE.parent.mkdir(exist_ok=True)
    np.savez_compressed(HERE, **arrays)
    known = int(np.isfinite(arrays["log_ga"].astype(float)).sum())
    print(f"{len(arrays['stage'])} lines, {known} with gk Aki, {HERE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
