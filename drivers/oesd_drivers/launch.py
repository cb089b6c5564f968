"""Starts a worker process. It imports the standard library alone: a worker may be on its way before anything else is.

Nothing is inherited but its end of a socket pair; never fork without exec, never multiprocessing.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import NamedTuple

#: Thread pools of numpy's BLAS cost 30 MB and more in each child and are never used there.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Launched(NamedTuple):
    """A worker process, which may still be importing, and our end of the conversation with it."""

    process: subprocess.Popen[bytes]
    channel: socket.socket


def launch(environment: Mapping[str, str]) -> Launched:
    """Start a worker; ``environment`` holds variables besides this process's own.

    Raises
    ------
    OSError
        There is no interpreter, it may not be run, or the system cannot start a process now.
    """
    ours, theirs = socket.socketpair()
    try:
        return Launched(_started(theirs.fileno(), environment), ours)
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()


def _started(descriptor: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # -P: a file named like one of our imports in the working directory must not be run instead.
    return subprocess.Popen(  # noqa: S603  # our own interpreter, our own arguments
        [sys.executable, "-P", "-m", "oesd_drivers.worker", str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT, **environment},
        close_fds=True,
        pass_fds=(descriptor,),
        process_group=0,  # Ctrl-C in the terminal goes to the parent alone
    )
