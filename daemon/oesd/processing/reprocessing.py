"""Analysing again what an older engine or another recipe made: what is out of date, done by workers, told or kept.

::

    standings --> tasks --> jobs --> workers --> outcomes --> kept in batches (a revision each), or told as differences

A run that is stopped goes on where it was: what it kept is of today's engine and recipe, and is no task any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from oesd.engine import checks
from oesd.model import Analysis, Measurement, Override, Recipe, Result
from oesd.processing.crew import WorkerDied, Workers, each
from oesd.processing.jobs import BadAnswer, pack_job, read_answer, refusal_of, versions
from oesd.store import StoreError
from oesd.store.standing import Standing, Wanted


class Reader(Protocol):
    """A store that is read: our own, or that of a running daemon beside it."""

    def measurement(self, data_id: str) -> Measurement | None:
        """What the engine may know of an entry."""
        ...

    def result(self, data_id: str) -> Result | None:
        """The latest revision, overrides applied."""
        ...

    def overrides(self, data_id: str) -> Sequence[Override]:
        """The overrides that stand."""
        ...

    def standings(self, wanted: Wanted, after_no: int = 0) -> Sequence[Standing]:
        """A page of entries with what made their latest results."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """An entry that is to be analysed again, of which spectrometer and moment."""

    data_id: str
    recipe: Recipe
    device_name: str
    taken_at_utc: datetime


@dataclass(frozen=True, slots=True)
class Tasks:
    """What is to be done, the first stored first, and what is not.

    ``current`` entries are of today's engine and recipe, ``left`` ones wait for the daemon's own first analysis,
    ``missing`` ids are those of no entry.
    """

    todo: tuple[Task, ...]
    current: int
    left: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of a task: the worker's answer and what it says, or the sentence why there is none."""

    task: Task
    answer: bytes = b""
    analysis: Analysis | None = None
    refusal: str = ""
    trouble: str = ""


def tasks_of(
    reader: Reader, wanted: Wanted, recipe: Recipe | None, *, again: bool = False, leave_waiting: bool = False
) -> Tasks:
    """List what is out of date.

    Parameters
    ----------
    recipe : Recipe or None
        Today's; None leaves each entry the recipe it has.
    again : bool
        Also what is of today's engine and recipe.
    leave_waiting : bool
        Leave entries without a first analysis to the daemon, which is about to make it.

    Raises
    ------
    SpectrumError
        When the recipe names what is no element.
    """
    today = versions()
    chosen = None if recipe is None else checks.recipe(recipe)
    todo: list[Task] = []
    seen: set[str] = set()
    current = left = 0
    for standing in _standings(reader, wanted):
        seen.add(standing.data_id)
        mine = recipe_again(chosen, standing.recipe)
        if leave_waiting and standing.state == "waiting":
            left += 1
        elif not again and standing.made_with == (today.engine, today.line_table) and standing.recipe == mine:
            current += 1
        else:
            todo.append(Task(standing.data_id, mine, standing.device_name, standing.taken_at_utc))
    missing = tuple(data_id for data_id in wanted.data_ids if data_id not in seen)
    return Tasks(tuple(todo), current, left, missing)


def recipe_again(today: Recipe | None, before: Recipe | None) -> Recipe:
    """Recipe of an entry that has a result: today's, None for its own, with what was known then of its lines' width.

    What is known of a device's widths goes on changing with every spectrum; what was known then is part of the input,
    so that the same entry gives the same result however often it is done.
    """
    if today is None or before is None:
        return today or before or Recipe()
    return replace(today, line_spread=before.line_spread)


def redone(
    reader: Reader,
    workers: Workers,
    tasks: Iterable[Task],
    stopped: Callable[[], bool] = lambda: False,
    *,
    look_into: bool = True,
) -> Iterator[Outcome]:
    """Have tasks done; outcomes come in the order of the tasks, those that could not be read a little earlier.

    ``stopped`` is asked a few times a second; then no more outcomes come. Answers that are only handed on to who keeps
    them need not be looked into: such outcomes have no analysis.

    Raises
    ------
    CrewError, OtherVersion
        When the workers are lost, or have another engine.
    """
    unread: deque[Outcome] = deque()

    def jobs() -> Iterator[tuple[tuple[Task, Measurement], bytes]]:
        for task in tasks:
            try:
                measurement = reader.measurement(task.data_id)
            except StoreError as error:
                unread.append(Outcome(task, trouble=str(error)))
                continue
            if measurement is None:
                unread.append(Outcome(task, trouble="its raw data are gone"))
                continue
            yield (task, measurement), pack_job(measurement, task.recipe)

    for (task, measurement), future in each(workers, jobs(), stopped):
        while unread:
            yield unread.popleft()
        yield _outcome(task, measurement, future, look_into)
    yield from unread


def _outcome(task: Task, measurement: Measurement, future: Future[bytes], look_into: bool) -> Outcome:
    try:
        answer = future.result()
        said = read_answer(answer, measurement) if look_into else refusal_of(answer)
    except (WorkerDied, BadAnswer) as error:
        return Outcome(task, trouble=str(error))
    if isinstance(said, str):
        return Outcome(task, answer, refusal=said)  # "" when the answer is an analysis that was not looked into
    return Outcome(task, answer, said)


def _standings(reader: Reader, wanted: Wanted) -> Iterator[Standing]:
    page = reader.standings(wanted)
    while page:
        yield from page
        page = reader.standings(wanted, page[-1].entry_no)
