"""What a start waits for: nothing that the first stored spectrum does not need."""

import subprocess
import sys


def test_measuring_waits_for_no_engine_page_or_client() -> None:
    code = (
        "import sys, oesd.service.checks, oesd.service.daemon;"
        "late = ('oesd.engine', 'oesd.formats', 'oesd.web', 'oesd.upload', 'oesd.service.front');"
        "late += ('fastapi', 'httpx', 'apscheduler');"
        "print([name for name in late if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "[]"
