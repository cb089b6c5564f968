"""``oesd verify``: is everything that was stored still there, whole, and does it add up."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.data import directory_of, on_data
from oesd.cli.errors import expected, fail, printable
from oesd.cli.screen import progress

if TYPE_CHECKING:
    from oesd.store.inspection import Finding

FOUND = 1
_NAMES = {
    "modelled_darks": "modelled darks",
    "remote_results": "remote results",
    "trace_blocks": "blocks of traces",
    "trace_tail": "newest rows of traces",
    "named_blocks": "blocks of named traces",
    "named_tail": "newest rows of named traces",
    "dark_cells": "dark cells",
    "watch_events": "events of alarms",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object with everything found.")
@on_data
def verify(as_json: bool, data: Path | None) -> None:
    """Check every checksum, every reference and every sum of the store; beside a daemon too, nothing is changed.

    A line for each finding; status 0 when there is none, 1 when there is, 2 when nothing could be checked.
    """
    from oesd.store.inspection import Inspection

    directory, done, found = directory_of(data), 0, 0
    findings: list[dict[str, str]] = []
    try:
        with progress() as shown, Inspection(directory) as inspection:

            def further(records: int) -> None:
                nonlocal done
                done += records
                shown.tell("verifying", done, inspection.total)

            for finding in inspection.findings(further):
                found += 1
                if as_json:
                    findings.append(finding.to_api())
                else:
                    click.echo(finding_line(finding))
            checked = dict(inspection.checked)
    except expected() as error:
        fail(str(error))
        raise
    if as_json:
        document = {"data_dir": str(directory.absolute()), "well": not found, "checked": checked, "findings": findings}
        click.echo(json.dumps(document))
    else:
        click.echo(checked_line(checked, found))
    sys.exit(FOUND if found else 0)


def finding_line(finding: Finding) -> str:
    """The line that tells a finding."""
    return printable(f"{finding.sort}: {finding.about}: {finding.text}")


def checked_line(checked: Mapping[str, int], found: int) -> str:
    """The line at the end: what was checked, and whether all is well."""
    what = ", ".join(f"{number} {_NAMES.get(name, name)}" for name, number in checked.items() if number)
    return f"checked {what}, references and sums: " + (f"{found} findings" if found else "all is well")
