"""From a formula to what is measured on one spectrometer, or the reason why it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from oesd.model import FloatArray, LineSpread
from oesd.watching.catalogue import Catalogue
from oesd.watching.errors import WatchError
from oesd.watching.grammar import Band, BuiltIn, Formula, Line, Lines, Number, Operation, Term, Window, terms, text_of
from oesd.watching.light import fwhm_nm

RESOLVED = 1.0
"""Two lines are told apart from this distance on, in full widths at half maximum: the usual meaning of resolution."""
BEST_LINES = 3
BRIGHT = -1.2
"""Lines that may count among an element's best: above 6 % of its strongest (log10)."""
STRONG = -1.5
"""Neighbours that a person is told of: lines above 3 % of their species' strongest (log10)."""


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """What decides whether a line can be measured on a spectrometer.

    Attributes
    ----------
    wavelengths_nm : (pixels,) float64
    spread : LineSpread or None
        None as long as no spectrum told.
    expected : tuple of str
        Elements that the process makes likely: their lines are looked for beside those that are asked for.
    """

    wavelengths_nm: FloatArray
    spread: LineSpread | None = None
    expected: tuple[str, ...] = ()

    def fwhm_nm(self, nm: float) -> float:
        """Width of a line there."""
        return fwhm_nm(self.wavelengths_nm, self.spread, nm)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured for a formula.

    Attributes
    ----------
    places : mapping of Term to tuple of float
        Air wavelengths of the lines that a term adds; empty for windows and what is built in.
    refused : str
        Why it cannot be measured on this spectrometer; "" when it can.
    notes : tuple of str
        What a person should know of it.
    """

    formula: Formula
    places: dict[Term, tuple[float, ...]] = field(default_factory=dict)
    refused: str = ""
    notes: tuple[str, ...] = ()


def kind_of(formula: Formula) -> str:
    """The sort of trace, in a word."""
    words = {Line: "line", Lines: "lines", Band: "band", Window: "window", BuiltIn: "built in"}
    return words.get(type(formula), "formula")


def unit_of(formula: Formula) -> str:
    """Unit of a formula's values: "counts/s", "counts nm/s", "nm", "mixed units" of a sum of two, "" of a ratio."""
    if isinstance(formula, Number):
        return ""
    if isinstance(formula, Window):
        return "counts nm/s"
    if isinstance(formula, BuiltIn):
        return "counts nm/s" if formula.name == "light" else "nm"
    if not isinstance(formula, Operation):
        return "counts/s"
    left, right = unit_of(formula.left), unit_of(formula.right)
    if formula.sign in ("+", "-"):
        return left if left == right or not right else "mixed units" if left else right
    if formula.sign == "/":
        return "" if left == right else left if not right else f"{left or '1'} / ({right})"
    return left or right if not (left and right) else f"({left}) ({right})"


def signed(formula: Formula) -> bool:
    """Whether a value below zero means something: of a difference, a shift, a width there is no "not detected"."""
    if isinstance(formula, Operation):
        return formula.sign == "-" or signed(formula.left) or signed(formula.right)
    return isinstance(formula, BuiltIn) and formula.name != "light"


def check(formula: Formula, catalogue: Catalogue) -> None:
    """See that everything a formula names exists, whatever the spectrometer.

    Raises
    ------
    WatchError
        With the nearest known name.
    """
    for term in terms(formula):
        if isinstance(term, Line):
            catalogue.line(term.symbol, term.nm)
        elif isinstance(term, Band):
            catalogue.head(term.system, term.nm)
        elif isinstance(term, Lines) and term.symbol not in catalogue.systems:
            catalogue.lines_of(term.symbol)


def plan(formula: Formula, catalogue: Catalogue, instrument: Instrument) -> Plan:
    """What to measure; a refusal is a plan with its reason."""
    try:
        places = {term: _places(term, catalogue, instrument) for term in terms(formula)}
        _resolved(places, instrument)
    except WatchError as refusal:
        return Plan(formula, refused=str(refusal))
    return Plan(formula, places, notes=tuple(_notes(places, catalogue, instrument)))


