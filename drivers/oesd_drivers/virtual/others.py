"""What other hands do to a device while we look away: a program that leaves its settings behind, a cable that jumps."""

from __future__ import annotations

import threading
import time

from .bus import VirtualBus
from .device import VirtualDevice

_PATIENCE_S = 5.0


def another_program(
    device: VirtualDevice, integration_us: int, trigger: int, scans: int, boxcar: int, hold_s: float
) -> None:
    """Wait until nobody holds the device, set it as another program would, hold it for a while and leave it so.

    Returns once it holds it; ``ValueError`` when nobody lets go of it.
    """
    if not device.seize(_PATIENCE_S):
        raise ValueError(f"{device.name} is in use")
    with device.condition:
        device.instrument.set_integration(integration_us, device.now_s)
        device.instrument.triggers.set_mode(trigger)
        device.instrument.set_averaging(scans=scans, boxcar=boxcar)
    timer = threading.Timer(hold_s, _let_go, (device,))
    timer.daemon = True
    timer.start()


def storm(bus: VirtualBus, name: str, times: int, every_s: float) -> None:
    """Take the device away and plug it in again, a new address each time; returns at once."""

    def jump() -> None:
        for _ in range(times):
            bus.unplug(name)
            time.sleep(every_s / 2)
            bus.plug(bus.device(name))
            time.sleep(every_s / 2)

    threading.Thread(target=jump, daemon=True, name=f"storm-{name}").start()


def _let_go(device: VirtualDevice) -> None:
    device.busy_elsewhere = False
