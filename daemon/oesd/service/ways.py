"""The ways to tell: mail, a command, HTTP; each is tried once, and says in one line why nobody was told."""

from __future__ import annotations

import os
import selectors
import signal
import smtplib
import ssl
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import truststore

from oesd.config import ActionSection
from oesd.service.telling import NotTold, Way, plain, said
from oesd.upload import UploadError, load_key
from oesd.upload.hooks import Hook

_HELD_BYTES = 4096
_LOOK_S = 0.05
_END_S = 1.0
_KEYS = ("OESD_TOKEN", "AS_API_KEY")  # no command of an action's needs them


class Mail:
    """A mail to people, by SMTP; encrypted unless it is told otherwise, and always where a password goes."""

    def __init__(self, section: ActionSection) -> None:
        self._section = section

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Send one mail."""
        section = self._section
        message = EmailMessage()
        message["From"], message["To"] = section.mail_from, ", ".join(section.mail_to)
        message["Subject"] = plain(f"oesd: {notice['name']} {notice['state']}{_of(notice)}")
        message.set_content("".join(f"{name}: {value}\n" for name, value in notice.items() if value not in (None, "")))
        try:
            with self._server() as server:
                if section.mail_password_file is not None:
                    server.login(section.mail_user, _password(section.mail_password_file))
                server.send_message(message)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotTold(f"mail by {section.mail_server}: {said(error)}") from None

    def close(self) -> None:
        """Nothing is held between mails."""

    def _server(self) -> smtplib.SMTP:
        section, timeout_s = self._section, self._section.timeout_us / 1e6
        context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if section.mail_tls == "tls":
            return smtplib.SMTP_SSL(section.mail_server, section.mail_port, timeout=timeout_s, context=context)
        server = smtplib.SMTP(section.mail_server, section.mail_port, timeout=timeout_s)
        try:
            if section.mail_tls == "starttls":
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server


def _password(file: Path) -> str:
    try:
        return load_key(file).reveal()
    except UploadError as error:
        raise ValueError(f"password {str(error).removeprefix('API key ')}") from None


class Command:
    """A command of the owner's, without a shell; it must end with status 0 within its time.

    It may leave others behind (a sound that plays on; its stderr goes nowhere then). One that takes too long is ended
    with all that it has started.
    """

    def __init__(self, section: ActionSection) -> None:
        self._words = section.command
        self._timeout_s = section.timeout_us / 1e6

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Run it once."""
        words = [_filled(word, notice) for word in self._words]
        try:
            # The words come from the owner's own configuration file and no shell reads them.
            process = subprocess.Popen(  # noqa: S603
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True, env={name: text for name, text in os.environ.items() if name not in _KEYS},
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise NotTold(f"command {words[0]!r} cannot be run: {said(error)}") from None
        last = _last_words(process, time.monotonic() + self._timeout_s)
        if process.poll() is None:
            _end(process)
            raise NotTold(f"command {words[0]!r} took longer than {self._timeout_s:g} s")
        if process.returncode != 0:
            raise NotTold(f"command {words[0]!r} ended with status {process.returncode}: {plain(last)!r}")

    def close(self) -> None:
        """Nothing is held between commands."""


def _last_words(process: subprocess.Popen[bytes], end_s: float) -> str:
    """Wait for a process till then; the last line of its stderr, of which little is held however much there is."""
    assert process.stderr is not None
    with process.stderr as stderr, selectors.DefaultSelector() as selector:
        os.set_blocking(stderr.fileno(), False)
        selector.register(stderr, selectors.EVENT_READ)
        held, ended = b"", False
        while not ended and time.monotonic() < end_s:
            ended = process.poll() is not None  # asked first: what it said before its end is there to be read
            if not selector.select(0.0 if ended else _LOOK_S):
                continue
            piece = stderr.read(_HELD_BYTES)
            if piece == b"":  # it has closed its stderr, and may go on
                selector.unregister(stderr)
            held = (held + (piece or b""))[-_HELD_BYTES:]
            ended = ended and not piece
    return "".join(held.decode(errors="replace").strip().splitlines()[-1:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started."""
    with suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_END_S)  # not for ever: one that waits for a dead disk does not end


class Http:
    """A POST of the notice as JSON."""

    def __init__(self, section: ActionSection) -> None:
        self._hook = Hook(section.url, section.timeout_us / 1e6)

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Post once."""
        try:
            self._hook.tell(notice)
        except UploadError as error:
            raise NotTold(str(error)) from None

    def close(self) -> None:
        """Let go of the connection."""
        self._hook.close()


def way_of(section: ActionSection) -> Way:
    """The way that a section names."""
    if section.url:
        return Http(section)
    return Mail(section) if section.mail_to else Command(section)


def _filled(word: str, notice: Mapping[str, Any]) -> str:
    for name in ("name", "device", "state", "value", "text"):
        value = notice.get(name)
        word = word.replace("{" + name + "}", "" if value is None else plain(str(value)))
    return word


def _of(notice: Mapping[str, Any]) -> str:
    return f" ({notice['device']})" if notice.get("device") else ""
