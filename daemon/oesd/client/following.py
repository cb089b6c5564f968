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
) -> Iterator[Event]:
    """Results that are new or changed from now on, as events of the kind ``spectrum``, looked for every two seconds."""
    since = datetime.now(UTC)
    told: dict[str, str] = {}
    while True:
        newest = since
        for entry in sorted(catalogue(since - _OVERLAP), key=lambda entry: str(entry.get("last_updated", ""))):
            data_id, updated = str(entry.get("data_id", "")), str(entry.get("last_updated", ""))
            if entry.get("pipeline_status") != "success" or told.get(data_id) == updated:
                continue
            told[data_id] = updated
            newest = max(newest, _moment(updated) or newest)
            yield _as_event(get(data_id)[0])
        told = {
            data_id: updated
            for data_id, updated in told.items()
            if (_moment(updated) or newest) >= newest - 2 * _OVERLAP
        }
        since = newest
        pause(_LOOK_S)


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
