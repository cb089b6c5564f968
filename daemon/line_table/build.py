"""Build the line tables that travel in the package, out of two PyPI wheels read as zip files.

::

    pip download --no-deps libskit==0.2 pypeit==2.0.1 -d WHEELS
    python daemon/line_table/build.py WHEELS

    libskit wheel --read_asd-----.
    pypeit wheel  --read_infrared-+-> rows --prominence--> keep --merge--> lines.npz         (engine)
    by hand       --HELIUM_1083--'              '--------> scene elements-> scene_lines.npz  (virtual spectrometers)

The wheels are never installed or imported. README.md beside this file describes the arrays and their sources.
The same wheels give the same bytes: nothing here depends on the clock, the machine or the order of a set.
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = "nist-asd-libskit-0.2+pypeit-2.0.1 r2"
SOURCES = (
    "NIST Atomic Spectra Database (Kramida, Ralchenko, Reader and NIST ASD Team, https://physics.nist.gov/asd), "
    "as redistributed in the PyPI wheels libskit 0.2 (MIT; nist_asd_lines_vacuum.csv and "
    "ionization_energies_processed.csv) and pypeit 2.0.1 (BSD-3-Clause; arc_lines/lists/*I_lines.dat, "
    "1001-1105 nm only); He I 1083 nm typed from NIST ASD. Air: Peck and Reeder, J. Opt. Soc. Am. 62, 958 (1972)."
)

ROOT = Path(__file__).resolve().parents[2]
ENGINE_TABLE = "daemon/oesd/engine/data/lines.npz"
SCENE_TABLE = "drivers/oesd_drivers/virtual/data/scene_lines.npz"

SCENE_ELEMENTS = "Ar He Ne Kr Xe Hg H N O F Cl Al Cu Ti Ga In As Zn Fe Cr Mo W Na K Ca Mg Si Mn Sr Ba La".split()
STAGES = (1, 2)
LEAST_PROMINENCE = -2.6  # log10 below the strongest line of the species: weak lines explain peaks too
LEAST_IN_WINDOW = -2.7  # log10 below the strongest of the species' window, at any of WINDOW_EXCITATION_EV
WINDOW_EXCITATION_EV = (0.5, 1.5)  # from an arc to a hot discharge, where a spectrometer may see that window alone
WINDOWS_NM = (300, 450, 700)
MERGE_NM = 0.003  # no spectrometer of ours tells components closer than this apart
MERGE_EV = 0.01  # components of one multiplet emit together, accidental neighbours do not
EXCITATION_EV = 0.7  # about 8100 K, between an arc and a low-pressure plasma
WAVELENGTH_STEP_NM = 2.0**-14  # 0.00006 nm: far finer than any axis; zero low bytes compress
ENERGY_STEP_EV = 2.0**-13

# NIST ASD, He I 2s 3S - 2p 3P*, beyond the end of libskit's dump: air nm, gk, Ek in eV, relative intensity.
HELIUM_1083 = ((1082.909, 1.0, 20.964219, 300.0), (1083.025, 3.0, 20.964096, 1e3), (1083.034, 5.0, 20.964087, 2e3))
HELIUM_1083_AKI_S1, HELIUM_1083_EI_EV = 1.0216e7, 19.819615  # of all three

NUMBERS = ("wl_vac_nm", "aki_s1", "gk", "ek_ev", "ei_ev", "intens")
ROW = np.dtype([("element", "U2"), ("stage", "i1"), *((name, "f8") for name in NUMBERS), ("observed", "?")])
FloatArray = NDArray[np.float64]
Rows = NDArray[np.void]


def air_index(vacuum_nm: FloatArray) -> FloatArray:
    """Refractive index of standard air (15 C, 101325 Pa), as NIST uses it.

    Source: E. R. Peck and K. Reeder, J. Opt. Soc. Am. 62, 958 (1972), five-parameter form.
    """
    wavenumber_squared = (1e3 / vacuum_nm) ** 2  # 1/um^2
    return 1 + 1e-8 * (8060.51 + 2480990 / (132.274 - wavenumber_squared) + 17455.7 / (39.32957 - wavenumber_squared))


def read_asd(wheel: zipfile.ZipFile) -> Rows:
    """Electric-dipole lines of the kept stages out of libskit's dump of NIST ASD (vacuum wavelengths, 200-1001 nm)."""
    text = wheel.read("libskit/data/nist_asd_lines_vacuum.csv").decode("utf-8")
    return np.array([_asd_row(line) for line in csv.DictReader(text.splitlines()) if _is_wanted(line)], dtype=ROW)


