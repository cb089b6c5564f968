"""The ports of a daemon, which are its own before anything is measured."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from oesd.config import WebSection
from oesd.listening import CannotListen, listen


@dataclass(frozen=True, slots=True)
class Listeners:
    """Sockets that listen; who asks before the page is there waits for it.

    Attributes
    ----------
    page : socket
        For this computer.
    others : socket, optional
        For other computers, where [web] lets them in.
    url : str
        Where the page is.
    """

    page: socket.socket
    others: socket.socket | None
    url: str

    @classmethod
    def of(cls, web: WebSection) -> Listeners:
        """Listen where a section says.

        Raises
        ------
        CannotListen
            A port is taken, an address is not ours, or the certificate for others cannot be used.
        """
        _see_certificate(web)
        page = listen(web.host, web.port, "--port or [web] port")
        host = f"[{web.host}]" if ":" in web.host else web.host
        url = f"http://{host}:{page.getsockname()[1]}"
        try:
            return cls(page, listen(web.remote_host, web.remote_port, "[web] remote_port") if web.remote else None, url)
        except BaseException:
            page.close()
            raise

    def close(self) -> None:
        """Give the ports back; harmless when whoever served them did."""
        self.page.close()
        if self.others is not None:
            self.others.close()


def _see_certificate(web: WebSection) -> None:
    if not (web.remote and web.certificate and web.certificate_key):
        return
    from oesd.web.certificates import BadCertificate, server_context  # on one computer alone nobody needs TLS

    try:
        server_context(web.certificate, web.certificate_key)
    except BadCertificate as problem:
        raise CannotListen(str(problem)) from None
