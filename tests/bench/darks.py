"""Darks of the virtual spectrometers: how well the model predicts them, and which contaminated ones are let pass.

Run from the repository's root: ``python -m tests.bench.darks [darks] [model ...]``. In process, without USB; seeded.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from tests.support.dark_units import SCANS, Unit, light, taught

from oesd.backgrounds.acceptance import Known, judge_dark
from oesd.backgrounds.cells import DarkStatistics
from oesd.backgrounds.contamination import Strictness, judge, scans_to_prove
from oesd.backgrounds.dark_model import DarkModel, learn
from oesd.backgrounds.expectation import from_model
from oesd.backgrounds.photon_transfer import Undetermined
from oesd.model import FloatArray
from oesd_drivers.virtual.models import MODELS

CHOSEN = ("USB2000+", "USB4000", "HR4000", "QE65000", "Maya2000 Pro", "STS", "QE-PRO", "SR4")
CONTAMINATED = 500
MOST_SCANS = 100
WARM_C, COLD_C = (15.0, 35.0), (-20.0, 0.0)


def residuals(unit: Unit, model: DarkModel, range_c: tuple[float, float]) -> Iterator[tuple[int, float, float, float]]:
    """Exposure, rms and 99 % residual in read noises, rms residual in the model's sigma; hot pixels included."""
    for integration_us in SCANS:
        ours, own = [], []
        for temperature_c in np.linspace(*range_c, 5):
            predicted = model.predict(integration_us, temperature_c)
            seen = unit.mean(integration_us, temperature_c) < unit.detector.saturation_counts
            off = (predicted.counts - unit.mean(integration_us, temperature_c))[seen]
            ours.append(off / model.noise.read_counts)
            own.append(off / predicted.sigma[seen])
        every, sigmas = np.concatenate(ours), np.concatenate(own)
        if every.size:
            rms = float(np.sqrt(np.mean(every**2)))
            yield integration_us, rms, float(np.quantile(np.abs(every), 0.99)), float(np.sqrt(np.mean(sigmas**2)))


@dataclass
class Tally:
    darks: int = 0
    refused: int = 0
    unproven: int = 0
    over: int = 0
    passed_over: int = 0
    worst_passed: float = 0.0


def contaminated(unit: Unit, model: DarkModel, kind: str, rng: np.random.Generator, tally: Tally) -> None:
    """One dark with light of 0.3 to 20 read noises at its highest pixel, judged."""
    integration_us = int(rng.choice([1_000, 10_000, 100_000, 1_000_000]))
    temperature_c = float(rng.uniform(15.0, 35.0))
    shape = light(unit, kind, rng)
    height = float(np.exp(rng.uniform(np.log(0.3), np.log(20.0)))) * model.noise.read_counts
    rate = shape * height * unit.detector.electrons_per_count / (integration_us / 1e6)
    dark = unit.mean(integration_us, temperature_c)
    true = float(np.max(unit.mean(integration_us, temperature_c, rate) - dark)) / model.noise.read_counts
    verdict = judged(unit, model, integration_us, temperature_c, rate)
    tally.darks += 1
    tally.over += true > 2.0
    tally.refused += not verdict[0]
    tally.unproven += verdict[1]
    if verdict[0]:
        tally.passed_over += true > 2.0
        tally.worst_passed = max(tally.worst_passed, true)


def judged(
    unit: Unit, model: DarkModel, integration_us: int, temperature_c: float, rate: FloatArray | float
) -> tuple[bool, bool]:
    """Accepted? Refused only for want of proof?"""
    noise = model.noise_counts(integration_us, temperature_c)
    scans = scans_to_prove(noise, model.noise.read_counts, unit.fwhm_px, unit.detector.pixels)
    dark = unit.dark(integration_us, temperature_c, min(scans, MOST_SCANS), rate)
    verdict = judge(
        dark.counts,
        from_model(model, dark),
        scans=dark.scans,
        black=unit.detector.dark_pixels,
        line_fwhm_px=unit.fwhm_px,
        strictness=Strictness(),
    )
    return verdict.accepted, not verdict.accepted and verdict.reason.startswith("not proven")


def table(units: dict[str, Unit], models: dict[str, DarkModel], range_c: tuple[float, float]) -> None:
    low, high = range_c
    print(f"{low:g} to {high:g} C:")
    for name, model in models.items():
        rows = list(residuals(units[name], model, range_c))
        cells = "".join(f"{rms:>7.3f}/{most:4.2f}" for _, rms, most, _ in rows)
        worst = max(own for *_, own in rows)
        print(f"{name:14}{model.noise.read_counts:>7.2f}{model.doubling_k:>7.2f} K{cells}   {worst:.2f}")


