"""The spectra of a stored run, and runs by what a person writes for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from oesd.model import Measurement, Result, RunRecord
from oesd.store import StoreDamaged
from oesd.store.entries import EntrySummary
from oesd.store.finding import Sought, find_entries
from oesd.store.reading import Reading as StoreReader
from oesd.store.run_search import SEVERAL, newest_of_each, newest_runs, runs_beginning_with, runs_of_id
from oesd.watching.errors import WatchError

Turn = AbstractContextManager[Any]
"""What a daemon that measures holds while it computes for a reader: one at a time, a spectrum at a time."""
NO_TURN: Turn = nullcontext()
_PAGE = 500
_CHOICE = 8
"""So many times the entries that are wanted are held to choose from: a run of a month has millions."""
_LATEST = "latest"
_LEAST = 4
"""Characters of an id that are taken for its beginning."""


@dataclass(frozen=True, slots=True, eq=False)
class RunSpectrum:
    """One spectrum of a run: when it was taken, us of UTC and s since the run began, and what is stored of it."""

    data_id: str
    taken_at_us: int
    run_s: float
    measurement: Measurement
    result: Result


def find_run(reader: StoreReader, written: str, device: str = "") -> RunRecord:
    """The run that a person means: its id, the beginning of one, or "latest".

    Raises
    ------
    WatchError
        When there is none, or there are several.
    """
    found = _runs_written(reader, written, device)
    if not found:
        of = f" of {device}" if device else ""
        raise WatchError(f"there is no run {written!r:.80}{of}; oesd run list shows those there are")
    ids = {run.run_id for run in found}
    if len(ids) > 1:
        several = f"{len(ids)}" if len(found) < SEVERAL else "many"
        raise WatchError(f"{written!r:.80} is the beginning of {several} runs: write more of it")
    if len(found) > 1:
        names = ", ".join(run.device_name for run in found)
        raise WatchError(f"run {found[0].run_id} has several spectrometers: name one of {names}")
    return found[0]


def _runs_written(reader: StoreReader, written: str, device: str) -> list[RunRecord]:
    if written == _LATEST:
        return _latest(reader.read(lambda db: newest_of_each(db, device)))
    exact = reader.read(lambda db: runs_of_id(db, written, device))
    if exact or len(written) < _LEAST:
        return exact
    return reader.read(lambda db: runs_beginning_with(db, written, device))


def _latest(newest: Sequence[RunRecord]) -> list[RunRecord]:
    """The run that began last, unless other spectrometers were still in theirs: nobody can tell which one is meant."""
    for last in newest[:1]:
        still_on = [run for run in newest if run.ended_at_utc is None or run.ended_at_utc > last.began_at_utc]
        others = sorted({run.device_name for run in still_on} - {last.device_name})
        if others:
            names = ", ".join([last.device_name, *others])
            raise WatchError(f"several spectrometers have a latest run: name one of {names}")
    return list(newest[:1])


def runs_meant(reader: StoreReader, written: Sequence[str], device: str, last: int) -> list[RunRecord]:
    """The runs that are named, else the last ones of a spectrometer, the last begun first."""
    if written:
        return [find_run(reader, one, device) for one in written]
    return reader.read(lambda db: newest_runs(db, last, device))


def spectra_of(reader: StoreReader, run: RunRecord, most: int, turn: Turn = NO_TURN) -> Iterator[RunSpectrum]:
    """Spectra of a run that have a result, evenly chosen, the first taken first; damaged ones are left out.

    Each is read within ``turn``.
    """
    entries = _entries(reader, run, most)
    for number in np.unique(np.linspace(0, len(entries) - 1, min(most, len(entries))).round()).tolist():
        summary = entries[int(number)]
        try:
            with turn:
                measurement, result = reader.measurement(summary.data_id), reader.result(summary.data_id)
        except StoreDamaged:
            continue
        if measurement is not None and result is not None:
            taken = summary.taken_at_utc
            run_s = (taken - run.began_at_utc).total_seconds()
            yield RunSpectrum(summary.data_id, round(taken.timestamp() * 1e6), run_s, measurement, result)


def _entries(reader: StoreReader, run: RunRecord, most: int) -> list[EntrySummary]:
    """Those of a run that have a result, in the order of storing; of very many each second, fourth, eighth, ..."""
    sought = Sought(device_name=run.device_name, run_id=run.run_id, oldest_first=True)
    found: list[EntrySummary] = []
    seen, stride = 0, 1
    cursor: int | None = None
    while True:
        page = reader.read(partial(find_entries, sought=sought, limit=_PAGE, cursor=cursor))
        for entry in page.entries:
            if entry.summary.revision:
                found += [entry.summary] if seen % stride == 0 else []
                seen += 1
        while len(found) > 2 * _CHOICE * most:
            found, stride = found[::2], 2 * stride
        cursor = page.cursor
        if cursor is None:
            return found
