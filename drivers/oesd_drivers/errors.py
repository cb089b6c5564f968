"""The errors of the drivers, named by what the caller does next.

::

    SpectrometerError
    +-- Retry          the same call may succeed at once: nothing is broken
    |   +-- NoTrigger  no trigger came in time
    +-- Reopen         the device or its process is in doubt: close, open, set everything again, discard one frame
    |   +-- Gone       it is no longer plugged in: wait for it
    |   +-- Lost       the worker process died or missed its deadline
    +-- GiveUp         asking again will not help: a person or a plan must change something
        +-- Denied     no permission on the device node
        +-- Busy       another program holds the device
        +-- Refused    the device cannot do what was asked (integration time out of range, ...)
"""


class SpectrometerError(Exception):
    """Root of all driver errors; its text is one line for a person."""


class Retry(SpectrometerError):
    """The same call may succeed at once."""


class NoTrigger(Retry):
    """No trigger came in time."""


class Reopen(SpectrometerError):
    """Close, open, set everything again, discard one frame."""


class Gone(Reopen):
    """The device is no longer plugged in."""


class Lost(Reopen):
    """The worker process died or missed its deadline; it has been killed."""


class GiveUp(SpectrometerError):
    """Asking again will not help."""


class Denied(GiveUp):
    """No permission on the device node."""


class Busy(GiveUp):
    """Another program holds the device."""


class Refused(GiveUp):
    """The device cannot do what was asked."""
