"""What is watched, at work: measures the named traces of every spectrum, follows what is stored, and tells of changes.

::

    Processing --measure--> readings, stored with the result
                                  |
                     wake         v
    this thread: rows in the order of storing -> WatchBook -> events, stored -> page, log, actions
                 and once a second what no spectrum tells: silence, darks, disk, queue

The thread reads what was stored, as a back-test does; it never holds up a spectrum. After a restart, and with another
configuration, it goes through the runs that are on again from their first value, so that a rule stands where it stood.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from oesd.config import Config
from oesd.model import Analysis, Measurement
from oesd.processing.readings import Named, Readings
from oesd.service.announcing import Announcing
from oesd.service.golden_means import GoldenMeans
from oesd.service.rules_at_work import left_marks, looking_back
from oesd.service.telling import Tellers
from oesd.service.watch_book import Key, Outside, WatchBook, state_after
from oesd.service.watch_documents import alarm_document, endpoint_document
from oesd.service.watched import watched
from oesd.store import Store, StoreError
from oesd.store.errors import StoreDamaged
from oesd.store.moments import to_us
from oesd.store.named_reading import NamedTraces
from oesd.store.named_traces import NamedRow
from oesd.store.watch_events import WatchEvent, WatchEvents
from oesd.watching.grammar import text_of
from oesd.watching.plan import unit_of
from oesd.watching.reading import Reading, State

log = logging.getLogger(__name__)

_NAME = "watching"
_TURN_S = 0.5
_TICK_S = 1.0
_BATCH = 512
_MARKS = 200
"""Marks that are looked through for rules that were taken away: of all runs that can still have spectra waiting."""
_SKIPPED = "alarms and rules go on with the newest spectra; those before cannot be read: %s"
_TOLD_PHASES = ("raised", "ok", "cleared")


class Watching:
    """Everything that is watched in a daemon.

    Parameters
    ----------
    config : Config
    store : Store
    beat : callable
        Called with a name and the seconds within which it will be called again.
    outside : callable
        What no spectrum tells, asked once a second.
    publish : callable
        Gets each alarm and endpoint as a document when it changes; must not wait.
    utc : callable
        The host's clock.
    golden : callable
        The golden run by spectrometer, as people chose it.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        beat: Callable[[str, float], None] = lambda _, __: None,
        outside: Callable[[], Outside] = Outside,
        publish: Callable[[Mapping[str, Any]], None] = lambda _: None,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
        golden: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._golden = golden
        self._store = store
        self._beat, self._outside, self._publish, self._utc = beat, outside, publish, utc
        self.named, self.events = NamedTraces(store), WatchEvents(store)
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._announcing = Announcing(self.events, self._tell)
        self._refusal = ""
        self.book = WatchBook((), (), {}, {})
        self._order = self._looked_back_to = 0
        self._last: dict[Key, tuple[int, Reading]] = {}
        self.tellers = Tellers()
        self._use(config)
        self._thread = threading.Thread(target=self._main, name=_NAME, daemon=True)

    def _use(self, config: Config) -> None:
        """Go by a configuration; what the store refuses leaves everything as it was."""
        found = watched(config)
        units = {name: unit_of(formula) for name, formula in found.traces.items()}
        definitions = {name: text_of(formula) for name, formula in found.traces.items()}
        numbers = self.named.register([(name, definitions[name], units[name]) for name in found.traces])
        readings = Readings(tuple(Named(name, formula, numbers[name]) for name, formula in found.traces.items()))
        means = GoldenMeans(self._store, self.named, readings, numbers, found.traces)
        wanted = {alarm.trace for alarm in found.alarms if alarm.golden}
        references = means.of(wanted, self._golden(), config.golden.runs)
        book = WatchBook(found.alarms, found.rules, numbers, units, found.devices, references, looking_back(self.named))
        book.restore(self._stored_alarms())
        book.carry_on(self.book)
        self.config, self.watched, self.book = config, found, book
        self.units, self.definitions, self.numbers = units, definitions, numbers
        self.readings, self.references = readings, references

    def _stored_alarms(self) -> dict[Key, WatchEvent]:
        try:
            return self.events.newest("alarm")
        except StoreDamaged as error:  # measuring goes on all the same
            log.error("every alarm begins anew: %s", error)
            return {}

    # -- start and stop ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to go through the runs that are on, and to follow; the thread does it, however long they are."""
        self.tellers.use(self.config.action)
        newest, marks, begin = self._past()
        self._look_back(newest, marks, begin)
        self._thread.start()

    def stop(self) -> None:
        """Follow to the end of what is stored, and end the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(30)
        self.tellers.stop()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def use(self, config: Config) -> None:
        """Watch by another configuration from now on; alarms stay where they are."""
        with self._lock:
            _, marks, begin = self._past()  # what the store refuses is refused before anything is changed
            self._use(config)
            self.tellers.use(self.config.action)
            self._look_back(max(self._order, self._looked_back_to), marks, begin)
        self.wake()

    def compare_anew(self) -> None:
        """Another run is golden: drift alarms compare with that one from now on."""
        if any(alarm.golden for alarm in self.watched.alarms):
            self.use(self.config)

    def publish_to(self, publish: Callable[[Mapping[str, Any]], None]) -> None:
        """Have each change told, as a document; what is called must not wait."""
        self._publish = publish

    def look_at(self, outside: Callable[[], Outside]) -> None:
        """Ask this for what no spectrum tells."""
        self._outside = outside

    def wake(self) -> None:
        """Look at what was stored now."""
        self._wake.set()

    # -- spectra -----------------------------------------------------------------------------------------------------

    def measure(self, device_name: str, measurement: Measurement, analysis: Analysis) -> bytes:
        """The named traces of a spectrum, as the store takes them with its result."""
        return self.readings.of(device_name, measurement, analysis)

    def _past(self) -> tuple[int, list[WatchEvent], int]:
        """The newest row, the newest marks, and the row before the runs that spectrometers are in."""
        newest, marks = self.named.newest_order(), self.events.marks(_MARKS)
        try:
            firsts = [self.named.first_of_newest_run(device) for device in self.named.devices()]
        except StoreDamaged as error:
            log.error(_SKIPPED, error)
            firsts = []
        return newest, marks, min([newest, *(first - 1 for first in firsts if first is not None)])

    def _look_back(self, judged: int, marks: Sequence[WatchEvent], begin: int) -> None:
        """Begin anew behind a row: rules decide as they did, alarms only look at rows that they have judged."""
        self._announcing.store(left_marks(self.book.at_work, marks, to_us(self._utc()), judged))
        self._order, self._looked_back_to = min(begin, judged), judged

    def _take(self, rows: Sequence[NamedRow]) -> None:
        past = [row for row in rows if row.order_no <= self._looked_back_to]
        self._note(past, judge=False)
        self._note(rows[len(past) :], judge=True)

    def _note(self, rows: Sequence[NamedRow], *, judge: bool) -> None:
        events: list[WatchEvent] = []
        for row in rows:
            events += self.book.feed(row, judge=judge)
            for name, number in self.numbers.items():
                if (told := row.readings.get(number)) and not self.book.is_late(row):
                    self._last[name, row.device_name] = (row.taken_at_us, Reading(*told[:2], State(told[2])))
        if rows:
            self._order = rows[-1].order_no
        self._announcing.announce(events)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._stop.is_set():
                self._beat(_NAME, 60.0)
                self._turn()
                self._wake.wait(_TURN_S)
                self._wake.clear()
            self._turn()
        except Exception:
            # The top of the thread: the supervisor sees that it ended.
            log.exception("the %s thread failed", _NAME)

    def _turn(self) -> None:
        """Follow to the end of what is stored; told to stop, no further than where it has looked back to."""
        while self._step() and not (self._stop.is_set() and self._order < self._looked_back_to):
            self._beat(_NAME, 60.0)

    def _step(self) -> bool:
        """Take the next rows; False when there were none, and what no row tells was looked at."""
        with self._told_if_refused(), self._lock:  # let go between the steps: people ask meanwhile
            if rows := self.named.rows_after(self._order, _BATCH):
                self._take(rows)
                return True
            self._look_outside()
            self._announcing.announce([])
        return False

    @contextmanager
    def _told_if_refused(self) -> Iterator[None]:
        try:
            yield
            self._refusal = ""
        except StoreDamaged as error:
            log.error(_SKIPPED, error)
            with suppress(StoreError):  # it is tried again with the next rows
                self._order = self._looked_back_to = self.named.newest_order()
        except StoreError as error:
            if str(error) != self._refusal:  # said once: twice a second would fill what is left of a full disk
                log.warning("alarms cannot be kept: %s", error)
            self._refusal = str(error)

    def _look_outside(self) -> None:
        now = self._utc()
        if not self._stop.is_set():
            self._announcing.announce(self.book.tick(to_us(now), self._outside()))

    # -- telling -----------------------------------------------------------------------------------------------------

    def _tell(self, event: WatchEvent) -> None:
        if event.name not in (self.book.alarms if event.kind == "alarm" else self.book.rules):
            return  # it waited for the store, and was taken away meanwhile
        document = self.document_of(event)
        self._publish(document)
        actions = self._actions_of(event)
        if "log" in actions:
            level = logging.WARNING if document["level"] == "bad" else logging.INFO
            of = f" of {event.device_name}" if event.device_name else ""
            log.log(level, "%s %s%s: %s: %s", event.kind, event.name, of, document["state"], document["text"])
        self.tellers.tell(actions, {**document, "simulated": self.config.simulation.enabled})

    def document_of(self, event: WatchEvent) -> dict[str, Any]:
        """An alarm or an endpoint as the page gets it."""
        if event.kind == "alarm":
            alarm = self.book.alarms[event.name]
            return alarm_document(alarm, event.device_name, state_after(event), None, self.units)
        rule = self.book.rules[event.name]
        run_id = self.named.run_ids([event.run_no]).get(event.run_no, "")
        at_work = self.book.at_work.at(event.name, event.device_name, event.run_no)
        return endpoint_document(rule, event.device_name, at_work, run_id, "")

    def _actions_of(self, event: WatchEvent) -> tuple[str, ...]:
        if event.kind == "endpoint":
            return (self.watched.actions or {}).get(event.name, ())
        told = event.document["to"] in _TOLD_PHASES and event.document["from"] != "pending"
        return self.book.alarms[event.name].actions if told or event.document["to"] == "raised" else ()

    # -- what others ask ---------------------------------------------------------------------------------------------

    def acknowledge(self, name: str, device: str, by: str) -> list[str] | None:
        """Note that a person has seen an alarm; names of the spectrometers, None for an alarm that is not there."""
        with self._lock:
            if name not in self.book.alarms:
                return None
            events = self.book.acknowledge(name, device, by, to_us(self._utc()))
            self._announcing.announce(events)
        return [event.device_name for event in events]

    def last(self, name: str, device: str) -> tuple[int, Reading] | None:
        """The newest value of a trace, and when its spectrum was taken, us of UTC."""
        return self._last.get((name, device))

    def idle(self) -> bool:
        """Whether everything stored was looked at."""
        return self._order >= self.named.newest_order()
