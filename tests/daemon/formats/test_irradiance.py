"""Calibrations, quantities and photometric files: read as the vendors write them, and refused in one line."""

import csv
from pathlib import Path

import numpy as np
import pytest

from oesd.engine.checks import emission
from oesd.engine.errors import SpectrumError
from oesd.engine.photometry import photometric
from oesd.formats import FormatError, photometric_columns, read_calibration, read_spectrum
from oesd.model import Measurement, Photometric, Quantity

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "formats"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data beside this tree")
ROWS = "\n".join(f"{wavelength:.3f}\t{3e-7 * wavelength:.6e}" for wavelength in np.linspace(200.0, 900.0, 64))
IRRADCAL = (
    f"Serial Number\tUSB2E5\nFiber (micron)\t3900\nInt. Time(usec)\t10000\nInt. Sphere\t0\n[uJoule/count]\n{ROWS}\n"
)
CAL = f"Collection-area (cm^2) 0.119\nIntegration Time (sec): 0.01\n{ROWS}\n"


def file(name: str) -> bytes:
    return (SHARED / name).read_bytes()


@pytest.mark.parametrize(("text", "area"), [(IRRADCAL, np.pi * 0.195**2), (CAL, 0.119)])
def test_a_calibration_is_read_whichever_header_it_has(text, area):
    calibration = read_calibration(text.encode(), "x.IrradCal")
    assert calibration.collection_area_cm2 == pytest.approx(area)
    assert calibration.integration_us == 10_000
    assert calibration.uj_per_count[0] == pytest.approx(6e-5)
    assert (len(calibration.wavelengths_nm), len(calibration.sha256)) == (64, 64)


def test_a_sphere_has_no_area_and_that_is_said():
    calibration = read_calibration(IRRADCAL.replace("Int. Sphere\t0", "Int. Sphere\tYes").encode())
    assert calibration.collection_area_cm2 is None
    assert "sphere" in calibration.warnings[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello\nworld\n", "no columns"),
        (b"Fiber (micron)\t3900\n" + b"\n".join(b"%d\t0" % n for n in range(300, 340)), "positive energy"),
        (b"Fiber (micron)\tthick\n" + b"\n".join(b"%d\t1e-6" % n for n in range(300, 340)), "'thick'"),
        (b"\n".join(b"%d\t1e-6" % n for n in range(300, 340)), "no collection area"),
        (b"Fiber (micron)\t3900\n" + b"\n".join(b"%d\t1e-6" % n for n in range(340, 300, -1)), "not increasing"),
        (b"Fiber (micron)\t3900\n300\t1\n301\t2\n", "fewer than"),
    ],
)
def test_what_is_no_calibration_is_refused_in_one_line(data, said):
    with pytest.raises(FormatError, match=said) as error:
        read_calibration(data, "strange.cal")
    assert "strange.cal" in str(error.value)
    assert "\n" not in str(error.value)


@shared
def test_a_jaz_irradiance_file_tells_the_calibration_that_it_was_made_with():
    calibration = read_calibration(file("irrad.JazIrrad"))
    assert calibration.collection_area_cm2 == 0.400393
    energy = calibration.uj_per_count
    known = np.isfinite(energy)
    assert known.mean() > 0.8
    curve = np.log(energy[known])
    assert np.median(np.abs(np.diff(curve, 2))) < 1e-3  # smooth, as only the right dispersion and time make it


@shared
def test_the_irradiance_of_a_jaz_file_is_the_one_it_says():
    spectrum = read_spectrum(file("irrad.JazIrrad"))
    counts = Measurement(**{**_fields(spectrum.measurement), "quantity": Quantity.COUNTS})
    made = photometric(counts, Quantity.IRRADIANCE, calibration=read_calibration(file("irrad.JazIrrad")))
    told = np.isfinite(made.values)
    np.testing.assert_allclose(made.values[told], spectrum.processed[told], rtol=1e-6)


