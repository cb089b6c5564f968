"""A connection of HTTP/1.1 that waits for nobody: not for a head that drips in, not for a client that does not read."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from oesd.web.answers import encode


class ImpatientH11(H11Protocol):
    """HTTP/1.1 with deadlines, and room for who comes.

    When all connections are taken, the one that has been waiting longest without a request gives way: a crowd that
    opens connections and says nothing keeps nobody out.

    Parameters
    ----------
    head_deadline_s : float
        For a request's head, from the connection's opening or the answer before.
    write_deadline_s : float
        For a client to take something of its answer.
    """

    def __init__(self, head_deadline_s: float, write_deadline_s: float, **given: Any) -> None:
        super().__init__(**given)
        self._head_deadline_s = head_deadline_s
        self._write_deadline_s = write_deadline_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open, and make room."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._make_room()
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Take data in."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        """Expect the client to read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._write_deadline_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It did."""
        super().resume_writing()
        self._disarm_write()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or a head that is too large, in the form of every error here."""
        body = encode({"detail": f"{msg} A head may have {self.config.h11_max_incomplete_event_size} bytes."})
        headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
        told = [(name.encode(), text.encode()) for name, text in headers.items()]
        answer = h11.Response(status_code=400, headers=told)
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close."""
        self._disarm_head()
        self._disarm_write()
        super().connection_lost(exc)

    @property
    def waits_until_s(self) -> float | None:
        """When its time for a head is over; None while it has a request under way."""
        return None if self._head_timer is None else self._head_timer.when()

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._disarm_head()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_deadline_s, self.transport.close)

    def _make_room(self) -> None:
        if self.limit_concurrency is None or len(self.connections) < self.limit_concurrency:
            return
        others = (one for one in self.connections if isinstance(one, ImpatientH11) and one is not self)
        waiting = [(one.waits_until_s, id(one), one) for one in others if one.waits_until_s is not None]
        if waiting:
            min(waiting)[-1].give_way()

    def give_way(self) -> None:
        """End at once, for another's sake."""
        self._disarm_head()
        self.connections.discard(self)
        self.transport.abort()

    def _disarm_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _disarm_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
