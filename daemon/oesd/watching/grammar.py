"""Formulas of traces: lines, bands, windows and arithmetic, by a grammar of a few rules, never evaluated as code.

::

    sum     = product { ("+" | "-") product }
    product = factor { ("*" | "/") factor }
    factor  = number | "-" factor | "(" sum ")" | term
    term    = "Ar_750.4"              a line of an element, by its key; or a band: "N2_337.1", "N2+_391.4"
            | "Ar"                    the best lines of an element or a molecule, added
            | "band(" name [, nm] ")" the brightest head of a band system, or the head near nm
            | "integral(" nm, nm ")"  everything between two wavelengths, the continuum too
            | "light" | "axis_shift" | "line_spread"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from oesd.watching.errors import WatchError

LONGEST, MOST_TERMS, DEEPEST = 400, 24, 20
BUILT_IN = ("light", "axis_shift", "line_spread")
_WORDS = (*BUILT_IN, "integral", "band")


@dataclass(frozen=True, slots=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an element, or the head of a band: symbol and air wavelength, nm."""

    symbol: str
    nm: float


@dataclass(frozen=True, slots=True)
class Lines:
    """The best lines of an element, or the best heads of a molecule."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Band:
    """A band system by its name: its brightest head, or the one near ``nm``."""

    system: str
    nm: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """All light between two wavelengths of the device's axis, nm."""

    low_nm: float
    high_nm: float


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """What every spectrum tells: its light, the shift of its axis, the width of its lines."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Two values joined."""

    sign: Literal["+", "-", "*", "/"]
    left: Formula
    right: Formula


Term: TypeAlias = Line | Lines | Band | Window | BuiltIn
Formula: TypeAlias = Number | Operation | Term

_WORD_FORM = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)"
    r"|(?P<key>[A-Z][A-Za-z0-9]{0,7}\+?_\d+(?:\.\d+)?)"
    r"|(?P<symbol>[A-Z][A-Za-z0-9]{0,7})"
    r"|(?P<word>[a-z_]+)"
    r"|(?P<sign>[-+*/(),]))"
)
_NAME = re.compile(r"\s*([A-Z][A-Za-z0-9 +'-]{0,11}?)\s*(?=[,)])")


def parse(text: str) -> Formula:
    """Formula of a text.

    Raises
    ------
    WatchError
        One line: what is wrong, and where.
    """
    if len(text) > LONGEST:
        raise WatchError(f"a formula has at most {LONGEST} characters, not {len(text)}")
    reader = _Reader(text)
    formula = reader.sum(0)
    reader.end()
    if sum(1 for _ in terms(formula)) > MOST_TERMS:
        raise WatchError(f"a formula has at most {MOST_TERMS} lines, bands and windows")
    if not any(True for _ in terms(formula)):
        raise WatchError(f"{text.strip()!r} measures nothing: write a line such as Ar_750.4")
    return formula


def terms(formula: Formula) -> Iterator[Term]:
    """What a formula measures, in its order."""
    if isinstance(formula, Operation):
        yield from terms(formula.left)
        yield from terms(formula.right)
    elif not isinstance(formula, Number):
        yield formula


def text_of(formula: Formula) -> str:
    """The formula as one way of writing it: the same text for the same formula."""
    text = _within(formula)
    return text[1:-1] if isinstance(formula, Operation) else text


def _within(formula: Formula) -> str:
    if isinstance(formula, Operation):
        return f"({_within(formula.left)} {formula.sign} {_within(formula.right)})"
    if isinstance(formula, Number):
        return _exact(formula.value)
    if isinstance(formula, Line):
        return f"{formula.symbol}_{formula.nm:g}" if formula.nm % 1 else f"{formula.symbol}_{formula.nm:.1f}"
    if isinstance(formula, Window):
        return f"integral({_exact(formula.low_nm)}, {_exact(formula.high_nm)})"
    if isinstance(formula, Band):
        return f"band({formula.system})" if formula.nm is None else f"band({formula.system}, {formula.nm:g})"
    return formula.symbol if isinstance(formula, Lines) else formula.name


