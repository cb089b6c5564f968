"""GET /oes/{data_id}, its evidence, and PATCH /oes/{data_id}/peaks, the same for the daemon and for the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.store import Store, UnknownCandidate, UnknownEntry, UnknownPeak
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import Check, data_id, takes_json, texts

NOT_PROCESSED = "not processed yet"
UNKNOWN = "no such data entry"


def oes_routes(
    store: Store,
    *,
    may_read: Check,
    may_write: Check,
    on_its_way: Callable[[str], bool] = lambda _: False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
    stands_for: Callable[[str], str] = lambda data_id: data_id,
    changed: Callable[[str], None] = lambda _: None,
) -> list[Route]:
    """Return the routes of the OES calls.

    Parameters
    ----------
    may_read, may_write : callable
        Raise :class:`~oesd.web.answers.Refusal` for a request that may not.
    on_its_way : callable
        Whether a data id that the store does not know was given out already (an upload that is not finished).
    clock : callable
        UTC now, the time of an override.
    evidence : callable, optional
        Tells why the result of an entry is what it is, None when it has none; without it the call does not exist.
    stands_for : callable
        The entry that a data id is another name of; the id itself for most.
    changed : callable
        Told the data id of an entry whose peaks were assigned.
    """

    def absent(entry_id: str) -> Refusal:
        stone = store.tombstone(entry_id)
        if stone is not None:
            return Refusal(410, stone.text)
        known = store.entry(entry_id) is not None or on_its_way(entry_id)
        return Refusal(404, NOT_PROCESSED if known else UNKNOWN)

    def get_result(request: Request) -> Response:
        may_read(request)
        entry_id = data_id(request)
        result = store.result(stands_for(entry_id))
        if result is None:
            raise absent(entry_id)
        return JsonAnswer({**result.to_api(), "data_id": entry_id})

    def patch_peak(request: Request, body: dict[str, Any]) -> Response:
        entry_id = data_id(request)
        peak_id, candidate_key = texts(body, "peak_id", "candidate_key")
        try:
            result = store.assign(stands_for(entry_id), peak_id, candidate_key, now=clock())
            changed(result.data_id)
            return JsonAnswer({**result.to_api(), "data_id": entry_id})
        except UnknownEntry as problem:
            raise absent(entry_id) from problem
        except UnknownPeak as problem:
            # An entry without a result has no peaks at all; that is another answer.
            if store.result(stands_for(entry_id)) is None:
                raise absent(entry_id) from problem
            raise Refusal(404, f"no such peak: {peak_id[:64]!r}") from problem
        except UnknownCandidate as problem:
            raise _not_a_candidate(problem.keys) from problem

    def get_evidence(request: Request) -> Response:
        may_read(request)
        entry_id = data_id(request)
        explained = None if evidence is None else evidence(stands_for(entry_id))
        if explained is None:
            raise absent(entry_id)
        return JsonAnswer(explained)

    return [
        Route("/oes/{data_id}", get_result, methods=["GET"]),
        Route("/oes/{data_id}/peaks", takes_json(patch_peak, may_write), methods=["PATCH"]),
        *([] if evidence is None else [Route("/oes/{data_id}/evidence", get_evidence, methods=["GET"])]),
    ]


def _not_a_candidate(keys: tuple[str, ...]) -> Refusal:
    message = f"not a candidate of this peak; valid keys: {', '.join(keys) or 'none'}"
    return unprocessable(("body", "candidate_key"), message, candidate_keys=list(keys))
