"""One at a time: the making of documents from stored spectra.

Captures are taken by threads of the same interpreter. One thread that computes gives way to them within a turn of the
interpreter; of several that do, each is as likely to get the next turn as the one that has a spectrum to take.
"""

from __future__ import annotations

import threading

making = threading.Lock()
"""Held while a document is made, never while anything is waited for."""
