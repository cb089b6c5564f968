"""What a client would rather have, and whether it has it already: Accept, ETag and If-None-Match (RFC 9110)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response

from oesd.web.turns import making

_MOST_RANGES = 32


def preferred(request: Request, media: Sequence[str]) -> str:
    """The content type that the client likes best; the first one when it likes none, or does not say."""
    wanted = _ranges(",".join(request.headers.getlist("accept")))
    liked = [(_liking(one, wanted), -place) for place, one in enumerate(media)]
    best, place = max(liked)
    return media[-place] if best > 0.0 else media[0]


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(",")[:_MOST_RANGES]:
        name, *parameters = (text.strip().lower() for text in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        found.append((name, _quality(quality)))
    return found


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value <= 1.0 else 0.0


def _liking(media: str, wanted: Sequence[tuple[str, float]]) -> float:
    """Quality that the most exact range gives to a content type."""
    qualities = dict(reversed(wanted))
    for name in (media, media.partition("/")[0] + "/*", "*/*"):
        if name in qualities:
            return qualities[name]
    return 0.0


def tag(*parts: str) -> str:
    """An ETag of these parts, none of which holds a quotation mark."""
    return f'"{"-".join(parts)}"'


def unless_known(
    request: Request, etag: str, content: Callable[[], bytes], media: str, more: Mapping[str, str] | None = None
) -> Response:
    """Answer with the content, made only now, or with 304 when the client has it already.

    Nothing is served from a cache unasked: a person's word on a peak must show at once.
    """
    headers = {"etag": etag, "cache-control": "no-cache", "vary": "accept", **(more or {})}
    if _knows(request, etag):
        return Response(status_code=304, headers=headers)
    with making:
        made = content()
    return Response(made, media_type=media, headers=headers)


def _knows(request: Request, etag: str) -> bool:
    given = [one.strip() for one in ",".join(request.headers.getlist("if-none-match")).split(",")]
    return "*" in given or etag in (one.removeprefix("W/") for one in given)
