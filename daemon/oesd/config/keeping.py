"""How long what is kept, and what happens when the disk has no room."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import field

from oesd.config.values import Amount, Duration, Secret, Section

_UNITS = {"kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(kB|MB|GB|TB)")
_LEAST_SEGMENT, _LARGEST_SEGMENT = 10_000_000, 2_000_000_000  # many small files, or one whose damage costs a week
_LEAST_FREE = 100_000_000  # what an analysis, an upload and the log need to go on while nothing new is taken in


def parse_size_bytes(text: object) -> int:
    """Bytes of a text such as ``"2 GB"``; ``"0"`` and ``"unlimited"`` are 0.

    Raises
    ------
    ValueError
        When the text has no unit or is no size.
    """
    if not isinstance(text, str):
        raise ValueError(f'a size is a text with its unit, such as "2 GB", not {text!r:.60}')
    if text.strip() in ("0", "unlimited"):
        return 0
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r:.60} is no size: write a number and one of {", ".join(_UNITS)}, such as "2 GB"')
    return round(float(match[1]) * _UNITS[match[2]])


class Size(Amount):
    """Bytes of a text such as ``"2 GB"``."""

    number_of = staticmethod(parse_size_bytes)


class Segment(Size):
    """A size, or ``"never"``."""

    number_of = staticmethod(lambda text: 0 if text == "never" else parse_size_bytes(text))


class StoreSection(Section, frozen=True):
    """Keeping the data."""

    url: Secret = Secret("")
    on_full: Literal["stop", "drop_confirmed", "drop_oldest_unconfirmed"] = "stop"
    min_free_bytes: Size = field(default=Size("1 GB"), name="min_free")
    max_size_bytes: Size = field(default=Size("0"), name="max_size")
    keep_confirmed_us: Duration = field(default=Duration("7 d"), name="keep_confirmed")
    full_rate_us: Duration = field(default=Duration("0"), name="full_rate")
    thin_to_us: Duration = field(default=Duration("1 min"), name="thin_to")
    segment_bytes: Segment = field(default=Segment("256 MB"), name="segment")

    def _check_parts(self) -> None:
        if self.min_free_bytes < _LEAST_FREE:
            raise ValueError('min_free: must be "100 MB" or more')
        if 0 < self.max_size_bytes < _LEAST_FREE:
            raise ValueError('max_size: must be "100 MB" or more, or "unlimited"')
        if self.segment_bytes and not _LEAST_SEGMENT <= self.segment_bytes <= _LARGEST_SEGMENT:
            raise ValueError('segment: must be "10 MB" to "2 GB", or "never"')
        if self.url.reveal() and self.on_full != "stop":
            raise ValueError('on_full: must be "stop" with a url: rows that go do not make the database smaller')
        if self.thin_to_us < 1_000_000:
            raise ValueError('thin_to: must be "1 s" or more')
