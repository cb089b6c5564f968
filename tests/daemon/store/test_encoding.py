from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.daemon.store.making import capture, peak, same

from oesd.store.bundle import pack_bundle, unpack_bundle
from oesd.store.encoding import (
    EncodingError,
    pack_bytes,
    pack_counts,
    pack_floats,
    pack_mask,
    pack_milli,
    pack_spread,
    unpack_bytes,
    unpack_counts,
    unpack_floats,
    unpack_mask,
    unpack_milli,
    unpack_spread,
)
from oesd.store.peak_table import pack_peaks, unpack_peaks

lengths = st.integers(0, 70)
floats = arrays(np.float64, lengths, elements=st.floats(allow_nan=True, allow_infinity=True))
thousandths = arrays(np.int64, lengths, elements=st.integers(-(2**40), 2**40))


@given(arrays(np.uint32, lengths))
def test_counts_come_back(counts: np.ndarray) -> None:
    assert same(unpack_counts(pack_counts(counts)), counts)


@given(arrays(np.bool_, lengths))
def test_masks_come_back(mask: np.ndarray) -> None:
    assert same(unpack_mask(pack_mask(mask), len(mask)), mask)


@given(arrays(np.float32, lengths, elements=st.floats(width=32)), st.integers(1, 10_000))
def test_a_spread_comes_back_rounded_and_exactly_the_second_time(spread: np.ndarray, scans: int) -> None:
    once = unpack_spread(pack_spread(spread, scans))
    assert same(unpack_spread(pack_spread(once, scans)), once)
    usual = np.isfinite(once) & (np.abs(spread) > 1e-37)
    np.testing.assert_allclose(once[usual], spread[usual], rtol=2.0**-3 if scans < 1000 else 2.0**-8)
    assert np.array_equal(np.isnan(once), np.isnan(spread))


@pytest.mark.parametrize(("scans", "share"), [(2, 0.7), (10, 0.7), (100, 0.8)])
def test_a_spread_takes_less_than_the_counts(scans: int, share: float) -> None:
    made, random = capture(seed=3), np.random.default_rng(1)
    scan = made.counts_sum[:, None] + 9.0 * random.standard_normal((2048, scans))
    spread = scan.std(axis=1, ddof=1).astype(np.float32)
    counts_sum = np.rint(scan).sum(axis=1).astype(np.uint32)
    assert len(pack_spread(spread, scans)) < share * len(pack_counts(counts_sum))


@given(floats)
def test_floats_come_back_bit_for_bit(values: np.ndarray) -> None:
    assert unpack_floats(pack_floats(values)).tobytes() == values.tobytes()


@given(floats)
def test_any_floats_survive_the_milli_form(values: np.ndarray) -> None:
    assert same(unpack_milli(pack_milli(values)), values)


@given(thousandths, st.integers(0, 2**32 - 1))
def test_thousandths_come_back_by_any_prediction(whole: np.ndarray, seed: int) -> None:
    values = whole / 1000.0
    near = values + np.random.default_rng(seed).normal(0, 1, len(values))
    predictions = [lambda: np.full(len(values), np.nan), lambda: near]
    assert same(unpack_milli(pack_milli(values, predictions), predictions), values)


def test_a_right_prediction_costs_next_to_nothing() -> None:
    values = np.round(np.random.default_rng(1).normal(1000, 300, 2048), 3)
    assert len(pack_milli(values, [lambda: values + 0.0001])) < 40 < len(pack_milli(values)) / 50


def test_counts_of_a_spectrum_take_under_a_byte_and_a_half_per_pixel() -> None:
    made = capture(seed=3)
    assert len(pack_counts(made.counts_sum)) < 1.5 * len(made.counts_sum)
    assert pack_mask(np.zeros(2048, dtype=bool)) == b""


def test_unpacked_arrays_cannot_be_written() -> None:
    counts = unpack_counts(pack_counts(np.arange(5, dtype=np.uint32)))
    with pytest.raises(ValueError, match="read-only"):
        counts[0] = 1


