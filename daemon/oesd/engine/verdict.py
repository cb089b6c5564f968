"""What a search has come to: claims with their probabilities, contests that nothing decides, near misses."""

from __future__ import annotations

from math import exp

import numpy as np

from oesd.engine.chance import chance_nats
from oesd.engine.claims import RIVAL_NATS, Claim, Contest, Inference, NearMiss
from oesd.engine.offers import SECOND_STAGE_NATS
from oesd.engine.search import NEAR_MISS_NATS, Search

PROBABILITY_NATS = 2.5
AMBIGUOUS_BELOW = 0.85
RIVAL_WITHIN_NATS = 2.0


def verdict(search: Search) -> Inference:
    """Claims with probabilities: logistic in the margin."""
    names = search.suspects.names
    found = _begun(search)
    for suspect, claim in search.claims.items():
        name, margin = names[suspect], search.margin(suspect, claim)
        probability, sole = _logistic(margin / PROBABILITY_NATS), _sole(search, suspect, claim)
        if search.suspects.band[suspect]:
            found.bands[name] = claim
            found.band_probability[name] = probability
        elif sole < AMBIGUOUS_BELOW or (search.doubt is not None and name in search.doubt.undecided):
            found.contests.append(_contest(search, suspect, claim, probability))
        else:
            found.claims[name] = claim
            found.probability[name] = min(probability, sole)
            found.margin[name] = margin
    return found


def _begun(search: Search) -> Inference:
    """What is known of those who are not claimed."""
    names = search.suspects.names
    hope = dict(zip(names, search.hope.tolist(), strict=True))
    for suspect in search.claims:
        del hope[names[suspect]]
    outside = [] if search.outside is None else search.outside.waiting.nonzero()[0].tolist()
    return Inference(light=search.light, hope=hope, asked=frozenset(names[n] for n in (*search.offers.place, *outside)))


def _sole(search: Search, suspect: int, claim: Claim) -> float:
    """Probability that it is the claimed one and not the best of its rivals."""
    worth = (search.worth(*pair) for pair in search.rivals.get(suspect, []))
    best = max((w for w in worth if w > 0.0), default=-np.inf)
    return _logistic((search.worth(suspect, claim) - best) / RIVAL_NATS)


def _contest(search: Search, suspect: int, claim: Claim, probability: float) -> Contest:
    """Shares by margin; that of all together is the probability that one of them is there."""
    contenders = [(suspect, claim), *search.rivals.get(suspect, [])]
    names = [search.suspects.names[number] for number, _ in contenders]
    worth = np.array([search.worth(*pair) for pair in contenders])
    return Contest.among(names, [one for _, one in contenders], worth, probability)


def explain_verdict(search: Search, found: Inference) -> None:
    """Add who nearly was claimed, and who would do nearly as well in a claim's place."""
    names = search.suspects.names
    number = {names[n]: n for n in search.claims}
    for name, claim in found.claims.items():
        within = search.worth(number[name], claim) - RIVAL_WITHIN_NATS
        rivals = search.in_place_of(claim)
        found.rivals[name] = tuple(names[s] for s, other in rivals if search.worth(s, other) > within)
    for suspect, claim in search.unclaimed(search.light, NEAR_MISS_NATS):
        _weigh_chance(search, suspect, claim)
        margin = search.margin(suspect, claim)
        if margin > -NEAR_MISS_NATS:
            found.near_misses[names[suspect]] = NearMiss(claim, margin)


def _weigh_chance(search: Search, suspect: int, claim: Claim) -> None:
    """Let one who was never claimed owe what his lines would gain anywhere near, as all do who are."""
    if suspect not in search.chance:
        beside = search.light + claim.light
        owed = chance_nats(search.scene, [claim], beside, search.suspects.owed, SECOND_STAGE_NATS)
        search.chance[suspect] = float(owed[0])


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + exp(-min(max(x, -60.0), 60.0)))
