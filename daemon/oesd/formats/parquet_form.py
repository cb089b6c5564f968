"""Export form Parquet: one table, a row for each spectrum, and back. Needs pyarrow (``oesd[parquet]``).

Columns: who, when and how; ``labels`` and ``header`` (every metadatum) as maps; ``elements``; ``peaks`` as a list of
records; each spectrum a list of float64. Read in a command's process only, as HDF5 is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO

import numpy as np

from oesd.formats.about import about
from oesd.formats.errors import FormatError
from oesd.formats.escaping import printable, shown, unescaped
from oesd.formats.extras import installed, library
from oesd.formats.sheet import COLUMNS, Sheet
from oesd.formats.table import MOST_PIXELS

MAGIC = b"PAR1"
_ROWS = 32  # in memory at once: some 8 MB of spectra of 3648 pixels
_PEAK = ("wavelength_nm", "wavelength_sigma_nm", "fwhm_nm", "snr", "intensity", "area", "probability")


def require() -> None:
    """Raise :class:`~oesd.formats.extras.NotInstalled` where the library is not there; imports nothing."""
    installed("pyarrow", "parquet", "Parquet")


def _arrow() -> Any:
    return library("pyarrow", "parquet", "Parquet")


def _parquet() -> Any:
    return library("pyarrow.parquet", "parquet", "Parquet")


def schema() -> Any:
    """The table's columns."""
    pa = _arrow()
    texts = ("data_id", "device", "model", "serial", "run_id")
    peak = [("peak_id", pa.string()), ("element", pa.string()), *((name, pa.float64()) for name in _PEAK)]
    return pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("taken_at", pa.timestamp("us", tz="UTC")),
            ("integration_us", pa.int64()),
            ("scans", pa.int64()),
            ("simulated", pa.bool_()),
            ("labels", pa.map_(pa.string(), pa.string())),
            ("elements", pa.list_(pa.string())),
            ("peaks", pa.list_(pa.struct(peak))),
            *((name, pa.list_(pa.float64())) for name in COLUMNS),
            ("header", pa.map_(pa.string(), pa.string())),
        ]
    )


def write_parquet(out: BinaryIO, sheets: Iterable[Sheet]) -> Iterator[None]:
    """Write a file, a step for each group of rows; memory stays that of one group.

    Raises
    ------
    NotInstalled, OSError
        Without pyarrow; where the file cannot be written.
    """
    pa, names = _arrow(), schema()
    with _parquet().ParquetWriter(out, names, compression="zstd") as writer:
        left = iter(sheets)
        while rows := [_row(sheet) for sheet in islice(left, _ROWS)]:
            writer.write_table(pa.Table.from_pylist(rows, names))
            yield


def _row(sheet: Sheet) -> dict[str, Any]:
    found = about(sheet.header)
    return {
        "data_id": printable(found.data_id),
        "device": printable(found.device_name),
        "model": printable(found.model),
        "serial": printable(found.serial),
        "run_id": printable(found.run_id),
        "taken_at": found.taken_at_utc,
        "integration_us": found.integration_us,
        "scans": found.scans,
        "simulated": found.simulated,
        "labels": _pairs(found.labels),
        "elements": list(sheet.elements),
        "peaks": [_peak(peak) for peak in sheet.peaks],
        **sheet.columns,
        "header": _pairs(sheet.header),
    }


def _pairs(texts: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(printable(name), printable(text)) for name, text in texts.items()]


def _peak(peak: Any) -> dict[str, Any]:
    return {name: getattr(peak, name) for name in ("peak_id", "element", *_PEAK)}


def read_parquet(file: BinaryIO) -> Iterator[tuple[str, Sheet]]:
    """Sheets of a file of ours, each with its data id, in the order in which they were written.

    Raises
    ------
    FormatError
        When it is no such file or is damaged.
    NotInstalled
        Without pyarrow.
    """
    pa = _arrow()
    wanted = ["data_id", "header", *COLUMNS]
    try:
        table = _parquet().ParquetFile(file)
        if missing := [name for name in wanted if name not in table.schema_arrow.names]:
            raise FormatError(f"a Parquet file that is not of oesd: no column '{missing[0]}'")
        for batch in table.iter_batches(batch_size=_ROWS, columns=wanted):
            for row in range(batch.num_rows):
                yield _read_row(batch, row)
    except (pa.ArrowException, OSError, KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"a damaged Parquet file: {shown(str(error))}") from None


def _read_row(batch: Any, row: int) -> tuple[str, Sheet]:
    lines = {unescaped(name): unescaped(text) for name, text in batch.column("header")[row].as_py() or ()}
    columns = {}
    for name in COLUMNS:
        values = batch.column(name)[row].values
        if values is not None:
            if len(values) > MOST_PIXELS or values.null_count:
                raise FormatError(f"the column '{name}' of a row is no list of at most {MOST_PIXELS} numbers")
            columns[name] = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    return str(batch.column("data_id")[row].as_py()), Sheet(lines, columns)
