"""import(export(x)) = x: every count to the integer and every setting, in both of our forms."""

import dataclasses
import hashlib
from datetime import timedelta, timezone

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.daemon.formats.making import (
    NOON,
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

from oesd.formats import FormatError, read_spectrum, upload_name, write_columns, write_document
from oesd.formats.description import describe
from oesd.formats.parts import Parts
from oesd.model import Kind, Measurement

WRITERS = [write_columns, write_document]


@pytest.fixture
def full():
    sample, dark = make_capture(), make_capture(Kind.DARK, scans=10, seed=2)
    reference = make_capture(Kind.REFERENCE, scans=7, seed=3)
    entry = make_entry(sample, dark, reference)
    return entry, sample, dark, reference, make_result(sample, entry.data_id)


@pytest.mark.parametrize("write", WRITERS)
@given(captures=captures_of_one_device(), there=st.tuples(*[st.booleans()] * 3), cause=text)
@settings(max_examples=60)
def test_counts_and_settings_come_back_exactly(write, captures, there, cause):
    sample, *others = captures
    dark, reference, short = (other if is_there else None for other, is_there in zip(others, there, strict=True))
    entry = make_entry(sample, dark, reference, short)
    run = make_run(cause)
    file = read_spectrum(write(entry, sample, dark, reference, None, short=short, run=run))
    assert_same_measurement(file.measurement, Measurement.from_captures(sample, dark, reference, short))
    assert np.array_equal(np.rint(file.measurement.sample * sample.scans).astype(np.uint32), sample.counts_sum)
    header = describe(Parts(entry, sample, dark, reference, short, None, run))
    assert {name: file.metadata[name] for name in header} == header
    assert file.record_id == sample.record_id
    assert {k.removeprefix("Label "): v for k, v in file.metadata.items() if k.startswith("Label ")} == sample.labels
    assert file.metadata.get("short_id") == (short and short.record_id)
    assert file.metadata.get("cause", "") == cause
    assert (file.spread is None) == (sample.spread is None)
    if sample.spread is not None:
        assert file.spread.dtype == np.float32
        assert file.spread.tobytes() == np.abs(sample.spread).tobytes()


thousandths = arrays(np.int64, 16, elements=st.integers(0, 10**9))


@pytest.mark.parametrize("write", WRITERS)
@given(counts=thousandths, mask=arrays(np.bool_, 16), version=text)
@settings(max_examples=30)
def test_a_modelled_dark_comes_back_exactly_and_is_never_called_a_record(write, counts, mask, version):
    sample = make_capture()
    dark = make_modelled(counts / 1000.0, mask, version)
    entry = make_entry(sample, dark)
    file = read_spectrum(write(entry, sample, dark, None, None))
    assert_same_measurement(file.measurement, Measurement.from_captures(sample, dark))
    assert file.metadata["Dark Model ID"] == dark.record_id
    assert "Dark Record ID" not in file.metadata and "Dark Scans" not in file.metadata
    assert file.metadata["Dark Modelled From"] == f"7 darks up to last, {version}"


@pytest.mark.parametrize("write", WRITERS)
def test_the_file_of_a_bracket_is_analysed_as_its_entry_is(full, write):
    entry, sample, dark, reference, _ = full
    short = make_capture(seed=9, integration_us=10_000, slot=-1)
    file = read_spectrum(write(entry, sample, dark, reference, None, short=short))
    expected = Measurement.from_captures(sample, dark, reference, short)
    assert_same_measurement(file.measurement, expected)
    assert file.measurement.short_integration_us == 10_000
    assert file.metadata["Short Record ID"] == short.record_id


@pytest.mark.parametrize("values", [[-1.0] * 16, [1e39] * 16, [None] * 16, [1.0]])
def test_a_damaged_spread_is_named(full, values):
    entry, sample, *_ = full
    spread = np.ones(16, np.float32)
    document = orjson.loads(write_document(entry, dataclasses.replace(sample, spread=spread), None, None, None))
    document["spread"] = values
    del document["sha256"]
    digest = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
    with pytest.raises(FormatError, match=r"standard deviations|spread"):
        read_spectrum(orjson.dumps({**document, "sha256": digest}))


@pytest.mark.parametrize("write", WRITERS)
def test_result_and_names_common_to_all_forms(full, write):
    file = read_spectrum(write(*full))
    entry, _, dark, reference, result = full
    assert np.array_equal(file.processed, result.analysis.scope_corrected)
    expected = {
        "serial": "OES00001",
        "model": "USB2000+",
        "device_name": "usb2000-1",
        "simulated": "Yes",
        "data_id": entry.data_id,
        "taken_at": "2026-11-22T12:00:00.123456Z",
        "integration_us": "100000",
        "scans": "3",
        "boxcar_half_width_px": "2",
        "Dark Record ID": dark.record_id,
        "Dark Reason": "same integration time, 12 s old",
        "Reference Record ID": reference.record_id,
        "Run ID": "run-1",
        "Sequence": "7",
        "Slot": "5",
        "Boot ID": "boot",
        "Monotonic (ns)": "123456789",
        "Elements": "Ar 0.999",
        "Line Table Version": "table 1",
        "Engine Version": "engine 1",
        "Result Revision": "2",
        "Warning 1": "one pixel is saturated",
    }
    assert {name: file.metadata[name] for name in expected} == expected
    assert "345.6789 nm" in file.metadata["Peak p1"] and "Ar (by hand) 0.987, Ar_345.7" in file.metadata["Peak p1"]


@pytest.mark.parametrize("write", WRITERS)
def test_same_input_same_bytes(full, write):
    assert write(*full) == write(*full)


def test_columns_are_what_jaz_readers_expect(full):
    text = write_columns(*full).decode("ascii")
    lines = text.split("\n")
    begin = lines.index(">>>>>Begin Processed Spectral Data<<<<<")
    assert lines[0] == "oesd Data File" and lines[1] == "+" * 36
    assert "Date: Sun Nov 22 12:00:00 GMT 2026" in lines
    assert "Integration Time (usec): 100000 (OES00001)" in lines
    assert "Spectra Averaged: 3 (OES00001)" in lines
    assert lines[begin + 1] == "W\tD\tR\tS\tP"
    assert lines[-2] == ">>>>>End Processed Spectral Data<<<<<" and lines[-1] == ""
    assert len(lines[begin + 2 : -2]) == 16
    digest = next(line for line in lines if line.startswith("Data SHA256: ")).removeprefix("Data SHA256: ")
    body = "\n".join(lines[begin + 1 :]).encode()
    assert digest == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("with_dark", "with_reference", "heading"),
    [(False, False, "W\tS\tP"), (True, False, "W\tD\tS\tP"), (False, True, "W\tR\tS\tP")],
)
def test_only_the_columns_there_are(full, with_dark, with_reference, heading):
    _, sample, dark, reference, _ = full
    dark, reference = (dark if with_dark else None), (reference if with_reference else None)
    data = write_columns(make_entry(sample, dark, reference), sample, dark, reference, None)
    assert f"\n{heading}\n".encode() in data


