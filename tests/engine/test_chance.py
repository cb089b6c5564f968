"""Unknown light meets any line by chance: what a claim's lines would gain moved aside counts against it."""

from dataclasses import replace

import numpy as np
import pytest
from tests.engine.spectra import axis, continuum, lines, measured, plasma

import oesd
from oesd.engine.assignment import infer
from oesd.engine.chance import ASIDE, chance_nats
from oesd.engine.clutter import clutter_nats
from oesd.engine.observed import Observed
from oesd.engine.patterns import shipped_patterns
from oesd.engine.priors import Prior
from oesd.engine.scene import build_scene
from oesd.engine.search import SECOND_STAGE_NATS
from oesd.engine.suspects import suspects_of

WL = axis(400.0, 800.0)
FWHM_NM = 0.8
GALLIUM = np.array([403.2984, 417.2042])


def forest(seed: int, per_nm: float) -> np.ndarray:
    """Lines that no table has, anywhere, each as likely faint as bright."""
    rng = np.random.default_rng(seed)
    count = round(per_nm * (WL[-1] - WL[0]))
    return lines(WL, rng.uniform(WL[0], WL[-1], count), 10.0 ** rng.uniform(2.0, 4.0, count), FWHM_NM)


def analyzed(light, seed=0):
    sample, dark = measured(light + continuum(WL, 500.0), seed)
    return oesd.analyze(WL, sample, dark, saturation_counts=65535.0)


def claimed(result):
    return {e.element for e in result.elements}


def test_forests_of_unknown_lines_claim_hardly_anything():
    found = [claimed(analyzed(forest(seed, 0.15), seed)) for seed in range(12)]
    assert sum(map(len, found)) <= 2, found


@pytest.mark.parametrize("seed", range(3))
def test_an_element_is_found_in_a_forest_fainter_than_its_lines(seed):
    result = analyzed(plasma(WL, {"Ar": 40000.0}, FWHM_NM) + 0.03 * forest(seed, 0.1), seed)
    assert "Ar" in claimed(result)


def scene_of(centers, heights):
    """Peaks on an axis that shows nothing else."""
    observed = Observed(
        center_nm=centers,
        center_sigma_nm=np.full(len(centers), 0.01),
        height=heights,
        height_sigma=np.full(len(centers), 10.0),
        saturated=np.zeros(len(centers), dtype=bool),
        true_nm=WL,
        net=lines(WL, centers, heights, FWHM_NM),
        sigma=np.full(len(WL), 10.0),
        fwhm_nm=FWHM_NM,
        fwhm_px=FWHM_NM / (WL[1] - WL[0]),
        peak_fwhm_nm=np.full(len(centers), FWHM_NM),
        axis_sigma_nm=0.01,
    )
    return build_scene(observed, shipped_patterns(FWHM_NM))


def levels_of(scene):
    """Chance levels of everything claimed, by name, beside what it gains."""
    found, owed = infer(scene, Prior()), suspects_of(Prior()).owed
    claims = list(found.claims.values())
    levels = chance_nats(scene, claims, found.light, owed, SECOND_STAGE_NATS)
    return {name: (claim.gain, level) for (name, claim), level in zip(found.claims.items(), levels, strict=True)}


def test_lines_moved_aside_gain_nothing_where_nothing_else_shines():
    gained = levels_of(scene_of(GALLIUM, np.array([4000.0, 8000.0])))
    gain, level = gained["Ga"]
    assert gain > 8.0 and level == pytest.approx(0.0, abs=0.5)


def test_lines_moved_aside_gain_where_peaks_stand_everywhere():
    """Peaks as of Ga at every move of its lines: there is as much for Ga beside it as where it is."""
    alone = scene_of(GALLIUM, np.array([4000.0, 8000.0]))
    claim = infer(alone, Prior()).claims["Ga"]
    place_nm = float(alone.places.edges_nm[1] - alone.places.edges_nm[0])
    centers = np.sort((GALLIUM[:, None] + place_nm * np.append(ASIDE, 0)).ravel())
    crowded = scene_of(centers, np.where(centers < 411.0, 4000.0, 8000.0))
    held = replace(claim, light=np.zeros(len(centers)))
    owed = suspects_of(Prior()).owed
    level = float(chance_nats(crowded, [held], np.zeros(len(centers)), owed, SECOND_STAGE_NATS)[0])
    assert level > 0.5 * claim.gain


def test_unknown_peaks_cost_a_claim_and_much_fainter_ones_do_not():
    claimed_light = np.array([1000.0] + 9 * [0.0])

    def owed(others):
        height = np.array([1000.0] + 9 * [others])
        return clutter_nats(height, claimed_light, claimed_light, [])

    assert owed(2000.0) == pytest.approx(10.0 * (0.9 - 0.3) / 0.7)
    assert owed(99.0) == 0.0


def test_explained_light_costs_nothing():
    light = np.array([1000.0, 2000.0, 500.0])
    assert clutter_nats(light, np.array([1000.0, 0.0, 0.0]), light, []) == 0.0


def test_who_shows_only_what_unlisted_bands_may_show_owes_for_it():
    height = np.array([100.0, 10000.0])
    band, mine = np.array([0.0, 10000.0]), np.array([100.0, 0.0])
    assert clutter_nats(height, mine, mine + band, [band]) == 3.0
    assert clutter_nats(height * [3.0, 1.0], 3.0 * mine, 3.0 * mine + band, [band]) == 0.0
