"""JCAMP-DX that others write: the spectrum, and the dark and the reference that linked blocks may hold beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oesd.formats.assembly import Parts, assemble, quantity_named
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.jcamp_blocks import Block
from oesd.formats.moments import moment
from oesd.formats.settings import Settings
from oesd.model import SpectrumFile

_IN_NM = {
    "NANOMETERS": 1.0, "NANOMETER": 1.0, "NANOMETRES": 1.0, "NM": 1.0, "WAVELENGTH (NM)": 1.0,
    "MICROMETERS": 1e3, "MICROMETER": 1e3, "UM": 1e3, "WAVELENGTH (UM)": 1e3,
    "ANGSTROMS": 0.1, "ANGSTROM": 0.1,
}  # fmt: skip
_ROLES = ("dark", "reference", "sample", "processed")


def read_foreign(blocks: Sequence[Block]) -> SpectrumFile:
    """Spectrum of a file; the first block with points that is no dark and no reference is the sample.

    Raises
    ------
    FormatError
        With the line number where one is to blame.
    """
    with_points = [block for block in blocks if block.form]
    if not with_points:
        raise FormatError("no spectrum: no block with XYPOINTS or XYDATA")
    columns: dict[str, list[float]] = {}
    left = 0
    for block in with_points:
        role = _role(block)
        if role in columns:
            left += 1
            continue
        axis, values = _in_nm(block)
        if columns.setdefault("wavelength", axis) != axis:
            raise FormatError("the blocks are not of one axis", line=block.line)
        columns[role] = values
    first = next((block for block in with_points if _role(block) in ("sample", "processed")), with_points[0])
    return assemble(
        Parts(
            format="JCAMP-DX",
            columns=columns,
            header=_header(first),
            quantity=quantity_named(f"{first.lines.get('YUNITS', '')} {first.lines.get('DATA TYPE', '')}"),
            warnings=(f"{left} more spectra in the file are not read",) if left else (),
            found=_settings(first),
        )
    )


def _role(block: Block) -> str:
    said = block.lines.get("SAMPLE DESCRIPTION", "") + " " + block.lines.get("TITLE", "")
    return next((role for role in _ROLES if re.search(rf"\b{role}\b", said, re.IGNORECASE)), "sample")


def _in_nm(block: Block) -> tuple[list[float], list[float]]:
    unit = block.lines.get("XUNITS", "").partition("$$")[0].strip()
    factor = _IN_NM.get(unit.upper())
    if factor is None:
        raise FormatError(f"the axis is in '{shown(unit)}', not in wavelengths", line=block.line)
    axis, values = block.points()
    if len(axis) > 1 and axis[0] > axis[-1]:
        axis, values = axis[::-1], values[::-1]
    return (axis * factor).tolist(), values.tolist()


def _header(block: Block) -> dict[str, str]:
    return {label: text for label, text in block.lines.items() if label not in ("XYPOINTS", "XYDATA", "END")}


def _settings(block: Block) -> Settings:
    averages = block.number(".AVERAGES") if block.lines.get(".AVERAGES", "").strip().isdecimal() else None
    taken = (moment(block.lines[label]) for label in ("LONGDATE", "DATE") if label in block.lines)
    return Settings(
        integration_us=None,  # .ACQUISITION TIME has no unit: Ocean's software writes milliseconds, others seconds
        scans=round(averages) if averages and averages < 1e9 else None,
        boxcar_half_width_px=None,
        serial="",
        taken_at=next((found for found in taken if found), ""),
    )
