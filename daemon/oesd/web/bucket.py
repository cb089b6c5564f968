"""The hub's bucket: bytes by signed URL on an origin of its own, as S3 gives them.

No key is needed or looked at. Errors are XML, as a client of S3 expects them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import orjson
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from oesd.model import is_uuid
from oesd.store import Store, StoreError
from oesd.store.catalogue import Catalogue
from oesd.store.ingest import Ingest, Upload
from oesd.web.shelf import PIECE_BYTES, PartDamaged, PartWriter, Shelf
from oesd.web.signing import SignatureRefused, Signer

PART_LIMIT_BYTES = 64 * 1024 * 1024
PIECE_DEADLINE_S = 30.0
EXPIRED_AT_ONCE = 200
ABANDONED_AFTER = timedelta(days=14)

_log = logging.getLogger(__name__)

Clock = Callable[[], datetime]


class Refused(Exception):
    """A request that ends with an S3 error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Bucket:
    """Staged parts coming in, files and results going out.

    Parameters
    ----------
    store : Store
    directory : Path
        For the uploaded bytes; leftovers of a crash are removed from it here.
    clock : callable
        UTC now; URLs are signed and expire by it.
    """

    def __init__(self, store: Store, directory: Path, *, clock: Clock = lambda: datetime.now(UTC)) -> None:
        self.ingest = Ingest(store)
        self.catalogue = Catalogue(store)
        self.shelf = Shelf(directory)
        self.clock = clock
        self._store = store
        self._signer = Signer(self.ingest.secret())
        self.shelf.sweep(self.ingest.needed())
        self.drop_abandoned()
        self.app = self._application()

    @property
    def refused(self) -> str:
        """Why nothing more is taken in, "" when it is."""
        return self._store.refused

    def drop_abandoned(self) -> None:
        """Remove the parts of uploads that nobody went on with; who comes back all the same sends them again."""
        for upload_id in self.ingest.abandoned(self.clock() - ABANDONED_AFTER):
            self.shelf.drop_parts(upload_id, self.ingest.parts(upload_id))

    def drop_emptied(self) -> None:
        """Remove the bytes of files of several when the time of all their spectra is over."""
        for data_id in self.ingest.emptied():
            self.ingest.forget_bytes(data_id)  # first: a file without a row would never be found again
            self.shelf.drop_file(data_id)

    def drop_expired(self, keep_us: int) -> None:
        """Remove what is no entry, or none any more, when entries are kept for so long; 0 keeps all."""
        while keep_us and (gone := self.ingest.expired(keep_us, EXPIRED_AT_ONCE)):
            for one in gone:
                self.shelf.drop_parts(one.upload_id, self.ingest.parts(one.upload_id))
                self.shelf.drop_file(one.data_id)
            self.ingest.forget(gone)

    def put_path(self, upload_id: str, part: int) -> str:
        """Signed path and query that takes one part."""
        return self._signer.sign("PUT", f"/staged/{upload_id}/{part}", self.clock())

    def get_path(self, kind: str, data_id: str) -> str:
        """Signed path and query that gives an entry's bytes; ``kind`` is ``raw`` or ``processed``."""
        return self._signer.sign("GET", f"/{kind}/{data_id}", self.clock())

    def _application(self) -> Starlette:
        routes = [
            Route("/staged/{upload_id}/{part:int}", self._signed(self._put), methods=["PUT"]),
            Route("/raw/{data_id}", self._signed(self._pooled(self._get_raw)), methods=["GET"]),
            Route("/processed/{data_id}", self._signed(self._pooled(self._get_processed)), methods=["GET"]),
        ]
        handlers = {
            Refused: _xml_refusal,
            StoreError: _xml_unavailable,
            OSError: _xml_unavailable,
            HTTPException: _xml_http_error,
        }
        app = Starlette(routes=routes, exception_handlers=handlers)
        app.router.redirect_slashes = False
        return app

    def _signed(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            expires, signature = (request.query_params.get(name, "") for name in ("expires", "signature"))
            # A GET route also serves HEAD, under the permission of the GET.
            method = "GET" if request.method == "HEAD" else request.method
            try:
                self._signer.check(method, request.url.path, expires, signature, self.clock())
            except SignatureRefused as problem:
                raise Refused(403, problem.code, str(problem)) from problem
            return await handler(request)

        return endpoint

    @staticmethod
    def _pooled(handler: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(handler, request)

        return endpoint

    async def _put(self, request: Request) -> Response:
        upload_id, part = request.path_params["upload_id"], int(request.path_params["part"])
        await run_in_threadpool(self._open_upload, upload_id, part)
        writer = await run_in_threadpool(self.shelf.receive(upload_id, part).__enter__)
        try:
            await _receive(request, writer)
            return await run_in_threadpool(self._keep, upload_id, part, writer)
        finally:
            await run_in_threadpool(writer.close)

    def _open_upload(self, upload_id: str, part: int) -> Upload:
        upload = self.ingest.upload(upload_id) if is_uuid(upload_id) else None
        if upload is None or upload.finished_at_utc is not None:
            raise Refused(404, "NoSuchUpload", "the upload does not exist or is finished")
        if not 1 <= part <= upload.parts:
            raise Refused(400, "InvalidPart", f"the upload has parts 1 to {upload.parts}")
        return upload

    def _keep(self, upload_id: str, part: int, writer: PartWriter) -> Response:
        staged = writer.keep(part)
        if not self.ingest.put_part(upload_id, staged):
            self.shelf.drop_parts(upload_id, [staged])
            raise Refused(403, "AccessDenied", "the URL was used before, for other bytes")
        return Response(status_code=200, headers={"etag": f'"{staged.md5}"'})

    def _get_raw(self, request: Request) -> Response:
        data_id = self._entry_of(request)
        # Between two looks the staged parts of an upload may have become the file of an entry: hence the third.
        answer = self._kept(data_id) or self._staged(data_id) or self._kept(data_id) if data_id else None
        if answer is None:
            raise Refused(404, "NoSuchKey", "the entry has no bytes")
        return answer

    def _kept(self, data_id: str) -> Response | None:
        path = self.shelf.file(data_id)
        if path is not None:
            return FileResponse(path, media_type="application/octet-stream", headers=_DOWNLOAD)
        file = self._store.file(data_id)
        if file is not None:
            return Response(file.data, media_type="application/octet-stream", headers=_DOWNLOAD)
        return None

    def _staged(self, data_id: str) -> Response | None:
        upload = self.ingest.upload_of(data_id)
        if upload is None or upload.finished_at_utc is None or upload.is_taken:
            return None
        try:
            pieces = self.shelf.pieces(upload.upload_id, self.ingest.parts(upload.upload_id))
        except PartDamaged:
            return None
        return StreamingResponse(
            pieces,
            media_type="application/octet-stream",
            headers={**_DOWNLOAD, "content-length": str(upload.size_bytes)},
        )

    def _get_processed(self, request: Request) -> Response:
        result = self._store.result(self._entry_of(request))
        if result is None:
            raise Refused(404, "NoSuchKey", "the entry has no result yet")
        document = {**result.to_api(), "data_id": request.path_params["data_id"]}
        return Response(orjson.dumps(document), media_type="application/json", headers=_DOWNLOAD)

    def _entry_of(self, request: Request) -> str:
        """The entry that an id of the path stands for, "" when it is no id."""
        data_id = request.path_params["data_id"]
        return self.ingest.entry_of(data_id) if is_uuid(data_id) else ""


_DOWNLOAD = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}


async def _receive(request: Request, writer: PartWriter) -> None:
    waiting = bytearray()
    received_bytes = 0
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(PIECE_DEADLINE_S):
                chunk = await anext(chunks, b"")
            received_bytes += len(chunk)
            if received_bytes > PART_LIMIT_BYTES:
                raise Refused(400, "EntityTooLarge", f"a part holds at most {PART_LIMIT_BYTES} bytes")
            waiting += chunk
            if not chunk or len(waiting) >= PIECE_BYTES:
                await run_in_threadpool(writer.write, bytes(waiting))
                waiting.clear()
            if not chunk:
                return
    except TimeoutError as problem:
        raise Refused(400, "RequestTimeout", "the sender was silent for too long") from problem
    except ClientDisconnect as problem:
        raise Refused(400, "IncompleteBody", "the body broke off") from problem
    finally:
        await chunks.aclose()


def _xml_refusal(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refused)
    return _xml(problem.status, problem.code, str(problem))


def _xml_http_error(_: Request, problem: Exception) -> Response:
    status = int(getattr(problem, "status_code", 500))
    return _xml(status, "NoSuchKey" if status == 404 else "MethodNotAllowed", "not available here")


def _xml_unavailable(_: Request, problem: Exception) -> Response:
    """Disk or store cannot take it now: the sender keeps its bytes and comes again."""
    _log.error("the bucket cannot serve: %s", problem)
    return _xml(503, "ServiceUnavailable", "the store cannot serve now")


def _xml(status: int, code: str, message: str) -> Response:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(text, status, media_type="application/xml")
