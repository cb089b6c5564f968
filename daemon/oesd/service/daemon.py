"""The daemon as a whole: builds every room, wires them, supervises, stops in the order that loses nothing.

::

    Schedule -> Unit (a thread and a child process per spectrometer) -> Processing -> Store -> Forwarder -> hub or cloud
                                                                                   `-> web: page and API
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from oesd.config import BackgroundSection, Config
from oesd.health import Health, notify, watchdog_period_s
from oesd.processing import BackgroundRules, Processing
from oesd.processing.explaining import explain
from oesd.processing.importing import import_file
from oesd.processing.jobs import versions
from oesd.service.advice import advice_for
from oesd.service.bench import boot_id
from oesd.service.directory import forget_running, local_token, note_running
from oesd.service.forwarding import Forwarding
from oesd.service.hub import HubService
from oesd.service.keeping import Keeper, keeping_rules
from oesd.service.measuring import Measuring
from oesd.service.memory import give_back
from oesd.service.status import day_document, with_unrecorded
from oesd.service.summary import Summary
from oesd.store import HostTime, Store, Tally
from oesd.version import __version__
from oesd.web import Server, create_api

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
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._health = Health()
        self._stops_asked = 0
        self._reload: Callable[[], Config | None] | None = None
        self._started_s = time.monotonic()
        self._open: list[Callable[[], None]] = []

    @property
    def data_dir(self) -> Path:
        """Where everything is kept."""
        return self._config.data_dir

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
        self.store = Store.open(config.data_dir)
        self._open.append(self.store.close)
        self._keeper = self._opened(Keeper(self.store, keeping_rules(config.store), self._health.beat))
        hub = HubService(config.hub, config.data_dir / "hub", config.identify.recipe, self._health.beat)
        self.hub: HubService | None = self._opened(hub, config.hub.enabled)
        self._forwarding = Forwarding.of(config, self.hub, self.store, self._health.beat)
        wake = self._forwarding.wake if self._forwarding else (lambda: None)
        upload = self._forwarding is not None
        self.processing = Processing(
            self.store, config.identify.recipe, upload=upload, beat=self._health.beat, done=wake,
            dark=_rules(config.dark), reference=_rules(config.reference),
            clock_offset=self._forwarding.clock_offset if self._forwarding else lambda: (None, None),
        )  # fmt: skip
        self.processing.settle(HostTime(datetime.now(UTC), time.monotonic_ns(), boot_id()))
        if self._forwarding:
            self._forwarding.render_with(self.processing)
            self._opened(self._forwarding)
        self._opened(self.processing)
        self._measuring = Measuring(config, self.processing, self._health)
        self._serve_web()
        self._opened(self._measuring)
        log.info("oesd %s measures; data in %s; page at %s", __version__, config.data_dir, self.url)

    def _opened(self, part: Any, wanted: bool = True) -> Any:
        if not wanted:
            return None
        part.start()
        self._open.append(part.stop)
        return part

    def _serve_web(self) -> None:
        config = self._config
        app = create_api(
            self.store,
            status=self.status,
            healthy=self.healthy,
            token=local_token(config.data_dir),
            reprocess=self._reprocess,
            capture=self._measuring.capture,
            runs=self._measuring.runs,
            unrecorded=self.processing.unrecorded,
            evidence=partial(explain, self.store),
            keep=self.processing.keep,
            take_file=self._take_file,
        )
        option, beat = "--port or [web] port", self._health.beat
        server = self._opened(Server(app, config.web.host, config.web.port, option=option, beat=beat))
        host = f"[{config.web.host}]" if ":" in config.web.host else config.web.host
        self.url = f"http://{host}:{server.port}"
        note_running(config.data_dir, self.url)
        self._open.append(lambda: forget_running(config.data_dir))

    def stop(self) -> None:
        """Stop everything in the opposite order: nothing is asked of a room that is closed."""
        notify("STOPPING=1")
        while self._open:
            self._open.pop()()

    # -- the main thread ---------------------------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """End :meth:`supervise`, asked again :meth:`drain` too; takes no lock, so a signal handler may call it."""
        self._stops_asked += 1

    def ask_to_reload(self, load: Callable[[], Config | None]) -> None:
        """Have :meth:`supervise` read the configuration again, None for "not good"; a signal handler may call it."""
        self._reload = load

    def supervise(self, for_s: float | None = None) -> bool:
        """Watch until asked to stop or until the time is over; True unless a room failed that cannot be restarted."""
        notify("READY=1", f"STATUS=page at {self.url}")
        end_s = None if for_s is None else time.monotonic() + for_s
        ping_s = watchdog_period_s()
        next_ping_s = next_tidy_s = 0.0
        while not self._stops_asked and (end_s is None or time.monotonic() < end_s):
            time.sleep(_TURN_S)
            self._measuring.look()
            if not self._rooms_alive():
                return False
            if ping_s and time.monotonic() >= next_ping_s and not self._health.late():
                notify("WATCHDOG=1")
                next_ping_s = time.monotonic() + ping_s
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
        return Summary(self._tally())

    def _tally(self) -> Tally:
        """Return the store's tally, and the losses that a full disk keeps out of it."""
        tally = self.store.tally()
        unrecorded = self.processing.unrecorded()
        lost = with_unrecorded(tally.lost, unrecorded)
        return dataclasses.replace(tally, captured=tally.captured + sum(unrecorded.values()), lost=lost)

    def _arrived(self) -> bool:
        if not self.processing.idle():
            return False
        return self._forwarding is None or self._forwarding.idle()

    def _rooms_alive(self) -> bool:
        rooms = {**self._measuring.bench.rooms(), "processing": self.processing.alive, "keeping": self._keeper.alive}
        if self.hub:
            rooms["hub"] = self.hub.alive
        if self._forwarding:
            rooms["forwarder"] = self._forwarding.alive
        dead = [name for name, alive in rooms.items() if not alive]
        if dead:
            log.critical("the %s thread failed; the daemon ends so that it can be started afresh", dead[0])
        return not dead

    def _reload_now(self) -> None:
        load, self._reload = self._reload, None
        notify("RELOADING=1")
        try:
            config = load() if load else None
            if config is not None:
                self._apply(config)
        finally:
            notify("READY=1")

    def _apply(self, config: Config) -> None:
        fixed = [n for n in ("data_dir", "web", "hub", "upload", "simulation") if _differ(n, config, self._config)]
        if fixed:
            log.warning("changed in the configuration, but counts only after a restart: %s", ", ".join(fixed))
        self._config = config.model_copy(update={name: getattr(self._config, name) for name in fixed})
        self.processing.use(config.identify.recipe, _rules(config.dark), _rules(config.reference))
        self._keeper.use(keeping_rules(config.store))
        self._measuring.use(self._config, lambda: notify("WATCHDOG=1"))
        log.info("the configuration was read again")

    def _take_file(self, data: bytes, filename: str) -> Mapping[str, Any]:
        imported = import_file(self.store, data, filename)
        if imported.new:
            self.processing.ingested(imported.data_id)
        return dataclasses.asdict(imported)

    def _reprocess(self, data_id: str) -> None:
        self.processing.reprocess(data_id)

    # -- what others are told ----------------------------------------------------------------------------------------

    def healthy(self) -> bool:
        """Whether every thread keeps its promise and every spectrometer works."""
        return not self._health.late() and self._measuring.healthy()

    def status(self) -> Mapping[str, Any]:
        """Everything a person or a monitor wants to know at a glance; JSON-ready."""
        tally, day, unrecorded = (
            self._tally(),
            day_document(self.store, datetime.now(UTC)),
            self.processing.unrecorded(),
        )
        spectrometers, now = self._measuring.documents(self.store), self._measuring.runs.now()
        return {
            "version": __version__,
            "data_dir": str(self._config.data_dir),
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "healthy": self.healthy(),
            "simulated": self._config.simulation.enabled,
            "late": self._health.late(),
            "spectrometers": spectrometers,
            "problems": self._measuring.bench.problems(),
            "runs": now,
            "tally": dataclasses.asdict(tally),
            "day": day,
            "unrecorded": unrecorded,
            "advice": advice_for([*tally.lost, *tally.lost_calibration, *day["lost"]]),
            "library": self.processing.library_state(),
            "recipe": self.processing.recipe.as_dict(),
            "versions": dataclasses.astuple(versions()),
            "store": self.processing.trouble,
            "disk": self._keeper.state(),
            "upload": self._forwarding.state() if self._forwarding else {"state": "off"},
            "hub": self.hub.url if self.hub else None,
        }


def _rules(section: BackgroundSection) -> BackgroundRules:
    """The section as the processing takes it."""
    return BackgroundRules(
        max_age_us=section.max_age_us,
        max_temperature_k=section.max_temperature_k,
        renew_age_us=section.renew_age_us,
        renew_temperature_k=section.renew_temperature_k,
        check=section.check,
    )


def _differ(section: str, one: Config, other: Config) -> bool:
    return bool(getattr(one, section) != getattr(other, section))
