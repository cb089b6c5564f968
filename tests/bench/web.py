"""The HTTP API against the bare server beneath it, listeners against one, and captures beside readers.

    python -m tests.bench.web [SECONDS]

Ratios of processor time in one run, each server a process of its own: what else runs on the machine hardly matters.
The third table tells how long a thread that only waits is kept from its turn while a long document is encoded (least of
some tries, as the machine has other work too); the last is of start errors at 100 captures a second, as
``tests.bench.pacing`` has them: with nobody asking, and with clients that read entries and pictures, search and export
without a pause.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.bench.pacing import DEVICES, Arrivals, bus, unit_of
from tests.daemon.web import spectra

from oesd.engine.analyze import analyze_measurement
from oesd.model import Capture, Device, Entry, Kind, Recipe, RunOrder, new_id
from oesd.service.exporting import exporter
from oesd.service.memory import stay_small
from oesd.service.punctual import take_short_turns
from oesd.store import Store
from oesd.store.sealing import Sealing
from oesd.web import Feed, Server, Shown, create_api, newest_shown
from oesd.web.answers import encode
from oesd.web.pieces import pieces

PIXELS = 3648
ENTRIES = 40
REPEATS = 5
NEWEST = 8
HZ = 5.0
GOAL = 0.6


def stored(directory: Path) -> Store:
    """A store with entries of four spectra of 3,648 values each, sealed as those of a day that is over.

    As on a chamber a dark belongs to ten of them, and is of ten scans: a spectrum less its dark has tenths.
    """
    store, device = Store.open(directory), spectra.device(pixels=PIXELS)
    darks = [_of_scans(spectra.capture(device, Kind.DARK, seed=number), 10) for number in range(ENTRIES // 10)]
    for dark in darks:
        store.save_capture(dark, None, upload=False).result()
    for number in range(ENTRIES):
        sample, dark = spectra.capture(device, seed=number), darks[number % len(darks)]
        entry = Entry(new_id(), sample.record_id, dark.record_id, None, "latest of this exposure", "", spectra.NOW)
        store.save_capture(sample, entry, upload=True).result()
        measurement = store.measurement(entry.data_id)
        assert measurement is not None
        made = analyze_measurement(measurement, Recipe())
        store.save_result(entry.data_id, made, {"serial": device.serial, "integration_us": 20_000}).result()
    _seal(store, device)
    return store


def _of_scans(dark: Capture, scans: int) -> Capture:
    noise = np.random.default_rng(scans).integers(-40, 40, dark.counts_sum.size)
    summed = dark.counts_sum.astype(np.int64) * scans // dark.scans + noise
    return replace(dark, scans=scans, counts_sum=summed.astype(dark.counts_sum.dtype))


def _seal(store: Store, device: Device) -> None:
    """Let the next day begin, and what was stored go into a segment."""
    tomorrow = spectra.NOW + timedelta(days=2)
    sample = replace(spectra.capture(device, seed=ENTRIES, sequence=10 * ENTRIES), taken_at_utc=tomorrow)
    entry = Entry(new_id(), sample.record_id, None, None, "", "", tomorrow)
    store.save_capture(sample, entry, upload=False).result()
    sealing = Sealing(store, least_bytes=1)
    while sealing.look(1 << 40, 1 << 28):
        pass


def results(store: Store) -> list[str]:
    """Data ids of the entries with a result, the newest first."""
    return [entry.data_id for entry in store.entries(ENTRIES + 1) if entry.revision]


def app_of(store: Store, directory: Path, feed: Feed | None = None) -> Starlette:
    status = {"version": "bench", "spectrometers": [], "tally": {}}
    return create_api(
        store, status=lambda: status, healthy=lambda: True, token="bench-token", feed=feed,
        export=exporter(store, directory),
    )  # fmt: skip


def bare(ids: list[str], store: Store) -> Starlette:
    """uvicorn, starlette's router and orjson with the same arrays: nothing looked up, nothing checked."""
    documents = {}
    for data_id in ids:
        result = store.result(data_id)
        assert result is not None
        analysis = result.analysis
        arrays = {"wavelengths": analysis.wavelengths_nm, "sample": analysis.sample, "dark": analysis.dark}
        documents[data_id] = {**result.to_api(), **arrays, "scope_corrected": analysis.scope_corrected}

    async def get(request: Request) -> Response:
        content = orjson.dumps(documents[request.path_params["data_id"]], option=orjson.OPT_SERIALIZE_NUMPY)
        return Response(content, media_type="application/json")

    return Starlette(routes=[Route("/oes/{data_id}", get)])


