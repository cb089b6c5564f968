"""The library of darks and references: what became of each, what was learned, what was predicted.

::

    libraries <-- verdicts --> captures       a verdict for each dark and reference, never changed
        ^-------- dark_cells                  what is remembered of the accepted darks, in the verdict's transaction
        '-------- modelled_darks <-- entries  predictions that stand in for a dark, never changed
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING

from oesd.model import Capture, Kind, Loss, ModelledDark
from oesd.store import dark_cells, ledger, modelled, verdicts
from oesd.store.dark_cells import StoredCell
from oesd.store.database import Connection
from oesd.store.verdicts import LibraryKey, Shelved, StoredVerdict

if TYPE_CHECKING:
    from oesd.store.store import Store

SCHEMA = """
CREATE TABLE libraries (                    -- one for each detector; a change of name or axis changes no dark
    library_no  INTEGER PRIMARY KEY,
    serial      TEXT NOT NULL,
    model       TEXT NOT NULL,
    pixels      INTEGER NOT NULL,
    simulated   INTEGER NOT NULL,
    UNIQUE (serial, model, pixels, simulated)
) STRICT;

CREATE TABLE verdicts (
    verdict_no  INTEGER PRIMARY KEY,        -- order of judging
    capture_no  INTEGER NOT NULL UNIQUE REFERENCES captures,
    library_no  INTEGER NOT NULL REFERENCES libraries,
    kind        TEXT NOT NULL CHECK (kind IN ('dark', 'reference')),
    accepted    INTEGER NOT NULL,
    proven      INTEGER NOT NULL,           -- light that matters would have been seen
    begins      INTEGER NOT NULL,           -- the darks before it are set aside: they have seen light
    reason      TEXT NOT NULL,
    numbers     TEXT NOT NULL,              -- JSON
    judged_at_us INTEGER NOT NULL
) STRICT;
CREATE INDEX verdicts_newest ON verdicts (library_no, kind, accepted, verdict_no);

CREATE TABLE dark_cells (                   -- sums over accepted darks; made again from them if need be
    library_no  INTEGER NOT NULL REFERENCES libraries,
    cell        INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    numbers     BLOB NOT NULL,
    counts_sum  BLOB NOT NULL,
    left_out    BLOB NOT NULL,
    PRIMARY KEY (library_no, cell)
) STRICT;

CREATE TABLE modelled_darks (
    modelled_no INTEGER PRIMARY KEY,
    record_id   TEXT NOT NULL UNIQUE,
    library_no  INTEGER NOT NULL REFERENCES libraries,
    integration_us INTEGER NOT NULL,
    temperature_c REAL,
    darks       INTEGER NOT NULL,           -- learned from, the last of which is last_dark_id
    last_dark_id TEXT NOT NULL,
    version     TEXT NOT NULL,
    made_at_us  INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    counts      BLOB NOT NULL,
    sigma       BLOB NOT NULL,
    saturated   BLOB NOT NULL
) STRICT;
ALTER TABLE entries ADD COLUMN modelled_no INTEGER REFERENCES modelled_darks;
""" + "".join(
    f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END;\n"
    for table in ("libraries", "verdicts", "modelled_darks")
    for action in ("UPDATE", "DELETE")
)


class Library:
    """The store's library; ``Store.library``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save_verdict(
        self,
        capture: Capture,
        verdict: StoredVerdict,
        *,
        cells: Sequence[StoredCell] = (),
        gone: Sequence[int] = (),
        loss: Loss | None = None,
    ) -> Future[bool]:
        """Store what became of a dark or a reference, with all that changes by it: all or none.

        Parameters
        ----------
        capture : Capture
            Stored already.
        verdict : StoredVerdict
            One that ``begins`` clears the cells first.
        cells, gone : sequence
            Cells of the dark statistics that changed, and numbers of those that are no more.
        loss : Loss, optional
            Of a refused one, for the ledger.

        Returns
        -------
        Future
            False when the capture has a verdict already: then nothing was changed. StoreError when the capture is
            not stored.
        """
        packed = [dark_cells.pack_cell(cell) for cell in cells]

        def save(connection: Connection) -> bool:
            number = verdicts.library_number(connection, verdicts.key_of(capture.device))
            if not verdicts.insert_verdict(connection, number, capture.record_id, verdict):
                return False
            if verdict.begins:
                dark_cells.clear(connection, number)
            dark_cells.put(connection, number, packed, gone)
            if loss is not None:
                ledger.insert_loss(connection, loss)
            return True

        return self._store.write(save)

    def verdict(self, record_id: str) -> StoredVerdict | None:
        """What became of a dark or a reference; None before it was judged."""
        return self._store.read(lambda connection: verdicts.load_verdict(connection, record_id))

    def unjudged(self, limit: int) -> list[str]:
        """Ids of the darks and references stored after the last one that was judged, the newest, the oldest first."""
        return self._store.read(lambda connection: verdicts.unjudged(connection, limit))

    def key_named(self, device_name: str, pixels: int) -> LibraryKey | None:
        """Which library a spectrometer has that goes by this name; None when it never measured."""
        return self._store.read(lambda connection: verdicts.key_named(connection, device_name, pixels))

    def shelved(self, key: LibraryKey, kind: Kind, limit: int) -> list[Shelved]:
        """The accepted darks or references that were judged last, the newest first; without those set aside."""
        return self._store.read(lambda connection: verdicts.load_shelved(connection, key, kind, limit))

    def tally(self, key: LibraryKey, kind: Kind, accepted: bool) -> tuple[int, StoredVerdict | None]:
        """How many were accepted or refused, and the last verdict of the sort."""
        return self._store.read(lambda connection: verdicts.tally(connection, key, kind, accepted))

    def cells(self, key: LibraryKey) -> list[StoredCell]:
        """The cells of a spectrometer's dark statistics in the order of their numbers; damaged ones are left out."""
        return self._store.read(lambda connection: dark_cells.load(connection, key))

    def dark(self, record_id: str | None) -> Capture | ModelledDark | None:
        """The dark of an entry, taken or modelled; StoreDamaged when it is not what was stored."""
        return self._store.read(lambda connection: modelled.load_dark(connection, record_id))

    def modelled_dark(self, record_id: str | None) -> ModelledDark | None:
        """A modelled dark by its id, None when there is none; StoreDamaged when it is not what was stored."""
        return self._store.read(lambda connection: modelled.load_modelled(connection, record_id))
