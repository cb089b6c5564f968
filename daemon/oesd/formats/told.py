"""What our own header lines say of a capture, in the words and types in which the API tells it of one.

Who reads a hub, or an entry that was exported and imported, gets what the daemon that measured it tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from oesd.formats.about import about
from oesd.formats.description import FORMAT_VERSION, LABEL
from oesd.formats.sheet import VERSION
from oesd.model import utc_text

_RESULT = (
    *("Result Revision", "Result Made At (UTC)", "Engine Version", "Line Table Version", "Constraint", "Elements"),
    "Peaks",
)
_RESULT_BEGINS = ("Peak ", "Warning ")
_ABOUT_THE_FORM = ("Columns", VERSION)


def is_capture(header: Mapping[str, str]) -> bool:
    """Whether the lines are those of a capture, as :func:`~oesd.formats.description.describe` writes them."""
    return header.get(VERSION) == FORMAT_VERSION and "Device Name" in header


def told_of_capture(header: Mapping[str, str]) -> dict[str, Any]:
    """Where, when and how it was taken and which dark and reference it has; None where a line makes no sense."""
    dark_model = header.get("Dark Model ID")
    told = about(header)
    return {
        "device": told.device_name,
        "serial": told.serial,
        "model": told.model,
        "simulated": told.simulated,
        "calibrated": _yes(header, "Wavelength Calibrated"),
        "taken_at": utc_text(told.taken_at_utc) if told.taken_at_utc else None,
        "run_id": told.run_id,
        "sequence": _whole(header, "Sequence"),
        "slot": _whole(header, "Slot"),
        "boxcar_half_width_px": _whole(header, "Boxcar Half Width (px)"),
        "saturation_counts": _whole(header, "Saturation Level (counts)"),
        "detector_temperature_c": _number(header, "Detector Temperature (C)"),
        "board_temperature_c": _number(header, "Board Temperature (C)"),
        "cause": header.get("Run Cause", ""),
        "dark_id": dark_model or header.get("Dark Record ID"),
        "dark_reason": header.get("Dark Reason", ""),
        "dark_modelled": dark_model is not None,
        "reference_id": header.get("Reference Record ID"),
        "reference_reason": header.get("Reference Reason", ""),
    }


def beside(header: Mapping[str, str]) -> dict[str, str]:
    """Lines of a file's header that nothing else tells: not the sender's result, nor names that the readers added."""
    return {
        name: text
        for name, text in header.items()
        if not (name in _RESULT or name in _ABOUT_THE_FORM or name.startswith(_RESULT_BEGINS) or _is_ours(name))
        and not name.startswith(LABEL)
    }


def named(header: Mapping[str, str]) -> dict[str, str]:
    """What the readers of every form add in our words: lower case, with units."""
    return {name: text for name, text in header.items() if _is_ours(name)}


def darks_of_model(header: Mapping[str, str]) -> int | None:
    """Of how many darks a modelled dark was made."""
    number = header.get("Dark Modelled From", "").partition(" ")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 9 else None


def _is_ours(name: str) -> bool:
    return name.isidentifier() and name.islower()


def _yes(header: Mapping[str, str], line: str) -> bool | None:
    return {"Yes": True, "No": False}.get(header.get(line, ""))


def _whole(header: Mapping[str, str], line: str) -> int | None:
    with suppress(KeyError, ValueError):
        text = header[line]
        return int(text) if len(text) <= 20 else None
    return None


def _number(header: Mapping[str, str], line: str) -> float | None:
    with suppress(KeyError, ValueError):
        return float(header[line])
    return None
