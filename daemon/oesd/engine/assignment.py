"""Which elements are in the light: joint inference over all peaks and all places where a peak should be and is not."""

from __future__ import annotations

import numpy as np

from oesd.engine.claims import Inference
from oesd.engine.lines import IntArray
from oesd.engine.priors import Prior
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.screening import coarse_gains
from oesd.engine.search import Search
from oesd.engine.suspects import Suspects, suspects_of
from oesd.engine.windows import binned
from oesd.model import FloatArray, MaskArray

SLACK_NATS = 2.0  # what the coarse gain of a suspect may miss
HOPEFUL_NATS = 0.5
IN_PLAY_NATS = 3.0  # a suspect that lacked more will not come back with a slight move of the axis


def expected_centers(scene: Scene, inference: Inference) -> tuple[FloatArray, MaskArray]:
    """Where the found elements' light in each peak is centred, nm, and which peaks are theirs alone; shape (peaks,)."""
    seen, patterns = scene.observed, scene.patterns
    peak, line = peak_lines(seen.center_nm, REACH * scene.tolerance_nm, patterns.wl_nm)
    amount = np.zeros(patterns.species_count)
    excitation = np.zeros(patterns.species_count, dtype=np.int64)
    for claim in (*inference.claims.values(), *inference.bands.values()):
        for species, fit in claim.fits.items():
            amount[species], excitation[species] = fit.amount, fit.excitation
    owner = patterns.species[line]
    peak, line, owner = (x[amount[owner] > 0.0] for x in (peak, line, owner))
    strength = amount[owner] * patterns.relative[excitation[owner], line]
    offset = patterns.wl_nm[line] - seen.center_nm[peak]
    near = strength * np.exp(-0.5 * (offset / (0.6 * seen.fwhm_nm)) ** 2)
    total = binned(peak, near, len(seen.height))
    centre = binned(peak, near * offset, len(seen.height)) / np.maximum(total, 1e-300)
    trusted = (inference.light > 0.4 * seen.height) & (inference.light < 4.0 * seen.height) & ~seen.saturated
    return seen.center_nm + centre, trusted & (total > 0.0)


def infer(scene: Scene, prior: Prior, explain: bool = False, earlier: Inference | None = None) -> Inference:
    """Find the elements among those allowed that the spectrum cannot do without; near misses if asked to explain.

    ``earlier`` is what was found when the axis was hardly different: only who was in play then is asked again.
    """
    suspects = suspects_of(prior)
    search = Search(scene, suspects, *_worth_asking(scene, suspects, earlier))
    if earlier is not None:
        search.adopt(earlier)
    search.grow()
    search.prune()
    search.weigh_rivals()
    found = search.result()
    if explain:
        search.explain(found)
    return found


def _worth_asking(scene: Scene, suspects: Suspects, earlier: Inference | None) -> tuple[IntArray, FloatArray]:
    """Species to be asked, and the margin that each suspect may have, nats."""
    if earlier is not None:
        lit = np.diff(scene.sites.first) > 0
        hope = np.array([earlier.hope.get(name, 0.0) for name in suspects.names])
        return np.flatnonzero(lit & (suspects.of >= 0)), hope
    gains = coarse_gains(scene)
    gains[suspects.of < 0] = 0.0
    hope = suspects.best(gains) - suspects.price + SLACK_NATS
    hopeful = np.flatnonzero(gains > HOPEFUL_NATS)
    return hopeful[hope[suspects.of[hopeful]] > 0.0], hope


def in_play(inference: Inference, prior: Prior) -> MaskArray:
    """Species of those who are claimed, or might be were the axis a little different; shape (species,)."""
    suspects = suspects_of(prior)
    asked = np.array([n in inference.asked and inference.hope.get(n, np.inf) > -IN_PLAY_NATS for n in suspects.names])
    return np.asarray((suspects.of >= 0) & asked[suspects.of], dtype=np.bool_)
