"""Virtual Ocean Optics spectrometers on a virtual USB bus, in this process or another: see README.md."""

from .backend import VirtualBackend
from .build import spectrometer
from .bus import VirtualBus
from .control import BusControl
from .device import VirtualDevice
from .faults import FaultKind
from .hostile import Hostile
from .install import ENVIRONMENT, install, install_from_environment
from .made import MODULUS, MadeFrame, fingerprint
from .models import MODELS
from .remote import HostError, RemoteBus, connect
from .remote_control import HostControl
from .scene import SCENES, Light, Scene, scene
from .spawn import HostProcess, spawn_host

__all__ = [
    "ENVIRONMENT", "MODELS", "MODULUS", "SCENES", "BusControl", "FaultKind", "HostControl", "HostError", "HostProcess",
    "Hostile", "Light", "MadeFrame", "RemoteBus", "Scene", "VirtualBackend", "VirtualBus", "VirtualDevice", "connect",
    "fingerprint", "install", "install_from_environment", "scene", "spawn_host", "spectrometer",
]  # fmt: skip
