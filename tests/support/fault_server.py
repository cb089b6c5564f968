"""A real OES API server and bucket on loopback whose routes misbehave on order.

It behaves (section 5 of the API's description) unless a fault is scripted for a route: each request takes the next
fault of its route, none being ``None``. Every request is recorded with its headers. API, bucket and a third server, the
target of redirects, listen on different ports.

Routes: presign, put, complete, entries, download, fetch, oes, patch, clock, samples, make_sample, projects, track,
elsewhere; ``any`` for the next request of whatever route.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import re
import socket
import struct
import threading
import time
import uuid
import zlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oesd.formats import is_bundle, read_bundle

KEY = "canary-4711-fault-server"


@dataclass(frozen=True)
class Seen:
    route: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Entry:
    data_id: str
    name: str
    upload_id: str
    parts: dict[int, bytes] = field(default_factory=dict)
    data: bytes | None = None
    batch: str = ""  # name of the file that it was taken out of
    sample: str | None = None
    updated: str = "2026-11-22T12:00:00Z"


Reply = tuple[int, dict[str, str], bytes]
Fault = Callable[["Handler", Callable[[], Reply]], None]


class FaultServer:
    """The three servers, their state and their scripts; a context manager."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.guard = threading.RLock()
        self.reset()
        self._servers = [_Server(self, name) for name in ("api", "bucket", "elsewhere")]

    def reset(self) -> None:
        """End what still hangs and forget everything: as good as new."""
        self.stopping.set()
        self.stopping = threading.Event()
        self.entries: dict[str, Entry] = {}
        self.by_word: dict[str, list[str]] = defaultdict(list)  # ids by name and batch, without the ending
        self.results: dict[str, dict[str, Any]] = {}
        self.patches: list[tuple[str, str, str]] = []
        self.seen: list[Seen] = []
        self.process = True  # whether complete files get a result
        self.page = 1000  # rows of a list, the newest first
        self.heedless = False  # whether the end of an interval is passed over
        self.takes_apart = True  # whether a bundle becomes entries
        self.samples: dict[str, str] = {}  # name by id
        self.projects: dict[str, str] = {}
        self.tracked: list[tuple[str, str]] = []
        self.key = KEY
        self._script: dict[str, deque[Fault | None]] = defaultdict(deque)

    def __enter__(self) -> FaultServer:
        for server in self._servers:
            server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for server in self._servers:
            server.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._servers[0].server_port}/v1"

    @property
    def bucket_url(self) -> str:
        return f"http://localhost:{self._servers[1].server_port}"

    @property
    def elsewhere_url(self) -> str:
        return f"http://127.0.0.1:{self._servers[2].server_port}"

    def script(self, route: str, *faults: Fault | None) -> None:
        self._script[route].extend(faults)

    def next_faults_are_over(self) -> None:
        """Behave from now on."""
        with self.guard:
            self._script.clear()

    def next_fault(self, route: str) -> Fault | None:
        with self.guard:
            for name in (route, "any"):
                if self._script[name]:
                    return self._script[name].popleft()
            return None

    def count(self, route: str) -> int:
        return sum(1 for seen in self.seen if seen.route == route)

    def uploaded(self, record_id: str) -> list[Entry]:
        return [e for e in self.entries.values() if record_id in e.name and e.data is not None]

    # What the routes do.

    def presign(self, query: dict[str, list[str]], body: bytes) -> Reply:
        name, parts = query["original_filename"][0], int(query["num_parts"][0])
        filed = json.loads(body)["physical_sample_id"] if body else None
        entry = Entry(str(uuid.uuid4()), name, f"upl-{uuid.uuid4().hex}", sample=filed)
        self.entries[entry.data_id] = entry
        self.by_word[name.partition(".")[0]].append(entry.data_id)
        rows = [
            {
                "part": n,
                "url": f"{self.bucket_url}/put/{entry.data_id}/{n}?signature=s3cr3t-signature",
                "upload_id": entry.upload_id,
                "new_filename": f"{entry.data_id}.txt",
                "data_id": entry.data_id,
            }
            for n in range(1, parts + 1)
        ]
        return _json(200, rows)

    def put(self, data_id: str, part: str, body: bytes) -> Reply:
        self.entries[data_id].parts[int(part)] = body
        return 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}, b""

    def complete(self, _: dict[str, list[str]], body: bytes) -> Reply:
        asked = json.loads(body)
        entry = next((e for e in self.entries.values() if e.upload_id == asked["upload_id"]), None)
        if entry is None or entry.data is not None:
            return _json(404, {"detail": "NoSuchUpload"})
        tags = {row["PartNumber"]: row["ETag"] for row in asked["etag_data"]}
        if tags != {n: f'"{hashlib.md5(data).hexdigest()}"' for n, data in entry.parts.items()}:
            return _json(400, {"detail": "InvalidPart"})
        entry.data = b"".join(entry.parts[n] for n in sorted(entry.parts))
        if self.takes_apart and is_bundle(entry.data):
            for name, data in read_bundle(entry.data):
                self._finished(Entry(str(uuid.uuid4()), name, "", data=data, batch=entry.name, sample=entry.sample))
        else:
            self._finished(entry)
        return _json(200, {"status": "ok"})

    def _finished(self, entry: Entry) -> None:
        if entry.data_id not in self.entries:
            for name in (entry.name, entry.batch):
                self.by_word[name.partition(".")[0]].append(entry.data_id)
        self.entries[entry.data_id] = entry
        if self.process:
            self.results[entry.data_id] = result(entry.data_id)

    def list_entries(self, query: dict[str, list[str]], _: bytes) -> Reply:
        ids, words = query.get("data_ids"), query.get("keywords", [""])[0]
        candidates = list(self.entries.values()) if ids is None and words not in self.by_word else [
            self.entries[i] for i in (self.by_word[words] if ids is None else ids) if i in self.entries
        ]  # fmt: skip
        rows = [
            {"data_id": e.data_id, "char_source_type": "oes", "raw_name": e.name, "pipeline_status": "pending",
             "last_updated": e.updated}
            for e in candidates
            if words in f"{e.name} {e.batch}" and self._asked_for(e, query)
        ]  # fmt: skip
        return _json(200, sorted(rows, key=lambda row: row["data_id"], reverse=True)[: self.page])

    def _asked_for(self, entry: Entry, query: dict[str, list[str]]) -> bool:
        since, until = (query.get(f"last_updated_{end}", [""])[0] for end in ("min", "max"))
        at = datetime.fromisoformat(entry.updated)
        return (not since or at >= datetime.fromisoformat(since)) and (
            not until or self.heedless or at <= datetime.fromisoformat(until)
        )

    def named(self, things: dict[str, str]) -> Reply:
        return _json(200, [{"id": i, "name": n} for i, n in things.items()])

    def make_sample(self, body: bytes) -> Reply:
        name = json.loads(body)["name"]
        for sample_id, known in self.samples.items():
            if known.strip().lower() == name.strip().lower():
                return _json(409, {"detail": {"physical_sample_id": sample_id}})
        sample_id = str(uuid.uuid4())
        self.samples[sample_id] = name
        return _json(201, {"id": sample_id})

    def track(self, project_id: str, body: bytes) -> Reply:
        self.tracked.append((project_id, json.loads(body)["physical_sample_id"]))
        return _json(200, {})

    def download(self, data_id: str) -> Reply:
        entry = self.entries.get(data_id)
        if entry is None or entry.data is None:
            return _json(404, {"detail": "no raw data"})
        return _json(200, {"url": f"{self.bucket_url}/get/{data_id}?signature=s3cr3t", "file_name": "../../escape.txt"})

    def fetch(self, data_id: str) -> Reply:
        return 200, {"Content-Type": "application/octet-stream"}, self.entries[data_id].data or b""

    def oes(self, data_id: str) -> Reply:
        known = self.results.get(data_id)
        return _json(404, {"detail": "not processed"}) if known is None else _json(200, known)

    def patch(self, data_id: str, body: bytes) -> Reply:
        asked = json.loads(body)
        peak = next(p for p in self.results[data_id]["detected_peaks"] if p["peak_id"] == asked["peak_id"])
        if asked["candidate_key"] not in [c["candidate_key"] for c in peak["candidates"]]:
            return _json(422, {"detail": [{"loc": ["candidate_key"], "msg": "unknown", "type": "value_error"}]})
        self.patches.append((data_id, asked["peak_id"], asked["candidate_key"]))
        peak.update(manual=True, element=asked["candidate_key"].split("_")[0])
        return _json(200, self.results[data_id])


