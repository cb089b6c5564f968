"""What each spectrometer's spectra told of the width of its lines, for the next ones."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field, replace

from oesd.engine.linespread import combined, is_of_axis
from oesd.model import Analysis, FloatArray, LineSpread, Recipe
from oesd.store import EntrySummary, Store, StoreDamaged

#: Spectra that a width rests on: enough to average, few enough to follow a fibre that was changed.
_SPECTRA = 16
#: Steps in which a width is told to the engine: below what it can tell apart in one spectrum.
_STEP = 0.02


@dataclass(slots=True)
class _Known:
    told: LineSpread | None = None
    seen: deque[LineSpread] = field(default_factory=lambda: deque(maxlen=_SPECTRA))

    def learn(self, seen: LineSpread) -> None:
        self.seen.append(seen)
        found = combined(tuple(self.seen))
        if found is not None and (self.told is None or _moved(self.told, found)):
            self.told = _in_steps(found)


class Widths:
    """Memory of line widths by spectrometer; begins with the newest results that the store has of each.

    What is told changes only when it has moved by more than its error, in steps of 2 %: results must not flutter with
    every spectrum.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}
        self._lock = threading.Lock()

    def recipe(self, device_name: str, wavelengths_nm: FloatArray, chosen: Recipe) -> Recipe:
        """The recipe for a new spectrum of a device; a width that a person gave counts alone.

        What is known belongs to one axis: another spectrometer may have been given the name since.
        """
        if not device_name or chosen.fwhm_nm is not None:
            return chosen
        with self._lock:
            told = self._of(device_name).told
        return replace(chosen, line_spread=told if told is not None and is_of_axis(told, wavelengths_nm) else None)

    def learn(self, device_name: str, seen: LineSpread | None) -> None:
        """Note what one more spectrum showed."""
        if not device_name or seen is None:
            return
        with self._lock:
            self._of(device_name).learn(seen)

    def _of(self, device_name: str) -> _Known:
        if device_name not in self._known:
            self._known[device_name] = self._remembered(device_name)
        return self._known[device_name]

    def _remembered(self, device_name: str) -> _Known:
        """As it was when the newest result was stored: a restart tells the next spectrum nothing else."""
        known = _Known()
        newest = self._store.entries(_SPECTRA, device_name=device_name)
        of_ours = [e for e in reversed(newest) if e.sample_id != e.data_id]  # no files: their headers name any device
        for analysis in filter(None, map(self._analysis, of_ours)):
            known.told = analysis.recipe.line_spread or known.told
            if analysis.line_spread is not None:
                known.learn(analysis.line_spread)
        return known

    def _analysis(self, entry: EntrySummary) -> Analysis | None:
        """The latest analysis of an entry, None when there is none that can be read."""
        try:
            result = self._store.result(entry.data_id) if entry.revision else None
        except StoreDamaged:
            return None
        return None if result is None else result.analysis


def _moved(told: LineSpread, found: LineSpread) -> bool:
    """Whether a width lies further from what is told than its error, or than a step where that is more."""
    if told.wavelengths_nm != found.wavelengths_nm:
        return True
    triples = zip(told.fwhm_nm, found.fwhm_nm, found.sigma_nm, strict=True)
    return any(abs(now - before) > max(sigma, _STEP * before) for before, now, sigma in triples)


def _in_steps(found: LineSpread) -> LineSpread:
    """Widths in whole steps, so that nearly the same is the same; errors that are not said smaller than a step."""
    widths = tuple(round(math.exp(round(math.log(w) / _STEP) * _STEP), 4) for w in found.fwhm_nm)
    sigmas = tuple(round(max(s, _STEP * w / 2), 4) for s, w in zip(found.sigma_nm, widths, strict=True))
    return replace(found, fwhm_nm=widths, sigma_nm=sigmas, wing=round(found.wing, 2))
