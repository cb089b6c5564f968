"""httpx without its command line.

``import httpx`` loads that too where click, rich and pygments are installed, and takes it for absent where they are
not: 5 MB of a daemon that has no use for it.
"""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"
_NEW = "httpx" not in sys.modules
if _NEW:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # what the import system takes for "not there"
try:
    import httpx
finally:
    if _NEW:
        del sys.modules[_COMMAND_LINE]

__all__ = ["httpx"]
