"""A socket that listens, or one line why there is none.

It stands apart from :mod:`oesd.web`, which takes seconds to import on a slow machine: a port in use is told, and the
port is ours, before the spectrometers are opened; who asks already then gets the answer once the page is there.
"""

from __future__ import annotations

import errno
import socket


class CannotListen(Exception):
    """The address cannot be listened on; the message is one line for a person."""


class PortInUse(CannotListen):
    """Another program listens there: choose another port."""


def listen(host: str, port: int, option: str) -> socket.socket:
    """Listen on one address.

    Parameters
    ----------
    port : int
        0 lets the system choose.
    option : str
        What a person gives to choose another port; named in the error.

    Raises
    ------
    PortInUse
        Another program listens on the port.
    CannotListen
        The address is not ours, or the port needs more rights.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as problem:
        raise CannotListen(f"{host!r} is not an address of this computer: {problem.strerror or problem}") from problem
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as problem:
        listener.close()
        if problem.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} is in use on {host}; choose another with {option}") from problem
        raise CannotListen(f"cannot listen on port {port} of {host}: {problem.strerror}") from problem
    return listener
