"""What every call may answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Numbers = list[float | None]


class Document(BaseModel):
    """A JSON object; more may stand in it than is told here."""

    model_config = ConfigDict(defer_build=True, extra="allow")


class Problem(Document):
    """An error: a sentence, what is wrong with each part of the request, or the id of what has the name already."""

    detail: str | list[Fault] | dict[str, str]


class Fault(Document):
    """What is wrong with one part of a request."""

    loc: list[str | int]
    msg: str
    type: str
    ctx: dict[str, Any] = Field(default_factory=dict)


class Slots(Document):
    """Scheduled slots: due = stored + lost."""

    due: int
    stored: int
    lost: dict[str, int]