def _is_wanted(line: Mapping[str, str]) -> bool:
    """Natural elements only (not 198Hg, D, T), stages I and II, no forbidden or hyperfine lines."""
    natural = line["element"].isalpha() and line["element"] not in ("D", "T")
    if not natural or int(line["sp_num"]) not in STAGES or line["Type"]:
        return False
    # Hydrogen stands there twice: each line averaged over its fine structure (no J), and every component of it.
    return line["element"] != "H" or not line["J_k"]


def _asd_row(line: Mapping[str, str]) -> tuple[Any, ...]:
    known_level = line["Ek(eV)"] != ""  # where it is not, g = 1 is a placeholder
    return (
        line["element"],
        int(line["sp_num"]),
        float(line["ritz_wl_vac(nm)"] or line["obs_wl_vac(nm)"]),
        _number(line["Aki(s^-1)"]),
        _number(line["g_k"]) if known_level else np.nan,
        _number(line["Ek(eV)"]),
        _number(line["Ei(eV)"]),
        _number(line["intens"]),
        line["obs_wl_vac(nm)"] != "",
    )


def _number(text: str) -> float:
    """Leading number of a field such as ``500*``, ``(30)`` or ``1000bl(Fe II)``; NaN when there is none."""
    found = re.match(r"\s*[(\[]*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)", text)
    return float(found.group(1)) if found else np.nan


def read_infrared(wheel: zipfile.ZipFile) -> Rows:
    """Neutral lines at 1001-1105 nm, where libskit's dump ends, out of pypeit's arc lists (vacuum, Angstrom)."""
    names = sorted(n for n in wheel.namelist() if re.search(r"arc_lines/lists/[A-Z][a-z]?I_lines\.dat$", n))
    rows = {row[:3]: row for name in names for row in _arc_rows(wheel.read(name).decode("utf-8"))}
    return np.array([rows[key] for key in sorted(rows)], dtype=ROW)


