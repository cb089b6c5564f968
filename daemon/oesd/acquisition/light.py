"""Switching the light: what lets the daemon take darks and references without a hand."""

from __future__ import annotations

import subprocess
from typing import Protocol

from oesd.model import Kind


class LightError(Exception):
    """The light could not be switched; one line for a person."""


class CutShort(Exception):
    """The daemon ends before the light has settled: what was to be taken is not taken, and nothing went wrong."""


class Light(Protocol):
    """Brings before a spectrometer's eye what a kind of capture wants to see."""

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        """Switch to sample, dark or reference; returns when it is done, raises LightError when it cannot be."""
        ...


class NoLight:
    """A bench without a switch: darks and references are taken by hand."""

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        """Do nothing: the person has seen to the light."""


class CommandLight:
    """A site's own command switches the light; it must end with status 0 within its time.

    Parameters
    ----------
    words : tuple of str
        Program and arguments, run without a shell; ``{kind}``, ``{serial}`` and ``{name}`` are filled in.
    timeout_s : float
        The command is killed after this time.
    """

    def __init__(self, words: tuple[str, ...], timeout_s: float) -> None:
        self._words = words
        self._timeout_s = timeout_s

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        """Run the command once."""
        filled = [w.replace("{kind}", kind).replace("{serial}", serial).replace("{name}", name) for w in self._words]
        try:
            # The words come from the owner's own configuration file and no shell reads them.
            done = subprocess.run(filled, timeout=self._timeout_s, capture_output=True, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise LightError(f"light command {filled[0]!r} took longer than {self._timeout_s:g} s") from None
        except (OSError, ValueError) as error:  # ValueError: a serial number may hold a NUL
            why = getattr(error, "strerror", None) or str(error)
            raise LightError(f"light command {filled[0]!r} cannot be run: {why}") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise LightError(
                f"light command {filled[0]!r} ended with status {done.returncode}: {said[0] if said else ''!r}"
            )