def result(data_id: str) -> dict[str, Any]:
    """A small GET /oes document with two peaks."""
    peaks = [("p1", 403.31, ["Ga_403.3", "Mn_403.1"]), ("p2", 417.20, ["Ga_417.2"])]
    return {
        "data_id": data_id,
        "wavelengths": [400.0, 420.0],
        "detected_peaks": [
            {"peak_id": i, "wavelength_nm": w, "candidates": [{"candidate_key": k} for k in keys]}
            for i, w, keys in peaks
        ],
    }


# Faults.


def status(code: int, detail: str = "scripted", **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    reply = _json(code, {"detail": detail})
    return lambda handler, _: handler.reply((code, reply[1] | named, reply[2]))


def answer(document: Any) -> Fault:
    return lambda handler, _: handler.reply(_json(200, document))


def raw(body: bytes, kind: str = "application/json", code: int = 200, **headers: str) -> Fault:
    return lambda handler, _: handler.reply((code, {"Content-Type": kind} | headers, body))


def effect_then(fault: Fault) -> Fault:
    """All happens, and the fault is what the client sees."""

    def both(handler: Handler, effect: Callable[[], Reply]) -> None:
        effect()
        fault(handler, effect)

    return both


def reset(handler: Handler, _: Callable[[], Reply]) -> None:
    """RST before anything happens."""
    handler.cut()


def effect_then_reset(handler: Handler, effect: Callable[[], Reply]) -> None:
    """All happens, and the reply is lost."""
    effect()
    handler.cut()


def html(handler: Handler, _: Callable[[], Reply]) -> None:
    """A captive portal."""
    handler.reply((200, {"Content-Type": "text/html"}, b"<html>please log in</html>"))


def truncated(handler: Handler, effect: Callable[[], Reply]) -> None:
    """All happens; half of the JSON arrives as if it were all."""
    code, headers, body = effect()
    handler.reply((code, headers, body[: len(body) // 2]))


def cut_short(handler: Handler, effect: Callable[[], Reply]) -> None:
    """The connection ends before the announced length."""
    code, headers, body = effect()
    handler.reply((code, headers | {"Content-Length": str(len(body) + 100)}, body))
    handler.cut()


def hang(handler: Handler, _: Callable[[], Reply]) -> None:
    """No answer until the server stops."""
    handler.home.stopping.wait(30)
    handler.cut()


def drip(handler: Handler, effect: Callable[[], Reply]) -> None:
    """The body comes byte by byte, slower than any deadline, faster than any silence."""
    code, headers, body = effect()
    handler.begin(code, headers | {"Content-Length": str(len(body) + 10_000)})
    handler.dribble(body)


def drip_head(handler: Handler, _: Callable[[], Reply]) -> None:
    """Not even the head comes to its end."""
    handler.dribble(b"HTTP/1.1 200 OK\r\nX-Slow: ")


def bomb(handler: Handler, _: Callable[[], Reply]) -> None:
    """200 MB in 200 kB."""
    handler.reply((200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, packed_zeros()))


@functools.cache
def packed_zeros() -> bytes:
    """200 MB of zeros, made a piece at a time."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()


def flood(handler: Handler, _: Callable[[], Reply]) -> None:
    """An answer without an end."""
    handler.begin(200, {"Content-Type": "application/json", "Content-Length": str(1 << 40)})
    with contextlib.suppress(OSError):
        while not handler.home.stopping.is_set():
            handler.wfile.write(b" " * 65536)
    handler.cut()


def redirect(code: int, target: str) -> Fault:
    return lambda handler, _: handler.reply((code, {"Location": target}, b""))


def edited(edit: Callable[[Any], Any]) -> Fault:
    """All happens; the JSON answer is changed on its way."""

    def fault(handler: Handler, effect: Callable[[], Reply]) -> None:
        code, headers, body = effect()
        handler.reply((code, headers, _json(code, edit(json.loads(body)))[2]))

    return fault


def headers_changed(**headers: str | None) -> Fault:
    """All happens; headers are set, or taken away by None."""

    def fault(handler: Handler, effect: Callable[[], Reply]) -> None:
        code, given, body = effect()
        given = {k: v for k, v in (given | headers).items() if v is not None}
        handler.reply((code, given, body))

    return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    request_queue_size = 64

    def __init__(self, home: FaultServer, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.home = home
        self.name = name
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what this is for."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    @property
    def home(self) -> FaultServer:
        return self.server.home

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route, effect = self._route(body)
        with self.home.guard:
            self.home.seen.append(Seen(route, self.command, self.path, dict(self.headers), body))
        if self.server.name == "api" and route != "clock" and self.headers.get("X-API-KEY") != self.home.key:
            self.reply(_json(401, {"detail": f"no such key: {self.headers.get('X-API-KEY')}"}))
            return

        def guarded() -> Reply:
            with self.home.guard:
                return effect()

        fault = self.home.next_fault(route)
        if fault is None:
            self.reply(guarded())
        else:
            fault(self, guarded)

    do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

    def _route(self, body: bytes) -> tuple[str, Callable[[], Reply]]:
        home, parts = self.home, urlsplit(self.path)
        query, path = parse_qs(parts.query), parts.path
        if self.server.name == "elsewhere":
            return "elsewhere", lambda: _json(200, [])
        if found := re.fullmatch(r"/put/([^/]+)/(\d+)", path):
            return "put", lambda: home.put(found[1], found[2], body)
        if found := re.fullmatch(r"/get/([^/]+)", path):
            return "fetch", lambda: home.fetch(found[1])
        uploads = "/v1/data_entries/raw_data/staged/upload_urls/"
        if path == uploads:
            return "presign", lambda: home.presign(query, body)
        if path == uploads + "complete/":
            return "complete", lambda: home.complete(query, body)
        if path == "/v1/data_entries/":
            return "entries", lambda: home.list_entries(query, body)
        if found := re.fullmatch(r"/v1/data_entries/raw_data/([^/]+)", path):
            return "download", lambda: home.download(found[1])
        if found := re.fullmatch(r"/v1/oes/([^/]+)", path):
            return "oes", lambda: home.oes(found[1])
        if found := re.fullmatch(r"/v1/oes/([^/]+)/peaks", path):
            return "patch", lambda: home.patch(found[1], body)
        if path == "/v1/physical_samples/":
            if self.command == "GET":
                return "samples", lambda: home.named(home.samples)
            return "make_sample", lambda: home.make_sample(body)
        if path == "/v1/projects/":
            return "projects", lambda: home.named(home.projects)
        if found := re.fullmatch(r"/v1/projects/([^/]+)/configuration/tracking_samples", path):
            return "track", lambda: home.track(found[1], body)
        if path == "/v1/gateway/time":
            now_ms = time.time() * 1e3
            stamps = {"receivedAtUnixMs": now_ms + 5000, "transmittedAtUnixMs": now_ms + 5000}
            return "clock", lambda: _json(200, stamps)
        return "unknown", lambda: _json(404, {"detail": "Not Found"})

    def begin(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reply(self, reply: Reply) -> None:
        code, headers, body = reply
        self.begin(code, {"Content-Length": str(len(body))} | headers)
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def dribble(self, beginning: bytes) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(beginning)
            while not self.home.stopping.wait(0.02):
                self.wfile.write(b"x")
        self.cut()

    def cut(self) -> None:
        """End the connection with a RST."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The handler's files hold the socket open: closing all of them sends the RST.
        self.rfile.close()
        with contextlib.suppress(OSError):
            self.wfile.close()
        self.connection.close()


def _json(code: int, document: Any) -> Reply:
    return code, {"Content-Type": "application/json"}, json.dumps(document).encode()
