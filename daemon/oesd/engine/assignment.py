"""Which elements are in the light: joint inference over all peaks and all places where a peak should be and is not."""

from __future__ import annotations

import numpy as np

from oesd.engine.bands import LISTED, SYSTEMS
from oesd.engine.claims import Inference
from oesd.engine.patterns import band_species
from oesd.engine.priors import Prior, ion_nats
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.search import Search, Suspect
from oesd.engine.strengths import STAGES, line_strengths
from oesd.engine.windows import binned
from oesd.model import FloatArray, MaskArray

PRICE_NATS = 5.0  # of any element: the logarithm of how many amounts and excitations were tried
BAND_PRICE_NATS = 4.0
SYNTHESISED_NATS = 3.0  # more for a system that is known less well, of a molecule that is met less often


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


def infer(scene: Scene, prior: Prior, explain: bool = False) -> Inference:
    """Find the elements among those allowed that the spectrum cannot do without; near misses if asked to explain."""
    search = Search(scene, _suspects(prior))
    search.grow()
    search.prune()
    search.weigh_rivals()
    found = search.result()
    if explain:
        search.explain(found)
    return found


def _suspects(prior: Prior) -> list[Suspect]:
    elements = [
        Suspect(name, (STAGES * i, STAGES * i + 1), PRICE_NATS + prior.nats(name), False, ion_nats()[i])
        for i, name in enumerate(line_strengths().table.elements)
        if prior.allows(name)
    ]
    return elements + [
        Suspect(name, (species,), BAND_PRICE_NATS + (0.0 if name in LISTED else SYNTHESISED_NATS), True, 0.0)
        for name, species in zip(SYSTEMS, band_species(), strict=True)
    ]
