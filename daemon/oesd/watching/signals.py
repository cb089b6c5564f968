"""What an alarm goes by: thresholds, rates and drifts of traces, and the silence of a spectrometer.

A signal is fed with a trace's values as they were stored, in their order, with the times of their spectra: it says the
same whether it looks at them live, after a restart, or in a back-test.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from oesd.watching.alarms import Holds, Sight
from oesd.watching.deciding import slope_of
from oesd.watching.errors import WatchError
from oesd.watching.reading import Reading, State

AlarmKind = Literal["threshold", "rate", "missing", "drift", "dark due", "disk", "queue"]
OF_TRACES: tuple[AlarmKind, ...] = ("threshold", "rate", "drift")
OF_DEVICES: tuple[AlarmKind, ...] = (*OF_TRACES, "missing", "dark due")
AT_ONCE = Holds()
_LEAST_RATE_POINTS = 5
_MOST_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is watched.

    Attributes
    ----------
    above, below : float or None
        Threshold: where it begins. Rate: change per second. Drift: difference, or with ``relative`` share of the
        reference. Disk: bytes left (below). Queue, missing: seconds (above).
    clear : float or None
        Where it is over: beyond this on the good side; None for where it began.
    over_us : int
        Stretch that values are averaged over (threshold, drift), or that a rate is taken over.
    reference, golden : float or None, bool
        What a drift is measured from; whether that is the trace's mean in the golden run.
    """

    name: str
    kind: AlarmKind
    trace: str = ""
    device: str = ""
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    relative: bool = False
    reference: float | None = None
    golden: bool = False
    over_us: int = 0
    holds: Holds = AT_ONCE
    severity: Literal["warning", "critical"] = "warning"
    actions: tuple[str, ...] = ("log", "page")
    advice: str = ""


@dataclass(slots=True)
class Signal:
    """An alarm on the values of one trace of one spectrometer."""

    alarm: Alarm
    unit: str = ""
    _window: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST_POINTS))

    def of(self, taken_at_us: int, reading: Reading) -> Sight:
        """What a value shows."""
        alarm = self.alarm
        if reading.state is State.SATURATED and alarm.kind == "threshold" and alarm.above is not None:
            return self._told(reading.value, True) if reading.value > alarm.above else Sight(None)
        if not reading.usable:
            return Sight(None)
        self._take(taken_at_us / 1e6, reading.value)
        value = self._value(reading.value)
        if value is None:
            return Sight(None)
        return self._told(value, compared(alarm, value))

    def _take(self, at_s: float, value: float) -> None:
        window = self._window
        if window and at_s < window[-1][0]:
            window.clear()  # the host's clock was set back: what was before cannot be compared
        window.append((at_s, value))
        while window[0][0] < at_s - self.alarm.over_us / 1e6:
            window.popleft()

    def _value(self, value: float) -> float | None:
        alarm, window = self.alarm, self._window
        if alarm.kind == "rate":
            full = len(window) >= _LEAST_RATE_POINTS and 2e6 * (window[-1][0] - window[0][0]) >= alarm.over_us
            return slope_of(list(window))[0] if full else None
        mean = math.fsum(y for _, y in window) / len(window) if alarm.over_us else value
        if alarm.kind != "drift":
            return mean
        if alarm.reference is None:
            return None
        off = mean - alarm.reference
        return off / abs(alarm.reference) if alarm.relative and alarm.reference else off

    def _told(self, value: float, on: bool | None) -> Sight:
        alarm = self.alarm
        limit = alarm.above if alarm.above is not None and (alarm.below is None or value > 0) else alarm.below
        return Sight(on, value, limit, sentence(alarm, value, limit, self.unit))


def compared(alarm: Alarm, value: float) -> bool | None:
    """Whether a value is beyond a limit of an alarm (True), back beyond its clear limit (False), or between (None)."""
    above, below = alarm.above, alarm.below
    if (above is not None and value > above) or (below is not None and value < below):
        return True
    if alarm.clear is None:
        return False
    if above is not None and below is not None:  # on both sides: clear is the half width of what is well
        return False if abs(value) <= alarm.clear else None
    well = value <= alarm.clear if above is not None else value >= alarm.clear
    return False if well else None


@dataclass(frozen=True, slots=True)
class Quiet:
    """For how long a spectrometer, or a trace of it, has told nothing, s.

    ``heard``: since it told something; else since it was meant to: its run began, or the daemon.
    """

    seconds: float
    heard: bool = True


def silent(alarm: Alarm, quiet: Quiet | None) -> Sight:
    """Sight of a spectrometer that has told nothing for so long; None where it is not meant to measure.

    Nothing but something heard ends a silence: that a run has begun, or the daemon, does not.
    """
    if quiet is None:
        return Sight(False, None, alarm.above, "nothing is to be measured")
    what, seconds = alarm.trace or "spectrum", quiet.seconds
    if seconds > (alarm.above or 0.0):
        return Sight(True, seconds, alarm.above, f"no {what} for {seconds:.0f} s; see its line in oesd status")
    if not quiet.heard:
        return Sight(None, seconds, alarm.above, f"no {what} yet, asked for {seconds:.0f} s ago")
    return Sight(False, seconds, alarm.above, f"{what} {seconds:.0f} s ago")


def sentence(alarm: Alarm, value: float, limit: float | None, unit: str) -> str:
    """What a person is told: what, how much, what to do."""
    if alarm.kind == "rate":
        told = f"{alarm.trace} changes by {value:.4g} {unit} a second".replace("  ", " ")
    elif alarm.kind == "drift":
        far = f"{100 * value:+.1f} %" if alarm.relative else f"{value:+.4g} {unit}".rstrip()
        told = f"{alarm.trace} is {far} off its reference {alarm.reference:.4g}"
    else:
        told = f"{alarm.trace} is {value:.4g} {unit}".rstrip()
    against = "" if limit is None else f" (limit {limit:.4g})"
    beyond = compared(alarm, value) is True
    return f"{told}{against}" + (f"; {alarm.advice}" if alarm.advice and beyond else "")


def checked_alarm(alarm: Alarm) -> Alarm:
    """See that an alarm says all it needs, and nothing that contradicts itself.

    Raises
    ------
    WatchError
        ``key: what is wrong``.
    """
    above, below, clear = alarm.above, alarm.below, alarm.clear
    if alarm.kind in OF_TRACES and not alarm.trace:
        raise WatchError(f"trace: an alarm of kind {alarm.kind!r} needs the trace that it goes by")
    if alarm.kind not in OF_TRACES and alarm.kind != "missing" and alarm.trace:
        raise WatchError(f"trace: an alarm of kind {alarm.kind!r} goes by no trace")
    if alarm.kind != "dark due" and above is None and below is None:
        raise WatchError("above: give above or below, where the alarm begins")
    if alarm.kind in ("missing", "queue") and above is None:
        raise WatchError(f"above: an alarm of kind {alarm.kind!r} needs the seconds that are too long")
    if alarm.kind == "disk" and below is None:
        raise WatchError("below: an alarm on the disk needs the GB that are too little")
    if above is not None and below is not None and not below < above:
        raise WatchError("below: must be less than above")
    if clear is not None and above is not None and clear > above:
        raise WatchError("clear: must not be beyond above")
    if clear is not None and above is None and below is not None and clear < below:
        raise WatchError("clear: must not be beyond below")
    if alarm.kind == "rate" and not alarm.over_us:
        raise WatchError('over: a rate needs the stretch that it is taken over, such as "30 s"')
    return alarm
