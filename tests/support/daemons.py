"""Real daemons as child processes, for tests that look at them from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

OESD = [sys.executable, "-m", "oesd.cli"]
DEADLINE_S = 60.0


def oesd(
    *words: str | Path, timeout_s: float = DEADLINE_S, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*OESD, *map(str, words)], capture_output=True, text=True, timeout=timeout_s, cwd=cwd)


class Daemon:
    """A daemon that stays; ended when the context is left."""

    def __init__(self, data: Path, *words: str | Path, env: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._log = (data.parent / f"{data.name}.log").open("a+b")
        self.process = subprocess.Popen(
            [*OESD, *map(str, words)], stdout=self._log, stderr=self._log, env={**os.environ, **(env or {})}
        )

    @classmethod
    def simulated(cls, data: Path, *words: str) -> Daemon:
        return cls(data, "simulate", "--data", data, "--port", "0", "--hub-port", "0", *words)

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        self._log.close()

    def end(self, number: signal.Signals, timeout_s: float = DEADLINE_S) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def url(self) -> str:
        note = json.loads(until(lambda: self._note()))
        return str(note["url"])

    def _note(self) -> str:
        assert self.process.poll() is None, self.log()
        path = self.data / "daemon.json"
        text = path.read_text() if path.exists() else ""
        return text if f'"pid": {self.process.pid},' in text else ""

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url() + path, timeout=10) as answer:
            return json.load(answer)

    def tally(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/status")["tally"]
        return found


def until(condition: Callable[[], Any], timeout_s: float = DEADLINE_S) -> Any:
    """Wait until a condition gives something, and return it."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.05)
    return found


def summary(text: str) -> dict[str, int]:
    """Numbers of a summary's lines."""
    return {name: int(number) for name, number in re.findall(r"^(\w+)\s+(\d+)", text, re.MULTILINE)}
