"""All that deals with the world outside: the hub inside this process, the forwarder, the page and the API.

It is imported and started when spectra are measured already: httpx, uvicorn and what lies between take as long to
import as all the rest, seconds on a slow machine, and no spectrum waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oesd.config import Config
from oesd.processing import Processing
from oesd.processing.made import Made
from oesd.service.door import Door
from oesd.service.forwarding import Forwarding
from oesd.service.golden import Golden
from oesd.service.hub import HubService
from oesd.service.keyless import Keyless
from oesd.service.listeners import Listeners
from oesd.service.measuring import Measuring
from oesd.service.watch_desk import WatchDesk
from oesd.service.watching import Watching
from oesd.store import Store


class Front:
    """Hub, forwarder and door of a daemon.

    Parameters
    ----------
    config : Config
    listeners : Listeners
        Where the page is served.
    store, processing, measuring, watching, golden
        The rooms that are shown and asked.
    status, healthy : callable
        What the daemon says of itself.
    beat : callable
        Called with a name and the seconds within which it will be called again.
    """

    def __init__(
        self,
        config: Config,
        listeners: Listeners,
        store: Store,
        processing: Processing,
        measuring: Measuring,
        watching: Watching,
        golden: Golden,
        *,
        status: Callable[[], Mapping[str, Any]],
        healthy: Callable[[], bool],
        beat: Callable[[str, float], None],
    ) -> None:
        self._config, self._store, self._processing, self._beat = config, store, processing, beat
        self._watching = watching
        self._desk = WatchDesk(store, watching, golden.run_ids)
        self._door = Door(
            config, listeners, store, processing, measuring, self._desk, golden,
            status=status, healthy=healthy, beat=beat,
        )  # fmt: skip
        self._hub = (
            HubService(config.hub, config.data_dir / "hub", config.identify.recipe, beat)
            if config.hub.enabled
            else None
        )
        self._forwarding: Forwarding | Keyless | None = None
        self._open: list[HubService | Door | Forwarding | Keyless] = []

    def start(self) -> None:
        """Start what is wanted of them.

        Raises
        ------
        StoreError, CannotListen, UploadError
            One line each, for a person; those that run are stopped again.
        """
        try:
            if self._hub:
                self._opened(self._hub)
            forwarding = Forwarding.of(self._config, self._hub, self._store, self._beat)
            if forwarding:
                forwarding.render_with(self._processing)
                self._opened(forwarding)
                self._forwarding = forwarding
            self._watching.publish_to(self._door.feed.alarm)
            self._opened(self._door)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop them in the opposite order."""
        while self._open:
            self._open.pop().stop()

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._door.url

    def show(self, made: Made) -> None:
        """Tell the pages of a result; called by the thread that made it."""
        self._door.show(made)

    def wake(self) -> None:
        """Have the forwarder look at the outbox now."""
        if self._forwarding:
            self._forwarding.wake()

    def clock_offset(self) -> tuple[float | None, float | None]:
        """Offset of the API's clock from the host's and its bound, ms; None until it was measured."""
        return self._forwarding.clock_offset() if self._forwarding else (None, None)

    def idle(self) -> bool:
        """Whether everything that can arrive has arrived and was confirmed."""
        return self._forwarding is None or self._forwarding.idle()

    def rooms(self) -> dict[str, bool]:
        """What must live, each with whether it does."""
        alive = {"hub": self._hub, "forwarder": self._forwarding}
        return {name: room.alive for name, room in alive.items() if room}

    def state(self) -> dict[str, Any]:
        """What /status says of them."""
        return {
            "alarms": self._desk.summary(),
            "upload": self._forwarding.state() if self._forwarding else {"state": "off"},
            "hub": self._hub.url if self._hub else None,
        }

    def _opened(self, part: HubService | Door | Forwarding | Keyless) -> None:
        part.start()
        self._open.append(part)
