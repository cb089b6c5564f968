"""``oesd import``: files of other software, folders of them, into the archive."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.entries import reached, where
from oesd.cli.errors import expected, fail, printable
from oesd.cli.files import CONTAINER_TOO_LARGE, HEAD_BYTES, LARGEST_BYTES, LARGEST_CONTAINER_BYTES, TOO_LARGE
from oesd.cli.screen import progress

if TYPE_CHECKING:
    from oesd.service.access import Access

REFUSED = 1
_KEYS = frozenset({"api-token", "api-key", "api-key.cred"})
_A_KEY = "a key, by its name: not read"  # why something is no spectrum would quote it, and it would go to the daemon


@click.command("import")
@click.argument("files", metavar="FILES...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object with the sums and what was refused.")
@where
def import_(files: Sequence[Path], as_json: bool, url: str | None, data: Path | None) -> None:
    """Store FILES, and all in folders, as entries and have them analysed; a file that is there is left alone.

    Reads SpectraSuite (ProcSpec too), OceanView, Jaz, OOIBase32, AvaSoft text, JCAMP-DX, columns, and all that oesd
    writes, a ZIP, HDF5 or Parquet file of many spectra too. They are not uploaded. Status 1 when any was refused; each
    is named with the reason.
    """
    found = list(map(str, _walk(files)))
    counts: Counter[str] = Counter()
    refused: list[tuple[Path, str]] = []
    if data is not None and url is None:
        _make(data)
    with reached(url, data) as access, _told_where(found, counts, refused), progress() as shown:
        for number, path in enumerate(map(Path, found), start=1):
            refused.extend((path, why) for why in _imported(access, path, counts))
            shown.tell("importing", number, len(found))
    _tell(len(found), counts, refused, as_json)
    sys.exit(REFUSED if refused else 0)


@contextmanager
def _told_where(found: Sequence[str], counts: Counter[str], refused: Sequence[tuple[Path, str]]) -> Iterator[None]:
    """Tell what is done already where it is broken off: nothing of it is lost, and nothing comes twice."""
    try:
        yield
    except BaseException:
        if counts or refused:
            done = f"{counts['new']} stored, {counts['there']} were there already, {len(refused)} refused"
            click.echo(f"broken off, of {len(found)} files: {done}; the same command goes on from here", err=True)
        raise


def _tell(files: int, counts: Counter[str], refused: Sequence[tuple[Path, str]], as_json: bool) -> None:
    whys = [(str(path), why.removeprefix(f"{path.name}: ")) for path, why in refused]
    if as_json:
        listed = [{"file": path, "why": why} for path, why in whys]
        told = {"files": files, "stored": counts["new"], "there": counts["there"], "refused": listed}
        click.echo(json.dumps(told))
        return
    for path, why in whys:
        click.echo(printable(f"refused {path}: {why}"))
    spectra = counts["new"] + counts["there"] + len(refused)
    held = f"{files} files, {spectra} spectra" if spectra != files else f"{files} files"
    click.echo(f"{held}: {counts['new']} stored, {counts['there']} were there already, {len(refused)} refused")


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


def _imported(access: Access, path: Path, counts: Counter[str]) -> Iterator[str]:
    """Import the spectra of a file; yields why, for each that was refused."""
    from oesd.formats import FormatError
    from oesd.formats.containers import holds_several, texts_of
    from oesd.formats.extras import NotInstalled

    if path.name in _KEYS:
        yield _A_KEY
        return
    try:
        data = _content(path)
        if len(data) > LARGEST_BYTES and not holds_several(data):
            yield TOO_LARGE
            return
        for name, text in texts_of(data, _text(path.name)):
            why = str(text) if isinstance(text, FormatError) else _import_one(access, text, name, counts)
            if why:
                yield why
    except OSError as error:
        yield f"cannot be read: {error.strerror or error}"
    except (FormatError, NotInstalled) as error:
        yield str(error)


def _import_one(access: Access, data: bytes, name: str, counts: Counter[str]) -> str:
    from oesd.service.access import FileRefused

    try:
        imported = access.import_file(data, name)
    except FileRefused as error:
        return str(error)
    counts["new" if imported.new else "there"] += 1
    return ""


def _content(path: Path) -> bytes:
    """What is in a file, as far as it can be ours; a pipe or a device is none, and is not waited for."""
    from oesd.formats.containers import begins_as_several

    if path.is_dir():
        raise OSError(
            "a link to a folder is not followed: name the folder itself"
            if path.is_symlink()
            else "the folder cannot be listed"
        )
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no plain file")
        # Asked first: a video among the spectra must not fill the memory.
        several = begins_as_several(os.pread(descriptor, HEAD_BYTES, 0))
        if status.st_size > (LARGEST_CONTAINER_BYTES if several else LARGEST_BYTES):
            raise OSError(CONTAINER_TOO_LARGE if several else TOO_LARGE)
        return file.read(LARGEST_CONTAINER_BYTES)


def _walk(files: Sequence[Path]) -> Iterator[Path]:
    """The files that are named, and those in folders that are, in order of their names; hidden ones left out."""
    for path in files:
        yield from _inside(path) if _is_folder(path) else (path,)


def _inside(top: Path) -> Iterator[Path]:
    """All in a folder; one that cannot be listed and links to others too, to be told as refused, not passed over."""
    unlisted: list[Path] = []
    waiting = [str(top)]
    while waiting:  # os.walk ends a thousand folders below each other
        folder = waiting.pop()
        try:
            with os.scandir(folder) as listing:
                seen = sorted((one for one in listing if not one.name.startswith(".")), key=lambda one: one.name)
        except OSError:
            unlisted.append(Path(folder))
            continue
        folders = [one.path for one in seen if _is_real_folder(one)]
        yield from (Path(one.path) for one in seen if not _is_real_folder(one))
        waiting += reversed(folders)
    yield from unlisted


def _is_real_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # a loop of links, a folder above that is closed to us: told when it is read


def _text(name: str) -> str:
    """A file's name as text: those of older systems are not in UTF-8, and cannot be stored as they are."""
    return os.fsencode(name).decode("utf-8", "replace")