def test_processed_before_a_result_is_sample_minus_dark(full):
    entry, sample, dark, _, _ = full
    file = read_spectrum(write_columns(entry, sample, dark, None, None))
    assert np.allclose(file.processed, sample.counts - dark.counts, atol=6e-4)


def test_changed_data_are_refused(full):
    data = write_columns(*full)
    at = data.index(b"Data<<<<<") + 40
    digit = data[at : at + 1]
    changed = data[:at] + (b"7" if digit != b"7" else b"8") + data[at + 1 :]
    for damaged in (changed, data[:-5], data + b" "):
        with pytest.raises(FormatError, match=r"^x\.txt: .*SHA-256"):
            read_spectrum(damaged, "x.txt")


def test_columns_with_no_marker_are_refused(full):
    data = write_columns(*full)
    with pytest.raises(FormatError, match="cut short"):
        read_spectrum(data[:300])


def test_changed_document_is_refused_and_a_pretty_one_is_not(full):
    data = write_document(*full)
    document = orjson.loads(data)
    pretty = read_spectrum(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    assert_same_measurement(pretty.measurement, read_spectrum(data).measurement)
    document["counts_sum"]["sample"][3] += 1
    with pytest.raises(FormatError, match="SHA-256"):
        read_spectrum(orjson.dumps(document))


def test_document_shows_the_result_as_the_api_does(full):
    document = orjson.loads(write_document(*full))
    assert document["result"]["detected_peaks"][0]["peak_id"] == "p1"
    assert document["result"]["elements"] == [{"element": "Ar", "probability": 0.999}]
    assert "sample" not in document["result"]


@pytest.mark.parametrize(
    ("line", "becomes", "message"),
    [
        (b"\nScans: 3\n", b"\nScans: 0\n", "'Scans' holds no number"),
        (b"\nScans: 3\n", b"\n", "'Scans' is missing"),
        (b"\nElectric Dark Pixels: 2-4,6\n", b"\nElectric Dark Pixels: 2-400\n", "beyond the 16 pixels"),
        (b"\nElectric Dark Pixels: 2-4,6\n", b"\nElectric Dark Pixels: 6,2-4\n", "ascending"),
        (b"\nElectric Dark Pixels: 2-4,6\n", b"\nElectric Dark Pixels: all\n", "damaged"),
        (b"\nScans: 3\n", b"\nScans: 999999999999999\n", "out of range"),
        (b"Coefficients: 0.98 ", b"Coefficients: abc ", "coefficients are no numbers"),
    ],
)
def test_damaged_header_lines_are_named(full, line, becomes, message):
    data = write_columns(*full)
    assert line in data
    with pytest.raises(FormatError, match=message):
        read_spectrum(data.replace(line, becomes))


@pytest.mark.parametrize(
    ("part", "becomes", "message"),
    [
        (b"W\tD\tR\tS\tP", b"W\tD\tR\tS\tX", "heading of the columns is damaged"),
        (b"W\tD\tR\tS\tP", b"W\tD\tS\tP", "do not fit their heading"),
        (b"333.3333333333333\t", b"abc\t", "no number"),
        (b"333.3333333333333\t", b"nan\t", "not finite"),
        (b"333.3333333333333\t", b"999\t", "not increasing"),
    ],
)
def test_damaged_columns_are_named_even_with_a_fresh_digest(full, part, becomes, message):
    head, marker, body = write_columns(*full).partition(b"Data<<<<<\n")
    assert part in body
    old, body = hashlib.sha256(body).hexdigest(), body.replace(part, becomes)
    head = head.replace(old.encode(), hashlib.sha256(body).hexdigest().encode())
    with pytest.raises(FormatError, match=message):
        read_spectrum(head + marker + body)


def test_no_rows_of_numbers(full):
    head, marker, _ = write_columns(*full).partition(b"Data<<<<<\n")
    body = b"W\tS\tP"
    head = head[: head.index(b"Data SHA256")] + b"Data SHA256: " + hashlib.sha256(body).hexdigest().encode()
    with pytest.raises(FormatError, match="no lines of numbers"):
        read_spectrum(head + b"\n>>>>>Begin Processed Spectral " + marker + body)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("counts_sum", "sample"), [1, 2], "has 2 values"),
        (("counts_sum", "sample"), [0.5] * 16, "no count"),
        (("counts_sum",), {"dark": []}, "with a sample"),
        (("header", "Scans"), 3, "object of texts"),
        (("processed",), [None] * 16, "no finite number"),
        (("wavelengths_nm",), "x", "no list of numbers"),
        (("wavelengths_nm",), [float(i) for i in range(16)][::-1], "not increasing"),
    ],
)
def test_damaged_documents_are_named_even_with_a_fresh_digest(full, path, value, message):
    document = orjson.loads(write_document(*full))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    del document["sha256"]
    digest = hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()
    with pytest.raises(FormatError, match=message):
        read_spectrum(orjson.dumps({**document, "sha256": digest}))


def test_hostile_serial_stays_on_its_line():
    device = make_device(serial="A\n>>>>>Begin Processed Spectral Data<<<<<\nB: \u202ec\x00 ")
    sample = make_capture(device=device)
    data = write_columns(make_entry(sample), sample, None, None, None)
    assert data.count(b"\n>>>>>Begin") == 1 and data.isascii()
    assert read_spectrum(data).metadata["serial"] == device.serial


def test_times_are_written_in_utc():
    sample = make_capture(taken_at_utc=NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    metadata = read_spectrum(write_columns(make_entry(sample), sample, None, None, None)).metadata
    assert metadata["taken_at"] == "2026-11-22T12:00:00.123456Z"


def test_upload_name_is_the_record_id(full):
    sample = full[1]
    assert upload_name(sample, "columns") == f"{sample.record_id}.txt"
    assert upload_name(sample, "json") == f"{sample.record_id}.json"
