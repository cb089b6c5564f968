"""Refuses, when it is imported, to go on anywhere but in a system that is thrown away afterwards.

The stories kill services and try what a sandbox forbids: status 1 unless the mark is there, systemd started us, and a
container or machine is around us.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BENCH = "/run/exported"  # where exported.py takes commands
_MARK = Path("/etc/oesd-throwaway")


def _contained() -> bool:
    told = subprocess.run(["systemd-detect-virt"], capture_output=True, text=True, check=False).stdout.strip()
    return told not in ("", "none")


if not (_MARK.exists() and os.environ.get("INVOCATION_ID") and _contained()):
    sys.exit("this is no throw-away system: nothing was done")
