"""What is remembered of all darks of one spectrometer: sums in cells of like exposure and temperature.

A dark of ``n`` scans at integration time t and temperature T goes into the cell of its t and its degree::

    cell = sum of counts (pixels,), n, sum of n t u^j for j = 0..3 with u = T - the cell's centre, spread of repeats

That is enough to get the cell's mean of t g(T) for *any* smooth temperature law g, so nothing is lost that the fit
wants, and memory is bounded: beyond ``CELLS`` cells the two most alike are merged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from oesd.model import FloatArray, MaskArray

CELLS = 48
CELL_K = 1.0
UNKNOWN_TEMPERATURE_C = 25.0
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
    """

    counts: FloatArray
    integration_us: int
    scans: int = 1
    temperature_c: float | None = None
    saturated: MaskArray | None = None

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
    """

    centre_c: float
    scans: int
    captures: int
    moments: FloatArray
    counts_sum: FloatArray
    left_out: MaskArray
    precision_sum: float = 0.0
    variances: int = 0

    @classmethod
    def of(cls, dark: Dark) -> Cell:
        """Cell of a single dark."""
        moments = np.zeros(_MOMENTS)
        moments[0] = dark.scans * dark.integration_us / 1e6
        out = np.zeros(dark.counts.size, dtype=np.bool_) if dark.saturated is None else dark.saturated.copy()
        return cls(dark.celsius, dark.scans, 1, moments, dark.scans * dark.counts, out)

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
        """Add another cell's darks."""
        self._learn_spread(other)
        shift = other.centre_c - self.centre_c
        for j in range(_MOMENTS):
            self.moments[j] += sum(math.comb(j, i) * shift ** (j - i) * other.moments[i] for i in range(j + 1))
        self.counts_sum = self.counts_sum + other.counts_sum
        self.left_out = self.left_out | other.left_out
        self.scans += other.scans
        self.captures += other.captures

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


class DarkStatistics:
    """The cells of one spectrometer; grows by :meth:`add`, never beyond ``cells`` cells.

    Parameters
    ----------
    pixels : int
    cells : int
        At least 2; each takes 9 bytes per pixel.
    """

    def __init__(self, pixels: int, cells: int = CELLS) -> None:
        self.pixels = pixels
        self._limit = cells
        self._cells: list[Cell] = []
        self.temperatures_known = True

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells at present."""
        return tuple(self._cells)

    @property
    def captures(self) -> int:
        """Darks added so far."""
        return sum(cell.captures for cell in self._cells)

    def add(self, dark: Dark) -> None:
        """Remember a dark; ``ValueError`` for one of another detector or without a finite number in each pixel."""
        if dark.counts.shape != (self.pixels,):
            raise ValueError(f"a dark of {dark.counts.size} pixels, expected {self.pixels}")
        if not (np.isfinite(dark.counts).all() and math.isfinite(dark.celsius)):
            raise ValueError("a dark with counts or a temperature that are not finite")
        if dark.integration_us <= 0 or dark.scans <= 0:
            raise ValueError("a dark without exposure")
        self.temperatures_known &= dark.temperature_c is not None
        self._place(Cell.of(dark))
        if len(self._cells) > self._limit:
            self._merge_most_alike()

    def _place(self, new: Cell) -> None:
        near = [cell for cell in self._cells if _distance(cell, new) < CELL_K / 2.0]
        if near:
            min(near, key=lambda cell: _distance(cell, new)).absorb(new)
        else:
            self._cells.append(new)

    def _merge_most_alike(self) -> None:
        first, second = min(itertools.combinations(self._cells, 2), key=lambda pair: _distance(*pair))
        first.absorb(second)
        self._cells.remove(second)

    def to_arrays(self) -> dict[str, FloatArray]:
        """Everything as arrays, to be stored; the inverse of :meth:`from_arrays`."""
        rows = [
            [c.centre_c, c.scans, c.captures, c.precision_sum, c.variances, *c.moments.tolist()] for c in self._cells
        ]
        return {
            "cells": np.array(rows, dtype=np.float64).reshape(len(rows), 5 + _MOMENTS),
            "counts_sum": np.array([c.counts_sum for c in self._cells]).reshape(len(rows), self.pixels),
            "left_out": np.array([c.left_out for c in self._cells], dtype=np.float64).reshape(len(rows), self.pixels),
            "temperatures_known": np.array([float(self.temperatures_known)]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, FloatArray], cells: int = CELLS) -> DarkStatistics:
        """Statistics from their stored form."""
        made = cls(arrays["counts_sum"].shape[1], cells)
        made.temperatures_known = bool(arrays["temperatures_known"][0])
        for row, total, out in zip(arrays["cells"], arrays["counts_sum"], arrays["left_out"], strict=True):
            centre_c, scans, captures, precision_sum, variances = row[:5].tolist()
            made._cells.append(
                Cell(centre_c, int(scans), int(captures), row[5:].copy(), total.copy(), out > 0, precision_sum,
                     int(variances))
            )  # fmt: skip
        return made


def statistics_of(darks: Iterable[Dark], pixels: int, cells: int = CELLS) -> DarkStatistics:
    """Statistics of several darks."""
    made = DarkStatistics(pixels, cells)
    for dark in darks:
        made.add(dark)
    return made


def _distance(one: Cell, other: Cell) -> float:
    """How unlike two cells are, in K; a factor of e in time counts like 20 K, any difference in time at least 1 K."""
    ratio = abs(math.log(one.time_s / other.time_s))
    apart = CELL_K + 20.0 * ratio if ratio > 1e-6 else 0.0
    return apart + abs(one.temperature_c - other.temperature_c)
