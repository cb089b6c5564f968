"""A rule played on a stored run: the code and the values of live, so the decision is the same to the last bit."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray
from oesd.watching.deciding import Watch
from oesd.watching.reading import Reading, State
from oesd.watching.rules import Rule


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What a rule did in a run.

    Attributes
    ----------
    fired : int or None
        Position of the value that it decided by.
    statistic, limit : (n,) float64
        As it compared them at each value; NaN where it did not.
    points, skipped : int
        Values that counted until then, and those that could not.
    correlation : float
        Of neighbouring deviations: where it is not near zero, a stated rate of false alarms is not kept.
    """

    fired: int | None
    why: str
    statistic: FloatArray
    limit: FloatArray
    points: int
    skipped: int
    correlation: float
    state: str = field(default="waiting")


def played(
    rule: Rule, run_us: Iterable[int], value: Iterable[float], sigma: Iterable[float], state: Iterable[int]
) -> Played:
    """Play a rule on a run's stored values, in their order.

    Parameters
    ----------
    run_us, value, sigma, state : iterables of equal length
        Of the trace that the rule goes by, as the store has them.
    """
    watch = Watch(rule)
    told = array("d")  # of a run of weeks a list of Python's would be hundreds of MB
    fired = None
    for number, (at_us, x, error, kind) in enumerate(zip(run_us, value, sigma, state, strict=True)):
        before = watch.points
        decided = watch.step(int(at_us), Reading(float(x), float(error), State(int(kind))))
        judged = watch.points > before and watch.state in ("watching", "reached")
        told.extend((watch.statistic, watch.limit) if judged else (np.nan, np.nan))
        if decided:
            fired = number
            break
    columns: NDArray[np.float64] = np.array(told, dtype=np.float64).reshape(-1, 2)
    return Played(
        fired,
        watch.why if fired is not None else "",
        columns[:, 0],
        columns[:, 1],
        watch.points,
        watch.skipped,
        watch.correlation,
        watch.state,
    )
