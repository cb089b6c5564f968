"""The client: the vendor's names and environment, for a daemon, a hub and the cloud alike."""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Self

from oesd.client.bars import with_bar
from oesd.client.errors import HINTS, ClientError, as_client_errors
from oesd.client.events import Event, events_of
from oesd.client.following import followed, polled
from oesd.client.result import OESResult
from oesd.client.saving import made_here, new_file
from oesd.client.search import Entries, of_catalogue, of_daemon
from oesd.model import is_uuid, utc_text
from oesd.upload.address import Endpoint, QueryPairs, is_loopback
from oesd.upload.call import Deadlines
from oesd.upload.errors import NotFound, ProtocolBroken
from oesd.upload.http import ApiHttp
from oesd.upload.key import ApiKey
from oesd.upload.streams import stream

CLOUD = "https://api.atomscale.ai/"
_CAP_BYTES = 64 * 1024 * 1024
_AT_ONCE = 4
_PAGE = 500
_SILENCE_S = 30.0  # a daemon says at least every ten seconds that it is there
_EXPORT_SILENCE_S = 120.0
_MOST_IN_URL = 1000
_NOT_SERVED = (404, 405)
_STATES = {"processed": "success", "waiting": "running", "failed": "error", "": "all"}
_NO_KEY = ApiKey("no-key-was-given")


