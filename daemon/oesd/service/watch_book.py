"""Every alarm and endpoint rule at work: fed with stored rows in their order, asked about the rest now and then.

No thread, no clock: the same rows in the same order make the same events. What is fed are the named traces as the store
has them, so that a back-test on stored runs decides as it was decided live, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from oesd.service.rules_at_work import Past, RulesAtWork, nothing_stored, reading_of
from oesd.store.named_traces import NamedRow
from oesd.store.watch_events import WatchEvent
from oesd.watching.alarms import AlarmState, Phase, Sight, acknowledge, advance
from oesd.watching.reading import Reading
from oesd.watching.rules import Rule
from oesd.watching.signals import OF_TRACES, Alarm, Quiet, Signal, silent

Key = tuple[str, str]
"""Name of an alarm or a rule, and spectrometer ("" for what concerns the daemon as a whole)."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What alarms go by that are no traces.

    Attributes
    ----------
    quiet : mapping of str to Quiet or None
        By spectrometer for how long it has told nothing; None where it is not meant to.
    dark_due : mapping of str to str
        Why a dark is due, "" where none is.
    room_bytes : float or None
        Left for data; None when not measured.
    oldest_s : float or None
        How long the oldest spectrum has waited for its upload; None when none waits.
    monotonic_us : int or None
        A clock that nobody sets and that stands while the host sleeps; None: the date is trusted.
    """

    quiet: Mapping[str, Quiet | None] = field(default_factory=dict)
    dark_due: Mapping[str, str] = field(default_factory=dict)
    room_bytes: float | None = None
    oldest_s: float | None = None
    monotonic_us: int | None = None


class WatchBook:
    """The state of everything that is watched.

    Parameters
    ----------
    alarms, rules : sequence
    numbers : mapping of str to int
        Trace to its number in the store.
    units : mapping of str to str
        Trace to its unit.
    devices : mapping of str to str
        Spectrometer of a rule by its name; "" for each.
    references : callable
        Mean of a trace in the golden run: trace, device; None when it has none.
    past : callable
        What is stored of a trace in a run.

    Attributes
    ----------
    at_work : RulesAtWork
        The state of the rules.
    """

    def __init__(
        self,
        alarms: Sequence[Alarm],
        rules: Sequence[Rule],
        numbers: Mapping[str, int],
        units: Mapping[str, str],
        devices: Mapping[str, str] | None = None,
        references: Mapping[Key, float] | None = None,
        past: Past = nothing_stored,
    ) -> None:
        self.alarms = {alarm.name: alarm for alarm in alarms}
        self.rules = {rule.name: rule for rule in rules}
        self.states: dict[Key, AlarmState] = {}
        self.sights: dict[Key, Sight] = {}
        self.at_work = RulesAtWork(self.rules, numbers, devices or {}, past)
        self._numbers = numbers
        self._units = units
        self._references = references or {}
        self._signals: dict[Key, Signal] = {}
        self._heard: dict[Key, int] = {}  # of what is meant to be heard, since when at the latest it was not
        self._truly_heard: set[Key] = set()  # of these, which were: of the others it is when they were meant to be
        self._date_ahead_us: int | None = None  # of the clock that nobody sets
        self._newest_run: dict[str, int] = {}

    # -- rows --------------------------------------------------------------------------------------------------------

    def feed(self, row: NamedRow, *, judge: bool = True) -> list[WatchEvent]:
        """Take the next row; returns what changed.

        Parameters
        ----------
        judge : bool
            False while rows of the past are gone through again: alarms look at them, and change nothing.
        """
        if row.revision != 1:
            return []  # analysed again: nothing new has happened
        decided = list(self.at_work.feed(row))
        if self.is_late(row):
            return decided
        self._newest_run[row.device_name] = row.run_no or self._newest_run.get(row.device_name, 0)
        return [*decided, *self._alarms_of(row, judge)]

    def is_late(self, row: NamedRow) -> bool:
        """Whether it is of a run before the newest one that was seen: analysed late, it tells nothing of now."""
        return 0 < row.run_no < self._newest_run.get(row.device_name, 0)

    def _alarms_of(self, row: NamedRow, judge: bool) -> Iterable[WatchEvent]:
        for name, alarm in self.alarms.items():
            reading = self._reading(row, alarm.trace) if alarm.device in ("", row.device_name) else None
            if reading is None:
                continue
            heard_us = self._heard.get((name, row.device_name))
            if judge and heard_us is not None and reading.usable:
                self._heard[name, row.device_name] = max(heard_us, row.taken_at_us)
                self._truly_heard.add((name, row.device_name))
            if alarm.kind not in OF_TRACES:
                continue
            sight = self._signal(alarm, row.device_name).of(row.taken_at_us, reading)
            if judge:
                yield from self._advanced((name, row.device_name), row.taken_at_us, sight, row)

    def _reading(self, row: NamedRow, trace: str) -> Reading | None:
        return reading_of(row, self._numbers.get(trace, -1))

    def _signal(self, alarm: Alarm, device: str) -> Signal:
        key = (alarm.name, device)
        if key not in self._signals:
            known = self._references.get((alarm.trace, device)) if alarm.golden else alarm.reference
            self._signals[key] = Signal(replace(alarm, reference=known), self._units.get(alarm.trace, ""))
        return self._signals[key]

    # -- the rest ----------------------------------------------------------------------------------------------------

    def tick(self, now_us: int, outside: Outside) -> list[WatchEvent]:
        """Look at what no row tells; returns what changed."""
        self._follow_the_date(now_us, outside.monotonic_us)
        return [
            event
            for name, alarm in self.alarms.items()
            for device, sight in self._seen_outside(alarm, now_us, outside)
            for event in self._advanced((name, device), now_us, sight)
        ]

    def _follow_the_date(self, now_us: int, monotonic_us: int | None) -> None:
        """Where the date was set, or the host slept, silences are as long as they were."""
        if monotonic_us is None:
            return
        before, self._date_ahead_us = self._date_ahead_us, now_us - monotonic_us
        leapt_us = 0 if before is None else self._date_ahead_us - before
        if leapt_us:
            self._heard = {key: heard_us + leapt_us for key, heard_us in self._heard.items()}

    def _advanced(self, key: Key, now_us: int, sight: Sight, row: NamedRow | None = None) -> Iterable[WatchEvent]:
        alarm, before = self.alarms[key[0]], self.states.get(key, AlarmState())
        self.sights[key] = sight if sight.on is not None or sight.value is not None else self.sights.get(key, sight)
        state = self.states[key] = advance(before, now_us, sight, alarm.holds)
        if state.phase is not before.phase:
            yield alarm_event(key, before, state, row)

    def _seen_outside(self, alarm: Alarm, now_us: int, outside: Outside) -> Iterable[tuple[str, Sight]]:
        if alarm.kind != "missing":
            yield from _seen_outside(alarm, outside)
            return
        for device, quiet in outside.quiet.items():
            if alarm.device in ("", device):
                yield device, silent(alarm, self._quiet((alarm.name, device), alarm, now_us, quiet))

    def _quiet(self, key: Key, alarm: Alarm, now_us: int, quiet: Quiet | None) -> Quiet | None:
        """For how long a spectrometer, or a trace of it, has told nothing since it was meant to."""
        if quiet is None:
            self._heard.pop(key, None)
            self._truly_heard.discard(key)
        if quiet is None or not alarm.trace:
            return quiet
        # A clock that was set back begins the silence anew, or it would not be noticed for as long.
        heard_us = self._heard[key] = min(self._heard.get(key, now_us), now_us)
        return Quiet(max(quiet.seconds, (now_us - heard_us) / 1e6), quiet.heard and key in self._truly_heard)

    # -- persons -----------------------------------------------------------------------------------------------------

    def acknowledge(self, name: str, device: str, by: str, now_us: int) -> list[WatchEvent]:
        """Note that a person has seen an alarm, of all spectrometers when none is named; returns what changed."""
        events = []
        for key, before in list(self.states.items()):
            if key[0] == name and (not device or key[1] == device):
                state = self.states[key] = acknowledge(before, now_us, by)
                if state.phase is not before.phase:
                    events.append(alarm_event(key, before, state, None))
        return events

    def restore(self, newest: Mapping[Key, WatchEvent]) -> None:
        """Go on from the newest stored event of each alarm."""
        for key, event in newest.items():
            if key[0] in self.alarms:
                state = self.states[key] = state_after(event)
                self.sights[key] = state.sight
                if self.alarms[key[0]].kind == "missing" and state.on_since_us is not None:  # as silent as it was
                    self._heard[key] = state.on_since_us - round((self.alarms[key[0]].above or 0.0) * 1e6)

    def carry_on(self, before: WatchBook) -> None:
        """Go on from a book that was at work until now: what it saw is newer than what a full disk let it store."""
        self.states |= {key: one for key, one in before.states.items() if key[0] in self.alarms}
        self.sights |= {key: one for key, one in before.sights.items() if key[0] in self.alarms}
        self._heard |= {key: one for key, one in before._heard.items() if key[0] in self.alarms}
        self._date_ahead_us = before._date_ahead_us
        self._truly_heard |= {key for key in before._truly_heard if key[0] in self.alarms}


def _seen_outside(alarm: Alarm, outside: Outside) -> Iterable[tuple[str, Sight]]:
    """What is seen of an alarm that goes by no trace, by spectrometer."""
    if alarm.kind == "dark due":
        for device, why in outside.dark_due.items():
            if alarm.device in ("", device):
                yield device, Sight(bool(why), None, None, f"a dark is due: {why}" if why else "no dark is due")
    elif alarm.kind == "disk" and outside.room_bytes is not None:
        left, limit = outside.room_bytes / 1e9, (alarm.below or 0.0) / 1e9
        text = f"{max(left, 0.0):.1f} GB left for data"
        text += f", less than {limit:g} GB; free some, or see [store] on_full" if left < limit else ""
        yield "", Sight(left < limit, left, limit, text)
    elif alarm.kind == "queue":
        waits_s = outside.oldest_s or 0.0
        limit_s = alarm.above or 0.0
        text = f"the oldest spectrum has waited {waits_s / 60:.0f} min for its upload"
        text += "; see oesd status" if waits_s > limit_s else ""
        yield "", Sight(waits_s > limit_s, waits_s, limit_s, text)


def alarm_event(key: Key, before: AlarmState, state: AlarmState, row: NamedRow | None) -> WatchEvent:
    """A change of an alarm as it is stored: all that a daemon needs to go on from it."""
    document = {
        "from": before.phase.value,
        "to": state.phase.value,
        "by": state.by,
        "on_since_us": state.on_since_us,
        "off_since_us": state.off_since_us,
        **asdict(state.sight),
    }
    run_no, order_no = (row.run_no, row.order_no) if row else (0, 0)
    return WatchEvent(state.since_us, "alarm", *key, run_no, order_no, "", document)


def state_after(event: WatchEvent) -> AlarmState:
    """Where an alarm is by a change of it that was stored."""
    told = event.document
    sight = Sight(told.get("on"), told.get("value"), told.get("limit"), str(told.get("text", "")))
    return AlarmState(
        Phase(told["to"]),
        event.at_us,
        told.get("on_since_us"),
        told.get("off_since_us"),
        sight,
        str(told.get("by", "")),
    )
