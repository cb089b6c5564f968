"""One file for whoever helps: findings, state, configuration, log, versions. No spectra; secrets are blotted out."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from oesd.doctor.finding import Finding, Host
from oesd.doctor.network import service_key
from oesd.doctor.running import asked
from oesd.doctor.settings import settings
from oesd.host.asking import NoAnswer, ask
from oesd.host.plan import DAEMON
from oesd.upload import UploadError

_LOG_LINES = 2000
_BLOT = "***"
_USER_OF_URL = re.compile(r"(?<=://)[^/@\s\"']+@")
_SECRET_VALUE = re.compile(r"(?im)^(\s*[\w.-]*(?:password|token|secret|api_?key)[\w.-]*\s*[=:]\s*)(?!.*_file)(.+)$")
_SECRET_HEADER = re.compile(r"(?i)((?:x-api-key|authorization)\s*[:=]\s*)\S+(?: \S+)?")


def write_report(target: Path, configuration: Path, findings: Iterable[Finding], host: Host | None = None) -> None:
    """Write the bundle, a gzipped tar, as a whole or not at all; mode 0600.

    Raises
    ------
    OSError
        When it cannot be written, or stands there already.
    """
    host = host or Host()
    secrets = list(_secrets(configuration, host))
    beside = target.with_name(f".{target.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
            for name, text in _parts(configuration, findings):
                _add(bundle, name, blotted(text, secrets))
        os.link(beside, target)  # never over another file
    finally:
        beside.unlink(missing_ok=True)


def blotted(text: str, secrets: Sequence[str]) -> str:
    """Text without these secrets, users and passwords of URLs, and what stands where secrets stand."""
    for secret in secrets:
        text = text.replace(secret, _BLOT)
    text = _USER_OF_URL.sub(f"{_BLOT}@", text)
    text = _SECRET_HEADER.sub(rf"\1{_BLOT}", text)
    return _SECRET_VALUE.sub(rf'\1"{_BLOT}"', text)


def _secrets(configuration: Path, host: Host) -> Iterator[str]:
    """The secrets that this user can read: the API key, and the tokens in the data directory."""
    config, _ = settings(configuration)
    if config is None:
        return
    try:
        key = service_key(config, host)
    except UploadError:
        key = None
    if key is not None:
        yield key.reveal()
    for file in (config.data_dir / "api-token", config.data_dir / "hub" / "api-key", config.hub.key_file):
        try:
            secret = file.read_text(encoding="ascii").strip() if file else ""
        except (OSError, UnicodeDecodeError):
            secret = ""
        if secret:
            yield secret


def _parts(configuration: Path, findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    yield "doctor.json", _json([finding.as_dict() for finding in findings])
    config, _ = settings(configuration)
    yield "status.json", _json((asked(config) if config else None) or {"state": "no daemon answers"})
    yield "configuration.toml", _text_of(configuration)
    yield "machine.txt", f"{platform.platform()}\nPython {platform.python_version()}\n{os.cpu_count()} processors\n"
    yield "packages.txt", "".join(sorted(f"{d.name}=={d.version}\n" for d in importlib.metadata.distributions()))
    yield "service.txt", _said("systemctl", "show", DAEMON) + _said("systemctl", "cat", DAEMON)
    yield "log.txt", _said("journalctl", "-u", DAEMON, "-n", str(_LOG_LINES), "--no-pager", "-o", "short-iso")
    yield "usb.txt", _said("journalctl", "-k", "-n", "500", "--no-pager", "--grep", "usb")


def _add(bundle: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    member = tarfile.TarInfo(f"oesd-report/{name}")
    member.size, member.mode = len(data), 0o600
    bundle.addfile(member, io.BytesIO(data))


def _json(document: object) -> str:
    return json.dumps(document, indent=1, default=str) + "\n"


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{file}: {error.strerror}\n"


def _said(*argv: str) -> str:
    """What a program of the system prints; a line that says why when it prints nothing."""
    try:
        answer = ask(argv)
    except NoAnswer as error:
        return f"{error}\n"
    return answer.out or answer.err
