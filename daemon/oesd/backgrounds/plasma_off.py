"""Proof from the spectra themselves that the plasma is off, or on: for a dark without a shutter, for runs that wait.

A band is a line (or several) with quiet stretches beside it; its intensity is what stands above them, so neither
offset nor dark current need be known. The state changes only after the intensity was beyond a threshold, by a margin of
its own noise, in every spectrum of the hold time, with no gap among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from oesd.model import FloatArray, MaskArray

_MARGIN_SIGMA = 3.0


@dataclass(frozen=True, slots=True)
class Band:
    """Where to look: a stretch of the spectrum and the width of the quiet on both sides of it, nm in air."""

    centre_nm: float
    half_width_nm: float
    side_nm: float

    def __post_init__(self) -> None:
        if not (self.half_width_nm > 0 and self.side_nm > 0 and math.isfinite(self.centre_nm)):
            raise ValueError("a band needs a centre and positive widths")


@dataclass(frozen=True, slots=True)
class Intensity:
    """Light of a band in counts per second of exposure, mean over its pixels; infinite when saturated."""

    counts_per_s: float
    sigma: float


def band_intensity(
    wavelengths_nm: FloatArray,
    counts: FloatArray,
    band: Band,
    integration_us: int,
    saturated: MaskArray | None = None,
) -> Intensity:
    """Measure a band in raw or corrected counts.

    Parameters
    ----------
    wavelengths_nm, counts : (pixels,) float64
        Counts of one scan.
    band : Band
    integration_us : int
    saturated : (pixels,) bool, optional

    Raises
    ------
    ValueError
        When fewer than 2 pixels lie in the band or fewer than 4 beside it.
    """
    away = np.abs(wavelengths_nm - band.centre_nm)
    inside = away <= band.half_width_nm
    beside = (away > band.half_width_nm) & (away <= band.half_width_nm + band.side_nm)
    if np.count_nonzero(inside) < 2 or np.count_nonzero(beside) < 4:
        raise ValueError(f"the band at {band.centre_nm:g} nm does not lie on this spectrometer's axis")
    seconds = integration_us / 1e6
    if saturated is not None and bool(np.any(saturated & inside)):
        return Intensity(math.inf, 0.0)
    quiet = float(np.median(counts[beside]))
    scatter = 1.4826 * float(np.median(np.abs(counts[beside] - quiet)))
    error = scatter * math.sqrt(1.0 / np.count_nonzero(inside) + 1.57 / np.count_nonzero(beside))
    return Intensity((float(np.mean(counts[inside])) - quiet) / seconds, error / seconds)


class State(StrEnum):
    """What is proven of the plasma."""

    UNKNOWN = "unknown"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When the plasma counts as on and as off.

    Attributes
    ----------
    on_above, off_below : float
        Counts per second; ``off_below`` < ``on_above``.
    on_hold_s, off_hold_s : float
        How long it must last.
    gap_s : float
        A longer silence between two spectra proves nothing: holding begins anew.
    """

    on_above: float
    off_below: float
    on_hold_s: float = 1.0
    off_hold_s: float = 5.0
    gap_s: float = 10.0

    def __post_init__(self) -> None:
        if not self.off_below < self.on_above:
            raise ValueError("off_below must be less than on_above")
        if min(self.on_hold_s, self.off_hold_s) < 0 or self.gap_s <= 0:
            raise ValueError("hold times must not be negative, and the gap positive")


@dataclass(frozen=True, slots=True)
class Finding:
    """State after a spectrum.

    Attributes
    ----------
    changed : bool
        It changed with this spectrum.
    reason : str
        Why it is so, for a person.
    """

    state: State
    changed: bool
    reason: str


class PlasmaWatch:
    """Follows one spectrometer's bands; give it every spectrum with its time.

    Parameters
    ----------
    thresholds : Thresholds
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._state = State.UNKNOWN
        self._reason = "nothing seen yet"
        self._seen_s: float | None = None
        self._leaning = State.UNKNOWN
        self._since_s = 0.0

    @property
    def state(self) -> State:
        """What is proven now."""
        return self._state

    def update(self, intensities: Sequence[Intensity], now_s: float) -> Finding:
        """Take in one spectrum.

        Parameters
        ----------
        intensities : sequence of Intensity
            All bands watched; the brightest one decides, so off means that every one is off. None proves nothing.
        now_s : float
            Monotonic seconds.
        """
        leaning, value = self._lean(intensities)
        continues = self._seen_s is not None and 0.0 <= now_s - self._seen_s <= self._thresholds.gap_s
        if leaning is not self._leaning or not continues:
            self._since_s = now_s
        self._leaning, self._seen_s = leaning, now_s
        return self._decide(now_s - self._since_s, value)

    def proves_off(self, now_s: float) -> bool:
        """Whether it is off by the last spectrum as well, and that is no older than the gap."""
        recent = self._seen_s is not None and 0.0 <= now_s - self._seen_s <= self._thresholds.gap_s
        return recent and self._state is State.OFF and self._leaning is State.OFF

    def allow_gap(self, gap_s: float) -> None:
        """Let spectra be so far apart from now on."""
        self._thresholds = replace(self._thresholds, gap_s=gap_s)

    def _lean(self, intensities: Sequence[Intensity]) -> tuple[State, float]:
        """Where this spectrum alone points."""
        if not intensities or any(math.isnan(one.counts_per_s) or math.isnan(one.sigma) for one in intensities):
            return State.UNKNOWN, math.nan
        lowest = max(one.counts_per_s - _MARGIN_SIGMA * one.sigma for one in intensities)
        highest = max(one.counts_per_s + _MARGIN_SIGMA * one.sigma for one in intensities)
        brightest = max(one.counts_per_s for one in intensities)
        if lowest > self._thresholds.on_above:
            return State.ON, brightest
        return (State.OFF if highest < self._thresholds.off_below else State.UNKNOWN), brightest

    def _decide(self, held_s: float, value: float) -> Finding:
        leaning = self._leaning
        hold_s = self._thresholds.on_hold_s if leaning is State.ON else self._thresholds.off_hold_s
        changed = leaning not in (State.UNKNOWN, self._state) and held_s >= hold_s
        if changed:
            self._state = leaning
            limit = self._thresholds.on_above if leaning is State.ON else self._thresholds.off_below
            side = "above" if leaning is State.ON else "below"
            self._reason = f"plasma {leaning}: {value:.0f} counts/s, {side} {limit:g} for {held_s:.1f} s"
        return Finding(self._state, changed, self._reason)
