"""Export form HDF5: a NeXus file with an ``NXentry`` for each spectrum, and back. Needs h5py (``oesd[hdf5]``).

::

    /@NX_class = NXroot, @default = the first entry
      entry_<data id>  NXentry   title, start_time, entry_identifier_uuid, definition = NXspectrum, run_cycle
        data           NXdata    @signal = scope_corrected, @axes = wavelength_nm, the other columns @auxiliary_signals
        instrument     NXinstrument > detector NXdetector: serial_number, model, count_time (s), frames
        labels         NXparameters  names, values
        peaks          NXcollection  peak_id, wavelength_nm, intensity, ... side by side; "" for a peak without a name
        header         (lines, 2) text: every metadatum as the other forms have it

Read in a command's process only, never by a server: the HDF5 library is no judge of hostile bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oesd.formats.about import about
from oesd.formats.errors import FormatError
from oesd.formats.escaping import printable, shown, unescaped
from oesd.formats.extras import installed, library
from oesd.formats.sheet import AXIS, COLUMNS, CURVE, Sheet
from oesd.formats.table import MOST_PIXELS
from oesd.version import __version__

_MOST_LINES = 100_000
_UNSAFE = re.compile(r"[^A-Za-z0-9]")
_UNITS = {AXIS: "nm", "dark_variance": "counts^2"}
_PEAK_NUMBERS = ("wavelength_nm", "wavelength_sigma_nm", "fwhm_nm", "snr", "intensity", "area", "probability")
_PACKED = {"compression": "gzip", "compression_opts": 4, "shuffle": True}


def require() -> None:
    """Raise :class:`~oesd.formats.extras.NotInstalled` where the library is not there; imports nothing."""
    installed("h5py", "hdf5", "HDF5")


def _h5py() -> Any:
    return library("h5py", "hdf5", "HDF5")


def write_hdf5(path: Path, sheets: Iterable[Sheet]) -> Iterator[None]:
    """Write a file, a step for each sheet; memory stays that of one.

    Raises
    ------
    NotInstalled, OSError
        Without h5py; where the file cannot be written.
    """
    h5py = _h5py()
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs.update({"NX_class": "NXroot", "creator": f"oesd {__version__}"})
        for sheet in sheets:
            name = _write_entry(file, sheet)
            file.attrs.setdefault("default", name)
            yield


def _write_entry(file: Any, sheet: Sheet) -> str:
    found = about(sheet.header)
    name = f"entry_{_UNSAFE.sub('_', found.data_id)}"
    entry = _group(file, name, "NXentry", default="data")
    when = None if found.taken_at_utc is None else found.taken_at_utc.isoformat()
    texts = {"title": found.title, "start_time": when, "entry_identifier_uuid": found.data_id}
    texts |= {"definition": "NXspectrum", "program_name": "oesd", "run_cycle": found.run_id}
    _texts(entry, texts)
    _write_data(_group(entry, "data", "NXdata", signal=CURVE, axes=AXIS), sheet)
    _texts(_group(entry, "instrument", "NXinstrument"), {"name": found.device_name})
    detector = _group(entry["instrument"], "detector", "NXdetector")
    _texts(detector, {"serial_number": found.serial, "model": found.model})
    if found.integration_us is not None:
        detector.create_dataset("count_time", data=found.integration_us / 1e6).attrs["units"] = "s"
    detector.create_dataset("frames", data=found.scans)
    _write_labels(_group(entry, "labels", "NXparameters"), dict(found.labels))
    _write_peaks(_group(entry, "peaks", "NXcollection"), sheet)
    lines = [[printable(key), printable(text)] for key, text in sheet.header.items()]
    entry.create_dataset("header", data=lines, dtype=_h5py().string_dtype(), **_PACKED)
    return name


def _group(parent: Any, name: str, kind: str, **attributes: str) -> Any:
    group = parent.create_group(name, track_order=True)
    group.attrs.update({"NX_class": kind, **attributes})
    return group


def _texts(group: Any, texts: dict[str, str | None]) -> None:
    for name, text in texts.items():
        if text:
            group.create_dataset(name, data=printable(text))


def _write_data(group: Any, sheet: Sheet) -> None:
    group.attrs["auxiliary_signals"] = [name for name in sheet.columns if name not in (AXIS, CURVE)]
    group.attrs[f"{AXIS}_indices"] = 0
    for name, values in sheet.columns.items():
        dataset = group.create_dataset(name, data=values, **_PACKED)
        dataset.attrs.update({"units": _UNITS.get(name, "counts"), "long_name": COLUMNS[name]})


def _write_labels(group: Any, labels: dict[str, str]) -> None:
    text = _h5py().string_dtype()
    group.create_dataset("names", data=[printable(name) for name in labels], dtype=text)
    group.create_dataset("values", data=[printable(value) for value in labels.values()], dtype=text)


def _write_peaks(group: Any, sheet: Sheet) -> None:
    text = _h5py().string_dtype()
    group.create_dataset("elements", data=list(sheet.elements), dtype=text)
    group.create_dataset("peak_id", data=[peak.peak_id for peak in sheet.peaks], dtype=text)
    group.create_dataset("element", data=[peak.element or "" for peak in sheet.peaks], dtype=text)
    for name in _PEAK_NUMBERS:
        group.create_dataset(name, data=np.array([getattr(peak, name) for peak in sheet.peaks], dtype=np.float64))


def read_hdf5(path: Path) -> Iterator[tuple[str, Sheet]]:
    """Sheets of a file of ours, each with the name of its entry, in the order in which they were written.

    Raises
    ------
    FormatError
        When it is no such file or is damaged.
    NotInstalled
        Without h5py.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            names = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
            entries = [name for name in names if isinstance(file[name], h5py.Group) and "header" in file[name]]
            if not entries:
                raise FormatError("an HDF5 file without an entry of oesd")
            for name in entries:
                yield name, _read_entry(file[name])
    except (OSError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise FormatError(f"a damaged HDF5 file: {shown(str(error))}") from None


def _read_entry(entry: Any) -> Sheet:
    header, data = entry["header"], entry["data"]
    if header.ndim != 2 or header.shape[1] != 2 or header.shape[0] > _MOST_LINES:
        raise FormatError("the header of an entry is no list of lines")
    lines = {unescaped(name.decode()): unescaped(text.decode()) for name, text in header[()].tolist()}
    columns = {}
    for name in data:
        if data[name].ndim != 1 or data[name].shape[0] > MOST_PIXELS or data[name].dtype != np.float64:
            raise FormatError(f"the column '{shown(name)}' of an entry is no list of at most {MOST_PIXELS} numbers")
        columns[name] = data[name][()]
    return Sheet(lines, columns)
