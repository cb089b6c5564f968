"""A server of events that never ends: recorded spectra, each with names of its own, as fast as a page takes them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UUID = re.compile(rb"[0-9a-f]{8}(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_AT_ONCE = 8  # messages: a second and a half of a day
_PAUSE_S = 0.02


class Recorded:
    """A message whose ids are others each time, as they are of each spectrum that is measured.

    Parameters
    ----------
    event : str
    text : str
        JSON, one line.
    """

    def __init__(self, event: str, text: str) -> None:
        self._head = f"event: {event}\ndata: ".encode()
        self._pieces = _UUID.split(text.encode())

    def of(self, number: int) -> bytes:
        return b"id: %d\n%b%b\n\n" % (number, self._head, (b"%08x" % number).join(self._pieces))


class Flood:
    """An application whose GET /events tells recorded spectra up to ``limit``, with the state after every fifth.

    Parameters
    ----------
    app : ASGI application
        Answers everything else.
    spectra : sequence of Recorded
    state : callable
        The text of the state after so many spectra.
    """

    def __init__(self, app: ASGIApp, spectra: Sequence[Recorded], state: Callable[[int], str]) -> None:
        self._app = app
        self._spectra = spectra
        self._state = state
        self.limit = 0
        self.sent = 0
        self._newest: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/events":
            await self._app(scope, receive, send)
            return
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send(_more(self._spectra[0].of(0) + self._told()))  # as the daemon greets whoever comes
        gone = asyncio.create_task(_left(receive))
        self._newest = gone
        while not gone.done() and self._newest is gone:  # what a page that came back has left behind takes nothing more
            body = b"".join(self._next())
            if body:
                await send(_more(body))
            await asyncio.sleep(0.0 if body else _PAUSE_S)
        gone.cancel()

    def _next(self) -> Iterator[bytes]:
        for _ in range(min(_AT_ONCE, self.limit - self.sent)):
            self.sent += 1
            yield self._spectra[self.sent % len(self._spectra)].of(self.sent)
            if self.sent % 5 == 0 or self.sent == self.limit:
                yield self._told()

    def _told(self) -> bytes:
        return b"event: state\ndata: %b\n\n" % self._state(self.sent).encode()


def _more(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
