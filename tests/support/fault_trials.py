"""One trial of the fault matrix: strike, wait for good data, judge all that was stored meanwhile."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass

from tests.support.fault_catalogue import CASES, Target, target
from tests.support.fault_rig import NEIGHBOUR_SERIAL, Rig
from tests.support.fault_truth import Stored

from oesd_drivers.virtual import FaultKind

DEADLINE_S = 30.0
_AFTER = 3
_BAD = ("stale", "foreign", "duplicate", "wrong")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial showed.

    ``back_s`` is the time from the strike, or from its end, to the arrival of the first capture begun after it; None
    when none came. The other numbers count captures judged since the trial before, and slots that the neighbour lost.
    """

    family: str
    case: str
    trial: int
    back_s: float | None
    stale: int
    foreign: int
    duplicate: int
    wrong: int
    marked: int
    neighbour: int
    remark: str = ""

    @property
    def clean(self) -> bool:
        """Whether it recovered and nothing wrong was stored."""
        bad = self.stale + self.foreign + self.duplicate + self.wrong + self.neighbour
        return self.back_s is not None and bad == 0


def run_trial(rig: Rig, family: str, case: str, trial: int, seed: int) -> Outcome:
    """Strike the family's device once and see what becomes of it."""
    victim = target(rig, family, seed, case, trial)
    losses = len(rig.records.losses[NEIGHBOUR_SERIAL])
    _wait_for_a_capture(victim)
    time.sleep(victim.rng.uniform(0.0, rig.every_s))
    back_s, remark = None, ""
    try:
        with rig.gate if CASES[case].heavy else nullcontext():
            healed_ns = CASES[case].strike(victim)
            back_s = _time_back_s(victim, healed_ns)
    except TimeoutError as error:
        remark = str(error)
    counts = rig.judge(victim.serial)
    if back_s is None:
        remark = remark or _why_not(victim)
    _put_right(victim, reopen=bool(counts["marked"]))
    lost = rig.records.losses[NEIGHBOUR_SERIAL][losses:]
    neighbour = sum(loss.slots for loss in lost)
    if lost:
        remark = f"{remark} neighbour: {lost[0].reason}".strip()
    return Outcome(family, case, trial, back_s, *(counts[bad] for bad in _BAD), counts["marked"], neighbour, remark)


def _wait_for_a_capture(victim: Target) -> None:
    stored = victim.rig.records.stored[victim.serial]
    number = len(stored)
    victim.rig.records.wait(lambda: len(stored) > number, DEADLINE_S)


def _time_back_s(victim: Target, healed_ns: int) -> float | None:
    """Seconds until the first capture that was begun after a moment arrived, with some more after it."""
    stored = victim.rig.records.stored[victim.serial]

    def after() -> list[Stored]:
        recent = stored[-60:]
        return [each for each in recent if each.started_ns >= healed_ns]

    victim.rig.records.wait(lambda: len(after()) > _AFTER, DEADLINE_S)
    come = after()
    return (come[0].arrived_ns - healed_ns) / 1e9 if len(come) > _AFTER else None


def _why_not(victim: Target) -> str:
    unit = victim.rig.unit(victim.serial)
    if unit is None:
        return f"no unit; {victim.rig.discovery.problems()}"
    state = unit.state()
    return f"{state.state}: {state.detail}"


def _put_right(victim: Target, *, reopen: bool) -> None:
    """Take away whatever lasts, so that the next trial begins well; a memory is read when the device is opened."""
    control, serial = victim.rig.control, victim.serial
    control.clear_faults(serial)
    control.deny(serial, False)
    control.busy(serial, False)
    control.hostile(serial, "")
    control.plug(serial)
    victim.rig.bury_the_dead()
    if reopen:
        victim.struck(FaultKind.STALL)
