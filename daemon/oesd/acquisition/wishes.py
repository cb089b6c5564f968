"""Darks and references that are due, and those of them that can be had without a hand."""

from __future__ import annotations

from collections.abc import Mapping

from oesd.acquisition.clock import Clock
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import Sinks
from oesd.model import Conditions, Kind

_ASK_EVERY_NS = 1_000_000_000
_LONGEST_NS = 3_600_000_000_000


class Wishes:
    """Asks what is due, once a second at most, and remembers what is on its way.

    Parameters
    ----------
    settings : Settings
    sinks : Sinks
        Its ``due`` and ``proving_scans`` know the library.
    clock : Clock

    Attributes
    ----------
    proving_scans : int
        Scans that a dark needs to prove itself; 0 while nobody has said.
    """

    def __init__(self, settings: Settings, sinks: Sinks, clock: Clock) -> None:
        self._settings = settings
        self._sinks = sinks
        self._clock = clock
        self._asked_ns: int | None = None
        self._due: dict[Kind, str] = {}
        self._ordered: set[Kind] = set()
        self._failed: dict[Kind, tuple[int, int]] = {}  # how often in a row, and when to try again
        self.proving_scans = 0

    def due(self) -> Mapping[str, str]:
        """Why, by kind, for people."""
        return {kind.value: reason for kind, reason in self._due.items()}

    def ready(self, conditions: Conditions, *, proven_dark: bool) -> list[Kind]:
        """Kinds to be taken now; each is told once, until it was taken."""
        now_ns = self._clock.monotonic_ns()
        if self._asked_ns is not None and now_ns - self._asked_ns < _ASK_EVERY_NS:
            return []
        self._asked_ns = now_ns
        self.proving_scans = self._sinks.proving_scans(conditions)
        reasons = {kind: self._sinks.due(kind, conditions) for kind in (Kind.DARK, Kind.REFERENCE)}
        self._due = {kind: reason for kind, reason in reasons.items() if reason}
        ready = [k for k in self._due if self._may_try(k, now_ns) and self.without_a_hand(k, proven_dark=proven_dark)]
        self._ordered.update(ready)
        return ready

    def _may_try(self, kind: Kind, now_ns: int) -> bool:
        _, again_ns = self._failed.get(kind, (0, now_ns))
        return kind not in self._ordered and now_ns >= again_ns

    def ordered(self, kind: Kind) -> None:
        """One is on its way, whoever ordered it; any thread."""
        self._ordered.add(kind)

    def taken(self, kind: Kind) -> None:
        """One was taken; it may be wished for again."""
        self._failed.pop(kind, None)
        self.given_up(kind)

    def failed(self, kind: Kind) -> None:
        """One could not be taken: it is wished for again after 2 s, then later and later, once an hour at last.

        A shutter that is stuck for a month is not tried each second: each try costs slots, and a line in the ledger.
        """
        times = self._failed.get(kind, (0, 0))[0] + 1
        wait_ns = min(_ASK_EVERY_NS << min(times, 16), _LONGEST_NS)
        self._failed[kind] = times, self._clock.monotonic_ns() + wait_ns
        self.given_up(kind)

    def given_up(self, kind: Kind) -> None:
        """None is on its way any more."""
        self._ordered.discard(kind)
        self._asked_ns = self._clock.monotonic_ns()  # it has to be stored and judged before it counts

    def without_a_hand(self, kind: Kind, *, proven_dark: bool) -> bool:
        """Whether one can be taken now without somebody who sees to the light."""
        section = self._settings.background(kind)
        how = section.how if section else "by hand"
        return how == "switch" or (how == "plasma off" and proven_dark)
