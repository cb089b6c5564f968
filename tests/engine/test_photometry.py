"""Transmittance, reflectance, absorbance and irradiance: what was put in comes out, with an error that is true."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.spectra import axis

import oesd
from oesd.engine.errors import SpectrumError
from oesd.engine.photometry import known_quantity, photometric
from oesd.model import IrradianceCalibration, Measurement, Quantity

WL = axis(350.0, 950.0, 1200)
LAMP = 30_000.0 * np.exp(-(((WL - 650.0) / 100.0) ** 2))
THROUGH = 0.2 + 0.6 / (1.0 + np.exp((WL - 600.0) / 20.0))
GAIN, READ, OFFSET = 0.3, 6.0, 400.0


def counted(light: np.ndarray, rng: np.random.Generator, scans: int = 10) -> np.ndarray:
    electrons = rng.poisson(np.maximum(light, 0.0) / GAIN * scans) * GAIN / scans
    return OFFSET + electrons + rng.normal(0.0, READ / np.sqrt(scans), len(light))


def exposure(light: np.ndarray, seed: int, **more) -> Measurement:
    rng = np.random.default_rng(seed)
    return Measurement(
        WL, counted(light, rng), dark=np.full(len(WL), OFFSET), scans=10, saturation_counts=65535.0, **more
    )


def flat_calibration(**changes) -> IrradianceCalibration:
    given = IrradianceCalibration(WL, np.full(len(WL), 2e-6), 0.1)
    return dataclasses.replace(given, **changes)


def test_a_transmittance_comes_out_and_its_error_is_true():
    off = []
    for seed in range(20):
        made = photometric(
            exposure(LAMP * THROUGH, seed), Quantity.TRANSMITTANCE, reference=exposure(LAMP, 1000 + seed)
        )
        off.append((made.values - THROUGH) / made.sigma)
    z = np.array(off)
    seen = np.isfinite(z)
    assert seen.mean() > 0.6
    assert abs(np.mean(z[seen])) < 0.1
    assert 0.75 < np.std(z[seen]) < 1.1  # the noise floor of the spectrum's own estimate is rather too large


def test_where_the_reference_is_weak_nothing_is_divided():
    made = photometric(exposure(LAMP * THROUGH, 1), Quantity.TRANSMITTANCE, reference=exposure(LAMP, 2))
    weak = made.masked["reference too weak"]
    assert weak[LAMP < 5.0].mean() > 0.9
    assert not weak[LAMP > 200.0].any()
    assert np.isnan(made.values[weak]).all()
    assert np.isnan(made.sigma[weak]).all()
    assert "reference too weak" in made.warnings[-1]
    assert np.nanmax(made.values) < 2.0


def test_integration_times_may_differ():
    sample = exposure(LAMP * THROUGH, 3, integration_us=40_000)
    white = exposure(LAMP / 4.0, 4, integration_us=10_000)
    made = photometric(sample, Quantity.REFLECTANCE, reference=white)
    assert np.nanmedian(made.values / THROUGH) == pytest.approx(1.0, abs=0.005)


def test_an_absorbance_is_the_logarithm_and_has_no_value_where_nothing_comes_through():
    blocked = np.where((WL > 600.0) & (WL < 620.0), 0.0, THROUGH)
    made = photometric(exposure(LAMP * blocked, 5), Quantity.ABSORBANCE, reference=exposure(LAMP, 6))
    bright = (LAMP > 5000.0) & (blocked > 0.0)
    np.testing.assert_allclose(made.values[bright], -np.log10(THROUGH[bright]), atol=0.06)
    error = (made.values + np.log10(THROUGH))[bright] / made.sigma[bright]
    assert 0.7 < np.std(error) < 1.2
    assert made.masked["too dark"][(WL > 601.0) & (WL < 619.0)].mean() > 0.97


def test_saturated_pixels_and_their_neighbours_have_no_value_in_either_spectrum():
    sample, white = exposure(LAMP * THROUGH, 7), exposure(LAMP, 8)
    sample.sample[300], white.sample[700] = 65535.0, 65535.0
    made = photometric(sample, Quantity.TRANSMITTANCE, reference=white)
    for pixel in (299, 300, 301, 699, 700, 701):
        assert made.masked["saturated"][pixel]
        assert np.isnan(made.values[pixel])


def test_bad_pixels_have_no_value_instead_of_a_bridged_one():
    sample = exposure(LAMP * THROUGH, 9, dead_pixels=(640,))
    made = photometric(sample, Quantity.TRANSMITTANCE, reference=exposure(LAMP, 10))
    assert np.isnan(made.values[640])
    assert made.masked["not to be trusted"][640]


def test_the_measurements_own_reference_serves():
    white = exposure(LAMP, 11)
    own = exposure(LAMP * THROUGH, 12, reference=white.sample, reference_scans=10)
    made = photometric(own, Quantity.TRANSMITTANCE)
    apart = photometric(exposure(LAMP * THROUGH, 12), Quantity.TRANSMITTANCE, reference=white)
    np.testing.assert_array_equal(made.values, apart.values)


def test_an_irradiance_is_energy_by_time_area_and_wavelength():
    made = photometric(exposure(LAMP, 13, integration_us=50_000), Quantity.IRRADIANCE, calibration=flat_calibration())
    step = WL[1] - WL[0]
    expected = LAMP * 2e-6 / (0.05 * 0.1 * step)
    bright = LAMP > 1000.0
    assert made.unit == "uW/cm2/nm"
    assert np.nanmax(np.abs(made.values[bright] / expected[bright] - 1.0)) < 0.1
    assert np.nanstd((made.values - expected)[bright] / made.sigma[bright]) == pytest.approx(1.0, abs=0.25)


def test_a_calibration_on_another_grid_counts_per_nm_and_reaches_no_further_than_it_goes():
    coarse = np.linspace(500.0, 800.0, 150)
    energy = 2e-6 * (coarse[1] - coarse[0]) / (WL[1] - WL[0]) * np.ones(150)
    energy[60:70] = 0.0
    calibration = flat_calibration(wavelengths_nm=coarse, uj_per_count=energy)
    sample = exposure(LAMP, 14, integration_us=50_000)
    made = photometric(sample, Quantity.IRRADIANCE, calibration=calibration)
    fine = photometric(sample, Quantity.IRRADIANCE, calibration=flat_calibration())
    told = np.isfinite(made.values)
    np.testing.assert_allclose(made.values[told], fine.values[told], rtol=1e-9)
    outside = (WL < 499.0) | (WL > 801.0) | ((WL > coarse[60]) & (WL < coarse[69]))
    assert made.masked["not calibrated"][outside].all()
    assert not told[outside].any()


def test_a_sphere_tells_a_power():
    made = photometric(
        exposure(LAMP, 15, integration_us=1000),
        Quantity.IRRADIANCE,
        calibration=flat_calibration(collection_area_cm2=None, warnings=("a sphere",)),
    )
    assert made.unit == "uW/nm"
    assert made.warnings[0] == "a sphere"


def test_flicker_of_the_lamp_is_an_error_that_all_pixels_share():
    rng = np.random.default_rng(16)
    scans = np.array([counted(LAMP * (1.0 + 0.03 * rng.standard_normal()), rng, 1) for _ in range(20)])
    flickering = Measurement(
        WL, scans.mean(axis=0), dark=np.full(len(WL), OFFSET), scans=20, spread=scans.std(axis=0, ddof=1)
    )
    made = photometric(flickering, Quantity.TRANSMITTANCE, reference=exposure(LAMP, 17))
    assert made.scale_sigma == pytest.approx(0.03 / np.sqrt(20.0), rel=0.5)


@pytest.mark.parametrize(
    ("quantity", "more", "said"),
    [
        ("absorbance", {}, "needs a reference"),
        ("irradiance", {}, "needs a calibration"),
        ("irradiance", {"calibration": flat_calibration()}, "needs the integration time"),
        ("colour", {}, "unknown quantity"),
        ("counts", {}, "unknown quantity"),
        (
            "irradiance",
            {"integration_us": 10, "calibration": flat_calibration(wavelengths_nm=WL + 900.0)},
            "it is of another one",
        ),
    ],
)
def test_what_is_missing_is_said_in_one_line(quantity, more, said):
    with pytest.raises(SpectrumError, match=said) as error:
        oesd.photometry(WL, LAMP + OFFSET, quantity=quantity, **more)
    assert "\n" not in str(error.value)


def test_a_reference_of_another_spectrometer_is_refused():
    short = Measurement(WL[:1000], LAMP[:1000])
    with pytest.raises(SpectrumError, match="not of one spectrometer"):
        photometric(exposure(LAMP, 18), Quantity.TRANSMITTANCE, reference=short)
    moved = dataclasses.replace(exposure(LAMP, 18), wavelengths_nm=WL + 2.0)
    with pytest.raises(SpectrumError, match="not of one spectrometer"):
        photometric(exposure(LAMP, 18), Quantity.TRANSMITTANCE, reference=moved)


def test_the_python_face_takes_plain_lists():
    made = oesd.photometry(
        WL.tolist(), (LAMP * THROUGH + OFFSET).tolist(), [OFFSET] * 1200, (LAMP + OFFSET).tolist(),
        quantity="transmittance", integration_us=1000, saturation_counts=65535.0,
    )  # fmt: skip
    assert made.values[600] == pytest.approx(THROUGH[600])
    assert known_quantity("absorbance") is Quantity.ABSORBANCE


def test_without_a_dark_it_is_said():
    made = oesd.photometry(WL, LAMP + OFFSET, None, LAMP + OFFSET, quantity="transmittance")
    assert any("no dark" in warning for warning in made.warnings)


numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=12, max_size=12)


@given(numbers, numbers, numbers, st.sampled_from(["transmittance", "absorbance", "irradiance"]))
@settings(max_examples=150)
def test_any_numbers_give_values_or_gaps_and_no_warning_of_numpy(sample, dark, reference, quantity):
    made = oesd.photometry(
        np.linspace(400.0, 500.0, 12), sample, dark, reference, quantity=quantity, integration_us=10,
        calibration=IrradianceCalibration(np.linspace(400.0, 500.0, 12), np.full(12, 1e-6), 1.0),
    )  # fmt: skip
    gaps = np.isnan(made.values)
    assert np.isfinite(made.values[~gaps]).all()
    assert (made.sigma[~gaps] >= 0.0).all()
    assert (gaps == np.isnan(made.sigma)).all()
