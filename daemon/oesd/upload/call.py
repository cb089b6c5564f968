"""One HTTP call, described; and how long calls may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oesd.upload.address import Origin
from oesd.upload.key import ApiKey


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long things may take. ``read_s`` is one silence; a call in all gets ``call_s`` and time for its bytes."""

    connect_s: float = 10.0
    read_s: float = 60.0
    call_s: float = 90.0
    bytes_per_s: float = 100_000.0

    def total_s(self, size_bytes: int) -> float:
        """Seconds a call that moves so many bytes may take in all."""
        return self.call_s + size_bytes / self.bytes_per_s


@dataclass(frozen=True, slots=True)
class Call:
    """A request, the cap on its answer and its deadline. ``key`` is None for all but the API's own origin."""

    method: str
    url: str
    origin: Origin
    cap_bytes: int
    deadline_s: float
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    key: ApiKey | None = None

    @property
    def server(self) -> str:
        """Host and port, for texts."""
        return f"{self.origin[1]}:{self.origin[2]}"
