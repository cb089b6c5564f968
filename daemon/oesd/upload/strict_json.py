"""JSON from a stranger: no NaN, no infinity, no key twice, no nesting that breaks the reader."""

from __future__ import annotations

import json
import math
from typing import Any

from oesd.upload.errors import ProtocolBroken, one_line


def parse_json(body: bytes, what: str) -> Any:
    """Parse an answer's body.

    Parameters
    ----------
    body : bytes
        UTF-8; its size was capped when it was read.
    what : str
        Name of the call, for the error.

    Raises
    ------
    ProtocolBroken
        When it is not strict JSON.
    """
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as failure:
        ours = isinstance(failure, json.JSONDecodeError | _Forbidden)
        reason = one_line(str(failure), 120) if ours else "not UTF-8 JSON"
    raise ProtocolBroken(f"{what}: answer is no JSON we take ({reason})")


class _Forbidden(ValueError):
    """Allowed by Python's reader, not by us."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Forbidden("a key stands twice in one object")
    return made


def _no_constant(name: str) -> float:
    raise _Forbidden(f"{name} is not a number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Forbidden("a number beyond any float")
    return value
