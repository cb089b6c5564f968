"""The life of an alarm: a pure function from a state, a moment and what is seen to the next state.

States as in ISA-18.2 (IEC 62682)::

               on                 hold is over               acknowledge
        ok ---------> pending --------------------> raised ---------------> acknowledged
        ^ ^             | off                         | off for clear_hold       | off for clear_hold
        | '-------------'                             v                          |
        |            acknowledge                   cleared                       |
        '---------------------------------------------' <------------------------'
                                                      on again, held: raised

What is between *on* and *off* (the hysteresis), and what is not known, changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Phase(StrEnum):
    """Where an alarm is."""

    OK = "ok"
    PENDING = "pending"
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


LEVELS = {
    Phase.OK: "good", Phase.PENDING: "wait", Phase.RAISED: "bad", Phase.ACKNOWLEDGED: "wait", Phase.CLEARED: "wait",
}  # fmt: skip
"""How the page colours a phase."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of an alarm's cause at a moment.

    Attributes
    ----------
    on : bool or None
        True beyond the limit, False back beyond the clear limit, None between them or not known.
    value, limit : float or None
        What was compared with what.
    text : str
        A sentence: what, how much, what to do.
    """

    on: bool | None
    value: float | None = None
    limit: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Holds:
    """How long a cause must last before it raises, and how long its end before it clears, us."""

    on_us: int = 0
    off_us: int = 0


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where an alarm is, since when, and since when its cause has been on or off, us of UTC.

    ``sight`` is what was seen when the phase changed last, and ``by`` who acknowledged.
    """

    phase: Phase = Phase.OK
    since_us: int = 0
    on_since_us: int | None = None
    off_since_us: int | None = None
    sight: Sight = Sight(None)
    by: str = ""

    @property
    def wants_person(self) -> bool:
        """Whether somebody has to acknowledge it."""
        return self.phase in (Phase.RAISED, Phase.CLEARED)


def advance(state: AlarmState, now_us: int, sight: Sight, holds: Holds) -> AlarmState:
    """The next state. A clock that was set back begins a hold anew; nothing is raised or cleared by it."""
    state = _timed(state, now_us, sight)
    held = state.on_since_us is not None and now_us - state.on_since_us >= holds.on_us
    over = state.off_since_us is not None and now_us - state.off_since_us >= holds.off_us
    following = _next_phase(state, sight, held, over)
    if following is state.phase:
        return state
    by = state.by if following is Phase.ACKNOWLEDGED else ""
    return replace(state, phase=following, since_us=now_us, sight=sight, by=by)


def acknowledge(state: AlarmState, now_us: int, by: str) -> AlarmState:
    """The state after a person has said that it is seen; the same where there is nothing to say it of."""
    if state.phase is Phase.RAISED:
        return replace(state, phase=Phase.ACKNOWLEDGED, since_us=now_us, by=by)
    if state.phase is Phase.CLEARED:
        return replace(state, phase=Phase.OK, since_us=now_us, by=by)
    return state


def _timed(state: AlarmState, now_us: int, sight: Sight) -> AlarmState:
    """Note since when the cause has been on, or off."""
    on, off = state.on_since_us, state.off_since_us
    if sight.on is True:
        return replace(state, on_since_us=now_us if on is None else min(on, now_us), off_since_us=None)
    if sight.on is False:
        return replace(state, on_since_us=None, off_since_us=now_us if off is None else min(off, now_us))
    return state


def _next_phase(state: AlarmState, sight: Sight, held: bool, over: bool) -> Phase:
    phase, on = state.phase, sight.on
    if phase in (Phase.OK, Phase.PENDING, Phase.CLEARED):
        if on is True and held:
            return Phase.RAISED
        if phase is Phase.OK and on is True:
            return Phase.PENDING
        return Phase.OK if phase is Phase.PENDING and on is False else phase
    if on is False and over:
        return Phase.CLEARED if phase is Phase.RAISED else Phase.OK
    return phase
