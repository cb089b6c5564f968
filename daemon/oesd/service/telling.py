"""Telling people and machines of alarms: by HTTP, mail or a command, each in a thread of its own.

Whoever tells only queues: a mail server that hangs keeps neither a spectrum nor another action. One that fails is tried
three times, and what became of it is shown with the alarms.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
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
        self._waiting: deque[Mapping[str, Any]] = deque()
        self._changed = threading.Condition()
        self._ending = self._busy = False
        self._hurry, self._stop = threading.Event(), threading.Event()
        self._told = Told()
        self._thread = threading.Thread(target=self._main, name=f"action-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def retire(self) -> None:
        """Have the thread tell what waits and end then; returns at once."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def ask_to_stop(self) -> None:
        """Have the thread try once to tell what waits and end then; returns at once."""
        self._hurry.set()
        self.retire()

    def join(self, limit_s: float) -> None:
        """Wait for the end, no longer than the limit: a mail server that hangs must not hold up whoever stops."""
        if self._thread.ident is None:
            self._way.close()
            return
        self._thread.join(limit_s)
        if self._thread.is_alive():
            self._stop.set()
            count = len(self._waiting) + self._busy
            log.warning("action %s: did not end in time; %d notices may not have been told", self.name, count)

    @property
    def ended(self) -> bool:
        """Whether its thread has told all and ended."""
        return self._thread.ident is not None and not self._thread.is_alive()

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Queue a notice; never waits. The hundred and first is not told, and shown so."""
        with self._changed:
            full = len(self._waiting) >= _WAITING
            if not full:
                self._waiting.append(notice)
                self._changed.notify_all()
        if full:
            self._note("failed", f"{_WAITING} notices wait: one of {notice['name']} was not told")

    def state(self) -> dict[str, Any]:
        """What became of it last, JSON-ready."""
        return self._told.as_dict(self.name, self._kind)

    def idle(self) -> bool:
        """Whether nothing waits or is being told."""
        with self._changed:
            return not self._waiting and not self._busy

    def _main(self) -> None:
        try:
            while not self._stop.is_set() and (notice := self._next()) is not None:
                self._tell_one(notice)
        finally:
            self._way.close()

    def _next(self) -> Mapping[str, Any] | None:
        """Wait for a notice; None when none is to come."""
        with self._changed:
            self._busy = False
            self._changed.wait_for(lambda: self._waiting or self._ending)
            self._busy = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None

    def _tell_one(self, notice: Mapping[str, Any]) -> None:
        try:
            self._try(notice)
        except Exception:
            # The top of the thread: a defect of ours must not end what tells of the next alarm.
            log.exception("action %s failed", self.name)
            self._note("failed", "a defect in oesd; the log has its place")

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
                if self._hurry.wait(self._pauses_s[number]):
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
        self._retired: list[Teller] = []

    def use(self, wanted: Sequence[ActionSection]) -> None:
        """Have those at work that are wanted; one that is not wanted as it was tells what waits, and ends by itself.

        Nobody waits for it: a mail server may take its time.
        """
        before = self._at_work
        self._at_work = {section: before.get(section) or teller_of(section) for section in wanted}
        gone = [teller for section, teller in before.items() if section not in self._at_work]
        self._retired = [teller for teller in (*self._retired, *gone) if not teller.ended]
        for teller in gone:
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
        """Have what waits told, those that are wanted no more included, all of them within one limit; then end."""
        end_s = time.monotonic() + limit_s
        tellers = [*self._at_work.values(), *self._retired]
        for teller in tellers:
            teller.ask_to_stop()
        for teller in tellers:
            teller.join(max(0.0, end_s - time.monotonic()))


def plain(text: str) -> str:
    """Return foreign text on one line, without what steers a terminal or a mail's header."""
    return "".join(char if char.isprintable() else " " for char in text)[:_SAID]


def said(error: Exception) -> str:
    """What an error says, on one line."""
    return plain(" ".join(str(error).split()) or type(error).__name__)
