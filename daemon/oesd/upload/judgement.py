"""What a status means: an answer goes in, nothing or the error that says what comes next comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from oesd.upload.delay import retry_after
from oesd.upload.errors import (
    Conflict,
    CredentialBlocked,
    LinkExpired,
    NotFound,
    ProtocolBroken,
    RecordRefused,
    RetryLater,
    one_line,
)
from oesd.upload.strict_json import parse_json


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer read to its end. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_json(self) -> bool:
        """Whether it says that it is JSON."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"


def judge_api(what: str, answer: Answer, redact: Callable[[str], str]) -> None:
    """Return for 2xx, else raise what an API answer means; its ``detail`` is quoted, redacted and short."""
    status = answer.status
    if 200 <= status < 300:
        return
    text = f"{what}: {status}{_told(answer, redact)}"
    _judge_common(text, answer)
    if status in (401, 403):
        raise CredentialBlocked(text, status)
    if status in (400, 413, 422):
        raise RecordRefused(text, status)
    if status == 404:
        raise NotFound(text, status)
    if status == 409:
        raise Conflict(text, _detail(answer))
    raise ProtocolBroken(text, status)


def judge_bucket(what: str, answer: Answer) -> None:
    """Return for 2xx, else raise what a bucket's answer means.

    403, 404 and 410 say that the link is no longer good; 400 (S3: RequestTimeout) is no judgement of the record.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    text = f"{what}: the bucket answered {status}"
    _judge_common(text, answer)
    if status in (403, 404, 410):
        raise LinkExpired(text)
    if status == 413:
        raise RecordRefused(text, status)
    if status in (400, 409):
        raise RetryLater(text, status)
    raise ProtocolBroken(text)


def _judge_common(text: str, answer: Answer) -> None:
    if answer.status in (408, 425, 429) or answer.status >= 500:
        after_s = retry_after(answer.headers.get("retry-after"), answer.headers.get("date"))
        raise RetryLater(text, answer.status, after_s)
    if 300 <= answer.status < 400:
        raise ProtocolBroken(f"{text}, a redirect, which is not followed")


def _told(answer: Answer, redact: Callable[[str], str]) -> str:
    detail = _detail(answer)
    return "" if detail is None else f" ({one_line(redact(_sentence(detail)))})"


def _sentence(detail: object) -> str:
    """What is wrong, out of a list of faults as FastAPI gives it for 422; any other detail as it stands."""
    faults = [fault.get("msg") for fault in detail if isinstance(fault, dict)] if isinstance(detail, list) else []
    return "; ".join(map(str, faults)) if faults and all(faults) else str(detail)


def _detail(answer: Answer) -> object:
    try:
        document = parse_json(answer.body, "error")
    except ProtocolBroken:
        return None
    return document.get("detail") if isinstance(document, dict) else None