def serve(kind: str, directory: Path) -> None:
    """One server as a process, set up as the daemon's: tells its port and ids, then waits for the end of its input."""
    stay_small()
    take_short_turns()
    with Store.open(directory) as store:
        ids = results(store)
        feed = Feed(lambda: {"version": "bench"}, partial(newest_shown, store))
        app = bare(ids, store) if kind == "bare" else app_of(store, directory, feed)
        server = Server(app)
        for data_id in [] if kind == "bare" else ids[:NEWEST][::-1]:
            result = store.result(data_id)
            assert result is not None
            feed.spectrum(Shown("chamber-a", result, None))  # as when it was processed a moment ago
        server.start()
        print(json.dumps({"port": server.port, "ids": ids}), flush=True)
        if kind == "feed":
            threading.Thread(target=_measure, args=(store, feed, ids), daemon=True).start()
        sys.stdin.read()
        server.stop()


def _measure(store: Store, feed: Feed, ids: list[str]) -> None:
    result = store.result(ids[0])
    assert result is not None
    shown = Shown("chamber-a", result, np.zeros(PIXELS))
    while True:
        feed.spectrum(shown)
        time.sleep(1 / HZ)


@contextmanager
def running(kind: str, directory: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.bench.web", "serve", kind, str(directory)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def gets(port: int, paths: list[str], headers: dict[str, str] | None = None) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path in paths:
        connection.request("GET", path, headers=headers or {})
        connection.getresponse().read()
    connection.close()


def cpu_s(pid: int) -> float:
    """Processor time of a process so far in seconds, to the nanosecond: of its threads that have not ended."""
    return sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def cost_us(pid: int, asks: Callable[[], None], requests: int) -> float:
    """Processor time of a process for each of so many requests, the best of some tries."""
    asks()
    costs = []
    for _ in range(REPEATS):
        before_s = cpu_s(pid)
        asks()
        costs.append((cpu_s(pid) - before_s) / requests * 1e6)
    return min(costs)


def newest_cost_us(pid: int, port: int, ids: list[str]) -> float:
    """The same for entries that were processed a moment ago, each asked for the first time in a while."""
    costs = []
    for _ in range(3 * REPEATS):
        gets(port, [f"/oes/{data_id}" for data_id in ids[NEWEST:]])  # what is kept encoded are others
        before_s = cpu_s(pid)
        gets(port, [f"/oes/{data_id}" for data_id in ids[:NEWEST]])
        costs.append((cpu_s(pid) - before_s) / NEWEST * 1e6)
    return min(costs)


def entries_table(place: Path) -> None:
    stored(place).close()
    with running("bare", place) as (process, told):
        asked = [f"/oes/{data_id}" for data_id in told["ids"]] * 5
        bare_us = cost_us(process.pid, lambda: gets(told["port"], asked), len(asked))
    with running("api", place) as (process, told):
        port, ids = told["port"], told["ids"]
        same, each = [f"/oes/{ids[0]}"] * 200, [f"/oes/{data_id}" for data_id in ids] * 5
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", same[0])
        answer = connection.getresponse()
        size, etag = len(answer.read()), answer.headers["etag"]
        connection.close()
        again_us = cost_us(process.pid, lambda: gets(port, same), len(same))
        old_us = cost_us(process.pid, lambda: gets(port, each), len(each))
        newest_us = newest_cost_us(process.pid, port, ids)
        known_us = cost_us(process.pid, lambda: gets(port, same, {"If-None-Match": etag}), len(same))
    goal = "holds" if bare_us / old_us >= GOAL and bare_us / newest_us >= GOAL else "MISSED"
    print(f"GET of a full entry, 4 x {PIXELS} values, {size / 1000:.0f} kB, processor time of the server for one")
    costs = {
        "bare uvicorn + orjson": bare_us,
        "asked for again": again_us,
        "first time, just told": newest_us,
        "first time, of days ago": old_us,
        "304": known_us,
    }
    for name, one_us in costs.items():
        print(f"  {name:24}{one_us:>8.0f} us   x {bare_us / one_us:.2f}")
    print(f"  both of the first time >= {GOAL}: {goal}")


def listeners_table(place: Path, seconds: float) -> None:
    costs = {}
    for listeners in (1, 10):
        with running("feed", place) as (process, told):
            streams = [threading.Thread(target=_listen, args=(told["port"], seconds + 1.5)) for _ in range(listeners)]
            for stream in streams:
                stream.start()
            time.sleep(1.0)
            before_s = cpu_s(process.pid)
            time.sleep(seconds)
            costs[listeners] = (cpu_s(process.pid) - before_s) / seconds
            for stream in streams:
                stream.join()
    print(f"\nGET /events at {HZ:g} spectra/s, processor time of the server")
    for listeners, share in costs.items():
        print(f"  {listeners:>2} listeners {100 * share:>12.1f} %   x {share / costs[1]:.2f}")


def _listen(port: int, seconds: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/events")
    answer, end_s = connection.getresponse(), time.monotonic() + seconds
    while time.monotonic() < end_s and answer.readline():
        pass
    connection.close()


def turns_table() -> None:
    take_short_turns()
    numbers = np.random.default_rng(1).random(1_000_000)
    document = {"value": numbers, "values": list(numbers[:500_000].reshape(250, 2000))}
    print("\na document of 1.5 million numbers, longest time that a thread which only waits is kept from its turn")
    for name, work in (
        ("nothing to do", lambda: time.sleep(0.5)),
        ("encoded at once", lambda: encode(document)),
        ("in pieces", lambda: [None for _ in pieces(document)]),
    ):
        print(f"  {name:28}{1e3 * min(_kept_s(work) for _ in range(REPEATS)):>8.1f} ms")


def _kept_s(work: Callable[[], object]) -> float:
    over, longest_s = threading.Event(), [0.0]

    def wait() -> None:
        while not over.is_set():
            before_s = time.perf_counter()
            time.sleep(0.0005)
            longest_s.append(time.perf_counter() - before_s - 0.0005)

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    longest_s.clear()
    work()
    over.set()
    waiting.join()
    return max(longest_s)


ASKING = """
import http.client, itertools, sys
port, paths = int(sys.argv[1]), sys.argv[2:]
connection = http.client.HTTPConnection("127.0.0.1", port)
for number, path in enumerate(itertools.cycle(paths)):
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        connection.close()
"""


def readers_table(seconds: float) -> None:
    take_short_turns()  # as the daemon does at its start
    print(f"\ncaptures at 100/s, start error{'p50':>16}{'p99':>9}{'max':>9}{'lost':>6}")
    with bus(DEVICES) as path, tempfile.TemporaryDirectory() as directory:
        store = stored(Path(directory))
        server = Server(app_of(store, Path(directory)))
        server.start()
        ids = results(store)
        each = [f"/oes/{data_id}" for data_id in ids]
        for name, paths in (
            ("nobody asks", []),
            ("entries, each a new one", each),
            ("one entry of 3648 as CSV", [f"/export?ids={data_id}" for data_id in ids]),
            ("pictures of all", [_picture(store)]),
            ("exports of all", [f"/export?ids={','.join(ids)}&format=txt"]),
            ("searches", ["/oes?element=Cu&limit=1000", "/ledger", "/status", "/darks"]),
        ):
            p50, p99, most, lost = _start_errors(path, store, server.port, paths, seconds)
            print(f"  {name:28}{p50:>14.2f} ms{p99:>6.2f} ms{most:>6.2f} ms{lost:>6.0f}")
        server.stop()
        store.close()


def _picture(store: Store) -> str:
    (one,) = store.entries(1)
    hour = timedelta(hours=1)
    since, until = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (one.taken_at_utc - hour, one.taken_at_utc + hour))
    return f"/waterfall?device={one.device_name}&since={since}&until={until}&columns=2048"


def _start_errors(path: str, store: Store, port: int, paths: list[str], seconds: float) -> tuple[float, ...]:
    arrivals = Arrivals(store)
    unit = unit_of(path, 0, 3_000, 10_000, arrivals)
    asking = [subprocess.Popen([sys.executable, "-c", ASKING, str(port), *paths]) for _ in range(2 if paths else 0)]
    try:
        time.sleep(1.0)
        unit.start_run(RunOrder(cause="order", duration_us=round(seconds * 1e6)))
        arrivals.ended.wait(seconds + 30)
    finally:
        for process in asking:
            process.kill()
            process.wait()
        unit.stop()
        arrivals.room.stop()
    (run,) = arrivals.begun
    errors = [ns - run.monotonic_ns - slot * 1000 * run.period_us for slot, ns in arrivals.captures if slot > 0]
    milliseconds = np.array(errors) / 1e6
    return (*np.percentile(milliseconds, (50, 99)), milliseconds.max(), float(arrivals.lost))


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as directory:
        entries_table(Path(directory))
        listeners_table(Path(directory), seconds)
    turns_table()
    readers_table(seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], Path(sys.argv[3]))
    else:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
