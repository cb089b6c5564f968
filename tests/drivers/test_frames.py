from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seabreeze.pyseabreeze.devices import _model_class_registry

from oesd_drivers.capabilities import CAPABILITIES
from oesd_drivers.errors import Reopen
from oesd_drivers.frames import SYNC_BYTE, Layout, decode

DRIVEN = sorted(set(_model_class_registry) - {"FX"})  # the FX has no USB in pyseabreeze


def library_feature(model):
    """Return pyseabreeze's own decoder of a model, without a device behind it."""
    made = _model_class_registry[model]._feature_classes["spectrometer"][0]
    feature = made.__new__(made)
    keywords = made.__dict__["__init__"].keywords
    feature._spectrum_num_pixel = keywords["spectrum_num_pixel"]
    feature._spectrum_raw_length = keywords["spectrum_raw_length"]
    feature._normalization_value = 1.0
    return feature


@pytest.mark.parametrize("model", DRIVEN)
def test_counts_are_those_pyseabreeze_decodes(model):
    feature, layout = library_feature(model), CAPABILITIES[model].layout
    pixels = feature._spectrum_num_pixel
    raw = np.random.default_rng(len(model)).integers(0, 256, layout.size(pixels), dtype=np.uint8)
    if layout.sync:
        raw[-1] = SYNC_BYTE
    if layout.bits < 32:
        raw[layout.skip :].view("<u4")[:] &= (1 << layout.bits) - 1
    feature._get_spectrum_raw = lambda: raw.copy()
    ours = decode(raw.tobytes(), layout, pixels)
    assert ours.dtype == np.uint32
    assert np.array_equal(ours, feature.get_intensities())


@pytest.mark.parametrize("model", ["USB2000PLUS", "USB4000", "HR4000", "QE65000", "USB2000"])
def test_a_wrong_sync_byte_is_refused(model):
    layout = CAPABILITIES[model].layout
    with pytest.raises(Reopen, match="sync byte"):
        decode(bytes(layout.size(128)), layout, 128)


@pytest.mark.parametrize(("count", "good"), [(0x3FFFF, True), (0x40000, False), (0xFFFFFFFF, False)])
def test_a_count_beyond_the_adc_is_refused_before_a_sum_of_such_wraps_round(count, good):
    layout = CAPABILITIES["QEPRO"].layout
    raw = bytes(layout.skip) + np.array([5, count, 7], dtype="<u4").tobytes()
    if good:
        assert decode(raw, layout, 3)[1] == count
    else:
        with pytest.raises(Reopen, match="ADC of 18 bits"):
            decode(raw, layout, 3)


@settings(max_examples=50)
@given(st.integers(0, 600))
def test_only_the_right_length_is_taken(size):
    layout = Layout(skip=32)
    if size == layout.size(256):
        assert len(decode(bytes(size), layout, 256)) == 256
    else:
        with pytest.raises(Reopen, match="bytes came"):
            decode(bytes(size), layout, 256)
