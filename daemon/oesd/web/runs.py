"""Runs by HTTP: start, stop, pause and resume them, and list them by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Protocol

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.config import checked_labels, parse_duration_us
from oesd.model import RunOrder, utc_text
from oesd.store import Store
from oesd.store.accounts import RUNS_LIMIT, RunAccount
from oesd.store.newest import device_names
from oesd.store.runs import load_run
from oesd.web.answers import JsonAnswer, Refusal, fault, unprocessable
from oesd.web.asking import Moment, Name, Whole
from oesd.web.bodies import Check, takes_json
from oesd.web.calls import About, Body, Call, Query, Told, changing, reading
from oesd.web.golden import Chosen, GoldenDesk
from oesd.web.keys import KeyCheck

Action = Literal["start", "stop", "pause", "resume"]
ACTIONS: Mapping[str, Action] = {"start": "start", "stop": "stop", "pause": "pause", "resume": "resume"}

_SHORTEST_US = 1_000
_LARGEST_BURST = 1_000_000
_LISTED = 100


class RunDesk(Protocol):
    """Who takes the orders. Each answers what happens, a sentence by name of spectrometer; none for an unknown one."""

    def start(self, device: str, order: RunOrder) -> Mapping[str, str]:
        """Begin a run; ValueError, one line, when it cannot be as it is ordered."""
        ...

    def stop(self, device: str) -> Mapping[str, str]:
        """End the ordered run."""
        ...

    def pause(self, device: str, on: bool) -> Mapping[str, str]:
        """Pause, or go on."""
        ...

    def label(self, run_id: str, device: str, changes: Mapping[str, str | None]) -> Mapping[str, Mapping[str, str]]:
        """Change labels of a run that is on; all it has by spectrometer, none when it is not; ValueError as above."""
        ...

    def now(self) -> Mapping[str, Any]:
        """What counts now: ``standing`` and ``ordered``."""
        ...


class RunsQuery(Query):
    """Which runs."""

    limit: Whole = Field(_LISTED, ge=1, le=RUNS_LIMIT)
    device_name: Name | None = None
    since: Moment | None = Field(None, description="that had not ended before")


class RunOrderBody(BaseModel):
    """An order for a run, or for one that is on."""

    action: Action
    device: str = Field("", description="name or serial number of a spectrometer; all when empty")
    labels: dict[str, str] | None = Field(None, description="start: what its spectra are to be found by")
    every: str | None = Field(None, description='start: period, such as "200 ms"')
    duration: str | None = Field(None, description='start: such as "8 h"; without it until it is stopped')
    burst: int | None = Field(None, description="start: so many frames at the spectrometer's own speed")
    lock_exposure: bool | None = Field(None, description="start: keep the integration time")


class Labelling(Body):
    """Labels of a run that is on."""

    labels: dict[str, str | None] = Field(description="those that change; null takes one away")
    device: Name = Field("", description="name of a spectrometer, where a run has several; all when empty")


def run_routes(
    store: Store,
    desk: RunDesk,
    may_read: Check,
    may_change: KeyCheck,
    golden: GoldenDesk | None = None,
    told: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> list[Call]:
    """Return GET and POST /runs, and PATCH of one; ``told`` gets a run of a spectrometer that has other labels."""

    def label(request: Request, body: Labelling) -> Response:
        run_id = str(request.path_params["run_id"])
        try:
            labels = desk.label(run_id, body.device, body.labels)
        except ValueError as problem:
            raise unprocessable(("body", "labels"), str(problem)) from None
        if not labels:
            raise _not_on(store, run_id, body.device)
        for name, given in labels.items():
            told({"run_id": run_id, "device": name, "labels": dict(given)})
        return JsonAnswer({"run_id": run_id, "labels": {name: dict(given) for name, given in labels.items()}})

    def order(_: Request, body: dict[str, Any]) -> Response:
        action, device = _action(body), _device(body)
        said = _given(desk, action, device, body)
        if device and not said:
            raise Refusal(404, f"no spectrometer called {device!r:.80} is at work")
        return JsonAnswer({"action": action, "spectrometers": dict(said)}, 202)

    def list_runs(request: Request, query: RunsQuery) -> Response:
        may_read(request)
        known: Chosen = golden.document()["runs"] if golden else {}
        return JsonAnswer({**desk.now(), **runs_document(store, query.limit, query.device_name, query.since, known)})

    labelling = About(
        "runs", "Change labels of a run that is on", "RunLabels", refusals=(404, 409),
        notes="The spectra to come carry them, and are forwarded by them; those that were taken keep theirs.",
    )  # fmt: skip
    ordering = About("runs", "Start, stop, pause or resume runs", "RunAnswer", 202, refusals=(404,))
    order_told = Told("POST", ordering, body=RunOrderBody, guarded=True)
    return [
        reading("/runs", list_runs, RunsQuery, About("runs", "The runs, the last begun first", "RunList")),
        Call("/runs", takes_json(order, may_change), order_told),
        changing("PATCH", "/runs/{run_id}", label, Labelling, may_change, labelling),
    ]


def _not_on(store: Store, run_id: str, device: str) -> Refusal:
    """Why a run cannot have other labels."""
    names = [device] if device else device_names(store)
    if any(store.read(partial(load_run, run_id=run_id, device_name=name)) for name in names):
        return Refusal(409, "this run is over: its spectra have the labels that they were taken with")
    return Refusal(404, f"there is no run {run_id!r:.80}" + (f" of {device!r:.80}" if device else ""))


def runs_document(
    store: Store, limit: int, device_name: str | None, since: datetime | None, golden: Chosen | None = None
) -> dict[str, Any]:
    """Build the runs as the ledger has them, JSON-ready, the last begun first; those without an end are on."""
    accounts = store.run_accounts(limit, device_name=device_name, since=since)
    return {
        "now_utc": utc_text(datetime.now(UTC)),
        "runs": [_run_document(account, golden or {}) for account in accounts],
    }


def _run_document(account: RunAccount, golden: Chosen) -> dict[str, Any]:
    run = account.run
    chosen = golden.get(run.device_name, {})
    return {
        **account.to_api(),
        "cause": run.cause,
        "labels": dict(run.labels),
        "paced": run.paced,
        "on": run.ended_at_utc is None,
        "golden": chosen.get("run_id") == run.run_id,
    }


def _given(desk: RunDesk, action: Action, device: str, body: Mapping[str, Any]) -> Mapping[str, str]:
    if action == "start":
        order = order_of(body)
        try:
            return desk.start(device, order)
        except ValueError as problem:
            raise unprocessable(("body", "labels"), str(problem)) from None
    if action == "stop":
        return desk.stop(device)
    return desk.pause(device, action == "pause")


def _action(body: Mapping[str, Any]) -> Action:
    given = body.get("action")
    action = ACTIONS.get(given) if isinstance(given, str) else None
    if action is None:
        raise unprocessable(("body", "action"), f"must be one of {', '.join(ACTIONS)}")
    known = {"action", "device", *(_READERS if action == "start" else ())}
    strange = sorted(set(body) - known)
    if strange:
        also = 'goes with "start" only' if strange[0] in _READERS else f"is none of {', '.join(sorted(known))}"
        raise unprocessable(("body", strange[0][:80]), f"{strange[0]!r:.80} {also}")
    return action


def _device(body: Mapping[str, Any]) -> str:
    device = body.get("device", "")
    if not isinstance(device, str):
        raise unprocessable(("body", "device"), "must be the name or the serial number of a spectrometer")
    return device


def order_of(body: Mapping[str, Any]) -> RunOrder:
    """Order that a body asks for; refused with all its faults in one 422."""
    values, faults = {}, []
    for name, read in _READERS.items():
        try:
            values[name] = read(body.get(name))
        except ValueError as problem:
            faults.append(fault(("body", name), f"{name}: {problem}", "value_error"))
    if values.get("burst") and (values.get("every") is not None or values.get("duration")):
        text = "burst: goes at the spectrometer's own speed and ends by itself: give neither every nor duration with it"
        faults.append(fault(("body", "burst"), text, "value_error"))
    if faults:
        raise Refusal(422, faults)
    return RunOrder(
        "order", values["labels"], values["duration"], values["burst"], values["every"], values["lock_exposure"]
    )


def _labels(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise ValueError('an object of texts, such as {"sample": "GaN-7"}')
    return checked_labels(given)


def _duration_us(given: Any) -> int:
    if given is None:
        return 0
    duration_us = parse_duration_us(given)
    if not duration_us:
        raise ValueError("must be longer than nothing; leave it out for a run without an end")
    return duration_us


def _every_us(given: Any) -> int | None:
    if given is None:
        return None
    every_us = parse_duration_us(given)
    if every_us < _SHORTEST_US:
        raise ValueError('must be "1 ms" or more')
    return every_us


def _burst(given: Any) -> int:
    if given is None:
        return 0
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= _LARGEST_BURST:
        raise ValueError(f"must be a whole number of frames from 1 to {_LARGEST_BURST}")
    return given


def _lock(given: Any) -> bool:
    if given is not None and not isinstance(given, bool):
        raise ValueError("must be true or false")
    return bool(given)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "labels": _labels,
    "every": _every_us,
    "duration": _duration_us,
    "burst": _burst,
    "lock_exposure": _lock,
}
