"""The daemon as a whole: builds every room, wires them, supervises, stops in the order that loses nothing.

::

    Schedule -> Unit (a thread and a child process per spectrometer) -> Processing -> Store -> Forwarder -> hub or cloud
                                                                                   `-> web: page and API
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oesd.config import Config, ConfigError
from oesd.health import Health, Watchdog, notify
from oesd.processing import Processing
from oesd.processing.made import Made
from oesd.service.bench import boot_id
from oesd.service.golden import Golden
from oesd.service.keeping import Keeper, keeping_rules
from oesd.service.keyless import see_key
from oesd.service.listeners import Listeners
from oesd.service.measuring import Measuring
from oesd.service.memory import give_back
from oesd.service.sections import background_rules, without_restart
from oesd.service.status import accounts_document, whole_tally
from oesd.service.summary import Summary
from oesd.store import HostTime, Store, StoreError
from oesd.store.waiting import waited_s
from oesd.version import __version__
from oesd_drivers.spare import Spare

if TYPE_CHECKING:
    from oesd.service.front import Front
    from oesd.service.watch_book import Outside

log = logging.getLogger(__name__)

_TURN_S = 0.25
_TIDY_S = 10.0
_TROUBLE_S = 3.0


class Service:
    """One running daemon.

    Parameters
    ----------
    config : Config
        All that tunes it.
    spare : Spare, optional
        Where workers of real spectrometers come from: one that was started before all this was imported.
    """

    def __init__(self, config: Config, spare: Spare | None = None) -> None:
        self._config = config
        self._spare = spare or Spare()
        self._health = Health()
        self._stops_asked = 0
        self._reload: Callable[[], Config | None] | None = None
        self._started_s = time.monotonic()
        self._open = ExitStack()
        self._open.callback(self._spare.close)
        self._front: Front | None = None

    @property
    def _uploads(self) -> bool:
        """Whether spectra are forwarded: to the configured endpoint, else to the hub inside this process."""
        return bool(self._config.upload.endpoint) or self._config.hub.enabled

    @property
    def data_dir(self) -> Path:
        """Where everything is kept."""
        return self._config.data_dir

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._listeners.url

    # -- start and stop ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start every room; when one cannot start, those that run are stopped again and its error goes on.

        Raises
        ------
        StoreError, DirectoryError, CannotListen, KeyFileError, ConfigError, SpectrometerError
            One line each, for a person.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        config = self._config
        self.store = Store.open(config.data_dir, config.store.url.reveal())
        self._open.callback(self.store.close)
        golden = Golden(config.data_dir, lambda: self._watching.compare_anew())
        rules, beat = keeping_rules(config.store), self._health.beat
        self._keeper = Keeper(self.store, rules, beat, lambda: golden.held(self._config.golden.runs))
        self._opened(self._keeper, self._open)
        see_key(config.upload)
        self._listeners = Listeners.of(config.web)
        self._open.callback(self._listeners.close)
        self.processing = Processing(
            self.store, config.identify.recipe, upload=self._uploads, beat=beat, done=self._wake,
            dark=background_rules(config.dark), reference=background_rules(config.reference),
            clock_offset=self._clock_offset,
            made=self._show,
            readings=lambda *spectrum: self._watching.measure(*spectrum),
        )  # fmt: skip
        self.processing.settle(HostTime(datetime.now(UTC), time.monotonic_ns(), boot_id()))
        self._measuring = Measuring(config, self.processing, self._health, self._spare, self._more_time)
        # Opened after the measuring, closed after it, too: the last spectra are stored, analysed, watched and shown.
        watching = self._open.enter_context(ExitStack())
        self._open.callback(self.processing.stop)
        self._open.callback(self._close_front)
        self._opened(self._measuring, self._open)
        self._watch(golden, watching)
        self.processing.start()
        self._open_front(golden)
        log.info("oesd %s measures; data in %s; page at %s", __version__, config.data_dir, self.url)

    def _watch(self, golden: Golden, opened: ExitStack) -> None:
        """Watch what is configured: before the first spectrum is analysed, which need not be before it is taken."""
        from oesd.service.watching import Watching

        self._watching = Watching(self._config, self.store, beat=self._health.beat, golden=golden.run_ids)
        self._watching.look_at(self._outside)
        self._opened(self._watching, opened)

    def _open_front(self, golden: Golden) -> None:
        from oesd.service.front import Front  # only now: it is half of all that is to be imported
        from oesd.service.rooms import Rooms

        rooms = Rooms(
            self.store, self.processing, self._measuring, self._watching, golden,
            self.status, self.healthy, self._health.beat,
        )  # fmt: skip
        self._front = Front(self._config, self._listeners, rooms)
        self._front.start()

    def _close_front(self) -> None:
        if self._front:
            self._front.stop()

    @staticmethod
    def _opened(part: Any, opened: ExitStack) -> None:
        part.start()
        opened.callback(part.stop)

    def stop(self) -> None:
        """Stop everything in the opposite order: nothing is asked of a room that is closed.

        One that fails to stop keeps none of the others from it; its error goes on when all have stopped.
        """
        notify("STOPPING=1")
        self._open.close()

    # -- the main thread ---------------------------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """End :meth:`supervise`, asked again :meth:`drain` too; takes no lock, so a signal handler may call it."""
        self._stops_asked += 1

    def ask_to_reload(self, load: Callable[[], Config | None]) -> None:
        """Have :meth:`supervise` read the configuration again, None for "not good"; a signal handler may call it."""
        self._reload = load

    def supervise(self, for_s: float | None = None) -> bool:
        """Watch until asked to stop or until the time is over; True unless a room failed that cannot be restarted."""
        notify("READY=1", f"STATUS={self._line()}")
        end_s = None if for_s is None else time.monotonic() + for_s
        watchdog, next_tidy_s = Watchdog(self._health), 0.0
        while not self._stops_asked and (end_s is None or time.monotonic() < end_s):
            time.sleep(_TURN_S)
            self._measuring.look()
            if not self._rooms_alive():
                return False
            watchdog.feed(self._line)
            if time.monotonic() >= next_tidy_s:
                give_back()
                next_tidy_s = time.monotonic() + _TIDY_S
            if self._reload is not None:
                self._reload_now()
        return True

    def drain(self, limit_s: float = 60.0) -> Summary:
        """End the runs, let every spectrum arrive, and tell the tally.

        Gives up waiting after the limit, when the store takes nothing any more, or when asked to stop once more.
        """
        self._measuring.stop()
        asked = self._stops_asked
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s and not self._arrived() and self._stops_asked == asked:
            if self.processing.trouble:
                end_s = min(end_s, time.monotonic() + _TROUBLE_S)
            time.sleep(0.05)
        return Summary(whole_tally(self.store, self.processing))

    def _line(self) -> str:
        """What ``systemctl status`` shows."""
        try:
            pending = self.store.tally().pending if self._uploads else 0
        except StoreError as error:  # a disk that fails: what can be measured is measured
            return f"{error}; page at {self.url}"
        return f"{self._measuring.line(pending, datetime.now(UTC))}; page at {self.url}"

    def _arrived(self) -> bool:
        if not self.processing.idle():
            return False
        return self._front is None or self._front.idle()

    def _rooms_alive(self) -> bool:
        rooms = {**self._measuring.bench.rooms(), "processing": self.processing.alive, "keeping": self._keeper.alive}
        rooms |= {"watching": self._watching.alive, **(self._front.rooms() if self._front else {})}
        dead = [name for name, alive in rooms.items() if not alive]
        if dead:
            log.critical("the %s thread failed; the daemon ends so that it can be started afresh", dead[0])
        return not dead

    def _more_time(self) -> None:
        """Ask systemd for time: an exposure may take longer than the watchdog, or the end of a service, allows."""
        notify("EXTEND_TIMEOUT_USEC=20000000", *([] if self._health.late() else ["WATCHDOG=1"]))

    def _reload_now(self) -> None:
        load, self._reload = self._reload, None
        notify("RELOADING=1")
        try:
            config = load() if load else None
            if config is not None:
                self._apply(*without_restart(config, self._config))
        except (ConfigError, StoreError) as error:
            log.error("not reloaded, all goes on as before: %s", error)
        finally:
            notify("READY=1")

    def _apply(self, config: Config, waits: list[str]) -> None:
        self._watching.use(config)  # first, as it is the only one that can be refused: by a full disk
        if waits:
            log.warning("changed in the configuration, but counts only after a restart: %s", ", ".join(waits))
        self._config = config
        self.processing.use(config.identify.recipe, background_rules(config.dark), background_rules(config.reference))
        self._keeper.use(keeping_rules(config.store))
        self._measuring.use(config)
        log.info("the configuration was read again")

    def _show(self, made: Made) -> None:
        """Tell the pages and the alarms of a result; called by the thread that made it."""
        self._watching.wake()
        if self._front:  # who opens the page later finds it in the store
            self._front.show(made)

    def _wake(self) -> None:
        """Tell the forwarder that there is something to forward; it looks by itself when it starts."""
        if self._front:
            self._front.wake()

    def _clock_offset(self) -> tuple[float | None, float | None]:
        return self._front.clock_offset() if self._front else (None, None)

    def _outside(self) -> Outside:
        """What alarms go by that no spectrum tells."""
        from oesd.service.watch_book import Outside

        return Outside(
            quiet=self._measuring.quiet(),
            dark_due=self._measuring.dark_due(),
            room_bytes=self._keeper.room_bytes(),
            oldest_s=waited_s(self.store, datetime.now(UTC)),
            monotonic_us=time.monotonic_ns() // 1000,
        )

    # -- what others are told ----------------------------------------------------------------------------------------

    def healthy(self) -> bool:
        """Whether every thread keeps its promise and every spectrometer works."""
        return not self._health.late() and self._measuring.healthy()

    def status(self) -> Mapping[str, Any]:
        """Everything a person or a monitor wants to know at a glance; JSON-ready."""
        return {
            "version": __version__,
            "data_dir": str(self._config.data_dir),
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "healthy": self.healthy(),
            "simulated": self._config.simulation.enabled,
            "late": self._health.late(),
            "problems": self._measuring.problems(),
            "runs": self._measuring.runs.now(),
            "spectrometers": self._measuring.documents(self.store),
            **accounts_document(self.store, self.processing, datetime.now(UTC)),
            "disk": self._keeper.state(),
            **(self._front.state() if self._front else {}),
        }
