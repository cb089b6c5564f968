"""What is worked out once of a dark or an axis belongs to exactly those values."""

import numpy as np

from oesd.engine.defects import hot_pixels
from oesd.engine.kept import PLACES, Kept, dispersion_of
from oesd.engine.patterns import shipped_patterns
from oesd.engine.places import places_of

PIXELS = 400
DARK = np.random.default_rng(3).normal(1000.0, 5.0, PIXELS)


def test_arrays_are_alike_when_all_their_values_are():
    assert Kept(DARK) == Kept(DARK.copy()) and hash(Kept(DARK)) == hash(Kept(DARK.copy()))
    for pixel in (0, 1, 7, 200, PIXELS - 1):
        other = DARK.copy()
        other[pixel] += 1.0
        assert Kept(other) != Kept(DARK)
    assert Kept(DARK[:-1]) != Kept(DARK)
    assert Kept(DARK) != DARK.tolist()


def test_nobody_changes_what_is_kept():
    mine = DARK.copy()
    key = Kept(mine)
    mine[5] = 9999.0
    assert key == Kept(DARK) and key != Kept(mine)


def test_each_dark_has_its_own_hot_pixels_however_alike_it_is():
    for pixel in (10, 11, 12, 10):
        dark = DARK.copy()
        dark[pixel] += 500.0
        assert hot_pixels(dark, PIXELS).nonzero()[0].tolist() == [pixel]
        dark[:] = DARK  # the caller's array is the caller's
    assert not hot_pixels(DARK, PIXELS).any()


def test_the_dispersion_is_that_of_the_axis_asked_for():
    for bend in (0.0, 1e-5, 2e-5):
        px = np.arange(2000.0)
        nm = 300.0 + 0.2 * px + bend * px * px
        along = dispersion_of(nm)
        at = np.array(PLACES) * 1999.0
        np.testing.assert_allclose(along.nm, 300.0 + 0.2 * at + bend * at * at, atol=1e-4)
        np.testing.assert_allclose(along.nm_per_px, 0.2 + 2.0 * bend * at, rtol=1e-4)
        assert abs(along.median_nm_per_px - (0.2 + bend * 1999.0)) < 1e-3 * 0.2


def test_half_a_dozen_spectrometers_are_worked_out_once_each():
    devices = [
        (shipped_patterns(fwhm_nm), 200.0 + 7.0 * n, fwhm_nm)
        for n, fwhm_nm in enumerate((0.8, 0.9, 1.0, 1.1, 1.2, 1.4))
    ]
    first = [places_of(patterns, low_nm, 850.0, fwhm_nm) for patterns, low_nm, fwhm_nm in devices]
    again = [places_of(shipped_patterns(fwhm_nm), low_nm, 850.0, fwhm_nm) for _, low_nm, fwhm_nm in devices]
    assert all(one is other for one, other in zip(first, again, strict=True))
