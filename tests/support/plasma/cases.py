"""Cases with truth, in the form of the practice cases: ``make(seed, number, hard=...)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.support.plasma import laboratory, scenes
from tests.support.plasma.instrument import Detector, Exposed, Optics, Spectrometer, expose
from tests.support.plasma.molecules import band_light
from tests.support.plasma.radiation import Emission, Zone, amounts, emission, profiles, thickened
from tests.support.plasma.truth import Shone, truth_of

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """``given`` is what the engine gets, in the practice cases' schema, ``truth`` what is true."""

    name: str
    given: dict[str, Any]
    truth: dict[str, Any]


def make(seed: int, number: int, *, hard: bool, blank: bool = False) -> Case:
    """The case of this number: the same every time; ``blank``: without an atom in it."""
    rng = np.random.default_rng([seed, number, int(hard)])
    families = scenes.FAMILIES[hard, blank]
    weights = np.array([w for _, w in families])
    scene = families[int(rng.choice(len(families), p=weights / weights.sum()))][0](rng)
    optics, drift = _optics(rng, hard)
    spectrometer, detector = Spectrometer(optics, rng), _detector(rng, scene.extra_spikes, hard)
    shone = shine(scene, spectrometer, rng)
    counts, scale = _exposed_to(shone, spectrometer, detector, rng)
    exposed = expose(counts, detector, rng)
    name = f"{'hard' if hard else 'thin'}_{seed}_{number:03d}"
    truth = truth_of(shone, scale, spectrometer, exposed, detector.unevenness)
    truth |= {"id": name, "family": scene.family, "drift": drift}
    return Case(name, _given(name, spectrometer, detector, exposed, rng), truth)


def shine(scene: scenes.Scene, spectrometer: Spectrometer, rng: np.random.Generator) -> Shone:
    """Light of every species, of bands and of continua, as counts on the fine grid, relative."""
    species: dict[tuple[str, int], Array] = {}
    lines: dict[tuple[str, int], tuple[Array, Array]] = {}
    bands = np.zeros(len(spectrometer.fine_nm))
    for source in scene.sources:
        if source.band:
            bands += _bright(spectrometer, source.brightness, *_band(source))
            continue
        emitted = _emissions(source, scene.knowledge, spectrometer, rng)
        images = {(e.element, e.stage): _image(e, source.zone, spectrometer) for e in emitted}
        whole = sum(images.values(), np.zeros(len(bands)))
        top = max(float(spectrometer.pixels_of(spectrometer.spread(whole)).max()), _brightest(emitted, spectrometer))
        if top <= 0.0:
            continue
        for e in emitted:
            key = (e.element, e.stage)
            species[key] = species.get(key, 0.0) + images[key] * source.brightness / top
            lines.setdefault(key, (e.nm, e.photons))
    spread = {key: spectrometer.spread(light) * spectrometer.response for key, light in species.items()}
    return Shone(spread, lines, spectrometer.spread(bands) * spectrometer.response, _continuum(scene, spectrometer))


def _brightest(emitted: list[Emission], spectrometer: Spectrometer) -> float:
    """What the strongest line of all would give its pixel, a fifth of it: a source is not bright by its faint lines."""
    visible = [e.photons[(e.nm > 200.0) & (e.nm < 950.0)].max(initial=0.0) for e in emitted]
    return float(0.2 * max(visible, default=0.0) * _share_of_pixel(spectrometer))


def _share_of_pixel(spectrometer: Spectrometer) -> float:
    """The share of a line's light that the pixel in its middle gets."""
    pixel_nm = float(np.median(np.diff(spectrometer.true_nm)))
    return min(1.0, 0.94 * pixel_nm / spectrometer.optics.fwhm_nm[1])


