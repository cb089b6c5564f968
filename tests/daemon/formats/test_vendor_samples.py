"""Files that real software wrote, when the sibling folder with them is there: values checked against the text."""

from pathlib import Path

import numpy as np
import pytest

from oesd.formats import read_spectrum

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data beside this tree")

# file: form, pixels, first nm, value of one pixel (index, counts), integration in us, scans, serial
EXPECTED = {
    "formats/OO_comma.txt": ("SpectraSuite", 2048, 178.23, (3, -1746.154), 70_000, 15, "USB2+H11150"),
    "formats/OOusb4000.txt": ("SpectraSuite", 3648, 178.65, (3, 93.625), 20_000, 50, "USB4A00428"),
    "formats/OceanView.txt": ("OceanView", 2389, 187.92, (4, 105.39), 20_000, 10, "USB2+H09794"),
    "formats/jazspec.jaz": ("Jaz", 2048, 190.8535, (2, 1064.943726), 24_000, 1, "JAZA1479"),
    "formats/irrad.JazIrrad": ("JazIrrad", 2048, 191.016296, (2, -134.236679), 495_000, 3, "JAZA2517"),
    "formats/avasoft8.txt": ("AvaSoft", 401, 300.0, (3, -1.843), 6_000, 79, "1209167U1"),
    "real/hg2013a01.txt": ("SpectraSuite", 2068, 188.05, (2, 2182.0), 300_000, 10, "MAYP11278"),
    "real/hg2013a02.txt": ("SpectraSuite", 2068, 188.05, (2, 2181.4), 300_000, 10, "MAYP11278"),
    "real/hg2016a01.txt": ("SpectraSuite", 2068, 188.14, (2, 2182.3), 100_000, 10, "MAYP11278"),
    "real/hg2016a02.txt": ("SpectraSuite", 2068, 188.14, (2, 2183.9), 100_000, 10, "MAYP11278"),
    "real/spectrum_phix_discharge.TXT": ("AvaSoft", 2804, 178.08, (2, -45.0), 100_000, 1, "1401079U1"),
    "real/NeonSNQ043_iR532_Probe_5msx2.txt": ("BWSpec", 1801, 536.18, (0, 1024.5), 5_000, 2, None),
    "real/cali-sample.json": ("spd", 2028, 348.807758718144, (2, 146.91362637362636), 128_000, 1, "FLMS02826"),
    "real/halogen.json": ("spd", 661, 340.0, (0, 0.0), 3_000, 1, "Y21B7W10034CCPD"),
    "real/20220302_s01_sig.cam": ("columns", 1024, 327.610443, (1, 2110552.0), None, 1, None),
    "real/Cu_spectrum.csv": ("columns", 8188, 195.45022583007812, (0, 0.0), None, 1, None),
    "real/Fe_spectrum.csv": ("columns", 8188, 195.45022583007812, (0, 0.0), None, 1, None),
    "real/Al_spectrum.csv": ("columns", 8188, 195.45022583007812, (0, 0.0), None, 1, None),
}


def read(name):
    path = SHARED / name
    return read_spectrum(path.read_bytes(), path.name)


@pytest.mark.parametrize("name", EXPECTED)
def test_sample(name):
    form, pixels, first_nm, (index, counts), integration_us, scans, serial = EXPECTED[name]
    file = read(name)
    measured = file.measurement
    assert (file.format, len(measured.sample)) == (form, pixels)
    assert measured.wavelengths_nm[0] == first_nm
    assert measured.sample[index] == counts
    assert (measured.integration_us, measured.scans) == (integration_us, scans)
    assert file.metadata.get("serial") == serial


def test_every_sample_of_the_folders_is_expected_here():
    found = {f"{folder}/{path.name}" for folder in ("formats", "real") for path in (SHARED / folder).iterdir()}
    # ProcSpec: test_procspec.py; JCAMP-DX below.
    assert found - set(EXPECTED) == {"formats/BB_PF21_4.ProcSpec", "formats/OceanOptics_period.jdx"}


def test_bwspec_names_its_columns():
    file = read("real/NeonSNQ043_iR532_Probe_5msx2.txt")
    measured = file.measurement
    lit = np.flatnonzero(measured.sample == 65535.0)
    assert len(lit) > 3 and measured.dark is not None and measured.reference is None
    assert np.allclose(file.processed, np.round(measured.sample - measured.dark, 4), atol=0.01)
    assert (measured.integration_us, measured.scans) == (5_000, 2)
    assert file.metadata["taken_at"] == "2022-03-17T08:46:42"
    assert "reference column is constant" in file.warnings[0]


def test_jaz_columns():
    measured = read("formats/jazspec.jaz").measurement
    assert (measured.dark[2], measured.reference[2]) == (1078.986938, 1156.224609)
    assert read("formats/jazspec.jaz").processed[2] == -18.181818


def test_avasoft_dark_that_repeats_the_sample_is_left_out():
    file = read("real/spectrum_phix_discharge.TXT")
    assert file.measurement.dark is None and "repeats the sample" in file.warnings[0]
    assert file.measurement.sample.max() == 64744.0


def test_metadata_keeps_the_header_and_the_applied_boxcar():
    file = read("formats/OOusb4000.txt")
    assert file.metadata["Boxcar Smoothing"] == "30 (USB4A00428)"
    assert file.metadata["boxcar_half_width_px"] == "30"
    assert file.measurement.boxcar_half_width_px == 0  # the software has applied it
    assert file.metadata["taken_at"] == "2008-01-14T17:36:35+00:00"
    assert file.metadata["User"] == "Liliane"


def test_spd_form_knows_its_device():
    measured = read("real/cali-sample.json").measurement
    assert measured.saturation_counts == 65535.0
    assert measured.nonlinearity[:2] == (0.883297, 7.43001e-06) and len(measured.nonlinearity) == 8


@pytest.mark.parametrize("path", sorted(SHARED.glob("practice/cases/*.json")), ids=lambda path: path.stem)
def test_practice_case(path):
    file = read_spectrum(path.read_bytes(), path.name)
    measured = file.measurement
    assert measured.dark is not None and measured.integration_us > 0 and measured.saturation_counts > 1000
    assert file.metadata["id"] == path.stem
    assert len(measured.nonlinearity) in (0, 8)


def test_jcamp_of_oceans_own_software():
    file = read("formats/OceanOptics_period.jdx")
    measured = file.measurement
    assert (file.format, len(measured.sample), measured.quantity) == ("JCAMP-DX", 3648, "transmittance")
    assert measured.wavelengths_nm[[0, -1]].tolist() == [176.36, 893.69] and measured.scans == 5
    assert (file.processed[3], measured.dark.min(), measured.reference.min()) == (1647.796, 1654.349, 1555.227)
