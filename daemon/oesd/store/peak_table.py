"""Peaks and their candidates as columns: less than half the bytes that their JSON takes under the same compression.

A column of numbers is kept as integers times 10**-d with the fewest decimals d that give every number back bit for
bit (the engine rounds, so that d is small); a column that no d serves is kept as floats. Candidates of all peaks stand
one after the other. A candidate's key is kept only where it is not the usual ``<symbol>_<nm, one decimal>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import Candidate, Peak
from oesd.store.bundle import pack_bundle, unpack_bundle
from oesd.store.encoding import EncodingError, from_planes, pack_bytes, planes, unpack_bytes, unzigzag, zigzag

_PEAK_NUMBERS = (
    "wavelength_nm", "wavelength_sigma_nm", "center_px", "fwhm_nm", "snr", "intensity", "area", "probability",
)  # fmt: skip
_PEAK_WORDS = ("peak_id", "element", "manual", "saturated", "blended", "ambiguous")
_CANDIDATE_NUMBERS = ("wavelength_nm", "probability")
_CANDIDATE_WORDS = ("element", "ionization")
_DECIMALS = range(9)
_LARGEST = 2.0**30
_AS_FLOATS = -1


def pack_peaks(peaks: Sequence[Peak]) -> bytes:
    """Encode peaks in their order."""
    candidates = [candidate for peak in peaks for candidate in peak.candidates]
    decimals, columns = [], []
    for rows, names in ((peaks, _PEAK_NUMBERS), (candidates, _CANDIDATE_NUMBERS)):
        for name in names:
            places, column = _column(np.array([getattr(row, name) for row in rows], dtype=np.float64))
            decimals.append(places)
            columns.append(column)
    words = {
        "peaks": {name: [getattr(peak, name) for peak in peaks] for name in _PEAK_WORDS},
        "candidates": {name: [getattr(candidate, name) for candidate in candidates] for name in _CANDIDATE_WORDS},
        "per_peak": [len(peak.candidates) for peak in peaks],
        "keys": [[k, c.candidate_key] for k, c in enumerate(candidates) if c.candidate_key != _usual_key(c)],
        "decimals": decimals,
    }
    return pack_bundle(words, {"numbers": pack_bytes(b"".join(columns))})


def unpack_peaks(packed: bytes) -> tuple[Peak, ...]:
    """Inverse of :func:`pack_peaks`.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the bytes make no sense.
    """
    words, blobs = unpack_bundle(packed)
    per_peak = words["per_peak"]
    lengths = [len(per_peak)] * len(_PEAK_NUMBERS) + [sum(per_peak)] * len(_CANDIDATE_NUMBERS)
    columns = _columns(unpack_bytes(blobs["numbers"]), lengths, words["decimals"])
    candidates = _candidates(words, columns[len(_PEAK_NUMBERS) :])
    groups = (tuple(candidates[a:b]) for a, b in pairwise(accumulate(per_peak, initial=0)))
    rows = _rows(words["peaks"], _PEAK_NUMBERS, columns[: len(_PEAK_NUMBERS)])
    return tuple(Peak(candidates=group, **row) for row, group in zip(rows, groups, strict=True))


def _candidates(words: dict[str, Any], columns: list[list[float]]) -> list[Candidate]:
    rows = _rows(words["candidates"], _CANDIDATE_NUMBERS, columns)
    keys = dict(words["keys"])
    return [Candidate(candidate_key=keys.get(k) or _key(**row), **row) for k, row in enumerate(rows)]


def _rows(words: dict[str, list[Any]], names: Sequence[str], columns: list[list[float]]) -> list[dict[str, Any]]:
    fields = (*words, *names)
    return [dict(zip(fields, row, strict=True)) for row in zip(*words.values(), *columns, strict=True)]


def _usual_key(candidate: Candidate) -> str:
    return _key(candidate.element, candidate.wavelength_nm)


def _key(element: str, wavelength_nm: float, **_: object) -> str:
    return f"{element}_{wavelength_nm:.1f}"


def _column(values: NDArray[np.float64]) -> tuple[int, bytes]:
    """Decimals and bytes of a column."""
    for places in _DECIMALS:
        scaled = np.rint(values * 10.0**places)
        if not (np.abs(scaled) < _LARGEST).all():
            break
        if np.array_equal(scaled / 10.0**places, values):
            return places, planes(zigzag(np.diff(scaled.astype("<i4"), prepend=np.int32(0))))
    return _AS_FLOATS, planes(values)


def _columns(data: bytes, lengths: list[int], decimals: list[int]) -> list[list[float]]:
    sizes = [length * (8 if places == _AS_FLOATS else 4) for length, places in zip(lengths, decimals, strict=True)]
    ends = list(accumulate(sizes, initial=0))
    if ends[-1] != len(data):
        raise EncodingError("columns of another length")
    parts = (data[a:b] for a, b in pairwise(ends))
    return [_numbers(part, length, places) for part, length, places in zip(parts, lengths, decimals, strict=True)]


def _numbers(data: bytes, length: int, places: int) -> list[float]:
    if places == _AS_FLOATS:
        return from_planes(data, "<f8", length).tolist()  # type: ignore[no-any-return]
    whole = np.cumsum(unzigzag(from_planes(data, "<u4", length)))
    return (whole / 10.0**places).tolist()  # type: ignore[no-any-return]
