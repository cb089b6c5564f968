"""Every fault of a spectrometer, its cable and its worker, each as a function that makes it happen.

A function strikes and returns the moment, ns of the monotonic clock, from which good data can be had again: that of the
strike itself, or that at which what lasts (unplugged, denied, busy, a foreign serial number) was over.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.fault_rig import Rig

from oesd_drivers.virtual import MODELS, FaultKind, Hostile
from oesd_drivers.virtual.model import Model

_STRIKE_S, _LOOK_S = 10.0, 0.02
_MEMORIES = [variant for variant in Hostile if not variant.renames]


@dataclass(frozen=True, slots=True)
class Target:
    """One device to strike, in one trial."""

    rig: Rig
    serial: str
    model: Model
    rng: random.Random
    trial: int

    @property
    def obp(self) -> bool:
        """Whether it speaks the Ocean Binary Protocol."""
        return self.model.wire.protocol != "ooi"

    def order(self, kind: FaultKind, value: float = 0.0) -> None:
        """Queue a fault."""
        self.rig.control.fault(self.serial, kind, value)

    def struck(self, kind: FaultKind, value: float = 0.0) -> int:
        """Order a fault and wait for it to strike; when it did."""
        before, _ = self.rig.control.strikes(self.serial)
        self.order(kind, value)
        return self.wait_for_strike(before)

    def wait_for_strike(self, before: int) -> int:
        """Wait until more faults have struck than before; when the last one did."""
        end_s = time.monotonic() + _STRIKE_S
        while time.monotonic() < end_s:
            struck, when_ns = self.rig.control.strikes(self.serial)
            if struck > before:
                return when_ns
            time.sleep(_LOOK_S)
        raise TimeoutError("the fault never struck")

    def kill(self) -> int:
        """Kill the worker, -9; when."""
        pid = self.rig.pid(self.serial)
        if pid is None:
            raise TimeoutError("there was no worker to kill")
        os.kill(pid, signal.SIGKILL)
        return time.monotonic_ns()


@dataclass(frozen=True, slots=True)
class Case:
    """A fault of the matrix.

    Attributes
    ----------
    goal_s : float
        Median time back to good data.
    heavy : bool
        It costs the start of a process or more.
    applies : callable
        To which models.
    """

    name: str
    strike: Callable[[Target], int]
    goal_s: float = 2.0
    heavy: bool = True
    applies: Callable[[Model], bool] = lambda _model: True


def _obp(model: Model) -> bool:
    return model.wire.protocol != "ooi"


def _ordered(kind: FaultKind, low: float = 0.0, high: float = 0.0) -> Callable[[Target], int]:
    return lambda target: target.struck(kind, round(target.rng.uniform(low, high), 3))


def _short(target: Target) -> int:
    return target.struck(FaultKind.SHORT, target.rng.randint(1, 900))


def _unplug_in_a_read(target: Target) -> int:
    target.struck(FaultKind.UNPLUG, target.rng.uniform(0.0, 0.008))
    time.sleep(target.rng.uniform(0.1, 1.0))
    target.rig.control.plug(target.serial)
    return time.monotonic_ns()


def _replug(target: Target) -> int:
    target.rig.control.unplug(target.serial)
    time.sleep(target.rng.choice((0.0, 0.02, 0.3)))
    target.rig.control.plug(target.serial)
    return time.monotonic_ns()


def _storm(target: Target) -> int:
    times, every_s = target.rng.randint(3, 8), target.rng.uniform(0.05, 0.4)
    target.rig.control.storm(target.serial, times, every_s)
    time.sleep(times * every_s)
    return time.monotonic_ns()


def _refused_set(target: Target) -> int:
    """The set that follows a recovery is refused."""
    before, _ = target.rig.control.strikes(target.serial)
    target.order(FaultKind.NACK_SET, target.rng.choice((5, 6, 7)))
    target.order(FaultKind.STALL)
    return target.wait_for_strike(before + 1)


def _garbled_answer(target: Target) -> int:
    """An answer other than a spectrum is damaged while the device is opened again."""
    before, _ = target.rig.control.strikes(target.serial)
    target.order(*target.rng.choice(((FaultKind.GARBLE, 0.0), (FaultKind.SHORT_ANSWER, 2.0))))
    target.order(FaultKind.STALL)
    return target.wait_for_strike(before + 1)


def _killed(target: Target) -> int:
    return target.kill()


def _denied(target: Target) -> int:
    """No permission when it wants to open it again."""
    target.rig.control.deny(target.serial, True)
    target.kill()
    time.sleep(target.rng.uniform(0.5, 1.5))
    target.rig.control.deny(target.serial, False)
    return time.monotonic_ns()


def _left_by_another(target: Target, integration_us: int, trigger: int, scans: int, boxcar: int) -> int:
    hold_s = target.rng.uniform(0.1, 1.5)
    target.kill()
    target.rig.control.another_program(target.serial, integration_us, trigger, scans, boxcar, hold_s)
    time.sleep(hold_s)
    return time.monotonic_ns()


def _busy(target: Target) -> int:
    """Another program holds it for a while, and leaves it as it was."""
    return _left_by_another(target, 10_000, 0, 1, 0)


def _left_behind(target: Target) -> int:
    """Another program leaves its exposure, its trigger mode and, where a message for it is known, its averaging."""
    modes = target.model.wire.waiting_triggers or (0,)
    averages = target.model.wire.protocol == "obp"
    scans, boxcar = (target.rng.randint(2, 9), target.rng.randint(1, 4)) if averages else (1, 0)
    return _left_by_another(target, target.rng.randint(60, 400) * 1000, target.rng.choice(modes), scans, boxcar)


def _hostile_memory(target: Target) -> int:
    """Coefficients that are none, read when it is opened again; the memory stays so until the trial's end."""
    target.rig.control.hostile(target.serial, _MEMORIES[target.trial % len(_MEMORIES)])
    return target.struck(FaultKind.STALL)


