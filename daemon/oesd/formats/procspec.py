"""ProcSpec: SpectraSuite's own form, a ZIP archive of XML that Java wrote.

The sample is the source spectrum, dark and reference those that its processing used; what was made of them, such as a
transmission, is not read: the raw counts are. Text that is not ASCII stands in the file in no one encoding and is left
out: only the formats of numbers hold any. Declarations of entities have no place in such a file and are refused.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from oesd.formats.assembly import Parts, assemble
from oesd.formats.errors import FormatError
from oesd.formats.moments import moment_of_timestamp
from oesd.formats.settings import Settings
from oesd.formats.table import MOST_PIXELS, finite
from oesd.model import SpectrumFile

MAGIC = b"PK\x03\x04"
_MOST_MEMBERS = 200
_LARGEST_XML = 8 * 1024 * 1024  # 3648 pixels with dark and reference take 0.8 MiB; parsed, it takes some ten times that
_NOT_XML = bytes(set(range(9)) | {11, 12} | set(range(14, 32)) | set(range(127, 256)))


def read_procspec(data: bytes) -> SpectrumFile:
    """Spectrum of a ProcSpec archive.

    Raises
    ------
    FormatError
        When it is none, or is larger unpacked than any spectrum.
    """
    xml, spectra = _first_member(data)
    root = _root(xml)
    sample = root.find("sourceSpectra/*[pixelValues]")
    if sample is None:
        raise FormatError("a ProcSpec file without its source spectrum")
    more = (f"{spectra} spectra in one file; only the first is read",) if spectra > 1 else ()
    return assemble(_parts(root, sample, more))


def is_spectrum(name: str) -> bool:
    """Whether a file in an archive has the name that SpectraSuite gives to a spectrum."""
    return name.startswith("ps_") and name.endswith(".xml")


def _first_member(data: bytes) -> tuple[bytes, int]:
    """The XML of the spectrum with the lowest number, and how many spectra there are."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > _MOST_MEMBERS:
                raise FormatError(f"a ZIP archive of {len(members)} files, more than {_MOST_MEMBERS}")
            found = [info for info in members if is_spectrum(info.filename)]
            if not found:
                raise FormatError("a ZIP archive without a spectrum of SpectraSuite (ps_....xml): unpack it first")
            return _unpacked(archive, min(found, key=lambda info: _number(info.filename))), len(found)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"a damaged ZIP archive: {error}") from None


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as member:
        text = member.read(_LARGEST_XML + 1)
    if len(text) > _LARGEST_XML:
        raise FormatError(f"more than {_LARGEST_XML >> 20} MiB when unpacked")
    return text


def _number(name: str) -> int:
    digits = name.removeprefix("ps_").removesuffix(".xml")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _root(xml: bytes) -> Element:
    text = xml.translate(None, _NOT_XML)
    if b"<!" in text:  # in what the parser gets: a byte that is left out must not hide it
        raise FormatError("XML with declarations, which SpectraSuite does not write")
    try:
        return ElementTree.fromstring(text)  # noqa: S314  (no entities: refused above)
    except (ElementTree.ParseError, RecursionError) as error:
        raise FormatError(f"broken XML: {error}") from None


def _parts(root: Element, sample: Element, warnings: tuple[str, ...]) -> Parts:
    columns = {"wavelength": _numbers(sample, "channelWavelengths"), "sample": _numbers(sample, "pixelValues")}
    for role in ("dark", "reference"):
        other = root.find(f".//{role}Spectrum[pixelValues]")
        if other is not None:
            columns[role] = _numbers(other, "pixelValues")
    done_to_it = [name for name in ("ElectricalDark", "NonLinearity", "StrayLight") if _is(sample, f"correctFor{name}")]
    return Parts(
        format="ProcSpec",
        columns=columns,
        header=dict(_header(sample)),
        saturation_counts=_number_of(sample, "spectrometerMaximumIntensity"),
        warnings=(*warnings, *(f"the counts were corrected before ({name})" for name in done_to_it)),
        found=_settings(sample),
    )


def _settings(sample: Element) -> Settings:
    taken_ms = _number_of(sample, "acquisitionTime/milliTime")
    return Settings(
        integration_us=_whole(sample, "integrationTime"),
        scans=_whole(sample, "scansToAverage"),
        boxcar_half_width_px=_whole(sample, "boxcarWidth"),
        serial=sample.findtext("spectrometerSerialNumber", "").strip(),
        taken_at=(None if taken_ms is None else moment_of_timestamp(taken_ms / 1000)) or "",
    )


def _header(sample: Element) -> Iterator[tuple[str, str]]:
    """What the source spectrum says of itself in single words."""
    for child in sample:
        text = (child.text or "").strip()
        if text and not len(child):
            yield child.tag, text[:200]


def _numbers(spectrum: Element, name: str) -> list[float]:
    values = spectrum.findall(f"{name}/double")
    if len(values) > MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels")
    return [finite((value.text or "").strip(), None) for value in values]


def _number_of(spectrum: Element, name: str) -> float | None:
    text = spectrum.findtext(name, "").strip()
    return finite(text, None) if text else None


def _whole(spectrum: Element, name: str) -> int | None:
    value = _number_of(spectrum, name)
    return round(value) if value is not None and 0 <= value < 1e12 else None


def _is(spectrum: Element, name: str) -> bool:
    return spectrum.findtext(name, "").strip() == "true"
