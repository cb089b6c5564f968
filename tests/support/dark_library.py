"""A virtual spectrometer in process, as the captures that a daemon would take with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from tests.support.dark_units import Unit, light

from oesd.model import Capture, Conditions, Device, FloatArray, Kind, new_id
from oesd_drivers.virtual.scene import Thermal

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Bench:
    """A spectrometer, its temperature, and the host's clocks, all set by the test."""

    unit: Unit
    name: str = "chamber-a"
    celsius: float = 22.0
    now_s: float = 0.0
    utc_step: timedelta = timedelta(0)
    boot_id: str = "boot-1"
    black: bool = True
    taken: int = field(default=0)

    def monotonic_ns(self) -> int:
        return 1_000_000_000 + round(self.now_s * 1e9)

    def device(self) -> Device:
        model, detector = self.unit.optics.model, self.unit.detector
        return Device(
            serial=f"SN-{self.name}",
            name=self.name,
            model=model.name,
            wavelengths_nm=self.unit.optics.wavelengths_nm,
            saturation_counts=int(detector.saturation_counts),
            nonlinearity=tuple(detector.nonlinearity),
            electric_dark_pixels=tuple(detector.dark_pixels) if self.black else (),
            simulated=True,
        )

    def conditions(self, integration_us: int = 100_000, scans: int = 4) -> Conditions:
        return Conditions(self.name, self.unit.detector.pixels, integration_us, scans, 0, self.celsius)

    def plasma(self, counts: float, integration_us: int) -> FloatArray:
        """Electrons per second of an argon plasma whose highest pixel has so many counts."""
        rng = np.random.default_rng(0)
        scale = counts * self.unit.detector.electrons_per_count / (integration_us / 1e6)
        return light(self.unit, "plasma", rng) * scale

    def lamp(self, counts: float, integration_us: int) -> FloatArray:
        """Electrons per second of a halogen lamp."""
        rate = self.unit.optics.rates(Thermal("halogen", 3000.0))
        return np.asarray(
            rate / np.max(rate) * counts * self.unit.detector.electrons_per_count / (integration_us / 1e6)
        )

    def capture(
        self, kind: Kind, *, integration_us: int = 100_000, scans: int = 16, rate: FloatArray | float = 0.0
    ) -> Capture:
        """A capture at this moment with some light."""
        shown = self.unit.dark(integration_us, self.celsius, scans, rate)
        spread = None if shown.scan_noise is None else np.full(shown.counts.size, shown.scan_noise, dtype=np.float32)
        self.taken += 1
        return Capture(
            record_id=new_id(),
            device=self.device(),
            kind=kind,
            run_id="01a20125-5bd0-7604-9d98-2edaf42b34de",
            sequence=self.taken,
            slot=-1,
            taken_at_utc=START + timedelta(seconds=self.now_s) + self.utc_step,
            monotonic_ns=self.monotonic_ns(),
            boot_id=self.boot_id,
            integration_us=integration_us,
            scans=scans,
            boxcar_half_width_px=0,
            counts_sum=np.rint(scans * shown.counts).astype(np.uint32),
            saturated=shown.saturated if shown.saturated is not None else np.zeros(1, dtype=np.bool_),
            detector_temperature_c=self.celsius,
            spread=spread,
        )
