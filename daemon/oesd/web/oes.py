"""GET /oes/{data_id}, its evidence, and PATCH /oes/{data_id}/peaks, the same for the daemon and for the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import Result
from oesd.store import Store, UnknownCandidate, UnknownEntry, UnknownPeak
from oesd.version import __version__
from oesd.web.answers import JsonAnswer, Refusal, encode, unprocessable
from oesd.web.bodies import Check, data_id
from oesd.web.calls import CSV, JSON, About, Body, Call, Query, changing, reading
from oesd.web.encoded import Encoded
from oesd.web.negotiation import preferred, tag, unless_known
from oesd.web.sheets import CSV_TYPE, sheet

NOT_PROCESSED = "not processed yet"
UNKNOWN = "no such data entry"
_COLUMNS = {
    "wavelength_nm": "wavelengths_nm",
    "sample": "sample",
    "dark": "dark",
    "reference": "reference",
    "scope_corrected": "scope_corrected",
}


class Assignment(Body):
    """Which candidate a peak is; null for what the engine says. What else is there does not matter, as in the cloud."""

    model_config = ConfigDict(extra="ignore")

    peak_id: str
    candidate_key: str | None


class Whatever(Query):
    """No more than the path; whatever else is asked does not matter, as in the cloud."""

    model_config = ConfigDict(extra="ignore")


def oes_routes(
    store: Store,
    *,
    may_read: Check,
    may_write: Check,
    on_its_way: Callable[[str], bool] = lambda _: False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    evidence: Callable[[str], Mapping[str, Any] | None] | None = None,
    stands_for: Callable[[str], str] = lambda data_id: data_id,
    changed: Callable[[Result, str], None] = lambda _result, _why: None,
) -> list[Call]:
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
        Told the result of an entry on whose peaks a person spoke, and ``assigned`` or ``cleared``.
    """
    lately = Encoded()

    def absent(entry_id: str) -> Refusal:
        stone = store.tombstone(entry_id)
        if stone is not None:
            return Refusal(410, stone.text)
        known = store.entry(entry_id) is not None or on_its_way(entry_id)
        return Refusal(404, NOT_PROCESSED if known else UNKNOWN)

    def loaded(entry_id: str) -> Result:
        result = store.result(stands_for(entry_id))
        if result is None:
            raise absent(entry_id)
        return result

    def get_result(request: Request, _: Whatever) -> Response:
        may_read(request)
        entry_id = data_id(request)
        mark = store.mark(stands_for(entry_id))
        if mark is None:
            raise absent(entry_id)
        if preferred(request, (JSON, CSV)) == CSV:
            etag = tag(__version__, mark, "csv")
            return unless_known(request, etag, lambda: _columns(loaded(entry_id)), CSV_TYPE)
        etag = tag(__version__, mark)

        def document() -> bytes:
            return lately.get(entry_id, etag, lambda: encode(_document(loaded(entry_id), entry_id)))

        return unless_known(request, etag, document, JSON)

    def patch_peak(request: Request, body: Assignment) -> Response:
        entry_id, peak_id = data_id(request), body.peak_id
        try:
            result = _said(stands_for(entry_id), body)
        except UnknownEntry as problem:
            raise absent(entry_id) from problem
        except UnknownPeak as problem:
            # An entry without a result has no peaks at all; that is another answer.
            if store.mark(stands_for(entry_id)) is None:
                raise absent(entry_id) from problem
            raise Refusal(404, f"no such peak: {peak_id[:64]!r}") from problem
        except UnknownCandidate as problem:
            raise _not_a_candidate(problem.keys) from problem
        return JsonAnswer(_document(result, entry_id))

    def _said(entry_id: str, body: Assignment) -> Result:
        if body.candidate_key is None:
            result = store.clear(entry_id, body.peak_id)
        else:
            result = store.assign(entry_id, body.peak_id, body.candidate_key, now=clock())
        changed(result, "cleared" if body.candidate_key is None else "assigned")
        return result

    def get_evidence(request: Request, _: Whatever) -> Response:
        may_read(request)
        entry_id = data_id(request)
        explained = None if evidence is None else evidence(stands_for(entry_id))
        if explained is None:
            raise absent(entry_id)
        return JsonAnswer(explained)

    get = About(
        "entries", "The most recent result of an entry", "OesDocument", media=(JSON, CSV), refusals=(404, 410),
        conditional=True, notes="As CSV the spectra alone, a column each.",
    )  # fmt: skip
    patch = About(
        "entries", "Say by hand what a peak is, or take that back", "OesDocument", refusals=(404, 410),
        notes="The word stays when the entry is processed again. `candidate_key` is one of the peak's, or null: then "
        "the engine's name counts again.",
    )  # fmt: skip
    why = About(
        "entries", "Why its elements are named", "EvidenceDocument", refusals=(404, 410),
        notes="The analysis is made again by the recipe of the result.",
    )  # fmt: skip
    return [
        reading("/oes/{data_id}", get_result, Whatever, get),
        changing("PATCH", "/oes/{data_id}/peaks", patch_peak, Assignment, may_write, patch),
        *([] if evidence is None else [reading("/oes/{data_id}/evidence", get_evidence, Whatever, why)]),
    ]


def _document(result: Result, entry_id: str) -> dict[str, Any]:
    return {**result.to_api(), "data_id": entry_id}


def _columns(result: Result) -> bytes:
    arrays = {title: getattr(result.analysis, name) for title, name in _COLUMNS.items()}
    there = {title: array.tolist() for title, array in arrays.items() if array is not None}
    return sheet(list(there), zip(*there.values(), strict=True))


def _not_a_candidate(keys: tuple[str, ...]) -> Refusal:
    message = f"not a candidate of this peak; valid keys: {', '.join(keys) or 'none'}"
    return unprocessable(("body", "candidate_key"), message, candidate_keys=list(keys))
