"""What chance offers a claim: how well the same species would do on this spectrum with their lines moved aside.

Where unknown light stands dense - the rotational lines of a band, a forest that no table has - many lines meet peaks
at any shift, and the pattern of a species fits about as well anywhere. Its lines moved aside by a few line widths, so
far that no line meets its own peak, show what the pattern gains there by chance: the same peaks, beside the same light
of all others, with the same absences. (Decoys, as for peptides: Elias and Gygi, Nature Methods 4, 207 (2007).)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from oesd.engine.claims import Claim
from oesd.engine.evidence import Evidence
from oesd.engine.lines import IntArray
from oesd.engine.places import Near, Places
from oesd.engine.scene import Scene, sites_of
from oesd.model import FloatArray

ASIDE = np.array([-11, -8, -6, -4, -3, 3, 4, 6, 8, 11])  # places, of 0.6 line widths: no line meets its own peak
MOVES = len(ASIDE)


def chance_nats(
    scene: Scene, claims: Sequence[Claim], light: FloatArray, owed: FloatArray, second_stage: float
) -> FloatArray:
    """What each claim would gain with its lines moved aside, on the average of the likelihoods, nats; (claims,).

    Parameters
    ----------
    light : (peaks,) float64
        Of all claims together.
    owed : (species,) float64
        What a species owes besides.
    second_stage : float
        What the weaker of two stages owes.
    """
    species = np.array([number for claim in claims for number in claim.fits], dtype=np.int64)
    aside = _aside(scene, species)
    asked = np.flatnonzero(np.diff(aside.sites.first))
    evidence = Evidence(aside, asked)
    gains = np.zeros((len(species), MOVES))
    levels, at = np.zeros(len(claims)), 0
    for number, claim in enumerate(claims):
        mine = slice(at, at + len(claim.fits))
        low, high = np.searchsorted(asked, [MOVES * mine.start, MOVES * mine.stop]).tolist()
        if high > low:
            gains.ravel()[asked[low:high]] = evidence.fits(low, high, np.maximum(light - claim.light, 0.0)).gain
        gain = np.maximum(gains[mine] - owed[list(claim.fits)][:, None], 0.0)
        best = gain.max(axis=0)
        total = best + np.maximum(gain.sum(axis=0) - best - second_stage, 0.0)
        levels[number] = np.log(np.mean(np.exp(total - total.max()))) + total.max()
        at = mine.stop
    return levels


def _aside(scene: Scene, species: IntArray) -> Scene:
    """The scene with nothing but these species, each as often as it is moved, its lines moved with it."""
    places, near = scene.places, scene.places.near
    width = float(places.edges_nm[1] - places.edges_nm[0])
    wanted = np.full(scene.patterns.species_count, -1)
    wanted[species] = np.arange(len(species))
    mine = np.flatnonzero(wanted[near.species] >= 0)
    nm = (near.nm[mine] + width * ASIDE[:, None]).ravel()
    owner = (MOVES * wanted[near.species[mine]] + np.arange(MOVES)[:, None]).ravel()
    order = np.argsort(nm, kind="stable")
    relative = near.relative.take(mine[order % len(mine)], axis=1)
    moved = Near(nm[order], owner[order].astype(np.int16), relative)
    sites = sites_of(scene.observed, moved, MOVES * len(species), scene.tolerance_nm)
    return Scene(scene.observed, scene.patterns, _moved(places, moved, species), scene.tolerance_nm, sites, scene.dark)


def _moved(places: Places, near: Near, species: IntArray) -> Places:
    """Entries of these species moved aside; what leaves the axis is left out."""
    begin, end = places.first[species], places.first[species + 1]
    count = end - begin
    entry = np.concatenate([np.arange(a, b) for a, b in zip(begin.tolist(), end.tolist(), strict=True)])
    owner = MOVES * np.repeat(np.arange(len(species)), count) + np.arange(MOVES)[:, None]
    number = places.number[entry] + ASIDE[:, None]
    order = np.argsort(owner.ravel(), kind="stable")
    order = order[((number >= 0) & (number < len(places.edges_nm) - 1)).ravel()[order]]
    number, owner, entry = number.ravel()[order], owner.ravel()[order], np.tile(entry, MOVES)[order]
    return Places(
        edges_nm=places.edges_nm,
        number=number,
        first=np.searchsorted(owner, np.arange(MOVES * len(species) + 1)),
        strength=places.strength.take(entry, axis=1),
        known=places.known[entry],
        strong_place=places.strong_place[:, :, :0],
        strong_strength=places.strong_strength[:, :, :0],
        strong_known=places.strong_known[:, :, :0],
        near=near,
    )
