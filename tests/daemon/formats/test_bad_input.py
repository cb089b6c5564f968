"""What is no spectrum ends in one line that names the file, the line and what is wrong; never in anything else."""

import contextlib
import itertools

import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oesd.formats import FormatError, read_spectrum
from oesd.formats.escaping import escaped, escaped_key, unescaped

AXIS = [400.5 + i for i in range(10)]
GOOD = "\n".join(f"{w}\t{i}" for i, w in enumerate(AXIS))
MARKED = f"SpectraSuite Data File\nDate: x\n>>>>>Begin Processed Spectral Data<<<<<\n{GOOD}\n>>>>>End<<<<<\n"
BWSPEC = "File Version;BWRam4.11_11\naverage number;2\nPixel;Wavelength;Dark;Raw data #1;\n" + "\n".join(
    f"{i};{w};7,0;{i},5;" for i, w in enumerate(AXIS)
)
JSON = orjson.dumps(
    {"wavelengths": AXIS, "sample": list(range(10)), "integration_us": 5, "nonlinearity": [1.0]}
).decode()
SPD = orjson.dumps({"spd": {str(w): 1.5 + w for w in AXIS}, "time": 3.0, "ts": 1e9, "device": "X 1"}).decode()


def message(data, filename="a.txt"):
    with pytest.raises(FormatError) as caught:
        read_spectrum(data if isinstance(data, bytes) else data.encode(), filename)
    text = str(caught.value)
    assert "\n" not in text and text.isascii() and len(text) < 400
    return text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "a.txt: the file is empty"),
        (b" \r\n\t", "a.txt: the file is empty"),
        (b"abc\n\x00\x01\x02", "a.txt: line 2: binary data, not a text file"),
        (bytes(range(256)) * 20, "a.txt: line 1: binary data, not a text file"),
        (b"PK\x03\x04rest", "a.txt: a damaged ZIP archive: File is not a zip file"),
        ("hello\nworld", "a.txt: no spectrum: no columns of numbers; it begins 'hello'"),
        ("1\t2\n2\t3\n3\t4", "a.txt: no spectrum: 3 pixels, fewer than 8"),
        # 400,5 nm and 4,5 counts, or four columns: whichever is taken may be made up
        (
            "\n".join(f"{400 + i},5,{i},25" for i in range(10)),
            "a.txt: 4 columns, or decimal commas between commas? name the columns in a line above them "
            "(wavelength,sample,...), or separate them by semicolons",
        ),
        (
            GOOD.replace("404.5\t4", "403.5\t4"),
            "a.txt: line 5: wavelengths are not increasing: 403.5 nm follows 403.5 nm",
        ),
        (
            "\n".join(reversed(GOOD.split("\n"))),
            "a.txt: line 2: wavelengths are not increasing: 408.5 nm follows 409.5 nm",
        ),
        (GOOD.replace("400.5", "-1"), "a.txt: line 1: the wavelength -1 nm is not positive"),
        (GOOD.replace("\t4\n", "\tNaN\n"), "a.txt: line 5: the value NaN is not finite"),
        (GOOD.replace("\t4\n", "\t-inf\n"), "a.txt: line 5: the value -inf is not finite"),
        (GOOD.replace("\t4\n", "\t1.#QNAN\n"), "a.txt: line 5: the value 1.#QNAN is not finite"),
        (GOOD.replace("\t4\n", "\t1e999\n"), "a.txt: line 5: the value 1e999 is not finite"),
        (GOOD.replace("\t4\n", "\tfour\n"), "a.txt: line 5: expected a number, found 'four'"),
        (GOOD.replace("\t4\n", "\n"), "a.txt: line 5: 1 columns where the rows before have 2"),
        (MARKED.replace("\t4\n", "\tNaN\n"), "a.txt: line 8: the value NaN is not finite"),
        (MARKED.replace("\t0\n", "\tNaN\n"), "a.txt: line 4: the value NaN is not finite"),
        (MARKED.replace(GOOD, ""), "a.txt: line 3: no spectrum: nothing follows the line that begins the data"),
        (MARKED.replace(GOOD, "W\tS\tP\n" + GOOD), "a.txt: line 5: 2 columns, 3 expected"),
        (MARKED.replace(GOOD, "A\tB\n" + GOOD), "a.txt: no spectrum: 0 pixels, fewer than 8"),
        (MARKED.replace("Date: x", "XAxis mode: Raman Shifts"), "a.txt: the axis is 'Raman Shifts', not wavelengths"),
        (BWSPEC.replace("4;404.5;7,0;4,5;", "4;404.5;7,0"), "a.txt: line 8: 3 columns, 4 expected"),
        (BWSPEC.replace("4,5;", "-;"), "a.txt: line 8: expected a number, found '-'"),
        (BWSPEC.replace("4,5;", ";"), "a.txt: line 8: a number is missing"),
        (BWSPEC.replace("Pixel", "Nothing"), "a.txt: no spectrum: no line of column names (Pixel;Wavelength;...)"),
        (BWSPEC.replace("Wavelength", "Nothing"), "a.txt: line 3: no column of wavelengths"),
        ("[1, 2]", "a.txt: no spectrum: a JSON list, not an object"),
        ("{}", "a.txt: no spectrum: a JSON object with no keys, without 'wavelengths' and 'sample'"),
        ('{"wavelengths": [1], "sample": {}}', "a.txt: 'sample' is no list of at most 100000 numbers"),
        ('{"wavelengths": [1], "sample": [1], "wavelength_unit": "A"}', "a.txt: the wavelengths are in 'A', not in nm"),
        ('{"spd": [1, 2]}', "a.txt: 'spd' is no object of values by wavelength"),
        ('{"spd": {"x": 1}}', "a.txt: expected a number, found 'x'"),
        (JSON.replace("[0,", "[null,"), "a.txt: sample[0] is no finite number: None"),
        (JSON.replace("[0,1,", "[0,"), "a.txt: sample has 9 values, the wavelengths have 10"),
        (JSON.replace("[0,", "[true,"), "a.txt: sample[0] is no finite number: True"),
        (JSON.replace(":5,", ":-5,"), "a.txt: 'integration_us' is no sensible number: -5"),
        (JSON.replace(":5,", ':"x",'), "a.txt: 'integration_us' is no sensible number: x"),
        ('{"wavelengths": [1', "a.txt: line 1: no valid JSON: unexpected end of data"),
        ("[" * 3000, "a.txt: line 1: no valid JSON: depth limit exceeded"),
        ('{"format": "oesd spectrum", "x": ' + "[" * 500 + "]" * 500 + "}", "does not have the SHA-256"),
    ],
    ids=itertools.count(),
)
def test_message(data, expected):
    assert expected in message(data)


