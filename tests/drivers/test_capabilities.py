"""The table against pyseabreeze's own: equal, but where the table says why not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seabreeze.pyseabreeze.devices import _model_class_registry

from oesd_drivers.capabilities import CAPABILITIES, Trigger
from oesd_drivers.usb import MODELS

SIXTEEN_BIT_MILLISECONDS = {"USB2000", "HR2000", "USB650"}
FEWER_PIXELS = {"USB4000", "HR4000", "QE65000", "MAYA2000PRO", "MAYA2000", "MAYALSL", "APEX"}
EACH = pytest.mark.parametrize("model", sorted(CAPABILITIES))


def library(model):
    """What pyseabreeze has hard-coded for a model."""
    return _model_class_registry[model]._feature_classes["spectrometer"][0].__dict__["__init__"].keywords


def flat(indices):
    return tuple(itertools.chain.from_iterable(entry if isinstance(entry, tuple) else (entry,) for entry in indices))


def test_every_model_the_library_drives_over_usb_has_an_entry():
    assert set(CAPABILITIES) == set(_model_class_registry) - {"FX"}


def test_names_are_those_of_the_usb_table():
    assert {can.name for can in CAPABILITIES.values()} == {*MODELS.values(), "Flame-S"}


@EACH
def test_what_the_library_knows_is_the_same_here(model):
    can, known = CAPABILITIES[model], library(model)
    assert can.words == known["spectrum_num_pixel"]
    assert can.full_scale == known["spectrum_max_value"]
    assert can.step_us == known["integration_time_base"]
    assert can.shortest_us == known["integration_time_min"]
    assert can.dark_pixels == flat(known["dark_pixel_indices"])
    assert set(can.triggers.values()) == set(map(int, known["trigger_modes"]))
    assert (can.padding > 0) == (model in FEWER_PIXELS)
    if model in SIXTEEN_BIT_MILLISECONDS:
        assert can.last_us == 0xFFFF * 1000
    else:
        assert can.beyond_us == known["integration_time_max"]


@EACH
def test_an_entry_makes_sense(model):
    can = CAPABILITIES[model]
    assert can.shortest_us <= can.first_us < can.last_us < can.beyond_us
    assert can.first_us % can.step_us == can.last_us % can.step_us == 0
    assert can.beyond_us - can.last_us <= can.step_us
    assert all(0 <= pixel < can.pixels for pixel in can.dark_pixels)
    assert can.dark_pixels == tuple(sorted(set(can.dark_pixels)))
    assert can.triggers[Trigger.FREE] == 0
    assert len(set(can.triggers.values())) == len(can.triggers)
    assert can.full_scale < 1 << (8 * can.layout.width)
    assert not can.layout.interleaved or can.words % 64 == 0


@given(st.sampled_from(sorted(CAPABILITIES)), st.floats(0, 1))
def test_the_nearest_time_is_a_step_away_at_most_and_stays(model, place):
    can = CAPABILITIES[model]
    asked_us = round(can.first_us + place * (can.last_us - can.first_us))
    nearest_us = can.nearest_us(asked_us)
    assert can.first_us <= nearest_us <= can.last_us
    assert nearest_us % can.step_us == 0
    assert abs(nearest_us - asked_us) <= can.step_us / 2
    assert can.nearest_us(nearest_us) == nearest_us
