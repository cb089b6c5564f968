"""``oesd import``: files of other software, folders of them, into the archive."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.data import progress
from oesd.cli.entries import reached, where
from oesd.cli.errors import expected, fail, printable

if TYPE_CHECKING:
    from oesd.service.access import Access

REFUSED = 1
_LARGEST_BYTES = 64 * 1024 * 1024


@click.command("import")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path))
@where
def import_(files: Sequence[Path], url: str | None, data: Path | None) -> None:
    """Store FILES, and all in folders, as entries and have them analysed; a file that is there is left alone.

    Reads SpectraSuite (ProcSpec too), OceanView, Jaz, OOIBase32, AvaSoft text, columns, and oesd's own files. They are
    not uploaded. Status 1 when any was refused; each is named with the reason.
    """
    found = list(_walk(files))
    counts: Counter[str] = Counter()
    refused: list[tuple[Path, str]] = []
    if data is not None and url is None:
        _make(data)
    with reached(url, data) as access, progress() as shown:
        for number, path in enumerate(found, start=1):
            why = _imported(access, path, counts)
            if why:
                refused.append((path, why))
            shown.tell("importing", number, len(found))
    for path, why in refused:
        click.echo(printable(f"refused {path}: {why.removeprefix(f'{path.name}: ')}"))
    click.echo(
        f"{len(found)} files: {counts['new']} stored, {counts['there']} were there already, {len(refused)} refused"
    )
    sys.exit(REFUSED if refused else 0)


def _make(directory: Path) -> None:
    """Make the archive where there is nothing yet."""
    from oesd.store import Store

    try:
        if not directory.exists() or not any(directory.iterdir()):
            Store.open(directory).close()
    except OSError as error:
        fail(f"{directory}: {error.strerror or error}")
    except expected() as error:
        fail(str(error))


def _imported(access: Access, path: Path, counts: Counter[str]) -> str:
    """Import a file; returns why it was refused, "" when it was not."""
    from oesd.service.access import FileRefused

    try:
        data = _content(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if len(data) > _LARGEST_BYTES:
        return f"more than {_LARGEST_BYTES >> 20} MiB: no spectrum"
    try:
        imported = access.import_file(data, path.name)
    except FileRefused as error:
        return str(error)
    counts["new" if imported.new else "there"] += 1
    return ""


def _content(path: Path) -> bytes:
    """What is in a file, as far as it can be a spectrum; a pipe or a device is none, and is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("no plain file")
        return file.read(_LARGEST_BYTES + 1)


def _walk(files: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and those in folders that are, in order of their names; hidden ones left out."""
    for path in files:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))