class Client:
    """Client of the OES API.

    Parameters
    ----------
    api_key : str, optional
        Else ``AS_API_KEY``, else ``ATOMSCALE_API_KEY`` of the environment; "" for none. A daemon on this machine lets
        itself be read without one. It is sent to the endpoint only, and never shown.
    endpoint : str, optional
        Else ``AS_API_ENDPOINT``, else the cloud: ``http://127.0.0.1:8520`` is a daemon on this machine.
    mute_bars : bool
        Whether no bar tells how far several results are; there is none where stderr is no terminal.
    timeout_s : float
        How long one answer may take.

    Raises
    ------
    ClientError
        One line, as every method does: without a key where one is needed, for an endpoint that is no address.
    """

    def __init__(
        self, api_key: str | None = None, endpoint: str | None = None, *, timeout_s: float = 90, mute_bars: bool = False
    ) -> None:
        self.mute_bars = mute_bars
        environment = os.environ
        given = environment.get("AS_API_KEY") or environment.get("ATOMSCALE_API_KEY") if api_key is None else api_key
        with as_client_errors():
            self._endpoint = Endpoint.parse(endpoint or environment.get("AS_API_ENDPOINT") or CLOUD)
            self._key = ApiKey(given) if given else None
        del given, api_key  # a traceback that prints locals shows nothing
        if self._key is None and not is_loopback(self._endpoint.host):
            raise ClientError(f"no API key for {self._endpoint.host}: give api_key=, or set AS_API_KEY")
        deadlines = Deadlines(read_s=timeout_s, call_s=timeout_s)
        self._pause: Callable[[float], None] = time.sleep
        self._http = ApiHttp(self._endpoint, self._key or _NO_KEY, deadlines=deadlines)
        weakref.finalize(self, self._http.close)

    def __repr__(self) -> str:
        return f"Client(endpoint={self.endpoint!r}, api_key={'***' if self._key else None})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds an API key, which is not to be copied into a file")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def endpoint(self) -> str:
        """Address of the API, with a final slash."""
        return self._endpoint.base

    # -- results ------------------------------------------------------------------------------------------------------

    def get(self, data_ids: str | Sequence[str]) -> list[OESResult]:
        """Latest results of entries, in the order of their ids.

        Raises
        ------
        ClientError
            Also when one of them is no entry, or has no result yet (``status_code`` 404).
        """
        wanted = [data_ids] if isinstance(data_ids, str) else list(data_ids)
        for data_id in wanted:
            _checked(data_id)
        if len(wanted) < 2:
            return [self._result(data_id) for data_id in wanted]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(with_bar(threads.map(self._result, wanted), len(wanted), muted=self.mute_bars))

    def _result(self, data_id: str) -> OESResult:
        return OESResult(self._json(f"GET /oes/{data_id}", "GET", f"oes/{data_id}"))

    def assign(self, data_id: str | OESResult, peak_id: str, candidate_key: str | None) -> OESResult:
        """Say by hand what a peak is (``Ga_417.2``); None takes it back. Returns the updated result.

        The choice survives every reprocessing. ``candidate_key`` is one of the peak's ``candidates``.
        """
        entry = _checked(data_id.data_id if isinstance(data_id, OESResult) else data_id)
        body = json.dumps({"peak_id": peak_id, "candidate_key": candidate_key}).encode()
        return OESResult(self._json(f"PATCH /oes/{entry}/peaks", "PATCH", f"oes/{entry}/peaks", body=body))

    # -- search -------------------------------------------------------------------------------------------------------

    def search(
        self,
        *,
        device: str = "",
        run: str = "",
        elements: str | Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        state: str = "processed",
        since: datetime | None = None,
        until: datetime | None = None,
        keywords: str | Sequence[str] = (),
        limit: int = 1000,
    ) -> Entries:
        """Entries that fit all that is given, newest first, at most ``limit``.

        A daemon and a hub are asked for spectrometer, run, elements, labels and time of measuring; the cloud, and a hub
        with ``keywords``, for these and the time of uploading. What the server cannot be asked for is an error, not an
        empty answer.

        Parameters
        ----------
        state : str
            ``processed``: those that :meth:`get` has a result of; ``waiting``, ``failed``, or "" for all.
        """
        wanted = (elements,) if isinstance(elements, str) else tuple(elements)
        words = (keywords,) if isinstance(keywords, str) and keywords else tuple(keywords)
        if state not in _STATES:
            raise ClientError(f'state {state!r} is none of {", ".join(filter(None, _STATES))}, or "" for all')
        query = [("device", device), ("run", run), ("state", state), *(("element", one) for one in wanted)]
        query += [("label", f"{name}={text}") for name, text in (labels or {}).items()]
        query += [(name, utc_text(when)) for name, when in (("since", since), ("until", until)) if when]
        if not words:
            try:
                found = self._pages([(name, value) for name, value in query if value], limit)
                return Entries(of_daemon(entry) for entry in found)
            except ClientError as error:
                if error.status_code not in _NOT_SERVED:
                    raise
        if device or run or wanted or labels:
            raise ClientError(
                f"{self._endpoint.host} is neither daemon nor hub: it is searched by keywords, since and until only"
            )
        try:
            return self._catalogue(words, _STATES[state], since, until, limit)
        except ClientError as error:
            if error.status_code not in _NOT_SERVED:
                raise
            raise ClientError(
                f"{self._endpoint.host} takes no keywords: they are for a hub and the cloud", 404
            ) from None

    def _pages(self, query: QueryPairs, limit: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None and len(found) < limit:
            size = [("limit", str(min(_PAGE, limit - len(found))))]
            page = self._json("GET /oes", "GET", "oes", [*query, *size, *([("cursor", cursor)] if cursor else [])])
            entries = page.get("entries") if isinstance(page, dict) else None
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ClientError(f"{self._endpoint.host} answered a search with something else")
            found += entries
            cursor = page.get("next") if entries else None
        return found

    def _catalogue(
        self, words: Sequence[str], status: str, since: datetime | None, until: datetime | None, limit: int
    ) -> Entries:
        query = [("include_organization_data", "True"), ("data_type", "oes"), ("status", status)]
        query += [("keywords", word) for word in words]
        bounds = (("upload_datetime_min", since), ("upload_datetime_max", until))
        query += [(name, utc_text(when)) for name, when in bounds if when]
        answer = self._json("GET /data_entries/", "GET", "data_entries/", query)
        entries = answer if isinstance(answer, list) else []
        return Entries(
            of_catalogue(entry) for entry in entries[:limit] if isinstance(entry, dict) and "data_id" in entry
        )

    # -- what happens, and files --------------------------------------------------------------------------------------

    def live(
        self, *, device: str = "", kinds: Sequence[str] = ("spectrum",), points: int = 800, reconnect: bool = True
    ) -> Iterator[Event]:
        """What happens, as it happens: iterate, and break off when it is enough.

        A break of the connection is bridged: it goes on after the last event, a spectrum comes once. A hub and the
        cloud have no events: there the latest results are looked for every two seconds.

        Parameters
        ----------
        kinds : sequence of str
            Of ``spectrum``, ``change`` (an entry has another result), ``alarm`` and ``state`` (each second).
        points : int
            Of a spectrum at most, the lowest and the highest of each stretch; 0 for every pixel.
        reconnect : bool
            False ends it, without an error, when the server ends the stream.
        """
        listen = partial(self._stream_events, device, points)
        try:
            with as_client_errors():
                events = followed(listen, self._pause, reconnect=reconnect)
                yield from (event for event in events if event.kind in kinds)
        except ClientError as error:
            if error.status_code not in _NOT_SERVED:
                raise
            yield from polled(self._catalogue_since, self.get, self._pause, reconnect=reconnect)

    def _stream_events(self, device: str, points: int, last_id: str) -> Iterator[Event]:
        url = self._endpoint.url("events", [("points", str(points)), *([("device", device)] if device else [])])
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        with stream(self._endpoint, self._key, "GET /events", url, silence_s=_SILENCE_S, headers=headers) as answer:
            if not answer.headers.get("content-type", "").startswith("text/event-stream"):
                raise NotFound("GET /events: no events there", 404)
            yield from events_of(answer.pieces())

    def _catalogue_since(self, since: datetime) -> list[dict[str, Any]]:
        query = [("include_organization_data", "True"), ("data_type", "oes"), ("last_updated_min", utc_text(since))]
        found = self._json("GET /data_entries/", "GET", "data_entries/", query)
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def export(
        self, data_ids: str | Sequence[str], to: str | Path, *, format: str = "csv", overwrite: bool = False
    ) -> Path:
        """Write entries to a file as ``csv``, ``txt`` (OceanView), ``jdx`` (JCAMP-DX), ``h5`` (NeXus) or ``parquet``.

        Several are one file as h5 and parquet, else a ZIP archive of a file each. The file has its name when it is
        whole. Where the server makes no files, they are made here, of the results.
        """
        wanted = [data_ids] if isinstance(data_ids, str) else list(data_ids)
        if not wanted:
            raise ClientError("no data ids to export")
        for data_id in wanted:
            _checked(data_id)
        target = Path(to)
        if len(wanted) > 1 and format in ("csv", "txt", "jdx") and target.suffix.lower() != ".zip":
            raise ClientError(f"{len(wanted)} entries as {format} are a ZIP archive: name it {target.stem}.zip")
        with new_file(target, overwrite) as out, as_client_errors():
            for piece in self._exported(wanted, format):
                out.write(piece)
        return target

    def _exported(self, wanted: Sequence[str], form: str) -> Iterator[bytes]:
        url = self._endpoint.url("export", [("format", form), ("ids", ",".join(wanted))])
        if len(wanted) <= _MOST_IN_URL:
            try:
                with stream(self._endpoint, self._key, "GET /export", url, silence_s=_EXPORT_SILENCE_S) as answer:
                    yield from answer.pieces()
                return
            except ProtocolBroken as error:
                if error.status not in _NOT_SERVED:
                    raise
        documents = (self._json("GET /oes", "GET", f"oes/{data_id}") for data_id in wanted)
        yield from made_here(documents, form, several=len(wanted) > 1)

    # -- calls --------------------------------------------------------------------------------------------------------

    def _json(self, what: str, method: str, path: str, query: QueryPairs = (), *, body: bytes | None = None) -> Any:
        if body is not None and self._key is None:
            raise ClientError(f"{what} needs a key: {HINTS[401]}", 401)
        url = self._endpoint.url(path, query)
        with as_client_errors():
            return self._http.json(what, method, url, body=body, cap_bytes=_CAP_BYTES, with_key=self._key is not None)


def _checked(data_id: str) -> str:
    """The id, once it is one: it becomes part of an address."""
    if not (isinstance(data_id, str) and is_uuid(data_id)):
        raise ClientError(f"{data_id!r:.80} is no data id: 36 characters such as 0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90")
    return data_id