def test_too_large():
    assert message(b" " * (64 * 1024 * 1024) + b"1") == ("a.txt: 64 MiB, more than the 64 MiB allowed for one spectrum")


def test_too_many_pixels_and_lines_and_too_long_lines():
    many = "\n".join(f"{i} 1" for i in range(1, 100_003))
    assert message(many) == "a.txt: line 100001: more than 100000 pixels"
    assert message("1 2\r\n" * 120_001) == "a.txt: more than 120000 lines"
    assert message("1 2\n" + "1 " * 1_400_000 + "1") == "a.txt: line 2: the line is longer than 2600000 characters"
    assert "at most 100000" in message(orjson.dumps({"wavelengths": list(range(100_001)), "sample": [1]}))


def test_hostile_file_names_and_content_stay_on_one_line():
    assert message(b"", "x\n\x1b[31m\u202e.txt") == r"x\n\x1b[31m\u202e.txt: the file is empty"
    assert message("\u202e" * 500).startswith(r"a.txt: no spectrum: no columns of numbers; it begins '\u202e")


def test_no_file_name_no_prefix():
    with pytest.raises(FormatError, match=r"^the file is empty$"):
        read_spectrum(b"")


@given(st.binary(max_size=400))
@example(b"\x85")
def test_any_bytes(data):
    with contextlib.suppress(FormatError):
        read_spectrum(data)


@given(
    base=st.sampled_from([GOOD, MARKED, BWSPEC, JSON, SPD]),
    at=st.floats(0, 1),
    cut=st.integers(0, 30),
    put=st.text(st.sampled_from('0123456789.,;:\t\r\n eE-+NaninfWDRSP>{}[]"#\\\u0661é\x00'), max_size=12),
)
@settings(max_examples=400)
def test_any_damage(base, at, cut, put):
    place = int(at * len(base))
    try:
        measured = read_spectrum((base[:place] + put + base[place + cut :]).encode()).measurement
    except FormatError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(measured.sample).all() and (np.diff(measured.wavelengths_nm) > 0).all()


def test_undamaged_they_all_read():
    assert [read_spectrum(x.encode()).format for x in (GOOD, MARKED, BWSPEC, JSON, SPD)] == [
        "columns",
        "SpectraSuite",
        "BWSpec",
        "JSON arrays",
        "spd",
    ]


@given(st.text())
def test_escaping_is_undone_exactly(text):
    for line in (escaped(text), escaped_key(text)):
        assert line.isascii() and line.isprintable() and line == line.strip()
    assert unescaped(escaped(text)) == text
    assert unescaped(escaped_key(text)) == (text or " ")
    assert ":" not in escaped_key(text)


@given(st.text(st.sampled_from("\\nxu0123456789abcdefU\n ")))
def test_unescaping_takes_any_text(text):
    assert isinstance(unescaped(text), str)
