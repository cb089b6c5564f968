"""What must be named, and what must not."""

import numpy as np
import pytest
from tests.engine.spectra import axis, continuum, lines, measured, plasma

import oesd
from oesd.engine.bands import SYSTEMS, band_light
from oesd.engine.linespread import PIXEL_PX

WL = axis()


def named(result):
    return {e.element for e in result.elements}


def analyzed(light, seed=0, **more):
    sample, dark = measured(light, seed)
    return oesd.analyze(WL, sample, dark, saturation_counts=65535.0, **more)


@pytest.mark.parametrize("fwhm_nm", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("metals", [("Ti",), ("Cu", "Al"), ("Ga", "In")])
def test_argon_and_the_metals_in_it_and_nothing_else(metals, fwhm_nm):
    light = plasma(WL, {"Ar": 12000.0} | dict.fromkeys(metals, 8000.0), fwhm_nm, scatter=0.2, seed=1)
    assert named(analyzed(light + continuum(WL))) == {"Ar", *metals}


def test_strengths_off_by_a_factor_of_two_are_tolerated():
    light = plasma(WL, {"Ar": 12000.0, "Cr": 9000.0}, 1.0, scatter=0.7, seed=3)
    assert named(analyzed(light)) == {"Ar", "Cr"}


@pytest.mark.parametrize("seed", range(5))
def test_a_continuum_with_spikes_claims_nothing(seed):
    rng = np.random.default_rng(seed)
    light = continuum(WL, 6000.0)
    light[rng.integers(20, 2000, 8)] += rng.uniform(500.0, 9000.0, 8)
    assert named(analyzed(light, seed)) == set()


def band(system: str, fwhm_nm: float, height: float, wavelengths=WL):
    """The rotational envelope of one system at 600 K, brightest point ``height``."""
    nm, number, light = band_light()
    mine = number == SYSTEMS.index(system)
    shape = lines(wavelengths, nm[mine], light[1][mine], fwhm_nm)
    return height * shape / shape.max()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fwhm_nm", [0.8, 1.3])
def test_molecular_bands_claim_no_element(system, fwhm_nm):
    assert named(analyzed(band(system, fwhm_nm, 9000.0) + continuum(WL, 800.0))) == set()


@pytest.mark.parametrize("shift_nm", [0.0, 0.35])
@pytest.mark.parametrize(("system", "head_nm"), [("N2", 337.1), ("N2+", 391.4), ("C2", 516.5)])
def test_a_band_whose_envelope_shows_is_named_by_its_molecule(system, head_nm, shift_nm):
    wl = axis(head_nm - 9.0, head_nm + 5.0, 1024)
    sample, dark = measured(band(system, 0.11, 20000.0, wl) + 4000.0)
    result = oesd.analyze(wl + shift_nm, sample, dark, saturation_counts=65535.0)
    brightest = max(result.detected_peaks, key=lambda p: p.intensity)
    assert brightest.element == system
    assert brightest.candidates[0].candidate_key.startswith(f"{system}_{head_nm:.0f}")
    assert named(result) == set()
    assert f"molecular bands of {system}" in result.warnings


def test_indium_is_indium_when_both_its_lines_are_there_and_hydrogen_when_balmer_is():
    indium = analyzed(plasma(WL, {"In": 9000.0}, 0.8))
    balmer = analyzed(
        lines(WL, np.array([656.28, 486.13, 434.05, 410.17]), np.array([20000.0, 6000.0, 2500.0, 1200.0]), 0.8)
    )
    assert named(indium) == {"In"}
    assert named(balmer) == {"H"}


def test_without_the_element_the_peaks_keep_candidates_but_no_name():
    result = analyzed(plasma(WL, {"Ga": 9000.0}, 0.8), constraint="exclude", elements=["Ga"])
    peak = min(result.detected_peaks, key=lambda p: abs(p.wavelength_nm - 417.2))
    assert "Ga" not in named(result)
    assert peak.element != "Ga"
    assert peak.candidates and all(c.element != "Ga" for c in peak.candidates)


def test_the_named_line_leads_the_candidates_under_a_readable_key():
    result = analyzed(plasma(WL, {"Ga": 9000.0}, 0.8))
    peak = min(result.detected_peaks, key=lambda p: abs(p.wavelength_nm - 417.2))
    assert peak.element == "Ga"
    assert peak.candidates[0].candidate_key == "Ga_417.2"
    assert peak.candidates[0].ionization == 1
    assert len(peak.candidates) >= 3
    assert peak.wavelength_nm == pytest.approx(417.204, abs=0.05)
    assert peak.fwhm_nm == pytest.approx(0.8, rel=0.1)
    looks_nm = np.hypot(peak.fwhm_nm, PIXEL_PX * (WL[1] - WL[0]))
    assert peak.area == pytest.approx(1.0645 * peak.intensity * looks_nm, rel=1e-3)


def test_candidates_are_unique_ordered_and_their_probabilities_add_up():
    result = analyzed(plasma(WL, {"Fe": 15000.0, "Ar": 6000.0}, 1.0))
    assert [p.peak_id for p in result.detected_peaks] == [f"p{n + 1}" for n in range(len(result.detected_peaks))]
    assert [p.wavelength_nm for p in result.detected_peaks] == sorted(p.wavelength_nm for p in result.detected_peaks)
    for peak in result.detected_peaks:
        keys = [c.candidate_key for c in peak.candidates]
        assert len(set(keys)) == len(keys)
        assert sum(c.probability for c in peak.candidates) <= 1.001
        assert peak.element is None or peak.candidates[0].element == peak.element
        assert 0.0 <= peak.probability <= 1.0
        assert not peak.manual


def test_a_saturated_line_does_not_hide_its_element():
    light = plasma(WL, {"Ar": 30000.0, "Cu": 9000.0}, 1.0)
    sample, dark = measured(light)
    result = oesd.analyze(WL, np.minimum(sample, 8000.0), dark, saturation_counts=8000.0)
    assert named(result) == {"Ar", "Cu"}
    assert any(p.saturated for p in result.detected_peaks)


def two_channels(shift_nm, seed=0):
    """Iron in a fine channel, hydrogen and oxygen in a coarse one that is joined to it and off by so much."""
    fine, coarse = np.arange(200.0, 460.0, 0.065), np.arange(460.07, 980.0, 0.14)
    ultraviolet = plasma(fine, {"Fe": 30000.0}, 0.22)
    red = plasma(coarse - shift_nm, {"O": 1500.0, "H": 3000.0}, 0.5) + 0.02 * plasma(coarse, {"Fe": 30000.0}, 0.5)
    sample, dark = measured(np.concatenate([ultraviolet, red]), seed)
    return oesd.analyze(np.concatenate([fine, coarse]), sample, dark, integration_us=100_000)


@pytest.mark.parametrize("seed", range(3))
def test_where_two_channels_were_joined_a_line_is_as_wide_as_its_own(seed):
    """0.15 nm are a third of a line width in the coarse channel, and two thirds of one in the fine channel."""
    result = two_channels(0.15, seed)
    assert {"Fe", "O", "H"} <= named(result)
    width = {round(p.fwhm_nm, 2) for p in result.detected_peaks if not p.blended and p.snr > 30}
    assert min(width) < 0.3 and max(width) > 0.45
