"""The room's SQL in PostgreSQL's words: placeholders by number, and no hints which index to take.

``?`` and ``?1`` become ``$1``; each ``:name`` becomes the number of that name. All else is written so that both
databases know it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

_TOKEN = re.compile(
    r"'(?:[^']|'')*'"  # a text stays as it is
    r"|\?(?P<number>\d*)"
    r"|(?<!:):(?P<name>[a-z_]\w*)"  # not a cast's
    r"|\s(?P<hint>INDEXED BY \w+)"
    r"|\bBEGIN (?P<sort>IMMEDIATE)\b"
)


@lru_cache(maxsize=1024)
def in_postgres(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement, and the names of its parameters in the order of their numbers (none where they have no names)."""
    names: list[str] = []
    count = 0

    def put(found: re.Match[str]) -> str:
        nonlocal count
        if (name := found["name"]) is not None:
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"
        if (number := found["number"]) is not None:
            this = int(number) if number else count + 1
            count = max(count, this)
            return f"${this}"
        if found["hint"]:
            return ""
        return "BEGIN" if found["sort"] else found[0]

    return _TOKEN.sub(put, sql), tuple(names)


def values_of(names: Sequence[str], parameters: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
    """The parameters in the order of their numbers."""
    if isinstance(parameters, Mapping):
        return [parameters[name] for name in names]
    return parameters
