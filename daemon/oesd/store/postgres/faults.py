"""PostgreSQL's errors as the store's own, each a line that says what to do."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from oesd.store.errors import StoreDamaged, StoreError, StoreFull, StoreRefused

_FULL = "53100"
_TOO_MANY = "53300"
_READ_ONLY = "25006"
_NO_RIGHT = "42501"
_REFUSED = ("23", "P0001")  # a constraint, or a trigger of ours
_DAMAGED = "XX0"
_NO_SESSION = ("08", "57P")  # the line broke; the server goes down, went down, or is starting
_GONE = "the database server went away or cannot be reached"
_REFUSES = "the database server refuses"
_CREDENTIALS = "its password belongs into ~/.pgpass, or a file named by ?passfile= in the URL"
_CURES = {
    _TOO_MANY: "raise max_connections there, or end other programs",
    _READ_ONLY: "it is a standby, or set to read only: the URL must name the primary",
    _NO_RIGHT: "the database must belong to the user of the URL: ALTER DATABASE ... OWNER TO ...",
}


def from_postgres(error: psycopg.Error, redact: Callable[[str], str], doing: str = "use the database") -> StoreError:
    """Our error for one of PostgreSQL's.

    Parameters
    ----------
    redact : callable
        Makes a foreign text one line without secrets.
    doing : str
        What was being done, for the message.
    """
    state = error.sqlstate or ""
    told = redact(error.diag.message_primary or str(error).partition("CONTEXT:")[0] or type(error).__name__)
    if state.startswith(_REFUSED):
        return StoreRefused(told)
    if state == _FULL:
        return StoreFull(f"the database server's disk is full: free some there ({told})")
    if state.startswith(_DAMAGED) and state != "XX000":
        return StoreDamaged(f"cannot {doing}: {told}; the server's log says more")
    if (not state and isinstance(error, psycopg.OperationalError)) or state.startswith(_NO_SESSION):
        return StoreError(_no_session(told))
    cure = _CURES.get(state)
    return StoreError(f"cannot {doing}: {told}" + (f"; {cure}" if cure else ""))


def _no_session(told: str) -> str:
    """Why there is no session: the server said so itself, or nobody answered."""
    cure = f"; {_CREDENTIALS}" if "password" in told else ""
    return f"{_REFUSES if 'FATAL' in told or cure else _GONE}: {told}{cure}"
