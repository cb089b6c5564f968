"""The kinds of values that sections hold: durations with their unit, secrets, labels, and the section itself."""

from __future__ import annotations

import re
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Self, get_args, get_type_hints
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import force_setattr

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


def _at_least(least: str, text: object) -> int:
    duration_us = parse_duration_us(text)
    if duration_us < parse_duration_us(least):
        raise ValueError(f'must be "{least}" or more')
    return duration_us


class Amount(int):
    """A number that the file writes as a text with its unit; a section holds it as a plain number."""

    number_of: ClassVar[staticmethod[[object], int]]
    """What reads such a text; ValueError when it is none."""

    def __new__(cls, text: object) -> Self:
        """Read it."""
        return super().__new__(cls, cls.number_of(text))


class Duration(Amount):
    """Microseconds of a text such as ``"100 ms"``."""

    number_of = staticmethod(parse_duration_us)


class Period(Duration):
    """A duration that something can be repeated with."""

    number_of = staticmethod(partial(_at_least, "1 ms"))


class Integration(Duration):
    """An integration time."""

    number_of = staticmethod(partial(_at_least, "1 us"))


class Secret:
    """A text that may hold a password: it shows as ``***``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"


def check_file(key: str, file: Path | None) -> None:
    """Refuse what cannot be the file of a secret."""
    # The value stays out of the text: the commonest mistake is the secret itself in the place of its file.
    if file is not None and (not file.is_absolute() or "\0" in str(file)):
        raise ValueError(
            f'{key}: must be the absolute path of a file, such as "/etc/oesd/key", not what is in the file'
        )


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


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen table of the file.

    Unknown keys are errors: a misspelt key that is silently ignored would measure the wrong thing for months.
    """

    def __post_init__(self) -> None:
        for name, key in zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True):
            value = getattr(self, name)
            if isinstance(value, Amount):
                force_setattr(self, name, int(value))  # what is handed on is no type that others must know
            elif isinstance(value, float) and not isfinite(value):
                # What is compared with one of those is never right, or always.
                raise ValueError(f"{key}: must be a finite number")
        self._check_parts()

    def _check_parts(self) -> None:
        """Refuse what does not fit together: ValueError with ``key: what is wrong``."""


def keys_of(kind: type[Section]) -> dict[str, Any]:
    """The keys of a section as the file writes them, with the types of their values."""
    types = get_type_hints(kind)
    names = zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    return {key: types[name] for key, name in names}


def section_in(kind: Any) -> type[Section] | None:
    """The section that a value of this type is, or holds several of; None when it is none."""
    candidates = (kind, *get_args(kind))
    return next((one for one in candidates if isinstance(one, type) and issubclass(one, Section)), None)


def hook(kind: type[Amount] | type[Path] | type[Secret], value: object) -> object:
    """Make of a value of the file what TOML has no type for."""
    if issubclass(kind, Amount):
        return kind(value)
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return kind(value)
