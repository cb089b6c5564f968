from __future__ import annotations

import hashlib
import json
import struct
from importlib import resources
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.plasma.cases import make

import oesd
from oesd.engine.lines import line_table
from oesd.model import Candidate, Peak
from oesd.store.encoding import EncodingError
from oesd.store.known_lines import known_lines, line_at, usual_key
from oesd.store.peak_numbers import pack_numbers, unpack_numbers
from oesd.store.peak_table import pack_peaks
from oesd.store.whole_numbers import (
    FALLING,
    LARGEST,
    pack_falling,
    pack_whole,
    signed_to_whole,
    unpack_falling,
    unpack_whole,
    whole_to_signed,
)

SHA256 = "2882e7f0bbbea64b9ecef633b80feced56ac2b7247ba36093cf4a0fa77f906b2"
AXIS = 200.0 + 0.33 * np.arange(2048) - 1.1e-5 * np.arange(2048) ** 2
COLUMN = st.lists(st.integers(0, LARGEST - 1) | st.integers(0, 300), max_size=30).map(
    lambda values: np.array(values, dtype=np.int64)
)


@given(st.lists(COLUMN, min_size=1, max_size=6))
def test_whole_numbers_come_back(columns: list[np.ndarray]) -> None:
    packed, lengths = pack_whole(columns), [len(column) for column in columns]
    assert np.array_equal(unpack_whole(packed, lengths), np.concatenate(columns))
    for broken in (packed[:-1], packed + b"\0"):
        try:
            unpack_whole(broken, lengths)
        except EncodingError:
            continue
        assert not sum(lengths)


@given(st.lists(st.lists(st.integers(0, 10_000) | st.integers(0, FALLING - 1), max_size=8), max_size=8))
def test_falling_numbers_come_back(groups: list[list[int]]) -> None:
    numbers = np.array([number for group in groups for number in group], dtype=np.int64)
    sizes = np.array([len(group) for group in groups], dtype=np.int64)
    packed = pack_falling(numbers, sizes)
    assert np.array_equal(unpack_falling(packed, sizes), numbers)
    for broken in (packed[:-1], packed + b"\0"):
        try:
            unpack_falling(broken, sizes)
        except EncodingError:
            continue
        assert not sizes.sum()


@given(st.binary(max_size=60), st.lists(st.integers(0, 9), max_size=6))
def test_bytes_that_are_no_falling_numbers_are_refused_and_nothing_else(data: bytes, sizes: list[int]) -> None:
    try:
        found = unpack_falling(data, np.array(sizes, dtype=np.int64))
    except EncodingError:
        return
    assert len(found) == sum(sizes)


@given(st.binary(max_size=60), st.lists(st.integers(0, 20), min_size=1, max_size=4))
def test_bytes_that_are_no_whole_numbers_are_refused_and_nothing_else(data: bytes, lengths: list[int]) -> None:
    try:
        found = unpack_whole(data, lengths)
    except EncodingError:
        return
    assert len(found) == sum(lengths)


@given(st.integers(-(1 << 40), 1 << 40))
def test_signs_come_back(number: int) -> None:
    assert whole_to_signed(signed_to_whole(np.array([number])))[0] == number


def test_whole_numbers_take_little_more_than_they_tell() -> None:
    chance = np.random.default_rng(1)
    scattered = np.rint(np.exp(chance.normal(7, 1, 1000))).astype(np.int64)
    tells = np.log2(np.maximum(scattered, 1)).mean() + 2.0  # its digits and how many they are
    assert len(pack_whole([scattered])) < 1000 * (tells + 1.5) / 8


def engine_peaks() -> list[tuple[np.ndarray, tuple[Peak, ...]]]:
    """What the engine makes of an argon plasma and of three metals."""
    found = []
    for number in (4, 10):
        case = make(7, number, hard=False).given
        result = oesd.analyze(case["wavelengths"], case["sample"], case["dark"], fwhm_nm=case["fwhm_hint_nm"])
        found.append((result.wavelengths_nm, result.detected_peaks))
    return found


def test_the_engines_peaks_come_back_in_half_the_bytes() -> None:
    for axis, peaks in engine_peaks():
        packed = pack_numbers(peaks, axis)
        assert packed is not None
        words, numbers = packed
        columns = unpack_numbers(json.loads(json.dumps(words)), numbers, axis)
        assert columns.peaks() == peaks
        assert orjson.dumps(columns.shown()) == orjson.dumps([peak.as_dict() for peak in peaks])
        assert len(json.dumps(words)) + len(numbers) < 36 * len(peaks)
        assert len(numbers) < 0.62 * len(pack_peaks(peaks))


SHARE = st.integers(0, 10_000).map(lambda n: n / 1e4)


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    """One of the list, one beside it, a band of a molecule, or nonsense that is a candidate all the same."""
    line = line_at(draw(st.integers(0, len(known_lines().lines) - 1)))
    made = Candidate(line.candidate_key, line.element, line.ionization, line.wavelength_nm, draw(SHARE))
    changes = draw(st.sampled_from((0, 0, 1, 2, 3, 4)))
    if changes == 1:
        made = made._replace(candidate_key=made.candidate_key + "b")
    if changes == 2:
        nm = draw(st.integers(0, 40_000_000)) / 1e4
        made = made._replace(wavelength_nm=nm, candidate_key=usual_key(made.element, nm))
    if changes == 3:
        made = made._replace(element="N2+", candidate_key=usual_key("N2+", made.wavelength_nm))
    return made._replace(ionization=draw(st.integers(-1, 9))) if changes == 4 else made


