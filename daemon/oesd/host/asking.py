"""Programs of the system, asked: by their name in the path, without a shell, with a limit of time."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass


class NoAnswer(Exception):
    """The program is not on this system, or did not end in time; the text says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program printed and how it ended; text that is no UTF-8 is replaced."""

    status: int
    out: str
    err: str

    @property
    def last_words(self) -> str:
        """The last line it printed, of its errors first; its status when it printed nothing."""
        lines = (self.err or self.out).strip().splitlines()
        return lines[-1] if lines else f"status {self.status}"


def ask(argv: Sequence[str], *, given: str = "", limit_s: float = 30.0) -> Answer:
    """Run a program to its end.

    Parameters
    ----------
    argv : sequence of str
        Its name and arguments.
    given : str
        Its standard input.
    limit_s : float
        It is killed after so many seconds.

    Raises
    ------
    NoAnswer
        It is not there, or took too long.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise NoAnswer(f"{argv[0]} is not on this system")
    try:
        done = subprocess.run(  # noqa: S603 - argv is made by us, of fixed names and checked paths
            [program, *argv[1:]], input=given.encode(), capture_output=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoAnswer(f"{' '.join(argv)} took more than {limit_s:.0f} s") from None
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