def _bright(spectrometer: Spectrometer, brightness: float, nm: Array, photons: Array) -> Array:
    """A band's light on the fine grid: so bright in its brightest pixel, or less, where its heads are off the axis.

    As of lines, a fifth: else an instrument that begins at 350 nm would see the tails of OH, a ten-thousandth of its
    head at 308 nm, as bright as if they were that head.
    """
    light = spectrometer.on_grid(nm, photons)
    edges = np.arange(200.0, 950.0, spectrometer.optics.fwhm_nm[1])
    anywhere = float(np.histogram(nm, edges, weights=photons)[0].max()) * _share_of_pixel(spectrometer)
    seen = float(spectrometer.pixels_of(spectrometer.spread(light) * spectrometer.response).max())
    top = max(seen, 0.2 * anywhere)
    return light * (brightness / top) if top > 0.0 else light


def _band(source: scenes.Source) -> tuple[Array, Array]:
    return band_light(source.band, source.rotational_k, source.vibrational_k)


def _emissions(
    source: scenes.Source, knowledge: laboratory.Knowledge, spectrometer: Spectrometer, rng: np.random.Generator
) -> list[Emission]:
    found = []
    for element, atoms in source.atoms:
        neutral = laboratory.species(element, 1, knowledge, rng)
        ion = laboratory.species(element, 2, knowledge, rng)
        if neutral is None:
            continue
        parts = amounts(neutral, ion, source.zone)
        for lines, share in zip((neutral, ion), parts, strict=True):
            if lines is not None and share > 0.0:
                found.append(emission(lines, atoms * share, source.zone, rng))
    nm = spectrometer.true_nm
    return thickened(found, source.zone, float(nm[0]), float(nm[-1]))


def _image(light: Emission, zone: Zone, spectrometer: Spectrometer) -> Array:
    """Photons on the fine grid: lines that are thin and narrow at a point, the others over their profile."""
    shaped = (light.depth > 0.02) | (light.half_width_nm > 0.02 * spectrometer.fwhm_at(float(light.nm.mean())))
    near = (light.nm > spectrometer.fine_nm[0] - 5.0) & (light.nm < spectrometer.fine_nm[-1] + 5.0)
    bright = light.photons > 1e-6 * light.photons[near].max(initial=0.0)
    shaped &= near & bright
    plain = near & bright & ~shaped
    image = spectrometer.on_grid(light.nm[plain], light.photons[plain])
    if shaped.any():
        chosen = Emission(
            light.element,
            light.stage,
            *(getattr(light, n)[shaped] for n in ("nm", "photons", "depth", "cold_depth", "half_width_nm")),
        )
        nm, photons = profiles(chosen, zone.kt_ev, zone.cold_kt_ev)
        image = image + spectrometer.on_grid(nm.ravel(), photons.ravel())
    return image


def _continuum(scene: scenes.Scene, spectrometer: Spectrometer) -> Array:
    nm, response = spectrometer.fine_nm, spectrometer.response
    total = np.zeros(len(nm))
    for middle, width, brightness in scene.continua:
        if width > 0.0:
            shape = np.exp(-0.5 * ((nm - middle) / width) ** 2) * response
        else:
            shape = nm**-4.0 / np.expm1(1.4388e7 / (nm * middle)) * response
        total += brightness * shape / spectrometer.pixels_of(shape).max()
    return total


def _exposed_to(
    shone: Shone, spectrometer: Spectrometer, detector: Detector, rng: np.random.Generator
) -> tuple[Array, float]:
    """Mean counts of every pixel, and the counts of a relative unit: exposures differ, one in eight is too long."""
    total = shone.total()
    total = total + spectrometer.stray_of(total) + spectrometer.ghost_of(total)
    pixels = spectrometer.pixels_of(total)
    room = detector.full_counts - detector.dark_counts
    level = rng.uniform(1.1, 4.0) if rng.random() < 0.12 else 10.0 ** rng.uniform(-1.2, -0.05)
    scale = float(level * room / max(float(pixels.max()), 1e-12))
    return pixels * scale, scale


