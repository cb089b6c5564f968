"""What happens, told to all who listen: each message is encoded once, whoever gets it.

::

    threads of the daemon             event loop of each server
    spectrum(), changed(), alarm() -> Pump: composes in the thread pool -> queue of each listener -> its connection

Nobody listens: nothing is encoded, the newest spectrum of each spectrometer is kept. A listener that reads too slowly
misses spectra and states, which the next ones replace, but no change and no alarm.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from oesd.model import Result
from oesd.web.pump import RETRY_MS, Listener, Pump, Told, Wish, message
from oesd.web.shown import Shown

_KEPT = 256
_SPECTROMETERS = 64
_LATELY = 8  # results at hand for who asks for what an event has just told: some 120 kB each


class Feed:
    """The daemon's news.

    Parameters
    ----------
    state : callable
        The document of GET /status.
    newest : callable
        The newest spectrum of each spectrometer that is stored: what a listener sees before anything happens.
    """

    def __init__(self, state: Callable[[], Mapping[str, Any]], newest: Callable[[], Mapping[str, Shown]]) -> None:
        self._state = state
        self._stored = newest
        self._lock = threading.Lock()
        self._shown: dict[str, Shown] = {}
        self._kept: deque[Told] = deque(maxlen=_KEPT)
        self._lately: deque[Result] = deque(maxlen=_LATELY)
        self._numbers = itertools.count(int(time.time() * 1000))  # grows over restarts too, while the clock does
        self._pumps: list[Pump] = []
        self._over = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return sum(len(pump.listeners) for pump in self._pumps)

    # -- from the daemon's threads; none of these waits ---------------------------------------------------------------

    def spectrum(self, shown: Shown) -> None:
        """A spectrum was measured and analysed for the first time."""
        with self._lock:
            self._shown.pop(shown.device, None)
            self._shown[shown.device] = shown
            self._lately.append(shown.result)
            if len(self._shown) > _SPECTROMETERS:  # what a hub gets names as many as it likes
                del self._shown[next(iter(self._shown))]
            pumps = list(self._pumps)
        for pump in pumps:
            pump.show(shown)

    def changed(self, data_id: str, revision: int, why: str) -> None:
        """An entry has another result: ``assigned``, ``reprocessed`` or ``cleared``."""
        with self._lock:  # who comes later is shown the new one, from the store
            self._shown = {name: one for name, one in self._shown.items() if one.result.data_id != data_id}
        self._note("change", {"data_id": data_id, "revision": revision, "why": why})

    def lately(self, data_id: str) -> Result | None:
        """The first result of an entry that was told of a moment ago; it may have another one since."""
        return next((one for one in tuple(self._lately) if one.data_id == data_id), None)

    def alarm(self, document: Mapping[str, Any]) -> None:
        """An alarm is raised, acknowledged or over."""
        self._note("alarm", document)

    def golden(self, document: Mapping[str, Any]) -> None:
        """Another run or spectrum is golden."""
        self._note("golden", document)

    def run(self, document: Mapping[str, Any]) -> None:
        """A run that is on has other labels."""
        self._note("run", document)

    def _note(self, event: str, document: Mapping[str, Any]) -> None:
        with self._lock:
            told = message(self._numbers, event, document)
            self._kept.append(told)
            pumps = list(self._pumps)
        for pump in pumps:
            pump.note(told)

    def end(self) -> None:
        """Let every listener go, whoever comes later too; they try again by themselves."""
        with self._lock:
            self._over, pumps = True, list(self._pumps)
        for pump in pumps:
            pump.end()

    # -- on the event loop of a server --------------------------------------------------------------------------------

    async def listen(self, wish: Wish, after: int | None) -> AsyncIterator[bytes]:
        """Messages for one listener until it goes; after a break, changes and alarms since message ``after`` too."""
        listener, pump = Listener(wish), self._pump()
        pump.join(listener)
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            yield await run_in_threadpool(self._greeting, wish, after)
            while not (listener.over or self._over):
                yield await listener.next()
        finally:
            pump.leave(listener)
            self._forget_if_idle(pump)

    def _pump(self) -> Pump:
        """The pump of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            found = next((pump for pump in self._pumps if pump.loop is loop), None)
            if found is None:
                found = Pump(loop, self._state, self._numbers)
                self._pumps.append(found)
        return found

    def _forget_if_idle(self, pump: Pump) -> None:
        """Let a pump go; only its own loop does, so nobody joins it meanwhile."""
        with self._lock:
            if not pump.listeners and pump in self._pumps:
                self._pumps.remove(pump)

    def _greeting(self, wish: Wish, after: int | None) -> bytes:
        """What a listener that comes needs to know: the state, the newest spectra, what it missed."""
        with self._lock:
            missed = [told.data for told in self._kept if after is not None and told.number > after]
            shown = dict(self._shown)
        newest = {**self._stored(), **shown}
        messages = [message(self._numbers, "state", self._state()).data]
        wanted = (one for device, one in newest.items() if wish.device in ("", device))
        messages += [message(self._numbers, "spectrum", one.document(wish.points)).data for one in wanted]
        return b"".join(messages + missed)
