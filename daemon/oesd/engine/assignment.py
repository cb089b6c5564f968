"""Which elements are in the light: joint inference over all peaks and all places where a peak should be and is not."""

from __future__ import annotations

import numpy as np

from oesd.engine.centroids import centroids
from oesd.engine.claims import Inference
from oesd.engine.doubt import Doubt
from oesd.engine.outside import Outside
from oesd.engine.priors import Prior
from oesd.engine.scene import Scene
from oesd.engine.search import Search
from oesd.engine.suspects import Suspects, suspects_of
from oesd.engine.verdict import explain_verdict, verdict
from oesd.model import FloatArray, MaskArray

EXPLAINED = 0.3  # of a peak's light
IN_PLAY_NATS = 3.0  # a suspect that lacked more will not come back with a slight move of the axis


def expected_centers(scene: Scene, inference: Inference) -> tuple[FloatArray, MaskArray]:
    """Where the found elements' light in each peak is centred, nm, and which peaks are theirs alone; shape (peaks,)."""
    seen = scene.observed
    claims = (*inference.claims.values(), *inference.bands.values())
    fits = {species: fit for claim in claims for species, fit in claim.fits.items()}
    if not fits:
        return seen.center_nm, np.zeros(len(seen.height), dtype=np.bool_)
    centre, total = centroids(scene, fits)
    trusted = (inference.light > 0.4 * seen.height) & (inference.light < 4.0 * seen.height) & ~seen.saturated
    return seen.center_nm + centre, trusted & (total > 0.0)


def infer(
    scene: Scene, prior: Prior, explain: bool = False, earlier: Inference | None = None, doubted: bool = False
) -> Inference:
    """Find the elements among those allowed that the spectrum cannot do without; near misses if asked to explain.

    ``earlier`` is what was found when the axis was hardly different: only who was in play then is asked again.
    ``doubted``: no comb of lines confirms the axis, and claims owe for it (:mod:`oesd.engine.doubt`).
    """
    suspects = suspects_of(prior)
    doubt = Doubt(scene.observed, prior.expected) if doubted else None
    search = _begun(scene, suspects) if earlier is None else _resumed(scene, suspects, earlier, in_play(earlier, prior))
    if earlier is not None:
        search.light = search.light + _unknown_series(doubt, earlier)
        search.adopt(earlier)
    search.grow()
    search.prune()
    search.weigh_chance(doubt)
    search.prune()
    search.weigh_rivals()
    found = verdict(search)
    if explain:
        explain_verdict(search, found)
    return found


def _begun(scene: Scene, suspects: Suspects) -> Search:
    outside = Outside(scene, suspects)
    return Search(scene, suspects, outside.let_in(outside.hope, 0.0), outside.hope.copy(), outside)


def _unknown_series(doubt: Doubt | None, earlier: Inference) -> FloatArray | float:
    """Light of rotational lines that no molecule found earlier explains, (peaks,); nobody is to be claimed for it."""
    if doubt is None:
        return 0.0
    known = sum((claim.light for claim in earlier.bands.values()), np.zeros(len(doubt.series)))
    return np.where(known > EXPLAINED * doubt.series, 0.0, doubt.series)


def _resumed(scene: Scene, suspects: Suspects, earlier: Inference, asked: MaskArray) -> Search:
    """The search of those species in play, (species,), beginning with the claims there were."""
    lit = (np.diff(scene.sites.first) > 0) & asked
    hope = np.array([earlier.hope.get(name, 0.0) for name in suspects.names])
    search = Search(scene, suspects, np.flatnonzero(lit), hope)
    return search


def in_play(inference: Inference, prior: Prior) -> MaskArray:
    """Species of those who are claimed, or might be were the axis a little different; shape (species,)."""
    suspects = suspects_of(prior)
    asked = np.array([n in inference.asked and inference.hope.get(n, np.inf) > -IN_PLAY_NATS for n in suspects.names])
    return np.asarray((suspects.of >= 0) & asked[suspects.of], dtype=np.bool_)
