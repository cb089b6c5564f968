"""The measuring half of the daemon: the bench, the schedule, and who is told which run to be in.

A reload touches what it changes, and nothing else; what was ordered from outside goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oesd.acquisition import HostClock, Sinks, Unit, UnitState, settings_for
from oesd.config import BackgroundSection, Config, RunSection
from oesd.health import Health
from oesd.model import Kind, RunRecord
from oesd.processing import Processing
from oesd.schedule import Schedule
from oesd.service.bench import Bench, RealBench
from oesd.service.notes import notes_of
from oesd.service.runs import Runs
from oesd.service.silence import Silence
from oesd.service.status import Since, spectrometer_document, word_of
from oesd.store import Store
from oesd_drivers.spare import Spare
from oesd_drivers.spectrometer import Address, Description, Spectrometer

if TYPE_CHECKING:
    from oesd.watching.signals import Quiet

log = logging.getLogger(__name__)


class Measuring:
    """Spectrometers at work.

    Parameters
    ----------
    config : Config
    processing : Processing
        Takes captures, losses and runs.
    health : Health
        Takes beats.
    spare : Spare
        Where workers of real spectrometers come from.
    meanwhile : callable
        Called once a second while exposures at hand are finished, at the end and when they are to be others.
    """

    def __init__(
        self, config: Config, processing: Processing, health: Health, spare: Spare, meanwhile: Callable[[], None]
    ) -> None:
        self._config = config
        self._meanwhile = meanwhile
        self._processing = processing
        self._health = health
        self._spare = spare
        clock = HostClock()
        self._since = Since(clock.utc)
        self._silence = Silence(time.monotonic)
        self._ran: set[str] = set()
        self.bench: Bench = self._new_bench()
        self._schedule = self._new_schedule()
        orders = config.data_dir / "orders.json"
        self.runs = Runs(config.run, orders, self.units, clock, processing.label_run)

    def _new_bench(self) -> Bench:
        told = self._enlist, lambda unit: self.runs.join(unit), self._health.beat
        if self._config.simulation.enabled:
            from oesd.service.simulation import VirtualBench  # a lab PC does without

            return VirtualBench(self._config, *told)
        return RealBench(self._config, self._spare, *told)

    def _new_schedule(self) -> Schedule:
        return Schedule(
            self._config,
            start_runs=lambda order: self.runs.begin_standing(order),
            stop_runs=lambda: self.runs.end_standing(),
            take=self._take,
        )

    # -- start, stop, supervision ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Find the spectrometers, then begin what stands."""
        try:
            self.bench.start()
            self._schedule.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Give no more orders, finish the exposures at hand, release the spectrometers; a second time does nothing."""
        self._schedule.stop()
        self.bench.stop(self._meanwhile)

    def use(self, config: Config) -> None:
        """Go on with another configuration: what it does not change for a spectrometer goes on as if nothing was.

        One that is to measure otherwise finishes its exposure, stays open, and begins another run at once. Another plan
        begins anew for all.
        """
        planned = _plan(config) != _plan(self._config)
        self._config = config
        if planned:
            self._schedule.stop()
            self.runs.use(config.run)
        self.bench.use(config)
        self.bench.renew(self._is_changed, lambda unit: self._health.retire(unit.settings.name), self._meanwhile)
        if planned:
            self._schedule = self._new_schedule()
            self._schedule.start()
            self.runs.end_unplanned()

    def _is_changed(self, unit: Unit) -> bool:
        return settings_for(self._config, unit.settings.serial) != unit.settings

    def look(self) -> None:
        """Do what is due several times a second: the plan's, and the one policy of restarting a unit.

        A unit whose thread failed is found anew; any other room that fails ends the daemon.
        """
        self._schedule.look()
        for unit in self.units():
            if not unit.alive:
                log.error("%s: its thread ended; starting another", unit.settings.name)
                self._health.retire(unit.settings.name)
                self.bench.forget(unit)
            else:
                self._seen(unit)

    # -- units -------------------------------------------------------------------------------------------------------

    def units(self) -> list[Unit]:
        """All units."""
        return self.bench.units()

    def _enlist(self, spectrometer: Spectrometer, description: Description, address: Address) -> Unit | None:
        settings = settings_for(self._config, description.serial)
        if settings is None:
            log.info("%s with serial %r is not listed: left alone", description.model, description.serial)
            return None
        room = self._processing
        sinks = Sinks(room.accept, room.lose, self._health.beat, self._begins, self._ends, room.due, room.proving_scans)
        unit = Unit(settings, spectrometer, description, address, sinks, self.bench.light, self.bench.boot_id)
        log.info(
            "%s: %s with serial %r at %s", settings.name, description.model, description.serial, address,
            extra={"oesd_serial": description.serial, "oesd_event": "opened"},
        )  # fmt: skip
        unit.start()
        return unit

    def _begins(self, run: RunRecord) -> None:
        self._processing.begin_run(run)
        self.runs.begins(run)
        self._ran.add(run.device_name)

    def _ends(self, run: RunRecord) -> None:
        self._processing.end_run(run)
        self.runs.ends(run)

    def _take(self, kind: Kind) -> None:
        self.capture(kind, "")

    def capture(self, kind: Kind, name: str) -> list[str]:
        """Order one capture of the named spectrometer, of all when the name is empty; returns their names."""
        chosen = [u for u in self.units() if name in ("", u.settings.name, u.settings.serial)]
        for unit in chosen:
            unit.take(kind)
        return [unit.settings.name for unit in chosen]

    # -- what others are told ----------------------------------------------------------------------------------------

    def healthy(self) -> bool:
        """Whether every spectrometer works."""
        return not self.problems() and not any(unit.in_trouble for unit in self.units())

    def problems(self) -> dict[str, str]:
        """What is plugged in and cannot be used, by address, and what is configured and not there, by name."""
        here = {unit.settings.serial for unit in self.units()}
        absent = (own for own in self._config.spectrometer if own.serial not in here)
        return {
            **self.bench.problems(),
            **{own.name or own.serial: f"{own.serial} is not plugged in" for own in absent},
        }

    def line(self, waiting: int, now: datetime) -> str:
        """One line for ``systemctl status``; ``waiting`` spectra are still to be forwarded."""
        states = [self._seen(unit) for unit in self.units()]
        at_work = sum(word == "measuring" for _, _, word, _ in states)
        taken = [state.last_capture_utc for state, *_ in states if state.last_capture_utc]
        last = f", last {max(0.0, (now - max(taken)).total_seconds()):.1f} s ago" if taken else ""
        troubles = "".join(f"; {where}: {what}" for where, what in self.problems().items())
        return f"measuring {at_work}/{len(states) + len(self.problems())}, queue {waiting}{last}{troubles}"

    def documents(self, store: Store) -> list[dict[str, Any]]:
        """What /status says of each spectrometer."""
        library, now, found = self._processing.library_state(), datetime.now(UTC), []
        for unit in self.units():
            state, run, word, since = self._seen(unit)
            newest = store.latest_entry(state.name)
            entry = store.entry(newest) if newest else None
            notes = notes_of(state, word, library.get(state.name, {}), entry, self._config, now)
            found.append({**spectrometer_document(state, run, word, since), "notes": notes})
        return found

    def quiet(self) -> dict[str, Quiet | None]:
        """By spectrometer for how long it has told nothing; None where no run is on any more, or it is paused.

        One that had no run yet is not there: whether it is meant to measure is not known.
        """
        from oesd.watching.signals import Quiet  # when measuring has begun

        found: dict[str, Quiet | None] = {}
        for unit in self.units():
            state = unit.state()
            run, paused = self.runs.of(state.name)
            if run is not None and not paused:
                found[state.name] = Quiet(*self._silence.look(state.name, run.run_id, state.captures))
                continue
            self._silence.excuse(state.name, state.captures)
            if paused or state.name in self._ran:
                found[state.name] = None
        return found

    def dark_due(self) -> dict[str, str]:
        """By spectrometer why a dark is due, "" where none is."""
        library = self._processing.library_state()
        states = [unit.state() for unit in self.units()]
        told = {state.name: library.get(state.name, {}).get("darks", {}).get("due") for state in states}
        return {state.name: state.due.get(Kind.DARK.value) or told[state.name] or "" for state in states}

    def _seen(self, unit: Unit) -> tuple[UnitState, RunRecord | None, str, datetime]:
        """What a unit does, and since when."""
        state = unit.state()
        run, paused = self.runs.of(state.name)
        word = word_of(state, paused)
        return state, run, word, self._since.note(state.name, word)


def _plan(config: Config) -> tuple[RunSection, BackgroundSection, BackgroundSection]:
    """What the schedule goes by."""
    return config.run, config.dark, config.reference
