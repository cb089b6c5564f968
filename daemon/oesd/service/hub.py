"""The hub at work: its own store and analysis behind the OES API of :mod:`oesd.web.hub`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from oesd.config import HubSection
from oesd.formats import read_spectrum
from oesd.model import Recipe
from oesd.processing import Processing
from oesd.service.directory import make_directory, secret_file
from oesd.store import Store
from oesd.upload import load_key
from oesd.web import Hub

log = logging.getLogger(__name__)

_TURN_S = 0.25


class HubService:
    """A hub with everything it needs.

    Parameters
    ----------
    section : HubSection
        Where it listens, and the file of its key; without one a key is made in the directory.
    directory : Path
        Its data.
    recipe : Recipe
        The recipe of every analysis.
    beat : callable
        As :class:`~oesd.processing.Processing` takes it.
    port_option : str
        As :class:`~oesd.web.Hub` takes it.
    """

    def __init__(
        self,
        section: HubSection,
        directory: Path,
        recipe: Recipe,
        beat: Callable[[str, float], None],
        port_option: str = "--hub-port",
    ) -> None:
        self._section = section
        self._directory = directory
        self._recipe = recipe
        self._beat = beat
        self._port_option = port_option

    def start(self) -> None:
        """Open the store and listen; what an earlier process left without a result is analysed first."""
        make_directory(self._directory)
        self.key_file = self._section.key_file or self._directory / "api-key"
        if self._section.key_file is None:
            secret_file(self.key_file)
        key = load_key(self.key_file)
        self.store = Store.open(self._directory)
        self.processing = Processing(self.store, self._recipe, upload=False, beat=self._beat, name="hub processing")
        self._web = Hub(
            self.store,
            self._directory / "files",
            key=key.reveal(),
            parse=read_spectrum,
            ingested=self.processing.ingested,
            host=self._section.host,
            port=self._section.port,
            port_option=self._port_option,
            # By number: a host without an entry for localhost must work too.
            public_host=f"[{self._section.host}]" if ":" in self._section.host else self._section.host,
        )
        try:
            self._web.start()
        except BaseException:
            self.store.close()
            raise
        self.processing.start()
        log.info("hub at %s, its key in %s", self.url, self.key_file)

    def stop(self) -> None:
        """Stop listening, finish the analysis at hand, close the store."""
        self._web.stop()
        self.processing.stop()
        self.store.close()

    @property
    def url(self) -> str:
        """Origin of the API."""
        return self._web.url


def serve_hub(section: HubSection, directory: Path, stop: Callable[[], bool]) -> None:
    """Run a hub until it is to stop; the callable is asked a few times a second."""
    hub = HubService(section, directory, Recipe(), lambda _name, _within_s: None, "--port")
    hub.start()
    try:
        while not stop():
            time.sleep(_TURN_S)
            if not hub.processing.alive:
                raise RuntimeError("the hub's processing thread failed")
    finally:
        hub.stop()
