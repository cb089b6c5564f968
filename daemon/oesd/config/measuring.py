"""Sections of measuring: exposure, trigger, darks and references, light, plasma, runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from oesd.config.values import Duration, Integration, Period, Section, Whole, checked_labels, is_web_address


class CaptureSection(Section):
    """How samples are taken; also the start of each spectrometer's own settings."""

    every_us: Period = Field(default=1_000_000, alias="every")
    integration_us: Integration = Field(default=100_000, alias="integration")
    scans: Whole = Field(default=1, ge=1, le=10_000)
    total_us: Duration = Field(default=0, alias="total")
    boxcar: Whole = Field(default=0, ge=0, le=100)
    saturated: Literal["mark", "refuse"] = "mark"


class ExposureSection(Section):
    """Whether the integration time follows the light, and within which bounds.

    ``aim`` is a share of saturation, of the highest pixel in raw scans. ``bracket`` is the ratio of a second, shorter
    integration time that stands in for saturated pixels; 0 for none.
    """

    mode: Literal["fixed", "auto"] = "fixed"
    aim: tuple[float, float] = (0.70, 0.85)
    shortest_us: Duration = Field(default=0, alias="shortest")
    longest_us: Duration = Field(default=0, alias="longest")
    lock_in_runs: bool = False
    bracket: float = Field(default=0.0, ge=0.0, le=0.5)

    @model_validator(mode="after")
    def _bounds_in_order(self) -> ExposureSection:
        low, high = self.aim
        if not 0.05 <= low < high <= 0.95:
            raise ValueError("aim: two shares of saturation, the lower one first, within 0.05 to 0.95")
        if high < 1.15 * low:
            raise ValueError("aim: the upper share must be 1.15 times the lower one or more, or no exposure fits")
        if self.longest_us and self.longest_us < self.shortest_us:
            raise ValueError("longest: must not be less than shortest")
        return self


class TriggerSection(Section):
    """What begins an exposure, and how long to wait for it."""

    mode: Literal["free-running", "software", "synchronous", "edge", "level", "single-shot", "external"] = (
        "free-running"
    )
    timeout_us: Period = Field(default=5_000_000, alias="timeout")


class BackgroundSection(Section):
    """How darks or references are taken, how old they may grow, and when a new one is due.

    By a light switch, when a plan says that the light is right (``window``), when the plasma is proven to be off, or
    only when a person orders one. Whichever it is, one that is due is said to be due.
    """

    how: Literal["by hand", "switch", "window", "plasma off"] = "by hand"
    every_us: Duration = Field(default=0, alias="every")
    window: str = ""
    scans: Whole | None = Field(default=None, ge=1, le=10_000)
    max_age_us: Duration = Field(default=86_400_000_000, alias="max_age")
    max_temperature_k: float = Field(default=2.0, gt=0, alias="max_temperature_change")
    renew_age_us: Duration = Field(default=3_600_000_000, alias="renew_age")
    renew_temperature_k: float = Field(default=1.0, ge=0, alias="renew_temperature_change")
    check: bool = True

    @model_validator(mode="after")
    def _the_way_has_what_it_needs(self) -> BackgroundSection:
        if self.every_us and self.how != "switch":
            raise ValueError('every: needs how = "switch"')
        if 0 < self.every_us < 10_000_000:
            raise ValueError('every: must be "10 s" or more')
        if bool(self.window) != (self.how == "window"):
            raise ValueError('window: a cron expression (UTC), with how = "window" and only with it')
        if self.window and len(self.window.split()) != 5:
            raise ValueError(f"window: {self.window!r} is no cron expression of five fields")
        return self


class ReferenceSection(BackgroundSection):
    """References: as darks, but a lamp ages slower than a detector warms."""

    max_age_us: Duration = Field(default=7 * 86_400_000_000, alias="max_age")
    max_temperature_k: float = Field(default=5.0, gt=0, alias="max_temperature_change")
    renew_age_us: Duration = Field(default=0, alias="renew_age")
    renew_temperature_k: float = Field(default=0.0, ge=0, alias="renew_temperature_change")


