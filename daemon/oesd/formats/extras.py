"""Libraries that only some forms need, and what to say where they are not installed."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


class NotInstalled(ValueError):
    """A form needs a library that is not there; the text says how to get it."""


def library(name: str, extra: str, form: str) -> Any:
    """Import a library of an extra of ours.

    Raises
    ------
    NotInstalled
        When it is not there.
    """
    installed(name.partition(".")[0], extra, form)
    return importlib.import_module(name)


def installed(name: str, extra: str, form: str) -> None:
    """See that a library is there, without importing it.

    Raises
    ------
    NotInstalled
        When it is not.
    """
    if importlib.util.find_spec(name) is None:
        raise NotInstalled(f"{form} needs {name}: pip install 'oesd[{extra}]'")
