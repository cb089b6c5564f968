"""Foreign text on one printable line, and back."""

from __future__ import annotations

import re

LONGEST_SHOWN = 80
_ESCAPE = re.compile(r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4})|U(000[0-9a-f]{5}|0010[0-9a-f]{4}))")
_SHORT = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


def escaped(text: str) -> str:
    r"""ASCII on one line, undone by :func:`unescaped`: ``\n``, ``\xe9``, ``\u03bb``; blanks at its ends as ``\x20``."""
    line = text.encode("unicode_escape").decode("ascii")
    inner = line.strip(" ")
    if not inner:
        return r"\x20" * len(line)
    before, after = len(line) - len(line.lstrip(" ")), len(line) - len(line.rstrip(" "))
    return r"\x20" * before + inner + r"\x20" * after


def printable(text: str) -> str:
    r"""One line that keeps its printable letters, undone by :func:`unescaped`: ``\n``, ``\u202e``, but ``λ``."""
    return "".join(c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode("ascii") for c in text)


def escaped_key(text: str) -> str:
    """Return :func:`escaped` text fit to stand before ``: ``."""
    return escaped(text).replace(":", r"\x3a") or r"\x20"


def unescaped(line: str) -> str:
    """Return the text that :func:`escaped` was given; anything else with a backslash stands as it is."""
    return _ESCAPE.sub(_character, line)


def _character(escape: re.Match[str]) -> str:
    short, *digits = escape.groups()
    return _SHORT[short] if short else chr(int(next(filter(None, digits)), 16))


def shown(text: str) -> str:
    """Foreign text for a message: one line, ASCII, at most ``LONGEST_SHOWN`` characters."""
    line = text[: LONGEST_SHOWN + 1].encode("unicode_escape").decode("ascii")
    return line if len(line) <= LONGEST_SHOWN else line[: LONGEST_SHOWN - 3] + "..."
