"""Telling people and machines of alarms: by HTTP, mail or a command, each in a thread of its own.

Whoever tells only queues: a mail server that hangs keeps neither a spectrum nor another action. One that fails is tried
three times, and what became of it is shown with the alarms.
"""

from __future__ import annotations

import logging
import queue
import smtplib
import ssl
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Protocol

import truststore

from oesd.config import ActionSection
from oesd.model import utc_text
from oesd.upload import UploadError, load_key
from oesd.upload.hooks import Hook

log = logging.getLogger(__name__)

TRIES = 3
PAUSES_S = (2.0, 20.0)
_WAITING = 100
_SAID = 200


class NotTold(Exception):
    """Nobody was told; one line for a person."""


class Way(Protocol):
    """A way to tell."""

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Tell once; raises NotTold or UploadError."""
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class Mail:
    """A mail to people, by SMTP; encrypted unless it is told otherwise, and always where a password goes."""

    def __init__(self, section: ActionSection) -> None:
        self._section = section

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Send one mail."""
        section = self._section
        message = EmailMessage()
        message["From"], message["To"] = section.mail_from, ", ".join(section.mail_to)
        message["Subject"] = _plain(f"oesd: {notice['name']} {notice['state']}{_of(notice)}")
        message.set_content("".join(f"{name}: {value}\n" for name, value in notice.items() if value not in (None, "")))
        try:
            with self._server() as server:
                if section.mail_password_file is not None:
                    server.login(section.mail_user, _password(section.mail_password_file))
                server.send_message(message)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise NotTold(f"mail by {section.mail_server}: {_said(error)}") from None

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
    """A command of the owner's, without a shell; it must end with status 0 within its time."""

    def __init__(self, section: ActionSection) -> None:
        self._words = section.command
        self._timeout_s = section.timeout_us / 1e6

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Run it once."""
        words = [_filled(word, notice) for word in self._words]
        try:
            # The words come from the owner's own configuration file and no shell reads them.
            done = subprocess.run(  # noqa: S603
                words, timeout=self._timeout_s, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotTold(f"command {words[0]!r} took longer than {self._timeout_s:g} s") from None
        except (OSError, ValueError) as error:
            raise NotTold(f"command {words[0]!r} cannot be run: {_said(error)}") from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise NotTold(f"command {words[0]!r} ended with status {done.returncode}: {_plain(''.join(said))!r}")

    def close(self) -> None:
        """Nothing is held between commands."""


def way_of(section: ActionSection) -> Way:
    """The way that a section names."""
    if section.url:
        return Hook(section.url, section.timeout_us / 1e6)
    return Mail(section) if section.mail_to else Command(section)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of an action last: ``ok``, ``trying`` or ``failed``, when, and a sentence."""

    state: str = "ok"
    text: str = "nothing was told yet"
    at_utc: datetime | None = None

    def as_dict(self, name: str, kind: str) -> dict[str, Any]:
        """JSON-ready."""
        at = None if self.at_utc is None else utc_text(self.at_utc)
        return {"name": name, "kind": kind, "state": self.state, "text": self.text, "last_at_utc": at}


class Teller:
    """One action with its queue and its thread.

    Parameters
    ----------
    pauses_s : sequence of float
        Between the tries.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        way: Way,
        pauses_s: Sequence[float] = PAUSES_S,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.name, self._kind, self._way, self._pauses_s, self._utc = name, kind, way, pauses_s, utc
        self._queue: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_WAITING)
        self._stop = threading.Event()
        self._told = Told()
        self._thread = threading.Thread(target=self._main, name=f"action-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End after the try at hand; what waits is not told."""
        self._stop.set()
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            log.warning("action %s: ends with %d notices that were not told", self.name, _WAITING)
        if self._thread.ident is not None:
            self._thread.join(30)
        self._way.close()

    def tell(self, notice: Mapping[str, Any]) -> None:
        """Queue a notice; never waits. The hundred and first is not told, and shown so."""
        try:
            self._queue.put_nowait(notice)
        except queue.Full:
            self._note("failed", f"{_WAITING} notices wait: one of {notice['name']} was not told")

    def state(self) -> dict[str, Any]:
        """What became of it last, JSON-ready."""
        return self._told.as_dict(self.name, self._kind)

    def idle(self) -> bool:
        """Whether nothing waits or is being told."""
        return self._queue.unfinished_tasks == 0

    def _main(self) -> None:
        while not self._stop.is_set():
            notice = self._queue.get()
            try:
                if notice is not None and not self._stop.is_set():
                    self._try(notice)
            except Exception:
                # The top of the thread: a defect of ours must not end what tells of the next alarm.
                log.exception("action %s failed", self.name)
                self._note("failed", "a defect in oesd; the log has its place")
            finally:
                self._queue.task_done()

    def _try(self, notice: Mapping[str, Any]) -> None:
        why = ""
        for number in range(1 + len(self._pauses_s)):
            try:
                self._way.tell(notice)
            except (NotTold, UploadError) as error:
                why = _said(error)
            else:
                self._note("ok", f"told of {notice['name']}")
                return
            if number < len(self._pauses_s):
                self._note("trying", why)
                if self._stop.wait(self._pauses_s[number]):
                    break
        self._note("failed", f"{notice['name']} was not told: {why}")

    def _note(self, state: str, text: str) -> None:
        if state == "failed":
            log.error("action %s: %s", self.name, text)
        self._told = Told(state, text, self._utc())


def tellers(sections: Sequence[ActionSection]) -> list[Teller]:
    """A teller for each action of the configuration."""
    kinds = ((section, "http" if section.url else "mail" if section.mail_to else "command") for section in sections)
    return [Teller(section.name, kind, way_of(section)) for section, kind in kinds]


def _filled(word: str, notice: Mapping[str, Any]) -> str:
    for name in ("name", "device", "state", "value", "text"):
        value = notice.get(name)
        word = word.replace("{" + name + "}", "" if value is None else _plain(str(value)))
    return word


def _of(notice: Mapping[str, Any]) -> str:
    return f" ({notice['device']})" if notice.get("device") else ""


def _plain(text: str) -> str:
    """Foreign text on one line, without what steers a terminal or a mail's header."""
    return "".join(char if char.isprintable() else " " for char in text)[:_SAID]


def _said(error: Exception) -> str:
    return _plain(" ".join(str(error).split()) or type(error).__name__)
