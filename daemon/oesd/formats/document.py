"""Our JSON form: the same header lines, count sums as integers, and the result as GET /oes shows it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from oesd.formats.description import describe
from oesd.formats.errors import FormatError
from oesd.formats.own import MOST_COUNTS, ROLES, spectrum_from_header
from oesd.formats.parts import Parts
from oesd.formats.table import MOST_PIXELS
from oesd.model import SpectrumFile

FORMAT = "oesd spectrum"
_SCATTER = {"sample": "spread", "dark": "dark_spread"}
_ARRAYS = ("wavelengths", "sample", "scope_corrected", "reference", "dark")


def document_bytes(parts: Parts) -> bytes:
    """Bytes of the JSON form, the same for the same input.

    ``sha256`` covers the rest of the document in its canonical form (sorted keys, no blanks), however it is laid out.
    """
    result = parts.result
    document: dict[str, Any] = {
        "format": FORMAT,
        "header": describe(parts),
        "wavelengths_nm": parts.sample.device.wavelengths_nm.tolist(),
        "counts_sum": {role: counted.sums.tolist() for role, counted in parts.counts().items()},
        "processed": parts.processed().tolist(),
        **{_SCATTER[role]: scatter.tolist() for role, scatter in parts.deviations().items()},
        "result": None if result is None else {k: v for k, v in result.to_api().items() if k not in _ARRAYS},
    }
    return orjson.dumps({**document, "sha256": _digest(document)}) + b"\n"


def _digest(document: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name != "sha256"}
    return hashlib.sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _digest_of_foreign(document: Mapping[str, Any]) -> str:
    try:
        return _digest(document)
    except orjson.JSONEncodeError:  # nested deeper than orjson writes
        return ""


def is_own(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object is our form."""
    return document.get("format") == FORMAT


def read_own(document: Mapping[str, Any]) -> SpectrumFile:
    """Spectrum of our JSON form.

    Raises
    ------
    FormatError
        When the digest is not that of the document, and for every damage.
    """
    if document.get("sha256") != _digest_of_foreign(document):
        raise FormatError("the document does not have the SHA-256 that it gives: it was changed")
    header, sums = document.get("header"), document.get("counts_sum")
    if not isinstance(header, dict) or not all(isinstance(value, str) for value in header.values()):
        raise FormatError("'header' is no object of texts")
    if not isinstance(sums, dict) or "sample" not in sums or not set(sums) <= set(ROLES):
        raise FormatError("'counts_sum' is no object with a sample")
    wavelengths = _numbers(document.get("wavelengths_nm"), "wavelengths_nm")
    processed = _numbers(document.get("processed"), "processed", len(wavelengths))
    counts = {role: _counts(values, role, len(wavelengths)) for role, values in sums.items()}
    scatter = {
        role: _numbers(document[name], name, len(wavelengths)) for role, name in _SCATTER.items() if name in document
    }
    return spectrum_from_header("oesd document", header, wavelengths, counts, processed, scatter)


def _numbers(values: object, name: str, length: int | None = None) -> NDArray[np.float64]:
    listed = _listed(values, name, length)
    if not all(type(value) in (int, float) and math.isfinite(value) for value in listed):
        raise FormatError(f"'{name}' holds something that is no finite number")
    return np.array(listed, dtype=np.float64)


def _counts(values: object, name: str, length: int) -> NDArray[np.int64]:
    listed = _listed(values, name, length)
    if not all(type(value) is int and 0 <= value <= MOST_COUNTS for value in listed):
        raise FormatError(f"the count sums of the {name} hold something that is no count")
    return np.array(listed, dtype=np.int64)


def _listed(values: object, name: str, length: int | None) -> list[Any]:
    if not isinstance(values, list) or not 0 < len(values) <= MOST_PIXELS:
        raise FormatError(f"'{name}' is no list of numbers")
    if length is not None and len(values) != length:
        raise FormatError(f"'{name}' has {len(values)} values, the wavelengths have {length}")
    return values
