"""For how long spectrometers have told nothing: by a clock that nobody sets and that stands while the host sleeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Heard:
    run_id: str
    captures: int
    since_s: float
    in_run: bool


class Silence:
    """Looks at counts of captures now and then; as exact as it looks often."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._heard: dict[str, _Heard] = {}

    def look(self, name: str, run_id: str, captures: int) -> tuple[float, bool]:
        """For how long it has told nothing in this run, s, and whether it has told something since it began."""
        now_s, before = self._monotonic_s(), self._heard.get(name, _Heard("", 0, 0.0, False))
        told = captures > before.captures or 0 < captures < before.captures  # the latter: another worker counts anew
        if told or run_id != before.run_id:
            in_run = told or (before.in_run and run_id == before.run_id)
            before = self._heard[name] = _Heard(run_id, captures, now_s, in_run)
        return now_s - before.since_s, before.in_run

    def excuse(self, name: str, captures: int) -> None:
        """It is not meant to tell anything now: its silence begins anew when it is."""
        self._heard[name] = _Heard("", captures, 0.0, False)
