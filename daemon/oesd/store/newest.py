"""Which spectrometers have ever measured here: what a live view starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oesd.store import Store


def device_names(store: Store) -> list[str]:
    """Return the names of all spectrometers with a stored capture, in alphabetical order."""
    rows = store.read(lambda db: db.execute("SELECT DISTINCT name FROM devices ORDER BY name").fetchall())
    return [row[0] for row in rows]