def _hostile_serial(target: Target) -> int:
    """A serial number that is none, for a while: nothing may be stored under it, and nothing may fall over it."""
    renaming = [variant for variant in Hostile if variant.renames]
    target.rig.control.hostile(target.serial, renaming[target.trial % len(renaming)])
    target.struck(FaultKind.STALL)
    time.sleep(target.rng.uniform(0.5, 1.5))
    target.rig.control.hostile(target.serial, "")
    return time.monotonic_ns()


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("unplugged in a read", _unplug_in_a_read),
        Case("replugged", _replug),
        Case("re-enumeration storm", _storm),
        Case("stall (32)", _ordered(FaultKind.STALL), heavy=False),
        Case("overflow (75)", _ordered(FaultKind.OVERFLOW), heavy=False),
        Case("timeout (110)", _ordered(FaultKind.SILENT), heavy=False),
        Case("late answer", _ordered(FaultKind.LATE, 1.02, 1.6), heavy=False),
        Case("answer after the reset", _ordered(FaultKind.STUBBORN, 1.02, 1.6), heavy=False),
        Case("short read", _short),
        Case("garbled header", _ordered(FaultKind.GARBLE_FRAME), heavy=False, applies=_obp),
        Case("wrong sync or footer", _ordered(FaultKind.BAD_SYNC), heavy=False),
        Case("spectrum refused", _ordered(FaultKind.NACK_FRAME, 7, 7), heavy=False, applies=_obp),
        Case("set refused", _refused_set, applies=_obp),
        Case("garbled answer", _garbled_answer),
        Case("wedged", _ordered(FaultKind.WEDGE), 5.0),
        Case("worker hangs", _ordered(FaultKind.HANG, 60, 60), 5.0),
        Case("worker SIGSEGV", _ordered(FaultKind.SEGFAULT), 5.0),
        Case("worker killed", _killed, 5.0),
        Case("permission denied", _denied, 5.0),
        Case("busy elsewhere", _busy, 5.0),
        Case("settings left behind", _left_behind, 5.0),
        Case("hostile memory", _hostile_memory, heavy=False),
        Case("hostile serial", _hostile_serial, 5.0),
    )
}

FAMILIES = (
    "USB2000", "HR2000", "USB2000+", "FLAME-S", "USB4000", "HR4000", "QE65000", "Maya2000 Pro", "NIRQuest512",
    "STS", "QE-PRO", "HDX", "SR2", "SR4", "SR6", "HR2", "HR4", "HR6", "ST",
)  # fmt: skip


def target(rig: Rig, family: str, seed: int, case: str, trial: int) -> Target:
    """The device of a family, with the chances of one trial."""
    rng = random.Random(f"{seed}/{family}/{case}/{trial}")
    return Target(rig, rig.serials[family], MODELS[family], rng, trial)
