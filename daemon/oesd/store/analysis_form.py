"""An analysis as bytes, next to the measurement it was made from.

The spectra that the engine was given are not stored a second time: of each it is noted that it is *the same* as the
measurement's, or the same rounded to thousandths, and it is kept only when it is neither. ``scope_corrected`` is kept
as what the dark's subtraction (or the linearisation) does not already tell. ``baseline``, ``noise`` and ``evidence``
are left out: the engine makes them again from the same inputs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oesd.model import (
    Ambiguity,
    Analysis,
    AxisCorrection,
    ElementFinding,
    FloatArray,
    LineSpread,
    Means,
    Measurement,
    Peak,
    Recipe,
)
from oesd.store.bundle import pack_bundle, unpack_bundle
from oesd.store.encoding import (
    EncodingError,
    Prediction,
    alone,
    pack_floats,
    pack_milli,
    told_alone,
    unpack_floats,
    unpack_milli,
)
from oesd.store.integrity import fingerprint
from oesd.store.known_metadata import NOT_OF_THE_ENGINE, kept_of, whole_of
from oesd.store.peak_columns import PeakColumns
from oesd.store.peak_numbers import pack_numbers, unpack_numbers
from oesd.store.peak_table import pack_peaks, unpack_peaks

_GIVEN = ("wavelengths_nm", "sample", "dark", "reference")
_SAME, _ROUNDED, _OWN = "same", "rounded", "own"


@dataclass(frozen=True, slots=True, eq=False)
class PackedAnalysis:
    """An analysis as values and blobs, ready for the writer.

    Attributes
    ----------
    content : bytes
        Fingerprint of what the engine says: the same for the same analysis.
    """

    peaks: tuple[Peak, ...]
    wavelengths_nm: FloatArray
    values: Mapping[str, Any]
    blobs: Mapping[str, bytes]
    content: bytes

    def with_peaks(self, peaks: tuple[Peak, ...]) -> PackedAnalysis:
        """Return it with the ids that the entry gives its peaks; nothing is to do where they are as the engine's."""
        if [peak.peak_id for peak in peaks] == [peak.peak_id for peak in self.peaks]:
            return self
        return _packed(peaks, self.wavelengths_nm, self.values, self.blobs)

    def payload(self, metadata: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> bytes:
        """All of it, with the caller's metadata, as one blob; of these without what is known to the reader, too."""
        return pack_bundle({**self.values, **kept_of(metadata, known or {})}, self.blobs)


def pack_analysis(analysis: Analysis, measurement: Measurement) -> PackedAnalysis:
    """Encode an analysis against the measurement it was made from."""
    blobs = {"scope_corrected": pack_milli(analysis.scope_corrected, _predictions(measurement))}
    given: dict[str, Any] = {}
    told = told_alone(blobs["scope_corrected"])
    if told is not None:
        del blobs["scope_corrected"]
        given["scope_corrected"] = told
    for name in _GIVEN:
        array = getattr(analysis, name)
        if array is not None:
            given[name] = _told_by(array, getattr(measurement, name))
            if given[name] == _OWN:
                blobs[name] = pack_floats(array)
    return _packed(analysis.detected_peaks, analysis.wavelengths_nm, {"analysis": _values(analysis, given)}, blobs)


def unpack_payload(
    payload: bytes, measurement: Measurement, known: Mapping[str, Any] | None = None
) -> tuple[Analysis, dict[str, Any]]:
    """Analysis and metadata, as packed with the same measurement and known metadata.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the bytes make no sense.
    """
    analysis, peaks, metadata = _unpacked(payload, measurement, known or {})
    return replace(analysis, detected_peaks=peaks.peaks() if isinstance(peaks, PeakColumns) else peaks), metadata


def unpack_shown(
    payload: bytes, measurement: Measurement, known: Mapping[str, Any]
) -> tuple[Analysis, list[dict[str, Any]], dict[str, Any]]:
    """The same, the peaks apart from the analysis and as they stand in a document; raises as :func:`unpack_payload`."""
    analysis, peaks, metadata = _unpacked(payload, measurement, known)
    shown = peaks.shown() if isinstance(peaks, PeakColumns) else [peak.as_dict() for peak in peaks]
    return analysis, shown, metadata


def _unpacked(
    payload: bytes, measurement: Measurement, known: Mapping[str, Any]
) -> tuple[Analysis, PeakColumns | tuple[Peak, ...], dict[str, Any]]:
    """The analysis without its peaks, these, and the metadata."""
    stored, blobs = unpack_bundle(payload)
    values = stored["analysis"]
    spectra: dict[str, Any] = {
        name: _given(how, blobs.get(name), getattr(measurement, name))
        for name, how in values["given"].items()
        if name != "scope_corrected"
    }
    analysis = Analysis(
        scope_corrected=unpack_milli(_scope(values, blobs), _predictions(measurement)),
        elements=tuple(ElementFinding(*finding) for finding in values["elements"]),
        detected_peaks=(),
        recipe=Recipe.from_dict(values["recipe"]),
        line_table_version=values["line_table_version"],
        engine_version=values["engine_version"],
        warnings=tuple(values["warnings"]),
        molecules=tuple(ElementFinding(*finding) for finding in values.get("molecules", ())),
        ambiguous=tuple(Ambiguity(tuple(names), tuple(peaks_nm)) for names, peaks_nm in values.get("ambiguous", ())),
        axis=AxisCorrection(**values["axis"]) if values.get("axis") else None,
        line_spread=LineSpread.from_dict(values["line_spread"]) if values.get("line_spread") else None,
        means=Means.of(measurement),
        **spectra,
    )
    return analysis, _peaks(stored, blobs, analysis.wavelengths_nm), whole_of(stored, known)


def _packed(
    peaks: tuple[Peak, ...], wavelengths_nm: FloatArray, others: Mapping[str, Any], spectra: Mapping[str, bytes]
) -> PackedAnalysis:
    """Values and blobs of an analysis with these peaks; what the others had of peaks is replaced."""
    values = {name: value for name, value in others.items() if name != "peaks"}
    blobs = {name: blob for name, blob in spectra.items() if name not in ("peaks", "numbers")}
    told = pack_numbers(peaks, wavelengths_nm)
    if told is None:
        blobs["peaks"] = pack_peaks(peaks)
    else:
        values["peaks"], blobs["numbers"] = told
    return PackedAnalysis(peaks, wavelengths_nm, values, blobs, _content(values, blobs))


def content_of(payload: bytes) -> bytes:
    """Fingerprint of what the engine said, as of a :class:`PackedAnalysis`; ValueError when the bytes make no sense."""
    stored, blobs = unpack_bundle(payload)
    return _content({name: values for name, values in stored.items() if name not in NOT_OF_THE_ENGINE}, blobs)


def _content(values: Mapping[str, Any], blobs: Mapping[str, bytes]) -> bytes:
    return fingerprint(json.dumps(values, sort_keys=True), *blobs.values())


def _peaks(
    stored: Mapping[str, Any], blobs: Mapping[str, bytes], wavelengths_nm: FloatArray
) -> PeakColumns | tuple[Peak, ...]:
    if "peaks" in blobs:
        return unpack_peaks(blobs["peaks"])
    return unpack_numbers(stored["peaks"], blobs["numbers"], wavelengths_nm)


def _values(analysis: Analysis, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "given": given,
        "elements": [[finding.element, finding.probability] for finding in analysis.elements],
        "recipe": analysis.recipe.as_dict(),
        "line_table_version": analysis.line_table_version,
        "engine_version": analysis.engine_version,
        "warnings": list(analysis.warnings),
        "molecules": [[finding.element, finding.probability] for finding in analysis.molecules],
        "ambiguous": [[one.elements, one.peaks_nm] for one in analysis.ambiguous],
        "axis": None if analysis.axis is None else analysis.axis.as_dict(),
        "line_spread": None if analysis.line_spread is None else analysis.line_spread.as_dict(),
    }


def _scope(values: Mapping[str, Any], blobs: Mapping[str, bytes]) -> bytes:
    told = values["given"].get("scope_corrected")
    return blobs["scope_corrected"] if told is None else alone(*told)


def _told_by(array: FloatArray, measured: FloatArray | None) -> str:
    if measured is None or measured.shape != array.shape:
        return _OWN
    if np.array_equal(array, measured):
        return _SAME
    return _ROUNDED if np.array_equal(array, np.round(measured, 3)) else _OWN


def _given(how: str, blob: bytes | None, measured: FloatArray | None) -> FloatArray:
    if how == _OWN and blob is not None:
        return unpack_floats(blob)
    if measured is None or how == _OWN:
        raise EncodingError("spectrum is missing")
    return measured if how == _SAME else np.round(measured, 3)


def _predictions(measurement: Measurement) -> list[Prediction]:
    """What ``scope_corrected`` may be expected to be: the sample less the dark, and that linearised.

    Their order is part of the stored form.
    """

    def difference() -> FloatArray:
        dark = measurement.dark
        return (
            measurement.sample if dark is None or dark.shape != measurement.sample.shape else measurement.sample - dark
        )

    def linearised() -> FloatArray:
        counts = difference()
        polynomial = np.zeros_like(counts)
        for coefficient in reversed(measurement.nonlinearity):
            polynomial = polynomial * counts + coefficient
        with np.errstate(all="ignore"):
            return counts / polynomial

    return [difference, linearised] if measurement.nonlinearity else [difference]
