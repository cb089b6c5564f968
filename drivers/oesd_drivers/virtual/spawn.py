"""Start a bus host as a child process, and end it."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from .remote import HostError
from .remote_control import HostControl

_START_S, _STOP_S = 20.0, 5.0


class HostProcess:
    """A running host; a context manager that stops it.

    Attributes
    ----------
    path : Path
        Its socket, in a directory of its own with mode 0700: for ``OESD_VIRTUAL_BUS`` and
        :func:`~oesd_drivers.virtual.connect`.
    pid : int
    control : HostControl
    """

    def __init__(self, process: subprocess.Popen[bytes], path: Path) -> None:
        self._process = process
        self.path = path
        self.pid = process.pid
        self.control = HostControl(path)

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the host and remove its directory; a second call does nothing."""
        self.control.close()
        _end(self._process)
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def spawn_host(devices: Sequence[tuple[str, str]], scene: str = "argon-metals", seed: int = 0) -> HostProcess:
    """Start a host with devices plugged in and wait until it serves.

    Parameters
    ----------
    devices : sequence of (model, serial number)
    scene : str
        A name of :data:`~oesd_drivers.virtual.scene.SCENES`.
    seed : int

    Raises
    ------
    HostError
        When it does not come up; the text is what it said.
    """
    directory = Path(tempfile.mkdtemp(prefix="oesd-bus-"))
    path = directory / "bus"
    listed = ",".join(f"{model}:{serial}" for model, serial in devices)
    command = [
        sys.executable, "-P", "-m", "oesd_drivers.virtual.host", "--socket", str(path), "--devices", listed,
        "--scene", scene, "--seed", str(seed), "--owned",
    ]  # fmt: skip
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    log = directory / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603  # our own module, by our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment,
            process_group=0,  # Ctrl-C on a terminal is for who started it; the closing pipe ends the host after it
        )  # fmt: skip
    try:
        _wait_ready(process, log)
        return HostProcess(process, path)
    except BaseException:
        _end(process)
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _wait_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_S)
    if not ready:
        raise HostError(f"virtual bus host: not ready within {_START_S:g} s")
    if process.stdout.readline() != b"ready\n":
        process.wait(_STOP_S)
        said = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise HostError(said or "virtual bus host: ended at start")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input, wait, and kill it when it does not go."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
