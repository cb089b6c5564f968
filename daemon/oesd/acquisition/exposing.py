"""How long and how often the next capture is exposed."""

from __future__ import annotations

from oesd.acquisition.exposure import AutoExposure, bracket_us, brightness_of, in_steps, scans_in
from oesd.acquisition.settings import Settings
from oesd.model import Device, FloatArray, Kind, MaskArray
from oesd_drivers.spectrometer import Exposure, Trigger

_ROOM = 0.9
"""Share of the period that exposures may fill: reading out and handing over need the rest."""

_DARK_US = 2_000_000
"""A dark takes no longer than this, or than a period, for the sake of its proof alone."""


class Exposing:
    """Follows the light where the configuration says so; else what it says stands.

    Parameters
    ----------
    settings : Settings
    device : Device
        Its limits and its saturation.
    step_us : int
        The device takes whole multiples of this: what it would round is never asked for, so that what is said of an
        exposure, and what a dark is wanted for, is what frames tell.

    Attributes
    ----------
    proving_scans : int
        Scans that a dark needs to prove itself, as far as somebody has said.
    """

    def __init__(self, settings: Settings, device: Device, step_us: int = 1) -> None:
        self._settings = settings
        self._step_us = step_us
        self.integration_us = in_steps(settings.capture.integration_us, step_us)
        self.proving_scans = 0
        self.locked = False
        self._device = device
        self._period_us: int = settings.capture.every_us
        self._auto = self._within(self._period_us)

    def of(self, kind: Kind) -> Exposure:
        """Exposure of the next capture of a kind; darks and references never wait for a trigger."""
        trigger = Trigger(self._settings.trigger.mode) if kind is Kind.SAMPLE else Trigger.FREE
        return Exposure(self.integration_us, self.scans(kind), trigger)

    def scans(self, kind: Kind) -> int:
        """Scans summed for a capture of this kind: for a dark as many as prove it dark, within reason."""
        section, capture = self._settings.background(kind), self._settings.capture
        if section is not None and section.scans is not None:
            return section.scans
        own = scans_in(capture.total_us, self.integration_us) if capture.total_us else capture.scans
        if kind is not Kind.DARK:
            return own
        return max(own, min(self.proving_scans, scans_in(max(_DARK_US, capture.every_us), self.integration_us)))

    def short(self) -> Exposure | None:
        """The second exposure of a bracketed sample, None where there is none."""
        ratio = self._settings.exposure.bracket
        if not ratio:
            return None
        shorter_us = bracket_us(self.integration_us, ratio, self._device.integration_min_us)
        shorter_us = in_steps(shorter_us, self._step_us)
        if shorter_us >= self.integration_us:
            return None
        return Exposure(shorter_us, self.scans(Kind.SAMPLE), Trigger(self._settings.trigger.mode))

    def heed(self, integration_us: int, counts: FloatArray, saturated: MaskArray) -> None:
        """Learn from a sample: its exposure, mean counts of a scan and what was saturated, both (pixels,)."""
        if self._auto is None or self.locked:
            return
        seen = brightness_of(counts, saturated, self._device.electric_dark_pixels)
        self.integration_us = self._auto.next_us(integration_us, seen.peak_counts, seen.saturated, seen.offset_counts)

    def fit(self, period_us: int) -> None:
        """Keep exposures that follow the light within a period from now on."""
        if self._auto is None or period_us == self._period_us:
            return
        self._period_us = period_us
        self._auto = self._within(period_us)
        if self._auto is not None:
            self.integration_us = min(self.integration_us, self._auto.longest_us)

    def shortest_period_us(self) -> int:
        """Least distance of slots that the scans of a sample can keep to."""
        if self._auto is None:
            return self.integration_us * self.scans(Kind.SAMPLE)
        return self._auto.shortest_us * self._scans_at_least()

    def lock(self, locked: bool) -> None:
        """Stay as it is, or follow the light again, by what is seen from now on."""
        self.locked = locked
        if self._auto is not None:
            self._auto.forget()

    def _scans_at_least(self) -> int:
        return 1 if self._settings.capture.total_us else self._settings.capture.scans

    def _within(self, period_us: int) -> AutoExposure | None:
        """What follows the light within a period, None where the configuration has a fixed time."""
        capture, bounds, device = self._settings.capture, self._settings.exposure, self._device
        if bounds.mode != "auto":
            return None
        most_us = int(_ROOM * period_us) // self._scans_at_least()
        limits = (most_us, bounds.longest_us, capture.total_us, device.integration_max_us)
        shortest_us = max(bounds.shortest_us, device.integration_min_us, 1)
        longest_us = min(limit for limit in limits if limit)
        return AutoExposure(bounds.aim, shortest_us, longest_us, device.saturation_counts, step_us=self._step_us)
