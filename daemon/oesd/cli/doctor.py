"""``oesd doctor`` and ``oesd report``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.errors import fail, printable

if TYPE_CHECKING:
    from oesd.doctor import Finding

_FAULT = 1
_COLOURS = {"ok": "green", "warning": "yellow", "fault": "red"}
_CONFIG = click.option(
    "--config", "configuration", type=click.Path(path_type=Path), default=Path("/etc/oesd/oesd.toml"), show_default=True
)


@click.command()
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(configuration: Path, as_json: bool) -> None:
    """Look over this machine, from the plug to the cloud; opens no spectrometer and changes nothing.

    Each line is ok, a warning or a fault, with the next command to give. Status 1 when there is a fault. As root it
    sees more: who holds a spectrometer, the disk under the data, the key.
    """
    from oesd.doctor import Level, examine

    findings = examine(configuration)
    seen = list(findings) if as_json else _told(findings)
    if as_json:
        click.echo(json.dumps([finding.as_dict() for finding in seen]))
    if any(finding.level is Level.FAULT for finding in seen):
        sys.exit(_FAULT)


@click.command()
@_CONFIG
@click.option("--to", "target", type=click.Path(path_type=Path), help="The file; oesd-report-DATE.tar.gz by default.")
def report(configuration: Path, target: Path | None) -> None:
    """Pack into one file what whoever helps needs: findings, state, configuration, log, versions.

    It holds no spectra. Keys, tokens and passwords are blotted out; look into it all the same before it leaves.
    """
    from oesd.doctor import examine, write_report

    target = target or Path(f"oesd-report-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    try:
        write_report(target, configuration, examine(configuration))
    except FileExistsError:
        fail(f"{target} exists already: choose another name with --to")
    except OSError as error:
        fail(f"{target} cannot be written: {error.strerror}")
    click.echo(f"{target}: send this file; tar xzf shows what is in it")


def _told(findings: Iterable[Finding]) -> list[Finding]:
    """Print each line as soon as it is known."""
    seen = []
    for finding in findings:
        seen.append(finding)
        level = click.style(f"{finding.level:8}", fg=_COLOURS[str(finding.level)])
        click.echo(f"{level} {finding.subject:14} {printable(finding.what)}")
        if finding.do:
            click.echo(f"{'':8} {'':14} -> {printable(finding.do)}")
    return seen
