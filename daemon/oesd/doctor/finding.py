"""What the doctor says: one line each, with the exact next command where something is to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Level(StrEnum):
    """How bad."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line.

    Parameters
    ----------
    subject : str
        What was looked at, one or two words.
    level : Level
        How bad.
    what : str
        What was seen.
    do : str
        The next command, or what a hand must do; "" when nothing.
    """

    subject: str
    level: Level
    what: str
    do: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"subject": self.subject, "level": str(self.level), "what": self.what, "do": self.do}


def ok(subject: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(subject, Level.OK, what)


def warning(subject: str, what: str, do: str) -> Finding:
    """It works, but not as it should."""
    return Finding(subject, Level.WARNING, what, do)


def fault(subject: str, what: str, do: str) -> Finding:
    """It cannot work so."""
    return Finding(subject, Level.FAULT, what, do)


@dataclass(frozen=True, slots=True)
class Host:
    """Where the machine is looked at; tests look at a folder instead.

    Parameters
    ----------
    root : Path
        Root directory, of ``/etc``, ``/proc``, ``/dev`` and ``/run``.
    """

    root: Path = Path("/")

    def at(self, path: str) -> Path:
        """Return an absolute path of the machine."""
        return self.root / path.lstrip("/")


Check = Callable[[], Iterable[Finding]]


def every(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Findings of the checks in turn; one that fails itself is a finding too, and the others go on."""
    for subject, check in checks:
        try:
            yield from check()
        except OSError as error:
            yield warning(subject, f"could not be looked at: {error.strerror or error}", "sudo oesd doctor")
