"""import(export(x)) = x in every form of export, and what others' readers find in the files."""

import dataclasses
import io
import weakref
import zipfile

import h5py
import jcamp
import numpy as np
import pandas
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.daemon.formats.making import (
    assert_same_measurement,
    captures_of_one_device,
    make_capture,
    make_device,
    make_entry,
    make_modelled,
    make_result,
    make_run,
    text,
)

from oesd.formats import FormatError, read_spectrum, write_columns
from oesd.formats.containers import spectra_of
from oesd.formats.description import describe
from oesd.formats.exporting import FORMS, name_of, pieces_of
from oesd.formats.parts import Parts
from oesd.formats.sheet import entry_sheet, file_sheet
from oesd.formats.table import MOST_PIXELS
from oesd.model import Kind, Measurement, Quantity, SpectrumFile, new_id

TEXTS = ("csv", "txt", "jdx")


def exported(sheet, form):
    return b"".join(pieces_of([sheet], form, several=False))


def back(sheet, form):
    """What is read from the file of one sheet."""
    data = exported(sheet, form)
    if form in TEXTS:
        return read_spectrum(data)
    ((_, spectrum),) = spectra_of(data, f"x.{form}")
    return spectrum


@given(captures=captures_of_one_device(), there=st.tuples(*[st.booleans()] * 3), cause=text)
@settings(max_examples=25)
def test_an_entry_comes_back_as_it_was_in_every_form(captures, there, cause):
    sample, *others = captures
    dark, reference, short = (other if is_there else None for other, is_there in zip(others, there, strict=True))
    entry = make_entry(sample, dark, reference, short)
    parts = Parts(entry, sample, dark, reference, short, None, make_run(cause))
    header = {name: line for name, line in describe(parts).items() if name != "Columns"}
    expected = Measurement.from_captures(sample, dark, reference, short)
    for form in FORMS:
        file = back(entry_sheet(parts), form)
        assert_same_measurement(file.measurement, expected)
        assert np.array_equal(np.rint(file.measurement.sample * sample.scans).astype(np.uint32), sample.counts_sum)
        assert np.array_equal(file.processed, parts.processed())
        assert {name: file.metadata[name] for name in header} == header
        labels = {name: label for name, label in file.metadata.items() if name.startswith("Label ")}
        assert labels == {f"Label {name}": label for name, label in sample.labels.items()}
        assert file.record_id == sample.record_id


floats = st.floats(allow_nan=False, allow_infinity=False)
spectra = arrays(np.float64, 9, elements=floats)
maybe = st.none() | spectra
whole = st.integers(0, 10**14)


@st.composite
def files(draw):
    """Spectra as any reader of a foreign form may give them."""
    measurement = Measurement(
        wavelengths_nm=np.cumsum(draw(arrays(np.float64, 9, elements=st.floats(1e-3, 100.0)))),
        sample=draw(spectra),
        dark=draw(maybe),
        reference=draw(maybe),
        integration_us=draw(st.none() | whole),
        scans=draw(st.integers(1, 10**9)),
        saturation_counts=draw(st.none() | floats),
        saturated=draw(st.none() | arrays(np.bool_, 9)),
        nonlinearity=tuple(draw(st.lists(floats, max_size=3))),
        short=draw(maybe),
        short_dark=draw(maybe),
        spread=draw(maybe),
        dark_variance=draw(maybe),
        dark_scans=draw(whole),
        quantity=draw(st.sampled_from(Quantity)),
    )
    metadata, warnings = draw(st.dictionaries(text, text, max_size=4)), tuple(draw(st.lists(text, max_size=2)))
    return SpectrumFile("foreign", measurement, draw(maybe), metadata, draw(text), warnings)


@given(file=files(), data_id=text)
@settings(max_examples=25)
def test_an_entry_that_came_as_a_file_comes_back_as_it_was_in_every_form(file, data_id):
    for form in FORMS:
        found = back(file_sheet(file, data_id), form)
        assert_same_measurement(found.measurement, file.measurement)
        assert (found.record_id, found.warnings) == (file.record_id, file.warnings)
        assert {name: found.metadata[name] for name in file.metadata} == file.metadata
        assert (found.processed is None) == (file.processed is None)
        assert file.processed is None or np.array_equal(found.processed, file.processed)


@pytest.fixture
def entry():
    labels = {"growth": "GaN-7", "note": "=HYPERLINK(1)", "λ\n##END=": "$$ -5 °C; +1+1", "number": "-60.5"}
    sample = make_capture(labels=labels, spread=np.full(16, 0.1, np.float32))
    dark, reference = make_capture(Kind.DARK, seed=2), make_capture(Kind.REFERENCE, seed=3)
    made = make_entry(sample, dark, reference)
    return Parts(made, sample, dark, reference, None, make_result(sample, made.data_id), None)