def main(darks: int, names: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    units = {name: Unit(name, 7) for name in names}
    print(f"Model learned from {darks} darks; residual against the noiseless dark, in read noises")
    print(f"{'':14}{'read':>7}{'doubles':>9}" + "".join(f"{t / 1e3:>9g} ms" for t in SCANS) + "   rms/sigma")
    models = {name: taught(unit, darks, rng, WARM_C) for name, unit in units.items()}
    table(units, models, WARM_C)
    cooled = {name: unit for name, unit in units.items() if MODELS[name].detector.cooled}
    if cooled:
        table(cooled, {name: taught(unit, darks, rng, COLD_C) for name, unit in cooled.items()}, COLD_C)
    print("(root mean square / 99 % of pixels; pixels full of dark current left out)\n")
    report(units, models, rng)
    growing(names)


def report(units: dict[str, Unit], models: dict[str, DarkModel], rng: np.random.Generator) -> None:
    kinds = {kind: Tally() for kind in ("line", "plasma", "glow", "room light")}
    names = list(units)
    for number in range(CONTAMINATED):
        name = names[number % len(names)]
        kind = list(kinds)[(number // len(names)) % len(kinds)]
        contaminated(units[name], models[name], kind, rng, kinds[kind])
    print(f"{CONTAMINATED} contaminated darks, 0.3-20 read noises at the highest pixel, 1 ms - 1 s, 15-35 C")
    print(f"{'':12}{'darks':>7}{'refused':>9}{'unproven':>10}{'over 2 RN':>11}{'passed':>8}{'worst passed':>14}")
    for kind, t in kinds.items():
        numbers = f"{t.darks:>7}{t.refused:>9}{t.unproven:>10}{t.over:>11}{t.passed_over:>8}"
        print(f"{kind:12}{numbers}{t.worst_passed:>11.2f} RN")
    clean(units, models, rng)


@dataclass
class Growth:
    """A library from its first dark on: what clean darks and contaminated ones met."""

    called_light: int = 0
    unproven: int = 0
    perhaps: int = 0
    proven: int = 0
    lit_over: int = 0
    lit_proven: int = 0
    model_after: int = 0


def grown(name: str, scans: int, seed: int, darks: int = 40) -> Growth:
    """Clean darks in a room that drifts by 3 K, each beside a contaminated one of 1 to 10 read noises."""
    unit, rng, found, model = Unit(name, seed), np.random.default_rng(seed), Growth(), None
    statistics = DarkStatistics(unit.detector.pixels)
    read = unit.detector.read_noise_e / unit.detector.electrons_per_count
    for number in range(darks):
        integration_us = int(rng.choice([10_000, 100_000, 1_000_000]))
        celsius = 22.0 + 3.0 * np.sin(number / 5.0) + rng.normal(0.0, 0.3)
        known = Known(unit.optics.wavelengths_nm, statistics, unit.detector.dark_pixels, model)
        dark = unit.dark(integration_us, celsius, scans)
        verdict = judge_dark(dark, known)
        found.called_light += not verdict.accepted and verdict.reason.startswith("not dark")
        found.unproven += not verdict.accepted and verdict.reason.startswith("not proven")
        found.perhaps += verdict.accepted and not verdict.proven
        found.proven += verdict.proven
        height = float(np.exp(rng.uniform(0.0, np.log(10.0)))) * read
        shape = light(unit, ("line", "plasma", "glow", "room light")[number % 4], rng)
        rate = shape * height * unit.detector.electrons_per_count / (integration_us / 1e6)
        found.lit_over += height > 2.0 * read
        lit = judge_dark(unit.dark(integration_us, celsius, scans, rate), known)
        found.lit_proven += height > 2.0 * read and lit.proven
        if not verdict.accepted:
            continue
        statistics.add(dark)
        try:
            detector = unit.detector
            model = learn(statistics, nonlinearity=detector.nonlinearity, saturation_counts=detector.saturation_counts)
            found.model_after = found.model_after or statistics.captures
        except Undetermined:
            continue
    return found


def growing(names: tuple[str, ...]) -> None:
    print(
        "\nA library from the first dark on, 40 clean darks of 10 ms - 1 s at 19-25 C, each beside a contaminated one"
    )
    print(f"{'':14}{'scans':>6}{'called light':>14}{'unproven':>10}{'perhaps':>9}{'proven':>8}", end="")
    print(f"{'model after':>13}{'lit over 2 RN':>15}{'proven dark':>13}")
    for name in names:
        for scans in (1, 4, 32):
            g = grown(name, scans, 10)
            print(f"{name:14}{scans:>6}{g.called_light:>14}{g.unproven:>10}{g.perhaps:>9}{g.proven:>8}", end="")
            print(f"{g.model_after:>13}{g.lit_over:>15}{g.lit_proven:>13}")


def clean(units: dict[str, Unit], models: dict[str, DarkModel], rng: np.random.Generator) -> None:
    print(f"\n{'clean darks':14}{'judged':>8}{'called light':>14}{'unproven':>10}   (at most {MOST_SCANS} scans)")
    for name, unit in units.items():
        wrong = unproven = 0
        for _ in range(CONTAMINATED):
            integration_us = int(rng.choice([1_000, 10_000, 100_000, 1_000_000]))
            accepted, unsure = judged(unit, models[name], integration_us, float(rng.uniform(15.0, 35.0)), 0.0)
            wrong += not accepted and not unsure
            unproven += unsure
        print(f"{name:14}{CONTAMINATED:>8}{wrong:>14}{unproven:>10}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main(numbers[0] if numbers else 300, tuple(w for w in sys.argv[1:] if not w.isdigit()) or CHOSEN)
