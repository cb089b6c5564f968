"""A JSON document to an address of the owner's: what alarms tell by HTTP. It takes no credential along."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from oesd.upload.call import Deadlines
from oesd.upload.http import BucketHttp


class Hook:
    """One address that is told by POST.

    Parameters
    ----------
    url : str
        As the configuration checked it: https, or http on this computer.
    timeout_s : float
        A call in all; nothing is followed that answers with another address.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._http = BucketHttp(deadlines=Deadlines(min(timeout_s, 10.0), timeout_s, timeout_s))

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Tell it once; any answer 2xx means done. Raises :class:`~oesd.upload.errors.UploadError`."""
        body = json.dumps(dict(notice), ensure_ascii=False).encode()
        self._http.put("hook", self._url, body, method="POST", media="application/json")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