@pytest.fixture
def sheet(entry):
    return entry_sheet(entry)


def test_jcamp_is_what_the_jcamp_package_reads(sheet):
    found = jcamp.read(io.BytesIO(exported(sheet, "jdx")))
    processed, sample, dark, *_ = found["children"]
    assert (found["data type"], processed["xunits"], processed["npoints"]) == ("LINK", "NANOMETERS", 16)
    assert processed["longdate"].startswith("2026/11/22 12:00:00.123456")
    for block, name in ((processed, "scope_corrected"), (sample, "sample"), (dark, "dark")):
        assert np.array_equal(block["x"], sheet.columns["wavelength_nm"])
        assert np.array_equal(block["y"], sheet.columns[name])


def test_csv_is_what_pandas_reads(sheet):
    table = pandas.read_csv(io.BytesIO(exported(sheet, "csv")), comment="#")
    assert list(table.columns) == list(sheet.columns)
    assert all(np.allclose(table[name], values, rtol=1e-14, atol=0) for name, values in sheet.columns.items())


def test_hdf5_is_a_nexus_file_with_its_default_plot(sheet):
    with h5py.File(io.BytesIO(exported(sheet, "h5"))) as file:
        entry = file[file.attrs["default"]]
        data = entry[entry.attrs["default"]]
        assert (entry.attrs["NX_class"], data.attrs["NX_class"]) == ("NXentry", "NXdata")
        assert data[data.attrs["signal"]].attrs["units"] == "counts" and data[data.attrs["axes"]].attrs["units"] == "nm"
        assert np.array_equal(data["dark"], sheet.columns["dark"])
        assert entry["start_time"][()].decode() == "2026-11-22T12:00:00.123456+00:00"
        assert entry["instrument/detector/serial_number"][()].decode() == "OES00001"
        assert entry["instrument/detector/count_time"][()] == 0.1
        assert entry["peaks/element"][0].decode() == "Ar" and entry["peaks/wavelength_nm"][0] == 345.6789
        assert dict(zip(entry["labels/names"][()], entry["labels/values"][()], strict=True))[b"growth"] == b"GaN-7"


def test_parquet_is_a_table_with_a_row_for_each_spectrum(sheet, entry):
    row = pyarrow.parquet.read_table(io.BytesIO(exported(sheet, "parquet"))).to_pylist()[0]
    assert (row["device"], row["serial"], row["scans"], row["elements"]) == ("usb2000-1", "OES00001", 3, ["Ar"])
    assert row["taken_at"] == entry.sample.taken_at_utc
    assert row["peaks"][0]["wavelength_nm"] == 345.6789 and row["short"] is None
    assert dict(row["labels"])["number"] == "-60.5"


def test_text_is_what_oceanview_writes(sheet):
    lines = exported(sheet, "txt").decode("ascii").split("\n")
    begin = lines.index(">>>>>Begin Spectral Data<<<<<")
    assert lines[0] == f"Data from {sheet.header['Data ID']} Node"
    assert {"Spectrometer: OES00001", "Integration Time (sec): 1.000000E-01", "Boxcar width: 0"} <= set(lines)
    assert lines[begin - 1] == "Number of Pixels in Spectrum: 16"
    values = np.array([line.split("\t") for line in lines[begin + 1 : -1]], dtype=float)
    assert np.array_equal(values.T, [sheet.columns["wavelength_nm"], sheet.columns["scope_corrected"]])


def test_without_its_digest_a_text_is_read_as_foreign(sheet):
    for form, expected in (("csv", "columns"), ("txt", "OceanView"), ("jdx", "JCAMP-DX")):
        lines = exported(sheet, form).split(b"\n")
        foreign = read_spectrum(b"\n".join(line for line in lines if b"Content SHA256" not in line))
        assert foreign.format == expected
        curve = foreign.measurement.sample if foreign.processed is None else foreign.processed
        assert np.array_equal(curve, sheet.columns["scope_corrected"])


@pytest.mark.parametrize("form", TEXTS)
def test_a_changed_text_is_refused(sheet, form):
    data = exported(sheet, form)
    for old, new in ((b"31010.6666", b"31010.6667"), (b"GaN-7", b"GaN-8"), (b"OES00001", b"OES00002")):
        assert old in data
        with pytest.raises(FormatError, match=r"^a\.x: .*(changed since oesd|not of one axis)"):
            read_spectrum(data.replace(old, new), "a.x")


