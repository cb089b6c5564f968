"""What is wished of runs: whether it can be, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oesd.acquisition import UnitState
from oesd.config import checked_labels
from oesd.model import RunOrder


def check_pace(order: RunOrder, state: UnitState) -> None:
    """See that a slot has time for its exposure.

    Raises
    ------
    ValueError
        It has not.
    """
    if order.every_us and not order.burst and order.every_us < state.shortest_period_us:
        raise ValueError(
            f"every: {state.name} needs {state.shortest_period_us / 1e6:g} s for the scans of a sample,"
            f" {order.every_us / 1e6:g} s is too short"
        )


def with_changes(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Labels with changes, of which None takes one away.

    Raises
    ------
    ValueError
        They cannot be.
    """
    together = {**labels, **changes}
    return checked_labels({name: text for name, text in together.items() if text is not None})


def order_document(order: RunOrder) -> dict[str, Any]:
    """An order, JSON-ready."""
    return {
        "labels": dict(order.labels),
        "rest_us": order.duration_us or None,
        "burst": order.burst or None,
        "every_us": order.every_us,
        "lock_exposure": order.lock_exposure,
    }
