"""The whole file: its sections together, how it is read, and errors that name file, line and the nearest known key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oesd.config.keeping import StoreSection
from oesd.config.listening import WebSection
from oesd.config.measuring import (
    BackgroundSection,
    CaptureSection,
    ExposureSection,
    LightSection,
    PlasmaSection,
    ReferenceSection,
    RunSection,
    SpectrometerSection,
    TriggerSection,
)
from oesd.config.mistakes import Mistake, mistakes, read
from oesd.config.serving import HubSection, IdentifySection, SimulationSection, UploadSection
from oesd.config.values import Section
from oesd.config.watching import ActionSection, AlarmSection, EndpointSection, GoldenSection, TraceSection

_EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on


class ConfigError(Exception):
    """The configuration cannot be used; the text is one line that names file, line and cure."""


class Config(Section, frozen=True):
    """The whole file."""

    data_dir: Path = Path("/var/lib/oesd")
    only_listed: bool = False
    capture: CaptureSection = CaptureSection()
    exposure: ExposureSection = ExposureSection()
    trigger: TriggerSection = TriggerSection()
    dark: BackgroundSection = BackgroundSection()
    reference: ReferenceSection = ReferenceSection()
    light: LightSection = LightSection()
    plasma: PlasmaSection = PlasmaSection()
    run: RunSection = RunSection()
    identify: IdentifySection = IdentifySection()
    store: StoreSection = StoreSection()
    upload: UploadSection = UploadSection()
    web: WebSection = WebSection()
    hub: HubSection = HubSection()
    simulation: SimulationSection = SimulationSection()
    spectrometer: tuple[SpectrometerSection, ...] = ()
    trace: tuple[TraceSection, ...] = ()
    alarm: tuple[AlarmSection, ...] = ()
    endpoint: tuple[EndpointSection, ...] = ()
    action: tuple[ActionSection, ...] = ()
    golden: GoldenSection = GoldenSection()

    def _check_pace(self) -> None:
        """No spectrometer can be asked for more light than its period has time for."""
        base = self.capture
        if base.total_us > base.every_us:
            raise ValueError("capture: total is longer than every: no slot could be kept")
        for own in (None, *self.spectrometer):
            every_us = own.every_us if own and own.every_us is not None else base.every_us
            integration_us = own.integration_us if own and own.integration_us is not None else base.integration_us
            scans = own.scans if own and own.scans is not None else base.scans
            if integration_us * scans > every_us:
                section = "spectrometer" if own else "capture"
                raise ValueError(f"{section}: every is shorter than {scans} x integration: no slot could be kept")

    def _check_light(self) -> None:
        """A way to take darks and references without a hand has what it needs."""
        hows = {self.dark.how, self.reference.how}
        if "switch" in hows and not self.light.switches and not self.simulation.enabled:
            raise ValueError(
                'light: how = "switch" needs [light] command, url or line (simulation has its own shutter)'
            )
        if self.reference.how == "plasma off":
            raise ValueError('reference: how = "plasma off" is for darks')
        if (self.dark.how == "plasma off" or self.run.start == "plasma on") and not self.plasma.bands:
            raise ValueError("plasma: bands are needed to tell whether the plasma is on")

    def _check_ports(self) -> None:
        """No two of our own listeners want one port: the second would end the daemon when it measures already."""
        web, hub = self.web, self.hub
        wanted = [("web: port", web.host, web.port)]
        if web.remote:
            wanted.append(("web: remote_port", web.remote_host, web.remote_port))
        if hub.enabled:
            wanted.append(("hub: port", hub.host, hub.port))
            wanted.append(("hub: port (the next one is the bucket's)", hub.host, hub.port + 1 if hub.port else 0))
        taken: list[tuple[str, str, int]] = []
        for what, host, port in wanted:
            for before, other, same in taken:
                if port and port == same and (host == other or {host, other} & _EVERY_ADDRESS):
                    raise ValueError(f"{what}: {port} is taken by {before.replace(':', '')}: choose another")
            taken.append((what, host, port))

    def _check_watching(self) -> None:
        """Names are there once, and whom alarms tell is there."""
        for what in ("trace", "alarm", "endpoint", "action"):
            names = [one.name for one in getattr(self, what)]
            twice = sorted(name for name in names if names.count(name) > 1)
            if twice:
                raise ValueError(f"{what}: name {twice[0]!r} stands twice")
        known = ["log", "page", *(one.name for one in self.action)]
        for what, sections in (("alarm", self.alarm), ("endpoint", self.endpoint)):
            for section in sections:
                for action in section.actions:
                    if action not in known:
                        near = difflib.get_close_matches(action, known, n=1, cutoff=0.0)[0]
                        raise ValueError(f"{what}: {section.name}: unknown action {action!r}; did you mean {near!r}?")

    def _check_parts(self) -> None:
        serials = [s.serial for s in self.spectrometer]
        names = [s.name for s in self.spectrometer if s.name is not None]
        for what, given in (("serial", serials), ("name", names)):
            twice = sorted(g for g in given if given.count(g) > 1)
            if twice:
                raise ValueError(f"spectrometer: {what} {twice[0]!r} stands twice")
        if not self.data_dir.is_absolute() or "\0" in str(self.data_dir):
            raise ValueError("data_dir: must be an absolute path")
        self._check_pace()
        self._check_light()
        self._check_ports()
        self._check_watching()


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        One line naming the file, the line, what is wrong and what to do.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark that is no TOML
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: not UTF-8 text: save the file as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_config(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """Check a configuration given as text; ``where`` names it in errors."""
    tables = _toml(text, where)
    try:
        return config_of(tables)
    except Mistake as mistake:
        raise ConfigError(_one_line(mistake, tables, text, where)) from None


def config_of(tables: Mapping[str, Any]) -> Config:
    """Check a configuration given as the tables of its file.

    Raises
    ------
    Mistake
        The first thing that is wrong.
    """
    return read(Config, tables)


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{where}: not TOML: brackets in brackets, too deep to be read") from None
    except ValueError as error:  # its own, and Python's of a number with thousands of digits
        said = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number has thousands of digits"
        raise ConfigError(f"{where}: not TOML: {said}") from None


def at_line(message: str, where: str, keys: Sequence[str], ordinal: int = 0) -> ConfigError:
    """Error of what only others know of a file that was read: with the line, when the file is still there.

    Parameters
    ----------
    keys : sequence of str
        Section and key that it is about.
    ordinal : int
        Which of the sections of that name, from 0.
    """
    try:
        text = Path(where).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return ConfigError(f"{where}: {'.'.join(keys)}: {message}")
    return ConfigError(f"{where}, line {_line_of(text, list(keys), ordinal)}: {'.'.join(keys)}: {message}")


def _one_line(whole: Mistake, tables: Mapping[str, Any], text: str, where: str) -> str:
    alone = mistakes(Config, tables)  # none: the sections are good, but do not fit together
    first = alone[0] if alone else whole
    keys = [part for part in first.place if isinstance(part, str)]
    ordinal = next((part for part in first.place if isinstance(part, int)), 0)
    more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
    return f"{where}, line {_line_of(text, keys, ordinal)}: {first}{more}"


def _line_of(text: str, keys: list[str], ordinal: int) -> int:
    """Line where the deepest of the keys stands; its section's line when the key itself is absent."""
    section: list[str] = []
    seen = -1
    best = (0, 1)
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([A-Za-z0-9_.\"-]+)\s*\]", line)
        assigned = re.match(r"\s*([A-Za-z0-9_\"-]+)\s*=", line)
        if header:
            section = header[1].split(".")
            seen += section == keys[:1] and line.lstrip().startswith("[[")
            path = section
        elif assigned:
            path = [*section, assigned[1].strip('"')]
        else:
            continue
        in_place = (not line.lstrip().startswith("[[") and seen < 0) or seen == ordinal
        depth = len(path) if path == keys[: len(path)] and in_place else 0
        best = max(best, (depth, -number), key=lambda b: (b[0], b[1])) if depth else best
    return abs(best[1])
