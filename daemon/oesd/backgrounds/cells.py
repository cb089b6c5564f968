"""What is remembered of all darks of one spectrometer: sums in cells of like exposure and temperature.

A dark of ``n`` scans at integration time t and temperature T goes into the cell of its t and its degree::

    cell = sum of counts (pixels,), n, sum of n t u^j for j = 0..3 with u = T - the cell's centre, spread of repeats

That is enough to get the cell's mean of t g(T) for *any* smooth temperature law g, so nothing is lost that the fit
wants, and memory is bounded: beyond ``CELLS`` cells the two most alike are merged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from oesd.model import FloatArray, MaskArray

CELLS = 48
CELL_K = 1.0
UNKNOWN_TEMPERATURE_C = 25.0
MEMORY = 100
"""Darks that a cell weighs: an offset drifts by a tenth of the read noise from one to the next (``OFFSET_DRIFT``), so a
mean over more than 1 / 0.1^2 of them knows the past better than the present: after a year no dark would fit it."""
_MOMENTS = 4
ROUNDING = 1.0 / 12.0  # variance of whole counts: no device reads better
_FEWEST = 64  # pixels that tell a variance
_RISE_PER_K = math.log(2.0) / 7.0


@dataclass(frozen=True, slots=True, eq=False)
class Dark:
    """One capture that shows a dark.

    Attributes
    ----------
    counts : (pixels,) float64
        Mean raw counts of one scan.
    integration_us, scans : int
    temperature_c : float or None
        Of the detector, else of the board; None when the device tells neither.
    saturated : (pixels,) bool or None
        Pixels to leave out.
    scan_noise : float or None
        Standard deviation of one scan in counts, where the scans were told apart.
    """

    counts: FloatArray
    integration_us: int
    scans: int = 1
    temperature_c: float | None = None
    saturated: MaskArray | None = None
    scan_noise: float | None = None

    @property
    def celsius(self) -> float:
        """The temperature, or the one assumed for a device without a sensor."""
        return UNKNOWN_TEMPERATURE_C if self.temperature_c is None else self.temperature_c


@dataclass(slots=True, eq=False)
class Cell:
    """Darks of like exposure, summed.

    Attributes
    ----------
    centre_c : float
        Temperature that the moments refer to.
    moments : (4,) float64
        Sums of n t u^j, t in s, u in K.
    counts_sum : (pixels,) float64
        Sum of n times counts.
    left_out : (pixels,) bool
        Saturated in at least one of the darks.
    precision_sum, variances : float, int
        Sum of 1 / estimate of one scan's variance, and their number: few darks with light in them do not count then.
    number : int
        Names the cell among those of its spectrometer for as long as it lives.
    temperature_known : bool
        Every dark had a temperature.
    """

    centre_c: float
    scans: int
    captures: int
    moments: FloatArray
    counts_sum: FloatArray
    left_out: MaskArray
    precision_sum: float = 0.0
    variances: int = 0
    number: int = 0
    temperature_known: bool = True

    @classmethod
    def of(cls, dark: Dark) -> Cell:
        """Cell of a single dark."""
        moments = np.zeros(_MOMENTS)
        moments[0] = dark.scans * dark.integration_us / 1e6
        out = np.zeros(dark.counts.size, dtype=np.bool_) if dark.saturated is None else dark.saturated.copy()
        known = dark.temperature_c is not None
        made = cls(dark.celsius, dark.scans, 1, moments, dark.scans * dark.counts, out, temperature_known=known)
        if dark.scan_noise:
            made.precision_sum, made.variances = 1.0 / max(dark.scan_noise**2, ROUNDING), 1
        return made

    @classmethod
    def from_stored(cls, number: int, numbers: FloatArray, counts_sum: FloatArray, left_out: MaskArray) -> Cell:
        """Inverse of :attr:`numbers`; ``ValueError`` when there are not as many as it takes."""
        centre_c, scans, captures, precision_sum, variances, known, *moments = numbers.tolist()
        if len(moments) != _MOMENTS or counts_sum.shape != left_out.shape:
            raise ValueError("no cell of darks")
        return cls(
            centre_c, int(scans), int(captures), np.array(moments), counts_sum, left_out, precision_sum,
            int(variances), number, bool(known),
        )  # fmt: skip

    @property
    def numbers(self) -> FloatArray:
        """All of it but the two arrays, shape (10,), to be stored."""
        head = [self.centre_c, self.scans, self.captures, self.precision_sum, self.variances, self.temperature_known]
        return np.array([*head, *self.moments.tolist()], dtype=np.float64)

    @property
    def mean(self) -> FloatArray:
        """Mean counts of one scan, shape (pixels,)."""
        return self.counts_sum / self.scans

    @property
    def time_s(self) -> float:
        """Mean integration time."""
        return float(self.moments[0]) / self.scans

    @property
    def temperature_c(self) -> float:
        """Mean temperature, weighted by exposure."""
        return self.centre_c + float(self.moments[1] / self.moments[0])

    def exposure_s(self, slope: float, bend: float, anchor_c: float) -> float:
        """Mean of t g(T) with ln g = slope (T - anchor) + bend (T - anchor)^2, to third order in the cell's width."""
        v = self.centre_c - anchor_c
        a = slope + 2.0 * bend * v
        series = np.array([1.0, a, (a * a + 2.0 * bend) / 2.0, (a**3 + 6.0 * a * bend) / 6.0])
        return math.exp(slope * v + bend * v * v) * float(series @ self.moments) / self.scans

    def absorb(self, other: Cell) -> None:
        """Add another cell's darks; of more than ``MEMORY`` the older ones fade."""
        if other.captures == 1 and self.captures >= MEMORY:
            self._fade()
        self._learn_spread(other)
        shift = other.centre_c - self.centre_c
        for j in range(_MOMENTS):
            self.moments[j] += sum(math.comb(j, i) * shift ** (j - i) * other.moments[i] for i in range(j + 1))
        self.counts_sum = self.counts_sum + other.counts_sum
        self.left_out = self.left_out | other.left_out
        self.scans += other.scans
        self.captures += other.captures
        self.temperature_known &= other.temperature_known

    @property
    def weight(self) -> int:
        """As how many darks it counts."""
        return min(self.captures, MEMORY)

    def _fade(self) -> None:
        """Make room for a dark to come; sums and numbers alike, so that all means stay as they are."""
        scans, variances = (number * (MEMORY - 1) // MEMORY for number in (self.scans, self.variances))
        if scans:
            share = scans / self.scans
            self.scans, self.moments, self.counts_sum = scans, share * self.moments, share * self.counts_sum
        if variances:
            self.precision_sum *= variances / self.variances
            self.variances = variances

    def _learn_spread(self, other: Cell) -> None:
        """One scan's variance from the difference of two means, freed of what their temperatures explain."""
        self.precision_sum += other.precision_sum
        self.variances += other.variances
        if not math.isclose(self.time_s, other.time_s, rel_tol=1e-6):
            return
        kept = ~(self.left_out | other.left_out)
        if np.count_nonzero(kept) < _FEWEST:
            return
        mean = self.mean[kept]
        rise = _RISE_PER_K * (other.temperature_c - self.temperature_c)
        difference = other.mean[kept] - mean - rise * (mean - np.median(mean))
        sigma = 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
        self.precision_sum += 1.0 / max(sigma**2 / (1.0 / self.scans + 1.0 / other.scans), ROUNDING)
        self.variances += 1


@dataclass(frozen=True, slots=True)
class Changed:
    """Cells that a dark changed, or made, and the numbers of those that went into others."""

    cells: tuple[Cell, ...]
    gone: tuple[int, ...] = ()


class DarkStatistics:
    """The cells of one spectrometer; grows by :meth:`add`, never beyond ``limit`` cells.

    Parameters
    ----------
    pixels : int
    limit : int
        At least 2; each takes 9 bytes per pixel.
    cells : iterable of Cell
        Stored ones, in the order of their numbers; ``ValueError`` for one of another detector.
    """

    def __init__(self, pixels: int, limit: int = CELLS, cells: Iterable[Cell] = ()) -> None:
        self.pixels = pixels
        self._limit = limit
        self._cells = list(cells)
        if any(cell.counts_sum.shape != (pixels,) for cell in self._cells):
            raise ValueError(f"a cell of darks that has not {pixels} pixels")
        self._next = 1 + max((cell.number for cell in self._cells), default=0)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells at present."""
        return tuple(self._cells)

    @property
    def captures(self) -> int:
        """Darks added so far."""
        return sum(cell.captures for cell in self._cells)

    @property
    def temperatures_known(self) -> bool:
        """Whether every dark had a temperature."""
        return all(cell.temperature_known for cell in self._cells)

    def add(self, dark: Dark) -> Changed:
        """Remember a dark; ``ValueError`` for one of another detector or without a finite number in each pixel."""
        if dark.counts.shape != (self.pixels,):
            raise ValueError(f"a dark of {dark.counts.size} pixels, expected {self.pixels}")
        if not (np.isfinite(dark.counts).all() and math.isfinite(dark.celsius)):
            raise ValueError("a dark with counts or a temperature that are not finite")
        if dark.integration_us <= 0 or dark.scans <= 0:
            raise ValueError("a dark without exposure")
        placed = self._place(Cell.of(dark))
        if len(self._cells) <= self._limit:
            return Changed((placed,))
        kept, gone = self._merge_most_alike()
        return Changed((kept,) if gone is placed or kept is placed else (placed, kept), (gone.number,))

    def _place(self, new: Cell) -> Cell:
        near = [cell for cell in self._cells if _distance(cell, new) < CELL_K / 2.0]
        if near:
            nearest = min(near, key=lambda cell: _distance(cell, new))
            nearest.absorb(new)
            return nearest
        new.number, self._next = self._next, self._next + 1
        self._cells.append(new)
        return new

    def _merge_most_alike(self) -> tuple[Cell, Cell]:
        first, second = min(itertools.combinations(self._cells, 2), key=lambda pair: _distance(*pair))
        first.absorb(second)
        self._cells.remove(second)
        return first, second


def statistics_of(darks: Iterable[Dark], pixels: int, limit: int = CELLS) -> DarkStatistics:
    """Statistics of several darks."""
    made = DarkStatistics(pixels, limit)
    for dark in darks:
        made.add(dark)
    return made


def _distance(one: Cell, other: Cell) -> float:
    """How unlike two cells are, in K; a factor of e in time counts like 20 K, any difference in time at least 1 K."""
    ratio = abs(math.log(one.time_s / other.time_s))
    apart = CELL_K + 20.0 * ratio if ratio > 1e-6 else 0.0
    return apart + abs(one.temperature_c - other.temperature_c)
