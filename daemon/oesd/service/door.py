"""The daemon's way to people and programs: API, page, events; on loopback and, when asked for, to other computers."""

from __future__ import annotations

import dataclasses
import logging
import socket
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from oesd.config import Config
from oesd.processing.explaining import explain
from oesd.processing.importing import import_file
from oesd.processing.made import Made
from oesd.service.directory import forget_running, local_token, note_running
from oesd.service.elements import element_lines, molecule_bands
from oesd.service.exporting import exporter
from oesd.service.listeners import Listeners
from oesd.service.rooms import Rooms
from oesd.service.watch_desk import WatchDesk
from oesd.web import Feed, Server, Shown, create_api, newest_shown

log = logging.getLogger(__name__)


class Door:
    """What listens, and what those that listen to it are told.

    Parameters
    ----------
    config : Config
        Its [web] section and data_dir count.
    listeners : Listeners
        Where it is served.
    rooms : Rooms
        What is shown, and who takes orders and questions.
    desk : WatchDesk
        Answers for traces, alarms and rules.
    """

    def __init__(self, config: Config, listeners: Listeners, rooms: Rooms, desk: WatchDesk) -> None:
        self._web, self._directory = config.web, config.data_dir
        self._rooms, self._desk = rooms, desk
        self._store, self._processing = rooms.store, rooms.processing
        self._listeners = listeners
        self.feed = Feed(rooms.status, partial(newest_shown, rooms.store))
        self._servers: list[Server] = []
        self.url = listeners.url

    def start(self) -> None:
        """Serve; the directory notes where.

        Raises
        ------
        CannotListen
            The certificate cannot be used.
        """
        web = self._web
        self._serve(self._listeners.page, self._api())
        note_running(self._directory, self.url)
        if self._listeners.others and web.certificate and web.certificate_key:
            try:
                self._serve(self._listeners.others, self._api(remote=True), (web.certificate, web.certificate_key))
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

    def _serve(self, listener: socket.socket, app: Starlette, tls: tuple[Path, Path] | None = None) -> None:
        server = Server(app, listener=listener, beat=self._rooms.beat, tls=tls)
        server.start()
        self._servers.append(server)

    def _api(self, *, remote: bool = False) -> Starlette:
        return create_api(
            self._store,
            status=self._rooms.status,
            healthy=self._rooms.healthy,
            token=local_token(self._directory),
            reprocess=self._reprocess,
            capture=self._rooms.measuring.capture,
            runs=self._rooms.measuring.runs,
            unrecorded=self._processing.unrecorded,
            evidence=partial(explain, self._store),
            keep=self._processing.keep,
            take_file=self._take_file,
            export=exporter(self._store, self._directory),
            lines=element_lines,
            bands=molecule_bands,
            feed=self.feed,
            watching=self._desk,
            golden=self._rooms.golden,
            hosts=self._web.names if remote else (),
            remote=remote,
        )

    def _reprocess(self, data_id: str) -> None:
        self._processing.process(data_id)

    def _take_file(self, data: bytes, filename: str) -> Mapping[str, Any]:
        imported = import_file(self._store, data, filename)
        if imported.new:
            self._processing.ingested(imported.data_id)
        return dataclasses.asdict(imported)
