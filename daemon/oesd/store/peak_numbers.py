"""Peaks as the engine gives them, in few bytes: what the axis or another number tells is not kept again.

::

    wavelength   from center_px on the axis           candidates   by number in the list of known lines, counted from
    area         from intensity, width and pixel                   where the peak lies among those of the species
    probability  from the candidates of the element   ids          p1, p2, ... unless they are others

What these predictions leave is kept as whole numbers (:mod:`oesd.store.whole_numbers`), and gives back every value bit
for bit: each is a whole multiple of the last decimal that the engine gives. Peaks of which that is not so go by
:mod:`oesd.store.peak_table`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import Candidate, FloatArray, Peak
from oesd.store.candidate_species import list_species, species_before, species_of
from oesd.store.encoding import EncodingError
from oesd.store.known_lines import FURTHEST, Line, known_lines
from oesd.store.peak_columns import MARKS, PeakColumns, lines_of
from oesd.store.peak_predictions import gaussian_areas, is_axis, on_axis, whole_multiples
from oesd.store.peak_words import elements_of, line_of, words_of
from oesd.store.whole_numbers import (
    FALLING,
    LARGEST,
    pack_falling,
    pack_whole,
    signed_to_whole,
    unpack_falling,
    unpack_first,
    unpack_whole,
    whole_to_signed,
)

Integers = NDArray[np.int64]
_DECIMALS = {
    "center_px": 4, "wavelength_nm": 4, "wavelength_sigma_nm": 5, "fwhm_nm": 4, "snr": 2, "intensity": 3, "area": 3,
    "probability": 4,
}  # fmt: skip
_SCALES = np.array([[10.0**places] for places in (4, 5, 4, 4, 2, 3, 3, 4)])
_BITS = np.arange(len(MARKS))[:, None]
_SURE = 10_000
_USUAL_CANDIDATES = 8
_PEAK_COLUMNS, _COUNTS = 11, 8
_SIZES = struct.Struct("<HHH")  # peaks, candidates, species
_BY_PIXEL = 0x8000  # in the number of species: areas go by the pixel's width, too, as engines from 2.5 on have them
_MOST, _MOST_SPECIES = 0xFFFF, 0x7FFF


def pack_numbers(peaks: Sequence[Peak], wavelengths_nm: FloatArray) -> tuple[dict[str, Any], bytes] | None:
    """JSON-ready words and bytes of peaks on an axis, shape (pixels,); None when they are not such as are told so."""
    candidates = [candidate for peak in peaks for candidate in peak.candidates]
    values = [whole_multiples([getattr(peak, name) for peak in peaks], places) for name, places in _DECIMALS.items()]
    values.append(whole_multiples([candidate.probability for candidate in candidates], 4))
    at = whole_multiples([candidate.wavelength_nm for candidate in candidates], 4)
    if at is None or any(value is None for value in values) or not is_axis(wavelengths_nm):
        return None
    if len(at) and not 0 <= at.min() <= at.max() < FURTHEST:
        return None
    counts = np.array([len(peak.candidates) for peak in peaks], dtype=np.int64)
    *numbers, chances = (value for value in values if value is not None)
    species, codes, near, odd = _placed(candidates, at, np.repeat(numbers[1], counts))
    rest, others = _by_rest(chances, counts)
    columns = [
        *_peak_columns(numbers, wavelengths_nm, _told(peaks), counts),
        np.array([sum(1 << bit for bit, name in enumerate(MARKS) if getattr(peak, name)) for peak in peaks]),
        rest,
        codes,
        near,
        species,
        others,
    ]
    if any(len(column) and not 0 <= column.min() <= column.max() < LARGEST for column in columns):
        return None
    sizes = len(peaks), len(candidates), len(species)
    if max(sizes) > _MOST or len(species) > _MOST_SPECIES or (len(others) and others.max() >= FALLING):
        return None
    sizes = len(peaks), len(candidates), len(species) | _BY_PIXEL
    told = pack_whole([column.astype(np.int64) for column in columns[:-1]])
    falling = pack_falling(others, np.maximum(counts - 1, 0))
    return words_of(peaks, candidates, odd), b"".join((_SIZES.pack(*sizes), told, falling))


def unpack_numbers(words: Mapping[str, Any], data: bytes, wavelengths_nm: FloatArray) -> PeakColumns:
    """Inverse of :func:`pack_numbers`, on the same axis.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the bytes make no sense.
    """
    of_peaks, signed, counts, kinds, near, others, by_pixel = _unpacked(words, data)
    steps, _, sigma, _, snr, height, _, _, _, marks, _ = of_peaks
    _, nm, _, width, _, _, area, probability, _, _, rest = signed
    center, width = steps.cumsum(), width.cumsum()
    nm_there, pixel_nm = on_axis(center, wavelengths_nm)
    nm = nm_there + nm
    ends = counts.cumsum()
    groups = ends - counts, ends
    if (int(ends[-1]) if len(ends) else 0) != len(kinds) or (len(counts) and counts.min() < 0):
        raise EncodingError("candidates of another number")
    bounds = list(zip(*(values.tolist() for values in groups), strict=True))
    places, odd = _places(words, kinds, near, nm.repeat(counts))
    chances = _from_rest(rest, others, counts, groups)
    elements = elements_of(words, places, odd, bounds)
    if "odd" in words:
        told = _sums(elements, lines_of(places, odd), chances.tolist(), bounds)
    else:
        told = _usual_sums(elements, kinds, chances, counts, groups)
    area = gaussian_areas(height, width, pixel_nm * by_pixel) + area
    values = (nm, sigma, center, width, snr, height, area, probability + told)
    return PeakColumns(
        ids=words.get("ids") or [f"p{number}" for number in range(1, len(counts) + 1)],
        numbers=(np.array(values) / _SCALES).tolist(),
        elements=elements,
        marks=(marks >> _BITS & 1).astype(np.bool_).tolist(),
        places=places,
        odd=odd,
        chances=chances / 1e4,
        bounds=bounds,
    )


Columns = tuple[Integers, Integers, Integers, Integers, Integers, Integers, bool]
Groups = tuple[Integers, Integers]
"""Of each peak the first of its candidates, and the first behind them."""


def _unpacked(words: Mapping[str, Any], data: bytes) -> Columns:
    """Of the peaks, (columns, peaks), with signs, and candidates of each; species, place, chance of those; the form."""
    if len(data) < _SIZES.size or "counts" in words:
        return _unpacked_before(words, data)
    peaks, candidates, species = _SIZES.unpack_from(data)
    by_pixel, species = bool(species & _BY_PIXEL), species & _MOST_SPECIES
    row, end = unpack_first(data[_SIZES.size :], [peaks] * _PEAK_COLUMNS + [candidates] * 2 + [species])
    of_peaks, signed, counts, near = _with_signs(row, peaks, candidates)
    if int(counts.sum()) != candidates or (peaks and counts.min() < 0):
        raise EncodingError("candidates of another number")
    others = np.zeros(candidates, dtype=np.int64)
    others[_but_first(counts)] = unpack_falling(data[_SIZES.size + end :], np.maximum(counts - 1, 0))
    codes = row[of_peaks.size : of_peaks.size + candidates]
    return of_peaks, signed, counts, species_of(row[len(row) - species :], codes), near, others, by_pixel


def _with_signs(row: Integers, peaks: int, candidates: int) -> tuple[Integers, Integers, Integers, Integers]:
    """Columns of the peaks, these with their signs, candidates of each peak, and where each of these is."""
    signed = whole_to_signed(row)  # of some columns nobody asks for it, but one call for all of them is quicker
    shape, size = (_PEAK_COLUMNS, peaks), _PEAK_COLUMNS * peaks
    of_peaks, with_signs = row[:size].reshape(shape), signed[:size].reshape(shape)
    near = signed[size + candidates : size + 2 * candidates]
    return of_peaks, with_signs, with_signs[_COUNTS] + _USUAL_CANDIDATES, near


def _unpacked_before(words: Mapping[str, Any], data: bytes) -> Columns:
    """The same as schema step 7 had it."""
    peaks, candidates, species = words["counts"]
    row = unpack_whole(data, [peaks] * _PEAK_COLUMNS + [candidates] * 3 + [species])
    of_peaks, signed, counts, near = _with_signs(row, peaks, candidates)
    ranks, _, others = row[of_peaks.size : len(row) - species].reshape(3, candidates)
    return of_peaks, signed, counts, species_before(row[len(row) - species :], ranks), near, others, False


def _but_first(counts: Integers) -> NDArray[np.bool_]:
    """Of each peak's candidates all but the first."""
    later = np.ones(int(counts.sum()), dtype=np.bool_)
    later[(counts.cumsum() - counts)[counts > 0]] = False
    return later


