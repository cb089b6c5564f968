"""Endpoint rules: false alarms against the stated rate, and how soon a change is found.

``python -m tests.bench.watching [--runs 20000]`` prints a table; status 1 when a measured rate is more than 20 % off.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import replace

from oesd.watching.deciding import Watch
from oesd.watching.reading import Reading, State
from oesd.watching.rules import Rule, checked

S = 1_000_000
STATED = 500.0
GOAL = 0.2
_RULES = {
    "cusum": Rule("bench", "x", "cusum", "falls", 0, 20 * S, false_alarm_in=STATED),
    "cusum, shift 2": Rule("bench", "x", "cusum", "falls", 0, 20 * S, shift=2.0, false_alarm_in=STATED),
    "cusum, baseline 8": Rule("bench", "x", "cusum", "falls", 0, 8 * S, false_alarm_in=STATED),
    "level, 1 in a row": Rule("bench", "x", "level", "falls", 0, 20 * S, confirm=1, false_alarm_in=STATED),
    "level, 3 in a row": Rule("bench", "x", "level", "falls", 0, 20 * S, confirm=3, false_alarm_in=STATED),
    "slope over 10": Rule("bench", "x", "slope", "falls", 0, 20 * S, window_us=9 * S, false_alarm_in=STATED),
}


def run_of(rule: Rule, rng: random.Random, length: int, change_at: int | None = None, change: float = 0.0) -> Watch:
    """One run of independent normal values of unknown mean and scatter, changed by so many standard deviations."""
    watch = Watch(rule)
    mean, scatter = rng.gauss(0.0, 100.0), rng.uniform(0.5, 20.0)
    for second in range(length):
        moved = change * scatter if change_at is not None and second >= change_at else 0.0
        value = rng.gauss(mean + moved, scatter)
        if watch.step(second * S, Reading(value, scatter, State.MEASURED)):
            break
    return watch


def false_alarm_rate(rule: Rule, runs: int, length: int, seed: int) -> tuple[float, int]:
    """False alarms a watched spectrum, and their number."""
    rng = random.Random(seed)
    learned = (rule.after_us + rule.baseline_us) // S - rule.after_us // S
    watches = [run_of(checked(rule), rng, length) for _ in range(runs)]
    alarms = sum(watch.state == "reached" for watch in watches)
    return alarms / sum(watch.points - learned for watch in watches), alarms


def delay(rule: Rule, runs: int, shift: float, seed: int) -> float:
    """Mean number of spectra until a shift is found; those found before it do not count."""
    rng = random.Random(seed)
    found = [run_of(rule, rng, 400, 100, -shift).points - 100 for _ in range(runs)]
    late = [spectra for spectra in found if spectra > 0]
    return sum(late) / max(len(late), 1)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    runs = parser.parse_args().runs
    print(f"stated: one false alarm in {STATED:g} spectra; {runs} runs of 600 each, a mean and a scatter of its own")
    heads = ("rule", "sigma", "one in", "of stated", "alarms", "2 sigma after", "us/value")
    print("{:20} {:8} {:>8} {:>9} {:>7} {:>13} {:>9}".format(*heads))
    missed = False
    for name, rule in _RULES.items():
        for own in (False, True):
            asked = replace(rule, own_sigma=own)
            begun = time.process_time()
            rate, alarms = false_alarm_rate(asked, runs, 600, seed=1)
            cost_us = (time.process_time() - begun) / (alarms / rate) * 1e6
            share = rate * STATED
            late = delay(replace(asked, false_alarm_in=100_000.0), min(runs, 500), 2.0, seed=2)
            sigma = "own" if own else "learned"
            print(f"{name:20} {sigma:8} {1 / rate:8.0f} {share:9.3f} {alarms:7} {late:13.1f} {cost_us:9.1f}")
            missed |= abs(share - 1.0) > GOAL
    print("a rate is more than 20 % off" if missed else "every rate is within 20 % of the stated one")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