def test_foreign_text_begins_no_formula_and_numbers_stay_numbers(sheet):
    text = exported(sheet, "csv").decode("utf-8-sig")
    rows = [line for line in text.split("\n") if line.startswith("#")]
    # Where commas separate, and where semicolons do and the quotes of a comma file mean nothing.
    cells = [cell.strip(' "') for row in rows for mark in ",;" for cell in row.split(mark, 1)]
    assert not [cell for cell in cells if cell[:1] in "=+@\t\r" and cell]
    assert [cell for cell in cells if cell.startswith("-")] == ["-60.5"]
    assert '# Label number,"-60.5"' in rows and '# Label note,"\\x3dHYPERLINK(1)"' in rows


def test_several_are_one_file_and_stay_in_order(entry):
    sheets = []
    for seed in range(40):
        sample = make_capture(seed=seed + 10)
        sheets.append(entry_sheet(Parts(make_entry(sample), sample)))
    for form in FORMS:
        data = b"".join(pieces_of(iter(sheets), form, several=True))
        found = [file.record_id for _, file in spectra_of(data, "many")]
        assert found == [sheet.header["Record ID"] for sheet in sheets], form
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces_of(sheets, "csv", several=True)))) as archive:
        assert archive.namelist()[0] == f"{name_of(sheets[0])}.csv" and archive.testzip() is None


@pytest.mark.parametrize("form", ["csv", "txt", "jdx"])
def test_the_same_sheets_give_the_same_bytes(sheet, form):
    for several in (False, True):
        once, again = (b"".join(pieces_of([sheet], form, several=several)) for _ in range(2))
        assert once == again


def test_the_name_of_a_file_is_safe(entry):
    file = SpectrumFile("x", Measurement(np.arange(1.0, 9.0), np.ones(8)), metadata={"serial": "../../\n=x"})
    assert name_of(file_sheet(file, new_id())).startswith("x_")
    assert name_of(entry_sheet(entry)).startswith("usb2000-1_20261122T120000.123Z_")


def test_a_modelled_dark_comes_back(entry):
    dark = make_modelled(np.arange(16) / 1000.0, np.zeros(16, bool))
    sheet = entry_sheet(dataclasses.replace(entry, dark=dark, reference=None, result=None))
    for form in FORMS:
        assert_same_measurement(back(sheet, form).measurement, Measurement.from_captures(entry.sample, dark))


@pytest.mark.parametrize("form", ["h5", "parquet"])
def test_what_only_a_command_reads_is_refused_by_name(sheet, form):
    data = exported(sheet, form)
    with pytest.raises(FormatError, match=r"(HDF5|Parquet) file: oesd import"):
        read_spectrum(data)
    for cut in (8, len(data) // 2, len(data) - 4):
        with pytest.raises(FormatError, match=r"^x: "):
            list(spectra_of(data[:cut], "x"))


def test_a_file_of_one_spectrum_is_itself(entry):
    data = write_columns(entry.entry, entry.sample, entry.dark, entry.reference, None)
    ((name, file),) = spectra_of(data, "a.txt")
    assert name == "a.txt" and file.record_id == entry.sample.record_id


def test_thousands_need_no_more_memory_than_a_few():
    """What is held between two pieces does not grow with their number."""
    device = make_device(256, wavelengths_nm=np.linspace(200, 900, 256), electric_dark_pixels=())
    sample = make_capture(device=device)
    made = (entry_sheet(Parts(make_entry(sample), sample)) for _ in range(300))
    alive, most = [], 0

    def watched():
        for one in made:
            alive.append(weakref.ref(one.columns["scope_corrected"]))
            yield one

    for _ in pieces_of(watched(), "parquet", several=True):
        most = max(most, sum(ref() is not None for ref in alive))
    assert len(alive) == 300 and most <= 66


@pytest.mark.parametrize("form", ["csv", "txt"])
def test_the_largest_spectrum_comes_back(form):
    """A list of pixels longer than 128 KiB, and a column of 2 MB on one line."""
    pixels = MOST_PIXELS
    counts = np.random.default_rng(5).normal(1000.0, 30.0, pixels)
    every_other = np.arange(pixels) % 2 == 0
    measured = Measurement(np.linspace(200.0, 1100.0, pixels), counts, dark=-counts / 7e-5, saturated=every_other)
    _, found = next(iter(spectra_of(exported(file_sheet(SpectrumFile("x", measured), "id"), form), "a")))
    assert np.array_equal(found.measurement.dark, measured.dark)
    assert np.array_equal(found.measurement.saturated, every_other)


@pytest.mark.parametrize("form", TEXTS)
def test_half_a_letter_is_refused(form):
    """SQLite and UTF-8 take no lone surrogate: it would fail where the file is stored."""
    measured = Measurement(np.arange(300.0, 320.0), np.arange(20.0))
    data = exported(file_sheet(SpectrumFile("x", measured, metadata={"Label x": "a\ud800"}), "id"), form)
    with pytest.raises(FormatError, match="half of a letter"):
        list(spectra_of(data, "a"))
