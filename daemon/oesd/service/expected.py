"""Errors that are told to a person and are no defect of oesd; imports every room, so only once something went wrong."""

from __future__ import annotations

from oesd.config import ConfigError
from oesd.engine.errors import SpectrumError
from oesd.listening import CannotListen
from oesd.processing.crew import CrewError
from oesd.processing.jobs import OtherVersion
from oesd.service.asking import AccessError
from oesd.service.directory import DirectoryError
from oesd.store import StoreError
from oesd.upload import UploadError
from oesd.watching.errors import WatchError
from oesd_drivers.errors import SpectrometerError
from oesd_drivers.virtual import HostError

EXPECTED = (
    AccessError,
    CannotListen,
    ConfigError,
    CrewError,
    DirectoryError,
    HostError,
    OtherVersion,
    SpectrometerError,
    SpectrumError,
    StoreError,
    UploadError,
    WatchError,
)
"""Their text is one line: what a command shows without a traceback."""
