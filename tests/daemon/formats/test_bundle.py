"""Several files as one archive, and archives that lie."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.formats import FormatError, is_bundle, read_bundle, write_bundle

NAMES = st.text(st.characters(min_codepoint=48, max_codepoint=122, exclude_characters="/\\"), min_size=1, max_size=40)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=300)), min_size=1, max_size=8, unique_by=lambda file: file[0]))
def test_what_goes_in_comes_out_and_the_bytes_are_the_same_each_time(files: list[tuple[str, bytes]]) -> None:
    packed = write_bundle(files)
    assert is_bundle(packed)
    assert read_bundle(packed) == files
    assert write_bundle(files) == packed


def test_a_foreign_archive_is_no_bundle() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("OOISignatures.xml", "<x/>")
    assert not is_bundle(out.getvalue())
    assert not is_bundle(b"")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "C:\\x\\y.txt", "a/b/c.txt"])
def test_a_name_is_never_a_path(name: str) -> None:
    ((found, data),) = read_bundle(write_bundle([(name, b"x")]))
    assert not {"/", "\\"} & set(found)
    assert data == b"x"


def test_a_bomb_is_left_in_its_shell() -> None:
    with pytest.raises(FormatError, match="too large"):
        read_bundle(write_bundle([("a.txt", bytes(20_000_000))]))
    with pytest.raises(FormatError, match="too large"):
        read_bundle(write_bundle([(f"{n}.txt", bytes(15_000_000)) for n in range(18)]))


def test_too_many_files_and_none_are_refused() -> None:
    for number in (0, 1001):
        with pytest.raises(FormatError, match="1 to 1000"):
            read_bundle(write_bundle([(f"{n}.txt", b"") for n in range(number)]))


def test_damage_anywhere_is_an_error_or_does_no_harm() -> None:
    files = [(f"{n}.txt", random.Random(n).randbytes(200)) for n in range(3)]
    good = write_bundle(files)
    chance = random.Random(1)
    for _ in range(2000):
        damaged = bytearray(good)
        damaged[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        try:
            found = read_bundle(bytes(damaged[: chance.choice((len(damaged), chance.randrange(len(damaged))))]))
        except FormatError:
            continue
        assert all(data in {d for _, d in files} for _, data in found)  # names may be damaged: bytes have a CRC