@given(st.binary(max_size=80))
def test_foreign_bytes_are_refused_and_nothing_else(blob: bytes) -> None:
    for unpack in (unpack_counts, unpack_floats, unpack_milli, unpack_bundle, unpack_bytes):
        with pytest.raises(EncodingError):
            unpack(blob)
    with pytest.raises(EncodingError):
        unpack_mask(blob + b"x", 5)


@given(arrays(np.uint32, st.integers(1, 70)), st.data())
def test_a_flipped_bit_is_never_silently_another_spectrum(counts: np.ndarray, data: st.DataObject) -> None:
    packed = bytearray(pack_counts(counts))
    place = data.draw(st.integers(0, len(packed) * 8 - 1))
    packed[place // 8] ^= 1 << place % 8
    try:
        assert same(unpack_counts(bytes(packed)), counts)
    except EncodingError:
        pass


def test_wrong_lengths_and_predictions_are_refused() -> None:
    values = np.arange(8) / 1000.0 + 5
    with pytest.raises(EncodingError):
        unpack_milli(pack_milli(values, [lambda: values]), [])
    with pytest.raises(EncodingError):
        unpack_milli(pack_milli(values, [lambda: values]), [lambda: values[:4]])
    with pytest.raises(EncodingError):
        unpack_mask(pack_mask(np.ones(8, dtype=bool)), 9)
    with pytest.raises(EncodingError):
        unpack_bundle(pack_bundle({}, {"a": b"12"}) + b"3")


def test_a_frame_that_claims_too_much_is_refused() -> None:
    huge = bytearray(pack_bytes(b"x" * 300))
    huge[4:5] = b"\xe4"  # descriptor: eight bytes of content size follow
    with pytest.raises(EncodingError):
        unpack_bytes(bytes(huge[:5]) + (1 << 40).to_bytes(8, "little") + bytes(huge[5:]))


json_values = st.dictionaries(
    st.text(max_size=5), st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text())
)


@given(json_values, st.dictionaries(st.text(max_size=5), st.binary(max_size=20), max_size=4))
def test_bundles_come_back(values: dict[str, object], blobs: dict[str, bytes]) -> None:
    assert unpack_bundle(pack_bundle(values, blobs)) == (values, blobs)


numbers = st.one_of(st.floats(allow_nan=False), st.integers(0, 10**9).map(lambda k: k / 10_000))
peaks = st.lists(
    st.builds(
        lambda nm, element, flag, key, rest: peak(
            nm,
            element,
            peak_id=key,
            manual=flag,
            blended=not flag,
            ambiguous=element is None and flag,
            **dict(zip(("snr", "area", "intensity", "fwhm_nm", "probability"), rest, strict=True)),
        ),
        st.floats(180, 1100),
        st.sampled_from(["Ga", "Ar", None]),
        st.booleans(),
        st.text(max_size=4),
        st.lists(numbers, min_size=5, max_size=5),
    ),
    max_size=6,
).map(tuple)


@given(peaks)
def test_peaks_come_back(made: tuple[object, ...]) -> None:
    assert unpack_peaks(pack_peaks(made)) == made  # type: ignore[arg-type]


def test_peak_tables_that_make_no_sense_are_refused() -> None:
    words, blobs = unpack_bundle(pack_peaks((peak(417.2), peak(500.0))))
    with pytest.raises(EncodingError):
        unpack_peaks(pack_bundle(words, {"numbers": pack_bytes(unpack_bytes(blobs["numbers"]) + b"1")}))
    with pytest.raises(ValueError, match="zip"):
        unpack_peaks(pack_bundle({**words, "decimals": words["decimals"][1:]}, blobs))


def test_an_unusual_candidate_key_comes_back() -> None:
    made = peak(417.2)
    odd = (*made.candidates[:2], type(made.candidates[0])("Ga_417.2b", "Ga", 2, 417.2, 0.1))
    strange = peak(500.0, candidates=odd)
    assert unpack_peaks(pack_peaks((made, strange))) == (made, strange)
