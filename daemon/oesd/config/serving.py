"""Sections of all that is not measuring: analysis, upload, page, hub, simulation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field
from msgspec.structs import force_setattr

from oesd.config.listening import LOOPBACK
from oesd.config.processes import recipe_of
from oesd.config.values import Duration, Section, check_file, is_web_address
from oesd.model import ConstraintMode, Recipe

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class IdentifySection(Section, frozen=True):
    """The recipe of every analysis."""

    constraint: ConstraintMode = ConstraintMode.AUTO
    elements: tuple[str, ...] = ()
    process: tuple[str, ...] | str = ()  # one or several
    ambient: tuple[str, ...] = ()
    fwhm_nm: Annotated[float, Meta(gt=0, lt=50)] | None = None
    search_nm: Annotated[float, Meta(ge=0.05, le=5)] | None = None

    def _check_parts(self) -> None:
        if isinstance(self.process, str):
            force_setattr(self, "process", (self.process,) if self.process else ())
        _ = self.recipe

    @property
    def recipe(self) -> Recipe:
        """The section as the engine takes it."""
        return recipe_of(
            self.constraint,
            self.elements,
            process=self.process,
            ambient=self.ambient,
            fwhm_nm=self.fwhm_nm,
            search_nm=self.search_nm,
        )


class UploadSection(Section, frozen=True):
    """Where spectra are forwarded to; off until an endpoint is given."""

    endpoint: str = ""
    key_file: Path | None = None
    format: Literal["columns", "json"] = "columns"
    bucket_hosts: tuple[str, ...] = ()
    proxy: str = ""
    order: Literal["oldest first", "newest first"] = "oldest first"
    batch: Annotated[int, Meta(ge=1, le=500)] = 1
    fetch_results: bool = True
    sample_label: str = "sample"
    project_label: str = "project"

    def _check_parts(self) -> None:
        check_file("key_file", self.key_file)
        # The value stays out of the text: it may hold a password.
        if self.proxy and not is_web_address(self.proxy):
            raise ValueError("proxy: is no address such as http://proxy.lab:3128")


class HubSection(Section, frozen=True):
    """An OES API server of our own inside the daemon's process: for simulation and sites without a cloud.

    On loopback by http; beyond it by https only, under a name. It wants a key in any case.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    name: str = ""
    certificate: Path | None = None
    certificate_key: Path | None = None
    port: Annotated[int, Meta(ge=0, le=65535)] = 8530
    key_file: Path | None = None
    workers: Annotated[int, Meta(ge=0, le=256)] = 0
    keep_us: Duration = field(default=Duration("0"), name="keep")

    def _check_parts(self) -> None:
        check_file("key_file", self.key_file)
        if self.name and not _HOST.fullmatch(self.name):
            raise ValueError(f'name: {self.name!r:.80} is not the name of a host, such as "hub.lab"')
        wanted = ("certificate", "certificate_key", "name")
        missing = [one for one in wanted if not getattr(self, one)]
        if missing and (self.host not in LOOPBACK or len(missing) < len(wanted)):
            raise ValueError(
                f"host: {self.host!r:.80} needs {' and '.join(missing)} too: keys must not travel in clear, and "
                "clients are sent to that name"
            )

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key; None for http."""
        return (self.certificate, self.certificate_key) if self.certificate and self.certificate_key else None


class SimulationSection(Section, frozen=True):
    """Virtual spectrometers instead of real ones; asked for, never fallen back to."""

    enabled: bool = False
    devices: tuple[str, ...] = ("USB2000+:SIM00001", "USB4000:SIM00002")
    scene: str = "argon-metals"
    seed: Annotated[int, Meta(ge=0)] = 1

    def _check_parts(self) -> None:
        if not self.devices:
            raise ValueError("devices: name at least one")
        if len(set(self.devices)) < len(self.devices):
            raise ValueError("devices: one stands twice")
        for device in self.devices:
            if not all(device.partition(":")):
                raise ValueError(f'devices: {device!r} is not "MODEL:SERIAL", such as "USB2000+:SIM00001"')

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Model and serial number of each device."""
        return [(model, serial) for model, _, serial in (device.partition(":") for device in self.devices)]
