"""The whole examination, from the program to the cloud, in the order in which a fault would be looked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from oesd.doctor.bus import bus
from oesd.doctor.clock import clock
from oesd.doctor.finding import Check, Finding, Host, Level, every
from oesd.doctor.network import network
from oesd.doctor.program import program
from oesd.doctor.running import daemon
from oesd.doctor.settings import settings
from oesd.doctor.storage import storage
from oesd.doctor.unit import service


def examine(configuration: Path, host: Host | None = None) -> Iterator[Finding]:
    """Look over this machine; nothing is changed and no spectrometer is opened.

    Parameters
    ----------
    configuration : Path
        The configuration file that the daemon has.
    host : Host
        Where to look; this machine by default.
    """
    host = host or Host()
    config, findings = settings(configuration)
    checks: list[tuple[str, Check]] = [
        ("program", program),
        ("configuration", lambda: findings),
        ("spectrometers", partial(bus, host)),
        ("service", partial(service, host)),
        ("clock", clock),
        ("data", partial(storage, config, host)),
        ("daemon", partial(daemon, config)),
    ]
    # Of a file that is not good the endpoint may be missing because it is what is wrong.
    if config.upload.endpoint or all(finding.level is not Level.FAULT for finding in findings):
        checks.append(("upload", partial(network, config, host)))
    yield from every(checks)
