"""The simulator that judges the engine stands on physics, and makes the same cases every time."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import find_peaks
from tests.support.plasma.cases import make, shine
from tests.support.plasma.instrument import Detector, Optics, Spectrometer, expose
from tests.support.plasma.laboratory import OTHER, PERFECT, species
from tests.support.plasma.molecules import SYSTEMS, air_nm, band_light, franck_condon
from tests.support.plasma.radiation import Emission, Zone, emission, ion_over_neutral, profiles, thickened
from tests.support.plasma.scenes import Scene, Source

RNG = np.random.default_rng
SMOOTH = Optics(2048, (500.0, 300.0, 0.0), (0.0,), (1.0, 1.0, 1.0), 0.0, 0.0, 0.0, 0.0, (), (0.0,))


def copper(stage=1):
    lines = species("Cu", stage, PERFECT, RNG(0))
    assert lines is not None
    return lines


def test_the_same_number_gives_the_same_case_and_another_one_another():
    first, again, other = make(5, 3, hard=True), make(5, 3, hard=True), make(5, 4, hard=True)
    assert json.dumps(first.given) == json.dumps(again.given)
    assert json.dumps(first.truth) == json.dumps(again.truth)
    assert first.given["sample"] != other.given["sample"]


def test_saha_ionizes_with_temperature_and_recombines_with_electrons():
    ratio = [ion_over_neutral(copper(), copper(2), Zone(kt, ne)) for kt, ne in ((0.6, 1e17), (1.2, 1e17), (1.2, 1e18))]
    assert ratio[0] < 0.2 < ratio[2] < ratio[1]


def test_boltzmann_two_copper_lines():
    """510.55 (3.82 eV) and 521.82 nm (6.19 eV): the ratio of photons gives the temperature back."""
    lines = copper()
    at = [int(np.argmin(np.abs(lines.nm - nm))) for nm in (510.554, 521.820)]
    photons = emission(lines, 1.0, Zone(0.8), RNG(0)).photons[at] / lines.ga_s1[at]
    assert np.log(photons[0] / photons[1]) == pytest.approx((lines.upper_ev[at[1]] - lines.upper_ev[at[0]]) / 0.8)


def test_thin_light_is_kept_and_thick_light_saturates():
    def leaving(thickest):
        zone = Zone(0.8, thickest=thickest, stark_nm=0.05)
        light = thickened([emission(copper(), 1.0, zone, RNG(0))], zone, 200.0, 900.0)[0]
        return light, profiles(light, zone.kt_ev, 0.0)[1].sum(axis=1)

    light, thin = leaving(1e-6)
    np.testing.assert_allclose(thin, light.photons, rtol=1e-5)
    light, thick = leaving(100.0)
    deepest, faint = int(np.argmax(light.depth)), light.depth < 1e-3
    assert thick[deepest] < 0.3 * light.photons[deepest]
    np.testing.assert_allclose(thick[faint], light.photons[faint], rtol=1e-3)


def test_a_cold_boundary_takes_the_middle_out_of_a_resonance_line():
    one = np.ones(1)
    plain = Emission("Cu", 1, 324.754 * one, one, 20.0 * one, 0.0 * one, 0.05 * one)
    reversed_ = Emission("Cu", 1, 324.754 * one, one, 20.0 * one, 8.0 * one, 0.05 * one)
    before, after = (profiles(light, 0.8, 0.3)[1][0] for light in (plain, reversed_))
    middle = len(before) // 2
    assert after[middle] < 0.05 * before[middle]
    assert after[middle - 50] > 0.95 * before[middle - 50]


@pytest.mark.parametrize(
    ("name", "heads_nm"),
    [
        ("N2 second positive", (337.13, 357.69, 380.49, 315.93, 375.54)),
        ("N2+ first negative", (391.44, 427.81)),
        ("CN", (388.34, 387.14)),
        ("C2", (516.52, 512.93, 563.55, 473.71)),
        ("AlO", (484.23, 486.62, 507.93)),
        ("N2 first positive", (775.32, 762.62, 670.48, 654.48)),
    ],
)
def test_band_heads_stand_where_pearse_and_gaydon_have_them(name, heads_nm):
    nm, photons = band_light(name, 1000.0, 4000.0)
    edges = np.arange(200.0, 1000.0, 0.1)
    light = np.histogram(nm, edges, weights=photons)[0]
    tops = edges[find_peaks(light, prominence=0.02 * light.max())[0]] + 0.05
    for head in heads_nm:
        assert np.abs(tops - head).min() < 0.25, head


@pytest.mark.parametrize("name", SYSTEMS)
def test_franck_condon_factors_of_a_level_sum_to_one(name):
    np.testing.assert_allclose(franck_condon(SYSTEMS[name], levels=30)[:3].sum(axis=1), 1.0, atol=0.06)


@pytest.mark.parametrize("band", ["OH", "N2 second positive"])
def test_a_band_whose_heads_are_off_the_axis_is_as_faint_as_its_tails_are(band):
    """The brightness of a source is that of its head, wherever the instrument looks."""
    around, beyond = (_brightest_of(band, first, last) for first, last in ((250.0, 450.0), (520.0, 700.0)))
    assert around == pytest.approx(1.0, rel=0.01)
    assert beyond < 1e-3


def _brightest_of(band, first_nm, last_nm):
    optics = replace(SMOOTH, nm_of=(0.5 * (first_nm + last_nm), 0.5 * (last_nm - first_nm)))
    spectrometer = Spectrometer(optics, RNG(0))
    scene = Scene("a band", (Source(1.0, band=band),), PERFECT)
    return spectrometer.pixels_of(shine(scene, spectrometer, RNG(0)).bands).max()


def test_vacuum_to_air():
    assert air_nm(np.array([589.1583]))[0] == pytest.approx(588.9951, abs=2e-4)


def test_light_is_neither_lost_nor_made_on_its_way_to_the_pixels():
    spectrometer = Spectrometer(SMOOTH, RNG(0))
    image = spectrometer.spread(spectrometer.on_grid(np.array([350.0, 500.03, 650.0]), np.array([1.0, 2.0, 3.0])))
    assert spectrometer.pixels_of(image).sum() == pytest.approx(6.0, rel=1e-3)
    place = (spectrometer.pixels_of(image) * spectrometer.true_nm)[900:1150].sum()
    assert place / spectrometer.pixels_of(image)[900:1150].sum() == pytest.approx(500.03, abs=0.02)


def test_the_truth_stands_where_lines_were_put():
    offsets = []
    for case in (make(2, n, hard=False) for n in range(12)):
        peaks = case.truth["peaks"]
        pure = [p for p in peaks if p["snr"] > 50 and p["contrib"] and p["contrib"][0][1] > 0.99]
        offsets += [(p["true_nm"] - p["contrib"][0][3]) / case.truth["fwhm_nm"] for p in pure]
    assert len(offsets) > 50 and abs(np.median(offsets)) < 0.01 and np.median(np.abs(offsets)) < 0.05


def test_the_detector_counts_with_its_noise_and_clips():
    detector = Detector(16383.0, 4.0, 8.0, 1, 500.0, 0.0, None, 0.0, 0.0, 0.0)
    exposed = expose(np.full(20000, 4000.0), detector, RNG(1))
    net = exposed.sample - exposed.dark
    assert net.mean() == pytest.approx(4000.0, rel=0.002)
    assert net.std() == pytest.approx(float(exposed.sigma[0]), rel=0.1)
    full = expose(np.full(100, 30000.0), detector, RNG(1))
    assert full.full.all() and full.sample.max() <= 16383.0


def test_another_laboratory_s_lines_are_others():
    mine, theirs = species("Fe", 1, PERFECT, RNG(1)), species("Fe", 1, OTHER, RNG(1))
    assert mine is not None and theirs is not None
    shared = np.isin(np.round(theirs.nm, 3), np.round(mine.nm, 3))
    assert shared.mean() < 0.5 and len(theirs) > 0.9 * len(mine)


@pytest.mark.parametrize("element", ["O", "Be", "Fe", "Ar"])
@pytest.mark.parametrize("stage", [1, 2])
def test_the_levels_of_a_line_are_its_wavelength_apart(element, stage):
    lines = species(element, stage, PERFECT, RNG(0))
    assert lines is not None
    np.testing.assert_allclose(lines.upper_ev - lines.lower_ev, 1239.842 / (1.00028 * lines.nm), atol=0.004)
