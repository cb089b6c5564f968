"""Measured spectra: what is known to be in them is named, and nothing that cannot be.

The lamp of both Maya files is a mercury-argon pen lamp: every strong Ar I line from 696 to 966 nm stands in them,
within 0.1 nm and with signal-to-noise up to 50, so argon is no false claim there.
"""

from pathlib import Path

import pytest

from oesd.engine.analyze import analyze_measurement
from oesd.formats import read_spectrum
from oesd.model import Measurement, Recipe

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the measured spectra are not here")
AIR = {"N", "O", "H", "Na", "Ca"}


def measurement(name: str) -> Measurement:
    return read_spectrum((REAL / name).read_bytes(), name).measurement


def analyzed(name: str, dark: str = ""):
    sample = measurement(name)
    if dark:
        values = {field: getattr(sample, field) for field in Measurement.__dataclass_fields__}
        sample = Measurement(**(values | {"dark": measurement(dark).sample}))
    return analyze_measurement(sample, Recipe())


def named(result):
    return {e.element for e in result.elements}


@pytest.mark.parametrize("year", ["2013", "2016"])
def test_the_mercury_lamp(year):
    result = analyzed(f"hg{year}a01.txt", f"hg{year}a02.txt")
    assert named(result) == {"Hg", "Ar"}
    for line in (253.65, 365.02, 404.66, 435.83, 546.07):
        peak = min(result.detected_peaks, key=lambda p: abs(p.wavelength_nm - line))
        assert peak.element == "Hg"
        assert abs(peak.wavelength_nm - line) < (0.3 if year == "2013" else 0.8)


def test_an_axis_half_a_nanometre_off_is_said_to_be():
    assert any("axis needs calibration" in w for w in analyzed("hg2016a01.txt", "hg2016a02.txt").warnings)


@pytest.mark.parametrize("metal", ["Cu", "Al"])
def test_a_metal_in_air(metal):
    result = analyzed(f"{metal}_spectrum.csv")
    assert metal in named(result)
    assert named(result) <= {metal} | AIR
    assert {e.element: e.probability for e in result.elements}[metal] > 0.9


def test_iron_in_air():
    result = analyzed("Fe_spectrum.csv")
    assert result.elements[0].element == "Fe"
    assert named(result) <= {"Fe", "Mn", "Cu", "Cr", "Al"} | AIR  # what iron and its holder contain
    molecules = {peak.element for peak in result.detected_peaks} - named(result) - {None}
    assert not molecules, "weak lines that no table has are no molecule"


def test_the_neon_lamp_is_neon_alone():
    result = analyzed("NeonSNQ043_iR532_Probe_5msx2.txt")
    assert named(result) == {"Ne"}
    strong = [p for p in result.detected_peaks if p.snr > 100]
    assert len(strong) > 12 and all(p.element == "Ne" for p in strong)


def test_the_halogen_lamp_claims_nothing():
    assert named(analyzed("halogen.json")) == set()


def test_the_starter_lamp_is_neon_and_argon_and_its_axis_is_not_trusted():
    result = analyzed("cali-sample.json")
    assert {"Ne", "Ar"} <= named(result) <= {"Ne", "Ar", "H"}
    assert any("not safe" in w for w in result.warnings)
    assert result.axis is not None and not result.axis.sure and "search" in result.axis.reason


def test_the_starter_lamp_s_axis_is_solved_when_it_is_searched_wider():
    result = analyze_measurement(measurement("cali-sample.json"), Recipe(search_nm=2.0))
    assert {"Ne", "Ar"} <= named(result) <= {"Ne", "Ar", "H"}
    assert result.axis is not None and result.axis.sure and result.axis.shift_nm == pytest.approx(-1.65, abs=0.1)
    assert any("-1.6" in w or "-1.7" in w for w in result.warnings)
    assert not any("not safe" in w for w in result.warnings)
    for line, key in ((738.40, "Ar_738.4"), (763.51, "Ar_763.5"), (811.53, "Ar_811.5"), (640.22, "Ne_640.2")):
        peak = min(result.detected_peaks, key=lambda p: abs(p.wavelength_nm + 1.67 - line))
        assert peak.candidates[0].candidate_key == key


def test_the_nitrogen_band_is_called_nitrogen():
    result = analyzed("20220302_s01_sig.cam")
    assert max(result.detected_peaks, key=lambda p: p.intensity).element == "N2"
    assert named(result) == set()
    assert {m.element for m in result.molecules} == {"N2"}


def test_a_hydrogen_discharge_is_hydrogen_alone():
    """Its forest of molecular hydrogen lines is in no table."""
    assert named(analyzed("spectrum_phix_discharge.TXT")) == {"H"}
