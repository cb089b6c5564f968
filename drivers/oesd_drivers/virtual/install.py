"""Make a virtual bus known to pyusb and seabreeze by name, without patching anything.

seabreeze resolves ``pyusb_backend="virtual"`` by importing ``usb.backend.virtual`` and calling its ``get_backend()``
(``seabreeze/pyseabreeze/transport.py``, ``get_pyusb_backend_from_name``), which also works for a module that only
exists in ``sys.modules``.
"""

from __future__ import annotations

import os
import sys
import types

from .backend import Bus, VirtualBackend
from .remote import connect

#: Names the socket of a bus in another process.
ENVIRONMENT = "OESD_VIRTUAL_BUS"


def install(bus: Bus, name: str = "virtual") -> VirtualBackend:
    """Register the module ``usb.backend.<name>`` whose ``get_backend()`` gives this bus.

    seabreeze keeps the first backend it gets under a name; install before its first use of that name.
    """
    backend = VirtualBackend(bus)
    module = types.ModuleType(f"usb.backend.{name}", "A virtual bus of oesd_drivers.virtual.")

    def get_backend(find_library: object = None) -> VirtualBackend:
        return backend

    module.__dict__["get_backend"] = get_backend
    sys.modules[module.__name__] = module
    return backend


def install_from_environment(name: str = "virtual") -> VirtualBackend | None:
    """Install the bus whose socket ``OESD_VIRTUAL_BUS`` names; None when the variable is unset."""
    path = os.environ.get(ENVIRONMENT)
    return install(connect(path), name) if path else None
