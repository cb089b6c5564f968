"""The hub at work: its own store and analysis behind the OES API of :mod:`oesd.web.hub`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from oesd.config import HubSection, StoreSection
from oesd.formats import is_bundle, read_bundle, read_spectrum
from oesd.health import Health, Watchdog, notify
from oesd.model import Recipe, Result
from oesd.processing import Processing
from oesd.processing.crew import Crew, CrewError, WorkerDied
from oesd.processing.explaining import explain
from oesd.processing.file_jobs import pack_file_job, read_file_answer
from oesd.processing.jobs import BadAnswer
from oesd.processing.metadata import file_metadata
from oesd.service.directory import make_directory, secret_file
from oesd.service.exporting import exporter
from oesd.service.intake import Intake
from oesd.service.keeping import Keeper
from oesd.store import Store, StoreError
from oesd.store.files import device_told
from oesd.store.keeping import KeepingRules
from oesd.upload import load_key
from oesd.version import __version__
from oesd.web import Feed, Hub, Shown
from oesd.web.hub_inbox import Inbox, Read, Reading, reading_with
from oesd.web.shown import newest_stored

log = logging.getLogger(__name__)

_TURN_S = 0.25
_MIN_FREE = 500_000_000  # of the disk: below it the hub takes nothing more in, and its clients keep what they have


class HubService:
    """A hub with everything it needs.

    Parameters
    ----------
    section : HubSection
        Where it listens, the file of its key (without one a key is made in the directory), how many processes read and
        analyse (none: this one does), and how long spectra are kept.
    directory : Path
        Its data.
    recipe : Recipe
        The recipe of every analysis.
    beat : callable
        As :class:`~oesd.processing.Processing` takes it.
    port_option : str
        As :class:`~oesd.web.Hub` takes it.
    data : StoreSection, optional
        Its ``url`` and ``max_size``: a database instead of a file in the directory.
    """

    def __init__(
        self,
        section: HubSection,
        directory: Path,
        recipe: Recipe,
        beat: Callable[[str, float], None],
        port_option: str = "--hub-port",
        data: StoreSection | None = None,
    ) -> None:
        self._section = section
        self._directory = directory
        self._recipe = recipe
        self._beat = beat
        self._port_option = port_option
        self._data = data or StoreSection()
        self._crew: Crew | None = None

    def start(self) -> None:
        """Open the store and listen; what an earlier process left without a result is analysed first.

        Where it cannot, nothing of it is left open.
        """
        make_directory(self._directory)
        self.key_file = self._section.key_file or self._directory / "api-key"
        if self._section.key_file is None:
            secret_file(self.key_file)
        key = load_key(self.key_file)
        self.store = Store.open(self._directory, self._data.url.reveal())
        try:
            self._furnish(key.reveal())
        except BaseException:
            self._end_crew()
            self.store.close()
            raise
        try:
            for room in (self._web, self._keeper, self.processing, self._intake):
                room.start()
        except BaseException:
            self.stop()
            raise
        log.info("hub at %s, its key in %s, its data in %s", self.url, self.key_file, self.store.where)

    def _furnish(self, key: str) -> None:
        """Make the rooms; none of them has begun."""
        self._feed = Feed(self._state, partial(newest_stored, self.store))
        self.processing = Processing(
            self.store, self._recipe, upload=False, beat=self._beat, name="hub processing",
            made=lambda made: self._show(made.result, first=made.first),
        )  # fmt: skip
        self._web = Hub(
            self.store,
            self._directory / "files",
            key=key,
            arrived=lambda data_id: self._intake.put(data_id),
            host=self._section.host,
            port=self._section.port,
            port_option=self._port_option,
            # By number: a host without an entry for localhost must work too.
            public_host=self._section.name or _numbered(self._section.host),
            tls=self._section.tls,
            beat=self._beat,
            evidence=partial(explain, self.store),
            export=exporter(self.store, self._directory),
            feed=self._feed,
        )
        inbox = Inbox(
            self.store, self._web.bucket, read=self._reader(), ingested=self.processing.ingested,
            take_apart=_take_apart, describe=file_metadata, made=self._show,
        )  # fmt: skip
        bucket = self._web.bucket
        hands = max(self._section.workers, 1)
        self._intake = Intake(bucket.ingest, inbox.take, hands, self._beat, tidy=self._tidy)
        rules = KeepingRules(
            min_free_bytes=_MIN_FREE, max_bytes=self._data.max_size_bytes, expire_us=self._section.keep_us
        )
        self._keeper = Keeper(self.store, rules, lambda name, within_s: self._beat(f"hub {name}", within_s))

    def stop(self) -> None:
        """Stop listening, finish what is at hand, close the store; one that fails to stop keeps no other from it."""
        with ExitStack() as ends:  # the last comes first
            ends.callback(self.store.close)
            ends.callback(self._keeper.stop)
            ends.callback(self.processing.stop)
            ends.callback(self._end_crew)
            ends.callback(self._intake.stop)
            ends.callback(self._web.stop)

    @property
    def url(self) -> str:
        """Origin of the API."""
        return self._web.url

    @property
    def alive(self) -> bool:
        """Whether every thread of it runs."""
        return self.processing.alive and self._intake.alive and self._keeper.alive

    def _state(self) -> dict[str, Any]:
        return {"version": __version__, "waiting": self._intake.waiting}

    def _show(self, result: Result, *, first: bool = True) -> None:
        """Tell those who listen of a result."""
        if first:
            self._feed.spectrum(Shown(device_told(result.metadata), result, None))
        else:
            self._feed.changed(result.data_id, result.revision, "reprocessed")

    def _tidy(self) -> None:
        self._web.bucket.drop_emptied()
        self._web.bucket.drop_expired(self._section.keep_us)

    def _reader(self) -> Read:
        if not self._section.workers:
            return reading_with(read_spectrum)
        self._crew = Crew(self._section.workers)
        return partial(_read_with, self._crew, self._recipe)

    def _end_crew(self) -> None:
        if self._crew is not None:
            self._crew.close()


def _numbered(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def serve_hub(
    section: HubSection, directory: Path, recipe: Recipe, stop: Callable[[], bool], data: StoreSection | None = None
) -> bool:
    """Run a hub until it is to stop, which is asked a few times a second; False when a thread of it failed."""
    health = Health()
    hub = HubService(section, directory, recipe, health.beat, "--port", data)
    hub.start()
    notify("READY=1", f"STATUS=hub at {hub.url}")
    watchdog = Watchdog(health)
    try:
        while not stop():
            time.sleep(_TURN_S)
            if not hub.alive:
                log.critical("a thread of the hub failed; the hub ends so that it can be started afresh")
                return False
            watchdog.feed(lambda: f"hub at {hub.url}")
        return True
    finally:
        notify("STOPPING=1")
        hub.stop()


def _take_apart(data: bytes) -> list[tuple[str, bytes]] | None:
    return read_bundle(data) if is_bundle(data) else None


def _read_with(crew: Crew, recipe: Recipe, data: bytes, file_name: str) -> Future[Reading]:
    """Have a file read by a worker process; one that it dies of, twice, is no spectrum."""
    read: Future[Reading] = Future()

    def tell(done: Future[bytes]) -> None:
        try:
            answer = read_file_answer(done.result())
            read.set_result(Reading(answer.spectrum, answer.unreadable, answer.analysis, answer.refused))
        except WorkerDied as error:
            read.set_result(Reading(unreadable=str(error)))
        except (CrewError, BadAnswer) as error:
            read.set_exception(StoreError(f"not read: {error}"))
        except CancelledError:
            read.set_exception(StoreError("not read: the hub ends"))

    crew.submit(pack_file_job(data, file_name, recipe)).add_done_callback(tell)
    return read
