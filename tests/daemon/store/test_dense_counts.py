from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.store.making import capture

from oesd.store.dense_counts import denser, pack_dense, same_counts, unpack_either
from oesd.store.encoding import EncodingError, pack_counts

COUNTS = st.lists(st.integers(0, 0xFFFFFFFF) | st.integers(0, 300), max_size=90).map(
    lambda values: np.array(values, dtype=np.uint32)
)


@given(COUNTS)
def test_counts_come_back(counts: np.ndarray) -> None:
    dense, usual = pack_dense(counts), pack_counts(counts)
    assert np.array_equal(unpack_either(dense), counts)
    assert unpack_either(dense).dtype == np.uint32
    assert same_counts(dense, usual)
    assert len(denser(usual)) == min(len(dense), len(usual))


@given(COUNTS, st.integers(0, 10_000), st.integers(0, 255))
def test_damaged_bytes_are_refused_or_are_other_counts(counts: np.ndarray, place: int, byte: int) -> None:
    dense = bytearray(pack_dense(counts))
    place %= len(dense)
    changed, dense[place] = dense[place] != byte, byte
    try:
        found = unpack_either(bytes(dense))
    except EncodingError:
        assert changed
    else:
        assert changed or np.array_equal(found, counts)


@pytest.mark.parametrize("form", [b"D", b"E"])
@given(data=st.binary(max_size=80))
def test_bytes_that_are_no_counts_are_refused_and_nothing_else(form: bytes, data: bytes) -> None:
    try:
        unpack_either(form + data)
    except EncodingError:
        return


def test_counts_of_the_form_of_step_eight_are_read() -> None:
    before = bytes.fromhex(  # made by the code of then
        "440013000000030005c09afe00020007f8201008b84b0254000420016401b0f405f57f8c8e2e0060006497001000"
    )
    counts = [1500, 1509, 1498, 1502, 1511, 1600, 4000, 65535, 4100, 1490, 0, 0, 3, 1500, 1501, 1502, 1499, 1503, 1507]
    assert unpack_either(before).tolist() == counts
    assert denser(before) == before, "few pixels: the form of today takes a byte more"
    for kept in range(len(before)):
        with pytest.raises(EncodingError):
            unpack_either(before[:kept])


@pytest.mark.parametrize("kept", [0, 1, 7, 9, 40])
def test_what_is_cut_off_is_missed(kept: int) -> None:
    with pytest.raises(EncodingError):
        unpack_either(pack_dense(capture().counts_sum)[:kept])


def test_noise_that_grows_with_the_light_takes_a_seventeenth_less() -> None:
    chance = np.random.default_rng(3)
    light = np.linspace(100, 40_000, 2048)
    counts = np.rint(chance.normal(light, np.sqrt(81 + light / 4))).astype(np.uint32)
    assert len(pack_dense(counts)) < 0.94 * len(pack_counts(counts))
