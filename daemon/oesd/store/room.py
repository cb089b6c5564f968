"""How much room there is, and what is asked to be done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnFull = Literal["stop", "drop_confirmed", "drop_oldest_unconfirmed"]
_ENOUGH = 1 << 62


@dataclass(frozen=True, slots=True)
class KeepingRules:
    """What is asked.

    Attributes
    ----------
    on_full : str
        ``stop`` takes nothing more in, ``drop_confirmed`` lets go what the API has confirmed,
        ``drop_oldest_unconfirmed`` after that anything but what waits for its result or is on its way.
    min_free_bytes : int
        Of the disk, that stay free whatever comes.
    max_bytes : int
        That the data may take, without the log beside them; 0 for no limit but the disk.
    keep_confirmed_us : int
        How long a confirmed spectrum stays at least.
    full_rate_us, thin_to_us : int
        How long all spectra are kept, and for which stretch one is kept thereafter; 0 keeps all for ever.
    expire_us : int
        How long anything is kept at all that needs no upload, files too; 0 for ever. For hubs.
    segment_bytes : int
        Size from which on spectra are sealed, if their day does not end before; 0 leaves all in the database.
    """

    on_full: OnFull = "stop"
    min_free_bytes: int = 1_000_000_000
    max_bytes: int = 0
    keep_confirmed_us: int = 0
    full_rate_us: int = 0
    thin_to_us: int = 60_000_000
    expire_us: int = 0
    segment_bytes: int = 256_000_000


@dataclass(frozen=True, slots=True)
class Room:
    """How much there is: bytes that the data take, that the disk has free, and that freed pages hold ready.

    ``free_bytes`` is None where the disk is that of a database server, which keeps it.
    """

    used_bytes: int
    free_bytes: int | None
    reusable_bytes: int

    def left(self, rules: KeepingRules) -> int:
        """Bytes that may still be taken; negative when something has to go."""
        left = _ENOUGH if self.free_bytes is None else self.free_bytes + self.reusable_bytes - rules.min_free_bytes
        return min(left, rules.max_bytes - self.used_bytes) if rules.max_bytes else left
