"""One file for whoever helps: findings, state, configuration, log, versions. No spectra; secrets are blotted out."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from oesd.doctor.finding import Finding, Host
from oesd.doctor.key import readable_secrets
from oesd.doctor.redaction import blotted, shown_configuration
from oesd.doctor.running import asked
from oesd.doctor.settings import settings
from oesd.host.asking import NoAnswer, ask
from oesd.host.plan import DAEMON, KEY

_LOG_LINES = 2000


def write_report(target: Path, configuration: Path, findings: Iterable[Finding], host: Host | None = None) -> None:
    """Write the bundle, a gzipped tar, mode 0600; one that cannot be written to its end is removed.

    Raises
    ------
    OSError
        When it cannot be written, or stands there already.
    """
    host, text = host or Host(), _text_of(configuration)
    # Made in memory and written in one go: no link and no rename, which a memory stick (FAT) does not do.
    bundle = _packed(redacted(text, dict(_parts(configuration, findings)), host))
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(bundle)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        target.unlink(missing_ok=True)
        raise


def redacted(configuration: str, parts: Mapping[str, str], host: Host) -> dict[str, str]:
    """The parts as they may leave, and the configuration before them; neither needs to be good."""
    shown, withheld = shown_configuration(configuration)
    secrets = [*readable_secrets(configuration, host), *withheld]
    return {name: blotted(part, secrets) for name, part in {"configuration.toml": shown, **parts}.items()}


def _parts(configuration: Path, findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    yield "doctor.json", _json([finding.as_dict() for finding in findings])
    config, _ = settings(configuration)
    yield "status.json", _json(asked(config) or {"state": "no daemon answers"})
    yield "machine.txt", f"{platform.platform()}\nPython {platform.python_version()}\n{os.cpu_count()} processors\n"
    yield "packages.txt", "".join(sorted(f"{d.name}=={d.version}\n" for d in importlib.metadata.distributions()))
    yield "service.txt", _said("systemctl", "show", DAEMON) + _said("systemctl", "cat", DAEMON, KEY)
    yield (
        "log.txt",
        _said("journalctl", "-u", DAEMON, "-u", KEY, "-n", str(_LOG_LINES), "--no-pager", "-o", "short-iso"),
    )
    yield "usb.txt", _said("journalctl", "-k", "-n", "500", "--no-pager", "--grep", "usb")


def _packed(parts: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as bundle:
        for name, text in parts.items():
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"oesd-report/{name}")
            member.size, member.mode = len(data), 0o600
            bundle.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _json(document: object) -> str:
    return json.dumps(document, indent=1, default=str, ensure_ascii=False) + "\n"


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""  # the findings say why


def _said(*argv: str) -> str:
    """What a program of the system prints; a line that says why when it prints nothing."""
    try:
        answer = ask(argv)
    except NoAnswer as error:
        return f"{error}\n"
    return answer.out or answer.err
