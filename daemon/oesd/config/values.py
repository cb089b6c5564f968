"""The kinds of values that sections hold: durations with their unit, labels, and the section itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Strict

_UNITS_US = {"us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_LONGEST_US = 366 * _UNITS_US["d"]
_DURATION = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*(us|ms|s|min|h|d)")
_MOST_LABELS = 16
_LONGEST_LABEL = 200


def parse_duration_us(text: object) -> int:
    """Microseconds of a text such as ``"100 ms"``, ``"1.5 s"``, ``"8 h"``; ``"0"`` and ``"never"`` are 0.

    Raises
    ------
    ValueError
        When the text has no unit or is no duration.
    """
    if not isinstance(text, str):
        raise ValueError(f'a duration is a text with its unit, such as "100 ms", not {text!r:.60}')
    if text.strip() in ("0", "never"):
        return 0
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f'{text!r:.60} is no duration: write a number and one of {", ".join(_UNITS_US)}, such as "100 ms"'
        )
    duration_us = round(float(match[1]) * _UNITS_US[match[2]])
    if duration_us > _LONGEST_US:
        raise ValueError(f"{text!r:.60} is longer than a year")
    return duration_us


def _at_least(least: str) -> AfterValidator:
    def check(duration_us: int) -> int:
        if duration_us < parse_duration_us(least):
            raise ValueError(f'must be "{least}" or more')
        return duration_us

    return AfterValidator(check)


Whole = Annotated[int, Strict()]  # true is no number
Duration = Annotated[int, BeforeValidator(parse_duration_us)]
Period = Annotated[Duration, _at_least("1 ms")]
Integration = Annotated[Duration, _at_least("1 us")]


def _absolute(file: Path) -> Path:
    # The value stays out of the text: the commonest mistake is the secret itself in the place of its file.
    if not file.is_absolute() or "\0" in str(file):
        raise ValueError('must be the absolute path of a file, such as "/etc/oesd/key", not what is in the file')
    return file


SecretFile = Annotated[Path, AfterValidator(_absolute)]


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https address that can be called: with a host, a port that exists, nothing odd."""
    try:
        parts = urlsplit(text)
        port = parts.port  # refused here when it is none
    except ValueError:
        return False
    whole = text.isprintable() and " " not in text
    return whole and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


def checked_labels(labels: dict[str, str]) -> dict[str, str]:
    """Labels as they may go with a spectrum: plain short names, short texts of printable characters.

    Raises
    ------
    ValueError
        One line that names the label.
    """
    if len(labels) > _MOST_LABELS:
        raise ValueError(f"at most {_MOST_LABELS} labels, not {len(labels)}")
    for name, text in labels.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,31}", name):
            raise ValueError(f"label {name[:40]!r}: a name has up to 32 of a-z, 0-9 and _, a letter first")
        if not isinstance(text, str) or len(text) > _LONGEST_LABEL or not text.isprintable():
            raise ValueError(f"label {name}: a text of up to {_LONGEST_LABEL} printable characters")
    return labels


class Section(BaseModel):
    """A frozen table of the file."""

    # Unknown keys are errors: a misspelt key that is silently ignored would measure the wrong thing for months.
    # No limit is infinite or "not a number": what is compared with one of those is never right, or always.
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)
