"""Logging of a process: one line an event on stderr, foreign text made harmless, levels for systemd's journal."""

from __future__ import annotations

import logging
import re

from oesd.service.journal import PRIORITIES, JournalHandler, goes_to_journal

# The C0 and C1 control characters, and those that reorder or hide text on a terminal.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_LONGEST = 1_024


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = _UNPRINTABLE.sub(lambda m: repr(m[0])[1:-1], record.getMessage())[:_LONGEST]
        if record.exc_info:
            # A defect of ours: its place is worth more than one line, values of variables are never shown.
            text += "\n" + self.formatException(record.exc_info)
        return self._head(record) + text

    def _head(self, record: logging.LogRecord) -> str:
        return f"{self.formatTime(record, '%H:%M:%S')} {record.levelname.lower():7} "


class _Priority(_OneLine):
    def _head(self, record: logging.LogRecord) -> str:
        return f"<{PRIORITIES.get(record.levelno, 6)}>"


class _Plain(_OneLine):
    def _head(self, record: logging.LogRecord) -> str:
        return ""


def set_up_logging(level: int = logging.INFO) -> None:
    """Send the log to stderr; under systemd to the journal with its fields, or with the ``<N>`` that it reads."""
    handler: logging.Handler = logging.StreamHandler()
    if goes_to_journal():
        handler.setFormatter(_Priority())
        handler = JournalHandler(handler)
        handler.setFormatter(_Plain())
    else:
        handler.setFormatter(_OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for talkative in ("httpx", "httpcore", "uvicorn", "apscheduler", "asyncio"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
