"""Two runs laid over each other in time: by the shift at which one of their traces looks most like the other's.

The correlation of Pearson is taken over the overlap at every shift of a common grid; the place of its maximum is
refined by a parabola through it and its neighbours. Where a trace does not change there is nothing to align by, and
runs are laid over each other from their beginnings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.model import FloatArray

MOST_POINTS = 1500
LEAST_OVERLAP = 0.5  # of the shorter run
LEAST_CORRELATION = 0.5
LEAST_SHARE = 0.1  # of a trace's variance that the overlap must hold: where nothing happens anything correlates
FEWEST = 8


@dataclass(frozen=True, slots=True)
class Alignment:
    """How much later the run is than the golden one, with its error, the correlation, and a sentence."""

    shift_s: float
    sigma_s: float
    correlation: float
    sentence: str


def aligned(run_s: FloatArray, run: FloatArray, golden_s: FloatArray, golden: FloatArray, by: str) -> Alignment:
    """Align a run with a golden one.

    Parameters
    ----------
    run_s, run : (n,) float64
        Times since the run began, ascending, and finite values of the trace ``by``.
    golden_s, golden : (m,) float64
    """
    if min(len(run), len(golden)) < FEWEST:
        return Alignment(0.0, 0.0, 0.0, f"too few values of {by} to align by: both from their beginnings")
    step_s = max(
        min(float(np.median(np.diff(run_s))), float(np.median(np.diff(golden_s)))),
        max(run_s[-1] - run_s[0], golden_s[-1] - golden_s[0]) / MOST_POINTS,
        1e-6,
    )
    a, a_first = _gridded(run_s, run, step_s)
    b, b_first = _gridded(golden_s, golden, step_s)
    lags, found = _correlations(a, b)
    if not len(found) or found.max() < LEAST_CORRELATION:
        best = float(found.max()) if len(found) else 0.0
        why = f"{by} does not tell when one began against the other: both from their beginnings"
        return Alignment(0.0, 0.0, best, why)
    top = int(found.argmax())
    place = lags[top] + _beside(found, top)
    shift_s = float(place * step_s + a_first - b_first)
    sigma_s = _error(a, b, int(lags[top]), step_s)
    later = "later" if shift_s >= 0 else "earlier"
    sentence = f"by {by} the run is {abs(shift_s):.3g} s {later} than the golden one (correlation {found[top]:.3f})"
    return Alignment(shift_s, sigma_s, float(found[top]), sentence)


def _gridded(times_s: FloatArray, values: FloatArray, step_s: float) -> tuple[FloatArray, float]:
    first = float(times_s[0])
    grid = first + step_s * np.arange(int((times_s[-1] - first) / step_s) + 1)
    return np.interp(grid, times_s, values), first


def _correlations(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Correlation at each lag: a[i + lag] against b[i]."""
    least = max(int(LEAST_OVERLAP * min(len(a), len(b))), FEWEST)
    lags, found = [], []
    powers = float(a.var()), float(b.var())
    for lag in range(least - len(b), len(a) - least + 1):
        x, y = a[max(lag, 0) : lag + len(b)], b[max(-lag, 0) : len(a) - lag]
        x, y = x - x.mean(), y - y.mean()
        power_x, power_y = float(x @ x), float(y @ y)
        enough = power_x > LEAST_SHARE * powers[0] * len(x) and power_y > LEAST_SHARE * powers[1] * len(y)
        if enough and power_x > 0.0 and power_y > 0.0:
            lags.append(float(lag))
            found.append(float(x @ y) / (power_x * power_y) ** 0.5)
    return np.array(lags), np.array(found)


def _beside(found: FloatArray, top: int) -> float:
    """Where between its neighbours the maximum lies, in steps."""
    if not 0 < top < len(found) - 1:
        return 0.0
    left, middle, right = found[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0.0 else 0.0


def _error(a: FloatArray, b: FloatArray, lag: int, step_s: float) -> float:
    """Error of the shift: what is left between the two, against how steeply they change (Cramer and Rao's bound)."""
    x, y = a[max(lag, 0) : lag + len(b)], b[max(-lag, 0) : len(a) - lag]
    slope, level = np.polyfit(y, x, 1)
    left = float(np.mean((x - slope * y - level) ** 2))
    steep = float((np.gradient(slope * y) ** 2).sum())
    return float(step_s * max((left / steep) ** 0.5 if steep > 0.0 else 0.0, 12.0**-0.5))
