"""A month of measuring in minutes: one spectrometer at 1 Hz, a fault every ten minutes, clocks that are set wrong.

    python -m tests.bench.soak [--days 30] [--seed 1] [--device NIRQuest256] [--data DIRECTORY]

Real are the unit with its thread, the driver, seabreeze and pyusb on the virtual bus of this process, processing and
the store on the disk. Time is simulated: whoever waits lets it pass (:mod:`tests.support.clocks`). Not there:

- the worker process: a wait in another process cannot let our time pass,
- the discovery, whose part a look at the bus before each opening plays,
- the engine, whose 2.6 million analyses would take a day: the thread of the processing room is not started, its books
  are written each hour.

Each day is a run of its own. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.clocks import StepClock
from tests.support.misfortune import HOUR_S, FoundBySerial, Misfortune

from oesd.acquisition import NoLight, Sinks, Unit, settings_for
from oesd.config import parse_config
from oesd.model import Capture, Recipe, RunOrder, RunRecord
from oesd.processing import Processing
from oesd.service.memory import stay_small
from oesd.store import Store
from oesd.store.headings import HEADER, head_of
from oesd_drivers.virtual import Light, VirtualBus, fingerprint, install, scene, spectrometer

SERIAL = "SOAK00001"
DAY_S = 86_400
MOST_GROWTH_MB = 10.0
_MOST_WAITING = 500
_CHECKED_EVERY, _CHECKED_AFTER = 50, 30


@dataclass
class Soak:
    """One spectrometer, day after day.

    Attributes
    ----------
    rss_mb : list of float
        Resident memory at the end of each day.
    """

    days: int
    seed: int
    model: str
    data: Path
    day_s: int = DAY_S
    say: Callable[[str], None] = print
    rss_mb: list[float] = field(default_factory=list)

    def run(self) -> list[str]:
        """Measure; returns what is wrong, which should be nothing."""
        self._over = threading.Event()
        self._days_left, self._checked, self._stale = self.days, 0, 0
        self._began_s = self._hour_s = time.monotonic()
        clock = self._clock = StepClock()
        bus = VirtualBus()
        install(bus)
        light = Light(scene("hg-ar-lamp"), clock.seconds)
        device = self._device = spectrometer(self.model, SERIAL, light, self.seed, clock=clock.seconds, wait=clock.wait)
        bus.plug(device)
        self._misfortune = Misfortune(clock, bus, device, random.Random(self.seed))
        with Store.open(self.data) as store:
            self._store = store
            self._processing = Processing(store, Recipe(), upload=False, beat=lambda _name, _seconds: None)
            self._write_books()
            self._measure(clock)
            self._processing.stop()
            return [*self._unaccounted(), *store.read(_out_of_order)]

    def _measure(self, clock: StepClock) -> None:
        driver = FoundBySerial(clock)
        config = parse_config('[capture]\nevery = "1 s"\nintegration = "10 ms"', "soak")
        settings = settings_for(config, SERIAL)
        assert settings is not None
        room = self._processing
        sinks = Sinks(self._accept, room.lose, lambda _name, _seconds: None, room.begin_run, self._end_run)
        unit = self._unit = Unit(
            settings, driver, driver.open(), driver.address(), sinks, NoLight(), "soak-boot", clock=clock
        )
        self._order_day()
        unit.start()
        while not self._over.wait(0.5) and unit.alive:
            pass
        unit.stop()

    def _order_day(self) -> None:
        self._unit.start_run(
            RunOrder(cause="plan", labels={"soak": str(self.seed)}, duration_us=self.day_s * 1_000_000)
        )

    # -- called by the unit's thread ---------------------------------------------------------------------------------

    def _accept(self, capture: Capture, short: Capture | None) -> str:
        while self._store.waiting > _MOST_WAITING:
            time.sleep(0.001)  # a second lasts long enough for any disk, a simulated one does not
        soon_after = capture.monotonic_ns - self._misfortune.last_ns < _CHECKED_AFTER * 1_000_000_000
        if soon_after or capture.slot % _CHECKED_EVERY == 0:
            self._check(capture)
        return self._processing.accept(capture, short)

    def _check(self, capture: Capture) -> None:
        """Whether a sample is the frame that the device made last, and none that lay in a queue."""
        made = self._device.instrument.made.since(self._device.instrument.frames - 1)
        self._checked += 1
        self._stale += [frame.fingerprint for frame in made] != [fingerprint(capture.counts_sum)]

    def _write_books(self) -> None:
        """What the processing room's thread does four times a second."""
        self._processing.stop()
        self._clock.at(self._clock.monotonic_ns() + round(HOUR_S * 1e9), self._write_books)

    def _end_run(self, run: RunRecord) -> None:
        self._processing.end_run(run)
        self._days_left -= 1
        self._processing.stop()
        self.rss_mb.append(_rss_mb())
        self._tell()
        if self._days_left > 0:
            self._order_day()
        else:
            self._over.set()

    # -- what is told ------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        tally, passed_s = self._store.tally(), time.monotonic() - self._began_s
        lost, day = sum(tally.lost.values()), self.days - self._days_left
        size_mb = sum(file.stat().st_size for file in self.data.iterdir() if file.is_file()) / 1e6
        faults, speed = sum(self._misfortune.befallen.values()), day * self.day_s / passed_s
        self.say(
            f"day {day:3d}  due {tally.captured:8d}  lost {lost:7d}  faults {faults:5d}  "
            f"RSS {self.rss_mb[-1]:6.1f} MB  data {size_mb:7.1f} MB  {speed:6.0f} times real time"
        )

    def _unaccounted(self) -> Iterator[str]:
        tally, due = self._store.tally(), self.days * self.day_s
        accounts = self._store.run_accounts(self.days + 1)
        self.say(f"stored {tally.stored}, lost {sum(tally.lost.values())}, of {due}")
        for reason, slots in sorted(tally.lost.items(), key=lambda item: -item[1]):
            self.say(f"  {slots:7d}  {reason}")
        self.say(f"befallen: {dict(sorted(self._misfortune.befallen.items()))}")
        self.say(
            f"{self._checked} samples were compared with what the device had made, {self._stale} were another frame"
        )
        if self._stale:
            yield f"{self._stale} stale frames were stored"
        if tally.captured != due:
            yield f"{tally.captured} slots are accounted for, {due} came due"
        if [(a.slots.due, a.run.slots) for a in accounts] != [(self.day_s, self.day_s)] * self.days:
            yield f"the runs do not add up: {[(a.slots.due, a.run.slots) for a in accounts]}"
        if sum(hour.slots.due for hour in self._store.ledger_hours()) != due:
            yield "the hours do not add up"
        if self._processing.unrecorded():
            yield f"never written: {self._processing.unrecorded()}"

    def grown(self) -> Iterator[str]:
        """What is wrong with the memory, which should be nothing."""
        growth_mb = self.rss_mb[-1] - self.rss_mb[0]
        self.say(f"RSS grew by {growth_mb:.1f} MB after the first day")
        if growth_mb >= MOST_GROWTH_MB:
            yield f"RSS grew by {growth_mb:.1f} MB"


def _out_of_order(db: sqlite3.Connection) -> list[str]:
    """Captures whose place in their run does not follow that of the one stored before."""
    run, sequence, slot, wrong = "", -1, -1, 0
    heads = (head_of(*row) for row in db.execute(f"SELECT {HEADER} FROM captures c ORDER BY capture_no"))
    for run_id, number, at_slot in ((head["run_id"], head["sequence"], head["slot"]) for head in heads):
        if run_id != run:
            run, sequence, slot = run_id, -1, -1
        wrong += number != sequence + 1 or at_slot <= slot
        sequence, slot = number, at_slot
    return [f"{wrong} captures stand out of order"] if wrong else []


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="NIRQuest256")
    parser.add_argument("--data", type=Path, help="kept; a temporary directory by default")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    stay_small()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        soak = Soak(options.days, options.seed, options.device, (options.data or Path(temporary)) / "data")
        wrong = [*soak.run(), *soak.grown()]
    print(f"{(time.monotonic() - began_s) / 60:.1f} minutes")
    for text in wrong:
        print(f"MISSED: {text}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
