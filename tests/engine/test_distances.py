"""The distances between a claim's lines do not depend on the axis' error: they speak for it, or against it."""

import numpy as np
import pytest
from tests.support.plasma.cases import make

import oesd
from oesd.engine.distances import AGREED_NATS, WITNESSES, distance_nats


def nats(*offset, sigma=0.005, misfit=0.0):
    peaks = np.ones(len(offset))
    return distance_nats(np.array(offset), sigma * peaks, misfit * peaks)


def test_lines_at_their_distances_speak_for_a_claim_and_others_against_it():
    assert nats(0.01, -0.01) == pytest.approx(AGREED_NATS, abs=0.1)
    assert nats(0.15, -0.15) < -3.0
    assert nats(*np.full(8, 0.02)) == pytest.approx(WITNESSES * AGREED_NATS)


def test_the_error_of_the_axis_does_not_matter():
    offsets = np.array([0.03, -0.02, 0.12, 0.05])
    assert nats(*(offsets + 0.4)) == pytest.approx(nats(*offsets))


def test_one_peak_has_no_distance():
    assert nats(0.3) == nats() == 0.0


def test_what_is_known_badly_says_little():
    assert nats(0.15, -0.15) < nats(0.15, -0.15, misfit=0.5) < nats(0.15, -0.15, sigma=0.3)


def test_one_peak_that_is_anothers_does_not_decide():
    assert nats(0.01, -0.01, 0.02, 0.0, -0.02, 0.9) > 0.0


@pytest.mark.parametrize(("seed", "number"), [(623, 123), (707, 52)])
def test_lines_of_bands_at_wrong_distances_are_no_element(seed, number):
    """Two lines of a band 3.72 nm apart were Ca II's H and K, 3.48 nm apart (0.84); seven of others were Na (0.62)."""
    given = make(seed, number, hard=True, blank=True).given
    found = oesd.analyze(
        given["wavelengths"],
        given["sample"],
        given["dark"],
        saturation_counts=given["saturation_counts"],
        nonlinearity=given["nonlinearity"],
        scans_averaged=given["scans_averaged"],
        fwhm_nm=given["fwhm_hint_nm"],
    )
    assert found.elements == ()
