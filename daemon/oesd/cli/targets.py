"""Files that a command writes: each has its name once it is whole, and is never written over unasked."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import click

from oesd.cli.errors import fail


def is_folder(to: str) -> bool:
    """Whether what was written after ``--to`` is a folder, there or to be made."""
    return to.endswith(os.sep) or Path(to).is_dir()


def check_file(target: Path, to: str, entries: int, form: str, one_each: bool, force: bool) -> None:
    """See that entries may be written to a file.

    Parameters
    ----------
    one_each : bool
        Whether a file of the form holds one entry alone: several are an archive then.
    """
    if entries > 1 and one_each and target.suffix.lower() != ".zip":
        fail(f"{entries} entries as {form} are a .zip or a file each: --to NAME.zip, or a folder: --to {to}/")
    if target.exists() and not target.is_file():
        fail(f"{target}: is no plain file, which alone is written; --to - writes to stdout")
    if target.exists() and not force:
        fail(f"{target}: is there already; --force overwrites it")


def make_folder(folder: Path) -> None:
    """Make a folder that may be there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder}: cannot be made: {error.strerror}")


def echo_file(target: Path, entries: int) -> None:
    """Tell what a file holds."""
    click.echo(f"{target}: {entries} {'entries' if entries > 1 else 'entry'}, {size_text(target)}")


def echo_folder(folder: Path, written: int, there: int) -> None:
    """Tell what was written to a folder."""
    kept = f", {there} were there and stay as they are (--force writes them anew)" if there else ""
    click.echo(f"{folder}: {written} {'files' if written != 1 else 'file'} written{kept}")


@contextmanager
def new_file(target: Path, force: bool) -> Iterator[BinaryIO]:
    """A file that has its name once it is whole and on the disk; nothing is left of it otherwise."""
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            _named_so(part, target, force)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()
    except OSError as error:
        fail(f"{target}: cannot be written: {error.strerror or error}; nothing is left of it")


def _named_so(part: Path, target: Path, force: bool) -> None:
    if not force:
        with suppress(NotImplementedError, PermissionError):  # a file system without hard links
            os.link(part, target)  # unlike a rename it never takes the place of a file
            return
        if target.exists():
            raise FileExistsError(17, "it is there already; --force overwrites it")
    part.replace(target)


def size_text(path: Path) -> str:
    """The size of a file for a person."""
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
