"""``oesd backtest``: an endpoint rule tried on stored runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from oesd.cli.data import directory_of
from oesd.cli.errors import expected, fail, printable
from oesd.cli.screen import show

_AT_ONCE = 100
_OTHERWISE = 1


@click.command()
@click.argument("rule", metavar="NAME")
@click.option("--run", "runs", multiple=True, metavar="ID", help="On this run, or its beginning; may be repeated.")
@click.option("--last", type=click.IntRange(1, 1000), default=10, show_default=True, help="Else on the last runs.")
@click.option("--device", default="", metavar="NAME", help="Of one spectrometer.")
@click.option("--config", type=click.Path(path_type=Path), help="File that has the rule, in place of the daemon's own.")
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
@click.option(
    "--data", type=click.Path(path_type=Path), help="Data directory; that of the running daemon unless given."
)
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
def backtest(
    rule: str,
    runs: Sequence[str],
    last: int,
    device: str,
    config: Path | None,
    as_json: bool,
    data: Path | None,
    url: str | None,
) -> None:
    """Play the endpoint rule NAME on stored runs: where it decides, and whether that is as it was decided live.

    Status 1 when live decided otherwise in one of them.

    With --config a rule is tried that the daemon does not know yet, on the data beside it.
    """
    from oesd.service.access import remote

    try:
        if config is None:
            if max(last, len(runs)) > _AT_ONCE:
                fail(f"a daemon tries at most {_AT_ONCE} runs at once; with --config FILE more are tried beside it")
            order = {"rule": rule, "runs": list(runs), "last": last, "device": device}
            document = remote(url, data).back_test(order)
        else:
            document = _tried(config, directory_of(data), rule, runs, last, device)
    except expected() as error:
        fail(str(error))
        raise
    show(document, run_lines, as_json)
    sys.exit(_OTHERWISE if any(run["same_as_live"] is False for run in document["runs"]) else 0)


def _tried(config: Path, directory: Path, rule: str, runs: Sequence[str], last: int, device: str) -> Mapping[str, Any]:
    from oesd.config import load_config
    from oesd.service.backtesting import tried
    from oesd.store.onlooker import Onlooker

    with Onlooker(directory) as store:
        return tried(store, load_config(config), rule, runs, device, last, where=str(config))


def run_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """A line for each run, then the sentence."""
    for run in document["runs"]:
        fired, live = run["fired"], run["same_as_live"]
        told = (
            f"at {fired['run_s']:.2f} s: {fired['why']}" if fired else f"not ({run['state']}, {run['values']} values)"
        )
        agrees = "" if live is None else "; as live" if live else "; OTHERWISE THAN LIVE"
        made = "; measured again" if run["measured"] == "again" else ""
        yield printable(f"{run['run_id']}  {run['device']:12} {run['began_utc'][:16]}  {told}{agrees}{made}")
    yield document["sentence"]
