"""Following a server's news through breaks of the connection, and looking for them where it tells none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from oesd.client.errors import ClientError
from oesd.client.events import Event, NoEvents
from oesd.client.result import OESResult
from oesd.model import utc_from_text
from oesd.upload.errors import RetryLater, Uncertain, Unreachable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
_LOOK_S = 2.0
_OVERLAP = timedelta(seconds=2)  # servers tell the time of a change to the second
_CLOCKS_APART = timedelta(minutes=10)
_GONE, _BUSY = 404, 500
_FOR_NOW = (None, 408, 425, 429)  # no answer, or one that asks for patience

Listen = Callable[[str], Iterator[Event]]
"""Opens the stream after an event's id, "" for now."""


def followed(listen: Listen, pause: Callable[[float], None], *, reconnect: bool) -> Iterator[Event]:
    """Events in their order, each once; a stream that breaks is opened again after the last one, with growing pauses.

    Raises
    ------
    ClientError
        For what another attempt does not mend: the key, a server that tells no events. Without ``reconnect`` for all.
    """
    seen = _Seen()
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            for event in listen(seen.last_id):
                pause_s = _FIRST_PAUSE_S
                if seen.is_new(event):
                    yield event
            if not reconnect:
                return
        except (Unreachable, Uncertain, RetryLater, NoEvents) as error:
            if not reconnect:
                raise ClientError(str(error)) from None
        pause(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


class _Seen:
    """What came already: a server begins each connection with the newest spectra once more."""

    def __init__(self) -> None:
        self.last_id = ""
        self._newest: dict[str, tuple[object, object]] = {}

    def is_new(self, event: Event) -> bool:
        self.last_id = event.id or self.last_id
        if event.kind != "spectrum":
            return True
        device, this = str(event.data.get("device")), (event.data.get("data_id"), event.data.get("revision"))
        known = self._newest.get(device) == this
        self._newest[device] = this
        return not known


def polled(
    catalogue: Callable[[datetime], Sequence[Mapping[str, Any]]],
    get: Callable[[str], list[OESResult]],
    pause: Callable[[float], None],
    *,
    reconnect: bool = True,
) -> Iterator[Event]:
    """Results that are new or changed from now on, as events of the kind ``spectrum``, looked for every two seconds.

    Raises
    ------
    ClientError
        For what another attempt does not mend; without ``reconnect`` for all.
    """
    news = _News(datetime.now(UTC))
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            for data_id in news.of(catalogue(news.since)):
                result = _result_of(get, data_id)
                news.told(data_id)
                if result is not None:
                    yield _as_event(result)
            pause_s = _FIRST_PAUSE_S
        except ClientError as error:
            if not reconnect or not (error.status_code in _FOR_NOW or error.status_code >= _BUSY):
                raise
            pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        else:
            pause(_LOOK_S)


def _result_of(get: Callable[[str], list[OESResult]], data_id: str) -> OESResult | None:
    """The result of an entry, None when it was deleted meanwhile."""
    try:
        return get(data_id)[0]
    except ClientError as error:
        if error.status_code != _GONE:
            raise
    return None


class _News:
    """What a catalogue tells that it did not tell before.

    Times in it are of the server's clock, which may be behind ours: the first look goes back further, and what it finds
    there is old.
    """

    def __init__(self, now: datetime) -> None:
        self._began, self._newest = now, now - _CLOCKS_APART
        self._told: dict[str, str] = {}
        self._found: dict[str, str] = {}
        self._first = True

    @property
    def since(self) -> datetime:
        """From when on changes are to be asked for."""
        return self._newest - _OVERLAP

    def of(self, catalogue: Sequence[Mapping[str, Any]]) -> list[str]:
        """Ids of what is new in a catalogue, the first changed first; each is news until it is said to be told."""
        listed = {
            str(entry.get("data_id", "")): str(entry.get("last_updated", ""))
            for entry in sorted(catalogue, key=lambda entry: str(entry.get("last_updated", "")))
            if entry.get("pipeline_status") == "success"
        }
        self._found = listed
        if self._first:
            old = [one for one, updated in listed.items() if self._moment(updated) < self._began - _OVERLAP]
            for data_id in old:
                self.told(data_id)
        self._first = False
        late = self._newest - 2 * _OVERLAP
        self._told = {one: updated for one, updated in self._told.items() if self._moment(updated) >= late}
        return [one for one, updated in listed.items() if self._told.get(one) != updated]

    def told(self, data_id: str) -> None:
        """It was handed on, or is none."""
        self._told[data_id] = updated = self._found[data_id]
        self._newest = max(self._newest, self._moment(updated))

    def _moment(self, text: str) -> datetime:
        return _moment(text) or self._newest


def _moment(text: str) -> datetime | None:
    try:
        return utc_from_text(text)
    except ValueError:
        return None


def _as_event(result: OESResult) -> Event:
    about = result.spectral_metadata
    data = {
        "data_id": result.data_id,
        "device": about.get("device") or about.get("device_name") or "",
        "taken_at_utc": about.get("taken_at", ""),
        "wavelengths_nm": result.wavelengths,
        "scope_corrected": result.scope_corrected,
        "peaks": result.detected_peaks,
        "elements": result.elements,
        "molecules": result.molecules,
        "simulated": bool(about.get("simulated")),
    }
    return Event("spectrum", data, "")
