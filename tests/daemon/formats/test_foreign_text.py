"""Text forms of other software, written here: languages, decimal commas, line ends, separators, units, dates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.formats import read_spectrum
from oesd.formats.moments import moment
from oesd.formats.table import number, roles

AXIS = [400.5 + i for i in range(10)]
COUNTS = [100.25 * (i + 1) for i in range(10)]


def rows(separator="\t", comma=False, end="\n", extra=""):
    lines = [f"{w}{separator}{c}{extra}" for w, c in zip(AXIS, COUNTS, strict=True)]
    return end.join(line.replace(".", ",") if comma else line for line in lines)


def assert_read(data, form):
    file = read_spectrum(data if isinstance(data, bytes) else data.encode())
    assert file.format == form
    assert file.measurement.wavelengths_nm.tolist() == AXIS
    assert file.measurement.sample.tolist() == COUNTS
    return file


def test_spanish_spectrasuite_in_latin_1():
    header = (
        "Fichero De Datos De SpectraSuite\r\n++++++++++\r\nFecha: Tue Feb 12 11:57:08 CET 2013\r\nUsuario: Nuñez\r\n"
        "Espectrómetros: USB2G123\r\nTiempo de Integración (usec): 70000 (USB2G123)\r\n"
        "Espectros Promediados: 15 (USB2G123)\r\n>>>>> Comienza Data<<<<< Espectrales\r\n"
    )
    data = (header + rows(comma=True, end="\r\n") + "\r\n>>>>>Fin Data<<<<<\r\n").encode("iso-8859-1")
    file = assert_read(data, "SpectraSuite")
    assert (file.measurement.integration_us, file.measurement.scans) == (70_000, 15)
    assert file.metadata["Usuario"] == "Nuñez" and file.metadata["serial"] == "USB2G123"
    assert file.metadata["taken_at"] == "2013-02-12T11:57:08+01:00"


def test_ooibase32_counts_in_milliseconds():
    header = (
        "OOIBase32 Version 2.0.6.5 Data File\n++++++\nDate: 03-23-2011, 12:15:51\nUser: Valued User\n"
        "Spectrometer Serial Number: USB4C00008\nSpectrometer Channel: Master\nIntegration Time (msec): 62\n"
        "Spectra Averaged: 5\nBoxcar Smoothing: 3\nSpectrometer Type: S4000\nADC Type: USB4000\n"
        "Number of Pixels in File: 10\nGraph Title: \n>>>>>Begin Spectral Data<<<<<\n"
    )
    file = assert_read(header + rows() + "\n>>>>>End Spectral Data<<<<<\n", "OOIBase32")
    assert (file.measurement.integration_us, file.measurement.scans) == (62_000, 5)
    assert file.metadata["serial"] == "USB4C00008" and file.metadata["taken_at"] == "2011-03-23T12:15:51"
    assert file.metadata["boxcar_half_width_px"] == "3" and file.metadata["Graph Title"] == ""
    assert file.warnings == ()


def test_oceanview_with_mixed_line_ends_and_seconds():
    header = (
        "Data from x.txt Node\n\rDate: Tue Mar 18 08:44:17 EST 2014\nAutoset integration time: false\n"
        "Integration Time (sec): 1.500000E-1\nScans to average: 4\nXAxis mode: Wavelengths\n"
        "Number of Pixels in Spectrum: 11\n>>>>>Begin Spectral Data<<<<<\n"
    )
    file = assert_read(header + rows(end="\r\n") + "\r\n", "OceanView")
    assert (file.measurement.integration_us, file.measurement.scans) == (150_000, 4)
    assert file.metadata["taken_at"] == "2014-03-18T08:44:17"  # EST is not one zone the world over
    assert file.warnings == ("the header says 11 pixels, the file holds 10",)


def test_second_table_after_the_end_marker_is_not_read():
    data = (
        f">>>>>Begin Spectral Data<<<<<\n{rows()}\n>>>>>End<<<<<\n>>>>>Begin Calibration Data<<<<<\n1\t2\n>>>>>End<<<<<"
    )
    assert_read(data, "Ocean Optics text")


@pytest.mark.parametrize(
    "heading", ["", "wavelength{s}intensity\n", "Wavelength (nm){s}Counts (a.u.)\n", "# comment\n\nx{s}y\n"]
)
@pytest.mark.parametrize("separator", ["\t", ";", ",", " ", ", ", "  "])
def test_two_columns(separator, heading):
    assert_read(heading.format(s=separator) + rows(separator), "columns")


@pytest.mark.parametrize("separator", ["\t", ";", "   "])
def test_decimal_commas(separator):
    assert_read("lambda / counts\n" + rows(separator, comma=True), "columns")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(encoding):
    assert_read(("Wellenlänge\tIntensität\n" + rows()).encode(encoding), "columns")


def test_columns_are_told_by_their_headings():
    lines = [f"{i};{c};{w};{c / 2};{i + 1}" for i, (w, c) in enumerate(zip(AXIS, COUNTS, strict=True))]
    file = assert_read("Pixel;Sample;Wavelength;Dark;Reference\n" + "\n".join(lines), "columns")
    assert file.measurement.dark.tolist() == [c / 2 for c in COUNTS]
    assert file.measurement.reference.tolist() == list(range(1, 11))


def test_avasoft_header_with_fewer_data_columns():
    header = (
        "a comment\r\nIntegration time [ms]:   12.50\r\nAveraging Nr. [scans]: 3\r\nSmoothing Nr. [pixels]: 1\r\n"
        "Data measured with spectrometer [name]: 1401079U1\r\nWave   ;Sample   ;Dark     ;Reference;Scope\r\n"
        "[nm]   ;[counts] ;[counts]\r\n\r\n"
    )
    file = assert_read(header + rows(";", extra=";7.0;0.0", end="\r\n"), "AvaSoft")
    assert (file.measurement.integration_us, file.measurement.scans) == (12_500, 3)
    assert file.metadata["serial"] == "1401079U1"
    assert file.warnings == (
        "the dark column is constant (7) and is not used",
        "the reference column is constant (0) and is not used",
    )


def test_one_column_with_a_dark_at_hand_warns():
    header = (
        "SpectraSuite Data File\nDark Spectrum Present: Yes\nReference Spectrum Present: No\n>>>>>Begin Data<<<<<\n"
    )
    assert "(dark present)" in assert_read(header + rows(), "SpectraSuite").warnings[0]


def test_an_axis_that_can_hardly_be_nm_warns():
    data = "\n".join(f"{10 * w}\t{c}" for w, c in zip(AXIS, COUNTS, strict=True))
    assert read_spectrum(data.encode()).warnings == ("the axis ends at 4095: taken as nm, but is it?",)


def test_jaz_without_a_sample_column_gives_the_processed_one():
    lines = [f"{w}\t{c}" for w, c in zip(AXIS, COUNTS, strict=True)]
    data = "Jaz Data File\n>>>>>Begin Processed Spectral Data<<<<<\nW\tP\n" + "\n".join(lines)
    assert assert_read(data, "Jaz").processed.tolist() == COUNTS


def test_oes_document_reads_as_it_was_served():
    data = (
        f'{{"data_id": "d1", "id": "oes_001", "wavelengths": {AXIS}, "wavelength_unit": "nm", "sample": {COUNTS},'
        f' "scope_corrected": {COUNTS}, "dark": {AXIS}, "detected_peaks": [],'
        ' "spectral_metadata": {"integration_us": 5000, "scans": 4, "serial": "S1"}}'
    )
    file = assert_read(data, "OES document")
    assert (file.measurement.integration_us, file.measurement.scans) == (5000, 4)
    assert file.processed.tolist() == COUNTS and file.measurement.dark.tolist() == AXIS
    assert file.metadata["serial"] == "S1" and file.metadata["data_id"] == "d1"


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("Mon Jan 14 17:36:35 GMT 2008", "2008-01-14T17:36:35+00:00"),
        ("Mon Aug 29 16:23:13 2011", "2011-08-29T16:23:13"),
        ("Fri Aug 19 13:19:52 CDT 2016", "2016-08-19T13:19:52"),
        ("2022/3/2, 8:41:14", "2022-03-02T08:41:14"),
        ("03-23-2011, 12:15:51", "2011-03-23T12:15:51"),
        ("2022-13-45 08:46:42", None),
        ("Mon Xxx 14 17:36:35 GMT 2008", None),
        ("yesterday", None),
    ],
)
def test_dates(written, iso):
    assert moment(written) == iso


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_a_number_reads_the_same_with_point_and_comma(value):
    written = repr(value)
    assert number(written) == number(written.replace(".", ",")) == value


@pytest.mark.parametrize("written", ["nan", "inf", "1e999", "", "1,2,3", "1.2.3", "0x10", "1_000", "12a", "١٢", "1,"])
def test_what_is_no_number(written):
    assert number(written) is None


def test_roles_of_the_bwspec_heading():
    heading = (
        "Pixel;Wavelength;Wavenumber;Raman Shift;Dark;Reference;Raw data #1;Dark Subtracted #1;%TR #1;Absorbance #1"
    )
    expected = ["skip", "wavelength", "skip", "skip", "dark", "reference", "sample", "processed", "skip", "skip"]
    assert roles(heading.split(";")) == expected


def test_numbers_do_not_change_with_the_reader():
    file = assert_read("\n".join(f"{w!r} {c!r}" for w, c in zip(AXIS, COUNTS, strict=True)), "columns")
    assert np.array_equal(file.measurement.sample, np.array(COUNTS))


def test_a_heading_or_a_decimal_point_says_that_a_comma_separates():
    whole = "\n".join(f"{400 + i},{i},7,9" for i in range(10))
    named = read_spectrum(f"wavelength,sample,dark,pixel\n{whole}".encode())
    assert named.measurement.sample.tolist() == list(range(10)) and named.warnings[0].startswith("the dark column is")
    pointed = read_spectrum("\n".join(f"{400.5 + i},{i},7,9" for i in range(10)).encode())
    assert pointed.measurement.sample.tolist() == list(range(10))
    assert pointed.warnings == ("not read: column 3, column 4; a file is one spectrum here",)


def test_headings_in_quotes_are_headings():
    rows = "\n".join(f"{i},{400.5 + i},{100 + i}" for i in range(10))  # as R and pandas number their rows
    file = read_spectrum(f'"row","Wavelength (nm)","Counts"\n{rows}'.encode())
    assert file.measurement.wavelengths_nm.tolist() == AXIS
    assert file.measurement.sample.tolist() == [100.0 + i for i in range(10)]
    assert file.warnings == ("not read: row; a file is one spectrum here",)


def test_further_spectra_of_a_table_are_not_passed_over_in_silence():
    head = "Pixel;Wavelength;Spectrum 1;Spectrum 2;Spectrum 3;Spectrum 4;Spectrum 5;Spectrum 6"
    rows = "\n".join(f"{i};{400.5 + i};1{i};2{i};3{i};4{i};5{i};6{i}" for i in range(10))
    file = read_spectrum(f"{head}\n{rows}".encode())
    assert file.measurement.sample.tolist() == [float(f"1{i}") for i in range(10)]
    said = "not read: Spectrum 2, Spectrum 3, Spectrum 4, Spectrum 5 and 1 more; a file is one spectrum here"
    assert file.warnings == (said,)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("03/23/2011, 02:15:51 PM", "2011-03-23T14:15:51"),
        ("03/23/2011, 12:15:51 AM", "2011-03-23T00:15:51"),
        ("03/23/2011, 13:05:00 PM", "2011-03-23T13:05:00"),
        ("03/23/2011, 00:05:00 AM", "2011-03-23T00:05:00"),
        ("03/23/2011, 14:15:51 AM", None),
        ("03/23/2011, 00:15:51 PM", None),
        ("03/23/2011, 24:15:51 PM", None),
        ("2022-03-17T08:46:42+02:00", "2022-03-17T08:46:42+02:00"),
        ("2022-03-17 08:46:42.5Z", "2022-03-17T08:46:42.500000+00:00"),
        ("2026/11/22 12:00:00.123 -0330", "2026-11-22T12:00:00.123000-03:30"),
        ("2026/11/22 12:00:00 PST", "2026-11-22T12:00:00"),
        ("Mon Jan 14 17:36:35 GMT+01:00 2008", "2008-01-14T17:36:35+01:00"),
    ],
)
def test_half_a_day_and_an_offset_belong_to_a_moment(text, iso):
    assert moment(text) == iso
