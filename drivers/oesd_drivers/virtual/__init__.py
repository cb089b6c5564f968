"""Virtual Ocean Optics spectrometers on a virtual USB bus, in this process or another: see README.md."""

from .backend import VirtualBackend
from .build import spectrometer
from .bus import VirtualBus
from .control import BusControl
from .device import VirtualDevice
from .faults import FaultKind
from .install import ENVIRONMENT, install, install_from_environment
from .models import MODELS
from .remote import HostControl, HostError, RemoteBus, connect
from .scene import SCENES, Light, Scene, scene
from .spawn import HostProcess, spawn_host

__all__ = [
    "ENVIRONMENT", "MODELS", "SCENES", "BusControl", "FaultKind", "HostControl", "HostError", "HostProcess", "Light",
    "RemoteBus", "Scene", "VirtualBackend", "VirtualBus", "VirtualDevice", "connect", "install",
    "install_from_environment", "scene", "spawn_host", "spectrometer",
]  # fmt: skip
