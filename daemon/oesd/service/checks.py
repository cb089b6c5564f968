"""What can be told before anything is started.

What only some configurations need is imported when one has it: a daemon starts so much sooner.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from oesd.config import Config, ConfigError, at_line
from oesd.schedule import check_plan
from oesd.store import StoreError
from oesd.store.place import check_url


def check(config: Config, where: str) -> None:
    """Check what only the rooms know: elements, cron expressions, endpoint, virtual models, scenes, what is watched.

    Raises
    ------
    ConfigError
        One line for a person; ``where`` names the file.
    """
    try:
        _check(config)
    except ConfigError as error:
        keys, _, message = str(error).partition(": ")
        raise at_line(message, where, keys.split(".")) from None
    if config.trace or config.alarm or config.endpoint or config.golden.by:
        from oesd.service.watched import watched

        watched(config, where)


def check_certificates(config: Config, where: str) -> None:
    """Check the certificates that the file names: there, readable, with their keys, good today and for their names.

    A daemon starts with one that has expired, and measures; who checks a file wants to know.

    Raises
    ------
    ConfigError
        One line for a person; ``where`` names the file.
    """
    from oesd.web.certificates import BadCertificate, check_certificate

    web, hub = config.web, config.hub
    named = (
        ("web", web.certificate, web.certificate_key, [one.rpartition(":")[0] for one in web.names]),
        ("hub", hub.certificate, hub.certificate_key, [hub.name] if hub.name else []),
    )
    for section, certificate, key, hosts in named:
        if certificate is None or key is None:
            continue
        try:
            check_certificate(certificate, key, hosts)
        except BadCertificate as problem:
            raise at_line(str(problem), where, [section, "certificate"]) from None


def _check(config: Config) -> None:
    check_plan(config)
    recipe = config.identify.recipe
    _check_elements("elements", recipe.elements)
    _check_elements("ambient", (*recipe.ambient, *recipe.expected))
    if config.upload.endpoint:
        _check_endpoint(config.upload.endpoint)
    if url := config.store.url.reveal():
        try:
            check_url(url)
        except StoreError as error:
            raise ConfigError(f"store.url: {error}") from None
    if config.simulation.enabled:
        _check_simulation(config)


def _check_elements(name: str, chosen: Sequence[str]) -> None:
    if not chosen:
        return
    from oesd.engine.lines import line_table

    unknown = sorted(set(chosen) - set(line_table().elements))
    if unknown:
        raise ConfigError(f"identify.{name}: {unknown[0]!r} is no element of the line table")


def _check_endpoint(endpoint: str) -> None:
    from oesd.upload import UploadError, check_endpoint

    try:
        check_endpoint(endpoint)
    except UploadError as error:
        raise ConfigError(f"upload.endpoint: {error}") from None


def _check_simulation(config: Config) -> None:
    from oesd_drivers.virtual import MODELS, SCENES

    section = config.simulation
    if section.scene not in SCENES:
        raise ConfigError(f"simulation.scene: unknown scene {section.scene!r}; known: {', '.join(SCENES)}")
    for model, serial in section.pairs:
        if model not in MODELS:
            raise ConfigError(f"simulation.devices: unknown model {model!r}; known: {', '.join(MODELS)}")
        if not (serial.isascii() and len(serial) <= 14):
            raise ConfigError(f"simulation.devices: serial {serial!r} is not 1 to 14 ASCII characters")


def free_port(wanted: int) -> int:
    """Return the wanted loopback port when nobody listens there, else 0, which lets the system choose."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return 0
    return wanted
