"""Sections of all that is not measuring: analysis, upload, page, hub, simulation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from oesd.config.listening import LOOPBACK
from oesd.config.processes import recipe_of
from oesd.config.values import Duration, SecretFile, Section, Whole, is_web_address
from oesd.model import ConstraintMode, Recipe

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class IdentifySection(Section):
    """The recipe of every analysis."""

    constraint: ConstraintMode = ConstraintMode.AUTO
    elements: tuple[str, ...] = ()
    process: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()
    fwhm_nm: float | None = Field(default=None, gt=0, lt=50)
    search_nm: float | None = Field(default=None, ge=0.05, le=5)

    @field_validator("process", mode="before")
    @classmethod
    def _one_or_several(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        return (given,) if given else ()

    @model_validator(mode="after")
    def _parts_make_a_recipe(self) -> IdentifySection:
        _ = self.recipe
        return self

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


class UploadSection(Section):
    """Where spectra are forwarded to; off until an endpoint is given."""

    endpoint: str = ""
    key_file: SecretFile | None = None
    format: Literal["columns", "json"] = "columns"
    bucket_hosts: tuple[str, ...] = ()
    proxy: str = ""
    order: Literal["oldest first", "newest first"] = "oldest first"
    batch: Whole = Field(default=1, ge=1, le=500)
    fetch_results: bool = True
    sample_label: str = "sample"
    project_label: str = "project"

    @field_validator("proxy")
    @classmethod
    def _proxy_can_be_asked(cls, proxy: str) -> str:
        # The value stays out of the text: it may hold a password.
        if proxy and not is_web_address(proxy):
            raise ValueError("is no address such as http://proxy.lab:3128")
        return proxy


class HubSection(Section):
    """An OES API server of our own inside the daemon's process: for simulation and sites without a cloud.

    On loopback by http; beyond it by https only, under a name. It wants a key in any case.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    name: str = ""
    certificate: Path | None = None
    certificate_key: Path | None = None
    port: Whole = Field(default=8530, ge=0, le=65535)
    key_file: SecretFile | None = None
    workers: Whole = Field(default=0, ge=0, le=256)
    keep_us: Duration = Field(default=0, alias="keep")

    @field_validator("name")
    @classmethod
    def _name_is_a_host(cls, name: str) -> str:
        if name and not _HOST.fullmatch(name):
            raise ValueError(f'{name!r:.80} is not the name of a host, such as "hub.lab"')
        return name

    @model_validator(mode="after")
    def _others_only_when_safe(self) -> HubSection:
        wanted = ("certificate", "certificate_key", "name")
        missing = [one for one in wanted if not getattr(self, one)]
        if missing and (self.host not in LOOPBACK or len(missing) < len(wanted)):
            raise ValueError(
                f"host: {self.host!r:.80} needs {' and '.join(missing)} too: keys must not travel in clear, and "
                "clients are sent to that name"
            )
        return self

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and key; None for http."""
        return (self.certificate, self.certificate_key) if self.certificate and self.certificate_key else None


class SimulationSection(Section):
    """Virtual spectrometers instead of real ones; asked for, never fallen back to."""

    enabled: bool = False
    devices: tuple[str, ...] = ("USB2000+:SIM00001", "USB4000:SIM00002")
    scene: str = "argon-metals"
    seed: Whole = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _devices_are_model_and_serial(self) -> SimulationSection:
        if not self.devices:
            raise ValueError("devices: name at least one")
        if len(set(self.devices)) < len(self.devices):
            raise ValueError("devices: one stands twice")
        for device in self.devices:
            if not all(device.partition(":")):
                raise ValueError(f'devices: {device!r} is not "MODEL:SERIAL", such as "USB2000+:SIM00001"')
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Model and serial number of each device."""
        return [(model, serial) for model, _, serial in (device.partition(":") for device in self.devices)]
