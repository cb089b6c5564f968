"""``oesd reprocess``: stored entries analysed again, on all cores or on a cluster."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from oesd.cli.differences import Changes, difference_line, difference_object
from oesd.cli.durations import DurationType
from oesd.cli.entries import reached, where
from oesd.cli.errors import INTERRUPTED, fail, printable
from oesd.cli.screen import progress

if TYPE_CHECKING:
    from oesd.model import Recipe
    from oesd.processing.crew import Workers
    from oesd.processing.differences import Difference
    from oesd.processing.reprocessing import Outcome, Reader, Task, Tasks
    from oesd.service.access import Access
    from oesd.store.standing import Wanted

_BATCH = 32
_TROUBLE = 1
_AT_HAND_BYTES = 1 << 20


@click.command()
@click.argument("data_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every entry.")
@click.option("--since", type=DurationType(), help='Entries taken since then, such as "7d".')
@click.option("--device", metavar="NAME", help="Entries of one spectrometer.")
@click.option("--dry-run", is_flag=True, help="Tell what would be another result, entry by entry; keep nothing.")
@click.option("--again", is_flag=True, help="Also what is of today's engine and recipe.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Worker processes; one for each core by default.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Have it done by a Dask cluster: oesd[cluster].")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Without a daemon: its [identify].")
@click.option("--json", "as_json", is_flag=True, help="With --dry-run: an object for each entry, one a line.")
@where
def reprocess(
    data_ids: tuple[str, ...],
    everything: bool,
    since: float | None,
    device: str | None,
    url: str | None,
    data: Path | None,
    config_file: Path | None,
    **how: Any,
) -> None:
    """Analyse entries again with today's engine and recipe; choices made by hand stay.

    The recipe is the running daemon's; without a daemon that of --config, or each entry's own. What is of today's
    engine and recipe already is passed over, so that a run which was stopped goes on where it was. Status 1 when an
    entry could not be read or stored.
    """
    bounds = (everything, since is not None, device is not None)
    if bool(data_ids) == any(bounds):
        fail("give entry ids, or --all, --since, --device")
    if how["as_json"] and not how["dry_run"]:
        fail("--json is for --dry-run: what was kept, oesd show ID --json has")
    with reached(url, data) as access:
        _reprocess(access, _wanted(data_ids, since, device), _recipe(access, config_file), _How(**how))


@dataclass(frozen=True, slots=True)
class _How:
    dry_run: bool
    again: bool
    jobs: int | None
    scheduler: str | None
    as_json: bool


def _lines() -> IO[str]:
    """Where lines wait for their turn: after an update they may be those of millions of entries."""
    return tempfile.SpooledTemporaryFile(_AT_HAND_BYTES, "w+", encoding="utf-8")


@dataclass(slots=True)
class _Count:
    """What became of the tasks, and the lines that tell it."""

    done: int = 0
    refused: int = 0
    troubles: list[str] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    same: int = 0
    numbers: int = 0
    lines: IO[str] = field(default_factory=_lines)


def _wanted(data_ids: tuple[str, ...], since: float | None, device: str | None) -> Wanted:
    from oesd.service.asking import checked
    from oesd.store.standing import Wanted

    moment = None if since is None else datetime.now(UTC) - timedelta(seconds=since)
    return Wanted(tuple(dict.fromkeys(checked(data_id) for data_id in data_ids)), moment, device)


def _recipe(access: Access, config_file: Path | None) -> Recipe | None:
    from oesd.config import load_config

    recipe = access.recipe()
    if config_file is None:
        return recipe
    if recipe is not None:
        fail("--config is for a directory without a daemon: the running daemon has its own recipe")
    return load_config(config_file).identify.recipe


def _reprocess(access: Access, wanted: Wanted, recipe: Recipe | None, how: _How) -> None:
    from oesd.processing.reprocessing import tasks_of

    with access.reader() as reader:
        tasks = tasks_of(reader, wanted, recipe, again=how.again, leave_waiting=recipe is not None)
        if tasks.missing:
            fail(f"{tasks.missing[0]}: no such entry")
        count = _Count()
        with _asked_to_stop() as asked:
            _work(access, reader, tasks, how, count, lambda: bool(asked))
    with count.lines:
        _tell(tasks, how, count)
    if asked:
        click.echo("stopped; the same command goes on from here", err=True)
        raise SystemExit(INTERRUPTED)
    if count.troubles:
        raise SystemExit(_TROUBLE)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Signals that ask to stop, noted: what is done is kept first. A second one ends the command at once."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(access: Access, reader: Reader, tasks: Tasks, how: _How, count: _Count, stopped: Callable[[], bool]) -> None:
    from oesd.processing.reprocessing import redone

    if not tasks.todo:
        return
    label = "comparing" if how.dry_run else "reprocessing"
    done = 0
    with _workers(how, len(tasks.todo)) as workers, progress() as shown:
        shown.tell(label, done, len(tasks.todo))
        for batch in _batches(redone(reader, workers, tasks.todo, stopped, look_into=how.dry_run)):
            if how.dry_run:
                _compare(reader, batch, count, how.as_json)
            else:
                _keep(access, batch, count)
            done += len(batch)
            shown.tell(label, done, len(tasks.todo))


def _workers(how: _How, tasks: int) -> AbstractContextManager[Workers]:
    from oesd.processing.cluster import Cluster
    from oesd.processing.crew import Crew, cores

    if how.scheduler is not None:
        return Cluster(how.scheduler)
    return Crew(min(how.jobs or cores(), tasks))


def _batches(outcomes: Iterator[Outcome]) -> Iterator[list[Outcome]]:
    """Outcomes by the number that is kept in one commit."""
    while batch := list(islice(outcomes, _BATCH)):
        yield batch


def _keep(access: Access, batch: Sequence[Outcome], count: _Count) -> None:
    answers = {outcome.task.data_id: outcome.answer for outcome in batch if outcome.answer}
    kept: Mapping[str, str] = access.keep(answers) if answers else {}
    for outcome in batch:
        trouble = outcome.trouble or kept.get(outcome.task.data_id, "")
        _count_one(count, outcome, trouble)


def _compare(reader: Reader, batch: Sequence[Outcome], count: _Count, as_json: bool) -> None:
    from oesd.processing.differences import difference
    from oesd.store import StoreError

    for outcome in batch:
        trouble = outcome.trouble
        if outcome.analysis is not None:
            data_id = outcome.task.data_id
            try:
                before, overrides = reader.result(data_id), reader.overrides(data_id)
                found = difference(data_id, before, outcome.analysis, overrides)
                _count_difference(count, outcome.task, found, as_json)
            except StoreError as error:
                trouble = str(error)
        _count_one(count, outcome, trouble)


def _count_one(count: _Count, outcome: Outcome, trouble: str) -> None:
    if trouble:
        count.troubles.append(f"{outcome.task.data_id}: {trouble}")
    elif outcome.refusal:
        count.refused += 1
    else:
        count.done += 1


def _count_difference(count: _Count, task: Task, found: Difference, as_json: bool) -> None:
    if found.names:
        count.changes.add(found)
        told = json.dumps(difference_object(task, found)) if as_json else printable(difference_line(task, found))
        count.lines.write(told + "\n")
    elif found.numbers:
        count.numbers += 1
    else:
        count.same += 1


def _tell(tasks: Tasks, how: _How, count: _Count) -> None:
    count.lines.seek(0)
    for line in count.lines:
        click.echo(line, nl=False)
    for trouble in count.troubles:
        click.echo(printable(f"oesd: {trouble}"), err=True)
    for line in _sum_lines(tasks, how, count):
        click.echo(line, err=how.as_json)


def _sum_lines(tasks: Tasks, how: _How, count: _Count) -> list[str]:
    rest = len(tasks.todo) - count.done - count.refused - len(count.troubles)
    done = f"{count.done} analysed again"
    if how.dry_run:
        many, numbers = count.changes.entries, count.numbers
        done = f"{many} differ in names or peaks, {numbers} in numbers only, {count.same} in nothing"
    parts = (
        (True, done),
        (count.refused, f"{count.refused} refused by the engine"),
        (count.troubles, f"{len(count.troubles)} not read or stored"),
        (rest, f"{rest} still to do"),
        (tasks.current, f"{tasks.current} of today's engine and recipe already"),
        (tasks.left, f"{tasks.left} wait for their first analysis"),
    )
    line = ", ".join(text for there, text in parts if there)
    return [line, *count.changes.lines()]
