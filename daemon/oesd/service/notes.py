"""What an operator is told of a spectrometer beside its state: what to do, its darks and references, which are due.

The sentences are made here and nowhere else: the command and the page show the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from oesd.acquisition import UnitState
from oesd.config import Config
from oesd.model import Entry, Kind, utc_from_text
from oesd.service.advice import ADVICE
from oesd.service.status import WELL

_DO = {"idle": "to measure: oesd run start", "paused": "to go on: oesd run resume"}
_HOW = {
    "switch": "it is taken by itself as soon as there is a gap",
    "window": "it is taken in the window of the plan; at once: {order}",
    "plasma off": "it is taken when the plasma is off; at once: {order}",
}
_LOG = "see the daemon's log"
_LESS_LIGHT = 'shorten the integration time, or set [exposure] mode = "auto"'
_BY_HAND = {Kind.DARK: "block the light, then: {order}", Kind.REFERENCE: "bring the reference light, then: {order}"}


def notes_of(
    state: UnitState,
    word: str,
    library: Mapping[str, Any],
    newest: Entry | None,
    config: Config,
    now: datetime,
) -> list[dict[str, str]]:
    """Build the notes, JSON-ready: ``level`` is "", "wait" or "bad", ``text`` a sentence.

    Parameters
    ----------
    word : str
        What it is doing.
    library : mapping
        What the processing knows of its darks and references.
    newest : Entry or None
        The newest one: which dark and reference serve now, and why.
    config : Config
        Says how darks and references are taken.
    now : datetime
        For ages.
    """
    notes = _advice(word)
    if state.saturated_pixels:
        pixels = f"{state.saturated_pixels} pixels are saturated at {state.integration_us / 1000:g} ms"
        notes.append(_note("wait", f"{pixels}: {_LESS_LIGHT}"))
    for kind in (Kind.DARK, Kind.REFERENCE):
        facts = library.get(f"{kind}s", {})
        reason = "" if newest is None else newest.dark_reason if kind is Kind.DARK else newest.reference_reason
        notes += _background(kind, facts, reason, now) + _due(state, kind, facts, config)
    return notes


def _note(level: str, text: str) -> dict[str, str]:
    return {"level": level, "text": text}


def _advice(word: str) -> list[dict[str, str]]:
    if word in WELL:
        return [_note("wait", _DO[word])] if word in _DO else []
    return [_note("bad", f"to do: {ADVICE.get(word, _LOG)}")]


def _background(kind: Kind, facts: Mapping[str, Any], reason: str, now: datetime) -> list[dict[str, str]]:
    """Which one serves, and why the last one was refused if it was."""
    accepted, refused = facts.get("last_accepted"), facts.get("last_refused")
    notes = []
    if reason:
        notes.append(_note("", reason if reason.startswith(kind) else f"{kind}: {reason}"))
    elif accepted:
        notes.append(_note("", f"{kind}: the last one taken {_ago(accepted['taken_at'], now)}"))
    if refused and (not accepted or refused["taken_at"] > accepted["taken_at"]):
        said = f"the {kind} taken {_ago(refused['taken_at'], now)} was refused: {refused['reason']}"
        notes.append(_note("bad", said))
    return notes


def _due(state: UnitState, kind: Kind, facts: Mapping[str, Any], config: Config) -> list[dict[str, str]]:
    why = state.due.get(kind.value) or facts.get("due")
    if not why:
        return []
    section = config.dark if kind is Kind.DARK else config.reference
    how = _HOW.get(section.how, _BY_HAND[kind]).format(order=f"oesd capture {kind} --device {state.name}")
    waits = f" ({facts['waits']})" if facts.get("waits") else ""
    return [_note("wait", f"a {kind} is due: {why}{waits}; {how}")]


def _ago(text: str, now: datetime) -> str:
    return f"{duration_text(max(0.0, (now - utc_from_text(text)).total_seconds()))} ago"


def duration_text(seconds: float) -> str:
    """Length of time, for people: two digits or so."""
    for unit, length_s in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"
