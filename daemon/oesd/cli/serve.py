"""``oesd run``, ``oesd simulate``, ``oesd hub``: the commands that stay.

Everything is imported where it is needed: a worker is started first, and imports what it needs beside us.
"""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.durations import DurationType
from oesd.cli.errors import as_one_line, expected, fail
from oesd.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from oesd.config import Config
    from oesd.service.daemon import Service
    from oesd_drivers.launch import Launched
    from oesd_drivers.spare import Spare

DEFAULT_CONFIG = Path("/etc/oesd/oesd.toml")
_PORT = click.IntRange(0, 65535)
_INCOMPLETE = 1
_ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


_RUN_COMMANDS = {
    "start": ("oesd.cli.runs:start", "Begin a run: labels, distance of the slots, length or burst."),
    "stop": ("oesd.cli.runs:stop", "End an ordered run; the configuration's own order takes over."),
    "pause": ("oesd.cli.runs:pause", "Let the slots pass as paused."),
    "resume": ("oesd.cli.runs:resume", "Serve the slots again."),
    "label": ("oesd.cli.runs:label_run", "Change labels of the run that is on, for the spectra to come."),
    "list": ("oesd.cli.runs:list_runs", "List the runs with their slots; the one that is on is marked."),
}


@click.group(
    cls=LazyGroup,
    commands_at={name: at for name, (at, _) in _RUN_COMMANDS.items()},
    summaries={name: summary for name, (_, summary) in _RUN_COMMANDS.items()},
    invoke_without_command=True,
    subcommand_metavar="[COMMAND [ARGS]...]",
)
@click.option("--config", "config_file", type=click.Path(path_type=Path), default=DEFAULT_CONFIG, show_default=True)
@click.pass_context
def run(context: click.Context, config_file: Path) -> None:
    """Run the daemon until it is told to stop (SIGTERM, Ctrl-C). SIGHUP reads the configuration again.

    With a command: order the running daemon to begin, end, pause or list runs.
    """
    if context.invoked_subcommand is None:
        from oesd.service.unhurried import unhurried

        with unhurried(), as_one_line():
            _run_daemon(config_file, context.obj)
    elif context.get_parameter_source("config_file") is not click.core.ParameterSource.DEFAULT:
        fail(f"oesd run {context.invoked_subcommand} takes no --config: the running daemon has its own")


def _run_daemon(config_file: Path, first: Launched | None) -> None:
    gc.disable()  # till all runs: what imports make is no garbage, and looking for some takes a seventh of them
    # What starts reads its file anyway; and systemd takes an end by SIGHUP for one that was wished.
    signal.signal(signal.SIGHUP, lambda *_: None)
    from oesd_drivers.spare import Spare

    spare = Spare(first=first)
    try:
        service = _service(config_file, spare)
    except BaseException:
        spare.close()
        raise
    _serve(service, None)


def _service(config_file: Path, spare: Spare) -> Service:
    """The daemon of a configuration file, which SIGHUP has read again."""
    from oesd.config import ConfigError, load_config

    config = _loaded(config_file, partial(_open_ahead, spare))
    from oesd.service.checks import check
    from oesd.service.daemon import Service

    service = Service(config, spare)

    def reload() -> Config | None:
        try:
            fresh = load_config(config_file)
            check(fresh, str(config_file))
        except ConfigError as error:
            logging.getLogger(__name__).error("not reloaded, all goes on as before: %s", error)
            return None
        return fresh

    signal.signal(signal.SIGHUP, lambda *_: service.ask_to_reload(reload))
    return service


@click.command()
@click.option("--for", "for_s", type=DurationType(), help='End after this time, such as "20s".')
@click.option("--data", type=click.Path(path_type=Path), help="Data directory; a new one by default.")
@click.option("--port", type=_PORT, help="Port of the page; 8520, or any free one when that is in use.")
@click.option("--hub-port", type=_PORT, help="Port of the hub; 8530, or any free one when that is in use.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Another simulated configuration.")
def simulate(
    for_s: float | None, data: Path | None, port: int | None, hub_port: int | None, config_file: Path | None
) -> None:
    """Run everything on virtual spectrometers: a first look, a demonstration, a test of a configuration.

    The spectra are measured, stored, analysed, and forwarded to a hub on this machine, by the same code as on a lab PC.
    """
    import tempfile

    from msgspec.structs import replace

    from oesd.service.checks import free_port
    from oesd.service.daemon import Service

    config = _loaded(config_file) if config_file else _shipped("simulated.toml")
    if not config.simulation.enabled:
        fail(f"{config_file}: [simulation] enabled must be true for oesd simulate")
    directory = data.absolute() if data else Path(tempfile.mkdtemp(prefix="oesd-simulated-"))
    ports = [p if p is not None else free_port(wanted) for p, wanted in ((port, 8520), (hub_port, 8530))]
    web, own_hub = replace(config.web, port=ports[0]), replace(config.hub, port=ports[1])
    try:
        config = replace(config, data_dir=directory, web=web, hub=own_hub)
    except ValueError as error:
        fail(f"--port, --hub-port: {error}")
        raise
    service = Service(config)
    signal.signal(signal.SIGHUP, lambda *_: service.ask_to_stop())
    _serve(service, for_s, summarise=True)


