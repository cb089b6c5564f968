"""Whether the plasma is on, as far as one spectrometer's spectra prove it."""

from __future__ import annotations

import logging

from oesd.backgrounds.plasma_off import Band, Intensity, PlasmaWatch, State, Thresholds, band_intensity
from oesd.config import PlasmaSection
from oesd.model import Device, FloatArray, MaskArray

log = logging.getLogger(__name__)

_LEAST_GAP_S = 10.0


class Plasma:
    """Follows the bands of the configuration that lie on this spectrometer's axis.

    Parameters
    ----------
    section : PlasmaSection
    device : Device

    Attributes
    ----------
    reason : str
        Why its state is what it is.
    """

    def __init__(self, section: PlasmaSection, device: Device) -> None:
        self._device = device
        bands = [Band(band.centre_nm, band.half_width_nm, band.side_nm) for band in section.bands]
        self._bands = [band for band in bands if self._on_axis(band)]
        self._watch = PlasmaWatch(
            Thresholds(
                section.on_above,
                section.off_below,
                section.on_hold_us / 1e6,
                section.off_hold_us / 1e6,
                _LEAST_GAP_S,
            )
        )
        self._section = section
        self._brightest = 0.0
        self.reason = "nothing seen yet"

    def __str__(self) -> str:
        """For people: what is proven, and how far the light is from proving anything else."""
        if not self._bands:
            return "unknown: none of its bands lies on this spectrometer's axis"
        limits = f"on above {self._section.on_above:g}, off below {self._section.off_below:g}"
        return f"{self.state}: {self._brightest:.0f} counts/s in the brightest band ({limits})"

    @property
    def state(self) -> State:
        """What is proven now."""
        return self._watch.state

    def pace(self, period_s: float) -> None:
        """Say how far apart spectra are: a silence of more than a few of them proves nothing."""
        self._watch.allow_gap(max(_LEAST_GAP_S, 3 * period_s))

    def proves_off(self, now_s: float) -> bool:
        """Whether it is off, and was seen so just now: what was off an hour ago may be burning."""
        return self._watch.proves_off(now_s)

    def see(self, counts: FloatArray, integration_us: int, saturated: MaskArray, now_s: float) -> bool:
        """Take in the mean counts of a sample's scan; True when this spectrum changes the state."""
        axis = self._device.wavelengths_nm
        seen: list[Intensity] = [band_intensity(axis, counts, b, integration_us, saturated) for b in self._bands]
        self._brightest = max((one.counts_per_s for one in seen), default=0.0)
        finding = self._watch.update(seen, now_s)
        self.reason = finding.reason
        return finding.changed

    def _on_axis(self, band: Band) -> bool:
        nothing = self._device.wavelengths_nm * 0.0
        try:
            band_intensity(self._device.wavelengths_nm, nothing, band, 1)
        except ValueError as error:
            log.warning("%s: %s; it is not watched", self._device.name, error)
            return False
        return True
