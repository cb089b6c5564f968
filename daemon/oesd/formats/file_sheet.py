"""A spectrum that came as a file as header lines and columns, and back: what its file told, nothing made up.

The settings stand as one line of JSON, as foreign files know some of them and not others; each line of the file's own
header is kept behind ``Of File ``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from oesd.formats.assembly import check_increasing
from oesd.formats.description import result_lines
from oesd.formats.errors import FormatError
from oesd.formats.ranges import mask_from_text, mask_text
from oesd.model import FloatArray, Measurement, Quantity, Result, SpectrumFile

FILE_FORMAT = "file 1"
OF_FILE = "Of File "
_WARNING = "Warning of File "
_CURVE_FROM = "Scope Corrected From"
_COLUMNS = {
    "sample": "sample", "dark": "dark", "reference": "reference", "short": "short", "sample_spread": "spread",
    "short_dark": "short_dark", "dark_variance": "dark_variance",
}  # fmt: skip
_MASKS = {
    "Saturated Pixels": "saturated",
    "Short Saturated Pixels": "short_saturated",
    "Reference Saturated Pixels": "reference_saturated",
}
_WHOLE = (
    "integration_us", "scans", "boxcar_half_width_px", "short_integration_us", "dark_scans", "dark_integration_us",
    "reference_scans",
)  # fmt: skip
_MAY_LACK = ("integration_us", "short_integration_us", "dark_integration_us", "saturation_counts")
_SEVERAL = ("nonlinearity", "electric_dark_pixels", "dead_pixels", "stray_light")


def file_header(file: SpectrumFile, data_id: str, result: Result | None) -> dict[str, str]:
    """Header lines of a file's spectrum."""
    return dict(_lines(file, data_id, result))


def _lines(file: SpectrumFile, data_id: str, result: Result | None) -> Iterator[tuple[str, str]]:
    yield "oesd Format", FILE_FORMAT
    yield "Data ID", data_id
    yield "Record ID", file.record_id
    yield "Source Format", file.format
    yield "Settings", json.dumps(_settings(file.measurement), separators=(",", ":"))
    masks = {line: getattr(file.measurement, name) for line, name in _MASKS.items()}
    yield from ((line, mask_text(mask)) for line, mask in masks.items() if mask is not None)
    yield _CURVE_FROM, "file" if file.processed is not None else "result" if result else "sample - dark"
    yield "Own Spread", "Yes" if file.spread is not None else "No"
    yield from ((f"{_WARNING}{number}", text) for number, text in enumerate(file.warnings, start=1))
    yield from ((f"{OF_FILE}{name}", text) for name, text in file.metadata.items())
    if result is not None:
        yield from result_lines(result)


def _settings(measurement: Measurement) -> dict[str, Any]:
    numbers = {name: getattr(measurement, name) for name in (*_WHOLE, "saturation_counts")}
    several = {name: list(getattr(measurement, name)) for name in _SEVERAL}
    return {**numbers, **several, "quantity": measurement.quantity.value}


def file_columns(file: SpectrumFile, result: Result | None) -> dict[str, FloatArray]:
    """Columns of a file's spectrum by their names."""
    measured = file.measurement
    corrected = result.analysis.scope_corrected if result else _less_dark(measured)
    there = {name: getattr(measured, attribute) for name, attribute in _COLUMNS.items()}
    if there["sample_spread"] is None and file.spread is not None:
        there["sample_spread"] = file.spread
    curve = corrected if file.processed is None else file.processed
    columns = {"wavelength_nm": measured.wavelengths_nm, "scope_corrected": curve}
    return columns | {name: values for name, values in there.items() if values is not None}


def _less_dark(measured: Measurement) -> FloatArray:
    return measured.sample if measured.dark is None else measured.sample - measured.dark


def spectrum_from_lines(form: str, header: Mapping[str, str], columns: Mapping[str, FloatArray]) -> SpectrumFile:
    """Return what :func:`file_header` and :func:`file_columns` were made from.

    Raises
    ------
    FormatError
        When a line is missing or makes no sense.
    """
    check_increasing(columns["wavelength_nm"])
    if "sample" not in columns:
        raise FormatError("no column 'sample'")
    pixels = len(columns["sample"])
    masks = {name: mask_from_text(header[line], pixels) for line, name in _MASKS.items() if line in header}
    spread = columns.get("sample_spread")
    return SpectrumFile(
        format=form,
        measurement=_measurement(header, columns, masks),
        processed=columns["scope_corrected"] if header.get(_CURVE_FROM) == "file" else None,
        metadata={
            **{name: text for name, text in header.items() if not name.startswith((OF_FILE, _WARNING))},
            **{name.removeprefix(OF_FILE): text for name, text in header.items() if name.startswith(OF_FILE)},
        },
        record_id=header.get("Record ID", ""),
        warnings=tuple(text for name, text in header.items() if name.startswith(_WARNING)),
        spread=spread.astype(np.float32) if spread is not None and header.get("Own Spread") == "Yes" else None,
    )


def _measurement(header: Mapping[str, str], columns: Mapping[str, FloatArray], masks: Mapping[str, Any]) -> Measurement:
    try:
        told = _told(json.loads(header["Settings"]))
    except (KeyError, ValueError, TypeError, RecursionError):
        raise FormatError("the header line 'Settings' is missing or damaged") from None
    arrays: dict[str, Any] = {attribute: columns[name] for name, attribute in _COLUMNS.items() if name in columns}
    return Measurement(wavelengths_nm=columns["wavelength_nm"], **told, **masks, **arrays)


def _told(given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, each what it must be; KeyError, ValueError or TypeError otherwise."""
    whole = {name: _whole(given[name], name) for name in _WHOLE}
    several = {name: tuple(given[name]) for name in _SEVERAL}
    saturation = given["saturation_counts"]
    if not all(_is_number(x) for x in (0.0 if saturation is None else saturation, *sum(several.values(), ()))):
        raise ValueError("no number")
    return {**whole, **several, "saturation_counts": saturation, "quantity": Quantity(given["quantity"])}


def _whole(value: object, name: str) -> int | None:
    if value is None and name in _MAY_LACK:
        return None
    if type(value) is not int or not 0 <= value < 10**15:
        raise ValueError(name)
    return value


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(value))  # type: ignore[arg-type]
