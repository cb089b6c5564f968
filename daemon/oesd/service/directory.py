"""The data directory: the token of the local API and the note where the daemon listens."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

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
    """Return the secret in a file that only we can read; made on first use."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _secret_in(path)
    except OSError as error:
        raise DirectoryError(f"{path}: cannot be written: {error.strerror}") from None
    secret = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
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
    found = running(directory)
    if found is None and not may_read(directory / _NOTE):
        raise DirectoryError(
            f"this needs the daemon's token, and only {_owner(directory)} may read {directory / _TOKEN}: {_AS_OWNER}"
        )
    if found is None or found.url.rstrip("/") != url.rstrip("/"):
        raise DirectoryError(f"what answers at {url} is not the daemon of {directory}; its token stays here")
    return _secret_in(directory / _TOKEN)


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
    temporary = directory / f"{_NOTE}.new"
    try:
        temporary.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
        temporary.chmod(0o600)
        temporary.replace(directory / _NOTE)
    except OSError as error:
        raise DirectoryError(f"{directory / _NOTE}: cannot be written: {error.strerror}") from None


def forget_running(directory: Path) -> None:
    """Take the note back."""
    (directory / _NOTE).unlink(missing_ok=True)


def running(directory: Path) -> Running | None:
    """Where the daemon of this directory listens, None when none has said so or its process is gone."""
    try:
        note = json.loads((directory / _NOTE).read_text(encoding="utf-8"))
        said = Running(int(note["pid"]), str(note["url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if _lives(said.pid) else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # it is somebody else's, but it lives
    except OSError:
        return False
    return True
