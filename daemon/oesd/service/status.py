"""What a person is told: for each spectrometer in one plain line what it does, since when, and what to do about it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from oesd.acquisition import UnitState
from oesd.model import RunRecord, utc_text
from oesd.processing import Processing
from oesd.service.advice import advice_for
from oesd.store import Store, Tally
from oesd.store.accounts import total

WELL = ("measuring", "idle", "waiting for plasma", "waiting for trigger", "paused")
"""States of a unit that are no trouble; any other is the reason for which its slots are lost."""

_DAY = timedelta(hours=24)
_BY = {"always": "without end", "plan": "by the plan", "order": "by order", "plasma on": "while the plasma is on"}


class Since:
    """Remembers since when each thing is what it is."""

    def __init__(self, utc: Callable[[], datetime]) -> None:
        self._utc = utc
        self._seen: dict[str, tuple[str, datetime]] = {}
        self._lock = threading.Lock()

    def note(self, name: str, what: str) -> datetime:
        """Note what it is now; returns since when."""
        with self._lock:
            before = self._seen.get(name)
            if before is None or before[0] != what:
                before = self._seen[name] = (what, self._utc())
            return before[1]


def word_of(state: UnitState, paused: bool) -> str:
    """What a unit is doing, in one or two words: its state, or that it is paused."""
    return "paused" if paused and state.state in WELL else state.state


def spectrometer_document(state: UnitState, run: RunRecord | None, word: str, since: datetime) -> dict[str, Any]:
    """Build what /status says of a spectrometer, JSON-ready: its state, and the line that a person reads.

    Parameters
    ----------
    state : UnitState
    run : RunRecord or None
        The run that is on.
    word, since : str, datetime
        As :func:`word_of` has it, and since when it is so.
    """
    last = state.last_capture_utc
    return {
        **{field.name: getattr(state, field.name) for field in fields(state)},
        "last_capture_utc": utc_text(last) if last else None,
        "run_labels": dict(state.run_labels),
        "run_began_utc": utc_text(run.began_at_utc) if run else None,
        "word": word,
        "since_utc": utc_text(since),
        "level": "good" if word == "measuring" else "wait" if word in WELL else "bad",
        "line": line_of(state, run, word, since),
        "due": dict(state.due),
    }


def line_of(state: UnitState, run: RunRecord | None, word: str, since: datetime) -> str:
    """Return the plain line: what it does, since when, why, with which labels."""
    labels = "".join(f", {name}={text}" for name, text in state.run_labels.items())
    if word == "measuring" and run is not None:
        return f"measuring {_BY.get(run.cause, run.cause)} since {_minute(run.began_at_utc)}{labels}"
    why = state.detail or (state.plasma if word == "waiting for plasma" else "")
    return f"{word} since {_minute(since)}" + (f": {why}" if why else "") + labels


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day_document(store: Store, now: datetime) -> dict[str, Any]:
    """Build the account of the last 24 hours, in whole hours, JSON-ready."""
    since = now - _DAY
    return {"since_utc": utc_text(since), **total(store.ledger_hours(since=since)).to_api()}


def whole_tally(store: Store, processing: Processing) -> Tally:
    """The store's tally, and the losses that a full disk keeps out of it."""
    tally, unrecorded = store.tally(), processing.unrecorded()
    lost = with_unrecorded(tally.lost, unrecorded)
    return replace(tally, captured=tally.captured + sum(unrecorded.values()), lost=lost)


def with_unrecorded(lost: Mapping[str, int], unrecorded: Mapping[str, int]) -> dict[str, int]:
    """Lost slots by reason, those that a full disk keeps out of the ledger included."""
    return {reason: lost.get(reason, 0) + unrecorded.get(reason, 0) for reason in {**lost, **unrecorded}}


def accounts_document(store: Store, processing: Processing, now: datetime) -> dict[str, Any]:
    """Build what /status says of what became of the spectra, and of how they are analysed; JSON-ready."""
    from oesd.processing.jobs import versions  # who asks has the engine imported, not the start

    tally, day = whole_tally(store, processing), day_document(store, now)
    return {
        "tally": asdict(tally),
        "day": day,
        "unrecorded": processing.unrecorded(),
        "advice": advice_for([*tally.lost, *tally.lost_calibration, *day["lost"]]),
        "library": processing.library_state(),
        "recipe": processing.recipe.as_dict(),
        "versions": astuple(versions()),
        "store": processing.trouble,
    }
