"""How far it is, where a person waits at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def with_bar(results: Iterable[T], number: int, *, muted: bool) -> Iterator[T]:
    """The results as they come, with a bar on stderr for as long; none where that is no terminal."""
    if muted or not sys.stderr.isatty():
        yield from results
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(results, "results", total=number, console=Console(stderr=True), transient=True)
