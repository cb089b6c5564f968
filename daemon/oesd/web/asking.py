"""Kinds of values that queries and bodies are made of, each with its bounds and its words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from oesd.model import is_uuid

_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _whole(given: Any) -> Any:
    if isinstance(given, str):
        if not _WHOLE.fullmatch(given):
            raise ValueError("must be a whole number")
        return int(given)
    return given


def _moment(given: Any) -> datetime:
    if not isinstance(given, str):
        raise ValueError("must be an ISO 8601 time")
    try:
        value = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError("must be an ISO 8601 time") from None
    known = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if not _FIRST.year < known.year < _LAST.year:  # before or after everything; a zone may have no meaning there
        return _FIRST if known.year <= _FIRST.year else _LAST
    return known.astimezone(UTC)


def _uuid(given: str) -> str:
    if not is_uuid(given):
        raise ValueError("must be a UUID, in lower case")
    return given


def cursor_number(given: Any) -> int:
    """The number that a page's ``next`` is the text of."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and 0 < len(given) < 19:
        return int(given)
    raise ValueError("must be what `next` of the page before said")


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number of a query; bounds by ``Field(ge=, le=)``."""

Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time, ISO 8601, UTC when it names no zone."""

Uuid = Annotated[str, AfterValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]
"""An identifier of ours."""

Name = Annotated[str, Field(max_length=200)]
"""Foreign text that is looked for: a name, a symbol, a label."""

Cursor = Annotated[int, BeforeValidator(cursor_number), WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,18}$"})]
"""Where the next page of a list begins: opaque to who asks."""
