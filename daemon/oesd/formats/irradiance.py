r"""Irradiance calibrations as the vendor gives them: ``.IrradCal`` and ``.cal`` text, or a Jaz irradiance file.

::

    Fiber (micron)\t3900                   or  Collection-area (cm^2)  0.119
    Int. Time(usec)\t10000                 or  Integration Time (sec): 0.01
    [uJoule/count]                         a ``.cal`` may lack the line
    178.65\t1.23e-05                       wavelength, microjoules per count

A Jaz irradiance file holds dark D, sample S and irradiance P, and with its integration time t and collection area a the
calibration that made them: q = P t a dlambda / (S - D).
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from oesd.formats.assembly import FEWEST_PIXELS, check_increasing
from oesd.formats.decoding import Line, check_container, decode, split_lines
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.reading import read_spectrum
from oesd.formats.table import check_commas, read_rows, separator_of
from oesd.formats.vendor import has_marker, header_lines
from oesd.model import FloatArray, IrradianceCalibration, SpectrumFile

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_AREA = re.compile(r"collection[- ]?area", re.IGNORECASE)
_FIBRE = re.compile(r"fib(?:er|re)\s*\(micron", re.IGNORECASE)
_SPHERE = re.compile(r"int(?:\.|egrating)?\s*sphere", re.IGNORECASE)
_TIME = re.compile(r"int(?:\.|egration)?\s*time\s*\(\s*(usec|us|msec|ms|sec|s)\s*\)", re.IGNORECASE)
_MICROSECONDS = {"usec": 1.0, "us": 1.0, "msec": 1e3, "ms": 1e3, "sec": 1e6, "s": 1e6}
_LINE = re.compile(r"\s*([A-Za-z][^\t:]*?(?:\([^)\t:]*\))?)\s*(?:[:\t]|\s{2,}|(?<=\))\s*)\s*(.*)")
LEAST_P, LEAST_SHARE = 2e-4, 0.02  # of an irradiance written to six decimals, and of the highest count: told to 0.3 %


def read_calibration(data: bytes, filename: str = "") -> IrradianceCalibration:
    """Read an irradiance calibration out of the bytes of a file.

    Parameters
    ----------
    data : bytes
    filename : str
        Its name, for messages only.

    Raises
    ------
    FormatError
        One line: the file, the line, what is wrong.
    """
    try:
        check_container(data)
        lines = split_lines(decode(data))
        digest = hashlib.sha256(data).hexdigest()
        return _of_spectrum(read_spectrum(data), digest) if has_marker(lines) else _of_table(lines, digest)
    except FormatError as error:
        raise error.in_file(filename) from None


def _of_table(lines: Sequence[Line], digest: str) -> IrradianceCalibration:
    start = next((i for i, line in enumerate(lines) if separator_of(line.text) and _is_row(lines, i)), None)
    if start is None:
        raise FormatError("no calibration: no columns of wavelength and microjoules per count")
    header = _header(lines[:start])
    separator = separator_of(lines[start].text) or "\t"
    table = read_rows(lines[start:], separator)
    check_commas(lines[start:], separator, len(table.rows[0]))
    rows = np.array([row[:2] for row in table.rows])
    if len(rows) < FEWEST_PIXELS:
        raise FormatError(f"no calibration: {len(rows)} pixels, fewer than {FEWEST_PIXELS}")
    check_increasing(rows[:, 0], table.lines)
    area, warnings = _area_cm2(header)
    return _checked(rows[:, 0], rows[:, 1], area, _time_us(header), digest, header, warnings)


def _is_row(lines: Sequence[Line], at: int) -> bool:
    """Whether a line and the one below it are rows: a header line may read as two numbers by chance."""
    below = lines[at + 1 : at + 2]
    return bool(below) and separator_of(below[0].text) is not None


def _of_spectrum(file: SpectrumFile, digest: str) -> IrradianceCalibration:
    """Calibration that a Jaz irradiance file was made with."""
    measured, irradiance = file.measurement, file.processed
    if irradiance is None or measured.dark is None or measured.integration_us is None or file.format != "JazIrrad":
        raise FormatError("no calibration: a spectrum, and none with dark, sample and irradiance side by side")
    area, warnings = _area_cm2(file.metadata)
    net, axis = measured.sample - measured.dark, measured.wavelengths_nm
    told = (irradiance > LEAST_P) & (net > LEAST_SHARE * net.max())
    seconds = measured.integration_us * 1e-6
    energy = np.where(told, irradiance * seconds * (area or 1.0) * np.gradient(axis) / np.where(told, net, 1.0), np.nan)
    return _checked(axis, energy, area, measured.integration_us, digest, file.metadata, warnings)


def _checked(
    wavelengths_nm: FloatArray,
    uj_per_count: FloatArray,
    area_cm2: float | None,
    integration_us: int | None,
    digest: str,
    header: Mapping[str, str],
    warnings: tuple[str, ...],
) -> IrradianceCalibration:
    known = np.isfinite(uj_per_count) & (uj_per_count > 0.0)
    if known.sum() < FEWEST_PIXELS:
        raise FormatError(f"no calibration: {int(known.sum())} pixels have a positive energy per count")
    return IrradianceCalibration(
        wavelengths_nm=wavelengths_nm,
        uj_per_count=uj_per_count,
        collection_area_cm2=area_cm2,
        integration_us=integration_us,
        sha256=digest,
        metadata=dict(header),
        warnings=warnings,
    )


def _header(lines: Sequence[Line]) -> dict[str, str]:
    """Lines of a name and a value, parted by a colon, a tab or blanks."""
    found = (_LINE.fullmatch(line.text) for line in lines if line.text.strip())
    header = header_lines(lines)
    for match in found:
        if match is not None:
            header.setdefault(match[1].strip(), match[2].strip())
    return header


def _area_cm2(header: Mapping[str, str]) -> tuple[float | None, tuple[str, ...]]:
    """Collection area: none for a sphere, as written, else that of the fibre's core."""
    if _value(header, _SPHERE).lower() in ("yes", "true", "1"):
        return None, ("calibrated with an integrating sphere: a power per nm, no irradiance",)
    area = _amount(_value(header, _AREA))
    if area:
        return area, ()
    diameter_um = _amount(_value(header, _FIBRE))
    if not diameter_um:
        raise FormatError("the calibration tells no collection area ('Collection Area' or 'Fiber (micron)')")
    return math.pi * (diameter_um * 1e-4 / 2.0) ** 2, ()


def _time_us(header: Mapping[str, str]) -> int | None:
    for key, text in header.items():
        unit = _TIME.search(key)
        amount = _amount(text) if unit else None
        if unit and amount:
            return round(min(amount * _MICROSECONDS[unit[1].lower()], 1e15))
    return None


def _value(header: Mapping[str, str], name: re.Pattern[str]) -> str:
    return next((text.strip() for key, text in header.items() if name.search(key)), "")


def _amount(text: str) -> float | None:
    found = _NUMBER.match(text.replace(",", "."))
    if text and found is None:
        raise FormatError(f"expected a number, found '{shown(text)}'")
    return float(found.group()) if found else None
