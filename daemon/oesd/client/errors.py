"""The one error of this room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oesd.upload.errors import UploadError


class ClientError(ValueError):
    """What went wrong and what to do, in one line that never holds the key.

    Attributes
    ----------
    status_code : int or None
        What the server answered, where it did.
    """

    def __init__(self, message: str, status_code: int | None = None) -> None:
        super().__init__(message)
        self.status_code = status_code


HINTS = {
    401: "give its key as api_key= or in AS_API_KEY; a daemon's is in the file api-token of its data directory",
    403: "the key may not do this",
}


@contextmanager
def as_client_errors() -> Iterator[None]:
    """Errors of the upload room as ours, standing alone: what is behind them may quote a request."""
    try:
        yield
        return
    except UploadError as error:
        hint = f": {HINTS[error.status]}" if error.status in HINTS else ""
        failure = ClientError(f"{error}{hint}", error.status or None)
    raise failure from None
