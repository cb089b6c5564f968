"""From news to the connections of one event loop: composed in the thread pool, once for all who wish the same."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from oesd.web.answers import encode
from oesd.web.shown import Shown

RETRY_MS = 2000
HEARTBEAT_S = 10.0
STATE_S = 1.0
SHORTEST_S = 0.1  # between two spectra of a spectrometer: faster than anyone looks
_QUEUE = 320


@dataclass(frozen=True, slots=True)
class Wish:
    """What a listener wants: spectra of one spectrometer or, for "", of all, with so many points at most."""

    device: str
    points: int


@dataclass(frozen=True, slots=True)
class Told:
    """A message on its way; one with a ``key`` is replaced by the next of the same key."""

    number: int
    key: str
    device: str
    data: bytes


def message(numbers: Iterator[int], event: str, document: Mapping[str, Any], key: str = "", device: str = "") -> Told:
    """A message of the next number, as it goes over the wire."""
    number = next(numbers)
    head = f"id: {number}\nevent: {event}\ndata: ".encode()
    return Told(number, key, device, head + encode(document) + b"\n\n")


class Pump:
    """What goes to the listeners of one loop.

    Parameters
    ----------
    state : callable
        The document of GET /status.
    numbers : iterator
        Numbers of messages, shared by all pumps.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, state: Callable[[], Mapping[str, Any]], numbers: Iterator[int]
    ) -> None:
        self.loop = loop
        self.listeners: list[Listener] = []
        self._state = state
        self._numbers = numbers
        self._lock = threading.Lock()
        self._fresh: dict[str, Shown] = {}
        self._notes: deque[Told] = deque(maxlen=_QUEUE)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._last_state: Mapping[str, Any] = {}
        self._state_at_s = self._told_at_s = time.monotonic()  # a listener that comes is greeted with the state

    # -- from any thread ----------------------------------------------------------------------------------------------

    def show(self, shown: Shown) -> None:
        """Send a spectrum; a newer one of the same spectrometer replaces it if it comes before."""
        with self._lock:
            self._fresh[shown.device] = shown
        self._wake_up()

    def note(self, told: Told) -> None:
        """Send a message that nothing replaces."""
        with self._lock:
            self._notes.append(told)
        self._wake_up()

    def end(self) -> None:
        """Let every listener go: the server is about to stop, and would wait for them."""
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self._let_go)

    def _let_go(self) -> None:
        for listener in self.listeners:
            listener.let_go()

    def _wake_up(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self.loop.call_soon_threadsafe(self._wake.set)

    # -- on the loop --------------------------------------------------------------------------------------------------

    def join(self, listener: Listener) -> None:
        """Send to a listener too."""
        self.listeners.append(listener)
        if self._task is None or self._task.done():
            self._task = self.loop.create_task(self._run())

    def leave(self, listener: Listener) -> None:
        """Send it nothing more; without listeners the pump ends."""
        self.listeners.remove(listener)
        self._wake.set()

    async def _run(self) -> None:
        try:
            await self._serve()
        finally:  # a state that cannot be told, say: who went on listening to silence would believe what he last saw
            self._let_go()

    async def _serve(self) -> None:
        while self.listeners:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self._state_at_s + STATE_S - time.monotonic(), 0.01)):
                    await self._wake.wait()
            self._wake.clear()
            wishes = {listener.wish for listener in self.listeners}
            told = await run_in_threadpool(self._compose, wishes)
            for listener in self.listeners:
                listener.offer(told.get(listener.wish, []))
            await asyncio.sleep(SHORTEST_S)

    # -- in the thread pool, one at a time ----------------------------------------------------------------------------

    def _compose(self, wishes: set[Wish]) -> dict[Wish, list[Told]]:
        """Messages for each wish; each is made once and shared."""
        with self._lock:
            fresh, told = list(self._fresh.values()), list(self._notes)
            self._fresh.clear()
            self._notes.clear()
        told += self._state_if_due()
        spectra = {points: [self._spectrum(one, points) for one in fresh] for points in {w.points for w in wishes}}
        return {w: told + [one for one in spectra[w.points] if w.device in ("", one.device)] for w in wishes}

    def _spectrum(self, shown: Shown, points: int) -> Told:
        key = f"spectrum {shown.device}"
        return message(self._numbers, "spectrum", shown.document(points), key, shown.device)

    def _state_if_due(self) -> list[Told]:
        """The state once a second when it is another, and now and then when not.

        A browser hides comments from its page: to a page that is told nothing, a quiet line and a dead one are alike.
        """
        now_s = time.monotonic()
        if now_s < self._state_at_s + STATE_S:
            return []
        self._state_at_s = now_s
        state = dict(self._state())
        compared = {name: value for name, value in state.items() if name != "uptime_s"}
        if compared == self._last_state and now_s < self._told_at_s + HEARTBEAT_S:
            return []
        self._last_state, self._told_at_s = compared, now_s
        return [message(self._numbers, "state", state, "state")]


class Listener:
    """One connection's queue, on its loop."""

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.over = False
        self._waiting: deque[Told] = deque(maxlen=_QUEUE)
        self._ready = asyncio.Event()

    def offer(self, messages: list[Told]) -> None:
        """Queue messages; what waits yet and is replaced by them goes."""
        if not messages:
            return
        newer = {told.key for told in messages if told.key}
        kept = [told for told in self._waiting if told.key not in newer]
        self._waiting = deque([*kept, *messages], maxlen=_QUEUE)
        self._ready.set()

    def let_go(self) -> None:
        """Nothing more comes."""
        self.over = True
        self._ready.set()

    async def next(self) -> bytes:
        """All that waits, or a comment when nothing came for a while."""
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await self._ready.wait()
        except TimeoutError:
            return b": nothing new\n\n"
        self._ready.clear()
        waiting, self._waiting = self._waiting, deque(maxlen=_QUEUE)
        return b"".join(told.data for told in waiting)
