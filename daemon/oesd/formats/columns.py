r"""Our text form: header lines, then columns W, D, R, S, P, B, N, M, those of them that there are.

::

    oesd Data File
    ++++++++++++++++++++++++++++++++++++
    Date: Sun Nov 22 01:21:30 GMT 2026
    ...
    Data SHA256: 9f86d081...               of every byte after the line below
    >>>>>Begin Processed Spectral Data<<<<<
    W\tD\tS\tP
    350.1234\t1500.250000\t1623.500000\t123.250000
    >>>>>End Processed Spectral Data<<<<<

D, R and S are mean raw counts of one scan with so many decimals that times scans they are the integers again; W has
every digit of the float it is; P is the corrected scope (sample - dark where there is no result). B is the shorter
exposure of a bracket, in the form of S; N and M the standard deviations of the sample's and the dark's scans (of a
modelled dark its sigma), every digit of a float32.
"""

from __future__ import annotations

import hashlib

import numpy as np

from oesd.formats.decoding import split_lines
from oesd.formats.description import describe
from oesd.formats.errors import FormatError
from oesd.formats.escaping import escaped, escaped_key, unescaped
from oesd.formats.own import parts_of, spectrum_from_header, sums_of
from oesd.formats.parts import Counted, Parts
from oesd.formats.table import MOST_PIXELS
from oesd.formats.vendor import header_lines
from oesd.model import FloatArray, SpectrumFile

FIRST_LINE = "oesd Data File"
BEGIN = ">>>>>Begin Processed Spectral Data<<<<<"
END = ">>>>>End Processed Spectral Data<<<<<"
DIGEST_LINE = "Data SHA256"
_LETTERS = {"dark": "D", "reference": "R", "sample": "S", "short": "B"}
_SCATTER = {"sample": "N", "dark": "M"}
_NEEDED, _KNOWN = frozenset("WSP"), frozenset("WDRSPBNM")


def columns_bytes(parts: Parts) -> bytes:
    """Bytes of the text form: ASCII, LF, the same for the same input."""
    body = _body(parts)
    lines = [f"{escaped_key(name)}: {escaped(value)}" for name, value in describe(parts).items()]
    digest = f"{DIGEST_LINE}: {hashlib.sha256(body).hexdigest()}"
    return "\n".join([FIRST_LINE, "+" * 36, *lines, digest, BEGIN, ""]).encode("ascii") + body


def _body(parts: Parts) -> bytes:
    counts = {_LETTERS[role]: _means(counted) for role, counted in parts.counts().items()}
    short = {"B": counts.pop("B")} if "B" in counts else {}  # after what the vendors' readers know
    columns = {
        "W": [repr(w) for w in parts.sample.device.wavelengths_nm.tolist()],
        **counts,
        "P": [f"{p:.6f}" for p in parts.processed().tolist()],
        **short,
    }
    columns |= {_SCATTER[role]: [str(n) for n in scatter] for role, scatter in parts.deviations().items()}
    rows = ["\t".join(row) for row in zip(*columns.values(), strict=True)]
    return "\n".join(["\t".join(columns), *rows, END, ""]).encode("ascii")


def _means(counted: Counted) -> list[str]:
    decimals = max(6, len(str(counted.parts)) + 1)
    return [f"{mean:.{decimals}f}" for mean in (counted.sums / float(counted.parts)).tolist()]


def is_own(data: bytes) -> bool:
    """Whether the bytes begin as our text form does."""
    return data.startswith(FIRST_LINE.encode("ascii"))


def read_own(data: bytes) -> SpectrumFile:
    """Spectrum of our text form.

    Raises
    ------
    FormatError
        When the digest is not that of the data, and for every damage of header or table.
    """
    head, marker, body = data.partition(f"\n{BEGIN}\n".encode("ascii"))
    if not marker:
        raise FormatError("no line that begins the data: the file was cut short or changed")
    header = _header(head)
    if hashlib.sha256(body).hexdigest() != header.pop(DIGEST_LINE, ""):
        raise FormatError("the data do not have the SHA-256 that the header gives: the file was changed or cut short")
    columns = _columns(body)
    sums = {
        role: sums_of(columns[letter], parts_of(header, role)) for role, letter in _LETTERS.items() if letter in columns
    }
    scatter = {role: columns[letter] for role, letter in _SCATTER.items() if letter in columns}
    return spectrum_from_header("oesd columns", header, columns["W"], sums, columns["P"], scatter)


def _header(head: bytes) -> dict[str, str]:
    lines = split_lines(head.decode("ascii", errors="backslashreplace"))
    return {unescaped(name): unescaped(value) for name, value in header_lines(lines).items()}


def _columns(body: bytes) -> dict[str, FloatArray]:
    heading, *lines = body.decode("ascii", errors="replace").partition(f"\n{END}\n")[0].split("\n")
    letters = heading.split("\t")
    if not _NEEDED <= set(letters) <= _KNOWN or len(set(letters)) != len(letters):
        raise FormatError("the heading of the columns is damaged")
    columns = [_floats(column) for column in zip(*_cells(lines, len(letters)), strict=True)]
    if not columns:
        raise FormatError("no spectrum: no lines of numbers")
    return dict(zip(letters, columns, strict=True))


def _cells(lines: list[str], width: int) -> list[list[str]]:
    if len(lines) > MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels")
    rows = [line.split("\t") for line in lines]
    if any(len(row) != width for row in rows):
        raise FormatError("the columns do not fit their heading")
    return rows


def _floats(column: tuple[str, ...]) -> FloatArray:
    try:
        values = np.array([float(cell) for cell in column])
    except ValueError:
        raise FormatError("the columns hold something that is no number") from None
    if not np.isfinite(values).all():
        raise FormatError("the columns hold a value that is not finite")
    return values
