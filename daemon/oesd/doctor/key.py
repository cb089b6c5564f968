"""The API key as the service gets it, judged by whoever looks after the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from oesd.config import Config, at_line
from oesd.doctor.finding import Host
from oesd.doctor.redaction import files_named
from oesd.host import HostError
from oesd.host.secret import ENCRYPTED, HANDED, PLAIN, unsealed
from oesd.upload import ApiKey, ApiKeyError, ApiKeyMissing, load_key

_USER = "oesd"
_SECRETS = ("api-token", "api-key", "hub/api-key")
_LONGEST = 4096


def service_key(config: Config, host: Host) -> ApiKey | None:
    """The key as the service gets it; None when this user may not read it.

    Raises
    ------
    ApiKeyError
        One line, never the key.
    """
    own = config.upload.key_file
    if own is not None:
        return _own_key(own, host)
    plain, encrypted = host.at(str(PLAIN)), host.at(str(ENCRYPTED))
    if encrypted.exists():
        return _unsealed_key(encrypted)
    return None if _is_anothers(plain) else load_key(plain)


def check_key(config: Config, where: str) -> None:
    """Judge the key file that a configuration names; that it is not there yet, or is not ours to read, is no mistake.

    Raises
    ------
    ConfigError
        One line for a person; ``where`` names the file.
    """
    if not config.upload.endpoint or config.upload.key_file is None:
        return
    try:
        service_key(config, Host())
    except ApiKeyMissing:
        return
    except ApiKeyError as error:
        raise at_line(str(error), where, ["upload", "key_file"]) from None


def service_user(host: Host) -> int | None:
    """User id of the service; None where it was never installed."""
    try:
        lines = host.at("/etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    fields = next((line.split(":") for line in lines if line.startswith(f"{_USER}:")), [])
    return int(fields[2]) if len(fields) > 2 and fields[2].isdigit() else None


def readable_secrets(configuration: str, host: Host) -> Iterator[str]:
    """The secrets that this user can read: keys, tokens and passwords in the files where they rest."""
    named = files_named(configuration)
    directories = [*named, host.at("/var/lib/oesd"), host.at("/var/lib/oesd-hub")]
    files = [*named, host.at(str(PLAIN)), host.at(str(HANDED))]
    for file in (*files, *(directory / name for directory in directories for name in _SECRETS)):
        try:
            with file.open("rb") as opened:
                text = opened.read(_LONGEST).decode("utf-8", "replace")
        except OSError:
            continue
        yield from (line.strip() for line in text.splitlines() if line.strip())
    sealed = host.at(str(ENCRYPTED))
    if os.access(sealed, os.R_OK):
        try:
            yield unsealed(sealed).strip()
        except HostError:
            return


def _own_key(file: Path, host: Host) -> ApiKey | None:
    if os.geteuid() != 0:
        return None if _is_anothers(file) else load_key(file)
    user = service_user(host)
    key = load_key(file, user)
    if user and file.stat().st_uid != user:
        raise ApiKeyError(f"API key file {file}: is root's, and the service runs as {_USER}: it cannot read it")
    return key


def _is_anothers(file: Path) -> bool:
    """Whether a file is there that this user may not read."""
    return not os.access(file, os.R_OK) and os.access(file.parent, os.X_OK) and file.exists()


def _unsealed_key(file: Path) -> ApiKey | None:
    if os.geteuid() != 0:
        return None
    try:
        return ApiKey(unsealed(file).strip())
    except HostError as error:
        raise ApiKeyError(str(error)) from None
