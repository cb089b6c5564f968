"""The command line. Each command imports what it needs when it runs: ``oesd --help`` answers at once."""

from __future__ import annotations

import os
import sys

import click

from oesd.cli.lazy import LazyGroup
from oesd.version import __version__

COMMANDS = {
    "run": "oesd.cli.serve:run",
    "simulate": "oesd.cli.serve:simulate",
    "hub": "oesd.cli.serve:hub",
    "devices": "oesd.cli.devices:devices",
    "capture": "oesd.cli.capture:capture",
    "analyze": "oesd.cli.analyze:analyze",
    "photometry": "oesd.cli.photometry:photometry",
    "show": "oesd.cli.entries:show",
    "trace": "oesd.cli.trace:trace",
    "assign": "oesd.cli.entries:assign",
    "reprocess": "oesd.cli.reprocess:reprocess",
    "status": "oesd.cli.status:status",
    "ledger": "oesd.cli.ledger:ledger",
    "import": "oesd.cli.imports:import_",
    "verify": "oesd.cli.verify:verify",
    "backup": "oesd.cli.backup:backup",
    "check-config": "oesd.cli.check:check_config",
}

SUMMARIES = {
    "run": "Run the daemon with a configuration file; run start, stop, pause, resume, list order runs.",
    "simulate": "Run it with virtual spectrometers and a hub of its own.",
    "hub": "Serve the OES API for a site without a cloud.",
    "devices": "List the spectrometers that are plugged in; opens none.",
    "capture": "Take one dark, reference or sample now.",
    "analyze": "Name peaks and elements in spectrum files.",
    "photometry": "Turn counts into transmittance, reflectance, absorbance or irradiance.",
    "show": "Show one entry: its elements and peaks.",
    "trace": "Print one line of a spectrometer over time.",
    "assign": "Choose a candidate of a peak by hand.",
    "reprocess": "Analyse stored entries again; choices made by hand stay.",
    "status": "Tell what the daemon is doing.",
    "ledger": "Tell what became of every scheduled slot, and why.",
    "import": "Store files of other software, folders of them, as entries.",
    "verify": "Check every checksum, reference and sum of the data.",
    "backup": "Copy the data, verified, while the daemon runs.",
    "check-config": "Check a configuration file without starting anything.",
}


@click.group(cls=LazyGroup, commands_at=COMMANDS, summaries=SUMMARIES)
@click.version_option(__version__, prog_name="oesd")
def cli() -> None:
    """Keep spectrometers measuring, name the elements, lose nothing."""


def main() -> None:
    """Entry point of the ``oesd`` command: errors of the user's world are one line and status 2."""
    from oesd.cli.errors import as_one_line

    # Before numpy is loaded, for us and our children: its thread pool costs memory and is never used.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with as_one_line():
        sys.exit(cli.main(standalone_mode=False) or 0)
