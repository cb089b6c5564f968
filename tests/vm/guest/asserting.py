"""What the stories share: they run in throw-away systems only, wait on conditions, and end at the first surprise."""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import throwaway  # noqa: F401  # refuses elsewhere

OUT = Path("/out")
PAGE = "http://127.0.0.1:8520"
_LOOK_S = 0.2  # /status is not free, least of all on an emulated processor
# The work of a pulse is that of an import: through the interpreter and its memory.
_SOURCE = "\n".join(f"def f{n}(a, b={n}):\n    return [a * b for a in range(b) if a % {n + 2}]" for n in range(20))
# Only who says that the machine is quiet learns whether the limits hold; elsewhere so many times the limit is a fault.
QUIET = bool(os.environ.get("OESD_QUIET"))
_SPARE, _PATIENCE = (1.0 if QUIET else 3.0), 3.0


class Pulse:
    """How slow this machine is at the moment: the time of a piece of work that is always the same.

    What else the host does makes it longer. In a virtual machine the processor time is taken, which only the host can
    stretch; in a container, whose kernel leaves that out of the processor time, the time that passes.

    Parameters
    ----------
    rounds : int
        How much work: a few times the slice that a scheduler gives, and not so much that it matters.
    quiet_s : float
        What it takes on a quiet machine of this kind, s.
    """

    def __init__(self, rounds: int, quiet_s: float) -> None:
        self._rounds, self._quiet_s = rounds, quiet_s
        contained = run("systemd-detect-virt", "--container", must=False).strip() not in ("", "none")
        self._clock_s = time.monotonic if contained else time.thread_time
        self._beats: list[tuple[float, float]] = []
        self._beat()
        threading.Thread(target=self._run, daemon=True).start()

    def slowness(self, since_s: float) -> float:
        """Of the time since then, on the monotonic clock; 1 on a quiet machine."""
        beats = [took_s for at_s, took_s in list(self._beats) if at_s >= since_s] or [self._beats[-1][1]]
        return max(1.0, statistics.fmean(beats) / self._quiet_s)

    def _run(self) -> None:
        while True:
            time.sleep(1.5)
            self._beat()

    def _beat(self) -> None:
        began_s = self._clock_s()
        for _ in range(self._rounds):
            compile(_SOURCE, "pulse", "exec")
        self._beats.append((time.monotonic(), self._clock_s() - began_s))


def run(*argv: str, must: bool = True, given: str | None = None, limit_s: float = 900.0) -> str:
    """Run a command and return what it printed; with ``must`` it has to end with status 0."""
    done = subprocess.run(argv, capture_output=True, text=True, input=given, timeout=limit_s, check=False)
    if must and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: status {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


PULSE = Pulse(int(os.environ["OESD_PULSE_ROUNDS"]), float(os.environ["OESD_PULSE_S"]))


def typed(which: str) -> int:
    """Type the lines of a README into one shell, each has to succeed; packages come from where PIP_ variables say."""
    lines = Path(f"/tests/{which}-lines").read_text()
    run("bash", "-e", "-c", lines)
    return len(lines.splitlines())


def shown(name: str, unit: str = "oesd") -> str:
    """A property of a unit."""
    return run("systemctl", "show", unit, "-p", name, "--value").strip()


def until(what: str, true: Callable[[], object], limit_s: float, instead: Callable[[], str] = str) -> float:
    """Wait until something holds; returns how long it took, seconds. ``instead`` tells what there is otherwise."""
    began_s = time.monotonic()
    while not true():
        passed_s = time.monotonic() - began_s
        if passed_s > limit_s * _PATIENCE * PULSE.slowness(began_s):
            raise AssertionError(f"after {passed_s:.0f} s still not: {what}; {instead()}")
        time.sleep(_LOOK_S)
    return time.monotonic() - began_s


def spellings(key: str) -> set[str]:
    """Of a key that must be nowhere."""
    return {key, quote(key, safe=""), base64.b64encode(key.encode()).decode().rstrip("="), key.encode().hex()}


def journal_has(*fields: str) -> bool:
    """Whether the journal has an entry with these fields."""
    lines = run("journalctl", *fields, "-o", "json", "--no-pager", "-n", "1").splitlines()
    return any(line.startswith("{") and json.loads(line).get("MESSAGE") for line in lines)


def asked(path: str) -> dict:
    """A document of the daemon; empty when it does not answer."""
    try:
        with urllib.request.urlopen(PAGE + path, timeout=60) as answer:
            return json.load(answer)
    except OSError:
        return {}


class Story:
    """Steps with their times; the first that fails ends the story, and all that was told is kept for the outside."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.figures: dict[str, Any] = {}
        self._began_s = time.monotonic()

    def step(self, what: str, **figures: object) -> None:
        """A step has passed."""
        self.figures.update(figures)
        told = ", ".join(f"{name} {value}" for name, value in figures.items())
        print(f"[{time.monotonic() - self._began_s:7.2f}] {what}{': ' if told else ''}{told}", flush=True)

    def within(self, what: str, took_s: float, limit_s: float) -> float:
        """See that what has just ended took no longer than this where the machine is quiet, and nowhere far longer.

        Returns what it would have taken on a quiet machine, s.
        """
        slowness = PULSE.slowness(time.monotonic() - took_s)
        allowed_s = limit_s * slowness * _SPARE
        self.figures[f"{what}, as it was, s"] = max(round(took_s, 2), self.figures.get(f"{what}, as it was, s", 0.0))
        print(f"          {what}: {took_s:.2f} s, the machine {slowness:.2f} x as slow as a quiet one", flush=True)
        if took_s > allowed_s:
            raise AssertionError(f"{what} took {took_s:.2f} s, more than {allowed_s:.1f} s ({limit_s:g} s when quiet)")
        return round(took_s / slowness, 2)

    def tell(self, steps: Callable[[Story], None]) -> None:
        """Run the steps; write ``result.json`` outside; status 1 at a failure."""
        failure = ""
        try:
            steps(self)
        except BaseException as error:
            failure = f"{type(error).__name__}: {error}"
            traceback.print_exc()
            print(run("systemctl", "status", "oesd", "--no-pager", "-l", must=False))
            print(
                run(
                    "journalctl",
                    "--no-pager",
                    "-n",
                    "80",
                    "-o",
                    "short-monotonic",
                    "_TRANSPORT=journal",
                    "_TRANSPORT=stdout",
                    must=False,
                )
            )
            print(run("journalctl", "--no-pager", "-n", "30", "-o", "short-monotonic", "-k", must=False))
        self.figures["slowness"] = round(PULSE.slowness(self._began_s), 2)
        result = {"story": self.name, "passed": not failure, "failure": failure, "figures": self.figures}
        (OUT / "result.json").write_text(json.dumps(result, default=str))
        os.sync()
        sys.exit(1 if failure else 0)
