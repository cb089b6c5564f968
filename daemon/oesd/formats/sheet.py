"""One spectrum as every export form holds it: header lines and columns, and how it becomes a spectrum again.

A form writes what is here and gives back the same; what the lines and columns mean is said once, in this module and in
:mod:`~oesd.formats.file_sheet`. The digest covers the content, not its layout, so it is one for all forms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oesd.formats.description import describe
from oesd.formats.errors import FormatError
from oesd.formats.file_sheet import FILE_FORMAT, file_columns, file_header, spectrum_from_lines
from oesd.formats.own import ROLES, parts_of, spectrum_from_header, sums_of
from oesd.formats.parts import Parts
from oesd.formats.table import MOST_PIXELS
from oesd.model import FloatArray, Peak, Result, SpectrumFile

AXIS, CURVE = "wavelength_nm", "scope_corrected"
COLUMNS = {
    AXIS: "wavelength in air, nm",
    CURVE: "sample less dark, linearised where the result says so",
    "sample": "mean raw counts of one scan",
    "dark": "mean raw counts of one scan, light blocked",
    "reference": "mean raw counts of one scan, reference light",
    "short": "mean raw counts of one scan, shorter exposure",
    "sample_spread": "standard deviation of the scans",
    "dark_spread": "standard deviation of the dark's scans, or a modelled dark's sigma",
    "short_dark": "dark of the shorter exposure",
    "dark_variance": "variance of the dark, counts^2",
}
DIGEST = "Content SHA256"
VERSION = "oesd Format"


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A spectrum ready to be written.

    Attributes
    ----------
    header : mapping of str to str
        Every metadatum, in order; foreign text as it is. The last line is the digest.
    columns : mapping of str to (pixels,) float64
        By the names of :data:`COLUMNS`, in their order; the first two are always there.
    peaks : tuple of Peak
        Of the latest result, for the forms that have tables; they stand in the header, too.
    elements : tuple of str
        Named in the latest result.
    """

    header: Mapping[str, str]
    columns: Mapping[str, FloatArray]
    peaks: tuple[Peak, ...] = ()
    elements: tuple[str, ...] = ()


def entry_sheet(parts: Parts) -> Sheet:
    """Sheet of an entry of captures."""
    means = {role: counted.sums / float(counted.parts) for role, counted in parts.counts().items()}
    spreads = {f"{role}_spread": spread.astype(np.float64) for role, spread in parts.deviations().items()}
    columns = {AXIS: parts.sample.device.wavelengths_nm, CURVE: parts.processed(), **means, **spreads}
    named = "; ".join(f"{name} {what}" for name, what in COLUMNS.items() if name in columns)
    return _sheet({**describe(parts), "Columns": named}, columns, parts.result)


def file_sheet(file: SpectrumFile, data_id: str, result: Result | None = None) -> Sheet:
    """Sheet of an entry that came as a file, ours or foreign."""
    return _sheet(file_header(file, data_id, result), file_columns(file, result), result)


def _sheet(header: Mapping[str, str], columns: Mapping[str, FloatArray], result: Result | None) -> Sheet:
    ordered = {name: np.ascontiguousarray(columns[name], np.float64) for name in COLUMNS if name in columns}
    peaks = () if result is None else result.analysis.detected_peaks
    elements = () if result is None else tuple(found.element for found in result.analysis.elements)
    return Sheet({**header, DIGEST: _digest(header, ordered)}, ordered, peaks, elements)


def spectrum_of(form: str, header: Mapping[str, str], columns: Mapping[str, FloatArray]) -> SpectrumFile:
    """Spectrum of a sheet that was read; ``form`` names what it was read from.

    Raises
    ------
    FormatError
        When it is not what was written, and for every damage.
    """
    columns = _checked(columns)
    lines = {name: text for name, text in header.items() if name != DIGEST}
    if header.get(DIGEST) != _digest(lines, columns):
        raise FormatError(
            f"the content does not have the SHA-256 that its header gives: it was changed since oesd wrote it "
            f"(without the line '{DIGEST}' it is read as foreign data)"
        )
    if lines.get(VERSION) == FILE_FORMAT:
        return spectrum_from_lines(form, lines, columns)
    if "sample" not in columns:
        raise FormatError("no column 'sample'")
    roles = [role for role in ROLES if role in columns]
    sums = {role: sums_of(columns[role], parts_of(lines, role)) for role in roles}
    scatter = {role: columns[f"{role}_spread"] for role in ("sample", "dark") if f"{role}_spread" in columns}
    return spectrum_from_header(form, lines, columns[AXIS], sums, columns[CURVE], scatter)


def _checked(columns: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """The columns in their order, all known, of one length and finite."""
    if unknown := sorted(set(columns) - set(COLUMNS)):
        raise FormatError(f"an unknown column {unknown[0]!a:.80}")
    if not {AXIS, CURVE} <= set(columns):
        raise FormatError(f"the columns '{AXIS}' and '{CURVE}' are not both there")
    length = len(columns[AXIS])
    if not 0 < length <= MOST_PIXELS:
        raise FormatError(f"{length} pixels: not from 1 to {MOST_PIXELS}")
    for name, values in columns.items():
        if len(values) != length or not np.isfinite(values).all():
            raise FormatError(f"the column '{name}' is not {length} finite numbers")
    return {name: np.ascontiguousarray(columns[name], np.float64) for name in COLUMNS if name in columns}


def _digest(header: Mapping[str, str], columns: Mapping[str, FloatArray]) -> str:
    """SHA-256 of names and texts, each ended by a zero, and of the columns as little-endian float64."""
    digest = hashlib.sha256()
    for name, text in header.items():
        digest.update(f"{len(name)}:{name}={len(text)}:{text}\0".encode("utf-8", "surrogatepass"))
    for name, values in columns.items():
        digest.update(name.encode("ascii") + b"\0")
        digest.update(values.astype("<f8", copy=False).tobytes())
    return digest.hexdigest()
