"""Shortcuts of the inference against what they stand for: losses in between, a resumed search, suspects left out."""

import numpy as np
import pytest
from tests.engine.spectra import axis, measured, plasma

from oesd.engine.absences import Absences
from oesd.engine.assignment import in_play, infer
from oesd.engine.evidence import AMOUNTS, FINE, ROW_NATS, TRIED, Evidence
from oesd.engine.identify import identify, line_width_nm
from oesd.engine.measure import measure
from oesd.engine.outside import Outside
from oesd.engine.patterns import single
from oesd.engine.priors import Prior
from oesd.engine.scene import sites_of
from oesd.engine.search import Search
from oesd.engine.suspects import suspects_of
from oesd.engine.verdict import verdict
from oesd.model import Measurement, Recipe

WL = axis()
MIXTURES = (
    {"Ar": 9000.0, "Ti": 6000.0},
    {"Fe": 8000.0, "Cu": 5000.0, "Na": 3000.0, "H": 2000.0},
    {"W": 8000.0, "Ti": 4000.0, "He": 3000.0, "Al": 2000.0},
)


@pytest.fixture(scope="module", params=range(len(MIXTURES)))
def scene(request):
    sample, dark = measured(plasma(WL, MIXTURES[request.param], fwhm_nm=0.8), request.param)
    light = measure(Measurement(WL, sample, dark, saturation_counts=65535.0), Recipe())
    return identify(WL, light, line_width_nm(WL, light), Prior(), 0.65).scene


def hopeful(outside):
    """All species that are worth asking, however many."""
    species = [outside.let_in(outside.hope, 0.0)]
    while len(species[-1]):
        species.append(outside.let_in(outside.hope, 0.0))
    return np.sort(np.concatenate(species))


def found(search):
    search.grow()
    search.prune()
    search.weigh_chance()
    search.prune()
    search.weigh_rivals()
    return verdict(search)


def test_six_amounts_tell_the_losses_between_them(scene):
    evidence = Evidence(scene, np.flatnonzero(np.diff(scene.sites.first) > 3)[:60])
    dark = Absences(scene, evidence.species)
    light = np.stack([scene.sites.light[:, a:b].max(axis=1) for a, b in pieces(scene, evidence.species)], axis=1)
    strongest = np.maximum(light, dark.strongest())
    exact = dark.losses(single(evidence.amounts), strongest)
    between = evidence.absent - ROW_NATS[:, None, None]
    np.testing.assert_allclose(between[:, TRIED], exact[:, TRIED], rtol=2e-3, atol=2e-3)
    inside = slice(TRIED.start, len(FINE) - TRIED.start)
    off, some = (between - exact)[:, inside], exact[:, inside]
    for low, high, rms in ((0.0, 1.0, 0.4), (1.0, 4.0, 0.6), (4.0, 15.0, 0.75)):
        told = off[(some > low) & (some <= high)]
        assert np.sqrt(np.mean(told**2)) < rms and abs(np.mean(told)) < 0.2
    assert exact.shape[1] == len(FINE) > AMOUNTS


def pieces(scene, species):
    return [(int(scene.sites.first[s]), int(scene.sites.first[s + 1])) for s in species]


def test_who_is_left_outside_would_not_have_been_claimed(scene):
    suspects = suspects_of(Prior())
    outside = Outside(scene, suspects)
    everyone = found(Search(scene, suspects, hopeful(Outside(scene, suspects)), outside.hope.copy()))
    some = infer(scene, Prior())
    assert set(some.claims) == set(everyone.claims) and set(some.bands) == set(everyone.bands)
    for name, probability in everyone.probability.items():
        assert some.probability[name] == pytest.approx(probability, abs=1e-6)


def test_a_search_resumed_on_the_same_axis_finds_the_same(scene):
    prior = Prior()
    first = infer(scene, prior)
    again = infer(scene, prior, earlier=first)
    assert set(again.claims) == set(first.claims) and set(again.bands) == set(first.bands)
    for name, probability in first.probability.items():
        assert again.probability[name] == pytest.approx(probability, abs=0.02)


def test_those_in_play_are_all_that_a_resumed_search_is_laid_out_for(scene):
    prior = Prior()
    first = infer(scene, prior)
    among = in_play(first, prior)
    count = scene.patterns.species_count
    whole = sites_of(scene.observed, scene.places.near, count, scene.tolerance_nm)
    part = sites_of(scene.observed, scene.places.near, count, scene.tolerance_nm, among)
    kept = among[whole.species]
    np.testing.assert_array_equal(part.peak, whole.peak[kept])
    np.testing.assert_array_equal(part.light, whole.light[:, kept])
    assert all(among[species] for claim in first.claims.values() for species in claim.fits)


def test_parts_put_together_are_the_whole(scene):
    species = np.flatnonzero(np.diff(scene.sites.first) > 3)[:40]
    others = 0.3 * scene.observed.height
    whole = Evidence(scene, species)
    parts = Evidence(scene, species[:15]).joined(Evidence(scene, species[15:]))
    kept = np.arange(0, len(species), 3)
    for one, numbers in ((parts, np.arange(len(species))), (whole.among(kept), kept)):
        fits, wanted = one.fits(0, len(numbers), others), whole.fits(0, len(species), others)
        np.testing.assert_allclose(fits.gain, wanted.gain[numbers], rtol=1e-4, atol=1e-3)
        np.testing.assert_array_equal(fits.excitation, wanted.excitation[numbers])
