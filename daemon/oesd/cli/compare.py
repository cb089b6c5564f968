"""``oesd compare``: a run against a golden run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from oesd.cli.entries import where
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
@click.option(
    "--by", default="", metavar="TRACE", help="Trace or formula by which they are laid over each other; all light else."
)
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
@where
def compare(
    run: str, golden: str | None, device: str, by: str, as_json: bool, url: str | None, data: Path | None
) -> None:
    """Compare RUN (an id, its beginning, or "latest") with a golden run, species by species.

    Both are laid over each other in time; what differs is told with its significance, corrected for the number of
    species. The daemon is asked where one runs.
    """
    try:
        document = _compared(run, golden or "", device, by, url, data)
    except expected() as error:
        fail(str(error))
        raise
    show(document, comparison_lines, as_json)


def _compared(run: str, golden: str, device: str, by: str, url: str | None, data: Path | None) -> Mapping[str, Any]:
    from oesd.service.access import remote
    from oesd.service.comparing import compare_stored
    from oesd.service.directory import check_readable, running
    from oesd.service.golden import Golden
    from oesd.service.run_spectra import find_run
    from oesd.store.onlooker import Onlooker
    from oesd.watching.errors import WatchError

    if url is not None or data is None or running(data):
        return remote(url, data).compare(run, device, golden, by)
    check_readable(data)
    with Onlooker(data) as store:
        if not golden:
            mine = find_run(store, run, device).device_name
            golden = Golden(data).run_ids().get(mine, "")
            if not golden:
                raise WatchError(f"no run of {mine} is golden in {data}: name one with --golden")
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
