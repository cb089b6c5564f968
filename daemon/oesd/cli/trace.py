"""``oesd trace``: a named trace or a line over time, as a table that any program reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from oesd.cli.durations import DurationType
from oesd.cli.entries import where
from oesd.cli.errors import expected, fail

if TYPE_CHECKING:
    from oesd.service.remote import Remote
    from oesd.store.named_traces import NamedSeries
    from oesd.store.onlooker import Onlooker
    from oesd.store.trace_reading import Trace

_AHEAD = timedelta(days=1)
"""Spectra of a clock that was a little ahead are shown, too."""


@click.command()
@click.argument("device", metavar="DEVICE")
@click.argument("what", metavar="NAME|NM")
@click.option(
    "--near", "near_nm", type=click.FloatRange(0.001, 10), default=0.3, show_default=True, help="How near, nm."
)
@click.option("--since", type=DurationType(), default="24h", show_default=True, help='How far back, such as "30d".')
@where
def trace(device: str, what: str, near_nm: float, since: float, url: str | None, data: Path | None) -> None:
    """Print a trace of spectrometer DEVICE over time: one that the configuration names, or the peak nearest to NM.

    A named trace is time, value, sigma, upper limit and state; a peak, or a line by its name such as Ar_750.4, is time,
    wavelength, intensity, area. Reads beside a daemon and without one. Thinned spectra are in it; a spectrum without
    such a peak is a row without numbers.
    """
    from oesd.service.access import daemon_or_directory
    from oesd.store.onlooker import Onlooker

    now = datetime.now(UTC)
    when = (now - timedelta(seconds=since), now + _AHEAD)
    lines: Iterator[str]
    try:
        wavelength_nm = _wavelength_nm(what)
        source = daemon_or_directory(url, data)
        if not isinstance(source, Path):
            lines = _asked(source, device, what, wavelength_nm, near_nm, when)
        else:
            with Onlooker(source) as store:
                lines = _read(store, device, what, wavelength_nm, near_nm, when)
    except expected() as error:
        fail(str(error))
        raise
    first = next(lines, None)
    if first is None:
        fail(f"no spectrum of {device!r} with a result in this time")
    for line in chain([first], lines):
        click.echo(line)


def _wavelength_nm(what: str) -> float | None:
    """The wavelength that was asked for; None for a name."""
    try:
        nm = float(what)
    except ValueError:
        return None
    if not 10.0 <= nm <= 5000.0:
        fail(f"{what} is no wavelength from 10 to 5000 nm")
    return nm


def _read(
    store: Onlooker, device: str, what: str, nm: float | None, near_nm: float, when: tuple[datetime, datetime]
) -> Iterator[str]:
    from oesd.store.named_reading import NamedReading

    named = NamedReading(store)
    trace = named.find(what) if nm is None else None
    if trace is not None:
        return named_lines(named.series(trace.trace_no, device, *when))
    known = ", ".join(dict.fromkeys(one.name for one in named.traces()))
    found = store.trace(device, nm or _nm_of_line(what, known), near_nm, since=when[0], until=when[1])
    return csv_lines(found) if len(found.taken_at_us) else iter(())


def _asked(
    daemon: Remote, device: str, what: str, nm: float | None, near_nm: float, when: tuple[datetime, datetime]
) -> Iterator[str]:
    names = dict.fromkeys(str(one["name"]) for one in daemon.traces())
    if nm is None and what in names:
        return _table(daemon.named_trace(what, device, *when), ("value", "sigma", "upper"), ("state",))
    at_nm = nm or _nm_of_line(what, ", ".join(names))
    return _table(daemon.peaks_near(at_nm, near_nm, device, *when), ("wavelength_nm", "intensity", "area"))


def _nm_of_line(what: str, known: str) -> float:
    """Wavelength of a line by its name."""
    from oesd.processing.readings import catalogue
    from oesd.watching.errors import WatchError
    from oesd.watching.grammar import Line, parse

    lines, why = catalogue(), ""
    try:
        formula = parse(what)
        if isinstance(formula, Line):
            return lines.line(formula.symbol, formula.nm)
    except WatchError as refusal:
        why = f" ({refusal})"
    fail(f"there is no trace {what!r:.80}{why}; there are {known or 'none'}; a line (Ar_750.4) or nm are taken, too")
    raise AssertionError


def _table(document: Mapping[str, Any], numbers: Sequence[str], words: Sequence[str] = ()) -> Iterator[str]:
    """A document of the API as comma-separated values with a heading; nothing when it is empty."""
    times = document.get("taken_at_utc") or [_moment(at_us) for at_us in document.get("taken_at_us", ())]
    if times:
        yield ",".join(("taken_at_utc", *numbers, *words))
    columns = [[_cell(math.nan if x is None else x) for x in document[name]] for name in numbers]
    columns += [list(document[name]) for name in words]
    for row in zip(times, *columns, strict=True):
        yield ",".join(row)


def named_lines(series: NamedSeries) -> Iterator[str]:
    """A named trace as comma-separated values with a heading; nothing when it is empty."""
    from oesd.watching.reading import Reading, State

    if len(series):
        yield "taken_at_utc,value,sigma,upper,state"
    columns = (series.taken_at_us.tolist(), series.value.tolist(), series.sigma.tolist(), series.state.tolist())
    for taken_at_us, value, sigma, state in zip(*columns, strict=True):
        reading = Reading(value, sigma, State(state))
        yield ",".join((_moment(taken_at_us), *map(_cell, (value, sigma, reading.upper)), reading.state.word))


def _moment(taken_at_us: int) -> str:
    moment = datetime.fromtimestamp(taken_at_us / 1e6, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def _cell(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.7g}"


def csv_lines(found: Trace) -> Iterator[str]:
    """The trace as comma-separated values with a heading."""
    yield "taken_at_utc,wavelength_nm,intensity,area"
    for taken_at_us, *numbers in zip(
        found.taken_at_us.tolist(),
        found.wavelength_nm.tolist(),
        found.intensity.tolist(),
        found.area.tolist(),
        strict=True,
    ):
        yield ",".join((_moment(taken_at_us), *map(_cell, numbers)))
