"""Alarms, endpoint rules and traces as people get them: JSON-ready."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from oesd.model import utc_text
from oesd.service.rules_at_work import AtWork
from oesd.store.moments import from_us
from oesd.store.watch_events import WatchEvent
from oesd.watching.alarms import LEVELS, AlarmState, Phase, Sight
from oesd.watching.reading import Reading
from oesd.watching.rules import Rule, sentence_of
from oesd.watching.signals import Alarm

_UNITS = {"missing": "s", "queue": "s", "disk": "GB"}
_LEVELS = {"reached": "good", "refused": "bad"}
_LATELY = timedelta(hours=1)
_DAMAGED = "what happened then cannot be told: what is on the disk is not what was stored; see oesd verify"
_STANDING = ("name", "device", "state", "level", "since_utc", "text", "needs_acknowledge")


def at_text(at_us: int | None) -> str | None:
    """A moment as text; None when there is none."""
    return None if at_us is None else utc_text(from_us(at_us))


def number(value: float | None) -> float | None:
    """A number as JSON has it: None when it is none."""
    return None if value is None or not math.isfinite(value) else value


def alarm_document(
    alarm: Alarm, device: str, state: AlarmState, sight: Sight | None, units: Mapping[str, str], refused: str = ""
) -> dict[str, Any]:
    """Build the document of an alarm.

    Parameters
    ----------
    sight : Sight or None
        What is seen now; what was seen when it changed last when None.
    refused : str
        Why it cannot see anything.
    """
    seen = sight or state.sight
    acknowledged = state.phase is Phase.ACKNOWLEDGED
    return {
        "name": alarm.name,
        "device": device,
        "kind": alarm.kind,
        "severity": alarm.severity,
        "level": "wait" if refused and state.phase is Phase.OK else LEVELS[state.phase],
        "state": state.phase.value,
        "since_utc": at_text(state.since_us or None),
        "text": refused or seen.text or "nothing was seen yet",
        "value": number(seen.value),
        "limit": number(seen.limit),
        "unit": _UNITS.get(alarm.kind, units.get(alarm.trace, "")),
        "trace": alarm.trace,
        "acknowledged_by": state.by if acknowledged else None,
        "acknowledged_at_utc": at_text(state.since_us) if acknowledged else None,
        "needs_acknowledge": state.wants_person,
        "actions": list(alarm.actions),
    }


def alarms_summary(
    alarms: Sequence[Mapping[str, Any]], actions: Sequence[Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """Build what /status says of alarms: those that are on or wait for a person, and the actions that failed.

    ``worst`` is "bad" while one is raised or an action has failed lately, "wait" while anything else is listed. A
    failure is "bad" while an alarm waits for a person, and for an hour: what was not told may have been an endpoint,
    which nobody acknowledges. It is listed until the action succeeds.
    """
    order = ("raised", "cleared", "acknowledged")
    on = sorted((one for one in alarms if one["state"] in order), key=lambda one: order.index(one["state"]))
    raised = [one for one in on if one["state"] == "raised"]
    waiting = sum(one["needs_acknowledge"] for one in on)
    lately = utc_text(now - _LATELY)
    failed = [
        {"name": one["name"], "text": one["text"], "level": "bad" if waiting or one["last_at_utc"] > lately else "wait"}
        for one in actions
        if one["state"] == "failed"
    ]
    first = on[0]["text"] if on else "no alarm"
    bad = raised or any(one["level"] == "bad" for one in failed)
    return {
        "raised": len(raised),
        "unacknowledged": waiting,
        "worst": "bad" if bad else "wait" if on or failed else "good",
        "text": first + (f"; action {failed[0]['name']} failed" if failed else ""),
        "standing": [{name: one[name] for name in _STANDING} for one in on],
        "failed": failed,
    }


def endpoint_document(rule: Rule, device: str, at_work: AtWork | None, run_id: str, refused: str) -> dict[str, Any]:
    """Build the document of an endpoint rule on a spectrometer."""
    state = "refused" if refused else at_work.watch.state if at_work else "waiting"
    watch = at_work.watch if at_work else None
    return {
        "name": rule.name,
        "device": device,
        "trace": rule.trace,
        "rule": rule.kind,
        "definition": sentence_of(rule),
        "level": _LEVELS.get(state, "wait"),
        "state": state,
        "at_utc": at_text(at_work.decided_us) if at_work else None,
        "run_id": run_id,
        "text": refused or (watch.why if watch else "") or "",
        "statistic": number(watch.statistic) if watch else None,
        "limit": number(watch.limit) if watch else None,
        "points": watch.points if watch else 0,
        "skipped": watch.skipped if watch else 0,
        "false_alarm_in": rule.false_alarm_in or None,
    }


def event_document(event: WatchEvent, run_id: str) -> dict[str, Any]:
    """Build the document of a stored event; of a damaged one, only that there was one can be told."""
    told: Mapping[str, Any] = event.document
    if event.is_damaged:
        told = {"to": "damaged", "text": _DAMAGED, "why": _DAMAGED}
    endpoint = event.kind == "endpoint"
    return {
        "at_utc": None if event.is_damaged else at_text(event.at_us),
        "kind": event.kind,
        "name": event.name,
        "device": event.device_name,
        "from": None if endpoint else told.get("from"),
        "to": told.get("to", "reached"),
        "text": told.get("why") if endpoint else told.get("text"),
        "level": "bad" if event.is_damaged else "good" if endpoint else LEVELS[Phase(told["to"])],
        "value": number(told.get("statistic") if endpoint else told.get("value")),
        "by": told.get("by") or None,
        "run_id": run_id or None,
    }


def reading_document(at_us: int, reading: Reading) -> dict[str, Any]:
    """Build the document of one value."""
    return {
        "taken_at_utc": at_text(at_us),
        "value": number(reading.value),
        "sigma": number(reading.sigma),
        "upper": number(reading.upper),
        "state": reading.state.word,
    }


def now_text() -> str:
    """The host's time."""
    return utc_text(datetime.now(UTC))
