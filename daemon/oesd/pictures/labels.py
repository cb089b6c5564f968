"""Labels that do not overlap: the most important first, each as near its peak as the others let it be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """A label that wants to stand at ``x``."""

    x: float
    number: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the label of a number stands."""

    number: int
    x: float


def placed(wishes: Sequence[Wish], low: float, high: float, step: float, reach: float) -> list[Place]:
    """Choose labels and where they stand.

    Parameters
    ----------
    wishes : sequence of Wish
        The most important first.
    low, high : float
        Bounds of the row.
    step : float
        Distance of two labels.
    reach : float
        How far a label may stand beside its peak.
    """
    kept: list[Wish] = []
    places: list[Place] = []
    for wish in wishes:
        tried = sorted([*kept, wish], key=lambda wish: wish.x)
        spread = _spread(tried, step)
        if all(abs(x - w.x) <= reach and low <= x <= high for w, x in zip(tried, spread, strict=True)):
            kept, places = tried, [Place(w.number, x) for w, x in zip(tried, spread, strict=True)]
    return places


def _spread(wishes: Sequence[Wish], step: float) -> list[float]:
    """Places a step apart with the least total movement: pool adjacent violators (Ayer et al. 1955)."""
    groups: list[list[float]] = []  # sum of wished starts, members
    for i, wish in enumerate(wishes):
        groups.append([wish.x - i * step, 1.0])
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            total, members = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += members
    starts = [total / members for total, members in groups for _ in range(int(members))]
    return [start + i * step for i, start in enumerate(starts)]
