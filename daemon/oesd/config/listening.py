"""Where the daemon's own API and page listen, and who may reach them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from oesd.config.values import Section

LOOPBACK = ("127.0.0.1", "::1")
_NAME = re.compile(r"(\[[0-9a-f:]{2,39}\]|[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?):[0-9]{1,5}")


class WebSection(Section, frozen=True):
    """The daemon's own API and page: on the loopback interface and, where that is allowed and made safe, beyond.

    The second listener has TLS, serves only the names that are listed, and wants the token for reading too.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8520
    remote: bool = False
    remote_host: str = "0.0.0.0"  # noqa: S104 - listened on only where remote access is allowed
    remote_port: Annotated[int, Meta(ge=0, le=65535)] = 8521
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    certificate_key: Path | None = None

    def _check_parts(self) -> None:
        if self.host not in LOOPBACK:
            raise ValueError(
                f"host: {self.host!r:.80} is reached by other computers: give 127.0.0.1 or ::1; to let others in, see "
                "remote"
            )
        for name in self.names:
            if not _NAME.fullmatch(name):
                raise ValueError(f'names: {name!r:.80} is not what a browser asks for, such as "chamber3.lab:8521"')
        missing = [name for name in ("certificate", "certificate_key", "names") if not getattr(self, name)]
        if self.remote and missing:
            raise ValueError(
                f"remote: needs {' and '.join(missing)} too: the token must not travel in clear, and only names that "
                "are listed are served"
            )
