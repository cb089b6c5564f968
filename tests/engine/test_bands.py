"""Molecular bands: where their heads are, and that neither they nor elements are lost for the other."""

import numpy as np
import pytest
from tests.engine.spectra import axis, continuum, lines, measured, plasma
from tests.support.plasma.molecules import band_light as simulated

import oesd
from oesd.engine.bands import SYSTEMS, band_light, band_peaks, charge_stage, molecule_of, width_number

WL = axis(250.0, 950.0, 3648)
HEADS = {  # Pearse and Gaydon, The Identification of Molecular Spectra (1976)
    "N2": (337.13, 357.69, 380.49),
    "N2+": (391.44, 427.81),
    "CN": (388.34, 421.60),
    "C2": (516.52, 473.71),
    "N2 1+": (775.32, 762.62, 670.48, 654.48, 632.29, 625.28, 606.97, 590.6, 580.43, 575.52),
    "CO": (451.09, 483.53, 519.82, 561.02),
    "CO 3+": (283.31, 297.74, 313.44),
    "NO": (226.94, 237.02, 247.87),
    "CH": (431.42,),
    "AlO": (484.22, 486.62, 464.81, 507.94),
    "TiO g": (705.42,),
    "TiO g'": (615.85, 618.69),
    "TiO a": (516.72, 495.46),
    "SiH": (412.80, 414.23),
    "SiF": (436.82, 440.05),
}


def band(system, height, fwhm_nm, wavelengths=WL, row=1):
    nm, number, light = band_light()
    mine = number == SYSTEMS.index(system)
    shape = lines(wavelengths, nm[mine], light[row][mine], fwhm_nm)
    return height * shape / shape.max()


def test_what_may_be_beside_a_molecule_shares_what_it_leaves():
    peaks = analyzed(plasma(WL, {"Ar": 9000.0}, 0.8) + band("N2", 6000.0, 0.8)).detected_peaks
    assert sum(peak.element == "N2" for peak in peaks) > 5
    for peak in peaks:
        assert sum(candidate.probability for candidate in peak.candidates) <= 1.0 + 1e-4 * len(peak.candidates)


def analyzed(light, seed=0):
    sample, dark = measured(light, seed)
    return oesd.analyze(WL, sample, dark, saturation_counts=65535.0)


def elements(result):
    return {e.element for e in result.elements}


def molecules(result):
    return {m.element for m in result.molecules}


@pytest.mark.parametrize(("system", "nm"), [(s, nm) for s, heads in HEADS.items() for nm in heads])
def test_heads_stand_where_pearse_and_gaydon_saw_them(system, nm):
    """Light within 0.25 nm of the head, and far less beyond it on one side."""
    near = np.linspace(nm - 3.0, nm + 3.0, 601)
    seen = lines(near, *_bins(system, nm), 0.1)
    edge = near[1:][np.abs(np.diff(seen)) > 0.25 * np.abs(np.diff(seen)).max()]
    assert np.abs(edge - nm).min() < 0.25


def _bins(system, nm):
    wl, number, light = band_light()
    mine = (number == SYSTEMS.index(system)) & (np.abs(wl - nm) < 5.0)
    return wl[mine], light[1][mine]


@pytest.mark.parametrize("fwhm_nm", [0.16, 0.5, 1.0, 3.0])
def test_peaks_of_bands_are_known_for_every_width(fwhm_nm):
    nm, system, height = band_peaks(width_number(fwhm_nm))
    assert set(system.tolist()) == set(range(len(SYSTEMS)))
    assert np.all((height >= 0.0) & (height <= 1.001)) and np.all((nm > 195.0) & (nm < 1005.0))
    for number in range(len(SYSTEMS)):
        assert height[:, system == number].max(axis=1).min() > 0.5


def test_molecules_of_systems():
    assert {molecule_of(s) for s in SYSTEMS} == {
        *("N2", "N2+", "CN", "OH", "NH", "C2", "CO", "NO", "CH", "AlO", "TiO", "SiH", "SiF"),
    }
    assert [charge_stage(s) for s in ("N2+", "N2 1+", "SiF B-A")] == [2, 1, 1]


@pytest.mark.parametrize("fwhm_nm", [0.8, 1.3])
@pytest.mark.parametrize("system", ["N2", "N2+", "CN", "OH", "C2", "N2 1+", "CO", "AlO", "TiO g'", "TiO a"])
def test_a_molecule_is_told_and_no_element(system, fwhm_nm):
    result = analyzed(band(system, 9000.0, fwhm_nm))
    assert molecules(result) == {molecule_of(system)}
    assert elements(result) == set()
    assert any(f"molecular bands of {molecule_of(system)}" in w for w in result.warnings)


@pytest.mark.parametrize("vibrational_k", [4000.0, 8000.0, 12000.0])
@pytest.mark.parametrize(("first_nm", "last_nm", "fwhm_nm"), [(350.0, 1000.0, 1.0), (500.0, 900.0, 1.4)])
def test_nitrogen_s_red_bands_are_told_however_far_up_its_levels_are_filled(first_nm, last_nm, fwhm_nm, vibrational_k):
    """As the tests' own simulator has them, beside the atoms of the discharge."""
    wavelengths = axis(first_nm, last_nm, 2048)
    nm, photons = simulated("N2 first positive", 600.0, vibrational_k)
    shown = np.histogram(nm, np.linspace(first_nm, last_nm, 6 * 2048 + 1), weights=photons)[0]
    shape = lines(wavelengths, np.linspace(first_nm, last_nm, 6 * 2048), shown, fwhm_nm)
    sample, dark = measured(20000.0 * shape / shape.max() + plasma(wavelengths, {"N": 9000.0}, fwhm_nm))
    result = oesd.analyze(wavelengths, sample, dark, saturation_counts=65535.0)
    assert molecules(result) == {"N2"}
    assert elements(result) <= {"N"}


@pytest.mark.parametrize(
    ("metal", "system"), [("Al", "AlO"), ("Ti", "TiO g'"), ("N", "N2"), ("Ar", "N2 1+"), ("C", "CN"), ("O", "CO")]
)
def test_a_molecule_beside_an_element_hides_neither(metal, system):
    result = analyzed(plasma(WL, {metal: 9000.0}, 0.8) + band(system, 6000.0, 0.8) + continuum(WL, 500.0))
    assert elements(result) == {metal}
    assert molecules(result) == {molecule_of(system)}


def silicon_fluoride(height, fwhm_nm):
    """Its two systems in the visible and the infrared, whose heads stand at 437, 440, 778.2 and 844.0 nm."""
    return band("SiF", height, fwhm_nm) + band("SiF B-A", 0.5 * height, fwhm_nm)


@pytest.mark.parametrize("fwhm_nm", [0.8, 1.3])
def test_bands_of_silicon_fluoride_at_777_are_no_oxygen(fwhm_nm):
    result = analyzed(silicon_fluoride(9000.0, fwhm_nm))
    assert elements(result) == set()
    assert molecules(result) == {"SiF"}


@pytest.mark.parametrize("fwhm_nm", [0.8, 1.3])
def test_oxygen_at_777_is_no_silicon_fluoride(fwhm_nm):
    result = analyzed(plasma(WL, {"O": 9000.0}, fwhm_nm))
    assert elements(result) == {"O"}
    assert molecules(result) == set()


def test_oxygen_and_silicon_fluoride_are_told_apart():
    result = analyzed(plasma(WL, {"O": 9000.0}, 0.8) + silicon_fluoride(5000.0, 0.8))
    assert elements(result) == {"O"}
    assert molecules(result) == {"SiF"}
