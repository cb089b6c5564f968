"""What the API made of our entries, beside what we made of them: the remote result, and how the two differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oesd.store.assigning import assign
from oesd.store.database import Connection, Database
from oesd.store.encoding import pack_bytes, unpack_bytes
from oesd.store.entries import entry_number
from oesd.store.integrity import fingerprint, intact, verify
from oesd.store.moments import from_us, to_us

SCHEMA = """
CREATE TABLE remote_results (
    entry_no    INTEGER PRIMARY KEY REFERENCES entries,
    revision    INTEGER NOT NULL,           -- of the local result it was compared with; 0 for none
    fetched_at_us INTEGER NOT NULL,
    differences INTEGER NOT NULL,
    conflicts   INTEGER NOT NULL,
    diff        TEXT NOT NULL,              -- JSON: how it differs from the local result
    sha256      BLOB NOT NULL,              -- of document
    document    BLOB NOT NULL               -- zstd JSON, without the spectra that were ours; empty when nothing differs
) STRICT;
CREATE INDEX outbox_remote ON outbox (remote_data_id) WHERE remote_data_id != '';
CREATE INDEX remote_differing ON remote_results (entry_no) WHERE differences > 0;
CREATE INDEX remote_conflicting ON remote_results (entry_no) WHERE conflicts > 0;
"""

_PUT = """
INSERT INTO remote_results VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entry_no) DO UPDATE SET
    revision = excluded.revision, fetched_at_us = excluded.fetched_at_us, differences = excluded.differences,
    conflicts = excluded.conflicts, diff = excluded.diff, sha256 = excluded.sha256, document = excluded.document
"""


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """The API's latest result of an entry, as far as it is not our own.

    Attributes
    ----------
    revision : int
        Local revision it was compared with; 0 when there was none.
    diff : mapping
        JSON-ready: ``differences`` and ``conflicts``, each a list of objects with a sentence under ``text``.
    document : mapping
        The GET /oes document without its spectra; empty when it says the same as ours.
    """

    data_id: str
    revision: int
    fetched_at_utc: datetime
    diff: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)

    @property
    def differences(self) -> list[Mapping[str, Any]]:
        """What the two results do not have in common."""
        return list(self.diff.get("differences", ()))

    @property
    def conflicts(self) -> list[Mapping[str, Any]]:
        """Peaks that a person named here and another person named there, differently."""
        return list(self.diff.get("conflicts", ()))


class RemoteResults:
    """The remote results of a store's entries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, result: RemoteResult) -> Future[None]:
        """Keep a remote result in place of the entry's earlier one; UnknownEntry when there is no such entry."""
        packed = pack_bytes(json.dumps(result.document).encode()) if result.document else b""
        values = (
            result.revision,
            to_us(result.fetched_at_utc),
            len(result.differences),
            len(result.conflicts),
            json.dumps(result.diff),
            fingerprint(packed),
            packed,
        )

        def keep(db: Connection) -> None:
            number = entry_number(db, result.data_id)
            db.execute(_PUT, (number, *values))

        return self._database.write(keep)

    def load(self, data_id: str) -> RemoteResult | None:
        """The remote result of an entry; StoreDamaged when it is not what was stored."""
        query = (
            "SELECT revision, fetched_at_us, diff, sha256, document FROM remote_results JOIN entries USING (entry_no) "
            "WHERE data_id = ?"
        )
        row = self._database.read(lambda db: db.execute(query, (data_id,)).fetchone())
        if row is None:
            return None
        revision, fetched_us, diff, sha256, packed = row
        what = f"remote result of entry {data_id}"
        with intact(what):
            verify(what, sha256, packed)
            document = json.loads(unpack_bytes(packed)) if packed else {}
            return RemoteResult(data_id, revision, from_us(fetched_us), json.loads(diff), document)

    def last_fetched(self) -> datetime | None:
        """When the remote result of the last stored entry that has one was fetched; None without any."""
        query = "SELECT fetched_at_us FROM remote_results ORDER BY entry_no DESC LIMIT 1"
        row = self._database.read(lambda db: db.execute(query).fetchone())
        return None if row is None else from_us(row[0])

    def differing(self, limit: int, *, conflicts_only: bool = False) -> list[RemoteResult]:
        """Remote results that differ from ours, or that persons contradict each other in, the last stored first.

        Without their documents.
        """
        column = "conflicts" if conflicts_only else "differences"
        query = (
            "SELECT data_id, revision, fetched_at_us, diff FROM remote_results JOIN entries USING (entry_no) "  # noqa: S608
            f"WHERE {column} > 0 ORDER BY entry_no DESC LIMIT ?"
        )
        rows = self._database.read(lambda db: db.execute(query, (limit,)).fetchall())
        return [RemoteResult(entry, number, from_us(at_us), json.loads(diff)) for entry, number, at_us, diff in rows]

    def counts(self) -> dict[str, int]:
        """Numbers of entries whose two results differ, and whose persons contradict each other."""
        return self._database.read(
            lambda db: {
                name: int(db.execute(f"SELECT count(*) FROM remote_results WHERE {column} > 0").fetchone()[0])  # noqa: S608
                for name, column in (("differing", "differences"), ("conflicting", "conflicts"))
            }
        )

    def of(self, remote_data_ids: list[str]) -> dict[str, str]:
        """Local data ids by remote one, of those that are ours and were processed."""
        marks = ", ".join("?" * len(remote_data_ids))
        query = (
            "SELECT o.remote_data_id, e.data_id FROM outbox o JOIN entries e USING (entry_no) "  # noqa: S608
            f"WHERE o.state = 'processed' AND o.remote_data_id != '' AND o.remote_data_id IN ({marks})"
        )
        return dict(self._database.read(lambda db: db.execute(query, remote_data_ids).fetchall()))

    def take_over(self, data_id: str, peak_id: str, candidate_key: str, now: datetime) -> Future[None]:
        """Make an override that the API already has: it is stored, and not sent back.

        The future has UnknownPeak or UnknownCandidate as in :meth:`oesd.store.store.Store.assign`.
        """

        def make(db: Connection) -> None:
            assign(db, data_id, peak_id, candidate_key, now)
            number = entry_number(db, data_id)
            newest = "(SELECT max(override_no) FROM overrides WHERE entry_no = ?)"
            db.execute(f"UPDATE patches SET state = 'sent' WHERE override_no = {newest}", (number,))  # noqa: S608

        return self._database.write(make)