def _places(term: Term, catalogue: Catalogue, instrument: Instrument) -> tuple[float, ...]:
    if isinstance(term, Lines):
        return _best(term.symbol, catalogue, instrument)
    if isinstance(term, Window):
        _within(text_of(term), term.low_nm, term.high_nm, instrument)
        return ()
    if isinstance(term, BuiltIn):
        return ()
    nm = catalogue.line(term.symbol, term.nm) if isinstance(term, Line) else catalogue.head(term.system, term.nm)
    margin = instrument.fwhm_nm(nm)
    _within(text_of(term), nm - margin, nm + margin, instrument)
    return (nm,)


def _within(name: str, low_nm: float, high_nm: float, instrument: Instrument) -> None:
    first, last = float(instrument.wavelengths_nm[0]), float(instrument.wavelengths_nm[-1])
    if low_nm < first or high_nm > last:
        raise WatchError(f"{name} lies outside of what this spectrometer sees, {first:.1f} to {last:.1f} nm")


def _best(symbol: str, catalogue: Catalogue, instrument: Instrument) -> tuple[float, ...]:
    """The strongest lines or heads on the axis, apart from each other and from lines of what else is expected."""
    first, last = float(instrument.wavelengths_nm[0]), float(instrument.wavelengths_nm[-1])
    if symbol in catalogue.elements:
        mine = catalogue.lines_of(symbol)
        nm, strength = catalogue.line_nm[mine], catalogue.strength[mine] - (catalogue.stage[mine] - 1)
        strength = np.where(strength >= BRIGHT, strength, -np.inf)
    elif symbol in catalogue.systems:
        mine = catalogue.heads_of(symbol)
        nm, strength = catalogue.head_nm[mine], catalogue.brightness[mine]
    else:
        raise catalogue.unknown(symbol)
    chosen: list[float] = []
    for number in np.argsort(-strength, kind="stable"):
        width = instrument.fwhm_nm(float(nm[number]))
        inside = first + width <= nm[number] <= last - width and np.isfinite(strength[number])
        apart = all(abs(float(nm[number]) - other) >= RESOLVED * width for other in chosen)
        if inside and apart and not _beside(float(nm[number]), symbol, catalogue, instrument):
            chosen.append(float(nm[number]))
        if len(chosen) == BEST_LINES:
            break
    if not chosen:
        raise WatchError(
            f"{symbol} has no strong line of its own between {first:.0f} and {last:.0f} nm; name one, such as a key"
        )
    return tuple(sorted(chosen))


def _beside(nm: float, symbol: str, catalogue: Catalogue, instrument: Instrument) -> list[str]:
    """Strong lines of other expected elements that this spectrometer cannot tell from a line at ``nm``."""
    near = np.flatnonzero(
        (np.abs(catalogue.line_nm - nm) < RESOLVED * instrument.fwhm_nm(nm)) & (catalogue.strength >= STRONG)
    )
    names = {
        f"{catalogue.elements[catalogue.element[number]]}_{catalogue.line_nm[number]:.1f}"
        for number in near
        if catalogue.stage[number] == 1 and catalogue.elements[catalogue.element[number]] in instrument.expected
    }
    return sorted(name for name in names if not name.startswith(f"{symbol}_"))


def _resolved(places: dict[Term, tuple[float, ...]], instrument: Instrument) -> None:
    """See that no two lines of different terms lie in one."""
    found = [(text_of(term), nm) for term, lines in places.items() for nm in lines]
    for (one, nm), (other, other_nm) in combinations(found, 2):
        width = instrument.fwhm_nm(0.5 * (nm + other_nm))
        if one != other and abs(nm - other_nm) < RESOLVED * width:
            raise WatchError(
                f"{one} and {other} are {abs(nm - other_nm):.2f} nm apart, and a line of this spectrometer is "
                f"{width:.2f} nm wide there: they cannot be told apart"
            )


def _notes(places: dict[Term, tuple[float, ...]], catalogue: Catalogue, instrument: Instrument) -> list[str]:
    """Neighbours whose light is measured with a line that was asked for."""
    notes = []
    for term, lines in places.items():
        if isinstance(term, Line) and lines:
            beside = _beside(lines[0], term.symbol, catalogue, instrument)
            if beside:
                notes.append(f"{text_of(term)} is measured together with {_listed(beside)}, in the same line")
    return notes


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
