"""All commands. Each imports what it needs when it runs: ``oesd --help`` answers at once."""

from __future__ import annotations

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
    "top": "oesd.cli.top:top",
    "watch": "oesd.cli.watch:watch",
    "alarms": "oesd.cli.alarms:alarms",
    "backtest": "oesd.cli.backtest:backtest",
    "compare": "oesd.cli.compare:compare",
    "export": "oesd.cli.export:export",
    "import": "oesd.cli.imports:import_",
    "verify": "oesd.cli.verify:verify",
    "backup": "oesd.cli.backup:backup",
    "check-config": "oesd.cli.check:check_config",
    "completion": "oesd.cli.completion:completion",
    "install-service": "oesd.cli.installing:install_service",
    "uninstall-service": "oesd.cli.installing:uninstall_service",
    "key": "oesd.cli.key:key",
    "doctor": "oesd.cli.doctor:doctor",
    "report": "oesd.cli.doctor:report",
}

SUMMARIES = {
    "run": "Run the daemon with a configuration file; run start, stop, pause, resume, label, list order runs.",
    "simulate": "Run it with virtual spectrometers and a hub of its own.",
    "hub": "Serve the OES API for a site without a cloud.",
    "devices": "List the spectrometers that are plugged in; opens none.",
    "capture": "Take one dark, reference or sample now.",
    "analyze": "Name peaks and elements in spectrum files.",
    "photometry": "Turn counts into transmittance, reflectance, absorbance or irradiance.",
    "show": "Show one entry: its elements and peaks.",
    "trace": "Print a named trace or a line of a spectrometer over time.",
    "assign": "Choose a candidate of a peak by hand.",
    "reprocess": "Analyse stored entries again; choices made by hand stay.",
    "status": "Tell what the daemon is doing.",
    "ledger": "Tell what became of every scheduled slot, and why.",
    "alarms": "Tell how the alarms stand; say that one was seen.",
    "backtest": "Try an endpoint rule on stored runs.",
    "compare": "Compare a run with a golden run, species by species.",
    "top": "Watch the daemon in the terminal: spectrometers, elements, losses, queue.",
    "watch": "Print a line for each spectrum, change and alarm as it happens.",
    "export": "Write entries as csv, OceanView text, JCAMP-DX, HDF5 or Parquet.",
    "import": "Store files of other software, folders of them, as entries.",
    "verify": "Check every checksum, reference and sum of the data.",
    "backup": "Copy the data, verified, while the daemon runs.",
    "completion": "Print the shell's completion script: bash, zsh or fish.",
    "check-config": "Check a configuration file without starting anything.",
    "install-service": "Have systemd run oesd: unit, user, udev rules, a first configuration.",
    "uninstall-service": "Undo that; data, configuration and key stay.",
    "key": "Set or remove the key with which the service forwards.",
    "doctor": "Look over this machine: each line ok, a warning or a fault, with what to do.",
    "report": "Pack what support needs into one file: no spectra, no keys.",
}


@click.group(cls=LazyGroup, commands_at=COMMANDS, summaries=SUMMARIES)
@click.version_option(__version__, prog_name="oesd")
def cli() -> None:
    """Keep spectrometers measuring, name the elements, lose nothing.

    Status 0: done. 1: done, and something needs a person. 2: not done, the line says what to do. 70: a defect of
    oesd. 74: the output cannot be written. 130: broken off with Ctrl-C.
    """
