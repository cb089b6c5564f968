"""The port over a worker process: whatever hangs or crashes in USB or C code is killed by deadline, and only that.

Every ``open()`` starts a fresh child, so that nothing of a wedged one is carried on. The child is started by ``Popen``
with nothing inherited but its end of a socket pair; never fork without exec, never multiprocessing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from . import wire
from .calibration import detector_goal_c
from .errors import GiveUp, Lost, Reopen, SpectrometerError
from .spectrometer import Address, Description, Exposure, Frame
from .usb import MODELS

#: Transfer and readout of one scan beyond its exposure: 4 kB at USB full speed take 4-17 ms.
_READOUT_S = 0.03
_REAP_S = 5.0
_CLOSE_DEADLINE_S = 2.0
#: Thread pools of numpy's BLAS cost 30 MB and more in each child and are never used there.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class IsolatedSpectrometer:
    """A spectrometer in a child process; implements :class:`oesd_drivers.spectrometer.Spectrometer`.

    Parameters
    ----------
    address : Address
    backend : {"libusb", "virtual"}
    open_deadline_s : float
        For starting the child and opening the device, seconds.
    margin_s : float
        What a call may take beyond the exposures it waits for, seconds; more than the one second after which the
        worker itself gives up a silent device.
    env : mapping, optional
        Environment variables for the child besides this process's own.
    """

    def __init__(
        self,
        address: Address,
        backend: str = "libusb",
        *,
        open_deadline_s: float = 10.0,
        margin_s: float = 2.0,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._address, self._backend = address, backend
        self._open_deadline_s, self._margin_s = open_deadline_s, margin_s
        self._environment = {**os.environ, **_ENVIRONMENT, **(env or {})}
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._pixels = 0
        self._exposing_us = 0
        self._exposure: Exposure | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child, None when there is none."""
        return None if self._child is None else self._child.pid

    def open(self) -> Description:
        """Start a new child and open the device in it. Also recovers: an earlier child is ended first.

        Raises
        ------
        SpectrometerError
            What :class:`~oesd_drivers.ocean.OceanSpectrometer` raises; :class:`Lost` when the child did not answer.
        """
        self.close()
        self._start()
        try:
            header, arrays = self._ask({"call": "open"}, self._open_deadline_s)
        except SpectrometerError:
            self.close()
            raise
        with self._checked():
            description = wire.unpack_description(header, arrays)
        self._pixels = len(description.wavelengths_nm)
        return description

    def set_exposure(self, exposure: Exposure) -> None:
        """Set the integration time, then discard one frame: the next :meth:`read` never shows an older exposure."""
        request = {"call": "set_exposure", "integration_us": int(exposure.integration_us), "scans": int(exposure.scans)}
        waiting_s = (self._exposing_us + exposure.integration_us) * 1e-6
        self._ask(request, waiting_s + self._margin_s)
        self._exposure = exposure

    def read(self) -> Frame:
        """Take the scans of the exposure set last and return their sum."""
        scans = self._exposure.scans if self._exposure else 1
        waiting_s = scans * (self._exposing_us * 1e-6 + _READOUT_S)
        header, arrays = self._ask({"call": "read"}, waiting_s + self._margin_s)
        with self._checked():
            return wire.unpack_frame(header, arrays, self._pixels)

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool the detector to a temperature in degrees Celsius, or switch its cooler off (None)."""
        goal_c = detector_goal_c(setpoint_c)
        self._ask({"call": "set_cooling", "setpoint_c": goal_c}, self._margin_s)

    def close(self) -> None:
        """Release the device and end the child; harmless when it is closed or gone."""
        if self._channel is not None:
            with contextlib.suppress(SpectrometerError):
                self._ask({"call": "close"}, _CLOSE_DEADLINE_S)
        self._end(kill=False)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        a = self._address
        numbers = (a.bus, a.address, a.vendor_id, a.product_id)
        arguments = [str(theirs.fileno()), self._backend, *map(str, numbers)]
        try:
            # -P: a file named like one of our imports in the working directory must not be run instead.
            self._child = subprocess.Popen(  # noqa: S603  # our own interpreter, our own arguments
                [sys.executable, "-P", "-m", "oesd_drivers.worker", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=self._environment,
                close_fds=True,
                pass_fds=(theirs.fileno(),),
                process_group=0,  # Ctrl-C in the terminal goes to the parent alone
            )
        except (FileNotFoundError, PermissionError) as error:
            ours.close()
            raise GiveUp(f"the worker cannot be started: {str(error)!r:.160}") from error
        except OSError as error:
            ours.close()
            raise Lost(f"the worker could not be started: {str(error)!r:.160}") from error
        finally:
            theirs.close()
        self._channel = ours

    def _ask(self, request: Mapping[str, Any], within_s: float) -> tuple[dict[str, Any], wire.Arrays]:
        if self._channel is None:
            raise Reopen(f"the spectrometer at {self._address} is not open")
        with self._checked(request["call"], within_s):
            self._channel.settimeout(within_s)
            wire.send(self._channel, request)
            header, arrays = wire.receive(self._channel, time.monotonic() + within_s)
            error = wire.unpack_error(header)
            self._exposing_us = max(0, int(header["exposing_us"]))
        if error is not None:
            raise error
        return header, arrays

    @contextlib.contextmanager
    def _checked(self, call: str = "call", within_s: float = 0.0) -> Any:
        """Any break of the conversation costs the child its life: what it would say next cannot be trusted."""
        try:
            yield
        except TimeoutError as error:
            self._end(kill=True)
            raise Lost(f"{self._name()} did not end {call!r} within {within_s:.1f} s and was killed") from error
        except (EOFError, ConnectionError) as error:
            raise Lost(f"{self._name()} died: {self._end(kill=False)}") from error
        except (wire.WireError, KeyError, TypeError) as error:
            self._end(kill=True)
            raise Lost(f"{self._name()} answered nonsense and was killed: {str(error)!r:.160}") from error

    def _end(self, *, kill: bool) -> str:
        """Close our end, which ends the child, reap it, and return how it ended."""
        child, self._child = self._child, None
        channel, self._channel = self._channel, None
        self._exposure = None
        if channel is not None:
            channel.close()
        if child is None:
            return "it was not running"
        if kill:
            child.kill()
        try:
            child.wait(_CLOSE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # in an uninterruptible call of the kernel
                child.wait(_REAP_S)
        return _ending(child.returncode)

    def _name(self) -> str:
        model = MODELS.get((self._address.vendor_id, self._address.product_id), "device")
        return f"the worker of the {model} at {self._address}"


def _ending(status: int | None) -> str:
    """How a process ended, in words."""
    if status is None:
        return "it hangs in the kernel and cannot be killed"
    if status >= 0:
        return f"exit status {status}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"
