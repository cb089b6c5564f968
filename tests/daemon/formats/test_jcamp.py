"""JCAMP-DX as others write it: every packing of the standard gives the same numbers, and damage is named."""

import io

import jcamp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oesd.formats import FormatError, read_spectrum

VALUES = [1, 2, 3, 3, 2, 1, 0, -1, -2, -3]  # the example of the standard
HEAD = "##TITLE= x\n##JCAMP-DX= 4.24\n##DATA TYPE= {kind}\n##XUNITS= {unit}\n##YUNITS= COUNTS\n"
SPAN = "##FIRSTX= {first}\n##LASTX= {last}\n##NPOINTS= {n}\n##XFACTOR= 1\n##YFACTOR= {factor}\n"


def packed(*lines, n=10, first=400, last=409, factor=1, unit="NANOMETERS", kind="UV/VIS SPECTRUM"):
    head = HEAD.format(kind=kind, unit=unit) + SPAN.format(first=first, last=last, n=n, factor=factor)
    return "\n".join([head + "##XYDATA= (X++(Y..Y))", *lines, "##END=", ""]).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ("400 1 2 3 3 2 1 0 -1 -2 -3",),
        ("400+1+2+3+3+2+1+0-1-2-3",),
        ("400ABCCBA@abc",),
        ("400AJJ%jjjjjj",),
        ("400AJJ%jX",),
        ("400ABCC", "404BA@abc"),
        ("400AJJ%j", "404Bjjjjj"),  # after a difference the next line begins with the same value once more
    ],
)
def test_every_packing_gives_the_same_numbers(lines):
    found = read_spectrum(packed(*lines))
    assert found.measurement.sample.tolist() == VALUES
    assert found.measurement.wavelengths_nm.tolist() == list(range(400, 410))


@given(st.lists(st.integers(-9, 9), min_size=8, max_size=60))
@settings(max_examples=40)
def test_squeezed_numbers_are_what_the_jcamp_package_reads(values):
    letters = {**{i: "@ABCDEFGHI"[i] for i in range(10)}, **{-i: "abcdefghi"[i - 1] for i in range(1, 10)}}
    data = packed("400" + "".join(letters[v] for v in values), n=len(values), last=400 + len(values) - 1, factor=0.5)
    theirs = jcamp.read(io.BytesIO(data))
    ours = read_spectrum(data)
    assert np.array_equal(ours.measurement.sample, theirs["y"]) and np.array_equal(
        ours.measurement.sample, [v / 2 for v in values]
    )


@pytest.mark.parametrize(("unit", "first", "last"), [("MICROMETERS", 0.4, 0.409), ("ANGSTROMS", 4000, 4090)])
def test_axes_in_other_units_and_the_other_way_round(unit, first, last):
    line = "1 2 3 3 2 1 0 -1 -2 -3"
    found = read_spectrum(packed(f"{first} {line}", unit=unit, first=first, last=last)).measurement
    assert np.allclose(found.wavelengths_nm, np.arange(400.0, 410.0)) and found.sample.tolist() == VALUES
    turned = read_spectrum(packed(f"{last} {line}", unit=unit, first=last, last=first)).measurement
    assert np.allclose(turned.wavelengths_nm, np.arange(400.0, 410.0)) and turned.sample.tolist() == VALUES[::-1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed("400AJJ%jX", n=11), "says 11 points and has 10"),
        (packed("400AJJ%j", "404Cjjjjj"), "line 13: the line does not go on from the one before"),
        (packed("400 1 2 x"), "line 12: a line of the table is damaged"),
        (packed("400AT99999999"), "line 12: a line of the table is damaged"),
        (packed("400A\u00e9"), "line 12: a line of the table is damaged"),
        (packed("400AJJ%jX", unit="1/CM"), "the axis is in '1/CM', not in wavelengths"),
        (packed("400AJJ%jX", first="abc"), "FIRSTX is no number: 'abc'"),
        (b"##TITLE= x\n##END=\n", "no block with XYPOINTS or XYDATA"),
        (packed("").replace(b"(X++(Y..Y))", b"(R++(Y..Y))"), "points as '\\(R\\+\\+\\(Y..Y\\)\\)' are not read"),
        (packed("400 1", n=1, last=400), "no spectrum: 1 pixels"),
        (b"##TITLE= x\n" * 100, "100 blocks, more than 64"),
    ],
)
def test_damage_is_named(data, message):
    with pytest.raises(FormatError, match=f"^a.jdx: .*{message}"):
        read_spectrum(data, "a.jdx")


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_nonsense_ends_in_a_format_error(junk):
    for data in (packed("400AJJ%jX")[:-7] + junk, b"##TITLE=" + junk, packed("400" + junk.decode("latin-1"))):
        try:
            read_spectrum(data)
        except FormatError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("changed", [lambda d: b"\xef\xbb\xbf" + d, lambda d: b"\r\n" + d, bytes.lower])
def test_a_byte_order_mark_an_empty_line_and_small_letters_change_nothing(changed):
    data = packed("400 1 2 3 3 2 1 0 -1 -2 -3")
    assert read_spectrum(changed(data)).measurement.sample.tolist() == VALUES


def test_an_uneven_axis_in_a_form_for_even_ones_is_refused_and_not_made_even():
    """A grating's axis, written with its true abscissas before each line, was read as a straight one, nm beside it."""
    axis = [200 + 0.4 * i - 4e-5 * i * i for i in range(2000)]
    lines = [f"{axis[i]:.3f} " + " ".join(str(i + k) for k in range(8)) for i in range(0, 2000, 8)]
    uneven = packed(*lines, n=2000, first=axis[0], last=axis[-1])
    with pytest.raises(FormatError, match=r"line \d+: the line begins at .* uneven"):
        read_spectrum(uneven, "a.jdx")
    even = [f"{round(200 + 0.4 * i)} " + " ".join(str(i + k) for k in range(8)) for i in range(0, 2000, 8)]
    found = read_spectrum(packed(*even, n=2000, first=200, last=200 + 0.4 * 1999)).measurement
    assert np.allclose(found.wavelengths_nm, 200 + 0.4 * np.arange(2000))
