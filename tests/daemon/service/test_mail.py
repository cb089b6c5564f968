"""Mail of an alarm against a real SMTP server: STARTTLS with a certificate that is judged, and a password."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from tests.daemon.service.test_watching import action, told
from tests.support.certificates import Pair, certificate


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Password:
    """An SMTP server's way to know who sends."""

    def __call__(self, _: Any, __: Any, ___: Any, mechanism: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (b"oesd", b"mail-secret"), handled=False)


class Box:
    """What an SMTP server got."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []

    async def handle_DATA(self, _: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        assert session.ssl is not None and session.authenticated
        self.got.append(envelope)
        return "250 kept"


@contextmanager
def mail_server(pair: Pair) -> Iterator[tuple[int, Box]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*pair)
    box = Box()
    server = Controller(
        box, hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
        authenticator=Password(), auth_required=True,
    )  # fmt: skip
    server.start()
    try:
        yield server.port, box
    finally:
        server.stop()


def test_a_mail_goes_encrypted_with_its_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = certificate(tmp_path / "tls", "IP:127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))
    secret = tmp_path / "mail-password"
    secret.write_text("mail-secret\n")
    secret.chmod(0o600)
    with mail_server(pair) as (port, box):
        text = (
            f'mail_to = ["a@lab.example", "b@lab.example"]\nmail_from = "oesd@lab.example"\nmail_server = "127.0.0.1"\n'
            f'mail_port = {port}\nmail_user = "oesd"\nmail_password_file = "{secret}"\n'
        )
        state = told(action(text))
        assert (state["state"], state["text"]) == ("ok", "told of low")
        (mail,) = box.got
        assert mail.rcpt_tos == ["a@lab.example", "b@lab.example"]
        read = email.message_from_bytes(bytes(mail.original_content or b""), policy=email.policy.default)
        assert read["subject"] == "oesd: low raised (chamber-a)"
        assert "text: ratio; rm -rf / " in str(read.get_content())
        secret.write_text("not-the-secret\n")
        refused = told(action(text))
        assert refused["state"] == "failed" and "535" in refused["text"] and "not-the" not in refused["text"]
        secret.chmod(0o644)
        assert f"password file {secret}: mode 0644" in told(action(text))["text"]
        secret.chmod(0o600)
        monkeypatch.delenv("SSL_CERT_FILE")
        stranger = told(action(text))
        assert stranger["state"] == "failed" and "certificate" in stranger["text"]
        assert len(box.got) == 1
