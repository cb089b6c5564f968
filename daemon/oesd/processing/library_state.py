"""A spectrometer's library as an operator is told of it."""

from __future__ import annotations

from typing import Any

from oesd.backgrounds.library import duration
from oesd.model import Kind, utc_text
from oesd.processing.shelf import Shelf, Sort
from oesd.store.verdicts import StoredVerdict


def state_of(shelf: Shelf, now_ns: int) -> dict[str, Any]:
    """Numbers, the last accepted and refused ones with the reason, model, due; JSON-ready."""
    return {
        "model": _model_state(shelf),
        **{f"{kind}s": _sort_state(shelf.sorts[kind], now_ns) for kind in (Kind.DARK, Kind.REFERENCE)},
    }


def _model_state(shelf: Shelf) -> dict[str, Any]:
    model = shelf.model
    if model is None:
        return {"learned_from": 0, "missing": shelf.missing}
    return {
        "learned_from": model.captures,
        "missing": "",
        "read_noise_counts": round(model.noise.read_counts, 3),
        "doubling_k": round(model.doubling_k, 2),
        "hot_pixels": int(model.hot.sum()),
    }


def _sort_state(sort: Sort, now_ns: int) -> dict[str, Any]:
    waits_s = max(sort.asks_again_ns - now_ns, 0) / 1e9
    again = f"asks again in {duration(waits_s)}: {sort.refused_in_a_row} refused in a row" if waits_s else ""
    return {
        "accepted": sort.accepted,
        "refused": sort.refused,
        "last_accepted": _verdict_state(sort.last_accepted),
        "last_refused": _verdict_state(sort.last_refused),
        "due": sort.due,
        "waits": again,
    }


def _verdict_state(verdict: StoredVerdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "record_id": verdict.record_id,
        "taken_at": utc_text(verdict.taken_at_utc),
        "proven": verdict.proven,
        "reason": verdict.reason,
    }
