"""``oesd capture`` as a person runs it: what became of each spectrometer's capture, options that do not go together."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.daemons import OESD, oesd


def status(lost: dict[str, int], **verdicts: dict[str, Any]) -> dict[str, Any]:
    return {
        "tally": {"lost_calibration": lost},
        "library": {name: {"references": verdict} for name, verdict in verdicts.items()},
        "spectrometers": [{"name": name, "line": "measuring"} for name in ("a", "b")],
    }


REFUSED = {"last_refused": {"record_id": "r1", "reason": "saturated"}}
ACCEPTED = {"last_accepted": {"record_id": "r2", "reason": "light of up to 807 counts"}}


class _Lab(http.server.BaseHTTPRequestHandler):
    """Two spectrometers: the reference of one is refused before the other's is taken."""

    states: Iterator[dict[str, Any]]

    def do_GET(self) -> None:
        self._answer(next(self.states))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self._answer({"ordered": ["a", "b"]})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_a_reference_that_is_refused_is_counted_once() -> None:
    lost = {"reference refused": 1}
    after = status(lost, a=REFUSED, b=ACCEPTED)
    states = iter([status({}), status(lost, a=REFUSED), *([after] * 9)])
    handler = type("Handler", (_Lab,), {"states": states})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        done = subprocess.run(
            [*OESD, "capture", "reference", "--url", url, "--wait", "10s"], capture_output=True, text=True, timeout=60,
            env={**os.environ, "OESD_TOKEN": "some-token"},
        )  # fmt: skip
        server.shutdown()
    assert done.stdout.splitlines() == [
        "reference of a: refused: saturated",
        "reference of b: accepted: light of up to 807 counts",
    ]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dark", "--integration", "1s"), "--integration is for a capture without a daemon (--to)"),
        (("dark", "--scans", "3"), "--scans is for a capture without a daemon (--to)"),
        (("sample", "--to", "new.txt", "--url", "http://127.0.0.1:1"), "--url is for a capture by a daemon"),
        (("sample", "--to", "new.txt", "--no-wait"), "--no-wait is for a capture by a daemon"),
        (("sample", "--to", "there.txt"), "there.txt: is there already: name another file"),
    ],
)
def test_what_would_be_passed_over_is_refused_before_anything_is_taken(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "there.txt").write_text("first")
    done = oesd("capture", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"oesd: {said}") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["there.txt"]
