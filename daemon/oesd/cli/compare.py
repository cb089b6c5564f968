"""``oesd compare``: a run against a golden run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from oesd.cli.data import directory_of
from oesd.cli.errors import expected, fail, printable


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--golden", metavar="RUN", help="The run to compare with; [golden] runs of the daemon when absent.")
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
    from oesd.service.access import remote

    try:
        document = (
            remote(None, data).compare(run, device) if golden is None else _compared(run, golden, device, by, data)
        )
    except expected() as error:
        fail(str(error))
        raise
    if as_json:
        click.echo(json.dumps(document))
        return
    for line in comparison_lines(document):
        click.echo(line)


def _compared(run: str, golden: str, device: str, by: str, data: Path | None) -> Mapping[str, Any]:
    from oesd.service.comparing import compare_stored
    from oesd.store.onlooker import Onlooker

    with Onlooker(directory_of(data)) as store:
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
