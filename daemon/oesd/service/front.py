"""All that deals with the world outside: the hub inside this process, the forwarder, the page and the API.

It is imported and started when spectra are measured already: httpx, uvicorn and what lies between take as long to
import as all the rest, seconds on a slow machine, and no spectrum waits for them.
"""

from __future__ import annotations

from typing import Any

from oesd.config import Config
from oesd.processing.made import Made
from oesd.service.door import Door
from oesd.service.forwarding import Forwarding
from oesd.service.hub import HubService
from oesd.service.keyless import Keyless
from oesd.service.listeners import Listeners
from oesd.service.rooms import Rooms
from oesd.service.watch_desk import WatchDesk


class Front:
    """Hub, forwarder and door of a daemon.

    Parameters
    ----------
    config : Config
    listeners : Listeners
        Where the page is served.
    rooms : Rooms
        What is shown and asked.
    """

    def __init__(self, config: Config, listeners: Listeners, rooms: Rooms) -> None:
        self._config, self._rooms = config, rooms
        self._desk = WatchDesk(rooms.store, rooms.watching, rooms.golden.run_ids)
        self._door = Door(config, listeners, rooms, self._desk)
        hub = config.hub
        self._hub = (
            HubService(hub, config.data_dir / "hub", config.identify.recipe, rooms.beat) if hub.enabled else None
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
            forwarding = Forwarding.of(self._config, self._hub, self._rooms.store, self._rooms.beat)
            if forwarding:
                forwarding.render_with(self._rooms.processing)
                self._opened(forwarding)
                self._forwarding = forwarding
            self._rooms.watching.publish_to(self._door.feed.alarm)
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
