"""GET /oes/{data_id}, its evidence, and PATCH /oes/{data_id}/peaks, the same for the daemon and for the hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from oesd.model import Result
from oesd.store import Store, UnknownCandidate, UnknownEntry, UnknownPeak
from oesd.store.results import ShownResult, first_mark
from oesd.version import __version__
from oesd.web.answers import JsonAnswer, Refusal, encode, unprocessable
from oesd.web.bodies import Check, data_id
from oesd.web.calls import CSV, JSON, About, Call, TolerantBody, TolerantQuery, changing, reading
from oesd.web.encoded import Encoded, encodable
from oesd.web.negotiation import preferred, tag, unless_known
from oesd.web.sheets import CSV_TYPE, sheet
from oesd.web.turns import AtHand, making

NOT_PROCESSED = "not processed yet"
UNKNOWN = "no such data entry"
_COLUMNS = {
    "wavelength_nm": "wavelengths_nm",
    "sample": "sample",
    "dark": "dark",
    "reference": "reference",
    "scope_corrected": "scope_corrected",
}


class Assignment(TolerantBody):
    """Which candidate a peak is; null for what the engine says."""

    peak_id: str
    candidate_key: str | None


@dataclass(frozen=True, slots=True)
class OesDesk:
    """What the calls go by.

    Attributes
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
    lately : callable
        A result that was made a moment ago, None for most: what is at hand is not read.
    """

    store: Store
    may_read: Check
    may_write: Check
    on_its_way: Callable[[str], bool] = lambda _: False
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    evidence: Callable[[str], Mapping[str, Any] | None] | None = None
    stands_for: Callable[[str], str] = lambda data_id: data_id
    changed: Callable[[Result, str], None] = lambda _result, _why: None
    lately: Callable[[str], Result | None] = lambda _data_id: None

    def absent(self, entry_id: str) -> Refusal:
        """Why there is no result of an entry."""
        stone = self.store.tombstone(entry_id)
        if stone is not None:
            return Refusal(410, stone.text)
        known = self.store.entry(entry_id) is not None or self.on_its_way(entry_id)
        return Refusal(404, NOT_PROCESSED if known else UNKNOWN)

    def mark(self, entry_id: str) -> str:
        """Its mark, another one whenever its result is another; refused without a result."""
        mark = self.store.mark(self.stands_for(entry_id))
        if mark is None:
            raise self.absent(entry_id)
        return mark

    def shown(self, entry_id: str) -> ShownResult:
        """Its latest result as it is shown; refused without one."""
        shown = self.store.shown(self.stands_for(entry_id))
        if shown is None:
            raise self.absent(entry_id)
        return shown


class OesCalls:
    """The calls of an OES API."""

    def __init__(self, desk: OesDesk) -> None:
        self._desk = desk
        self._lately = Encoded()

    def get_result(self, request: Request, _: TolerantQuery) -> Response:
        """GET /oes/{data_id}."""
        desk = self._desk
        desk.may_read(request)
        entry_id = data_id(request)
        if preferred(request, (JSON, CSV)) == CSV:
            etag = tag(__version__, desk.mark(entry_id), "csv")
            return unless_known(request, etag, lambda: _columns(desk.shown(entry_id).result), CSV_TYPE)
        if "if-none-match" not in request.headers and entry_id not in self._lately:
            return self._first(request, entry_id)
        etag = tag(__version__, desk.mark(entry_id))

        def document() -> bytes:
            return self._lately.get(entry_id, etag, lambda: _encoded(desk.shown(entry_id), entry_id))

        return unless_known(request, etag, document, JSON)

    def _first(self, request: Request, entry_id: str) -> Response:
        """The document that nobody asked for lately: its mark is read with it."""
        desk = self._desk
        fresh = desk.lately(entry_id)
        with making:
            if fresh is not None and desk.mark(entry_id) == first_mark(fresh):
                etag, made = tag(__version__, first_mark(fresh)), encode(_document(fresh, entry_id))
            else:
                shown = desk.shown(entry_id)
                etag, made = tag(__version__, shown.mark), _encoded(shown, entry_id)
        return unless_known(request, etag, lambda: self._lately.put(entry_id, etag, made), JSON)

    def patch_peak(self, request: Request, body: Assignment) -> Response:
        """PATCH /oes/{data_id}/peaks."""
        entry_id = data_id(request)
        try:
            result = self._said(self._desk.stands_for(entry_id), body)
        except UnknownEntry as problem:
            raise self._desk.absent(entry_id) from problem
        except UnknownPeak as problem:
            self._desk.mark(entry_id)  # an entry without a result has no peaks at all; that is another answer
            raise Refusal(404, f"no such peak: {body.peak_id[:64]!r}") from problem
        except UnknownCandidate as problem:
            raise _not_a_candidate(problem.keys) from problem
        return JsonAnswer(_document(result, entry_id))

    def _said(self, entry_id: str, body: Assignment) -> Result:
        desk = self._desk
        if body.candidate_key is None:
            result = desk.store.clear(entry_id, body.peak_id, now=desk.clock())
        else:
            result = desk.store.assign(entry_id, body.peak_id, body.candidate_key, now=desk.clock())
        desk.changed(result, "cleared" if body.candidate_key is None else "assigned")
        return result

    def get_evidence(self, request: Request, _: TolerantQuery) -> Response:
        """GET /oes/{data_id}/evidence."""
        desk = self._desk
        desk.may_read(request)
        entry_id = data_id(request)
        with making:
            explained = None if desk.evidence is None else desk.evidence(desk.stands_for(entry_id))
        if explained is None:
            raise desk.absent(entry_id)
        return JsonAnswer(explained)


_GET = About(
    "entries", "The most recent result of an entry", "OesDocument", media=(JSON, CSV), refusals=(404, 410),
    conditional=True, notes="As CSV the spectra alone, a column each.",
)  # fmt: skip
_PATCH = About(
    "entries", "Say by hand what a peak is, or take that back", "OesDocument", refusals=(404, 410),
    notes="The word stays when the entry is processed again. `candidate_key` is one of the peak's, or null: then "
    "the engine's name counts again.",
)  # fmt: skip
_WHY = About(
    "entries", "Why its elements are named", "EvidenceDocument", refusals=(404, 410),
    notes="The analysis is made again by the recipe of the result.",
)  # fmt: skip


def oes_routes(desk: OesDesk) -> list[Call]:
    """Return the routes of the OES calls."""
    calls = OesCalls(desk)
    return [
        reading("/oes/{data_id}", calls.get_result, TolerantQuery, _GET, AtHand(desk.store.has_files)),
        changing("PATCH", "/oes/{data_id}/peaks", calls.patch_peak, Assignment, desk.may_write, _PATCH),
        *(
            []
            if desk.evidence is None
            else [reading("/oes/{data_id}/evidence", calls.get_evidence, TolerantQuery, _WHY)]
        ),
    ]


def _document(result: Result, entry_id: str) -> dict[str, Any]:
    return {**result.to_api(encodable), "data_id": entry_id}


def _encoded(shown: ShownResult, entry_id: str) -> bytes:
    return encode({**_document(shown.result, entry_id), "detected_peaks": shown.peaks})


def _columns(result: Result) -> bytes:
    arrays = {title: getattr(result.analysis, name) for title, name in _COLUMNS.items()}
    there = {title: array.tolist() for title, array in arrays.items() if array is not None}
    return sheet(list(there), zip(*there.values(), strict=True))


def _not_a_candidate(keys: tuple[str, ...]) -> Refusal:
    message = f"not a candidate of this peak; valid keys: {', '.join(keys) or 'none'}"
    return unprocessable(("body", "candidate_key"), message, candidate_keys=list(keys))
