"""Files beside the database, written down with the database's own calls: what a power cut leaves of a folder.

A file's bytes are durable after its sync, its names after the sync of the folder. Until then the file system may have
done any of the former, and as many of the latter as it got to, in their order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import BinaryIO

from tests.support.recording_vfs import OK, Event, Recorder, after_a_power_cut, apply, reached_the_disk

from oesd.store.disk import Disk

FOLDER = "segments/"
_NAMING = ("create", "rename", "remove")


class RecordingDisk(Disk):
    """The disk, with every call written down among those of the database."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def create(self, path: Path) -> BinaryIO:
        made: list[BinaryIO] = []
        self._done(Event("create", FOLDER + path.name), lambda: made.append(super(RecordingDisk, self).create(path)))
        return made[0]

    def write(self, file: BinaryIO, data: bytes) -> None:
        event = Event("write", FOLDER + Path(file.name).name, file.tell(), data)
        self._done(event, lambda: super(RecordingDisk, self).write(file, data))

    def sync(self, file: BinaryIO) -> None:
        self._done(Event("sync", FOLDER + Path(file.name).name), lambda: super(RecordingDisk, self).sync(file))

    def rename(self, path: Path, name: str) -> None:
        event = Event("rename", FOLDER + path.name, 0, name.encode())
        self._done(event, lambda: super(RecordingDisk, self).rename(path, name))

    def remove(self, path: Path) -> None:
        self._done(Event("remove", FOLDER + path.name), lambda: super(RecordingDisk, self).remove(path))

    def sync_folder(self, path: Path) -> None:
        self._done(Event("sync folder", FOLDER), lambda: super(RecordingDisk, self).sync_folder(path))

    def _done(self, event: Event, do) -> None:
        def code() -> int:
            do()
            return OK

        if self.recorder.ask(event, code) != OK:
            raise OSError(28, os.strerror(28))


def directory_after_a_power_cut(events: Sequence[Event], chance: Random) -> dict[str, bytearray]:
    """Content of each file of a data directory after a cut, by its name from there."""
    database = [event for event in events if not event.name.startswith(FOLDER)]
    folder = [event for event in events if event.done and event.name.startswith(FOLDER)]
    return after_a_power_cut(database, chance) | _folder(folder, chance)


def _folder(events: Sequence[Event], chance: Random) -> dict[str, bytearray]:
    content: dict[str, bytearray] = {}  # by the name that a file was made with
    waiting: dict[str, list[Event]] = {}
    naming: list[Event] = []
    names: dict[str, str] = {}
    for event in events:
        if event.what in _NAMING:
            naming.append(event)
        elif event.what == "sync folder":
            _name(names, naming)
            naming = []
        elif event.what == "write":
            waiting.setdefault(event.name, []).append(event)
        else:
            for one in waiting.pop(event.name, []):
                apply(content.setdefault(event.name, bytearray()), one)
    _name(names, naming[: chance.randrange(len(naming) + 1)])
    for name, unsynced in waiting.items():
        for event in reached_the_disk(unsynced, chance):
            apply(content.setdefault(name, bytearray()), event)
    return {name: content.get(made, bytearray()) for name, made in names.items()}


def _name(names: dict[str, str], naming: Sequence[Event]) -> None:
    for event in naming:
        if event.what == "create":
            names[event.name] = event.name
        elif event.what == "rename" and event.name in names:
            names[FOLDER + event.data.decode()] = names.pop(event.name)
        elif event.what == "remove":
            names.pop(event.name, None)
