"""The stories and what they start refuse to run on a machine that nobody throws away."""

import subprocess
import sys
from pathlib import Path

import pytest

GUEST = Path(__file__).parent / "guest"


@pytest.mark.skipif(Path("/etc/oesd-throwaway").exists(), reason="this is a throw-away system")
@pytest.mark.parametrize("name", ["service_story.py", "usb_story.py", "probe.py", "exported.py", "asserting.py"])
@pytest.mark.parametrize("environ", [{}, {"INVOCATION_ID": "1", "OESD_QUIET": "", "OESD_TIMES": "1"}])
def test_nothing_is_done_elsewhere(name: str, environ: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-B", str(GUEST / name)], env=environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "this is no throw-away system: nothing was done\n"


def test_every_script_of_the_guest_is_looked_at() -> None:
    looked_at = {"service_story.py", "usb_story.py", "probe.py", "exported.py", "asserting.py"}
    assert {path.name for path in GUEST.glob("*.py")} - looked_at == {"throwaway.py"}