@shared
def test_the_reflectance_of_an_avasoft_file_is_the_one_it_says():
    spectrum = read_spectrum(file("avasoft8.txt"))
    assert spectrum.measurement.quantity is Quantity.REFLECTANCE
    counts = Measurement(**{**_fields(spectrum.measurement), "quantity": Quantity.COUNTS})
    made = photometric(counts, Quantity.REFLECTANCE)
    told = np.isfinite(made.values) & (spectrum.processed > 1.0)  # AvaSoft clips weak pixels that come out negative
    assert told.mean() > 0.7
    np.testing.assert_allclose(100.0 * made.values[told], spectrum.processed[told], atol=0.5)


@shared
@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("irrad.JazIrrad", Quantity.IRRADIANCE),
        ("OOusb4000.txt", Quantity.RATIO),
        ("OO_comma.txt", Quantity.RATIO),
        ("OceanView.txt", Quantity.RATIO),
        ("jazspec.jaz", Quantity.COUNTS),
    ],
)
def test_what_is_no_emission_is_known_and_refused_by_the_engine(name, quantity):
    measured = read_spectrum(file(name)).measurement
    assert measured.quantity is quantity
    if quantity is not Quantity.COUNTS:
        with pytest.raises(SpectrumError, match="no emission"):
            emission(measured)


@pytest.mark.parametrize(
    ("heading", "quantity"),
    [
        ("Wavelength [nm],Absorbance", Quantity.ABSORBANCE),
        ("nm\tTransmittance (%)", Quantity.TRANSMITTANCE),
        ("wavelength;Reflexion", Quantity.REFLECTANCE),
        ("wl,Irradiance uW/cm2/nm", Quantity.IRRADIANCE),
        ("wavelength,counts", Quantity.COUNTS),
    ],
)
def test_a_heading_names_the_quantity(heading, quantity):
    separator = next(mark for mark in "\t;," if mark in heading)
    rows = "\n".join(f"{300 + n}{separator}{n % 7 + 0.5}" for n in range(40))
    assert read_spectrum(f"{heading}\n{rows}\n".encode()).measurement.quantity is quantity


def test_noise_around_zero_with_a_hot_pixel_or_two_is_no_ratio():
    rng = np.random.default_rng(1)
    net = rng.normal(0.0, 5.0, 500)
    net[[10, 400]] = -900.0, -300.0
    net[200:205] = 50.0, 400.0, 900.0, 400.0, 50.0
    rows = "\n".join(f"{300 + n},{value:.2f}" for n, value in enumerate(net))
    assert read_spectrum(rows.encode()).measurement.quantity is Quantity.COUNTS


def test_a_photometric_file_tells_why_a_pixel_has_no_value():
    made = Photometric(
        Quantity.IRRADIANCE, "uW/cm2/nm", np.array([300.0, 300.5]), np.array([1.25, np.nan]), np.array([0.01, np.nan]),
        {"saturated": np.array([False, True]), "not calibrated": np.array([False, True])}, 0.02, ("one is missing",),
    )  # fmt: skip
    text = photometric_columns(made, {"File": "a\nb.txt"}).decode("ascii")
    assert text.splitlines()[:5] == [
        '# Quantity,"irradiance"', '# Unit,"uW/cm2/nm"', r'# File,"a\nb.txt"', '# Common Scale Sigma,"0.02"',
        '# Warning 1,"one is missing"',
    ]  # fmt: skip
    assert text.splitlines()[5:] == [
        "wavelength_nm,irradiance_uW_per_cm2_per_nm,sigma_uW_per_cm2_per_nm,masked",
        "300.0,1.25,0.01,",
        "300.5,,,saturated; not calibrated",
    ]


def test_the_name_of_a_photometric_file_s_source_is_no_formula():
    values = np.array([0.5, 0.5])
    made = Photometric(Quantity.ABSORBANCE, "1", np.array([300.0, 300.5]), values, values / 10, {})
    lines = photometric_columns(made, {"File": "=1+1", "Label": "a,=HYPERLINK(0);=2", "Name": "ä"}).decode("utf-8-sig")
    found = [next(csv.reader([line])) for line in lines.splitlines() if line.startswith("# ")]
    assert [len(cells) for cells in found] == [2] * len(found)
    assert dict(found)["# File"] == r"\x3d1+1" and dict(found)["# Name"] == "ä"
    assert all(not cell.startswith("=") for cells in found for one in cells for cell in one.split(";"))


def _fields(measured: Measurement) -> dict:
    return {name: getattr(measured, name) for name in measured.__slots__}
