"""A server that means harm, against the whole forwarder: a generated corpus of answers (threats S8-S11, S21, S22).

Whatever it says: nothing crashes, no byte goes where it has no business, memory stays, nothing is believed that is not
so; and once the server behaves, everything arrives.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import random
import resource
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support import fault_server as faults
from tests.support.fault_server import KEY, FaultServer
from tests.support.upload_bench import Bench

from oesd.model import new_id
from oesd.store import OutboxState as S
from oesd.upload import ApiKey, Deadlines, OesApi
from oesd.upload.errors import ProtocolBroken
from oesd.upload.means import Pace
from oesd.upload.samples import Filing

CASES = 300
ROUTES = ("presign", "put", "complete", "entries", "download", "fetch", "oes", "patch", "clock", "samples")
CODES = (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503)
WAITS = ("-5", "1e9", "soon", "9" * 400, "Thu, 01 Jan 1970 00:00:00 GMT")
HASTY = Deadlines(connect_s=1.0, read_s=0.15, call_s=0.15, bytes_per_s=1e8)


def hostile_values(server: FaultServer) -> list[Any]:
    elsewhere = server.elsewhere_url
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    return [
        None, True, -1, 0, 10**400, 1e308, "", " ", "x" * 300_000, "\x00", "\x1b[2J\n\r", "\ud800", "\u202e", deep, {},
        [], [None] * 20_000, "../../../etc/passwd", "..\\..\\x", "C:\\x", "CON", "/dev/zero", "%2e%2e%2f",
        "oes/../admin", "?x=1#y", new_id().upper(), new_id() + "\n", "0" * 36, "file:///etc/passwd", "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/", "http://2130706433/", "http://0x7f.1/", f"{elsewhere}@evil.example/",
        "//evil.example/x", "javascript:alert(1)", "http://user:pw@127.0.0.1/", "https://evil.example:0/", "ftp://x/y",
        "http://evil.example/put", "gopher://x", "'; DROP TABLE outbox; --", "=cmd|' /C calc'!A0", KEY,
        KEY[:8] + "\u0000",
    ]  # fmt: skip


def mutated(document: Any, chance: random.Random, values: list[Any]) -> Any:
    """A document with something in it changed, taken away, doubled or put in."""
    if isinstance(document, dict) and document:
        name = chance.choice(list(document))
        kind = chance.randrange(4)
        if kind == 0:
            return {k: v for k, v in document.items() if k != name}
        if kind == 1:
            return document | {name: mutated(document[name], chance, values)}
        return document | {name: chance.choice(values)}
    if isinstance(document, list) and document:
        place = chance.randrange(len(document))
        kind = chance.randrange(4)
        if kind == 0:
            return document[:place] + document[place + 1 :]
        if kind == 1:
            return [*document, document[place]]
        return [*document[:place], mutated(document[place], chance, values), *document[place + 1 :]]
    return chance.choice(values)


def changed(chance: random.Random, values: list[Any]) -> faults.Fault:
    """The honest answer with a change in its JSON."""

    def fault(handler: faults.Handler, effect: Callable[[], faults.Reply]) -> None:
        code, headers, body = effect()
        try:
            body = json.dumps(mutated(json.loads(body), chance, values)).encode("utf-8", "surrogatepass")
        except ValueError:
            body = body[::-1]
        handler.reply((code, headers, body))

    return fault


def garbled(chance: random.Random) -> faults.Fault:
    """The honest answer with flipped bits, cut, doubled, or with headers that lie."""

    def fault(handler: faults.Handler, effect: Callable[[], faults.Reply]) -> None:
        code, headers, body = effect()
        kind = chance.randrange(6)
        damaged = bytearray(body or b"{}")
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        if kind == 0:
            handler.reply((code, headers, bytes(damaged)))
        elif kind == 1:
            handler.reply((code, headers, body[: chance.randrange(len(body) + 1)]))
        elif kind == 2:
            handler.reply((code, headers | {"Content-Encoding": chance.choice(["gzip", "br", "x" * 50])}, body))
        elif kind == 3:
            handler.reply(
                (code, headers | {"Content-Type": chance.choice(["", "text/html", "application/pickle"])}, body)
            )
        elif kind == 4:
            handler.reply((code, headers | {f"X-{n}": "y" * 500 for n in range(150)}, body))
        else:
            handler.reply((chance.choice([201, 204, 206, 226, 299, 418, 451, 999]), headers, body))

    return fault


def odd(line: bytes) -> faults.Fault:
    """Not even HTTP."""

    def fault(handler: faults.Handler, _: Callable[[], faults.Reply]) -> None:
        handler.wfile.write(line)
        handler.cut()

    return fault


def corpus(server: FaultServer, chance: random.Random) -> faults.Fault:
    values = hostile_values(server)
    away = [server.elsewhere_url + "/x", "//evil.example/", "file:///etc/passwd", f"/v1/?key={KEY}"]
    return chance.choice(
        [
            changed(chance, values), changed(chance, values), changed(chance, values), garbled(chance), garbled(chance),
            faults.redirect(chance.choice([301, 302, 303, 307, 308]), chance.choice(away)),
            faults.raw(b"[" * 50_000), faults.raw(b'{"a":' * 5_000), faults.raw(b"1" * 20_000), faults.raw(b"[NaN]"),
            faults.raw(b'{"url": "a", "url": "b"}'), faults.raw(b"\xff\xfe\x00"), faults.raw(b'"\\ud800"'),
            faults.status(chance.choice(CODES), f"bad {KEY}\r\n\x1b"),
            faults.status(429, Retry_After=chance.choice(WAITS)), odd(b"\x16\x03\x01\x02\x00"),
            odd(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), odd(b"HTTP/9.9 200\r\n\r\n"),
            odd(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"),
            odd(b"HTTP/1.1 100 Continue\r\n\r\n" * 200), odd(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000),
            faults.reset, faults.effect_then_reset, faults.cut_short, faults.truncated, faults.drip, faults.bomb,
        ]
    )  # fmt: skip


def test_nothing_that_a_server_says_does_harm(
    bench: Bench, server: FaultServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    chance = random.Random(20261122)
    faults.packed_zeros()
    before = {p for p in tmp_path.rglob("*") if "data" not in p.parts}
    bench.api.close()
    bench.api = OesApi(server.url, ApiKey(KEY), deadlines=HASTY)
    filing = Filing(bench.api, "sample", "project")
    bench.new_forwarder(Pace(workers=2, batch=3, changes_s=30.0), filing=filing)
    known = [bench.record() for _ in range(12)]
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(CASES):
        server.script(chance.choice((*ROUTES, *["any"] * len(ROUTES))), corpus(server, chance))
        if chance.random() < 0.3 and len(known) < 60:
            known.append(bench.record())
        bench.step(seconds=chance.choice([1, 400, 4000, 8000]))
        for record in known:
            if bench.item(record).state in (S.CONFIRMED, S.PROCESSED):
                assert server.uploaded(record.record_id) or _batch_of(server, record.record_id)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb
    met = CASES - sum(map(len, server._script.values()))
    server._script.clear()
    for record in known:
        bench.until(record, S.PROCESSED, S.QUARANTINED, rounds=600)
    print(f"\n{met} answers met, {len(known)} records, {len(server.seen)} requests, memory +{grown_kb / 1024:.0f} MiB,",
          f"in quarantine {bench.store.outbox.counts().get('quarantined', 0)}")  # fmt: skip
    assert met > CASES / 2
    assert grown_kb < 64 * 1024
    assert server.count("elsewhere") == 0
    assert not [s for s in server.seen if s.route in ("put", "fetch") and "x-api-key" in {n.lower() for n in s.headers}]
    assert {p for p in tmp_path.rglob("*") if "data" not in p.parts} - before <= set(bench.files.iterdir())
    assert "unforeseen" not in caplog.text
    assert not [r for r in caplog.records if r.exc_info]
    for record in known:
        if bench.item(record).state is S.PROCESSED:
            assert _arrived(server, bench, record.record_id, record.data_id)


def _batch_of(server: FaultServer, record_id: str) -> bool:
    return any(e.data is not None and record_id.encode() in e.data for e in server.entries.values())


def _arrived(server: FaultServer, bench: Bench, record_id: str, data_id: str) -> bool:
    sent = bench.render(data_id).data
    return any(e.data == sent for e in server.uploaded(record_id)) or _batch_of(server, record_id)


def test_the_key_is_nowhere_at_the_end(bench: Bench, server: FaultServer, tmp_path: Path) -> None:
    """A server that echoes it wherever it can, every logger open: not in a log, a file, a state, in no spelling."""
    heard = io.StringIO()
    listener = logging.StreamHandler(heard)
    root = logging.getLogger()
    root.addHandler(listener)
    level, root.level = root.level, logging.DEBUG
    escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)
    try:
        known = [bench.record() for _ in range(4)]
        for route in ROUTES:
            for code in (400, 401, 403, 404, 409, 429, 500, 503):
                server.script(route, faults.status(code, f"no such key: {KEY}"))
            for name in ("new_filename", "upload_id", "raw_name", "detail", "peak_id", "pipeline_status", "name"):
                server.script(route, faults.edited(lambda d, name=name: _with(d, name, KEY)))
                server.script(route, faults.raw(json.dumps({name: "@"}).replace("@", escaped).encode()))
        for record in known:
            for _ in range(250):
                if bench.item(record).state in (S.PROCESSED, S.QUARANTINED):
                    break
                bench.step(seconds=1000)
        state = json.dumps(bench.forwarder.state(), default=str)
    finally:
        root.removeHandler(listener)
        root.level = level
    bench.store.write(lambda _: None).result()
    spellings = {KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode(), KEY.encode().hex()}
    for spelling in spellings:
        assert spelling not in heard.getvalue() + state
        assert not [p for p in tmp_path.rglob("*") if p.is_file() and spelling.encode() in p.read_bytes()]
    assert "signature=" not in heard.getvalue()


@pytest.mark.parametrize("spelling", [KEY, "".join(f"\\u{ord(c):04x}" for c in KEY)])
def test_an_answer_that_quotes_the_key_is_refused(server: FaultServer, spelling: str) -> None:
    with OesApi(server.url, ApiKey(KEY)) as api:
        server.script("oes", faults.raw(b'{"name": "@"}'.replace(b"@", spelling.encode())))
        with pytest.raises(ProtocolBroken, match="quotes our key"):
            api.get_oes(new_id())


def test_a_server_clock_that_lies_purges_and_stalls_nothing(bench: Bench, server: FaultServer) -> None:
    """S22: whatever it says, the queue goes by the host's own clock."""
    bench.new_forwarder(Pace(workers=1))
    known = [bench.record() for _ in range(3)]
    for lie in (0.0, 1e15, -1e15, 4.1e12, 1.7e308):
        server.script("clock", faults.answer({"receivedAtUnixMs": lie, "transmittedAtUnixMs": lie}))
        bench.step(seconds=2)
    done = [bench.until(record, S.PROCESSED) for record in known]
    assert all(abs(item.next_attempt_at_utc - bench.now) < timedelta(days=1) for item in done)


def _with(document: Any, name: str, value: str) -> Any:
    if isinstance(document, list):
        return [_with(row, name, value) for row in document]
    return {**document, name: value} if isinstance(document, dict) else document
