"""One capture without a daemon, beside a program that holds another spectrometer."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from oesd.formats import read_spectrum
from oesd.model import Kind
from oesd.service.single import capture_file
from oesd_drivers import virtual
from oesd_drivers.errors import Busy, Gone
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import Exposure
from oesd_drivers.usb import plugged

SHORT = Exposure(10_000, 1)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with virtual.spawn_host([("USB2000+", "A1"), ("USB4000", "B2")], scene="halogen", seed=7) as process:
        monkeypatch.setenv(virtual.ENVIRONMENT, str(process.path))
        sys.modules.pop("usb.backend.virtual", None)  # another test's bus
        yield
        sys.modules.pop("usb.backend.virtual", None)


def test_a_spectrometer_that_a_daemon_has_does_not_stand_before_a_free_one(bus: None) -> None:
    first = next(iter(plugged("virtual")))
    held = IsolatedSpectrometer(first.address, "virtual")
    serial = held.open().serial
    try:
        other = {"A1": "B2", "B2": "A1"}[serial]
        for wanted in (other, ""):
            spectrum = read_spectrum(capture_file(Kind.SAMPLE, wanted, SHORT, "virtual"), "one.txt")
            assert len(spectrum.measurement.sample) > 1000
        for wanted in (serial, "C3"):  # it may be the one that is held
            with pytest.raises(Busy):
                capture_file(Kind.SAMPLE, wanted, SHORT, "virtual")
    finally:
        held.close()
    with pytest.raises(Gone, match="C3"):
        capture_file(Kind.SAMPLE, "C3", SHORT, "virtual")
