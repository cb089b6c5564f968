"""Sections of measuring: exposure, trigger, darks and references, light, plasma, runs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, field

from oesd.config.values import Duration, Integration, Period, Section, checked_labels, is_web_address


class CaptureSection(Section, frozen=True):
    """How samples are taken; also the start of each spectrometer's own settings."""

    every_us: Period = field(default=Period("1 s"), name="every")
    integration_us: Integration = field(default=Integration("100 ms"), name="integration")
    scans: Annotated[int, Meta(ge=1, le=10_000)] = 1
    total_us: Duration = field(default=Duration("0"), name="total")
    boxcar: Annotated[int, Meta(ge=0, le=100)] = 0
    saturated: Literal["mark", "refuse"] = "mark"


class ExposureSection(Section, frozen=True):
    """Whether the integration time follows the light, and within which bounds.

    ``aim`` is a share of saturation, of the highest pixel in raw scans. ``bracket`` is the ratio of a second, shorter
    integration time that stands in for saturated pixels; 0 for none.
    """

    mode: Literal["fixed", "auto"] = "fixed"
    aim: tuple[float, float] = (0.70, 0.85)
    shortest_us: Duration = field(default=Duration("0"), name="shortest")
    longest_us: Duration = field(default=Duration("0"), name="longest")
    lock_in_runs: bool = False
    bracket: Annotated[float, Meta(ge=0.0, le=0.5)] = 0.0

    def _check_parts(self) -> None:
        low, high = self.aim
        if not 0.05 <= low < high <= 0.95:
            raise ValueError("aim: two shares of saturation, the lower one first, within 0.05 to 0.95")
        if high < 1.15 * low:
            raise ValueError("aim: the upper share must be 1.15 times the lower one or more, or no exposure fits")
        if self.longest_us and self.longest_us < self.shortest_us:
            raise ValueError("longest: must not be less than shortest")


class TriggerSection(Section, frozen=True):
    """What begins an exposure, and how long to wait for it."""

    mode: Literal["free-running", "software", "synchronous", "edge", "level", "single-shot", "external"] = (
        "free-running"
    )
    timeout_us: Period = field(default=Period("5 s"), name="timeout")


class BackgroundSection(Section, frozen=True):
    """How darks or references are taken, how old they may grow, and when a new one is due.

    By a light switch, when a plan says that the light is right (``window``), when the plasma is proven to be off, or
    only when a person orders one. Whichever it is, one that is due is said to be due.
    """

    how: Literal["by hand", "switch", "window", "plasma off"] = "by hand"
    every_us: Duration = field(default=Duration("0"), name="every")
    window: str = ""
    scans: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    max_age_us: Duration = field(default=Duration("1 d"), name="max_age")
    max_temperature_k: Annotated[float, Meta(gt=0)] = field(default=2.0, name="max_temperature_change")
    renew_age_us: Duration = field(default=Duration("1 h"), name="renew_age")
    renew_temperature_k: Annotated[float, Meta(ge=0)] = field(default=1.0, name="renew_temperature_change")
    check: bool = True

    def _check_parts(self) -> None:
        if self.every_us and self.how != "switch":
            raise ValueError('every: needs how = "switch"')
        if 0 < self.every_us < 10_000_000:
            raise ValueError('every: must be "10 s" or more')
        if bool(self.window) != (self.how == "window"):
            raise ValueError('window: a cron expression (UTC), with how = "window" and only with it')
        if self.window and len(self.window.split()) != 5:
            raise ValueError(f"window: {self.window!r} is no cron expression of five fields")


class ReferenceSection(BackgroundSection, frozen=True):
    """References: as darks, but a lamp ages slower than a detector warms."""

    max_age_us: Duration = field(default=Duration("7 d"), name="max_age")
    max_temperature_k: Annotated[float, Meta(gt=0)] = field(default=5.0, name="max_temperature_change")
    renew_age_us: Duration = field(default=Duration("0"), name="renew_age")
    renew_temperature_k: Annotated[float, Meta(ge=0)] = field(default=0.0, name="renew_temperature_change")


