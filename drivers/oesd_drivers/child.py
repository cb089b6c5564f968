"""A worker process and the conversation with it: started, asked by deadline, killed when the conversation breaks."""

from __future__ import annotations

import contextlib
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from typing import Any

from . import wire
from .errors import GiveUp, Gone, Lost, Reopen, SpectrometerError
from .launch import Launched, launch
from .spectrometer import Address
from .usb import MODELS

_REAP_S = 5.0
_CLOSE_DEADLINE_S = 2.0
_SLICE_S = 0.05
#: For starting an interpreter and its imports: 0.3 s on a lab PC, a hundredfold on one that swaps or is emulated.
_START_DEADLINE_S = 30.0
_FORGOTTEN_S = 30.0


class Child:
    """A running worker, for one spectrometer at a time.

    Any break of the conversation ends it: what it would say next could not be trusted. It may be started long before it
    is asked for the first time: starting takes longer than opening a device.

    Parameters
    ----------
    environment : mapping
        Variables besides this process's own.
    launched : Launched, optional
        A process that is on its way already.

    Attributes
    ----------
    alive : bool
        Whether it can be asked.
    sound : bool
        Whether no call left its device in doubt: such a worker may open another one.
    exposing_us : int
        Integration time its device is at.

    Raises
    ------
    GiveUp
        There is no interpreter, or it may not be run.
    Lost
        The system cannot start a process now.
    """

    def __init__(self, environment: Mapping[str, str], launched: Launched | None = None) -> None:
        self._name = "the worker"
        self._ready = False
        self._begun: dict[str, Any] | None = None
        self._begun_s = 0.0
        self.alive = self.sound = True
        self.exposing_us = 0
        try:
            self._process, self._channel = launched or launch(environment)
        except (FileNotFoundError, PermissionError) as error:
            raise GiveUp(f"the worker cannot be started: {str(error)!r:.160}") from error
        except OSError as error:
            raise Lost(f"the worker could not be started: {str(error)!r:.160}") from error
        self._heard = select.poll()
        self._heard.register(self._channel, select.POLLIN)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self.alive and self._process.poll() is None

    def begin(self, address: Address, backend: str) -> None:
        """Have it open a spectrometer while nobody waits for it; :meth:`open` of the same one then has the answer."""
        self._begun, self._begun_s = _to_open(address, backend), time.monotonic()
        with contextlib.suppress(OSError):  # it has ended: whoever opens is told
            self._send(self._begun, _SLICE_S)

    def is_free_for(self, address: Address) -> bool:
        """Whether it opens nobody else's device; one that nobody has come for, unplugged meanwhile, is nobody's."""
        waited_s = time.monotonic() - self._begun_s
        return self._begun is None or self._begun["address"] == _numbers(address) or waited_s > _FORGOTTEN_S

    def open(self, address: Address, backend: str, within_s: float) -> tuple[dict[str, Any], wire.Arrays]:
        """Have it open the spectrometer at an address; returns its description, packed.

        Until its imports are done it has a deadline of its own, which says nothing of the device.

        Raises
        ------
        SpectrometerError
            What the worker answers; :class:`Lost` when it does not.
        """
        self._name = _name(address)
        if not self._ready:
            with self.checked("start", _START_DEADLINE_S):
                wire.receive(self._channel, time.monotonic() + _START_DEADLINE_S)
            self._ready = True
        request = _to_open(address, backend)
        if self._begun is not None:
            begun, self._begun = self._begun, None
            with self.checked("open", within_s):
                header, arrays = wire.receive(self._channel, time.monotonic() + within_s)
            if begun == request and wire.unpack_error(header) is None:
                self.judge(header)
                return header, arrays
        return self.ask(request, within_s)

    def ask(self, request: Mapping[str, Any], within_s: float) -> tuple[dict[str, Any], wire.Arrays]:
        """Answer to a request; what is left of a series that nobody waits for any more is passed over.

        Raises
        ------
        SpectrometerError
            What the worker answers; :class:`Lost` when it does not.
        """
        with self.checked(request["call"], within_s):
            deadline_s = time.monotonic() + within_s
            self._send(request, within_s)
            header, arrays = wire.receive(self._channel, deadline_s)
            while "number" in header:
                header, arrays = wire.receive(self._channel, deadline_s)
            self.judge(header)
        return header, arrays

    def say(self, request: Mapping[str, Any], within_s: float) -> None:
        """Send what has no answer of its own."""
        with self.checked(request["call"], within_s):
            self._send(request, within_s)

    def heard(self, deadline_s: float) -> bool:
        """Wait a slice of 50 ms for the child to say something, less when the deadline, monotonic, comes first."""
        left_s = max(0.0, deadline_s - time.monotonic())
        return bool(self._heard.poll(min(_SLICE_S, left_s) * 1e3)) or left_s <= 0

    def hear(self, deadline_s: float) -> tuple[dict[str, Any], wire.Arrays]:
        """Receive a message; to be called within :meth:`checked`."""
        return wire.receive(self._channel, deadline_s)

    def end(self, *, kill: bool) -> str:
        """Close our end, which ends the child, reap it, and return how it ended."""
        self.alive = False
        self._channel.close()
        if kill:
            self._process.kill()
        try:
            self._process.wait(_CLOSE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # in an uninterruptible call of the kernel
                self._process.wait(_REAP_S)
        return _ending(self._process.returncode)

    def _send(self, request: Mapping[str, Any], within_s: float) -> None:
        self._channel.settimeout(within_s)
        wire.send(self._channel, request)

    def judge(self, header: Mapping[str, Any]) -> None:
        """Take over what the end of an answer tells of the device; raise the error it carries."""
        self.exposing_us = max(0, int(header["exposing_us"]))
        error = wire.unpack_error(header)
        if error is not None:
            self.sound = self.sound and (isinstance(error, Gone) or not isinstance(error, Reopen))
            raise error

    @contextlib.contextmanager
    def checked(self, call: str = "call", within_s: float = 0.0) -> Iterator[None]:
        """Whatever breaks the conversation in here becomes :class:`Lost`, and the child is ended."""
        try:
            yield
        except SpectrometerError:
            raise
        except TimeoutError as error:
            self.end(kill=True)
            raise Lost(f"{self._name} did not end {call!r} within {within_s:.1f} s and was killed") from error
        except (EOFError, ConnectionError) as error:
            raise Lost(f"{self._name} died: {self.end(kill=False)}") from error
        except (wire.WireError, KeyError, TypeError) as error:
            self.end(kill=True)
            raise Lost(f"{self._name} answered nonsense and was killed: {str(error)!r:.160}") from error


def _numbers(address: Address) -> list[int]:
    return [address.bus, address.address, address.vendor_id, address.product_id]


def _to_open(address: Address, backend: str) -> dict[str, Any]:
    return {"call": "open", "backend": backend, "address": _numbers(address)}


def _name(address: Address) -> str:
    model = MODELS.get((address.vendor_id, address.product_id), "device")
    return f"the worker of the {model} at {address}"


def _ending(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None:
        return "it hangs in the kernel and cannot be killed"
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"
