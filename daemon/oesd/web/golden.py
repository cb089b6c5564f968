"""GET /golden, and PUT and DELETE of it: the run and the spectrum of each spectrometer that others are laid beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import utc_text
from oesd.store import Store
from oesd.store.newest import device_names
from oesd.store.runs import load_run
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import Check, data_id
from oesd.web.calls import About, Body, Call, Query, changing, reading

Chosen = Mapping[str, Mapping[str, str]]


class GoldenDesk(Protocol):
    """Who keeps what is golden; an OSError of its changes is one line for a person."""

    def document(self) -> Mapping[Any, Chosen]:
        """``runs`` and ``spectra``, by spectrometer."""
        ...

    def keep(self, sort: Literal["runs", "spectra"], chosen: Chosen) -> None:
        """Choose by spectrometer."""
        ...

    def forget(self, sort: Literal["runs", "spectra"], name: str, value: str, device: str = "") -> None:
        """Choose it no longer."""
        ...


class Chooser(Body):
    """Of which spectrometer, where a run has several; of all of them when none is named."""

    device: Annotated[str, Field(max_length=200)] = ""


class Nothing(Body):
    """No more than the path."""


class GoldenCalls:
    """The calls.

    Parameters
    ----------
    told : callable
        Gets the document after each change.
    """

    def __init__(
        self, store: Store, desk: GoldenDesk, may_read: Check, told: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._store, self._desk, self._may_read, self._told = store, desk, may_read, told

    def read(self, request: Request, _: Query) -> Response:
        """GET /golden."""
        self._may_read(request)
        return JsonAnswer(dict(self._desk.document()))

    def choose_run(self, request: Request, body: Chooser) -> Response:
        """PUT /runs/{run_id}/golden."""
        run_id = str(request.path_params["run_id"])
        devices = [body.device] if body.device else device_names(self._store)
        there = [one for one in devices if self._has_run(run_id, one)]
        if not there:
            raise Refusal(404, f"there is no run {run_id!r:.80}" + (f" of {body.device!r:.80}" if body.device else ""))
        return self._changed(lambda: self._desk.keep("runs", {one: {"run_id": run_id, **_now()} for one in there}))

    def clear_run(self, request: Request, body: Chooser) -> Response:
        """DELETE /runs/{run_id}/golden."""
        run_id = str(request.path_params["run_id"])
        return self._changed(lambda: self._desk.forget("runs", "run_id", run_id, body.device))

    def choose_spectrum(self, request: Request, _: Nothing) -> Response:
        """PUT /oes/{data_id}/golden."""
        entry_id = data_id(request)
        entry = self._store.entry(entry_id)
        if entry is None:
            raise Refusal(404, "no such data entry")
        capture = self._store.capture(entry.sample_id)
        if capture is None or self._store.mark(entry_id) is None:
            raise unprocessable(("path", "data_id"), "no spectrum of a spectrometer with a result")
        chosen = {"data_id": entry_id, "taken_at_utc": utc_text(capture.taken_at_utc), **_now()}
        return self._changed(lambda: self._desk.keep("spectra", {capture.device.name: chosen}))

    def clear_spectrum(self, request: Request, _: Nothing) -> Response:
        """DELETE /oes/{data_id}/golden."""
        entry_id = data_id(request)
        return self._changed(lambda: self._desk.forget("spectra", "data_id", entry_id))

    def _has_run(self, run_id: str, device: str) -> bool:
        return self._store.read(lambda db: load_run(db, run_id, device)) is not None

    def _changed(self, change: Callable[[], None]) -> Response:
        before = self._desk.document()
        try:
            change()
        except OSError as problem:
            raise Refusal(507, str(problem)) from problem
        document = dict(self._desk.document())
        if document != before:
            self._told(document)
        return JsonAnswer(document)


def golden_routes(
    store: Store,
    desk: GoldenDesk,
    may_read: Check,
    may_change: Check,
    told: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> list[Call]:
    """Return the routes; parameters as of :class:`GoldenCalls`."""
    calls = GoldenCalls(store, desk, may_read, told)

    def change(method: str, path: str, handler: Any, body: type[Body], about: About) -> Call:
        return changing(method, path, handler, body, may_change, about, optional=True)

    run, spectrum = "/runs/{run_id}/golden", "/oes/{data_id}/golden"
    notes = "One for each spectrometer: what was golden before no longer is."
    return [
        reading("/golden", calls.read, Query, About("runs", "The golden runs and spectra", "Golden")),
        change("PUT", run, calls.choose_run, Chooser,
               About("runs", "Compare others with this run", "Golden", refusals=(404, 507), notes=notes)),
        change("DELETE", run, calls.clear_run, Chooser,
               About("runs", "Compare with this run no longer", "Golden", refusals=(507,))),
        change("PUT", spectrum, calls.choose_spectrum, Nothing,
               About("entries", "Lay this spectrum beside others", "Golden", refusals=(404, 507), notes=notes)),
        change("DELETE", spectrum, calls.clear_spectrum, Nothing,
               About("entries", "Lay this spectrum beside others no longer", "Golden", refusals=(404, 507))),
    ]  # fmt: skip


def _now() -> dict[str, str]:
    return {"at_utc": utc_text(datetime.now(UTC))}