class LightSection(Section):
    """What switches the light: a command, an HTTP hook, or a line of the spectrometer itself; at most one of them.

    Words of the command and the URL may hold {kind} (sample, dark, reference), {serial} and {name}. ``line`` says what
    the lamp-enable line does when it is on: ``closes`` a shutter, or ``lights`` a lamp that samples are taken with.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    line: Literal["none", "closes", "lights"] = "none"
    timeout_us: Period = Field(default=10_000_000, alias="timeout")
    settle_us: Duration = Field(default=0, alias="settle")

    @model_validator(mode="after")
    def _one_way(self) -> LightSection:
        if self.command and not self.command[0]:
            raise ValueError("command: the first word must be a program")
        if self.url and not is_web_address(self.url):
            raise ValueError("url: must be an http:// or https:// address")
        if sum((bool(self.command), bool(self.url), self.line != "none")) > 1:
            raise ValueError("command: give only one of command, url and line")
        return self

    @property
    def switches(self) -> bool:
        """Whether there is anything to switch."""
        return bool(self.command or self.url) or self.line != "none"


class RunSection(Section):
    """When samples are taken.

    ``always``; ``on order`` (``oesd run start``, ``POST /runs``); ``plasma on``; or from each firing of a cron
    expression (UTC) for a duration. ``labels`` go with every spectrum.
    """

    start: str = "always"
    duration_us: Duration = Field(default=0, alias="duration")
    labels: dict[str, str] = Field(default_factory=dict)

    @property
    def planned(self) -> bool:
        """Whether a cron expression starts the runs."""
        return self.start not in ("always", "on order", "plasma on")

    @field_validator("labels")
    @classmethod
    def _labels_are_short(cls, labels: dict[str, str]) -> dict[str, str]:
        return checked_labels(labels)

    @model_validator(mode="after")
    def _cron_needs_a_duration(self) -> RunSection:
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
        return self


class BandSection(Section):
    """A stretch of the spectrum whose light tells that the plasma is on, and the quiet beside it; nm in air."""

    centre_nm: float = Field(gt=100, lt=2600)
    half_width_nm: float = Field(default=1.0, gt=0, lt=100)
    side_nm: float = Field(default=5.0, gt=0, lt=200)


class PlasmaSection(Section):
    """When the plasma counts as on and as off: light of the brightest band, counts per second of exposure."""

    bands: tuple[BandSection, ...] = ()
    on_above: float = 0.0
    off_below: float = 0.0
    on_hold_us: Duration = Field(default=1_000_000, alias="on_hold")
    off_hold_us: Duration = Field(default=5_000_000, alias="off_hold")

    @model_validator(mode="after")
    def _thresholds_in_order(self) -> PlasmaSection:
        if self.bands and not 0 < self.off_below < self.on_above:
            raise ValueError("off_below: must be above 0 and below on_above")
        return self


class StrayLightSection(Section):
    """Shares of all light that fall where they do not belong: evenly, and in a halo around their source.

    ``halo_nm`` is the distance in which the halo falls by a factor e.
    """

    share: float = Field(default=0.0, ge=0, le=0.1)
    halo_share: float = Field(default=0.0, ge=0, le=0.1)
    halo_nm: float = Field(default=25.0, gt=0, le=1000)

    @model_validator(mode="after")
    def _not_most_of_it(self) -> StrayLightSection:
        if self.share + self.halo_share > 0.1:
            raise ValueError("share: together with halo_share at most 0.1 of the light can stray")
        return self

    @property
    def coefficients(self) -> tuple[float, ...]:
        """As a device's description holds them; empty for none."""
        if self.halo_share:
            return (self.share, self.halo_share, self.halo_nm)
        return (self.share,) if self.share else ()


class SpectrometerSection(Section):
    """Settings of one spectrometer, found by its serial number; what is absent comes from [capture]."""

    serial: str = Field(min_length=1, max_length=256)
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    every_us: Period | None = Field(default=None, alias="every")
    integration_us: Integration | None = Field(default=None, alias="integration")
    scans: Whole | None = Field(default=None, ge=1, le=10_000)
    boxcar: Whole | None = Field(default=None, ge=0, le=100)
    trigger: TriggerSection | None = None
    exposure: ExposureSection | None = None
    cooling_c: float | None = Field(default=None, ge=-60, le=40)
    dead_pixels: tuple[Annotated[Whole, Field(ge=0, lt=100_000)], ...] = ()
    stray_light: StrayLightSection = StrayLightSection()
