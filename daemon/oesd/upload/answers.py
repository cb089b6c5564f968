"""The API's answers, checked field by field: foreign JSON goes in, values of ours come out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from oesd.model import is_uuid
from oesd.upload.errors import ProtocolBroken

_ETAG = re.compile(r"[\x21-\x7e]{1,128}")
_LONGEST_NAME = 1024
_MOST_ENTRIES = 10_000
_LONGEST_ELEMENT = 16


@dataclass(frozen=True, slots=True)
class Presigned:
    """What a presign gives: the data_id is minted here, before any byte is sent.

    ``urls`` has one checked link per part, part 1 first. ``upload_id`` is "" when there is nothing to complete.
    """

    data_id: str
    upload_id: str
    new_filename: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoteEntry:
    """A data entry of the API as far as we read it; ``texts`` are all its text values, for finding a record id."""

    data_id: str
    pipeline_status: str
    texts: tuple[str, ...]
    last_updated: str = ""

    def mentions(self, word: str) -> bool:
        """Whether a word stands in any of its texts."""
        return any(word in text for text in self.texts)


@dataclass(frozen=True, slots=True)
class RemotePeak:
    """A detected peak of a remote result; ``element`` is "" when it is not named, ``manual`` when a person named it."""

    peak_id: str
    wavelength_nm: float
    element: str = ""
    manual: bool = False


@dataclass(frozen=True, slots=True)
class RemoteNamed:
    """A physical sample or a project of the API."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class GatewayTime:
    """Reference clock minus host clock and its bound."""

    offset_ms: float
    bound_ms: float


def presigned(answer: Any, parts: int, check_link: Callable[[str], str]) -> Presigned:
    """Check a presign answer: as many parts as asked, numbered 1..n, all of one upload.

    Raises
    ------
    ProtocolBroken
        On anything else, a link that :func:`oesd.upload.address.check_link` refuses included.
    """
    what = "presign"
    rows = _list(answer, what)
    _demand(len(rows) == parts, what, f"{len(rows)} parts, {parts} were asked for")
    rows = [_object(row, what) for row in rows]
    numbers = [row.get("part") for row in rows]
    _demand(all(type(n) is int for n in numbers), what, "a part without a number")
    rows.sort(key=lambda row: int(row["part"]))
    _demand([row["part"] for row in rows] == list(range(1, parts + 1)), what, "parts are not numbered 1..n")
    _demand(all(_same_upload(row, rows[0]) for row in rows), what, "parts of different uploads")
    upload_id = rows[0].get("upload_id")
    _demand(upload_id is not None or parts == 1, what, "several parts without an upload id")
    return Presigned(
        data_id=_uuid(rows[0].get("data_id"), what),
        upload_id="" if upload_id is None else _name(upload_id, what, "upload_id"),
        new_filename=_name(rows[0].get("new_filename"), what, "new_filename"),
        urls=tuple(check_link(_text(row.get("url"), what, "url")) for row in rows),
    )


def etag(headers_value: str | None) -> str:
    """Check a part's ETag, quotes kept verbatim."""
    if headers_value is None or _ETAG.fullmatch(headers_value) is None:
        raise ProtocolBroken("part: no usable ETag")
    return headers_value


def entries(answer: Any) -> list[RemoteEntry]:
    """Check a list of data entries."""
    rows = _list(answer, "data entries")
    _demand(len(rows) <= _MOST_ENTRIES, "data entries", "too many")
    return [_entry(_object(row, "data entries")) for row in rows]


def download_link(answer: Any) -> str | None:
    """Link of a download, unchecked; None when there is none. The server's file name is never read."""
    url = _object(answer, "download").get("url")
    return None if url is None else _text(url, "download", "url")


def oes_result(answer: Any, data_id: str) -> dict[str, Any]:
    """Check that a result is one, and the one asked for."""
    document = _object(answer, "result")
    _demand(document.get("data_id", data_id) == data_id, "result", "of another entry")
    return document


def peaks(document: dict[str, Any]) -> list[RemotePeak]:
    """Detected peaks of a result document."""
    return [_peak(_object(row, "result")) for row in _list(document.get("detected_peaks", []), "result")]


def named(answer: Any, what: str) -> list[RemoteNamed]:
    """Physical samples or projects."""
    rows = _list(answer, what)
    _demand(len(rows) <= _MOST_ENTRIES, what, "too many")
    return [_named(_object(row, what), what) for row in rows]


def made_sample(answer: Any, name: str) -> RemoteNamed:
    """A physical sample that was just made, or that a conflict names: ``id`` or ``physical_sample_id``."""
    return RemoteNamed(_named(_object(answer, "physical sample"), "physical sample", "physical_sample_id").id, name)


def gateway_stamps(answer: Any) -> tuple[float, float]:
    """When the gateway received and answered, ms since 1970."""
    document = _object(answer, "clock")
    received, sent = document.get("receivedAtUnixMs"), document.get("transmittedAtUnixMs")
    return _number(received, "clock"), _number(sent, "clock")


def _entry(row: dict[str, Any]) -> RemoteEntry:
    status = row.get("pipeline_status")
    return RemoteEntry(
        _uuid(row.get("data_id"), "data entries"),
        status if isinstance(status, str) else "",
        tuple(value for value in row.values() if isinstance(value, str)),
        _text_or_empty(row.get("last_updated")),
    )


def _peak(row: dict[str, Any]) -> RemotePeak:
    return RemotePeak(
        _name(row.get("peak_id"), "result", "peak_id"),
        _number(row.get("wavelength_nm"), "result"),
        _text_or_empty(row.get("element"))[:_LONGEST_ELEMENT],
        row.get("manual") is True,
    )


def _named(row: dict[str, Any], what: str, id_name: str = "id") -> RemoteNamed:
    identifier = _text(row.get("id", row.get(id_name)), what, "id")
    _demand(is_uuid(identifier), what, "id is no UUID")
    return RemoteNamed(identifier, _text_or_empty(row.get("name")))


def _same_upload(row: dict[str, Any], first: dict[str, Any]) -> bool:
    return all(row.get(name) == first.get(name) for name in ("upload_id", "new_filename", "data_id"))


def _demand(holds: bool, what: str, otherwise: str) -> None:
    if not holds:
        raise ProtocolBroken(f"{what}: {otherwise}")


def _text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ProtocolBroken(f"{what}: no list")
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProtocolBroken(f"{what}: no object")
    return value


def _text(value: Any, what: str, name: str) -> str:
    if not isinstance(value, str):
        raise ProtocolBroken(f"{what}: {name} is no text")
    return value


def _name(value: Any, what: str, name: str) -> str:
    """Foreign name that we keep and send back: printable (no half surrogate pairs either), of a sane length."""
    text = _text(value, what, name)
    _demand(0 < len(text) <= _LONGEST_NAME and text.isprintable(), what, f"{name} is no name")
    return text


def _uuid(value: Any, what: str) -> str:
    text = _text(value, what, "data_id")
    _demand(is_uuid(text), what, "data_id is no UUID")
    return text


def _number(value: Any, what: str) -> float:
    with suppress(OverflowError):  # JSON has whole numbers beyond any float
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    raise ProtocolBroken(f"{what}: no number where one is due")
