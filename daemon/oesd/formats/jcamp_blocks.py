"""JCAMP-DX taken apart: blocks of labelled lines, and the tables of numbers in them.

What is read of the standard (McDonald and Wilks, Appl. Spectrosc. 42, 151 (1988); version 5.01: Lampen et al., Appl.
Spectrosc. 53, 127A (1999)): linked blocks, (XY..XY) pairs, and (X++(Y..Y)) in every packing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.jcamp_numbers import Place, unpacked
from oesd.formats.numbers import floats_of
from oesd.formats.table import MOST_PIXELS
from oesd.model import FloatArray

MAGIC = ("##TITLE", "##JCAMP")
MOST_LINES = 1_200_000  # a block for each of ten spectra
UNEVEN = 0.005  # of the axis: whole nanometres are a tenth of that off, a grating's axis three times as much
_MOST_BLOCKS = 64
_TABLES = ("XYPOINTS", "XYDATA")
_SEPARATORS = re.compile(r"[,;\s]+")


@dataclass(slots=True)
class Block:
    """A block: its labelled lines as they stand, under their labels in capitals; of two with one label the first."""

    line: int
    lines: dict[str, str] = field(default_factory=dict)
    table: list[Line] = field(default_factory=list)
    form: str = ""

    def points(self) -> tuple[FloatArray, FloatArray]:
        """Axis and values, shape (points,), factors applied, in the order of the file.

        Raises
        ------
        FormatError
            With the line number.
        """
        x, y = self._points()
        told = self.number("NPOINTS")
        if told is not None and told != len(x):
            raise FormatError(f"a block says {told:g} points and has {len(x)}", line=self.line)
        return x, y

    def _points(self) -> tuple[FloatArray, FloatArray]:
        if self.form == "(XY..XY)":
            x, y = _pairs(self.table)
            return x * (self.number("XFACTOR") or 1.0), y * (self.number("YFACTOR") or 1.0)
        if self.form == "(X++(Y..Y))":
            y, places = unpacked(self.table)
            first, last = self.number("FIRSTX"), self.number("LASTX")
            if first is None or last is None:
                raise FormatError("a block does not say FIRSTX and LASTX", line=self.line)
            x = np.linspace(first, last, len(y))
            _check_even(x, places, self.number("XFACTOR") or 1.0)
            return x, y * (self.number("YFACTOR") or 1.0)
        raise FormatError(f"points as '{shown(self.form)}' are not read", line=self.line)

    def number(self, label: str) -> float | None:
        """Number of a labelled line; None where there is none."""
        text = self.lines.get(label, "").partition("$$")[0].strip().replace(",", ".")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise FormatError(f"{label} is no number: '{shown(text)}'", line=self.line)
        return value


def blocks_of(lines: Sequence[Line]) -> list[Block]:
    """Blocks in the order in which they begin; the first is the file, or the link around the others.

    Raises
    ------
    FormatError
        When there are more than any spectrum needs.
    """
    blocks: list[Block] = []
    label = ""
    for line in lines:
        text = line.text
        if text.startswith("##"):
            name, _, rest = text[2:].partition("=")
            label, rest = _label(name), rest.strip()
            if label == "TITLE" or not blocks:
                blocks.append(Block(line.number))
            if label in _TABLES:
                blocks[-1].form = rest.partition("$$")[0].strip().replace(" ", "").upper()
            blocks[-1].lines.setdefault(label, rest)
        elif label in _TABLES and text.strip() and not text.startswith("$$"):
            blocks[-1].table.append(line)
    if len(blocks) > _MOST_BLOCKS:
        raise FormatError(f"{len(blocks)} blocks, more than {_MOST_BLOCKS}")
    return blocks


def _label(name: str) -> str:
    """Labels differ neither by case nor by the blanks between their words."""
    return " ".join(name.upper().split())


def _check_even(axis: FloatArray, places: Sequence[Place], factor: float) -> None:
    """Refuse points of an uneven axis: this form tells its ends alone, and the rest would be made up.

    Abscissas are rounded, and after a difference a line begins with the value before: two steps.
    """
    if len(axis) < len(("first", "last")):
        return
    most = 2.0 * abs(axis[1] - axis[0]) + UNEVEN * abs(axis[-1] - axis[0])
    for place in places:
        if place.at < len(axis) and abs(place.abscissa * factor - axis[place.at]) > most:
            raise FormatError(
                f"the line begins at {place.abscissa * factor:g}, and FIRSTX and LASTX let expect "
                f"{axis[place.at]:g}: points at uneven distances are read as (XY..XY) only",
                line=place.line,
            )


def _pairs(table: Sequence[Line]) -> tuple[FloatArray, FloatArray]:
    texts: list[str] = []
    for line in table:
        found = [text for text in _SEPARATORS.split(line.text.partition("$$")[0]) if text]
        if len(found) % 2:
            raise FormatError("half a pair of numbers", line=line.number)
        texts += found
    if len(texts) > 2 * MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels")
    # One pair to a line is the rule: then the line of a bad number is known.
    single = len(texts) == 2 * len(table)
    first = table[0].number if table and single else None
    return floats_of(texts[0::2], first), floats_of(texts[1::2], first)
