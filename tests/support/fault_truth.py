"""Captures held against the truth: what the virtual devices made, when, and of what exposure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from oesd.model import Capture
from oesd_drivers.virtual import MODULUS, MadeFrame, fingerprint

_CLOCKS_NS = 100_000


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of a capture to judge it by; ``arrived_ns`` is when the sink got it."""

    serial: str
    run_id: str
    slot: int
    started_ns: int
    arrived_ns: int
    integration_us: int
    scans: int
    print: int
    calibrated: bool
    rising: bool

    @classmethod
    def of(cls, capture: Capture, arrived_ns: int) -> Stored:
        """Summary of a capture."""
        axis_nm = capture.device.wavelengths_nm
        rising = bool(np.all(np.isfinite(axis_nm)) and np.all(np.diff(axis_nm) > 0))
        return cls(
            capture.device.serial, capture.run_id, capture.slot, capture.monotonic_ns, arrived_ns,
            capture.integration_us, capture.scans, fingerprint(capture.counts_sum), capture.device.calibrated, rising,
        )  # fmt: skip


@dataclass
class Judge:
    """Knows the frames of one device that were used already.

    Attributes
    ----------
    judged : int
        How many captures were judged.
    since : int
        Frames from this index on may be those of captures to come.
    """

    used: set[int] = field(default_factory=set)
    judged: int = 0
    since: int = 0

    def verdict(self, stored: Stored, made: Sequence[MadeFrame]) -> str:
        """One word: "good", or what is wrong.

        "foreign" - no frame of this device, or a damaged one; "duplicate" - used before; "stale" - asked for before
        the capture began; "wrong" - of another exposure, averaged or smoothed on board, or with an axis that is none;
        "marked" - right counts of an unknown axis, and said to be so.
        """
        frames = _summed_from(stored, made)
        if not frames or any(frame.fault for frame in frames):
            return "foreign"
        if any(frame.index in self.used for frame in frames):
            return "duplicate"
        self.used.update(frame.index for frame in frames)
        if any(frame.asked_ns < stored.started_ns - _CLOCKS_NS for frame in frames):
            return "stale"
        exposures = {(frame.integration_us, frame.scans, frame.boxcar) for frame in frames}
        if exposures != {(stored.integration_us, 1, 0)} or not stored.rising:
            return "wrong"
        return "good" if stored.calibrated else "marked"

    def verdicts(self, stored: Iterable[Stored], made: Sequence[MadeFrame]) -> list[str]:
        """Verdict of each, in order."""
        return [self.verdict(each, made) for each in stored]


def _summed_from(stored: Stored, made: Sequence[MadeFrame]) -> Sequence[MadeFrame]:
    """The frames in a row whose sum a capture is; the last that fits, none when there is none."""
    scans = stored.scans
    for last in range(len(made), scans - 1, -1):
        frames = made[last - scans : last]
        if sum(frame.fingerprint for frame in frames) % MODULUS == stored.print:
            return frames
    return []
