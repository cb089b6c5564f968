"""The error codes of libusb 1.0, as the virtual bus uses them inside and over its socket."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """``enum libusb_error`` (libusb.h)."""

    IO = -1
    INVALID_PARAM = -2
    ACCESS = -3
    NO_DEVICE = -4
    NOT_FOUND = -5
    BUSY = -6
    TIMEOUT = -7
    OVERFLOW = -8
    PIPE = -9


class BusError(Exception):
    """A transfer or a call on the virtual bus failed as libusb says it failed."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


class ClientFault(BusError):
    """A fault that strikes the process that reads; one that cannot be struck (same process) sees an I/O error.

    Parameters
    ----------
    kind : str
        ``"hang"`` or ``"segfault"``, as in :class:`~oesd_drivers.virtual.FaultKind`.
    seconds : float
        How long it hangs.
    """

    def __init__(self, kind: str, seconds: float) -> None:
        super().__init__(Code.IO)
        self.kind = kind
        self.seconds = seconds
