"""Where no comb of lines confirms the axis, claims must rest on peaks that look like lines of the instrument."""

from dataclasses import replace

import numpy as np
import pytest
from tests.engine.spectra import axis, lines, measured, plasma
from tests.support.plasma.cases import make

import oesd
from oesd.engine.doubt import SERIES, SHAPE_NATS, UNCONFIRMED_NATS, UNTOLD, Doubt, in_series, line_misfit
from oesd.engine.observed import Observed

WL = axis(400.0, 800.0)
STEP = float(WL[1] - WL[0])
FWHM_NM = 1.0
NOTHING = frozenset[str]()


def observed(light, centers, heights):
    """Peaks on an axis, and the light that is there."""
    return Observed(
        center_nm=np.array(centers),
        center_sigma_nm=np.full(len(centers), 0.01),
        height=np.array(heights),
        height_sigma=np.full(len(centers), 10.0),
        saturated=np.zeros(len(centers), dtype=bool),
        true_nm=WL,
        net=light,
        sigma=np.full(len(WL), 10.0),
        fwhm_nm=FWHM_NM,
        fwhm_px=FWHM_NM / STEP,
        peak_fwhm_nm=np.full(len(centers), FWHM_NM),
        axis_sigma_nm=0.01,
    )


def shaded(head_nm, height, to_nm=8.0):
    """A band: light that begins at its head and fades."""
    count = round(to_nm / 0.05)
    return lines(
        WL, head_nm + 0.05 * np.arange(count), np.full(count, height / 15.0) * np.linspace(1, 0, count), FWHM_NM
    )


def top_of(light):
    return float(WL[light.argmax()]), float(light.max())


def test_lines_are_lines_also_where_they_overlap():
    centers, heights = np.array([500.0, 501.3, 640.0]), np.array([4000.0, 7000.0, 300.0])
    noise = np.random.default_rng(1).normal(0.0, 10.0, len(WL))
    misfit = line_misfit(observed(lines(WL, centers, heights, FWHM_NM) + noise, centers, heights))
    assert misfit.max() < 0.05


def test_a_head_and_a_step_are_no_lines():
    step = np.where(WL > 700.0, 1000.0, 0.0)
    band = shaded(550.0, 1000.0)
    center, height = top_of(band)
    misfit = line_misfit(observed(step + band, [center, 700.8], [height, 1000.0]))
    assert misfit.min() > 0.35


def test_a_clipped_peak_does_not_tell_its_shape():
    scene = observed(np.minimum(lines(WL, [500.0], [9000.0], FWHM_NM), 3000.0), [500.0], [9000.0])
    assert line_misfit(scene)[0] > 0.2
    clipped = replace(scene, saturated=np.array([True]))
    assert np.isnan(line_misfit(clipped)[0])
    owed = Doubt(clipped, NOTHING).nats("Ca", np.array([9000.0]))
    assert owed == UNCONFIRMED_NATS + SHAPE_NATS * UNTOLD


def test_a_claim_owes_for_the_shape_of_most_of_its_peaks_and_only_of_its_own():
    good, bad = [500.0, 520.0, 540.0], [600.0, 610.0]
    light = lines(WL, good, [1000.0] * 3, FWHM_NM) + lines(WL, bad, [1000.0] * 2, 3.0 * FWHM_NM)
    doubt = Doubt(observed(light, good + bad, [1000.0] * 5), NOTHING)
    mine = np.array([1000.0, 1000.0, 1000.0, 0.0, 0.0])
    assert doubt.nats("Ca", mine) < UNCONFIRMED_NATS + 1.0
    assert doubt.nats("Ca", mine[::-1]) > UNCONFIRMED_NATS + 5.0


def test_who_is_expected_or_undecided_owes_nothing():
    wide = lines(WL, [600.0], [1000.0], 3.0 * FWHM_NM)
    doubt = Doubt(observed(wide, [600.0], [1000.0]), frozenset({"Ga"}))
    assert doubt.nats("Ga", np.array([1000.0])) == 0.0 < doubt.nats("In", np.array([1000.0]))
    doubt.undecided.add("In")
    assert doubt.nats("In", np.array([1000.0])) == 0.0


def test_rotational_lines_are_a_series_and_lines_anywhere_are_none():
    branch = 560.0 + 1.2 * np.arange(12) - 0.02 * np.arange(12) ** 2
    others = np.array([540.0, 541.1, 545.0, 590.0, 597.0])
    found = in_series(np.sort(np.append(branch, others)))
    assert found[3:15].all() and not found[:2].any() and not found[16:].any()
    assert not in_series(branch[: SERIES - 1]).any()
    anywhere = np.sort(np.random.default_rng(2).uniform(400.0, 800.0, (200, 100)), axis=1)
    assert sum(in_series(row).any() for row in anywhere) <= 2


@pytest.mark.parametrize("at_nm", [581.6, 588.4, 614.4, 670.4, 766.0, 776.8])
def test_a_step_of_the_gain_is_no_element(at_nm):
    """B, Na, Hg, Li, K and O were claimed for a splice of the response where they have a line and hardly another."""
    light = 1500.0 * np.where(WL > at_nm, 1.5, 1.0)
    sample, dark = measured(light, 3)
    assert not oesd.analyze(WL, sample, dark, saturation_counts=65535.0, fwhm_nm=FWHM_NM).elements


def test_a_lamp_of_one_line_is_still_named():
    sample, dark = measured(plasma(WL, {"Na": 20000.0}, FWHM_NM) + 300.0, 5)
    found = oesd.analyze(WL, sample, dark, saturation_counts=65535.0, fwhm_nm=FWHM_NM)
    assert [e.element for e in found.elements] == ["Na"]


def test_light_without_an_atom_claims_hardly_anything():
    """Twenty blanks of the harder simulator: bands that no list has, seen through narrow windows, hits, steps."""
    claimed = []
    for number in range(20):
        given = make(301, number, hard=True, blank=True).given
        found = oesd.analyze(
            given["wavelengths"],
            given["sample"],
            given["dark"],
            saturation_counts=given["saturation_counts"],
            scans_averaged=given["scans_averaged"],
            fwhm_nm=given["fwhm_hint_nm"],
        )
        claimed += [e.element for e in found.elements]
    assert len(claimed) <= 1, claimed
