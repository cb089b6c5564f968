"""What the daemon need not load is not loaded."""

import subprocess
import sys


def test_httpx_comes_without_its_command_line():
    code = "import sys, oesd.upload.http, httpx; print(sorted({'rich', 'pygments', 'httpx._main'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "[]\n"


def test_the_library_is_whole_all_the_same():
    from oesd.upload.httpx_alone import httpx

    assert httpx.Client and httpx.MockTransport
