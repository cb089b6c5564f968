"""One value of a filled store damaged at a time, and a whole daemon started on it: does it measure on?

    python -m tests.bench.rot [--oldest] [--tables devices,outbox] [--jobs 2]

Of every column of every table that has rows, the newest row (or the oldest) gets a value that makes no sense; row
numbers are left alone, as they are the order of the file itself. A daemon on virtual spectrometers then has four
seconds. A case is bad when it does not start, stores too little, loses, puts in quarantine or cannot analyse anything
new, or prints a traceback. Prints the bad cases with what the daemon said; status 1 when there are any (twenty minutes
on two cores).
"""

from __future__ import annotations

import argparse
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.daemon.web.spectra import file_bytes
from tests.support.daemons import Daemon, oesd, until

SHIPPED = Path(__file__).parents[2] / "config" / "simulated.toml"
Value = str | bytes | int | float | None
SENSELESS: dict[str, Value] = {"TEXT": 'x{"é', "BLOB": b"\x00\x01", "INTEGER": -(1 << 62), "REAL": -1e300}
FILES = ("oesd.sqlite", "hub/oesd.sqlite")
_LEAST = 6
"""Captures in four seconds, of some sixteen."""


@dataclass(frozen=True, slots=True)
class Case:
    """A column of a table of one of the two stores, and the value that a row of it gets."""

    file: str
    table: str
    column: str
    value: Value

    def __str__(self) -> str:
        return f"{self.file} {self.table}.{self.column} = {self.value!r}"


def fill(directory: Path, config: Path) -> None:
    """A store with something of everything that a daemon makes in half a minute."""
    data = directory / "data"
    with Daemon(data, *_simulated(data, config, "30s")) as daemon:
        until(lambda: daemon.tally()["processed"] > 3)
        (directory / "one.txt").write_bytes(file_bytes())
        shown = oesd("show", "latest", "--data", data).stdout
        peak, key = re.findall(r"^(p\d+) .*?(\w+_[\d.]+)\(", shown, re.MULTILINE)[0]
        for words in (
            ("assign", shown.split()[0], peak, key),
            ("run", "label", "sample=w1"),
            ("import", directory / "one.txt"),
        ):
            done = oesd(*words, "--data", data)
            assert done.returncode == 0, done.stderr
        until(lambda: "raised" in oesd("alarms", "--data", data).stdout)
        oesd("alarms", "--acknowledge", "air-leak", "--data", data)
        daemon.process.wait(120)


def _simulated(data: Path, config: Path, seconds: str) -> tuple[str | Path, ...]:
    return "simulate", "--data", data, "--config", config, "--for", seconds, "--port", "0", "--hub-port", "0"


def cases(data: Path, tables: frozenset[str]) -> Iterator[Case]:
    """Every column of every table that has rows."""
    for file in FILES:
        with closing(sqlite3.connect(data / file)) as db:
            names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            for (table,) in names.fetchall():
                if (tables and table not in tables) or not db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
                    continue
                columns = db.execute(f"PRAGMA table_info({table})").fetchall()
                alone = sum(bool(key) for *_, key in columns) == 1
                for _, column, kind, not_null, _, key in columns:
                    if key and alone and kind == "INTEGER":
                        continue
                    yield Case(file, table, column, SENSELESS[kind])
                    if not (not_null or key):
                        yield Case(file, table, column, None)


def damage(data: Path, case: Case, order: str) -> None:
    """Change the value behind the store's back."""
    with closing(sqlite3.connect(data / case.file)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        keys = [row[1] for row in db.execute(f"PRAGMA table_info({case.table})") if row[5]]
        chosen = ", ".join(keys)
        row = f"SELECT {chosen} FROM {case.table} ORDER BY {', '.join(f'{key} {order}' for key in keys)} LIMIT 1"
        done = db.execute(f"UPDATE {case.table} SET {case.column} = ? WHERE ({chosen}) IN ({row})", (case.value,))
        assert done.rowcount == 1, case
        for _, text in triggers:
            db.execute(text)
        db.commit()


def numbers(said: str) -> dict[str, int]:
    """The sums that a simulation ends with."""
    return {name: int(number) for name, number in re.findall(r"\b(captured|failed|quarantined|lost)\s+(\d+)", said)}


def tried(filled: Path, config: Path, case: Case, order: str, before: dict[str, int]) -> tuple[bool, str]:
    """Whether all is well with a daemon on a damaged copy, and the lines in which it said otherwise."""
    with tempfile.TemporaryDirectory() as place:
        data = Path(shutil.copytree(filled, Path(place) / "data"))
        damage(data, case, order)
        done = oesd(*_simulated(data, config, "4s"), timeout_s=120)
    said = done.stdout + done.stderr
    after = numbers(said)
    well = after.get("captured", 0) >= before["captured"] + _LEAST and all(
        after.get(name, 0) <= before.get(name, 0) for name in ("failed", "quarantined", "lost")
    )
    well = well and not re.search("Traceback|defect|thread failed", said)
    told = [line[:160] for line in said.splitlines() if re.search(r"oesd:|error|Traceback|damaged", line)]
    return well, "\n    ".join(told[:4])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--oldest", action="store_true", help="damage the oldest row of each table, not the newest")
    parser.add_argument("--tables", default="", help="only these, by commas")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    order = "ASC" if asked.oldest else "DESC"
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "simulated.toml"
        text = SHIPPED.read_text().replace("above = 0.2\nclear = 0.1\n", "above = -5.0\nclear = -6.0\n")
        config.write_text(text)  # an alarm that is always on
        fill(Path(place), config)
        filled = Path(place) / "data"
        sound = shutil.copytree(filled, Path(place) / "sound")
        before = numbers(oesd(*_simulated(sound, config, "1s"), timeout_s=120).stdout)
        wanted = list(cases(filled, frozenset(filter(None, asked.tables.split(",")))))
        print(f"{len(wanted)} values, before them {before}", flush=True)
        bad, shown_s = 0, time.monotonic()
        with ThreadPoolExecutor(asked.jobs) as jobs:
            found = jobs.map(lambda case: tried(filled, config, case, order, before), wanted)
            for number, (case, (well, told)) in enumerate(zip(wanted, found, strict=True), 1):
                if not well:
                    bad += 1
                    print(f"bad: {case}\n    {told}", flush=True)
                if time.monotonic() > shown_s + 30.0:
                    shown_s = time.monotonic()
                    print(f"{number} of {len(wanted)}", file=sys.stderr, flush=True)
    print(f"damaged values that a daemon did not measure on with  {bad} of {len(wanted)}  goal 0")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
