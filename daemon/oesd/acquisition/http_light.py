"""A light that is switched by HTTP; apart from the others, as who has none does without HTTP and TLS."""

from __future__ import annotations

import http.client
from urllib.parse import quote, urlsplit

from oesd.acquisition.light import LightError
from oesd.model import Kind


class HttpLight:
    """An HTTP hook switches the light: one POST, any answer 2xx means done. No proxy is asked, no redirect followed.

    Parameters
    ----------
    url : str
        ``{kind}``, ``{serial}`` and ``{name}`` are filled in, quoted.
    timeout_s : float
        For each step of the exchange, seconds.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        """Call the hook once."""
        url = self._url
        for field, text in (("{kind}", kind.value), ("{serial}", serial), ("{name}", name)):
            url = url.replace(field, quote(text, safe=""))
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            channel = connect(parts.hostname or "", parts.port, timeout=self._timeout_s)
            try:
                channel.request("POST", target, body=b"", headers={"Content-Length": "0"})
                status = channel.getresponse().status
            finally:
                channel.close()
        except TimeoutError:
            raise LightError(f"light hook at {parts.netloc} took longer than {self._timeout_s:g} s") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise LightError(f"light hook at {parts.netloc} cannot be reached: {error}") from None
        if not 200 <= status < 300:
            raise LightError(f"light hook at {parts.netloc} answered with status {status}")
