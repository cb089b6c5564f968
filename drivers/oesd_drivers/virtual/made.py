"""The truth about frames: what a device made, when and of what exposure, so that a test can judge what was stored.

A fingerprint is additive: that of a sum of frames is the sum of theirs, modulo 2**62. It tells also which frames a
capture of several scans was summed from.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .exposed import Exposed

#: Fingerprints are below this and add up modulo it.
MODULUS = 1 << 62
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class MadeFrame:
    """One frame as a device sent it, or would have sent it.

    Attributes
    ----------
    index : int
        Counts the device's frames, from 0, over all of its pluggings-in.
    asked_ns, began_ns, ready_ns : int
        Host monotonic clock: when it was asked for, when its exposure began (a free-running detector may have begun
        before), when it was ready to be sent, a fault's lateness included.
    integration_us : int
        Of one scan.
    scans, boxcar : int
        Averaged on board, and smoothed over so many neighbours on each side: 1 and 0 unless somebody set them.
    fingerprint : int
        Of the whole counts, see :func:`fingerprint`.
    fault : str
        The fault that damaged it, held it back or refused it; empty for none.
    """

    index: int
    asked_ns: int
    began_ns: int
    ready_ns: int
    integration_us: int
    scans: int
    boxcar: int
    fingerprint: int
    fault: str


class FrameLog:
    """The last frames of a device. Not thread safe: the device's lock guards it."""

    def __init__(self) -> None:
        self._frames: deque[MadeFrame] = deque(maxlen=_KEPT)

    def add(self, frame: Exposed, fault: str = "", late_s: float = 0.0) -> None:
        """Keep a frame that is on its way."""
        moments_ns = (_ns(frame.asked_s), _ns(frame.began_s), _ns(frame.ready_s + late_s))
        exposure = (round(frame.integration_s * 1e6), frame.scans, frame.boxcar)
        self._frames.append(MadeFrame(frame.index, *moments_ns, *exposure, fingerprint(frame.counts), fault))

    def since(self, index: int) -> list[MadeFrame]:
        """Frames from an index on, as far as they are kept."""
        return [frame for frame in self._frames if frame.index >= index]


def fingerprint(counts: ArrayLike) -> int:
    """Return a number that tells counts apart and adds up: of raw counts, or of a sum of raw counts.

    Parameters
    ----------
    counts : (pixels,) of whole numbers

    Returns
    -------
    int
        0..MODULUS - 1.
    """
    whole = np.asarray(counts).astype(np.uint64)
    return int((whole * _weights(whole.size)).sum(dtype=np.uint64)) % MODULUS


@cache
def _weights(pixels: int) -> NDArray[np.uint64]:
    return np.random.default_rng(pixels).integers(0, MODULUS, pixels, dtype=np.uint64)


def _ns(moment_s: float) -> int:
    return round(moment_s * 1e9)
