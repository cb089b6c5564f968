"""Sealing: a finished day's spectra go from the database's pages into a file of their own.

::

    pages --copy--> NAME.part --sync, rename, sync folder--> NAME --name--> segments --switch, 50 at a time--> finished
                                                                   captures, results

Each arrow is one step that is durable before the next begins; a kill or a power cut between any two leaves captures in
their pages, or in a file that is whole. What it leaves besides is a file that the catalogue does not name, which is
removed, or a segment that is not finished, which is finished: a capture is switched only when the file, read back, has
the same counts as its row, and a result only when it has the same bytes.

A file of which more than half belongs to captures that were let go is written anew with the rest; one of which nothing
is left is forgotten, then removed. It stays for a little while after that, for readers that know it from before.
Nothing else in the folder is touched; nor is any segment removed while the catalogue lacks one that captures are in.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from oesd.model import new_id
from oesd.store.captures import load_blobs
from oesd.store.database import Connection
from oesd.store.disk import Disk
from oesd.store.errors import StoreDamaged, StoreError
from oesd.store.heaps import SEEN_AT_ONCE, Heap, entries_of, next_of
from oesd.store.newest import device_names
from oesd.store.sealed_results import with_result
from oesd.store.segment_file import MAGIC, Blobs, Record, pack_record, records
from oesd.store.segments import (
    FOLDER,
    Segment,
    any_empty,
    any_unnamed,
    captures_in,
    finish_segment,
    forget_empty,
    load_segments,
    name_segment,
    sealed_upto,
)
from oesd.store.switching import seal

if TYPE_CHECKING:
    from oesd.store.store import Store

log = logging.getLogger(__name__)

LEAST_BYTES = 1 << 20
"""A day that is smaller waits for the next: a file for each handful of spectra serves nobody."""
GRACE_S = 20.0
_COPIED_AT_ONCE = 100
_SWITCHED_AT_ONCE = 50
_USUAL_SHARE, _URGENT_SHARE = 0.5, 0.25
"""Of a file that has gone, from which on the rest is worth writing anew."""

_OURS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.segment(\.part)?")

Turns = Iterator[list[tuple[int, Blobs]]]


class Sealing:
    """Seals a store, a little at a time; every turn waits for the disk.

    Parameters
    ----------
    store : Store
        One that has files beside it.
    disk : Disk
    monotonic_s : callable
        The clock by which a file that is nobody's stays a little.
    least_bytes : int
        What a day must have to be a segment of its own.
    """

    def __init__(
        self,
        store: Store,
        *,
        disk: Disk | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        least_bytes: int = LEAST_BYTES,
    ) -> None:
        self._store = store
        self._least_bytes = least_bytes
        self._disk = disk or Disk()
        self._monotonic_s = monotonic_s
        self._folder = store.directory / FOLDER
        self._work: Iterator[None] | None = None
        self._writing = ""
        self._takes_room = False
        self._heaps: dict[str, Heap] = {}
        self._nobodys: dict[str, float] = {}
        self._not_to_go: set[str] = set()
        self._as_small_as_can_be: set[int] = set()

    @property
    def leaving_bytes(self) -> int:
        """What the files take that are about to be removed."""
        return sum(_size(self._folder / name) for name in self._nobodys.keys() - self._not_to_go)

    def look(self, spare_bytes: int, segment_bytes: int) -> bool:
        """One turn with so many bytes of the disk to spare, for segments of so many bytes; True when more waits.

        Raises
        ------
        StoreError
            When the disk refuses; nothing is lost, and the next turn begins anew.
        """
        return self._turn(lambda: self._tidied(_USUAL_SHARE, spare_bytes) or self._gathered(spare_bytes, segment_bytes))

    def reclaim(self, spare_bytes: int) -> bool:
        """One turn of making room with so many bytes to spare: files of which much has gone become small ones."""
        if self._takes_room:
            self._end()
        return self._turn(lambda: self._tidied(_URGENT_SHARE, spare_bytes))

    def _turn(self, found: Callable[[], Iterator[None] | None]) -> bool:
        try:
            self._forget()
            self._sweep()
            self._work = self._work or found()
            if self._work is None:
                return False
            next(self._work)
        except StopIteration:
            self._end()
        except OSError as error:
            self._end()
            raise StoreError(f"cannot seal spectra in {self._folder}: {error.strerror or error}") from error
        except StoreError:
            self._end()
            raise
        return True

    def _end(self) -> None:
        self._work, self._writing, self._takes_room = None, "", False

    # -- what there is to do -----------------------------------------------------------------------------------------

    def _forget(self) -> None:
        if self._store.read(any_empty):
            self._store.write(forget_empty).result()

    def _sweep(self) -> None:
        """Remove files of ours that are nobody's, once nobody can know them from before."""
        if not self._folder.is_dir():
            return
        ours = {segment.name for segment in self._store.read(load_segments)} | {self._writing} | self._not_to_go
        now_s = self._monotonic_s()
        there = {path.name for path in self._folder.iterdir() if _OURS.fullmatch(path.name)} - ours
        self._nobodys = {name: self._nobodys.get(name, now_s) for name in there}
        due = [name for name, since_s in self._nobodys.items() if now_s - since_s >= GRACE_S]
        damaged = self._store.read(any_unnamed) if due else False
        if damaged:
            log.error("spectra are in segments that the catalogue has lost: no file goes (oesd verify names them)")
            self._not_to_go.update(due)
            due = []
        for name in due:
            self._disk.remove(self._folder / name)
            del self._nobodys[name]
        if due:
            self._disk.sync_folder(self._folder)

    def _tidied(self, share: float, spare_bytes: int) -> Iterator[None] | None:
        """Work that an earlier turn, or daemon, left; or a file of which much has gone."""
        for segment in self._store.read(load_segments):
            if not segment.finished:
                return self._switch(segment)
            left = segment.size_bytes - segment.gone_bytes
            worth = segment.gone_bytes > share * segment.size_bytes and left < spare_bytes
            if worth and segment.segment_no not in self._as_small_as_can_be:
                return self._anew(segment)
        return None

    def _gathered(self, spare_bytes: int, segment_bytes: int) -> Iterator[None] | None:
        """The copying of spectra that are enough for a segment; looking for them goes on where it was."""
        for name in device_names(self._store):
            heap = self._heaps.get(name) or self._begun(name)
            rows = self._store.read(partial(next_of, heap))
            if heap.grow(rows, self._least_bytes, segment_bytes):
                if heap.size_bytes < spare_bytes:
                    del self._heaps[name]
                    return self._fresh(heap)
            elif len(rows) == SEEN_AT_ONCE:
                return iter((None,))
        return None

    def _begun(self, name: str) -> Heap:
        after = self._store.read(lambda db: sealed_upto(db, name))
        return self._heaps.setdefault(name, Heap(name, after, after))

    # -- doing it ----------------------------------------------------------------------------------------------------

    def _fresh(self, heap: Heap) -> Iterator[None]:
        """Copy out of the pages, and switch."""
        self._takes_room = True
        segment = yield from self._write(heap.device_name, heap.upto, self._in_pages(heap))
        self._takes_room = False
        yield from self._switch(segment)

    def _anew(self, segment: Segment) -> Iterator[None]:
        """Copy what is left of a segment, and switch."""
        copy = yield from self._write(segment.device_name, segment.upto_no, self._in_segment(segment))
        yield from self._switch(copy, segment.segment_no)
        self._as_small_as_can_be.add(segment.segment_no)  # what is damaged stays where it is, and is not tried again

    def _write(self, device_name: str, upto_no: int, turns: Turns) -> Generator[None, None, Segment]:
        self._disk.folder(self._folder)
        name = f"{new_id()}.segment"
        self._writing = f"{name}.part"
        part, size_bytes = self._folder / self._writing, len(MAGIC)
        with self._disk.create(part) as file:
            self._disk.write(file, MAGIC)
            for turn in turns:
                data = b"".join([pack_record(number, blobs) for number, blobs in turn])
                self._disk.write(file, data)
                size_bytes += len(data)
                yield
            self._disk.sync(file)
        self._disk.rename(part, name)
        self._disk.sync_folder(self._folder)
        self._writing = name
        return self._store.write(lambda db: name_segment(db, name, device_name, upto_no, size_bytes)).result()

    def _switch(self, segment: Segment, instead_of: int | None = None) -> Iterator[None]:
        found = records(self._folder / segment.name)
        try:
            while batch := list(islice(found, _SWITCHED_AT_ONCE)):
                self._store.write(partial(_sealed, segment, batch)).result()
                yield
        except (ValueError, OSError) as error:  # what is not switched stays where it was
            log.error("segment %s of %s cannot be read on: %s", segment.name, segment.device_name, error)
        numbers = [segment.segment_no, *([] if instead_of is None else [instead_of])]
        self._store.write(lambda db: finish_segment(db, *numbers)).result()

    def _in_pages(self, heap: Heap) -> Turns:
        after = heap.after
        while rows := self._store.read(partial(entries_of, heap, after, _COPIED_AT_ONCE)):
            yield self._store.read(partial(_blobs_of, [number for row in rows for number in row[1:] if number], None))
            after = rows[-1][0]

    def _in_segment(self, segment: Segment) -> Turns:
        after = 0
        while numbers := self._store.read(partial(_captures_after, segment, after)):
            yield self._store.read(partial(_blobs_of, numbers, segment.segment_no))
            after = numbers[-1]


def _sealed(segment: Segment, batch: list[Record], connection: Connection) -> int:
    return seal(connection, segment, batch)


def _captures_after(segment: Segment, after: int, connection: Connection) -> list[int]:
    return captures_in(connection, segment.segment_no, after, _COPIED_AT_ONCE)


def _blobs_of(numbers: list[int], segment_no: int | None, connection: Connection) -> list[tuple[int, Blobs]]:
    """Blobs of captures that are where they are looked for, verified; damaged ones are left where they are."""
    found = []
    for number in numbers:
        try:
            blobs = load_blobs(connection, number, segment_no)
        except StoreDamaged as error:
            log.error("%s; it is not sealed", error)
            continue
        if blobs is not None:
            found.append((number, _whole(connection, number, blobs)))
    return found


def _whole(connection: Connection, number: int, blobs: Blobs) -> Blobs:
    """With the result, unless that is damaged."""
    try:
        return with_result(connection, number, blobs)
    except StoreDamaged as error:
        log.error("%s; it is not sealed", error)
        return blobs


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
