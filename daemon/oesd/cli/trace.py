"""``oesd trace``: a named trace or a line over time, as a table that any program reads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.data import directory_of, on_data
from oesd.cli.durations import DurationType
from oesd.cli.errors import expected, fail

if TYPE_CHECKING:
    from oesd.store.named_traces import NamedSeries
    from oesd.store.onlooker import Onlooker
    from oesd.store.traces import Trace

_AHEAD = timedelta(days=1)
"""Spectra of a clock that was a little ahead are shown, too."""


@click.command()
@click.argument("device", metavar="DEVICE")
@click.argument("what", metavar="NAME|NM")
@click.option(
    "--near", "near_nm", type=click.FloatRange(0.001, 10), default=0.3, show_default=True, help="How near, nm."
)
@click.option("--since", type=DurationType(), default="24h", show_default=True, help='How far back, such as "30d".')
@on_data
def trace(device: str, what: str, near_nm: float, since: float, data: Path | None) -> None:
    """Print a trace of spectrometer DEVICE over time: one that the configuration names, or the peak nearest to NM.

    A named trace is time, value, sigma, upper limit and state; a peak is time, wavelength, intensity, area. Reads
    beside a daemon and without one. Thinned spectra are in it; a spectrum without such a peak is a row without numbers.
    """
    from oesd.store.onlooker import Onlooker

    now = datetime.now(UTC)
    when = (now - timedelta(seconds=since), now + _AHEAD)
    lines: Iterator[str]
    try:
        wavelength_nm = _wavelength_nm(what)
        with Onlooker(directory_of(data)) as store:
            if wavelength_nm is None:
                lines = named_lines(_named(store, what, device, when))
            else:
                found = store.trace(device, wavelength_nm, near_nm, since=when[0], until=when[1])
                lines = csv_lines(found) if len(found.taken_at_us) else iter(())
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


def _named(store: Onlooker, name: str, device: str, when: tuple[datetime, datetime]) -> NamedSeries:
    from oesd.store.named_reading import NamedReading

    named = NamedReading(store)
    found = named.find(name)
    if found is None:
        known = ", ".join(dict.fromkeys(one.name for one in named.traces()))
        fail(f"there is no trace {name!r}; there are {known or 'none'}; a wavelength in nm is taken, too")
        raise AssertionError
    return named.series(found.trace_no, device, *when)


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
