"""Another library in httpx's place, for a run of the tests: ``OESD_TEST_HTTP=httpx2 pytest tests/daemon/upload``.

Imported before anything imports httpx; the package itself never chooses at run time.
"""

from __future__ import annotations

import importlib
import os
import sys

NAME = os.environ.get("OESD_TEST_HTTP", "httpx")

if NAME != "httpx":
    sys.modules["httpx"] = importlib.import_module(NAME)
