"""JSON that others write: ``wavelengths`` and ``sample`` side by side (GET /oes among them), and the ``spd`` form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from oesd.formats.assembly import Parts, assemble
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.moments import moment_of_timestamp
from oesd.formats.settings import Settings
from oesd.formats.table import MOST_PIXELS, finite
from oesd.model import SpectrumFile


def read_json(document: Mapping[str, Any]) -> SpectrumFile:
    """Spectrum of a JSON object.

    Raises
    ------
    FormatError
        When it holds none, or what it holds is no list of finite numbers.
    """
    if "spd" in document:
        return assemble(_spd(document))
    if "wavelengths" in document and ("sample" in document or "scope_corrected" in document):
        return assemble(_arrays(document))
    raise FormatError(f"no spectrum: a JSON object with {_keys(document)}, without 'wavelengths' and 'sample'")


def _keys(document: Mapping[str, Any]) -> str:
    return ", ".join(f"'{shown(key)}'" for key in list(document)[:4]) or "no keys"


def _arrays(document: Mapping[str, Any]) -> Parts:
    """``wavelengths`` and spectra beside them, each of which may be null, and settings."""
    unit = document.get("wavelength_unit", "nm")
    if unit != "nm":
        raise FormatError(f"the wavelengths are in '{shown(str(unit))}', not in nm")
    about = document.get("spectral_metadata")
    known = {**(about if isinstance(about, dict) else {}), **document}
    names = {"wavelengths": "wavelength", "scope_corrected": "processed"}
    keys = ("wavelengths", "sample", "dark", "reference", "scope_corrected")
    shows_oes = "scope_corrected" in document or "detected_peaks" in document
    return Parts(
        format="OES document" if shows_oes else "JSON arrays",
        columns={names.get(key, key): _numbers(document[key], key) for key in keys if document.get(key) is not None},
        header=_texts(known),
        saturation_counts=_number(known, "saturation_counts"),
        nonlinearity=tuple(_numbers(known.get("nonlinearity") or [], "nonlinearity")),
        found=Settings(
            integration_us=_integer(known, "integration_us"),
            scans=_integer(known, "scans_averaged") or _integer(known, "scans"),
            boxcar_half_width_px=_integer(known, "boxcar_half_width_px"),
            serial=str(known.get("serial") or ""),
            taken_at=str(known.get("taken_at") or known.get("taken_at_utc") or ""),
        ),
    )


def _spd(document: Mapping[str, Any]) -> Parts:
    """Spectral power by nm, or its raw pixels where given; ``time`` in ms, ``device`` ends with the serial."""
    constants = _inner(document, "meta", "constants")
    corrected = bool(_inner(document, "meta", "properties").get("correct_nonlinearity"))
    highest_first = constants.get("nonlinearity_coeffs") or []
    time_ms = _number(document, "time")
    timestamp = _number(document, "ts")
    return Parts(
        format="spd",
        columns=_spd_columns(document),
        header=_texts(document),
        saturation_counts=_number(constants, "max_intensity"),
        nonlinearity=() if corrected else tuple(_numbers(highest_first, "nonlinearity_coeffs")[::-1]),
        warnings=() if document.get("y_axis") == "counts" else ("the values are no raw counts",),
        found=Settings(
            integration_us=None if time_ms is None else round(time_ms * 1000),
            scans=None,
            boxcar_half_width_px=None,
            serial=str(document.get("device") or "").rpartition(" ")[2],
            taken_at=(None if timestamp is None else moment_of_timestamp(timestamp)) or "",
        ),
    )


def _spd_columns(document: Mapping[str, Any]) -> dict[str, list[float]]:
    if "wavelengths_raw" in document and "spd_raw" in document:
        return {
            "wavelength": _numbers(document["wavelengths_raw"], "wavelengths_raw"),
            "sample": _numbers(document["spd_raw"], "spd_raw"),
        }
    spd = document["spd"]
    if not isinstance(spd, dict):
        raise FormatError("'spd' is no object of values by wavelength")
    return {
        "wavelength": [finite(key, None) for key in spd],
        "sample": _numbers(list(spd.values()), "spd"),
    }


def _numbers(values: object, name: str) -> list[float]:
    if not isinstance(values, list) or len(values) > MOST_PIXELS:
        raise FormatError(f"'{name}' is no list of at most {MOST_PIXELS} numbers")
    for i, value in enumerate(values):
        if type(value) not in (int, float) or not math.isfinite(value):
            raise FormatError(f"{name}[{i}] is no finite number: {shown(str(value))}")
    return [float(value) for value in values]


def _out_of_text(value: Any) -> Any:
    """A whole number that stands as text: a hub has the header lines of a file."""
    whole = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 15
    return int(value) if whole else value


def _number(document: Mapping[str, Any], name: str) -> float | None:
    value = _out_of_text(document.get(name))
    if value is not None and (type(value) not in (int, float) or not 0 <= value < 1e12):
        raise FormatError(f"'{name}' is no sensible number: {shown(str(value))}")
    return None if value is None else float(value)


def _integer(document: Mapping[str, Any], name: str) -> int | None:
    value = _number(document, name)
    return None if value is None else round(value)


def _inner(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _texts(document: Mapping[str, Any]) -> dict[str, str]:
    """Scalars of the document as header lines."""
    return {key: str(value) for key, value in document.items() if isinstance(value, str | int | float)}
