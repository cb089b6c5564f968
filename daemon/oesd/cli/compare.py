"""``oesd compare``: a run against a golden run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from oesd.cli.data import directory_of
from oesd.cli.errors import expected, fail, printable
from oesd.cli.screen import show


@click.command()
@click.argument("run", metavar="RUN")
@click.option(
    "--golden",
    metavar="RUN",
    help="The run to compare with; when absent the one chosen on the page, else [golden] runs.",
)
@click.option("--device", default="", metavar="NAME", help="Of which spectrometer, where the run has several.")
@click.option("--by", default="", metavar="TRACE", help="Trace by which they are laid over each other; all light else.")
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Data directory; that of the running daemon unless given."
)
def compare(run: str, golden: str | None, device: str, by: str, as_json: bool, data: Path | None) -> None:
    """Compare RUN (an id, its beginning, or "latest") with a golden run, species by species.

    Both are laid over each other in time; what differs is told with its significance, corrected for the number of
    species. Reads beside a daemon and without one.
    """
    try:
        document = _compared(run, golden, device, by, data)
    except expected() as error:
        fail(str(error))
        raise
    show(document, comparison_lines, as_json)


def _compared(run: str, golden: str | None, device: str, by: str, data: Path | None) -> Mapping[str, Any]:
    from oesd.service.access import remote
    from oesd.service.comparing import compare_stored
    from oesd.service.directory import running
    from oesd.service.golden import Golden
    from oesd.service.run_spectra import find_run
    from oesd.store.onlooker import Onlooker
    from oesd.watching.errors import WatchError

    if golden is None and (data is None or running(data)):
        return remote(None, data).compare(run, device)
    directory = directory_of(data)
    with Onlooker(directory) as store:
        if golden is None:
            mine = find_run(store, run, device).device_name
            golden = Golden(directory).run_ids().get(mine)
            if golden is None:
                raise WatchError(f"no run of {mine} is golden in {directory}: name one with --golden")
        return compare_stored(store, run, golden, device, by)


def comparison_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What was compared, a line for each species, and the sentence."""
    yield printable(f"run {document['run']} of {document['device']} against {document['golden']}")
    yield printable(document["aligned"]["sentence"])
    if document["species"]:
        yield f"{'':3}{'species':8} {'run':>11} {'golden':>11} {'difference':>11} {'sigma':>9} {'p':>9}  lines"
    for one in document["species"]:
        numbers = f"{one['run']:11.4g} {one['golden']:11.4g} {one['difference']:+11.4g} {one['sigma']:9.3g}"
        mark = "*" if one["different"] else " "
        lines = ", ".join(one["lines"])
        yield printable(f" {mark} {one['species']:8} {numbers} {one['p_corrected']:9.2g}  {lines}")
    for note in document["notes"]:
        yield printable(note)
    yield printable(document["sentence"])
