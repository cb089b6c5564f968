"""The forwarder's thread: where it forwards to, what it forwards, and how it is stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from oesd.config import Config
from oesd.processing import Processing
from oesd.service.hub import HubService
from oesd.service.keyless import Keyless, credential
from oesd.store import Store
from oesd.upload import (
    PART_BYTES,
    ApiKeyMalformed,
    ApiKeyMissing,
    Deadlines,
    Filing,
    Forwarder,
    OesApi,
    Pace,
    RenderedFile,
    load_key,
)

_STOP_S = 20.0
_STEP_S = 4 * Deadlines().total_s(PART_BYTES)  # a step makes a few calls, each of which ends by its deadline


class Forwarding:
    """Forwards a store's outbox to one OES API in a thread of its own.

    Parameters
    ----------
    config : Config
        Its [upload] section counts.
    endpoint, key_file : str, Path
        The API and the file of its key.
    store : Store
        Whose outbox is drained.
    beat : callable
        Called with a name and the seconds within which it will be called again.
    """

    def __init__(
        self, config: Config, endpoint: str, key_file: Path, store: Store, beat: Callable[[str, float], None]
    ) -> None:
        section = config.upload
        self.endpoint = endpoint
        self._store = store
        self._form: Literal["columns", "json"] = section.format
        self._pace = Pace(
            newest_first=section.order == "newest first", batch=section.batch, results=section.fetch_results
        )
        self._api = OesApi(endpoint, load_key(key_file), bucket_hosts=section.bucket_hosts, proxy=section.proxy or None)
        self._filing = Filing(self._api, section.sample_label, section.project_label)
        self._beat = beat
        self._stop = threading.Event()

    @classmethod
    def of(
        cls, config: Config, hub: HubService | None, store: Store, beat: Callable[[str, float], None]
    ) -> Forwarding | Keyless | None:
        """Forward to the configured endpoint, else to the hub inside this process, else nowhere."""
        endpoint = config.upload.endpoint
        if not endpoint:
            return cls(config, f"{hub.url}/", hub.key_file, store, beat) if hub else None
        key_file = config.upload.key_file or credential()
        if key_file is None:
            return Keyless(endpoint, "[upload] names no key_file and systemd hands over no key", store)
        try:
            return cls(config, endpoint, key_file, store, beat)
        except (ApiKeyMalformed, ApiKeyMissing) as none:
            return Keyless(endpoint, str(none), store)

    def render_with(self, processing: Processing) -> None:
        """Take the files from this room."""

        def render(data_id: str) -> RenderedFile:
            made = processing.render(data_id, self._form)
            return RenderedFile(made.name, made.data, made.sha256, made.revision, made.labels)

        def alive() -> None:
            self._beat("forwarder", _STEP_S)

        self._forwarder = Forwarder(self._store, self._api, render, pace=self._pace, filing=self._filing, alive=alive)
        self._thread = threading.Thread(target=self._forwarder.run, args=(self._stop,), name="forwarder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request at hand; what is under way goes on at the next start."""
        self._stop.set()
        self._forwarder.wake()
        self._thread.join(_STOP_S)
        self._api.close()

    def wake(self) -> None:
        """Look at the outbox now."""
        self._forwarder.wake()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def idle(self) -> bool:
        """Whether everything that can arrive has arrived and was confirmed."""
        tally = self._store.tally()
        return tally.pending == 0 and tally.uploaded == tally.confirmed

    def clock_offset(self) -> tuple[float | None, float | None]:
        """Offset of the API's clock from the host's and its bound, ms; None until it was measured."""
        best = self._forwarder.clock_offset
        return (None, None) if best is None else (best.offset_ms, best.bound_ms)

    def state(self) -> Mapping[str, Any]:
        """State of the forwarding, for people."""
        return {"endpoint": self.endpoint, **self._forwarder.state()}
