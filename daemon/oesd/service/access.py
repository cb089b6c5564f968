"""How a command reaches the data: through the running daemon, or the store itself when none runs.

Only one process may write a store, so a running daemon is always asked and never bypassed.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from oesd.model import Recipe, is_uuid, utc_text
from oesd.processing import Processing
from oesd.service.directory import running, token_of
from oesd.service.summary import Summary
from oesd.store import Store, StoreError, Tally
from oesd.store.accounts import RUNS_LIMIT, By, ledger_document
from oesd.web.runs import runs_document

DEFAULT_URL = "http://127.0.0.1:8520"
_TIMEOUT_S = 30.0
_LONGEST_ANSWER = 64 * 1024 * 1024
_RECENT = 500
_HOW_TO_START = "start one with oesd run --config FILE, or systemctl start oesd; --url or --data names another"


class AccessError(Exception):
    """The data cannot be reached or the request was refused; one line for a person."""


class Access(Protocol):
    """What commands ask for."""

    def status(self) -> Mapping[str, Any]:
        """The daemon's state, or the store's tally when none runs."""
        ...

    def latest(self) -> str:
        """Data id of the newest entry that has a result."""
        ...

    def entries(self) -> Sequence[str]:
        """Data ids of all entries, oldest first."""
        ...

    def document(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes document of an entry."""
        ...

    def assign(self, data_id: str, peak_id: str, candidate_key: str) -> Mapping[str, Any]:
        """Choose a candidate of a peak by hand; returns the updated document."""
        ...

    def reprocess(self, data_id: str) -> None:
        """Make a new result of an entry."""
        ...

    def ledger(self, by: By, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /ledger document: what became of the scheduled slots since a moment."""
        ...

    def runs(self, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /runs document: the runs that had not ended before a moment."""
        ...


def remote(url: str | None, data: Path | None) -> Remote:
    """Reach the daemon at a URL, else that of a data directory, else the one at the usual place."""
    found = running(data) if data is not None and url is None else None
    if data is not None and url is None and found is None:
        raise AccessError(f"{data}: no daemon runs on it: {_HOW_TO_START}")
    return Remote(url or (found.url if found else DEFAULT_URL))


@contextmanager
def reach(url: str | None, data: Path | None) -> Iterator[Access]:
    """Reach the daemon at a URL or of a data directory, else the directory itself.

    Raises
    ------
    AccessError, StoreError
        One line that says what to give.
    """
    if data is None or url is not None or running(data) is not None:
        yield remote(url, data)
        return
    if not (data / "oesd.sqlite").exists():
        raise AccessError(f"{data}: no data of oesd there")
    store = Store.open(data)
    try:
        yield Offline(store)
    finally:
        store.close()


class Remote:
    """A running daemon, asked over its loopback API."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # No proxy: the daemon is on this machine, and its token must not leave it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def status(self) -> Mapping[str, Any]:
        """The daemon's state."""
        return self._object("GET", "/status")

    def latest(self) -> str:
        """Data id of the newest entry of any spectrometer that has a result."""
        return _newest([(entry["data_id"], entry["revision"]) for entry in self._page("")])

    def entries(self) -> Sequence[str]:
        """Data ids of all entries, oldest first."""
        found: list[str] = []
        page = self._page("")
        while page:
            found += [entry["data_id"] for entry in page]
            page = self._page(f"&before={found[-1]}")
        return found[::-1]

    def _page(self, before: str) -> list[dict[str, Any]]:
        page = self._ask("GET", f"/entries?limit={_RECENT}{before}")
        if not (isinstance(page, list) and all(isinstance(entry, dict) and "revision" in entry for entry in page)):
            raise AccessError(f"{self._url}: this is not an oesd daemon")
        return page

    def document(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes document of an entry."""
        return self._object("GET", f"/oes/{_checked(data_id)}")

    def assign(self, data_id: str, peak_id: str, candidate_key: str) -> Mapping[str, Any]:
        """Choose a candidate of a peak by hand."""
        body = {"peak_id": peak_id, "candidate_key": candidate_key}
        return self._object("PATCH", f"/oes/{_checked(data_id)}/peaks", body)

    def reprocess(self, data_id: str) -> None:
        """Make a new result of an entry."""
        self._ask("POST", f"/oes/{_checked(data_id)}/reprocess", {})

    def ledger(self, by: By, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /ledger document."""
        return self._object("GET", f"/ledger?by={by}&{_query(device_name, since)}")

    def runs(self, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /runs document."""
        return self._object("GET", f"/runs?limit={RUNS_LIMIT}&{_query(device_name, since)}")

    def order(self, body: Mapping[str, Any]) -> Mapping[str, str]:
        """Order a run, as POST /runs takes it; returns what happens by spectrometer."""
        said: Mapping[str, str] = self._object("POST", "/runs", body)["spectrometers"]
        return said

    def capture(self, kind: str, device: str) -> Sequence[str]:
        """Order a capture; returns the names of the spectrometers that take it."""
        names: Sequence[str] = self._object("POST", "/captures", {"kind": kind, "device": device})["ordered"]
        return names

    def _object(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._ask(method, path, body)
        if not isinstance(answer, dict):
            raise AccessError(f"{self._url}: this is not an oesd daemon")
        return answer

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {}
        if body is not None:
            headers = {"Content-Type": "application/json", "X-API-KEY": self._token()}
        data = None if body is None else json.dumps(body).encode()
        try:
            # The scheme is the caller's: _url comes from the daemon's own note or from the person's option.
            request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                return json.loads(answer.read(_LONGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                raise AccessError(_refusal(error)) from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", error)
            raise AccessError(f"no oesd daemon answers at {self._url} ({why}): {_HOW_TO_START}") from None
        except ValueError:
            raise AccessError(f"{self._url}: this is not an oesd daemon") from None

    def _token(self) -> str:
        """Token of the daemon at our URL; the directory that it names must name this URL too."""
        return token_of(self._url, Path(str(self.status().get("data_dir", ""))))


class Offline:
    """A store that no daemon uses at the moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._processing = Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None)

    def status(self) -> Mapping[str, Any]:
        """The tally alone: nothing runs."""
        return {"state": "no daemon runs", "summary": Summary(self.tally()).lines()}

    def tally(self) -> Tally:
        """The store's tally."""
        return self._store.tally()

    def latest(self) -> str:
        """Data id of the newest entry that has a result."""
        return _newest([(entry.data_id, entry.revision) for entry in self._store.entries(_RECENT)])

    def entries(self) -> Sequence[str]:
        """Data ids of all entries, oldest first."""
        found: list[str] = []
        page = self._store.entries(1000)
        while page:
            found += [entry.data_id for entry in page]
            page = self._store.entries(1000, before=found[-1])
        return found[::-1]

    def document(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes document of an entry."""
        result = self._store.result(_checked(data_id))
        if result is None:
            known = self._store.entry(data_id) is not None
            raise AccessError(f"{data_id}: not processed yet" if known else f"{data_id}: no such entry")
        return result.to_api()

    def assign(self, data_id: str, peak_id: str, candidate_key: str) -> Mapping[str, Any]:
        """Choose a candidate of a peak by hand."""
        try:
            return self._store.assign(_checked(data_id), peak_id, candidate_key, now=datetime.now(UTC)).to_api()
        except StoreError as error:
            raise AccessError(str(error)) from None

    def reprocess(self, data_id: str) -> None:
        """Make a new result of an entry with the recipe of its latest one."""
        latest = self._store.result(_checked(data_id))
        try:
            self._processing.process(data_id, latest.analysis.recipe if latest else None)
        except StoreError as error:
            raise AccessError(str(error)) from None

    def ledger(self, by: By, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /ledger document."""
        return ledger_document(self._store, by, device_name, since)

    def runs(self, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /runs document; what is on is not known without a daemon."""
        return runs_document(self._store, RUNS_LIMIT, device_name, since)


def _query(device_name: str | None, since: datetime) -> str:
    query = {"since": utc_text(since)} | ({} if device_name is None else {"device_name": device_name})
    return urllib.parse.urlencode(query)


def _newest(entries: Sequence[tuple[str, int]]) -> str:
    """Newest entry that has a result; entries come newest first."""
    found = next((data_id for data_id, revision in entries if revision), None)
    if found is None:
        raise AccessError("there is no entry with a result yet")
    return found


def _checked(data_id: str) -> str:
    if not is_uuid(data_id):
        raise AccessError(f"{data_id!r:.80} is no data id: 36 characters such as 0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90")
    return data_id


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        detail = json.loads(error.read(_LONGEST_ANSWER))["detail"]
    except (ValueError, KeyError, TypeError):
        return f"the daemon answered {error.code}"
    if isinstance(detail, list) and detail:
        return str(detail[0].get("msg", "refused"))
    return str(detail)
