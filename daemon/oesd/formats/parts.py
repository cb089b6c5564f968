"""What goes into a file of an entry, and its counts as whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import Capture, Entry, FloatArray, ModelledDark, Result, RunRecord, SpreadArray
from oesd.model.modelled import PARTS_PER_COUNT


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """All that goes into a file of an entry.

    Attributes
    ----------
    dark : Capture, ModelledDark or None
    short : Capture or None
        The shorter exposure of a bracketed sample.
    result : Result or None
        Latest revision; None before it is processed.
    run : RunRecord or None
        The sample's run, as far as it is known.
    """

    entry: Entry
    sample: Capture
    dark: Capture | ModelledDark | None = None
    reference: Capture | None = None
    short: Capture | None = None
    result: Result | None = None
    run: RunRecord | None = None

    def counts(self) -> dict[str, Counted]:
        """The spectra of counts there are, in the order of the columns."""
        captures = {"reference": self.reference, "sample": self.sample, "short": self.short}
        dark = {} if self.dark is None else {"dark": _counted(self.dark)}
        return dark | {role: _counted(capture) for role, capture in captures.items() if capture is not None}

    def deviations(self) -> dict[str, SpreadArray]:
        """How far counts scatter, by role: of the scans of sample and dark, or a modelled dark's own sigma; float32."""
        of_dark = self.dark.sigma if isinstance(self.dark, ModelledDark) else self.dark.spread if self.dark else None
        return {role: s for role, s in (("sample", self.sample.spread), ("dark", of_dark)) if s is not None}

    def processed(self) -> FloatArray:
        """Return the corrected scope of the result; before there is one, sample - dark to a thousandth of a count."""
        if self.result is not None:
            return self.result.analysis.scope_corrected
        return (self.sample.counts if self.dark is None else self.sample.counts - self.dark.counts).round(3)


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Counts as whole numbers: ``sums / parts`` are mean raw counts of one scan, shape (pixels,)."""

    sums: NDArray[np.integer[Any]]
    parts: int


def _counted(spectrum: Capture | ModelledDark) -> Counted:
    if isinstance(spectrum, ModelledDark):
        return Counted(np.rint(spectrum.counts * PARTS_PER_COUNT).astype(np.int64), PARTS_PER_COUNT)
    return Counted(spectrum.counts_sum, spectrum.scans)
