"""The learned dark, against the truth that only a virtual spectrometer tells."""

import dataclasses

import numpy as np
import pytest
from tests.support.dark_units import SCANS, Unit, light

from oesd.backgrounds.cells import Dark, DarkStatistics, statistics_of
from oesd.backgrounds.dark_model import learn
from oesd.backgrounds.photon_transfer import Undetermined


def taught_with(unit, change, darks=60, nonlinearity=None):
    rng = np.random.default_rng(3)
    statistics = DarkStatistics(unit.detector.pixels)
    for _ in range(darks):
        integration_us = int(rng.choice(list(SCANS)))
        statistics.add(change(unit.dark(integration_us, rng.uniform(15, 35), SCANS[integration_us]), rng))
    detector = unit.detector
    curve = detector.nonlinearity if nonlinearity is None else nonlinearity
    return learn(statistics, nonlinearity=curve, saturation_counts=detector.saturation_counts)


def off(unit, model, integration_us, celsius):
    """Residual of the pixels that are not full, and the model's sigma."""
    predicted, truth = model.predict(integration_us, celsius), unit.mean(integration_us, celsius)
    seen = truth < unit.detector.saturation_counts
    return (predicted.counts - truth)[seen], predicted.sigma[seen]


@pytest.mark.parametrize("celsius", [15.0, 25.0, 35.0])
@pytest.mark.parametrize("integration_us", [1_000, 30_000, 1_000_000, 10_000_000])
def test_residuals_stay_below_the_read_noise_and_the_sigma_is_true(known, integration_us, celsius):
    unit, model = known
    residual, sigma = off(unit, model, integration_us, celsius)
    assert np.sqrt(np.mean(residual**2)) < model.noise.read_counts
    assert 0.8 < np.sqrt(np.mean((residual / sigma) ** 2)) < 1.25


def test_noise_temperature_law_and_hot_pixels_are_found(known):
    unit, model = known
    detector = unit.detector
    gain = detector.nonlinearity[0] / detector.electrons_per_count
    assert model.noise.read_counts == pytest.approx(detector.read_noise_e * gain, rel=0.03)
    assert model.doubling_k == pytest.approx(7.0, abs=0.02)
    current = unit.optics._dark_e_per_s
    assert model.hot[current > 3.0 * np.median(current)].all()
    assert not model.hot[current < 2.0 * np.median(current)].any()


def test_noise_of_a_dark_falls_with_its_scans(usb2000):
    unit, model = usb2000
    one, many = model.predict(1_000_000, 25.0), model.predict(1_000_000, 25.0, 25)
    assert np.allclose(one.noise, 5.0 * many.noise)
    assert np.array_equal(one.counts, many.counts)
    frames = np.array([unit.dark(1_000_000, 25.0, 1).counts for _ in range(60)])
    assert np.median(np.std(frames, axis=0)) == pytest.approx(np.median(one.noise), rel=0.05)


def test_it_says_how_far_it_extrapolates(usb2000):
    _, model = usb2000
    assert str(model.predict(100_000, 25.0).extrapolation) == "within the darks learned from"
    beyond = model.predict(30_000_000, 45.0)
    assert beyond.extrapolation.exposure_factor == pytest.approx(3.0)
    assert beyond.extrapolation.temperature_k == pytest.approx(10.0, abs=1.5)
    assert "3 times" in str(beyond.extrapolation)
    assert "K warmer" in str(beyond.extrapolation)


def test_doubt_grows_away_from_what_was_learned(usb2000):
    _, model = usb2000
    sigma = [float(np.median(model.predict(10_000_000, celsius).sigma)) for celsius in (25.0, 35.0, 45.0)]
    assert sigma == sorted(sigma)


def test_one_temperature_only_leaves_the_law_to_the_prior():
    unit = Unit("USB2000+", 2)
    darks = [unit.dark(us, 22.0, SCANS[us]) for us in SCANS for _ in range(3)]
    detector = unit.detector
    model = learn(
        statistics_of(darks, detector.pixels),
        nonlinearity=detector.nonlinearity,
        saturation_counts=detector.saturation_counts,
    )
    residual, sigma = off(unit, model, 10_000_000, 32.0)
    assert np.median(sigma) > 10.0 * np.median(model.predict(10_000_000, 22.0).sigma)
    assert np.median(np.abs(residual)) < 2.0 * np.median(sigma)


