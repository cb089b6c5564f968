"""How long a rule runs on average before it gives a false alarm, and the limit that makes it so.

For a one-sided CUSUM of independent standard normal deviations, S = max(0, S + x - k), alarm above h, the mean run
length L(u) from S = u obeys (Page, Biometrika 41 (1954) 100)::

    L(u) = 1 + L(0) Phi(k - u) + integral_0^h L(x) phi(x + k - u) dx

and is solved by Gauss-Legendre quadrature (Goel and Wu, Technometrics 13 (1971) 221), which here is exact to six
digits; Brook and Evans' Markov chain (Biometrika 59 (1972) 539) and Siegmund's (1985)
exp(2 k (h + 1.166)) ... are approximations to the same.
"""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np

from oesd.watching.errors import WatchError

_NODES = 24
_NORMAL = NormalDist()
_LARGEST_LIMIT = 60.0
_STEPS = 34


def cusum_run_length(limit: float, reference: float) -> float:
    """Mean number of deviations until a one-sided CUSUM that begins at zero passes the limit, when nothing changes.

    Parameters
    ----------
    limit, reference : float
        h and k, in standard deviations.
    """
    count = _NODES + int(4.0 * limit)  # the density is one wide, whatever the limit
    nodes, weights = np.polynomial.legendre.leggauss(count)
    x, w = 0.5 * limit * (nodes + 1.0), 0.5 * limit * weights
    starts = np.concatenate([[0.0], x])
    density = np.exp(-0.5 * (x[None, :] + reference - starts[:, None]) ** 2) / np.sqrt(2.0 * np.pi)
    below = np.array([_NORMAL.cdf(reference - u) for u in starts])
    system = np.eye(count + 1) - np.column_stack([below, density * w])
    return float(np.linalg.solve(system, np.ones(count + 1))[0])


@cache
def cusum_limit(run_length: float, reference: float) -> float:
    """The limit h at which a one-sided CUSUM gives one false alarm in so many deviations on average.

    Raises
    ------
    WatchError
        When no limit does.
    """
    low, high = 0.0, 1.0
    while cusum_run_length(high, reference) < run_length:
        low, high = high, 1.5 * high
        if high > _LARGEST_LIMIT:
            raise WatchError(f"no CUSUM with shift = {2 * reference:g} has one false alarm in {run_length:g} spectra")
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if cusum_run_length(middle, reference) < run_length else (low, middle)
    return 0.5 * (low + high)


@cache
def level_limit(run_length: float, confirm: int) -> float:
    """How many standard deviations ``confirm`` deviations in a row must exceed: one false alarm in so many on average.

    The mean wait for k successes in a row of probability p is (1 - p^k) / ((1 - p) p^k) (Feller, An Introduction to
    Probability Theory I, XIII.7).
    """
    low, high = 0.0, 0.5
    for _ in range(200):
        p = 0.5 * (low + high)
        wait = (1.0 - p**confirm) / ((1.0 - p) * p**confirm) if p > 0.0 else np.inf
        low, high = (low, p) if wait < run_length else (p, high)
    p = 0.5 * (low + high)
    if not 0.0 < p < 0.499:
        raise WatchError(f"one false alarm in {run_length:g} spectra is too often to be told from chance")
    return -_NORMAL.inv_cdf(p)