@click.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="[hub], [identify], [store] url and data_dir count.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Data directory; oesd-hub, or data_dir of the file.")
@click.option("--port", type=_PORT, help="8530, or that of the file; the next port is the bucket's.")
@click.option("--api-key-file", type=click.Path(path_type=Path), help="The hub's own key; made in DATA when absent.")
def hub(config_file: Path | None, data: Path | None, port: int | None, api_key_file: Path | None) -> None:
    """Serve the OES API on this machine: clients upload spectra, the hub stores and analyses them.

    One process for each core reads and analyses, unless the file says how many.
    """
    from oesd.service.unhurried import unhurried

    with unhurried(), as_one_line():
        _run_hub(config_file, data, port, api_key_file)


def _run_hub(config_file: Path | None, data: Path | None, port: int | None, api_key_file: Path | None) -> None:
    from msgspec.structs import replace

    from oesd.config import HubSection
    from oesd.model import Recipe
    from oesd.processing.crew import cores
    from oesd.service.hub import serve_hub
    from oesd.service.logs import set_up_logging
    from oesd.service.memory import stay_small

    stay_small()
    set_up_logging()
    config = _loaded(config_file) if config_file else None
    section = config.hub if config else HubSection()
    key_file = api_key_file.absolute() if api_key_file else None
    given = {"port": port, "key_file": key_file, "workers": section.workers or cores()}
    section = replace(section, **{name: value for name, value in given.items() if value is not None})
    directory = data or (config.data_dir if config else Path("oesd-hub"))
    recipe = config.identify.recipe if config else Recipe()
    asked: list[int] = []
    for number in _ENDINGS:
        signal.signal(number, lambda number, _: asked.append(number))
    try:
        tables = config.store if config else None
        sound = serve_hub(section, directory.absolute(), recipe, lambda: bool(asked), tables)
    except expected() as error:
        fail(str(error))
        raise
    if not sound:
        raise SystemExit(_INCOMPLETE)


def _open_ahead(spare: Spare, config: Config) -> None:
    """Have the first spectrometer opened while the rest is imported: each will be, as only so its serial is known."""
    if config.simulation.enabled:
        spare.close()  # virtual spectrometers have workers of their own environment
        return
    from oesd_drivers.errors import SpectrometerError
    from oesd_drivers.usb import plugged

    with suppress(SpectrometerError, OSError):  # whoever looks for them says so
        for found in plugged("libusb")[:1]:
            spare.open_ahead(found.address, "libusb")


def _loaded(path: Path, meanwhile: Callable[[Config], None] = lambda _: None) -> Config:
    """The configuration of a file, checked; ``meanwhile`` gets it when it is read, before more is imported."""
    from oesd.config import ConfigError, load_config

    try:
        config = load_config(path)
        meanwhile(config)
        from oesd.service.checks import check

        check(config, str(path))
    except ConfigError as error:
        fail(str(error))
        raise
    return config


def _shipped(name: str) -> Config:
    """Configuration that travels with the program; in a checkout it stands in config/."""
    from importlib.resources import as_file, files

    from oesd.config import load_config

    with as_file(files("oesd") / "share" / name) as packed:
        checkout = Path(__file__).parents[3] / "config" / name
        return load_config(packed if packed.exists() else checkout)


def _serve(service: Service, for_s: float | None, *, summarise: bool = False) -> None:
    from oesd.service.logs import set_up_logging
    from oesd.service.memory import stay_small
    from oesd.service.punctual import take_short_turns

    stay_small()
    take_short_turns()
    set_up_logging()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.ask_to_stop())
    try:
        service.start()
    except expected() as error:
        fail(str(error))
    gc.enable()
    try:
        sound = service.supervise(for_s)
        complete = _summarise(service) if summarise else True
    finally:
        service.stop()
    if not (sound and complete):
        raise SystemExit(_INCOMPLETE)


def _summarise(service: Service) -> bool:
    click.echo("ending: every spectrum is brought home ...", err=True)
    summary = service.drain()
    for line in summary.lines():
        click.echo(line)
    click.echo(f"data in {service.data_dir}")
    return summary.complete
