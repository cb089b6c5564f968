"""What every record's journey needs, and how the forwarder goes about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random

from oesd.store.outbox import Outbox
from oesd.upload.client import OesApi


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """The file of an entry: its name, bytes, sha256 (hex, of ``data``) and the result revision in it (None: none)."""

    name: str
    data: bytes
    sha256: str
    revision: int | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How the forwarder goes about it.

    Attributes
    ----------
    workers : int
        Records under way at once.
    probe_s : float
        Between two tries of a key that was refused.
    poll_s : float
        From confirmation to the first look for the result.
    most_looks : int
        Looks for bytes that should be there before the upload is made anew.
    most_uploads : int
        Uploads of one record that were not found again; after that only looking goes on.
    most_polls : int
        Looks for a result before it is given up (the record itself is safe by then); the last ones 15 min apart.
    """

    workers: int = 4
    probe_s: float = 300.0
    poll_s: float = 1.0
    most_looks: int = 5
    most_uploads: int = 4
    most_polls: int = 60


@dataclass(frozen=True, slots=True)
class Means:
    """What every journey needs: API, outbox, renderer, pace, source of jitter, and when the forwarder started."""

    api: OesApi
    outbox: Outbox
    render: Callable[[str], RenderedFile]
    pace: Pace
    rng: Random
    since_utc: datetime
