"""The data directory: the token of the local API and the note where the daemon listens."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from oesd.store.directory import replace_durably

_TOKEN = "api-token"  # noqa: S105 - the name of the file, not a token
_NOTE = "daemon.json"
_AS_OWNER = "run the command with sudo, or give the token in OESD_TOKEN, with --url"


class DirectoryError(Exception):
    """The data directory cannot be used; one line for a person."""


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that has said where it listens."""

    pid: int
    url: str


def make_directory(path: Path) -> None:
    """Make a directory that only we can enter; one that exists is left as it is.

    Raises
    ------
    DirectoryError
        When it cannot be made or is no directory.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise DirectoryError(f"{path}: is not a directory") from None
    except OSError as error:
        raise DirectoryError(f"{path}: the data directory cannot be made: {error.strerror}") from None


def secret_file(path: Path) -> str:
    """Return the secret in a file that only we can read; made on first use.

    Raises
    ------
    DirectoryError
        It cannot be written, or read. What a full disk or a power cut left empty is made anew.
    """
    if path.exists() and (secret := _secret_in(path)):
        return secret
    secret = secrets.token_urlsafe(32)
    try:
        if path.exists():  # a link that leads nowhere yet is a person's word: a disk that is mounted later
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        return _secret_in(path)  # another process was first, or what the link leads to is not there
    except OSError as error:
        raise DirectoryError(f"{path}: cannot be written: {error.strerror}") from None
    return secret


def _secret_in(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise DirectoryError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DirectoryError(f"{path}: is not the text of a key; remove it, and a new one is made") from None


def local_token(directory: Path) -> str:
    """Return the token that mutations through the local API need; made on first use."""
    return secret_file(directory / _TOKEN)


def token_of(url: str, directory: Path) -> str:
    """Return the token of the daemon that listens at a URL and works on a directory.

    Raises
    ------
    DirectoryError
        When the directory's own note does not name that URL: whoever answers there gets no token. When only its owner
        may read it.
    """
    if running(directory) is None and not may_read(directory / _NOTE):
        raise DirectoryError(
            f"this needs the daemon's token, and only {_owner(directory)} may read {directory / _TOKEN}: {_AS_OWNER}"
        )
    if not listens_at(url, directory):
        raise DirectoryError(f"what answers at {url} is not the daemon of {directory}; its token stays here")
    return _secret_in(directory / _TOKEN)


def listens_at(url: str, directory: Path) -> bool:
    """Whether the daemon of a directory of this computer says that it listens at a URL."""
    found = running(directory)
    return found is not None and found.url.rstrip("/") == url.rstrip("/")


def may_read(path: Path) -> bool:
    """Whether we may read a file, or could if it were there."""
    try:
        with path.open("rb"):
            return True
    except OSError as error:
        return not isinstance(error, PermissionError)


def check_readable(directory: Path) -> None:
    """See that we may look into a directory that is there.

    Raises
    ------
    DirectoryError
        When we may not.
    """
    if os.path.isdir(directory) and not os.access(directory, os.R_OK | os.X_OK):
        by_whom = f"only {_owner(directory)} may read it"
        raise DirectoryError(f"{directory}: {by_whom}: run the command with sudo, or ask its daemon with --url")


def _owner(directory: Path) -> str:
    try:
        return directory.owner()
    except (OSError, KeyError):  # not to be looked at either, or of a user without a name
        return "its owner"


def note_running(directory: Path, url: str) -> None:
    """Say where this daemon listens."""
    try:
        replace_durably(directory / _NOTE, json.dumps({"pid": os.getpid(), "url": url}))
    except OSError as error:
        raise DirectoryError(f"{directory / _NOTE}: cannot be written: {error.strerror}") from None


def forget_running(directory: Path) -> None:
    """Take the note back; where the disk refuses that, it tells of a process that is gone."""
    with suppress(OSError):
        (directory / _NOTE).unlink(missing_ok=True)


def running(directory: Path) -> Running | None:
    """Where the daemon of this directory listens, None when none has said so or its process is gone."""
    try:
        file = directory / _NOTE
        note = json.loads(file.read_text(encoding="utf-8"))
        said = Running(int(note["pid"]), str(note["url"]))
        owner = file.stat().st_uid
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return said if _lives(said.pid, owner) else None


def _lives(pid: int, owner: int) -> bool:
    """Whether a process is there and the daemon's own user runs it.

    The number of a daemon that was killed is given to another process one day, which may be somebody else's: whoever
    listens at its port then must not be sent its token. What may not be dumped belongs to root there (proc(5)).
    """
    try:
        return os.stat(f"/proc/{pid}").st_uid in (owner, 0)
    except OSError:
        return False
