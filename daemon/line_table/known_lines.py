"""Make the list of lines that the store's results refer to by number, from the table of the engine.

    python daemon/line_table/known_lines.py

The list is part of the stored form: once results refer to it, it stays as it is. Lines of a later table that are not
in it are kept in each result by name, which costs bytes and no more; when they are many, a second list is made beside
the first (``known_lines_2.bin``), never in its place.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import zstandard

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent / "oesd" / "engine" / "data" / "lines.npz"
TARGET = HERE.parent / "oesd" / "store" / "known_lines.bin"


def main() -> None:
    """Write the list, unless there is one."""
    if TARGET.exists():
        raise SystemExit(f"{TARGET} is there: what is stored refers to it")
    with np.load(TABLE, allow_pickle=False) as table:
        symbols = [str(symbol) for symbol in table["elements"]]
        tenth_pm = np.rint(1e4 * np.round(table["wl_air_nm"], 4)).astype(np.int64)
        species = table["element"].astype(np.int64) * 4 + table["stage"] - 1
    lines = np.unique(species << 24 | tenth_pm)  # in the order of species, then of wavelength
    steps = np.diff(lines, prepend=0).astype("<u8")
    planes = steps.view(np.uint8).reshape(len(steps), 8).T.tobytes()
    packed = zstandard.ZstdCompressor(level=19).compress(planes)
    head = json.dumps([symbols, len(lines)]).encode()
    TARGET.write_bytes(struct.pack("<I", len(head)) + head + packed)
    print(f"{TARGET.name}: {len(lines)} lines, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
