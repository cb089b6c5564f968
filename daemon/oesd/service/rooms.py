"""What the world outside is shown of a daemon, and whom it may ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from oesd.processing import Processing
from oesd.service.golden import Golden
from oesd.service.measuring import Measuring
from oesd.service.watching import Watching
from oesd.store import Store


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms of a daemon at work.

    Attributes
    ----------
    status, healthy : callable
        What the daemon says of itself.
    beat : callable
        Called with a name and the seconds within which it will be called again.
    """

    store: Store
    processing: Processing
    measuring: Measuring
    watching: Watching
    golden: Golden
    status: Callable[[], Mapping[str, Any]]
    healthy: Callable[[], bool]
    beat: Callable[[str, float], None]
