"""Virtual spectrometers in process: their darks, and the truth behind them."""

import numpy as np

from oesd.backgrounds.acceptance import scan_noise
from oesd.backgrounds.cells import Dark, DarkStatistics
from oesd.backgrounds.dark_model import DarkModel, learn
from oesd.backgrounds.shapes import room_light
from oesd.model import FloatArray
from oesd_drivers.virtual.models import MODELS
from oesd_drivers.virtual.optics import Optics
from oesd_drivers.virtual.scene import LineLamp, Thermal, scene

SCANS = {1_000: 50, 10_000: 50, 100_000: 20, 1_000_000: 10, 10_000_000: 10}
_REFERENCE_C, _DOUBLING_K = 20.0, 7.0


class Unit:
    """A virtual spectrometer in process: its darks, and the truth behind them."""

    def __init__(self, model: str, seed: int, *, tells_noise: bool = True) -> None:
        self.optics = Optics(MODELS[model], "DARKS01", seed)
        self.detector = MODELS[model].detector
        self.tells_noise = tells_noise
        self._frames = 0

    @property
    def fwhm_px(self) -> float:
        return float(self.optics.model.bench.fwhm_nm / np.median(np.diff(self.optics.wavelengths_nm)))

    def dark(self, integration_us: int, temperature_c: float, scans: int, rate: FloatArray | float = 0.0) -> Dark:
        """A capture as the daemon would store it, with some light (electrons per second) if asked."""
        total, squares = np.zeros(self.detector.pixels), np.zeros(self.detector.pixels)
        saturated = np.zeros(self.detector.pixels, dtype=np.bool_)
        light = total + rate
        for _ in range(scans):
            frame = self.optics.frame(light, integration_us / 1e6, temperature_c, self._frames)
            self._frames += 1
            total += frame
            squares += frame * frame
            saturated |= frame >= self.detector.saturation_counts
        spread = np.sqrt(np.maximum(squares - total * total / scans, 0.0) / max(scans - 1, 1))
        noise = scan_noise(total / scans, spread) if scans > 1 and self.tells_noise else None
        return Dark(total / scans, integration_us, scans, temperature_c, saturated, noise)

    def mean(self, integration_us: int, temperature_c: float, rate: FloatArray | float = 0.0) -> FloatArray:
        """What infinitely many scans would show: the truth that no spectrometer tells."""
        detector = self.detector
        warming = 2.0 ** ((temperature_c - _REFERENCE_C) / _DOUBLING_K)
        electrons = (self.optics._dark_e_per_s * warming + rate) * integration_us / 1e6
        full = (detector.saturation_counts - detector.offset_counts) * 1.01
        counts = self.optics._counts_of_linear(electrons / detector.electrons_per_count)
        return np.clip(np.minimum(counts, full) + self.optics._offset, 0, detector.adc_max)


def taught(unit: Unit, darks: int, rng: np.random.Generator, range_c: tuple[float, float] = (15.0, 35.0)) -> DarkModel:
    """The model after so many darks at all exposures and temperatures."""
    statistics = DarkStatistics(unit.detector.pixels)
    for _ in range(darks):
        integration_us = int(rng.choice(list(SCANS)))
        statistics.add(unit.dark(integration_us, rng.uniform(*range_c), SCANS[integration_us]))
    detector = unit.detector
    return learn(statistics, nonlinearity=detector.nonlinearity, saturation_counts=detector.saturation_counts)


def light(unit: Unit, kind: str, rng: np.random.Generator) -> FloatArray:
    """Electrons per second of a contamination, highest pixel 1."""
    nm = unit.optics.wavelengths_nm
    first, last = np.flatnonzero(unit.optics._sensitivity > 0)[[20, -20]]
    if kind == "line":
        lines = tuple((float(rng.uniform(nm[first], nm[last])), float(rng.uniform(0.3, 1.0))) for _ in range(2))
        rate = unit.optics.rates(LineLamp("weak", lines[: int(rng.integers(1, 3))]))
    elif kind == "plasma":
        rate = sum(unit.optics.rates(emitter) for emitter in scene("argon-metals").emitters)
    elif kind == "glow":
        rate = unit.optics.rates(Thermal("glow", float(rng.uniform(900.0, 6500.0))))
    else:
        rate = room_light(nm, unit.fwhm_px) * unit.optics._sensitivity + 0.15 * unit.optics.rates(
            Thermal("sky", 5600.0)
        ) / np.max(unit.optics.rates(Thermal("sky", 5600.0)))
    return np.asarray(rate / np.max(rate))
