"""The daemon as a whole: builds every room, wires them, supervises, stops in the order that loses nothing.

::

    Schedule -> Unit (a thread and a child process per spectrometer) -> Processing -> Store -> Forwarder -> hub or cloud
                                                                                   `-> web: page and API
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from oesd import __version__
from oesd.acquisition import Sinks, Unit, settings_for
from oesd.config import Config
from oesd.health import Health, notify, watchdog_period_s
from oesd.model import Kind, utc_text
from oesd.processing import Processing
from oesd.schedule import SLOWEST_PACED_US, Schedule
from oesd.service.bench import Bench, RealBench
from oesd.service.directory import forget_running, local_token, note_running
from oesd.service.forwarding import Forwarding
from oesd.service.hub import HubService
from oesd.service.simulation import VirtualBench
from oesd.service.summary import Summary
from oesd.store import Store, Tally
from oesd.web import Server, create_api
from oesd_drivers.spectrometer import Address, Description, Spectrometer

log = logging.getLogger(__name__)

_TURN_S = 0.25


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
        self._wake = threading.Event()
        self._stop_asked = False
        self._reload: Callable[[], Config] | None = None
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
        hub = HubService(config.hub, config.data_dir / "hub", config.identify.recipe, self._health.beat)
        self.hub: HubService | None = self._opened(hub, config.hub.enabled)
        self._forwarding = Forwarding.of(config, self.hub, self.store)
        wake = self._forwarding.wake if self._forwarding else (lambda: None)
        upload = self._forwarding is not None
        self.processing = Processing(
            self.store, config.identify.recipe, upload=upload, beat=self._health.beat, done=wake
        )
        if self._forwarding:
            self._forwarding.render_with(self.processing)
            self._opened(self._forwarding)
        self._opened(self.processing)
        self._serve_web()
        self._open_bench()
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
            capture=self._capture,
        )
        server = self._opened(Server(app, config.web.host, config.web.port, option="--port or [web] port"))
        host = f"[{config.web.host}]" if ":" in config.web.host else config.web.host
        self.url = f"http://{host}:{server.port}"
        note_running(config.data_dir, self.url)
        self._open.append(lambda: forget_running(config.data_dir))

    def _open_bench(self) -> None:
        config = self._config
        make = VirtualBench if config.simulation.enabled else RealBench
        self.bench: Bench = make(config, self._enlist, self._health.beat)
        self._runs_on = False
        self._opened(self.bench)
        self.schedule = Schedule(config, start_runs=self._start_runs, stop_runs=self._stop_runs, take=self._take)
        self._opened(self.schedule)

    def stop(self) -> None:
        """Stop everything in the opposite order: nothing is asked of a room that is closed."""
        notify("STOPPING=1")
        while self._open:
            self._open.pop()()

    # -- the main thread ---------------------------------------------------------------------------------------------

    def ask_to_stop(self) -> None:
        """End :meth:`supervise`; safe in a signal handler."""
        self._stop_asked = True
        self._wake.set()

    def ask_to_reload(self, load: Callable[[], Config]) -> None:
        """Have :meth:`supervise` read the configuration again; safe in a signal handler."""
        self._reload = load
        self._wake.set()

    def supervise(self, for_s: float | None = None) -> bool:
        """Watch until asked to stop or until the time is over; True unless a room failed that cannot be restarted."""
        notify("READY=1", f"STATUS=page at {self.url}")
        end_s = None if for_s is None else time.monotonic() + for_s
        ping_s = watchdog_period_s()
        next_ping_s = 0.0
        while not self._stop_asked and (end_s is None or time.monotonic() < end_s):
            self._wake.wait(_TURN_S)
            self._wake.clear()
            self._look_after_units()
            if not self._rooms_alive():
                return False
            if ping_s and time.monotonic() >= next_ping_s and not self._health.late():
                notify("WATCHDOG=1")
                next_ping_s = time.monotonic() + ping_s
            if self._reload is not None:
                self._reload_now()
        return True

    def drain(self, limit_s: float = 60.0) -> Summary:
        """End the runs, let every spectrum arrive, and tell the tally; gives up waiting after the limit."""
        for stop in (self.schedule.stop, self.bench.stop):
            stop()
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s and not self._arrived():
            time.sleep(0.05)
        return Summary(self._tally())

    def _tally(self) -> Tally:
        """Return the store's tally, and the losses that a full disk keeps out of it."""
        tally = self.store.tally()
        unrecorded = self.processing.unrecorded()
        lost = {r: tally.lost.get(r, 0) + unrecorded.get(r, 0) for r in {**tally.lost, **unrecorded}}
        return dataclasses.replace(tally, captured=tally.captured + sum(unrecorded.values()), lost=lost)

    def _arrived(self) -> bool:
        if not self.processing.idle():
            return False
        return self._forwarding is None or self._forwarding.idle()

    def _look_after_units(self) -> None:
        """The one place of restart policy: a unit whose thread failed is found anew, any other room ends the daemon."""
        for unit in self.bench.units():
            if not unit.alive:
                log.error("%s: its thread ended; starting another", unit.settings.name)
                self._health.retire(unit.settings.name)
                self.bench.forget(unit)

    def _rooms_alive(self) -> bool:
        rooms = {"discovery": self.bench.alive, "processing": self.processing.alive}
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
            config = load() if load else self._config
            self._apply(config)
        finally:
            notify("READY=1")

    def _apply(self, config: Config) -> None:
        fixed = [n for n in ("data_dir", "web", "hub", "upload", "simulation") if _differ(n, config, self._config)]
        if fixed:
            log.warning("changed in the configuration, but counts only after a restart: %s", ", ".join(fixed))
        self._config = config.model_copy(update={name: getattr(self._config, name) for name in fixed})
        self.processing.use(config.identify.recipe)
        for _ in (self.schedule, self.bench):
            self._open.pop()()
        self._open_bench()
        log.info("the configuration was read again")

    # -- orders ------------------------------------------------------------------------------------------------------

    def _enlist(self, spectrometer: Spectrometer, description: Description, address: Address) -> Unit | None:
        settings = settings_for(self._config, description.serial)
        if settings is None:
            log.info("%s with serial %r is not listed: left alone", description.model, description.serial)
            return None
        sinks = Sinks(self.processing.accept, self.processing.lose, self._health.beat)
        unit = Unit(settings, spectrometer, description, address, sinks, self.bench.light, self.bench.boot_id)
        log.info("%s: %s with serial %r at %s", settings.name, description.model, description.serial, address)
        unit.start()
        if self._runs_on:
            self._start_run(unit)
        return unit

    def _start_runs(self) -> None:
        self._runs_on = True
        for unit in self.bench.units():
            self._start_run(unit)

    def _stop_runs(self) -> None:
        self._runs_on = False
        for unit in self.bench.units():
            self.schedule.cancel(f"samples {unit.settings.name}")
            unit.stop_run()

    def _start_run(self, unit: Unit) -> None:
        paced = unit.settings.every_us < SLOWEST_PACED_US
        unit.start_run(paced=paced)
        if not paced:
            unit.take(Kind.SAMPLE)
            name = f"samples {unit.settings.name}"
            self.schedule.every(unit.settings.every_us, lambda: unit.take(Kind.SAMPLE), name)

    def _take(self, kind: Kind) -> None:
        for unit in self.bench.units():
            unit.take(kind)

    def _capture(self, kind: Kind, name: str) -> list[str]:
        """Order one capture of the named spectrometer, of all when the name is empty; returns their names."""
        chosen = [u for u in self.bench.units() if name in ("", u.settings.name, u.settings.serial)]
        for unit in chosen:
            unit.take(kind)
        return [unit.settings.name for unit in chosen]

    def _reprocess(self, data_id: str) -> None:
        self.processing.reprocess(data_id)

    # -- what others are told ----------------------------------------------------------------------------------------

    def healthy(self) -> bool:
        """Whether every thread keeps its promise and every spectrometer works."""
        return (
            not self._health.late()
            and not self.bench.problems()
            and not any(unit.in_trouble for unit in self.bench.units())
        )

    def status(self) -> Mapping[str, Any]:
        """Everything a person or a monitor wants to know at a glance; JSON-ready."""
        tally = dataclasses.asdict(self._tally())
        return {
            "version": __version__,
            "data_dir": str(self._config.data_dir),
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "healthy": self.healthy(),
            "simulated": self._config.simulation.enabled,
            "late": self._health.late(),
            "spectrometers": [_unit_status(unit) for unit in self.bench.units()],
            "problems": self.bench.problems(),
            "tally": tally,
            "upload": self._forwarding.state() if self._forwarding else {"state": "off"},
            "hub": self.hub.url if self.hub else None,
        }


def _unit_status(unit: Unit) -> dict[str, Any]:
    state = dataclasses.asdict(unit.state())
    last = state["last_capture_utc"]
    state["last_capture_utc"] = utc_text(last) if last else None
    return state


def _differ(section: str, one: Config, other: Config) -> bool:
    return bool(getattr(one, section) != getattr(other, section))