def _arc_rows(text: str) -> Iterator[tuple[Any, ...]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 6 and cells[0].endswith("I") and 1001.2 < float(cells[1]) / 10 < 1105:
            element, vacuum_nm = cells[0][:-1], round(float(cells[1]) / 10, 6)
            yield (element, 1, vacuum_nm, np.nan, np.nan, np.nan, np.nan, _number(cells[4]), True)


def helium_1083() -> Rows:
    """Return the He I 1083 nm triplet, the one strong line of the range that neither wheel holds."""
    air_nm = np.array([line[0] for line in HELIUM_1083])
    vacuum_nm = air_nm * air_index(air_nm * 1.000274)
    rows = [
        ("He", 1, vacuum, HELIUM_1083_AKI_S1, gk, ek, HELIUM_1083_EI_EV, intens, True)
        for vacuum, (_, gk, ek, intens) in zip(vacuum_nm, HELIUM_1083, strict=True)
    ]
    return np.array(rows, dtype=ROW)


def prominence(rows: Rows) -> FloatArray:
    """log10 of each line's strength relative to the strongest line of its species; NaN when nothing is known.

    The larger of three estimates, because none covers all lines: gk*Aki/wavelength at ``EXCITATION_EV``; the ASD
    relative intensity, 0.3 dex less; the same within one of four spectral windows, 0.7 dex less, as ASD takes UV and
    visible intensities from different papers on different scales. A heuristic: it ranks, it does not measure.
    """
    species, window = _species(rows), _window(rows)
    by_emission = _log_share(_emission(rows, EXCITATION_EV), species)
    by_intensity = _log_share(rows["intens"], species)
    in_window = np.fmin(_log_share(rows["intens"], window) - 0.7, by_intensity + 2.0)
    best: FloatArray = np.fmax(np.fmax(by_emission, by_intensity - 0.3), in_window)
    return best.round(2)


def is_kept(rows: Rows, prom: FloatArray) -> NDArray[np.bool_]:
    """Whether a line is prominent in its species, or in one spectral window at some excitation."""
    window = _window(rows)
    seen = [_log_share(_emission(rows, kt_ev), window) >= LEAST_IN_WINDOW for kt_ev in WINDOW_EXCITATION_EV]
    return np.any([prom >= LEAST_PROMINENCE, *seen], axis=0)


def _species(rows: Rows) -> NDArray[np.str_]:
    return np.char.add(rows["element"], rows["stage"].astype("U1"))


def _window(rows: Rows) -> NDArray[np.str_]:
    """Species and spectral window of each line, as one name."""
    return np.char.add(_species(rows), np.digitize(rows["wl_vac_nm"], WINDOWS_NM).astype("U1"))


def _emission(rows: Rows, kt_ev: float) -> FloatArray:
    """Light of an optically thin plasma in equilibrium, energy on any scale; NaN where it is not known."""
    return np.asarray(rows["gk"] * rows["aki_s1"] / rows["wl_vac_nm"] * np.exp(-rows["ek_ev"] / kt_ev))


def _log_share(strength: FloatArray, group: NDArray[np.str_]) -> FloatArray:
    """log10(strength / largest of its group); NaN where the strength is unknown or zero."""
    known = np.where(strength > 0, strength, np.nan)
    names, member = np.unique(group, return_inverse=True)
    largest = np.full(len(names), -np.inf)
    np.fmax.at(largest, member, known)
    return np.asarray(np.log10(known / largest[member]))


def merge(rows: Rows, prom: FloatArray) -> tuple[Rows, FloatArray]:
    """Keep the most prominent of the lines of one species that lie within ``MERGE_NM``.

    It takes the gk*Aki of components with (nearly) the same upper energy with it, so that the light is not lost.
    """
    order = np.lexsort((rows["wl_vac_nm"], rows["stage"], rows["element"]))
    rows, prom = rows[order], prom[order]
    kept = np.ones(len(rows), dtype=bool)
    for line in np.argsort(-prom, kind="stable"):
        if kept[line]:
            absorbed = _components(rows, kept, line)
            kept[absorbed] = False
            rows["aki_s1"][line] = _joint_aki(rows, line, absorbed)
    return rows[kept], prom[kept]


def _components(rows: Rows, kept: NDArray[np.bool_], line: np.intp) -> list[int]:
    """Indices of the kept neighbours that belong to the line; rows are sorted by species and wavelength."""
    found = []
    for step in (-1, 1):
        other = int(line) + step
        while 0 <= other < len(rows) and _is_component(rows[other], rows[line]):
            found += [other] if kept[other] else []
            other += step
    return found


def _joint_aki(rows: Rows, line: np.intp, absorbed: list[int]) -> float:
    """Aki of the line that makes its gk*Aki the sum over all components of its upper energy."""
    gk, aki, ek = (rows[name][line] for name in ("gk", "aki_s1", "ek_ev"))
    parts = rows[absorbed]
    weights = (parts["gk"] * parts["aki_s1"])[np.abs(parts["ek_ev"] - ek) < MERGE_EV]
    return float(aki + np.nansum(weights) / gk) if gk > 0 else float(aki)


def _is_component(other: np.void, line: np.void) -> bool:
    same_species = other["element"] == line["element"] and other["stage"] == line["stage"]
    return bool(same_species and abs(other["wl_vac_nm"] - line["wl_vac_nm"]) < MERGE_NM)


def read_ionization(wheel: zipfile.ZipFile, elements: Iterable[str]) -> FloatArray:
    """Ionization energies in eV of the neutral atom and the singly charged ion, shape (elements, 2); NaN unknown."""
    text = wheel.read("libskit/data/ionization_energies_processed.csv").decode("utf-8")
    energies = {name: _number(energy) for name, energy in csv.reader(text.splitlines()[1:])}
    return np.array([[energies.get(f"{e} {roman}", np.nan) for roman in ("I", "II")] for e in elements])


def engine_table(rows: Rows, prom: FloatArray, ionization_wheel: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    """Arrays of lines.npz, sorted by air wavelength."""
    vacuum_nm = _rounded(rows["wl_vac_nm"], WAVELENGTH_STEP_NM)
    air_nm = _rounded(rows["wl_vac_nm"] / air_index(rows["wl_vac_nm"]), WAVELENGTH_STEP_NM)
    order = np.lexsort((rows["stage"], rows["element"], air_nm))
    rows, elements = rows[order], np.unique(rows["element"])
    return {
        "elements": elements,
        "ionization_ev": read_ionization(ionization_wheel, elements.tolist()),
        "element": np.searchsorted(elements, rows["element"]).astype(np.uint8),
        "stage": rows["stage"],
        "wl_air_nm": air_nm[order],
        "wl_vac_nm": vacuum_nm[order],
        "aki_s1": _significant(rows["aki_s1"]),
        "gk": rows["gk"].astype(np.float32),
        "ek_ev": _rounded(rows["ek_ev"], ENERGY_STEP_EV).astype(np.float32),
        "ei_ev": _rounded(rows["ei_ev"], ENERGY_STEP_EV).astype(np.float32),
        "intens": rows["intens"].astype(np.float32),
        "prom": prom[order].astype(np.float32),
        "observed": rows["observed"],
        "version": np.array(VERSION),
        "sources": np.array(SOURCES),
    }


def scene_table(table: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Arrays of scene_lines.npz: the same lines, elements of the virtual scenes only, what an optical model needs."""
    names = table["elements"][table["element"]]
    chosen = np.isin(names, SCENE_ELEMENTS)
    return {
        "element": names[chosen],
        "stage": table["stage"][chosen],
        "wl_air_nm": table["wl_air_nm"][chosen],
        "ga_s1": _significant(table["gk"][chosen].astype(np.float64) * table["aki_s1"][chosen]),
        "ek_ev": table["ek_ev"][chosen],
        "intens": table["intens"][chosen],
        "version": table["version"],
        "sources": table["sources"],
    }


def _rounded(values: FloatArray, step: float) -> FloatArray:
    return np.asarray(np.round(values / step) * step)


def _significant(values: FloatArray) -> NDArray[np.float32]:
    """float32 with 12 bits of mantissa (0.01 %): no transition probability is known better."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.round(mantissa * 4096) / 4096, exponent).astype(np.float32)


def write_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write what ``np.savez_compressed`` would, with a fixed time stamp, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def build(wheels: Path) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Both tables out of a directory that holds the two wheels."""
    libskit, pypeit = (_wheel(wheels, name) for name in ("libskit-0.2-*.whl", "pypeit-2.0.1-*.whl"))
    with libskit, pypeit:
        rows = np.concatenate([read_asd(libskit), read_infrared(pypeit), helium_1083()])
        prom = prominence(rows)
        kept = is_kept(rows, prom)
        table = engine_table(*merge(rows[kept], prom[kept]), libskit)
    return table, scene_table(table)


def _wheel(directory: Path, pattern: str) -> zipfile.ZipFile:
    found = sorted(directory.glob(pattern))
    if not found:
        raise SystemExit(f"{directory}: no {pattern}; see README.md beside this script")
    return zipfile.ZipFile(found[0])


def main() -> None:
    """Write both tables and say what is in them."""
    parser = argparse.ArgumentParser(description="Build lines.npz and scene_lines.npz.")
    parser.add_argument("wheels", type=Path, help="directory with the libskit and pypeit wheels")
    parser.add_argument("--root", type=Path, default=ROOT, help="tree to write into (default: this one)")
    chosen = parser.parse_args()
    table, scenes = build(chosen.wheels)
    for path, arrays in ((chosen.root / ENGINE_TABLE, table), (chosen.root / SCENE_TABLE, scenes)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_npz(path, arrays)
        elements = len(np.unique(arrays["element"]))
        print(f"{path.name}: {len(arrays['stage'])} lines, {elements} elements, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
