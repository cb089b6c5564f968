"""Which entries may go first when there is no room, or when their time is over: the oldest, but nothing held."""

from __future__ import annotations

from collections.abc import Iterator

from oesd.store.database import Connection
from oesd.store.headings import HEADER, head_or_none
from oesd.store.held import Held

_PAGE = 200
_OLD = "AND e.entry_no > :after AND e.entry_no <= :until AND p.state != 'waiting'"
_COLUMNS = f"e.entry_no, e.data_id, e.device_name, {HEADER}"
# The newest of each spectrometer stays: from it the next start counts the slots that nobody served.
_SAMPLE = """
AND e.sample_no IS NOT NULL AND e.entry_no < (SELECT max(entry_no) FROM entries l WHERE l.device_name = e.device_name)
ORDER BY e.entry_no LIMIT :limit
"""
_TAKEN = "LEFT JOIN captures c ON c.capture_no = e.sample_no"
_ALL_TOLD = """
AND NOT EXISTS (SELECT 1 FROM overrides v JOIN patches t USING (override_no)
                WHERE v.entry_no = e.entry_no AND t.state = 'pending')
"""
"""What a person said of it is with the API, too."""
_CONFIRMED = (
    f"SELECT {_COLUMNS} FROM outbox o INDEXED BY outbox_confirmed JOIN entries e USING (entry_no) "  # noqa: S608
    f"JOIN processing p USING (entry_no) {_TAKEN} WHERE o.state IN ('confirmed', 'processed') {_OLD} {_ALL_TOLD} "
    f"{_SAMPLE}"
)
_MAYBE_SENT = f"FROM entries e JOIN processing p USING (entry_no) LEFT JOIN outbox o USING (entry_no) {_TAKEN}"
_QUERIES = {
    "confirmed": _CONFIRMED,
    "unconfirmed": f"SELECT {_COLUMNS} {_MAYBE_SENT} "
    f"WHERE (o.state IS NULL OR (o.state = 'stored' AND o.open = 1)) {_OLD} {_SAMPLE}",
    "expired": f"SELECT {_COLUMNS} {_MAYBE_SENT} WHERE o.state IS NULL {_OLD} ORDER BY e.entry_no LIMIT :limit",
}


def droppable(connection: Connection, reason: str, held: Held, after: int, until: int, most: int) -> list[int]:
    """Numbers of the first entries behind ``after`` and up to ``until`` that may go for a reason, ``most`` of them."""
    found: list[int] = []
    for number in _droppable(connection, reason, held, after, until):
        found.append(number)
        if len(found) == most:
            break
    return found


def _droppable(connection: Connection, reason: str, held: Held, after: int, until: int) -> Iterator[int]:
    while True:
        values = {"after": after, "until": until, "limit": _PAGE}
        rows = connection.execute(_QUERIES[reason], values).fetchall()
        for number, data_id, device_name, *header in rows:
            run_id = str(head_or_none(*header).get("run_id", "")) if held else ""
            if not held.has(data_id, device_name, run_id):
                yield number
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]
