"""The API key: a value that does not show itself, read from a file that nobody else can read."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from pathlib import Path
from typing import NoReturn

from oesd.upload.errors import ApiKeyError, ApiKeyMalformed, ApiKeyMissing

_FORM = re.compile(rb"[\x21-\x7e]{8,256}")
_LONGEST_FILE = 1024
_ABSENT = b"absent"  # what the shipped unit hands over where no key was set


class ApiKey:
    """An API key that prints as ``***``; its value comes out by :meth:`reveal` only.

    Raises
    ------
    ApiKeyMalformed
        When the value is not 8 to 256 visible ASCII characters.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if _FORM.fullmatch(value.encode("utf-8", "surrogatepass")) is None:
            value = ""  # a traceback that prints locals shows nothing
            raise ApiKeyMalformed("API key is not 8 to 256 visible ASCII characters")
        self._value = value

    def reveal(self) -> str:
        """Return the key itself: for the X-API-KEY header and nothing else."""
        return self._value

    def redact(self, text: str) -> str:
        """Foreign text with the key, should a server echo it, replaced."""
        return text.replace(self._value, "***")

    def is_quoted(self, body: bytes, document: object) -> bool:
        """Whether the key stands in a foreign document, as it came or behind escapes."""
        value = self._value.encode("ascii")
        return value in body or (b"\\u" in body and value in json.dumps(document).encode())

    def __repr__(self) -> str:
        return "ApiKey(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is not to be copied into a file")


def load_key(path: Path | str, owner: int | None = None) -> ApiKey:
    """Read the API key from a file that only we can read.

    The file is a regular one, not a symbolic link, owned by us or by root, mode 0600 or 0400. systemd hands its
    credentials over as root:root 0440, the group bits being only the mask of an access list for us: that is taken too.
    One final newline is allowed.

    Parameters
    ----------
    path : Path or str
        The file.
    owner : int or None
        User id whose key it is, for root that looks after a service; None: ours.

    Raises
    ------
    ApiKeyMissing
        There is no such file, or it says that there is no key.
    ApiKeyMalformed
        It is private, but what is in it is no key.
    ApiKeyError
        One line that names the file and the reason, never the content.
    """
    content = _read_private(Path(path), os.geteuid() if owner is None else owner)
    content = content.removesuffix(b"\n").removesuffix(b"\r")
    if content == _ABSENT:
        raise ApiKeyMissing("no API key was set")
    if _FORM.fullmatch(content) is None:
        content = b""
        raise ApiKeyMalformed(f"API key file {path}: not one line of 8 to 256 visible ASCII characters")
    return ApiKey(content.decode("ascii"))


def _read_private(path: Path, owner: int) -> bytes:
    try:
        # O_NONBLOCK: a FIFO in its place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ApiKeyMissing(f"API key file {path}: No such file or directory") from None
    except OSError as failure:
        reason = "a symbolic link is not followed" if failure.errno == errno.ELOOP else failure.strerror
        raise ApiKeyError(f"API key file {path}: {reason}") from None
    try:
        _check_private(path, os.fstat(descriptor), owner)
        return os.read(descriptor, _LONGEST_FILE)
    except OSError as failure:
        raise ApiKeyError(f"API key file {path}: {failure.strerror}") from None
    finally:
        os.close(descriptor)


def _check_private(path: Path, status: os.stat_result, owner: int) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise ApiKeyError(f"API key file {path}: not a regular file")
    if status.st_uid not in (owner, 0):
        raise ApiKeyError(f"API key file {path}: owned by user {status.st_uid}, not by user {owner} or root")
    of_systemd = mode == 0o440 and status.st_uid == 0 and status.st_gid == 0
    if mode not in (0o600, 0o400) and not of_systemd:
        raise ApiKeyError(f"API key file {path}: mode {mode:04o}, must be 0600 or 0400 (chmod 600 {path})")
