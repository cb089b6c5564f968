"""Telling people and machines of alarms: by HTTP, mail or a command, each in a thread of its own.

Whoever tells only queues: a mail server that hangs keeps neither a spectrum nor another action. One that fails is tried
three times, and what became of it is shown with the alarms.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from oesd.config import ActionSection
from oesd.model import utc_text

log = logging.getLogger(__name__)

TRIES = 3
PAUSES_S = (2.0, 20.0)
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

    def stop(self) -> None:
        """End after the try at hand; what waits is not told."""
        self._stop.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            log.warning("action %s: ends with %d notices that were not told", self.name, _WAITING)
        if self._thread.ident is not None:
            self._thread.join(30)
        self._way.close()

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
        while not self._stop.is_set():
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


def tellers(sections: Sequence[ActionSection]) -> list[Teller]:
    """A teller for each action of the configuration."""
    if not sections:
        return []
    from oesd.service.ways import way_of  # mail and HTTP: who tells nobody does without

    kinds = ((section, "http" if section.url else "mail" if section.mail_to else "command") for section in sections)
    return [Teller(section.name, kind, way_of(section)) for section, kind in kinds]


def plain(text: str) -> str:
    """Return foreign text on one line, without what steers a terminal or a mail's header."""
    return "".join(char if char.isprintable() else " " for char in text)[:_SAID]


def said(error: Exception) -> str:
    """What an error says, on one line."""
    return plain(" ".join(str(error).split()) or type(error).__name__)