def _optics(rng: np.random.Generator, hard: bool) -> tuple[Optics, str]:
    ranges = [(180.0, 880.0), (200.0, 1100.0), (340.0, 1020.0), (190.0, 540.0), (350.0, 1000.0), (200.0, 850.0)]
    if hard:
        ranges += [(250.0, 430.0), (380.0, 700.0), (530.0, 680.0), (200.0, 1000.0)]
    first, last = ranges[int(rng.integers(len(ranges)))]
    pixels = int(rng.choice([2048, 3648, 1024] if hard else [2048, 3648, 2048]))
    middle, half = 0.5 * (first + last), 0.5 * (last - first)
    bend = rng.uniform(-0.03, 0.03) * half
    pixel_nm = (last - first) / pixels
    width = max(float(np.exp(rng.uniform(np.log(0.3 if hard else 0.4), np.log(2.0 if hard else 1.6)))), 1.8 * pixel_nm)
    uneven = rng.uniform(-0.2, 0.2, 2) if hard else rng.uniform(-0.05, 0.05, 2)
    large = bool(rng.random() < 0.4)
    error = [rng.uniform(-0.3, 0.3) * pixel_nm, 0.0, 0.0]
    if large:
        error = [error[0] + rng.uniform(-0.45, 0.45), rng.uniform(-0.1, 0.1), rng.uniform(-0.03, 0.03)]
    optics = Optics(
        pixels,
        (middle - bend / 2.0, half, bend),
        tuple(float(x) for x in error),
        (width * (1.0 + uneven[0]), width, width * (1.0 + uneven[1])),
        skew=float(rng.uniform(-0.15, 0.15)) if hard else 0.0,
        lorentz=float(rng.uniform(0.0, 0.25)) if hard else float(rng.uniform(0.0, 0.05)),
        stray=float(rng.uniform(0.0, 2e-3)) if hard else 0.0,
        ripple=float(rng.uniform(0.0, 0.05)),
        steps=((float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.4, 2.5))),) if hard and rng.random() < 0.15 else (),
        efficiency=(0.0, float(rng.uniform(-0.7, 0.7)), float(-rng.uniform(0.2, 1.8 if hard else 1.2))),
        ghost=float(rng.uniform(0.002, 0.03)) if hard and rng.random() < 0.15 else 0.0,
    )
    return optics, "large" if large else "small"


def _detector(rng: np.random.Generator, extra_spikes: float, hard: bool) -> Detector:
    full = float(rng.choice([16383.0, 65535.0, 4095.0] if hard else [16383.0, 65535.0]))
    polynomial = (1.0, float(rng.uniform(-0.05, 0.05)) / full, float(rng.uniform(-0.04, 0.0)) / full**2)
    return Detector(
        full_counts=full,
        electrons_a_count=float(10.0 ** rng.uniform(0.2, 1.3)) * 16383.0 / full * 1.5,
        read_counts=float(rng.uniform(4.0, 14.0)) * max(full / 16383.0, 0.25) ** 0.7,
        scans=int(rng.choice([1, 1, 4, 10])),
        dark_counts=float(rng.uniform(0.01, 0.06)) * full,
        dark_slope=float(rng.uniform(-0.1, 0.1)),
        nonlinearity=polynomial if rng.random() < 0.6 else None,
        hot_share=float(rng.choice([0.0, 0.002, 0.006])),
        spikes=float(rng.choice([0.0, 0.3, 1.5])) + extra_spikes,
        unevenness=float(rng.uniform(0.0, 0.004)) if hard else 0.0,
    )


def _given(
    name: str, spectrometer: Spectrometer, detector: Detector, exposed: Exposed, rng: np.random.Generator
) -> dict[str, Any]:
    known = detector.nonlinearity if rng.random() < 0.8 else None
    fwhm = spectrometer.optics.fwhm_nm[1] * float(rng.uniform(0.92, 1.08))
    return {
        "id": name,
        "pixels": len(exposed.sample),
        "wavelengths": spectrometer.device_nm.tolist(),
        "sample": exposed.sample.tolist(),
        "dark": exposed.dark.tolist(),
        "reference": None,
        "integration_us": 100_000,
        "saturation_counts": detector.full_counts,
        "scans_averaged": detector.scans,
        "nonlinearity": None if known is None else [*known, 0.0, 0.0, 0.0, 0.0, 0.0],
        "fwhm_hint_nm": round(fwhm, 2) if rng.random() < 0.7 else None,
    }
