"""What stands in the forwarder's place while there is no key: measuring must not end because of it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from oesd.config import UploadSection
from oesd.processing import Processing
from oesd.store import Store

log = logging.getLogger(__name__)

HOW_TO = "oesd key set, then systemctl restart oesd"


def credential() -> Path | None:
    """The key that systemd hands the service (``LoadCredential=api-key:...``); None where it hands none."""
    directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
    return Path(directory) / "api-key" if directory else None


def see_key(section: UploadSection) -> None:
    """Look at the key before anything is measured.

    Raises
    ------
    ApiKeyError
        It must not be used: others can read it, or it is a link. One that is not there yet, or is none, is no reason
        not to measure.
    """
    file = section.key_file or credential()
    if not section.endpoint or file is None:
        return
    from oesd.upload import ApiKeyMalformed, ApiKeyMissing, load_key  # who forwards nothing does without

    with suppress(ApiKeyMalformed, ApiKeyMissing):
        load_key(file)


class Keyless:
    """Forwards nothing and says why; every spectrum has its place in the outbox and goes when there is a key.

    Parameters
    ----------
    endpoint : str
        Where they would go.
    reason : str
        Why there is no key, one line.
    store : Store
        Whose outbox waits.
    """

    alive = True

    def __init__(self, endpoint: str, reason: str, store: Store) -> None:
        self.endpoint = endpoint
        self._reason = f"{reason} ({HOW_TO})"
        self._store = store

    def render_with(self, processing: Processing) -> None:
        """Nothing is rendered."""

    def start(self) -> None:
        """Say it once, in the log."""
        log.error("nothing is forwarded to %s, spectra wait: %s", self.endpoint, self._reason)

    def stop(self) -> None:
        """Nothing runs."""

    def wake(self) -> None:
        """Nothing waits to be woken."""

    def idle(self) -> bool:
        """Whether everything that can arrive has arrived: nothing can."""
        return True

    def clock_offset(self) -> tuple[float | None, float | None]:
        """Offset of the API's clock: never measured."""
        return None, None

    def state(self) -> Mapping[str, Any]:
        """State of the forwarding, for people; the form of :meth:`oesd.upload.forwarder.Forwarder.state`."""
        return {
            "endpoint": self.endpoint,
            "state": "no key",
            "blocked": self._reason,
            "last_success_at": None,
            "last_error": self._reason,
            "last_error_at": None,
            "paused_until": None,
            "counts": self._store.outbox.counts(),
        }
