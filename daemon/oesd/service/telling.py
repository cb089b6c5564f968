"""Telling people and machines of alarms: by HTTP, mail or a command, each in a thread of its own.

Whoever tells only queues: a mail server that hangs keeps neither a spectrum nor another action. One that fails is tried
three times, and what became of it is shown with the alarms.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from oesd.config import ActionSection
from oesd.model import utc_text

log = logging.getLogger(__name__)

TRIES = 3
PAUSES_S = (2.0, 20.0)
STOP_S = 3.0  # a service is to end within five seconds
_WAITING = 100
_SAID = 200


class NotTold(Exception):
    """Nobody was told; one line for a person."""


class Way(Protocol):
    """A way to tell."""

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Tell once; raises NotTold."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an action last: ``ok``, ``trying`` or ``failed``, when, and a sentence."""

    state: str = "ok"
    text: str = "nothing was told yet"
    at_utc: datetime | None = None

    def as_dict(self, name: str, kind: str) -> dict[str, Any]:
        """JSON-ready."""
        at = None if self.at_utc is None else utc_text(self.at_utc)
        return {"name": name, "kind": kind, "state": self.state, "text": self.text, "last_at_utc": at}


class Teller:
    """One action with its queue and its thread.

    Parameters
    ----------
    pauses_s : sequence of float
        Between the tries.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        way: Way,
        pauses_s: Sequence[float] = PAUSES_S,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self._kind, self._way, self._pauses_s, self._utc = name, kind, way, pauses_s, utc
        self._queue: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_WAITING)
        self._stop = threading.Event()
        self._told = Told()
        self._thread = threading.Thread(target=self._main, name=f"action-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def retire(self) -> None:
        """Have the thread tell what waits and end then; returns at once."""
        self._put_last()

    def ask_to_stop(self) -> None:
        """Have the thread end after the try at hand; what waits is not told. Returns at once."""
        self._stop.set()
        self._put_last()

    def join(self, limit_s: float) -> None:
        """Wait for the end, no longer than the limit: a mail server that hangs must not hold up whoever stops."""
        if self._thread.ident is None:
            self._way.close()
            return
        self._thread.join(limit_s)
        if self._thread.is_alive():
            log.warning("action %s: did not end in time; what it was telling may not have been told", self.name)

    def _put_last(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            log.warning("action %s: ends with %d notices that were not told", self.name, _WAITING)
            self._stop.set()

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Queue a notice; never waits. The hundred and first is not told, and shown so."""
        try:
            self._queue.put_nowait(notice)
        except queue.Full:
            self._note("failed", f"{_WAITING} notices wait: one of {notice['name']} was not told")

    def state(self) -> dict[str, Any]:
        """What became of it last, JSON-ready."""
        return self._told.as_dict(self.name, self._kind)

    def idle(self) -> bool:
        """Whether nothing waits or is being told."""
        return self._queue.unfinished_tasks == 0

    def _main(self) -> None:
        try:
            while not self._stop.is_set() and self._tell_next():
                pass
        finally:
            self._way.close()

    def _tell_next(self) -> bool:
        """Tell the next notice; False when none is to come."""
        notice = self._queue.get()
        try:
            if notice is not None and not self._stop.is_set():
                self._try(notice)
        except Exception:
            # The top of the thread: a defect of ours must not end what tells of the next alarm.
            log.exception("action %s failed", self.name)
            self._note("failed", "a defect in oesd; the log has its place")
        finally:
            self._queue.task_done()
        return notice is not None

    def _try(self, notice: Mapping[str, Any]) -> None:
        why = ""
        for number in range(1 + len(self._pauses_s)):
            try:
                self._way.tell(notice)
            except NotTold as error:
                why = said(error)
            else:
                self._note("ok", f"told of {notice['name']}")
                return
            if number < len(self._pauses_s):
                self._note("trying", why)
                if self._stop.wait(self._pauses_s[number]):
                    break
        self._note("failed", f"{notice['name']} was not told: {why}")

    def _note(self, state: str, text: str) -> None:
        if state == "failed":
            log.error("action %s: %s", self.name, text)
        self._told = Told(state, text, self._utc())


def teller_of(section: ActionSection) -> Teller:
    """The teller of an action of the configuration."""
    from oesd.service.ways import way_of  # mail and HTTP: who tells nobody does without

    kind = "http" if section.url else "mail" if section.mail_to else "command"
    return Teller(section.name, kind, way_of(section))


class Tellers:
    """The actions at work: a teller for each that the configuration names."""

    def __init__(self) -> None:
        self._at_work: dict[ActionSection, Teller] = {}  # replaced as a whole: others go through it meanwhile

    def use(self, wanted: Sequence[ActionSection]) -> None:
        """Have those at work that are wanted; one that is not wanted as it was tells what waits, and ends by itself.

        Nobody waits for it: a mail server may take its time.
        """
        before = self._at_work
        self._at_work = {section: before.get(section) or teller_of(section) for section in wanted}
        for section, teller in before.items():
            if section not in self._at_work:
                teller.retire()
        for section, teller in self._at_work.items():
            if section not in before:
                teller.start()

    def tell(self, names: Sequence[str], notice: Mapping[str, Any]) -> None:
        """Queue a notice for those of these names."""
        for teller in self._at_work.values():
            if teller.name in names:
                teller.tell(notice)

    def states(self) -> list[dict[str, Any]]:
        """What became of them, JSON-ready."""
        return [teller.state() for teller in self._at_work.values()]

    def stop(self, limit_s: float = STOP_S) -> None:
        """End after the tries at hand, all of them within one limit."""
        end_s = time.monotonic() + limit_s
        for teller in self._at_work.values():
            teller.ask_to_stop()
        for teller in self._at_work.values():
            teller.join(max(0.0, end_s - time.monotonic()))


def plain(text: str) -> str:
    """Return foreign text on one line, without what steers a terminal or a mail's header."""
    return "".join(char if char.isprintable() else " " for char in text)[:_SAID]


def said(error: Exception) -> str:
    """What an error says, on one line."""
    return plain(" ".join(str(error).split()) or type(error).__name__)