def test_a_few_darks_with_light_in_them_do_not_bend_it(usb2000):
    unit, _ = usb2000
    rng = np.random.default_rng(8)
    glow = light(unit, "glow", rng)

    def spoil(dark, rng):
        brighter = glow * rng.uniform(10, 200) * (rng.random() < 0.08)
        return dataclasses.replace(dark, counts=dark.counts + brighter)

    model = taught_with(unit, spoil)
    assert model.noise.read_counts == pytest.approx(16.8, rel=0.1)
    residual, _ = off(unit, model, 100_000, 25.0)
    assert np.sqrt(np.mean(residual**2)) < 0.2 * model.noise.read_counts


def test_an_unsteady_thermometer_is_noticed_and_goes_into_the_sigma(usb2000):
    unit, steady = usb2000
    model = taught_with(
        unit, lambda dark, rng: dataclasses.replace(dark, temperature_c=dark.temperature_c + rng.normal(0, 0.3))
    )
    assert steady.scale_sigma < 0.005 < model.scale_sigma < 0.06
    residual, sigma = off(unit, model, 1_000_000, 25.0)
    assert np.sqrt(np.mean((residual / sigma) ** 2)) < 1.5


def test_without_a_polynomial_the_curve_is_learned(usb2000):
    unit, _ = usb2000
    model = taught_with(unit, lambda dark, _: dark, nonlinearity=())
    residual, _ = off(unit, model, 1_000_000, 25.0)
    assert np.median(np.abs(residual)) < model.noise.read_counts


def test_without_a_thermometer_it_says_so():
    unit = Unit("USB2000+", 2)
    darks = [dataclasses.replace(unit.dark(us, 22.0, 10), temperature_c=None) for us in SCANS for _ in range(2)]
    model = learn(statistics_of(darks, unit.detector.pixels), saturation_counts=62_000.0)
    assert not model.temperatures_known
    doubt = np.median(model.predict(1_000_000, None).sigma) / np.median(
        model.predict(1_000_000, None).counts - model.offset_counts
    )
    assert 0.2 < doubt < 0.5


def test_a_pixel_full_in_every_dark_is_never_trusted():
    unit = Unit("STS", 4)
    darks = [unit.dark(us, 25.0, 5) for us in (1_000, 100_000, 1_000_000) for _ in range(3)]
    for dark in darks:
        assert dark.saturated is not None
        dark.saturated[17] = True
    model = learn(statistics_of(darks, unit.detector.pixels), saturation_counts=16_383.0)
    assert model.predict(1_000, 25.0).sigma[17] > 1e5


def synthetic(*exposures):
    rng = np.random.default_rng(1)
    return statistics_of((Dark(rng.normal(1_000.0, 5.0, 200), us, 1, 20.0) for us in exposures), 200)


@pytest.mark.parametrize(
    ("statistics", "missing"),
    [
        (synthetic(1_000, 10_000), "2 darks learned from, 6 are needed"),
        (synthetic(*[10_000] * 8), "factor of 4"),
        (synthetic(*[10_000, 30_000] * 4), "factor of 4"),
        (synthetic(1_000, 10_000, 20_000, 40_000, 80_000, 160_000), "no dark was repeated"),
    ],
)
def test_what_does_not_determine_a_model_is_refused_with_what_is_missing(statistics, missing):
    with pytest.raises(Undetermined, match=missing):
        learn(statistics, saturation_counts=60_000.0)


def test_long_exposures_only_do_not_tell_the_offset():
    unit = Unit("QE65000", 2)
    darks = [unit.dark(us, 35.0, 1) for us in (2_000_000, 2_000_000, 2_000_000, 8_000_000, 8_000_000, 8_000_000)]
    with pytest.raises(Undetermined, match="darks of short exposure are missing"):
        learn(statistics_of(darks, unit.detector.pixels), saturation_counts=65_535.0)