def _exact(number: float) -> str:
    """Every digit that a person wrote: a store knows a trace by its text, and two formulas must not be one trace.

    As few as tell it, as it was always written: a text that changes begins another trace.
    """
    short = f"{number:g}"
    return short if float(short) == number else f"{number:.15g}"


class _Reader:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._kind, self._mark = "", ""
        self._next()

    def sum(self, depth: int) -> Formula:
        """Products, added."""
        found = self._product(depth)
        while self._mark in ("+", "-") and self._kind == "sign":
            found = Operation(self._sign(), found, self._product(depth))
        return found

    def end(self) -> None:
        """See that nothing is left."""
        if self._kind != "end":
            raise self._wrong("an operator (+ - * /) or the end")

    def _product(self, depth: int) -> Formula:
        found = self._factor(depth)
        while self._mark in ("*", "/") and self._kind == "sign":
            found = Operation(self._sign(), found, self._factor(depth))
        return found

    def _factor(self, depth: int) -> Formula:
        if depth > DEEPEST:
            raise WatchError(f"parentheses in parentheses: at most {DEEPEST} deep")
        kind, written = self._kind, self._mark
        if kind == "number":
            return Number(self._number())
        if kind == "key":
            self._next()
            symbol, _, nm = written.partition("_")
            return Line(symbol, float(nm))
        if kind == "symbol":
            self._next()
            return Lines(written)
        if kind == "word":
            return self._word(written)
        if written == "-":
            self._next()
            return Operation("-", Number(0.0), self._factor(depth + 1))
        if written == "(":
            self._next()
            found = self.sum(depth + 1)
            self._expect(")")
            return found
        raise self._wrong("a line such as Ar_750.4, a number or a parenthesis")

    def _word(self, word: str) -> Formula:
        if word not in _WORDS:
            near = difflib.get_close_matches(word, _WORDS, n=1, cutoff=0.0)[0]
            raise WatchError(f"unknown word {word!r}; did you mean {near!r}? Lines are written as Ar_750.4")
        if word == "band":
            return self._band()
        self._next()
        if word in BUILT_IN:
            return BuiltIn(word)
        self._expect("(")
        low_nm = self._number()
        self._expect(",")
        high_nm = self._number()
        self._expect(")")
        if not low_nm < high_nm:
            raise WatchError(f"integral({low_nm:g}, {high_nm:g}): the lower wavelength comes first")
        return Window(low_nm, high_nm)

    def _band(self) -> Formula:
        """Names of band systems hold spaces, signs and quotes, and are read by a rule of their own."""
        self._next()
        if self._mark != "(":
            raise self._wrong("a parenthesis after band")
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise WatchError("band(): needs the name of a band system, such as band(N2) or band(N2, 337.1)")
        self._at = match.end()
        self._next()
        nm = None
        if self._mark == ",":
            self._next()
            nm = self._number()
        self._expect(")")
        return Band(match[1], nm)

    def _number(self) -> float:
        if self._kind != "number":
            raise self._wrong("a number")
        value = float(self._mark)
        if not value < 1e12:
            raise WatchError(f"{self._mark}: is too large a number")
        self._next()
        return value

    def _sign(self) -> Literal["+", "-", "*", "/"]:
        sign = self._mark
        self._next()
        return sign  # type: ignore[return-value]  # asked for before

    def _expect(self, written: str) -> None:
        if self._mark != written:
            raise self._wrong(repr(written))
        self._next()

    def _next(self) -> None:
        rest = self._text[self._at :]
        if not rest.strip():
            self._kind, self._mark = "end", ""
            return
        match = _WORD_FORM.match(self._text, self._at)
        if match is None:
            raise WatchError(f"{rest.strip()[:20]!r} cannot be read in {self._text.strip()[:80]!r}")
        self._kind, self._at = str(match.lastgroup), match.end()
        self._mark = str(match[self._kind])

    def _wrong(self, wanted: str) -> WatchError:
        where = f"before {self._mark!r}" if self._kind != "end" else "at the end"
        return WatchError(f"{self._text.strip()[:80]!r}: {wanted} is missing {where}")