@st.composite
def peaks(draw: st.DrawFn) -> tuple[Peak, ...]:
    """Peaks with as many decimals as the engine gives, else of any kind."""
    made = []
    places = sorted(draw(st.lists(st.integers(0, 20_470_000), max_size=5)))
    for number, center in enumerate(places, start=1):
        some = tuple(draw(st.lists(candidates(), max_size=4)))
        named = draw(st.none() | st.sampled_from(["Ar", "N2", *(c.element for c in some)]))
        whole = [draw(st.integers(0, 10**k)) for k in (7, 4, 5, 7, 9, 10)]
        nm, sigma, width, snr, height, area = (w / 10.0**d for w, d in zip(whole, (4, 5, 4, 2, 3, 3), strict=True))
        peak_id = draw(st.sampled_from((f"p{number}", "p77")))
        marks = draw(st.tuples(*[st.booleans()] * 4))
        numbers = (nm, sigma, center / 1e4, width, snr, height, area)
        made.append(Peak(peak_id, *numbers, named, draw(SHARE), marks[0], some, *marks[1:]))
    return tuple(made)


@settings(max_examples=60)
@given(peaks())
def test_any_peaks_of_the_engines_decimals_come_back(made: tuple[Peak, ...]) -> None:
    packed = pack_numbers(made, AXIS)
    if packed is None:
        assert any(c.wavelength_nm >= 1677.7216 for peak in made for c in peak.candidates)
        return
    words, numbers = packed
    columns = unpack_numbers(json.loads(json.dumps(words)), numbers, AXIS)
    assert columns.peaks() == made
    assert orjson.dumps(columns.shown()) == orjson.dumps([peak.as_dict() for peak in made])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("snr", 1.234), ("intensity", float("nan")), ("area", float("inf")), ("wavelength_nm", -0.0),
        ("fwhm_nm", 1e300), ("center_px", 5.0), ("probability", 1 / 3),
    ],
)  # fmt: skip
def test_other_peaks_go_by_the_other_form(name: str, value: float) -> None:
    line = line_at(9)
    usual = Peak("p1", 300.0, 0.01, 300.0, 1.0, 9.0, 80.0, 85.0, None, 0.0, False, (Candidate(*line, 0.5),))
    other: Any = {"peak_id": "p2", name: value}
    assert pack_numbers((usual,), AXIS) is not None
    assert pack_numbers((usual, usual._replace(**other)), AXIS) is None
    assert pack_numbers((usual,), AXIS[:1]) is None


def test_bytes_from_before_areas_went_by_the_pixel_are_read() -> None:
    before = (
        "020002000200160e0a0c0c140b00040006000602d98111082040000400003f8001001d8840f19a6e8cf291afbc7106bd28943731cae8c7a19"
        "fd0e10964471c38000cc401"
    )
    some = (Candidate(*line_at(9), 0.5), Candidate(*line_at(700), 0.25))
    named = Peak("p1", 300.1234, 0.0123, 305.4321, 1.0321, 9.05, 80.125, 88.027, some[0].element, 0.5, False, some)
    unnamed = Peak("p2", 400.0, 0.01, 617.25, 0.9876, 90.0, 8000.5, 9001.123, None, 0.0, False, ())
    assert unpack_numbers({}, bytes.fromhex(before), AXIS).peaks() == (named, unnamed)


def test_numbers_that_make_no_sense_are_refused() -> None:
    axis, made = engine_peaks()[0]
    packed = pack_numbers(made, axis)
    assert packed is not None
    words, numbers = packed
    few, many, species = struct.unpack_from("<HHH", numbers)
    for sizes in ([few, many, species - 1], [few + 1, many, species], [few, many - 1, species], [few, many, 0]):
        with pytest.raises(EncodingError):
            unpack_numbers(words, struct.pack("<HHH", *sizes) + numbers[6:], axis)
    with pytest.raises(EncodingError):
        unpack_numbers(words, numbers[:-9], axis)


def test_the_list_of_lines_is_the_one_that_is_referred_to() -> None:
    data = resources.files("oesd.store").joinpath("known_lines.bin").read_bytes()
    told = "what is stored refers to this list: a line that it lacks is stored by name, and many are a second list's"
    assert hashlib.sha256(data).hexdigest() == SHA256, told


def test_the_list_has_nearly_all_lines_of_todays_table() -> None:
    table, known = line_table(), known_lines()
    species = np.array([known.species(table.elements[e], s) for e, s in zip(table.element, table.stage, strict=True)])
    at = np.rint(1e4 * np.round(table.wl_air_nm, 4)).astype(np.int64)
    assert known.known(known.places(species, at), species, at).mean() > 0.98
