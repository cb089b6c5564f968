"""GET /export: entries as files of a form that other software reads, streamed as they are made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Annotated, Literal, Protocol

from anyio import CancelScope
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from oesd.model import is_uuid
from oesd.store import Store, UnknownEntry
from oesd.store.finding import Sought
from oesd.web.answers import Refusal, unprocessable
from oesd.web.bodies import Check
from oesd.web.calls import About, Call, reading
from oesd.web.entries import MOST, Search
from oesd.web.turns import making

MOST_ENTRIES = 100_000
AT_ONCE = 2  # exports: the others wait their turn with 503
_MEDIA = (
    "text/csv", "text/plain", "chemical/x-jcamp-dx", "application/x-hdf5", "application/vnd.apache.parquet",
    "application/zip",
)  # fmt: skip


class Exported(Protocol):
    """A file on its way."""

    @property
    def file_name(self) -> str:
        """Name for who saves it, ASCII."""
        ...

    @property
    def media_type(self) -> str:
        """Content type."""
        ...

    @property
    def pieces(self) -> Iterator[bytes]:
        """Its bytes, made when they are asked for."""
        ...


Export = Callable[[Iterator[str], str], Exported]


class ExportQuery(Search):
    """Which entries, and as what."""

    ids: tuple[Annotated[str, Field(max_length=15_000)], ...] = Field(
        (),
        max_length=16,
        description="data ids, repeated or with commas; without any the search counts",
    )
    format: Literal["csv", "txt", "jdx", "h5", "parquet"] = "csv"

    def data_ids(self) -> list[str]:
        """The ids that are named."""
        return [one.strip() for text in self.ids for one in text.split(",") if one.strip()]


def export_route(store: Store, export: Export, may_read: Check) -> Call:
    """Return the route.

    Parameters
    ----------
    export : callable
        ``export(data_ids, format)`` makes the file; ValueError says in a line why it cannot be made, UnknownEntry that
        there is no such entry. Bytes that cannot be made midway end the connection without its end.
    """
    turns = threading.BoundedSemaphore(AT_ONCE)

    def read_export(request: Request, query: ExportQuery) -> Response:
        may_read(request)
        ids = _named(query) or _found(store, query)
        if not turns.acquire(blocking=False):
            raise Refusal(503, f"{AT_ONCE} exports are under way; try again when one is done", retry_after_s=5)
        try:
            made = _begun(export, ids, query.format)
        except BaseException:
            turns.release()
            raise
        name = made.file_name.replace('"', "")
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return _Streamed(made, turns.release, headers)

    about = About(
        "entries", "Entries as files of other software", media=_MEDIA, refusals=(404, 410, 503),
        notes=f"By `ids`, or by the search of GET /oes; at most {MOST_ENTRIES} entries. Several entries in a form that "
        "holds one come as a ZIP archive.",
    )  # fmt: skip
    return reading("/export", read_export, ExportQuery, about)


def _named(query: ExportQuery) -> Iterator[str] | None:
    ids = query.data_ids()
    if len(ids) > MOST_ENTRIES:
        raise unprocessable(("query", "ids"), f"at most {MOST_ENTRIES}")
    strange = next((one for one in ids if not is_uuid(one)), None)
    if strange is not None:
        raise unprocessable(("query", "ids"), f"{strange!r:.80} is no data id")
    return iter(ids) if ids else None


def _found(store: Store, query: ExportQuery) -> Iterator[str]:
    sought = query.sought(oldest_first=True)
    if sought == Sought(oldest_first=True):
        raise unprocessable(("query", "ids"), "say which entries: ids, run, since, device ...")
    ids = list(_all(store, sought))
    if not ids:
        raise Refusal(404, "no entry fits that description")
    if len(ids) > MOST_ENTRIES:
        raise unprocessable(("query", "until"), f"more than {MOST_ENTRIES} entries fit: narrow it, by time say")
    return iter(ids)


def _all(store: Store, sought: Sought) -> Iterator[str]:
    cursor, number = None, 0
    while number <= MOST_ENTRIES:
        found = store.find(sought, MOST, cursor)
        number += len(found.entries)
        yield from (one.summary.data_id for one in found.entries)
        cursor = found.cursor
        if cursor is None:
            return


def _begun(export: Export, ids: Iterator[str], form: str) -> Exported:
    try:
        with making:
            return export(ids, form)
    except UnknownEntry as problem:
        raise Refusal(404, "no such data entry") from problem
    except ValueError as problem:
        raise unprocessable(("query", "format"), str(problem)) from problem


class _Streamed(StreamingResponse):
    """A file on its way; its work ends with it, or when nobody wants it any more."""

    def __init__(self, made: Exported, done: Callable[[], None], headers: dict[str, str]) -> None:
        super().__init__(made.pieces, media_type=made.media_type, headers=headers)
        self._pieces = made.pieces
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await run_in_threadpool(self._end)

    def _end(self) -> None:
        try:
            end = getattr(self._pieces, "close", None)  # of a generator, or of what has work to end
            if end is not None:
                end()
        finally:
            self._done()
