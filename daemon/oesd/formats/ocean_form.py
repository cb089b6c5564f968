r"""Export form text: what OceanView writes, so that it and whatever reads its files reads ours.

::

    Data from 0190b0c8-... Node

    Date: Sun Nov 22 12:00:00 UTC 2026
    Spectrometer: OES00001
    Integration Time (sec): 1.000000E-1
    ...
    oesd Label growth: GaN-7               every header line, behind "oesd "
    oesd column sample: 1623.5 1624.0 ...  every other column
    Number of Pixels in Spectrum: 3648
    >>>>>Begin Spectral Data<<<<<
    350.1234\t123.25

The curve is the corrected scope. What OceanView knows no line for stands in lines that its readers pass over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oesd.formats.about import About, about
from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.escaping import escaped, escaped_key, unescaped
from oesd.formats.numbers import floats_of, number_texts, rows_of
from oesd.formats.sheet import AXIS, CURVE, DIGEST, Sheet, spectrum_of
from oesd.formats.table import MOST_PIXELS
from oesd.formats.vendor import MARKER
from oesd.model import SpectrumFile

_BEGIN = ">>>>>Begin Spectral Data<<<<<"
_OURS, _COLUMN, _FIRST = "oesd ", "oesd column ", "oesd Text: 1"


def ocean_bytes(sheet: Sheet) -> bytes:
    """Bytes of the form, ASCII; the same for the same sheet."""
    head = [*_as_oceanview(about(sheet.header), sheet), _FIRST]
    head += [f"{_OURS}{escaped_key(name)}: {escaped(text)}" for name, text in sheet.header.items()]
    text = "\n".join(head).encode("ascii")
    others = [name for name in sheet.columns if name not in (AXIS, CURVE)]
    lines = [f"{_COLUMN}{name}: ".encode() + b" ".join(number_texts(sheet.columns[name])) for name in others]
    lines += [f"Number of Pixels in Spectrum: {len(sheet.columns[AXIS])}".encode(), _BEGIN.encode()]
    return b"\n".join([text, *lines, rows_of([sheet.columns[AXIS], sheet.columns[CURVE]], b"\t")])


def _as_oceanview(found: About, sheet: Sheet) -> list[str]:
    linearised = sheet.header.get("Nonlinearity Coefficients", "none") != "none" and "Result Revision" in sheet.header
    return [
        f"Data from {escaped(found.data_id)} Node",
        "",
        *([f"Date: {found.taken_at_utc:%a %b %d %H:%M:%S} UTC {found.taken_at_utc:%Y}"] if found.taken_at_utc else []),
        "User: oesd",
        f"Spectrometer: {escaped(found.serial)}",
        "Autoset integration time: false",
        "Trigger mode: 0",
        *([f"Integration Time (sec): {found.integration_us / 1e6:.6E}"] if found.integration_us else []),
        f"Scans to average: {found.scans}",
        "Electric dark correction enabled: false",
        f"Nonlinearity correction enabled: {str(linearised).lower()}",
        "Boxcar width: 0",
        "XAxis mode: Wavelengths",
        "Stop averaging: false",
    ]


def is_ocean(lines: Sequence[Line]) -> bool:
    """Whether an OceanView text was written by us and has its digest."""
    ours = [line.text for line in lines if line.text.startswith(_OURS)]
    return ours[:1] == [_FIRST] and any(text.startswith(f"{_OURS}{DIGEST}: ") for text in ours)


def read_ocean(lines: Sequence[Line]) -> SpectrumFile:
    """Spectrum of the form.

    Raises
    ------
    FormatError
        With the line number where one is to blame.
    """
    start = next((i for i, line in enumerate(lines) if line.text.startswith(MARKER)), len(lines))
    ours = _our_lines(lines[:start])
    columns = {
        name.removeprefix("column "): floats_of(text.split(" "))
        for name, text in ours.items()
        if name.startswith("column ")
    }
    header = {unescaped(name): unescaped(text) for name, text in ours.items() if not name.startswith("column ")}
    rows = [line for line in lines[start + 1 :] if line.text]
    if len(rows) > MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels")
    pairs = [line.text.split("\t") for line in rows]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise FormatError("no spectrum: the data are not pairs of numbers")
    first = rows[0].number
    columns[AXIS], columns[CURVE] = (floats_of([pair[i] for pair in pairs], first) for i in (0, 1))
    return spectrum_of("oesd OceanView text", header, columns)


def _our_lines(lines: Sequence[Line]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if line.text.startswith(_OURS) and line.text != _FIRST:
            name, colon, text = line.text.removeprefix(_OURS).partition(": ")
            if not colon:
                name, text = line.text.removeprefix(_OURS).removesuffix(":"), ""
            found[name] = text
    return found
