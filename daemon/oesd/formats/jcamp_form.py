"""Export form JCAMP-DX: a file of linked blocks as Ocean's own software writes it, a block for each spectrum.

The first block is the corrected scope. Every header line stands in the link block as ``##$OESD0001= name: text``:
labels with a ``$`` are free for programs to use, and other readers pass over them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from oesd.formats.about import About, about
from oesd.formats.errors import FormatError
from oesd.formats.escaping import escaped, escaped_key, unescaped
from oesd.formats.jcamp_blocks import Block
from oesd.formats.numbers import number_texts, rows_of
from oesd.formats.sheet import AXIS, COLUMNS, CURVE, DIGEST, Sheet, spectrum_of
from oesd.model import FloatArray, SpectrumFile

_OURS = re.compile(r"\$OESD([0-9]{4,6})")
_DESCRIBED = {CURVE: "PROCESSED SPECTRUM"} | {
    name: f"{name.replace('_', ' ').upper()} SPECTRUM" for name in COLUMNS if name not in (AXIS, CURVE)
}
_NAMED = {described: name for name, described in _DESCRIBED.items()}


def jcamp_bytes(sheet: Sheet) -> bytes:
    """Bytes of the form, ASCII; the same for the same sheet."""
    found = about(sheet.header)
    blocks = [name for name in sheet.columns if name != AXIS]
    head = [
        f"##TITLE= {_text(found.title)}",
        "##JCAMP-DX= 5.01 $$ oesd",
        "##DATA TYPE= LINK",
        f"##BLOCKS= {len(blocks)}",
        "##ORIGIN= oesd",
        "##OWNER= ",
        *(f"##$OESD{i:04}= {_ours(name, text)}" for i, (name, text) in enumerate(sheet.header.items(), start=1)),
    ]
    pieces = ["\n".join([*head, ""]).encode("ascii")]
    for number, name in enumerate(blocks, start=1):
        described = "\n".join([*_described(number, name, found, sheet), ""]).encode("ascii")
        pieces += [described, rows_of([sheet.columns[AXIS], sheet.columns[name]], b", "), b"##END=\n"]
    return b"".join([*pieces, b"##END= $$ end of all blocks\n"])


def _described(number: int, name: str, found: About, sheet: Sheet) -> Iterator[str]:
    axis, values = sheet.columns[AXIS], sheet.columns[name]
    yield f"##TITLE= {_text(found.title)}: {_DESCRIBED[name]}"
    yield "##JCAMP-DX= 5.01 $$ oesd"
    yield "##DATA TYPE= UV/VIS SPECTRUM"
    yield f"##SAMPLE DESCRIPTION= {_DESCRIBED[name]}"
    yield f"##BLOCK_ID= {number}"
    yield "##ORIGIN= oesd"
    yield "##OWNER= "
    if found.taken_at_utc:
        yield f"##LONGDATE= {found.taken_at_utc:%Y/%m/%d %H:%M:%S.%f} +0000"
    yield f"##SPECTROMETER/DATA SYSTEM= {_text(' '.join(filter(None, (found.model, found.serial))))}"
    yield f"##.AVERAGES= {found.scans}"
    yield "##XUNITS= NANOMETERS"
    yield "##YUNITS= COUNTS"
    yield "##XFACTOR= 1.0"
    yield "##YFACTOR= 1.0"
    yield from _bounds(axis, values)
    yield f"##NPOINTS= {len(axis)}"
    yield "##XYPOINTS= (XY..XY)"


def _bounds(axis: FloatArray, values: FloatArray) -> Iterator[str]:
    names = ("FIRSTX", "LASTX", "MINX", "MAXX", "FIRSTY", "MINY", "MAXY")
    bounds = [axis[[0, -1]], axis[[0, -1]], values[:1], values.min(keepdims=True), values.max(keepdims=True)]
    texts = [text.decode() for some in bounds for text in number_texts(some)]
    yield from (f"##{name}= {text}" for name, text in zip(names, texts, strict=True))


def _ours(name: str, text: str) -> str:
    return _safe(f"{escaped_key(name)}: {escaped(text)}")


def _text(text: str) -> str:
    return _safe(escaped(text))


def _safe(line: str) -> str:
    """Nothing that begins a label or a comment."""
    return line.replace("$", r"\x24").replace("#", r"\x23")


def is_ours(blocks: Sequence[Block]) -> bool:
    """Whether a file was written by us and has its digest."""
    lines = blocks[0].lines
    return any(_OURS.fullmatch(name) and text.startswith(f"{DIGEST}: ") for name, text in lines.items())


def read_ours(blocks: Sequence[Block]) -> SpectrumFile:
    """Spectrum of the form.

    Raises
    ------
    FormatError
        When a block is missing, damaged, or of another axis than the first.
    """
    columns: dict[str, FloatArray] = {}
    for block in blocks[1:]:
        name = _NAMED.get(block.lines.get("SAMPLE DESCRIPTION", ""), "")
        if name in ("", *columns):
            raise FormatError("a block is of no known spectrum, or there twice", line=block.line)
        axis, columns[name] = block.points()
        if not np.array_equal(columns.setdefault(AXIS, axis), axis):
            raise FormatError("the blocks are not of one axis", line=block.line)
    return spectrum_of("oesd JCAMP-DX", _header(blocks[0].lines), columns)


def _header(lines: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for label, line in lines.items():
        if _OURS.fullmatch(label):
            name, _, text = line.partition(":")
            found[unescaped(name)] = unescaped(text.removeprefix(" "))
    return found