# -- numbers -------------------------------------------------------------------------------------------------------


def _peak_columns(
    numbers: Sequence[Integers], wavelengths_nm: FloatArray, told: Integers, counts: Integers
) -> list[Integers]:
    center, nm, sigma, width, snr, height, area, probability = numbers
    nm_there, pixel_nm = on_axis(center, wavelengths_nm)
    return [
        np.diff(center, prepend=0),
        signed_to_whole(nm - nm_there),
        sigma,
        signed_to_whole(np.diff(width, prepend=0)),
        snr,
        height,
        signed_to_whole(area - gaussian_areas(height, width, pixel_nm)),
        signed_to_whole(probability - told),
        signed_to_whole(counts - _USUAL_CANDIDATES),
    ]


def _by_rest(chances: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """What each peak's candidates together lack of certainty, and the probabilities of all but the first of each."""
    first = (np.cumsum(counts) - counts)[counts > 0]
    rest = np.zeros(len(counts), dtype=np.int64)
    rest[counts > 0] = _SURE - np.add.reduceat(chances, first) if len(first) else 0
    return signed_to_whole(rest), chances[_but_first(counts)]


def _from_rest(rest: Integers, others: Integers, counts: Integers, groups: Groups) -> Integers:
    some, chances = counts > 0, others.copy()
    chances[groups[0][some]] = (_SURE - rest - _of_each(others, groups))[some]
    return chances


def _of_each(values: Integers, groups: Groups) -> Integers:
    """Sums over each peak's candidates."""
    total = np.zeros(len(values) + 1, dtype=np.int64)
    values.cumsum(out=total[1:])
    starts, ends = groups
    sums: Integers = total[ends] - total[starts]
    return sums


# -- candidates ----------------------------------------------------------------------------------------------------


def _placed(
    candidates: Sequence[Candidate], at: Integers, peak_nm: Integers
) -> tuple[Integers, Integers, Integers, list[int]]:
    """The list of species; code and place of each candidate; those that are not in the list of lines."""
    known = known_lines()
    names = [(candidate.element, candidate.ionization) for candidate in candidates]
    numbers = {name: known.species(*name) for name in dict.fromkeys(names)}
    species = np.array([numbers[name] for name in names], dtype=np.int64)
    places = known.places(species, at)
    found = known.known(places, species, at)
    near = np.where(found, places - known.places(species, peak_nm), 0)
    return *list_species(species), signed_to_whole(near), np.flatnonzero(~found).tolist()


def _places(
    words: Mapping[str, Any], species: Integers, near: Integers, peak_nm: Integers
) -> tuple[list[int], dict[int, Line]]:
    """Where the candidates are in the list, and those that are not as they are there."""
    known = known_lines()
    places = known.places(species, peak_nm) + near
    if len(places) and places.view(np.uint64).max() > len(known.lines):  # what is less than nothing looks large
        raise EncodingError("no such line")
    at, numbers = places.tolist(), range(len(places))
    odd = {numbers[number]: Line(*line) for number, *line in words.get("odd", ())}
    for number, key in words.get("keys", ()):
        odd[numbers[number]] = line_of(at, odd, number)._replace(candidate_key=key)
    return at, odd


def _told(peaks: Iterable[Peak]) -> Integers:
    """What the candidates tell of each peak's probability."""
    return np.array(
        [
            sum([round(1e4 * c.probability) for c in peak.candidates if c.element == peak.element]) for peak in peaks
        ],
        dtype=np.int64,
    )  # fmt: skip


def _usual_sums(
    elements: Sequence[str | None], species: Integers, chances: Integers, counts: Integers, groups: Groups
) -> Integers:
    """The same where every candidate is in the list."""
    known = known_lines()
    named = np.array([known.numbers.get(element or "", -1) for element in elements], dtype=np.int64)
    return _of_each(chances * (known.element_of(species) == named.repeat(counts)), groups)


def _sums(
    elements: Sequence[str | None], lines: Sequence[Line], chances: Sequence[int], bounds: Sequence[tuple[int, int]]
) -> Integers:
    told = [
        sum([chance for line, chance in zip(lines[a:b], chances[a:b], strict=True) if line[1] == element])
        for element, (a, b) in zip(elements, bounds, strict=True)
    ]
    return np.array(told, dtype=np.int64)
