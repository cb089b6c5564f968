"""Where the daemon's own API and page listen, and who may reach them."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from oesd.config.values import Section, Whole

LOOPBACK = ("127.0.0.1", "::1")
_NAME = re.compile(r"(\[[0-9a-f:]{2,39}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?):[0-9]{1,5}")


class WebSection(Section):
    """The daemon's own API and page: on the loopback interface and, where that is allowed and made safe, beyond.

    The second listener has TLS, serves only the names that are listed, and wants the token for reading too.
    """

    host: str = "127.0.0.1"
    port: Whole = Field(default=8520, ge=0, le=65535)
    remote: bool = False
    remote_host: str = "0.0.0.0"  # noqa: S104 - listened on only where remote access is allowed
    remote_port: Whole = Field(default=8521, ge=0, le=65535)
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    certificate_key: Path | None = None

    @field_validator("host")
    @classmethod
    def _host_is_this_computer(cls, host: str) -> str:
        if host not in LOOPBACK:
            raise ValueError(
                f"{host!r:.80} is reached by other computers: give 127.0.0.1 or ::1; to let others in, see remote"
            )
        return host

    @field_validator("names")
    @classmethod
    def _names_are_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f'{name!r:.80} is not what a browser asks for, such as "chamber3.lab:8521"')
        return names

    @model_validator(mode="after")
    def _others_only_when_safe(self) -> WebSection:
        missing = [name for name in ("certificate", "certificate_key", "names") if not getattr(self, name)]
        if self.remote and missing:
            raise ValueError(
                f"remote: needs {' and '.join(missing)} too: the token must not travel in clear, and only names that "
                "are listed are served"
            )
        return self
