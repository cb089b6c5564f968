"""What is to be on the disk when it says DONE: ``python -m tests.daemon.store.syncing SITE DIRECTORY``."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from tests.daemon.store.making import NOW, capture, device, entry

from oesd.model import Kind, new_id
from oesd.store import Store
from oesd.store.backup import back_up
from oesd.store.directory import LockedDirectory, replace_durably
from oesd.store.place import name_place, place_of
from oesd.store.sealing import Sealing
from oesd.web.shelf import Shelf

OF = device(pixels=64)


def saved(store: Store, day: int) -> None:
    sample = capture(Kind.SAMPLE, day, OF, slot=day, taken_at_utc=NOW + timedelta(days=day))
    store.save_capture(sample, entry(sample), upload=True).result()


def capture_stored(directory: Path) -> None:
    store = Store.open(directory / "data")
    saved(store, 0)
    done()


def sealed(directory: Path) -> None:
    with Store.open(directory / "data") as store:
        for day in range(2):
            saved(store, day)
        sealing = Sealing(store, least_bytes=1)
        while sealing.look(1 << 40, 1 << 30):
            pass
        done()


def backup(directory: Path) -> None:
    sealed(directory)
    back_up(directory / "data", directory / "copy")
    done()


def part_received(directory: Path) -> None:
    with Shelf(directory / "shelf").receive(new_id(), 1) as part:
        part.write(b"spectra")
        part.keep(1)
        done()


def place_named(directory: Path) -> None:
    LockedDirectory.take(directory / "data")
    name_place(place_of(directory / "data", "postgresql://oesd@db.lab/oesd"))
    done()


def small_file_replaced(directory: Path) -> None:
    for text in ("an order", "another"):
        replace_durably(directory / "orders.json", text)
    done()


SITES = {
    site.__name__: site for site in (capture_stored, sealed, backup, part_received, place_named, small_file_replaced)
}


def done() -> None:
    os.write(1, b"DONE\n")


if __name__ == "__main__":
    SITES[sys.argv[1]](Path(sys.argv[2]))
