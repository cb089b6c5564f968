"""What the stories share: they run in throw-away systems only, wait on conditions, and end at the first surprise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path

OUT = Path("/out")
MARK = Path("/etc/oesd-throwaway")
PAGE = "http://127.0.0.1:8520"
BENCH = "/run/exported"  # where guest/exported.py takes commands


def only_in_a_throwaway_system() -> None:
    """Refuse to go on anywhere else: the stories kill services and try what a sandbox forbids."""
    contained = subprocess.run(["systemd-detect-virt"], capture_output=True, text=True, check=False).stdout.strip()
    if not (MARK.exists() and os.environ.get("INVOCATION_ID") and contained not in ("", "none")):
        sys.exit("this is no throw-away system: nothing was done")


def run(*argv: str, must: bool = True, given: str | None = None, limit_s: float = 300.0) -> str:
    """Run a command and return what it printed; with ``must`` it has to end with status 0."""
    done = subprocess.run(argv, capture_output=True, text=True, input=given, timeout=limit_s, check=False)
    if must and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: status {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


def shown(name: str, unit: str = "oesd") -> str:
    """A property of a unit."""
    return run("systemctl", "show", unit, "-p", name, "--value").strip()


def until(what: str, true: Callable[[], object], limit_s: float, instead: Callable[[], str] = str) -> float:
    """Wait until something holds; returns how long it took, seconds. ``instead`` tells what there is otherwise."""
    began_s = time.monotonic()
    while not true():
        if time.monotonic() - began_s > limit_s:
            raise AssertionError(f"after {limit_s:g} s still not: {what}; {instead()}")
        time.sleep(0.02)
    return time.monotonic() - began_s


def asked(path: str) -> dict:
    """A document of the daemon; empty when it does not answer."""
    try:
        with urllib.request.urlopen(PAGE + path, timeout=20) as answer:
            return json.load(answer)
    except OSError:
        return {}


class Story:
    """Steps with their times; the first that fails ends the story, and all that was told is kept for the outside."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, object] = {}
        self._began_s = time.monotonic()

    def step(self, what: str, **figures: object) -> None:
        """A step has passed."""
        self.figures.update(figures)
        told = ", ".join(f"{name} {value}" for name, value in figures.items())
        print(f"[{time.monotonic() - self._began_s:7.2f}] {what}{': ' if told else ''}{told}", flush=True)

    def tell(self, steps: Callable[[Story], None]) -> None:
        """Run the steps; write ``result.json`` outside; status 1 at a failure."""
        failure = ""
        try:
            only_in_a_throwaway_system()
            steps(self)
        except BaseException as error:
            failure = f"{type(error).__name__}: {error}"
            traceback.print_exc()
            print(run("systemctl", "status", "oesd", "--no-pager", "-l", must=False))
            print(run("journalctl", "--no-pager", "-n", "200", "-o", "short-monotonic", must=False))
        result = {"story": self.name, "passed": not failure, "failure": failure, "figures": self.figures}
        (OUT / "result.json").write_text(json.dumps(result, default=str))
        os.sync()
        sys.exit(1 if failure else 0)
