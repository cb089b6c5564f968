"""The packings of JCAMP-DX tables (X++(Y..Y)): plain numbers, packed, squeezed, differences, and repeats.

In the squeezed forms the first digit and the sign of a number are one letter, so that no blanks are needed::

    @ABCDEFGHI  0 to 9     abcdefghi  -1 to -9     a value
    %JKLMNOPQR  0 to 9     jklmnopqr  -1 to -9     what is added to the value before
    STUVWXYZs   1 to 9                             the last one so many times
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.numbers import floats_of
from oesd.formats.table import MOST_PIXELS
from oesd.model import FloatArray

_VALUES = {letter: str(i) for i, letter in enumerate("@ABCDEFGHI")} | {
    letter: f"-{i}" for i, letter in enumerate("abcdefghi", start=1)
}
_STEPS = {letter: str(i) for i, letter in enumerate("%JKLMNOPQR")} | {
    letter: f"-{i}" for i, letter in enumerate("jklmnopqr", start=1)
}
_REPEATS = {letter: str(i) for i, letter in enumerate("STUVWXYZs", start=1)}
_SQUEEZED = re.compile(r"[@A-DF-Za-df-s%]")  # E and e are exponents in plain numbers
_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ABSCISSA = re.compile(r"\s*[+-]?[0-9]*\.?[0-9]*(?:E[+-][0-9]+)?")
_TOKEN = re.compile(r"\s*([@A-Za-s%+-]?)([0-9]*(?:\.[0-9]*)?)")
_LONGEST_NUMBER = 30


class Place(NamedTuple):
    """What a line says of the axis: which value it goes on with, and the abscissa that it begins with."""

    at: int
    abscissa: float
    line: int


def unpacked(table: Sequence[Line]) -> tuple[FloatArray, list[Place]]:
    """Values of a table, and the abscissas that begin its lines, which are for checking.

    Raises
    ------
    FormatError
        With the line number.
    """
    lines = [Line(line.number, line.text.partition("$$")[0].rstrip()) for line in table]
    if any(_SQUEEZED.search(line.text) for line in lines):
        return _squeezed(lines)
    texts: list[str] = []
    places: list[Place] = []
    for line in lines:
        found = _PLAIN.findall(line.text)
        if _PLAIN.sub("", line.text).strip(" \t,;") or len(texts) + len(found) > 2 * MOST_PIXELS:
            raise FormatError("a line of the table is damaged, or there are too many", line=line.number)
        places += [Place(len(texts), float(text), line.number) for text in found[:1]]
        texts += found[1:]
    return floats_of(texts), places


def _squeezed(lines: Sequence[Line]) -> tuple[FloatArray, list[Place]]:
    values: list[float] = []
    places: list[Place] = []
    check = False  # after a line that ends with a difference the next begins with the same value once more
    for line in lines:
        found = list(_line_values(line, values[-1] if values else 0.0))
        if not found:
            continue
        numbers = [value for value, _ in found]
        if check and values and numbers[0] != values[-1]:
            raise FormatError("the line does not go on from the one before: it was changed", line=line.number)
        if abscissa := line.text[: _abscissa_end(line.text)].strip():
            places.append(Place(len(values), _number(abscissa, line), line.number))
        values += numbers[1:] if check and values else numbers
        check = found[-1][1]
        if len(values) > MOST_PIXELS:
            raise FormatError(f"more than {MOST_PIXELS} pixels", line=line.number)
    return np.array(values, dtype=np.float64), places


def _line_values(line: Line, last: float) -> Iterator[tuple[float, bool]]:
    """Values of a line, and whether each came as a difference."""
    at = _abscissa_end(line.text)
    value, step, as_step = last, 0.0, False
    for mark, digits in _tokens(line, at):
        if mark in _REPEATS:
            for _ in range(_repeats(_REPEATS[mark] + digits, line) - 1):
                value += step if as_step else 0.0
                yield value, as_step
            continue
        as_step = mark in _STEPS
        number = _number(_STEPS.get(mark, _VALUES.get(mark, mark)) + digits, line)
        step = number if as_step else 0.0
        value = value + step if as_step else number
        yield value, as_step


def _abscissa_end(text: str) -> int:
    found = _ABSCISSA.match(text)
    return found.end() if found else 0


def _tokens(line: Line, at: int) -> Iterator[tuple[str, str]]:
    text = line.text
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or found.end() == at:
            raise FormatError("a line of the table is damaged", line=line.number)
        at = found.end()
        yield found[1], found[2]


def _number(text: str, line: Line) -> float:
    try:
        if len(text) <= _LONGEST_NUMBER:
            return float(text)
    except ValueError:
        pass
    raise FormatError("a line of the table is damaged", line=line.number)


def _repeats(text: str, line: Line) -> int:
    if not text.isdecimal() or len(text) > len(str(MOST_PIXELS)) or not 1 <= int(text) <= MOST_PIXELS:
        raise FormatError("a line of the table is damaged", line=line.number)
    return int(text)
