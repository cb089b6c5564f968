"""``oesd show``, ``assign``, ``reprocess``: stored entries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from oesd.cli.errors import expected, fail
from oesd.cli.explaining import evidence_lines
from oesd.cli.findings import echo_findings
from oesd.cli.plotting import draw, plot_option

if TYPE_CHECKING:
    from oesd.service.access import Access

F = TypeVar("F", bound=Callable[..., Any])


def where(command: F) -> F:
    """Options of every command that reaches the data."""
    data = click.option("--data", type=click.Path(path_type=Path), help="Data directory; works without a daemon too.")
    url = click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
    return data(url(command))


@contextmanager
def reached(url: str | None, data: Path | None) -> Iterator[Access]:
    """Reach the data, errors as one line."""
    from oesd.service.access import reach

    try:
        with reach(url, data) as access:
            yield access
    except expected() as error:
        fail(str(error))


@click.command()
@click.argument("data_id", metavar="ID|latest")
@click.option("--explain", is_flag=True, help="Tell for each element why: lines seen and missing, rivals.")
@plot_option
@click.option("--json", "as_json", is_flag=True, help="The whole GET /oes document.")
@where
def show(data_id: str, explain: bool, plot: Path | None, as_json: bool, url: str | None, data: Path | None) -> None:
    """Show one entry: its elements and peaks with their candidates."""
    with reached(url, data) as access:
        data_id = access.latest() if data_id == "latest" else data_id
        document = dict(access.document(data_id))
        explained = access.evidence(data_id) if explain or plot is not None else None
    if as_json:
        click.echo(json.dumps(document | ({"evidence": explained["evidence"]} if explain and explained else {})))
    else:
        echo_findings(head_lines(document), document, evidence_lines(explained) if explain and explained else [])
    if plot is not None and explained is not None:
        draw(plot, document, explained, data_id)


@click.command()
@click.argument("data_id", metavar="ID")
@click.argument("peak_id", metavar="PEAK")
@click.argument("candidate_key", metavar="KEY")
@click.option("--json", "as_json", is_flag=True, help="The updated GET /oes document.")
@where
def assign(data_id: str, peak_id: str, candidate_key: str, as_json: bool, url: str | None, data: Path | None) -> None:
    """Choose candidate KEY (such as Ga_417.2) for PEAK (such as p3) of entry ID; it survives reprocessing."""
    with reached(url, data) as access:
        document = access.assign(data_id, peak_id, candidate_key)
        if as_json:
            click.echo(json.dumps(document))
            return
        chosen = next(p for p in document["detected_peaks"] if p["peak_id"] == peak_id)
        click.echo(f"{peak_id} at {chosen['wavelength_nm']:.2f} nm is {candidate_key}, by hand")


def head_lines(document: Mapping[str, Any]) -> list[str]:
    """Lines that say what a GET /oes document is of."""
    metadata = document["spectral_metadata"]
    head = f"{document['data_id']}  {document['id']}  {metadata.get('model', '')} {metadata.get('device', '')}".rstrip()
    lines = [head + ("  SIMULATED" if metadata.get("simulated") else "")]
    if "taken_at" in metadata:
        lines.append(f"taken {metadata['taken_at']}, {metadata['integration_us'] / 1000:g} ms x {metadata['scans']}")
    lines += [f"warning: {warning}" for warning in metadata.get("warnings", [])]
    lines += [
        f"orphaned choice: {o['candidate_key']} at {o['wavelength_nm']:.2f} nm has no peak any more"
        for o in metadata.get("orphaned_overrides", [])
    ]
    return lines
