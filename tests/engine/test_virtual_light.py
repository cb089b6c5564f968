"""The engine names what the virtual spectrometers' scenes burn: an optical model and line lists of their own."""

import numpy as np
import pytest

from oesd.engine.analyze import analyze_measurement
from oesd.model import Measurement, Recipe
from oesd_drivers.virtual.models import MODELS
from oesd_drivers.virtual.optics import Optics
from oesd_drivers.virtual.scene import scene


def exposure(model: str, light: str, integration_s: float, scans: int) -> Measurement:
    detector = MODELS[model].detector
    optics = Optics(MODELS[model], "OES00001", 1)
    rate = sum((optics.rates(emitter) for emitter in scene(light).emitters), np.zeros(detector.pixels))
    frames = np.stack([optics.frame(rate, integration_s, 25.0, n) for n in range(scans)])
    darks = np.stack([optics.frame(0.0 * rate, integration_s, 25.0, 100 + n) for n in range(scans)])
    return Measurement(
        wavelengths_nm=optics.wavelengths_nm,
        sample=frames.mean(axis=0),
        dark=darks.mean(axis=0),
        scans=scans,
        saturation_counts=float(detector.saturation_counts),
        saturated=(frames >= detector.saturation_counts).any(axis=0),
    )


def named(model: str, light: str, integration_s: float = 0.03, scans: int = 4) -> set[str]:
    return {e.element for e in analyze_measurement(exposure(model, light, integration_s, scans), Recipe()).elements}


@pytest.mark.parametrize("model", ["USB2000+", "USB4000", "QE-PRO", "SR4"])
@pytest.mark.parametrize("integration_s", [0.01, 0.1])
def test_argon_copper_and_aluminium(model, integration_s):
    assert named(model, "argon-metals", integration_s) == {"Ar", "Cu", "Al"}


@pytest.mark.parametrize("model", ["USB2000+", "USB4000", "STS", "QE-PRO", "SR4"])
def test_lamps(model):
    assert named(model, "hg-ar-lamp") == {"Hg", "Ar"}
    assert named(model, "neon-lamp") == {"Ne"}


@pytest.mark.parametrize("model", ["USB2000+", "USB4000", "STS", "QE-PRO", "SR4"])
@pytest.mark.parametrize("integration_s", [0.03, 1.0])
def test_a_continuum_claims_nothing_not_even_when_half_the_detector_is_full(model, integration_s):
    assert named(model, "halogen", integration_s) == set()
    assert named(model, "dark", integration_s) == set()
