"""The grid of scheduled slots on the monotonic clock: due = t0 + n * T, no drift, no wall clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Grid:
    """Slots of one run.

    A slot may be served from when it is due until the next one is due; later it is missed.

    Attributes
    ----------
    t0_ns : int
        Monotonic time at which slot 0 is due.
    period_ns : int
        Distance of the slots.
    """

    t0_ns: int
    period_ns: int

    def due_ns(self, slot: int) -> int:
        """Monotonic time at which a slot is due."""
        return self.t0_ns + slot * self.period_ns

    def slot_at(self, now_ns: int) -> int:
        """The slot whose time it is; negative before the run's start."""
        return (now_ns - self.t0_ns) // self.period_ns

    def missed(self, next_slot: int, now_ns: int) -> int:
        """How many slots from ``next_slot`` on can no longer be served."""
        return max(0, self.slot_at(now_ns) - next_slot)
