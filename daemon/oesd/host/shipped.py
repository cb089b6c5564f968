"""The files that a system gets: they travel in the wheel; in a checkout they stand in systemd/ and config/."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

_CHECKOUT = Path(__file__).parents[3]


def shipped(name: str) -> str:
    """Text of a shipped file, such as ``systemd/oesd.service`` or ``oesd.toml``.

    Raises
    ------
    FileNotFoundError
        The installation is not whole.
    """
    packed = files("oesd") / "share" / name
    if packed.is_file():
        return packed.read_text(encoding="utf-8")
    return (_CHECKOUT / (name if "/" in name else f"config/{name}")).read_text(encoding="utf-8")
