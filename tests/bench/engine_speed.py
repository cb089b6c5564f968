"""How fast the engine is, as ratios in one run, and the memory it holds for a spectrometer.

    python -m tests.bench.engine_speed [--rounds N]

3648 pixels. A spectrum with about 40 peaks against scipy.signal.find_peaks(prominence) and pybaselines' arpls of the
same spectrum; one with about 200 against the one with 40. All run in turns, and the quickest of many turns counts:
load from elsewhere only ever slows. "To the peaks" is correction, baseline, noise, line width, detection and fit;
candidates are a part of the decision in this engine, and stand in the other row. Exit status 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from pybaselines.whittaker import arpls
from scipy.signal import find_peaks
from tests.support.plasma.cases import shine
from tests.support.plasma.instrument import Detector, Optics, Spectrometer, expose
from tests.support.plasma.laboratory import THIN
from tests.support.plasma.radiation import Zone
from tests.support.plasma.scenes import Scene, Source

from oesd.engine.analyze import analyze_measurement
from oesd.engine.measure import measure
from oesd.model import Measurement, Recipe

PIXELS = 3648
FEW = (("Ar", 0.35), ("Cu", 0.5), ("Al", 0.5))
MANY = (("Fe", 0.8), ("Ti", 0.8), ("W", 0.8), ("Ar", 0.5))
GOALS = {
    "to the peaks / find_peaks": 12.0,
    "to the peaks / arpls": 0.30,
    "with the elements / find_peaks": 25.0,
    "with the elements / arpls": 0.60,
    "200 peaks / 40 peaks": 3.0,
    "memory a device, MB": 15.0,
}
MB = 1e6


def measurement(elements: tuple[tuple[str, float], ...], first_nm: float, fwhm_nm: float, seed: int) -> Measurement:
    """A spectrum of these elements, each in a zone of its own: (element, kT in eV)."""
    rng = np.random.default_rng(seed)
    half = 400.0
    optics = Optics(
        PIXELS, (first_nm + half, half, 6.0), (0.02, 0.0), (fwhm_nm,) * 3, 0.0, 0.02, 0.0, 0.0, (), (0.0, 0.0, -0.5)
    )
    spectrometer = Spectrometer(optics, rng)
    sources = tuple(Source(1.0, Zone(kt), ((element, 1.0),)) for element, kt in elements)
    light = spectrometer.pixels_of(shine(Scene("", sources, THIN, ((600.0, 150.0, 0.1),)), spectrometer, rng).total())
    detector = Detector(65535.0, 3.0, 20.0, 1, 1500.0, 0.0, None, 0.0, 0.0, 0.0)
    exposed = expose(light * 40000.0 / light.max(), detector, rng)
    return Measurement(spectrometer.device_nm, exposed.sample, exposed.dark, saturation_counts=65535.0)


def quickest(tasks: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Milliseconds of CPU of the quickest turn of each."""
    best = dict.fromkeys(tasks, np.inf)
    for _ in range(rounds):
        for name, task in tasks.items():
            begin = time.process_time()
            task()
            best[name] = min(best[name], 1e3 * (time.process_time() - begin))
    return best


def held_and_peak_mb(recipe: Recipe, devices: int = 5) -> tuple[float, float]:
    """Memory held for one more device, and what its analysis takes for a moment besides, in MB."""
    known = [measurement(MANY, 195.0 + i, 0.5, i) for i in range(devices + 1)]
    analyze_measurement(known[0], recipe)
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    most = 0.0
    for given in known[1:]:
        tracemalloc.reset_peak()
        start = tracemalloc.get_traced_memory()[0]
        analyze_measurement(given, recipe)
        most = max(most, tracemalloc.get_traced_memory()[1] - start)
    gc.collect()
    held = (tracemalloc.get_traced_memory()[0] - before) / devices
    tracemalloc.stop()
    return held / MB, most / MB


def figures(rounds: int) -> dict[str, float]:
    """All figures that have a goal; prints what they are made of."""
    recipe = Recipe()
    few, many = measurement(FEW, 200.0, 1.0, 1), measurement(MANY, 200.0, 0.45, 1)
    net = few.sample - (few.dark if few.dark is not None else 0.0)
    counts = {n: len(analyze_measurement(m, recipe).detected_peaks) for n, m in (("few", few), ("many", many))}
    best = quickest(
        {
            "find_peaks": lambda: find_peaks(net, prominence=100.0),
            "arpls": lambda: arpls(net),
            "to the peaks": lambda: measure(few, recipe),
            "with the elements": lambda: analyze_measurement(few, recipe),
            "many": lambda: analyze_measurement(many, recipe),
        },
        rounds,
    )
    held, passing = held_and_peak_mb(recipe)
    print(f"{counts['few']} and {counts['many']} peaks; ms: " + ", ".join(f"{n} {x:.3f}" for n, x in best.items()))
    print(f"memory: {held:.1f} MB held a device, {passing:.1f} MB more while its first spectrum is analysed")
    return {
        "to the peaks / find_peaks": best["to the peaks"] / best["find_peaks"],
        "to the peaks / arpls": best["to the peaks"] / best["arpls"],
        "with the elements / find_peaks": best["with the elements"] / best["find_peaks"],
        "with the elements / arpls": best["with the elements"] / best["arpls"],
        "200 peaks / 40 peaks": best["many"] / best["with the elements"],
        "memory a device, MB": held + passing,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    measured = figures(parser.parse_args().rounds)
    for name, value in measured.items():
        verdict = "holds" if value <= GOALS[name] else "MISSED"
        print(f"{name:34}{value:9.2f}   goal at most {GOALS[name]:6.2f}   {verdict}")
    return int(any(value > GOALS[name] for name, value in measured.items()))


if __name__ == "__main__":
    sys.exit(main())
