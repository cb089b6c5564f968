"""Sections of what is watched: named traces, alarms, endpoint rules, golden runs, and whom to tell."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from oesd.config.keeping import Size
from oesd.config.values import Duration, Period, Section, check_file, is_web_address

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_OURS = ("light", "axis_shift", "line_spread", "log", "page", "integral", "band")
_LONGEST_ADVICE = 200


class _Named(Section, frozen=True):
    """A section with a name that others refer to."""

    name: str

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"name: {self.name!r}: a name has up to 40 of a-z, 0-9, _ and -, a letter first")
        if self.name in _OURS:
            raise ValueError(f"name: {self.name!r} is taken: choose another name")
        super().__post_init__()


class TraceSection(_Named, frozen=True):
    """A named trace: a line, a band, a window, or a formula of them."""

    value: Annotated[str, Meta(min_length=1, max_length=400)]


class ActionSection(_Named, frozen=True):
    """Somebody or something that is told: by HTTP, by mail, or by a command.

    Words of the command may hold {name}, {device}, {state}, {value} and {text}. The password of a mail server stands
    in a file of its own, mode 0600.
    """

    url: str = ""
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    mail_server: str = ""
    mail_port: Annotated[int, Meta(ge=1, le=65535)] = 587
    mail_tls: Literal["starttls", "tls", "none"] = "starttls"
    mail_user: str = ""
    mail_password_file: Path | None = None
    command: tuple[str, ...] = ()
    timeout_us: Period = field(default=Period("10 s"), name="timeout")

    def _check_parts(self) -> None:
        check_file("mail_password_file", self.mail_password_file)
        if sum((bool(self.url), bool(self.mail_to), bool(self.command))) != 1:
            raise ValueError("url: give one of url, mail_to and command")
        if self.url:
            self._check_url()
        if self.mail_to:
            self._check_mail()
        if self.command and not self.command[0]:
            raise ValueError("command: the first word must be a program")
        if not 1_000_000 <= self.timeout_us <= 300_000_000:
            raise ValueError('timeout: must be "1 s" to "5 min"')

    def _check_url(self) -> None:
        match = re.fullmatch(r"(https?)://([^/?#@]+)(?:[/?].*)?", self.url)
        if match is None or not is_web_address(self.url):
            raise ValueError("url: must be an http:// or https:// address without user and password")
        host = re.sub(r":\d+$", "", match[2])
        if match[1] == "http" and host not in ("127.0.0.1", "localhost", "[::1]"):
            raise ValueError("url: must be https://, but on this computer (127.0.0.1)")

    def _check_mail(self) -> None:
        for address in (*self.mail_to, self.mail_from):
            if re.fullmatch(r"[^@\s<>,;]+@[^@\s<>,;]+", address) is None:
                raise ValueError(f"mail_to: mail_to and mail_from must be mail addresses, not {address!r}")
        if not self.mail_server:
            raise ValueError("mail_server: needed to send mail")
        if bool(self.mail_user) != (self.mail_password_file is not None):
            raise ValueError("mail_user: goes with mail_password_file, and only with it")
        if self.mail_user and self.mail_tls == "none":
            raise ValueError('mail_tls: a password is not sent without encryption: "starttls" or "tls"')


class AlarmSection(_Named, frozen=True):
    """What must not go unseen."""

    kind: Literal["threshold", "rate", "missing", "drift", "dark due", "disk", "queue"] = "threshold"
    trace: Annotated[str, Meta(max_length=400)] = ""
    device: Annotated[str, Meta(max_length=64)] = ""
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    relative: bool = False
    reference: float | Literal["golden"] | None = None
    over_us: Duration = field(default=Duration("0"), name="over")
    longer_us: Duration = field(default=Duration("0"), name="longer")
    less_bytes: Size = field(default=Size("0"), name="less")
    hold_us: Duration = field(default=Duration("0"), name="hold")
    clear_hold_us: Duration = field(default=Duration("0"), name="clear_hold")
    severity: Literal["warning", "critical"] = "warning"
    actions: tuple[str, ...] = ("log", "page")
    advice: Annotated[str, Meta(max_length=_LONGEST_ADVICE)] = ""

    def _check_parts(self) -> None:
        if bool(self.longer_us) != (self.kind in ("missing", "queue")):
            raise ValueError('longer: goes with kind = "missing" or "queue", and they need it, such as "30 s"')
        if bool(self.less_bytes) != (self.kind == "disk"):
            raise ValueError('less: goes with kind = "disk", which needs it, such as "20 GB"')
        limits = (self.above, self.below, self.clear)
        if self.kind not in ("threshold", "rate", "drift") and any(one is not None for one in limits):
            raise ValueError(f"above: above, below and clear are no keys of kind = {self.kind!r}")
        if (self.reference is not None) != (self.kind == "drift"):
            raise ValueError('reference: goes with kind = "drift", which needs it: a number or "golden"')
        if self.relative and self.kind != "drift":
            raise ValueError('relative: goes with kind = "drift"')


class EndpointSection(_Named, frozen=True):
    """A rule that tells when in a run a trace has changed for good."""

    trace: Annotated[str, Meta(min_length=1, max_length=400)]
    rule: Literal["level", "slope", "cusum"]
    direction: Literal["falls", "rises"]
    device: Annotated[str, Meta(max_length=64)] = ""
    after_us: Duration = field(default=Duration("0"), name="after")
    baseline_us: Duration = field(default=Duration("0"), name="baseline")
    level: float | None = None
    share: Annotated[float, Meta(gt=0, le=100)] | None = None
    per_s: Annotated[float, Meta(ge=0)] | None = None
    share_per_s: Annotated[float, Meta(gt=0, le=100)] | None = None
    window_us: Duration = field(default=Duration("0"), name="window")
    confirm: Annotated[int, Meta(ge=1, le=1000)] = 1
    shift: Annotated[float, Meta(ge=0.1, le=10)] = 1.0
    false_alarm_in: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    sigma: Literal["learned", "own"] = "learned"
    actions: tuple[str, ...] = ("log", "page")


class GoldenSection(Section, frozen=True):
    """Runs that were as they should be: what others are compared with, one for each spectrometer."""

    runs: tuple[str, ...] = ()
    by: Annotated[str, Meta(max_length=400)] = ""

    def _check_parts(self) -> None:
        for run in self.runs:
            if re.fullmatch(r"[A-Za-z0-9_.:-]{1,64}", run) is None:
                raise ValueError(f"runs: {run!r} is no id of a run: oesd run list shows them")
