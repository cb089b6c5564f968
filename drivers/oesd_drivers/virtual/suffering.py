"""Faults that strike the process that reads, not the device: it hangs in C code, or it dies there.

Only a client in another process suffers them (:class:`~oesd_drivers.virtual.RemoteBus`): a bus in the reader's own
process would go down with it.
"""

from __future__ import annotations

import ctypes
import math
import resource

from .libusb import ClientFault


def suffer(fault: ClientFault) -> None:
    """Hang in C code with the interpreter's lock held, or read from address 0; returns only from a hang that ends."""
    if fault.kind == "segfault":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core file for a fault to order
        ctypes.string_at(0)
    ctypes.PyDLL(None).sleep(math.ceil(fault.seconds))  # PyDLL, unlike CDLL, keeps the lock
