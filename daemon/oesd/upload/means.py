"""What every record's journey needs, and how the forwarder goes about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from oesd.store import Store
from oesd.store.outbox import Outbox
from oesd.upload.client import OesApi
from oesd.upload.fill import Fill
from oesd.upload.refusals import Refusals
from oesd.upload.samples import Filing


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """The file of an entry.

    Attributes
    ----------
    sha256 : str
        Hex, of ``data``.
    revision : int or None
        Of the result in it; None without one.
    labels : mapping
        Of the record's run: they may name a physical sample and a project.
    """

    name: str
    data: bytes
    sha256: str
    revision: int | None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pace:
    """How the forwarder goes about it.

    Attributes
    ----------
    workers : int
        Records under way at once.
    newest_first : bool
        Which end of the queue goes first; the other end gets a quarter of the places.
    batch : int
        Records that may go up as one file; 1 for each by itself. Fewer where they are large.
    batch_wait_s : float
        How long a record may wait for company.
    results : bool
        Whether remote results are fetched and compared.
    round_s : float
        After this time no further record of a round is begun: what is live comes to its turn.
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
    changes_s : float
        Between two questions for results that were changed there.
    chores : bool
        Whether the API is asked for its clock and for changes between records.
    """

    workers: int = 4
    newest_first: bool = False
    batch: int = 1
    batch_wait_s: float = 5.0
    results: bool = True
    round_s: float = 2.0
    probe_s: float = 300.0
    poll_s: float = 1.0
    most_looks: int = 5
    most_uploads: int = 4
    most_polls: int = 60
    changes_s: float = 300.0
    chores: bool = True


@dataclass(frozen=True, slots=True)
class Means:
    """What every journey needs.

    ``since_utc`` is when the forwarder started; ``alive`` is called at every step, to show that it goes on;
    ``refusals`` knows whether a refusal is the record's own matter, ``fill`` how many records a batch may hold.
    """

    api: OesApi
    store: Store
    render: Callable[[str], RenderedFile]
    filing: Filing
    pace: Pace
    rng: Random
    since_utc: datetime
    alive: Callable[[], None]
    refusals: Refusals = field(default_factory=Refusals)
    fill: Fill = field(default_factory=Fill)

    @property
    def outbox(self) -> Outbox:
        """Where every record's state is kept."""
        return self.store.outbox