class LightSection(Section, frozen=True):
    """What switches the light: a command, an HTTP hook, or a line of the spectrometer itself; at most one of them.

    Words of the command and the URL may hold {kind} (sample, dark, reference), {serial} and {name}. ``line`` says what
    the lamp-enable line does when it is on: ``closes`` a shutter, or ``lights`` a lamp that samples are taken with.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    line: Literal["none", "closes", "lights"] = "none"
    timeout_us: Period = field(default=Period("10 s"), name="timeout")
    settle_us: Duration = field(default=Duration("0"), name="settle")

    def _check_parts(self) -> None:
        if self.command and not self.command[0]:
            raise ValueError("command: the first word must be a program")
        if self.url and not is_web_address(self.url):
            raise ValueError("url: must be an http:// or https:// address")
        if sum((bool(self.command), bool(self.url), self.line != "none")) > 1:
            raise ValueError("command: give only one of command, url and line")

    @property
    def switches(self) -> bool:
        """Whether there is anything to switch."""
        return bool(self.command or self.url) or self.line != "none"


class RunSection(Section, frozen=True):
    """When samples are taken.

    ``always``; ``on order`` (``oesd run start``, ``POST /runs``); ``plasma on``; or from each firing of a cron
    expression (UTC) for a duration. ``labels`` go with every spectrum.
    """

    start: str = "always"
    duration_us: Duration = field(default=Duration("0"), name="duration")
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def planned(self) -> bool:
        """Whether a cron expression starts the runs."""
        return self.start not in ("always", "on order", "plasma on")

    def _check_parts(self) -> None:
        try:
            checked_labels(self.labels)
        except ValueError as error:
            raise ValueError(f"labels: {error}") from None
        if not self.planned:
            if self.duration_us:
                raise ValueError(f'duration: goes with a cron expression in start, not with "{self.start}"')
        elif len(self.start.split()) != 5:
            raise ValueError(
                f'start: {self.start!r} is none of "always", "on order", "plasma on", nor a cron expression'
                " of five fields"
            )
        elif not self.duration_us:
            raise ValueError("duration: a run started by cron needs one")


class BandSection(Section, frozen=True):
    """A stretch of the spectrum whose light tells that the plasma is on, and the quiet beside it; nm in air."""

    centre_nm: Annotated[float, Meta(gt=100, lt=2600)]
    half_width_nm: Annotated[float, Meta(gt=0, lt=100)] = 1.0
    side_nm: Annotated[float, Meta(gt=0, lt=200)] = 5.0


class PlasmaSection(Section, frozen=True):
    """When the plasma counts as on and as off: light of the brightest band, counts per second of exposure."""

    bands: tuple[BandSection, ...] = ()
    on_above: float = 0.0
    off_below: float = 0.0
    on_hold_us: Duration = field(default=Duration("1 s"), name="on_hold")
    off_hold_us: Duration = field(default=Duration("5 s"), name="off_hold")

    def _check_parts(self) -> None:
        if self.bands and not 0 < self.off_below < self.on_above:
            raise ValueError("off_below: must be above 0 and below on_above")


class StrayLightSection(Section, frozen=True):
    """Shares of all light that fall where they do not belong: evenly, and in a halo around their source.

    ``halo_nm`` is the distance in which the halo falls by a factor e.
    """

    share: Annotated[float, Meta(ge=0, le=0.1)] = 0.0
    halo_share: Annotated[float, Meta(ge=0, le=0.1)] = 0.0
    halo_nm: Annotated[float, Meta(gt=0, le=1000)] = 25.0

    def _check_parts(self) -> None:
        if self.share + self.halo_share > 0.1:
            raise ValueError("share: together with halo_share at most 0.1 of the light can stray")

    @property
    def coefficients(self) -> tuple[float, ...]:
        """As a device's description holds them; empty for none."""
        if self.halo_share:
            return (self.share, self.halo_share, self.halo_nm)
        return (self.share,) if self.share else ()


class SpectrometerSection(Section, frozen=True):
    """Settings of one spectrometer, found by its serial number; what is absent comes from [capture]."""

    serial: Annotated[str, Meta(min_length=1, max_length=256)]
    name: str | None = None
    every_us: Period | None = field(default=None, name="every")
    integration_us: Integration | None = field(default=None, name="integration")
    scans: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    boxcar: Annotated[int, Meta(ge=0, le=100)] | None = None
    trigger: TriggerSection | None = None
    exposure: ExposureSection | None = None
    cooling_c: Annotated[float, Meta(ge=-60, le=40)] | None = None
    dead_pixels: tuple[Annotated[int, Meta(ge=0, lt=100_000)], ...] = ()
    stray_light: StrayLightSection = StrayLightSection()

    def _check_parts(self) -> None:
        if self.name is not None and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.name) is None:
            raise ValueError(f"name: {self.name!r:.80}: a name has up to 64 of A-Z, a-z, 0-9, _ and -")
