"""Which exposure a capture gets."""

from dataclasses import replace

import numpy as np
import pytest

from oesd.acquisition.exposing import Exposing
from oesd.acquisition.settings import settings_for
from oesd.config import parse_config
from oesd.model import Device, Kind
from oesd_drivers.spectrometer import Exposure, Trigger

DEVICE = Device(
    serial="A", name="A", model="m", wavelengths_nm=np.linspace(300, 900, 100), saturation_counts=60_000,
    integration_min_us=1_000, integration_max_us=1_000_000,
)  # fmt: skip


def exposing(text: str, device: Device = DEVICE) -> Exposing:
    settings = settings_for(parse_config(text, "x"), "A")
    assert settings is not None
    return Exposing(settings, device)


def frame(share: float, px: int = 50) -> np.ndarray:
    counts = np.full(100, 1_000.0)
    counts[px - 1 : px + 2] = 1_000.0 + share * 59_000.0
    return counts


def test_backgrounds_have_scans_of_their_own_and_wait_for_no_trigger() -> None:
    own = exposing('[capture]\nscans = 3\n[dark]\nscans = 9\n[trigger]\nmode = "edge"\n')
    assert own.of(Kind.SAMPLE) == Exposure(100_000, 3, Trigger.EDGE)
    assert own.of(Kind.DARK) == Exposure(100_000, 9, Trigger.FREE)
    assert own.of(Kind.REFERENCE) == Exposure(100_000, 3, Trigger.FREE)


def test_scans_fill_the_total_time_whatever_the_exposure() -> None:
    own = exposing('[capture]\ntotal = "500 ms"\nintegration = "20 ms"\n[exposure]\nmode = "auto"\n')
    assert own.of(Kind.SAMPLE) == Exposure(20_000, 25)
    for _ in range(10):
        own.heed(own.integration_us, frame(0.1 * own.integration_us / 20_000), np.zeros(100, dtype=np.bool_))
    exposure = own.of(Kind.SAMPLE)
    assert 0.70 <= 0.1 * exposure.integration_us / 20_000 <= 0.90
    assert exposure.scans == 500_000 // exposure.integration_us


@pytest.mark.parametrize(("share_at_10_ms", "expected_us"), [(1e-6, 900_000), (1.0, 1_000)])
def test_an_exposure_that_follows_the_light_stays_within_device_and_period(
    share_at_10_ms: float, expected_us: int
) -> None:
    own = exposing('[capture]\nintegration = "10 ms"\n[exposure]\nmode = "auto"\n')
    for _ in range(40):
        own.heed(own.integration_us, frame(min(1.0, 100 * share_at_10_ms)), np.full(100, share_at_10_ms == 1.0))
    assert own.integration_us == expected_us


def test_an_exposure_that_follows_the_light_fits_the_run_s_own_period() -> None:
    own = exposing('[capture]\nintegration = "200 ms"\nscans = 2\n[exposure]\nmode = "auto"\n')
    own.fit(100_000)
    assert own.integration_us == 45_000
    for _ in range(40):
        own.heed(own.integration_us, frame(1e-4), np.zeros(100, dtype=np.bool_))
    assert own.integration_us == 45_000
    own.fit(1_000_000)
    for _ in range(40):
        own.heed(own.integration_us, frame(1e-4), np.zeros(100, dtype=np.bool_))
    assert own.integration_us == 450_000


@pytest.mark.parametrize(
    ("text", "least_us"),
    [
        ("scans = 3\n", 300_000),
        ('total = "500 ms"\n', 500_000),
        ('scans = 3\n[exposure]\nmode = "auto"\nshortest = "5 ms"\n', 15_000),
        ('total = "500 ms"\n[exposure]\nmode = "auto"\n', 1_000),
    ],
)
def test_slots_lie_no_closer_than_the_scans_of_a_sample_take(text: str, least_us: int) -> None:
    assert exposing("[capture]\n" + text).shortest_period_us() == least_us


def test_a_locked_exposure_does_not_move() -> None:
    own = exposing('[exposure]\nmode = "auto"\n')
    own.lock(True)
    for _ in range(20):
        own.heed(own.integration_us, frame(0.01), np.zeros(100, dtype=np.bool_))
    assert own.integration_us == 100_000


def test_the_short_exposure_of_a_bracket() -> None:
    assert exposing("").short() is None
    own = exposing('[capture]\nintegration = "50 ms"\nscans = 2\n[exposure]\nbracket = 0.1\n')
    assert own.short() == Exposure(5_000, 2)
    slow = replace(DEVICE, integration_min_us=50_000)
    assert exposing('[capture]\nintegration = "50 ms"\n[exposure]\nbracket = 0.1\n', slow).short() is None
