"""One taught unit per model, shared by the tests of the room."""

import functools

import numpy as np
import pytest
from tests.support.dark_units import Unit, taught


@functools.cache
def _taught(name):
    unit = Unit(name, 7)
    return unit, taught(unit, 200, np.random.default_rng(11))


@pytest.fixture(params=["USB2000+", "USB4000", "STS"])
def known(request):
    """A unit and the model learned from two hundred of its darks."""
    return _taught(request.param)


@pytest.fixture
def usb2000():
    return _taught("USB2000+")
