"""Acquisition: a thread per spectrometer that takes orders, keeps the pace and survives its device.

::

    Discovery --(opened spectrometer)--> Unit --(Capture | Loss)--> the callables that service wires
                                          ^
    Schedule --(take dark, start run)-----'
"""

from oesd.acquisition.clock import Clock, HostClock
from oesd.acquisition.discovery import Discovery
from oesd.acquisition.light import CommandLight, Light, LightError, NoLight
from oesd.acquisition.pacing import Grid
from oesd.acquisition.settings import Settings, settings_for
from oesd.acquisition.state import UnitState
from oesd.acquisition.unit import Unit
from oesd.acquisition.values import Place, Sinks, capture_of, device_of

__all__ = [
    "Clock", "CommandLight", "Discovery", "Grid", "HostClock", "Light", "LightError", "NoLight", "Place",
    "Settings", "Sinks", "Unit", "UnitState", "capture_of", "device_of", "settings_for",
]  # fmt: skip
