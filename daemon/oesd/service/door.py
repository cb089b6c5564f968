"""The daemon's way to people and programs: API, page, events; on loopback and, when asked for, to other computers."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from starlette.applications import Starlette

from oesd.config import Config
from oesd.processing import Processing
from oesd.processing.explaining import explain
from oesd.processing.importing import import_file
from oesd.processing.made import Made
from oesd.service.directory import forget_running, local_token, note_running
from oesd.service.elements import element_lines
from oesd.service.exporting import exporter
from oesd.service.golden import Golden
from oesd.service.measuring import Measuring
from oesd.service.watch_desk import WatchDesk
from oesd.store import Store
from oesd.web import Feed, Server, Shown, create_api, newest_shown

log = logging.getLogger(__name__)


class Door:
    """What listens, and what those that listen to it are told.

    Parameters
    ----------
    config : Config
        Its [web] section and data_dir count.
    store : Store
        What is shown.
    status, healthy : callable
        What the daemon says of itself.
    beat : callable
        Called with a name and the seconds within which it will be called again.
    golden : Golden
        What people call golden.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        status: Callable[[], Mapping[str, Any]],
        healthy: Callable[[], bool],
        beat: Callable[[str, float], None],
        golden: Golden,
    ) -> None:
        self._golden = golden
        self._web, self._directory = config.web, config.data_dir
        self._store = store
        self._status, self._healthy, self._beat = status, healthy, beat
        self.feed = Feed(status, partial(newest_shown, store))
        self._servers: list[Server] = []
        self.url = ""

    def lead_to(self, processing: Processing, measuring: Measuring, desk: WatchDesk) -> None:
        """Take orders and questions for these rooms; before :meth:`start`."""
        self._processing, self._measuring, self._desk = processing, measuring, desk

    def start(self) -> None:
        """Listen; the directory notes where.

        Raises
        ------
        CannotListen
            The port is taken, or the certificate cannot be used.
        """
        web = self._web
        port = self._listen(Server(self._api(), web.host, web.port, option="--port or [web] port", beat=self._beat))
        host = f"[{web.host}]" if ":" in web.host else web.host
        self.url = f"http://{host}:{port}"
        note_running(self._directory, self.url)
        if web.remote and web.certificate and web.certificate_key:
            tls, option = (web.certificate, web.certificate_key), "[web] remote_port"
            app = self._api(remote=True)
            try:
                self._listen(Server(app, web.remote_host, web.remote_port, option=option, beat=self._beat, tls=tls))
            except BaseException:
                self.stop()
                raise
            log.info("others reach it as %s", ", ".join(f"https://{name}" for name in web.names))

    def stop(self) -> None:
        """Listen no more."""
        forget_running(self._directory)
        self.feed.end()
        while self._servers:
            self._servers.pop().stop()

    def show(self, made: Made) -> None:
        """Tell the pages of a result; called by the thread that made it."""
        if made.first:
            self.feed.spectrum(Shown(made.device_name, made.result, made.analysis.baseline))
        else:
            self.feed.changed(made.result.data_id, made.result.revision, "reprocessed")

    def _listen(self, server: Server) -> int:
        server.start()
        self._servers.append(server)
        return server.port

    def _api(self, *, remote: bool = False) -> Starlette:
        return create_api(
            self._store,
            status=self._status,
            healthy=self._healthy,
            token=local_token(self._directory),
            reprocess=self._reprocess,
            capture=self._measuring.capture,
            runs=self._measuring.runs,
            unrecorded=self._processing.unrecorded,
            evidence=partial(explain, self._store),
            keep=self._processing.keep,
            take_file=self._take_file,
            export=exporter(self._store, self._directory),
            lines=element_lines,
            feed=self.feed,
            watching=self._desk,
            golden=self._golden,
            hosts=self._web.names if remote else (),
            remote=remote,
        )

    def _reprocess(self, data_id: str) -> None:
        self._processing.reprocess(data_id)

    def _take_file(self, data: bytes, filename: str) -> Mapping[str, Any]:
        imported = import_file(self._store, data, filename)
        if imported.new:
            self._processing.ingested(imported.data_id)
        return dataclasses.asdict(imported)
