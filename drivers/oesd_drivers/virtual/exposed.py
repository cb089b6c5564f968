"""A frame of a virtual detector, before any protocol."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Exposed:
    """A frame: its counts, when the device has it ready, and how it was exposed.

    Attributes
    ----------
    counts : (pixels,) float64
        Whole numbers.
    asked_s, began_s, ready_s : float
        Device clock, s: request, begin of the exposure, ready to be sent.
    integration_s : float
        Of one scan.
    index : int
        Number of the frame.
    scans, boxcar : int
        Averaged on board, half width of the smoothing on board.
    """

    counts: NDArray[np.float64]
    asked_s: float
    began_s: float
    ready_s: float
    integration_s: float
    index: int
    scans: int = 1
    boxcar: int = 0
