"""When a device is asked for its temperatures."""

from __future__ import annotations

import pytest

from oesd_drivers.pace import Clock
from oesd_drivers.scans import Thermometers

SECOND_NS = 1_000_000_000


class Telling:
    """A device that answers its thermometers as a list says, and counts the questions."""

    def __init__(self, *told_c: float | None) -> None:
        self._told_c = list(told_c)
        self.asked = 0

    def board_temperature_c(self) -> float | None:
        self.asked += 1
        return self._told_c.pop(0) if len(self._told_c) > 1 else self._told_c[0]

    def detector_temperature_c(self) -> float | None:
        return None


def read(device: Telling, seconds: int) -> list[float | None]:
    """The board's temperature at each second."""
    now_ns = [0]
    thermometers = Thermometers(Clock(monotonic_ns=lambda: now_ns[0]))
    found = []
    for _ in range(seconds):
        found.append(thermometers.of(device)[1])  # type: ignore[arg-type]
        now_ns[0] += SECOND_NS
    return found


def test_a_thermometer_is_read_once_a_second() -> None:
    device = Telling(20.0, 21.0, 22.0)
    assert read(device, 4) == [20.0, 21.0, 22.0, 22.0]
    assert device.asked == 4


@pytest.mark.parametrize("miss", [None, float("nan"), 900.0])
def test_one_answer_that_is_missing_costs_a_minute_and_not_the_temperature_of_months(miss: float | None) -> None:
    """Without one, darks of any temperature fit any sample."""
    device = Telling(20.0, miss, 25.0)
    assert read(device, 63) == [20.0, *[None] * 60, 25.0, 25.0]
    assert device.asked == 4


def test_who_never_told_is_asked_once() -> None:
    device = Telling(None)
    assert read(device, 3600) == [None] * 3600
    assert device.asked == 1
